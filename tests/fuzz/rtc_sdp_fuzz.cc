// DEPS: footlight_rtc
//
// An offer of a peer: what is read can be written and read again the same; an answer has as many
// m-lines as the offer and can be read.
#include <cstdint>

#include "rtc/sdp_answer.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::rtc;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_candidate(text);
  const auto offer = parse_sdp(text);
  if (!offer) return 0;
  const std::string written = write_sdp(*offer);
  if (const auto again = parse_sdp(written)) require(write_sdp(*again) == written);
  AnswerInput input;
  input.session_id = "1";
  input.ice = {"ufragufrag", "passwordpasswordpassword"};
  input.fingerprint = {"sha-256", Bytes(32, 1)};
  input.outgoing = {{"1", "c", "s t", 1, 2}, {"0", "c", "s t", 3, 0}};
  const auto answer = answer_offer(*offer, input);
  if (!answer) return 0;
  require(answer->media.size() == offer->media.size());
  require(answer->description.media.size() == offer->media.size());
  const auto read = parse_sdp(write_sdp(answer->description));
  require(read.has_value() && read->media.size() == offer->media.size());
  require(check_reoffer(*offer, *offer).has_value());
  return 0;
}
