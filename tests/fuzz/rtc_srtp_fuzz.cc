// DEPS: footlight_rtc
//
// SRTP and SRTCP from a peer: bytes of its choice never pass for authentic, and the same bytes as a
// packet of ours, protected and opened, come back as they were.
#include <algorithm>
#include <cstdint>

#include "rtc/srtp.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::rtc;

struct Pair {
  explicit Pair(SrtpProfile profile)
      : key{profile, Bytes(srtp_sizes(profile).key_bytes, 3),
            Bytes(srtp_sizes(profile).salt_bytes, 5)},
        sender(*SrtpSender::make(key)),
        receiver(*SrtpReceiver::make(key)) {}
  SrtpMasterKey key;
  SrtpSender sender;
  SrtpReceiver receiver;
};

void run(SrtpProfile profile, ByteView input, size_t head) {
  Pair pair(profile);
  Bytes stranger(input.begin(), input.end());
  require(!pair.receiver.unprotect(stranger));
  stranger.assign(input.begin(), input.end());
  require(!pair.receiver.unprotect_rtcp(stranger));
  require(pair.receiver.stream_count() == 0);

  Bytes out(input.size() + kSrtcpMaxOverheadBytes);
  const auto sealed = pair.sender.protect_into(input.first(head), input.subspan(head), out);
  if (sealed) {
    const auto plain = pair.receiver.unprotect(std::span(out).first(*sealed));
    require(plain && std::ranges::equal(*plain, input));
  }
  const auto control = pair.sender.protect_rtcp_into(input, out);
  if (control) {
    const auto plain = pair.receiver.unprotect_rtcp(std::span(out).first(*control));
    require(plain && std::ranges::equal(*plain, input));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const ByteView input(data + 1, size - 1);
  const size_t head = std::min<size_t>(data[0], input.size());
  for (const auto profile : {SrtpProfile::kAeadAes128Gcm, SrtpProfile::kAeadAes256Gcm,
                             SrtpProfile::kAes128CmHmacSha1_80}) {
    run(profile, input, head);
  }
  return 0;
}
