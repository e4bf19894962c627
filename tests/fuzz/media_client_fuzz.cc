// DEPS: footlight_ops
//
// The synthetic clients, fed by a server that answers and sends what it likes: answers, datagrams
// (decrypted and not) and time. Nothing is read beyond what came, and streams stay within their
// bound.
#include <string>

#include "core/prng.h"
#include "ops/media_publisher.h"
#include "ops/media_watcher.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::ops;

class SeededEntropy final : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next());
  }

 private:
  Prng prng_{1};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SeededEntropy entropy;
  static const auto identity = *rtc::DtlsIdentity::make(entropy, 1'700'000'000'000);
  rtc::DatagramOut out(1 << 16, 256);
  PublisherOptions published;
  published.clip = &clip(0);
  MediaPublisher publisher(published, {1}, entropy, identity, out);
  MediaWatcher watcher({2, 2, 1}, {2}, entropy, identity, out);
  const rtc::Address server = rtc::Address::v4(192, 0, 2, 1, 8080);
  MonoUs now = 1'000'000;
  ByteView rest(data, size);
  while (rest.size() >= 3) {
    const uint8_t what = rest[0];
    const size_t length = std::min<size_t>(rest[1] | rest[2] << 8, rest.size() - 3);
    Bytes bytes(rest.begin() + 3, rest.begin() + 3 + static_cast<ptrdiff_t>(length));
    rest = rest.subspan(3 + length);
    switch (what & 7) {
      case 0:
        (void)publisher.accept(as_text(bytes), now);
        break;
      case 1:
        (void)watcher.accept(as_text(bytes), now);
        break;
      case 2:
        publisher.on_datagram(server, bytes, now);
        break;
      case 3:
        watcher.on_datagram(server, bytes, now);
        break;
      case 4:
        watcher.on_rtcp(bytes, now);
        break;
      case 5:
        now += what * MonoUs{10'000};
        publisher.on_time(now);
        watcher.on_time(now);
        break;
      default:
        watcher.on_rtp(bytes, now);
    }
    out.clear();
  }
  const WatcherStats stats = watcher.stats(now);
  require(stats.voices + stats.videos <= MediaWatcher::kMaxStreams);
  require(stats.voice.repaired <= stats.voice.packets);
  (void)read_clip({data, size});
  return 0;
}
