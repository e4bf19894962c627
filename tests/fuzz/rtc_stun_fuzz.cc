// DEPS: footlight_rtc
//
// STUN and TCP framing of strangers: no answer larger than its question, no session without the
// password, frames that are the same however the stream is cut, and no relay that works because of
// what a stranger said.
#include <array>
#include <cstdint>
#include <string>

#include "core/prng.h"
#include "rtc/ice.h"
#include "rtc/turn.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::rtc;

class ZeroEntropy : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = 0;
  }
};

void ask(ByteView bytes) {
  ZeroEntropy entropy;
  IceLite agent(entropy, 4);
  const IceSession session = *agent.open(0);
  std::array<uint8_t, IceLite::kReplyBytes> reply;
  const Path path{Address::v4(192, 0, 2, 1, 9), 0, false};
  const IceOutcome outcome = agent.on_stun(path, bytes, 1, reply);
  require(outcome.reply.size() <= bytes.size());
  StunView view;
  if (outcome.session) {
    require(parse_stun(bytes, view) && check_stun_integrity(view, agent.local(session).password));
  }
  if (!outcome.reply.empty()) require(parse_stun(outcome.reply, view));
}

// The answer to each of a probe's questions, with the transaction made to fit.
void answer_probe(ByteView bytes) {
  ZeroEntropy entropy;
  TurnProbe probe(turn_credentials("secret", "fuzz", 1), entropy);
  probe.start(0);
  Bytes question, answer(bytes.begin(), bytes.end());
  for (int i = 0; i < 6 && probe.next_datagram(question); ++i) {
    require(question.size() <= kStunMaxBytes);
    probe.receive(answer, i);
  }
  require(!probe.done() || !probe.verdict());
}

std::string frames(ByteView stream, size_t step) {
  IceTcpReader reader;
  std::string told;
  for (size_t at = 0; at < stream.size(); at += step) {
    ByteView in = stream.subspan(at, std::min(step, stream.size() - at)), frame;
    for (;;) {
      const auto more = reader.next(in, frame);
      if (!more) return told + "broken";
      if (!*more) break;
      require(frame.size() <= IceTcpReader::kMaxFrameBytes);
      told += to_hex(frame) + " ";
    }
    require(reader.stored_bytes() <= IceTcpReader::kMaxFrameBytes + 2);
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(data, size);
  ask(bytes);
  answer_probe(bytes);
  require(frames(bytes, size + 1) == frames(bytes, 1));
  return 0;
}
