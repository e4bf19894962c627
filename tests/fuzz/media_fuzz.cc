// DEPS: footlight_edge
//
// The media of a shard, fed with offers, fragments, datagrams and time by whoever likes. Whatever
// comes, nothing is answered to a stranger that is larger than its question, every packet goes back
// to the pool, and sessions that are closed leave nothing.
#include <algorithm>
#include <string>
#include <vector>

#include "core/prng.h"
#include "edge/media.h"
#include "edge/media_handover.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::edge;

class SeededEntropy final : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next());
  }

 private:
  Prng prng_{1};
};

struct Opened {
  MediaUse use;
  uint8_t what;
  MediaAnswer answer;
};

MediaRequest someone(MediaUse use, uint8_t what) {
  MediaRequest made;
  made.use = use;
  made.episode = "demo";
  made.who = uint64_t{1} + (what >> 4);
  made.role = proto::Role::kPlayer;
  made.grants = {0xFF};
  made.owner = {0, made.who};
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SeededEntropy entropy;
  static const auto identity = *rtc::DtlsIdentity::make(entropy, 1'700'000'000'000);
  MediaOptions options;
  options.identity = identity;
  options.candidates.udp = {rtc::Address::v4(192, 0, 2, 1, 8080)};
  options.max_sessions = 16;
  options.packet_slots = 4'096;
  options.out_bytes = 1 << 16;
  Media media(options, entropy);
  MediaHandover handover(media, 0, 3, 16);
  std::vector<Opened> opened;
  MonoUs now = 1'000'000;
  ByteView rest(data, size);
  while (rest.size() >= 3) {
    const uint8_t what = rest[0];
    const size_t length = std::min<size_t>(rest[1] | rest[2] << 8, rest.size() - 3);
    const ByteView bytes = rest.subspan(3, length);
    const std::string_view text = as_text(bytes);
    rest = rest.subspan(3 + length);
    const auto use = what & 8 ? MediaUse::kPublish : MediaUse::kWatch;
    switch (what & 7) {
      case 0:
      case 1: {
        const MediaRequest request = someone(use, what);
        auto answer = media.open(request, text, now);
        if (answer) opened.push_back({use, what, std::move(*answer)});
        break;
      }
      case 2:
        if (!opened.empty()) {
          const Opened& last = opened.back();
          // The same in the session protocol, with what it can say beside.
          const MediaRequest from = someone(last.use, last.what);
          const std::string id = last.answer.id, mid(text.substr(0, 2));
          media.ask({from, MediaAsk::Mute{id, mid, (what & 16) != 0}}, now);
          media.ask({from, MediaAsk::Place{id, mid, what, (what & 32) != 0, true}}, now);
          if (what & 64) media.ask({from, MediaAsk::Resume{1, id, std::string(text)}}, now);
          (void)media.patch("demo", last.use, last.answer.id, "", text, now);
        }
        break;
      case 3:
        if (!opened.empty()) {
          (void)media.close("demo", opened.back().use, opened.back().answer.id, now);
          opened.pop_back();
        }
        break;
      case 4:
        now += what * MonoUs{50'000};
        media.on_time(now);
        break;
      default: {
        sfu::Packet* packet = media.take();
        require(packet != nullptr);
        const size_t most = std::min(bytes.size(), packet->buffer.size());
        std::copy_n(bytes.begin(), most, packet->buffer.begin());
        media.out().clear();
        const rtc::Path path{rtc::Address::v4(192, 0, 2, 9, what), 0, false};
        // Whatever it is, it is for some shard, and makes no path known.
        require(handover.route(path, ByteView(packet->buffer).first(most)).shard < 3);
        handover.on_handed_check(1, path);
        require(handover.notes().empty());
        media.on_datagram(path, packet, most, now);
        size_t answered = 0;
        for (size_t i = 0; i < media.out().batch_count(); ++i) {
          answered += media.out().batch(i).bytes.size();
        }
        require(answered <= most);  // nobody here has ever proven an address
        media.flush(now);
      }
    }
  }
  for (const MediaTold& told : media.told()) require(told.sessions.size() == 1);
  for (const Opened& each : opened) {
    (void)media.close("demo", each.use, each.answer.id, now);
  }
  require(media.stats().sessions == 0 && media.room("demo") == nullptr);
  return 0;
}
