// DEPS: footlight_rtc
//
// A peer's SCTP packets, with the right tag and checksum, against data channels that are also in
// use: what is held stays within its bound, answers stay within the question's size and a constant,
// and whatever happens the state machine comes to rest.
#include <algorithm>
#include <cstdint>

#include "core/prng.h"
#include "rtc/data_channel.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/wire.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::rtc;

struct FixedEntropy final : Entropy {
  void fill(std::span<uint8_t> out) override { std::ranges::fill(out, uint8_t{1}); }
};

// Reads all that `from` says and returns the last packet's verification tag.
struct Rig {
  FixedEntropy entropy;
  DataChannels ours{DtlsRole::kServer, {}, entropy, 8};
  uint32_t our_tag = 0;
  MonoUs now = kUsPerSecond;
  size_t sent = 0;

  void pull() {
    ChannelEvent event;
    int events = 0;
    while (ours.next_event(event, now)) require(++events < 20'000);
    Bytes out(kSctpPacketBytes);
    int packets = 0;
    while (const size_t size = ours.produce(out, now)) {
      require(++packets < 2'000 && size <= kSctpPacketBytes);
      const ByteView packet(out.data(), size);
      require(load_u32(&packet[8]) == sctp_checksum(packet));
      ChunkReader chunks(packet.subspan(kSctpHeaderBytes));
      SctpChunk chunk;
      while (chunks.next(chunk)) {
        const bool setup = chunk.type == 1 || chunk.type == 2;
        if (setup) our_tag = load_u32(chunk.value.data());
      }
      require(!chunks.broken());
      sent += size;
    }
  }
  void give(ByteView chunks, uint32_t tag) {
    Bytes packet(kSctpHeaderBytes);
    packet.insert(packet.end(), chunks.begin(), chunks.end());
    store_u16(packet.data(), 5000);
    store_u16(&packet[2], 5000);
    store_u32(&packet[4], tag);
    store_u32(&packet[8], sctp_checksum(packet));
    ours.receive(packet, now);
    pull();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Rig rig;
  rig.ours.start(rig.now);
  rig.pull();
  // The peer's INIT ACK with a cookie, then its COOKIE ACK: the association stands, first TSN 100.
  const Bytes init_ack{2, 0,   0,    36, 0, 0, 0,   9,   0, 1, 0, 0, 1, 0, 1, 0, 0, 0,
                       0, 100, 0x80, 8,  0, 6, 130, 192, 0, 0, 0, 7, 0, 8, 1, 2, 3, 4};
  rig.give(init_ack, rig.our_tag);
  rig.give(Bytes{11, 0, 0, 4}, rig.our_tag);
  require(rig.ours.connected());
  (void)rig.ours.open({.label = "ours", .ordered = false, .max_retransmits = 0}, rig.now);
  ByteView rest(data, size);
  while (rest.size() >= 2) {
    const size_t step = std::min<size_t>(rest[0] * 4, rest.size() - 2);
    const uint8_t after = rest[1];
    rig.give(rest.subspan(2, step), rig.our_tag);
    rest = rest.subspan(2 + step);
    if (after & 1) (void)rig.ours.send(1, false, Bytes(3000), rig.now);
    if (after & 2) {
      rig.now = std::min(rig.ours.deadline_us(), rig.now + kUsPerSecond);
      rig.ours.on_deadline(rig.now);
      rig.pull();
    }
    if (after & 4) (void)rig.ours.close(1);
  }
  // Left alone it comes to rest or to its end.
  for (int i = 0; i < 200 && rig.ours.deadline_us() != kNever; ++i) {
    rig.now = std::max(rig.now, rig.ours.deadline_us());
    rig.ours.on_deadline(rig.now);
    rig.pull();
  }
  return 0;
}
