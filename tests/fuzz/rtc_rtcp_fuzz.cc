// DEPS: footlight_rtc
//
// RTCP of a peer: every decoder on every packet of the compound; nothing leaves the datagram and
// the number of items is bounded by its bytes.
#include <array>
#include <cstdint>

#include "rtc/rtcp.h"
#include "rtc/transport_feedback.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::rtc;

void decode(const RtcpPacket& packet) {
  (void)packet.sender_ssrc();
  (void)read_sender_info(packet);
  const size_t blocks = report_block_count(packet);
  require(blocks * 24 <= packet.body.size());
  for (size_t i = 0; i < blocks; ++i) (void)round_trip_us(read_report_block(packet, i), 1ull << 40);
  for (size_t i = 0; bye_ssrc(packet, i); ++i) require(i < kRtcpMaxCount);
  if (const auto cname = read_sdes_cname(packet)) require(cname->cname.size() <= 255);
  for (size_t i = 0; fir_entry(packet, i); ++i) require(8 * i < packet.body.size());
  if (const auto remb = read_remb(packet)) require(remb->ssrcs.size() <= packet.body.size());
  if (const auto report = read_extended_report(packet)) {
    for (size_t i = 0; i < report->dlrr.size() / 12; ++i) (void)read_dlrr_item(*report, i);
  }
  NackReader nacks(packet);
  uint16_t sequence;
  size_t count = 0;
  while (nacks.next(sequence)) ++count;
  require(count <= packet.body.size() / 4 * 17);
}

// What a peer's feedback says of each packet, told by us, is read back the same.
void feedback(const RtcpPacket& packet) {
  TransportFeedbackReader reader(packet);
  FeedbackItem item;
  size_t count = 0;
  while (reader.next(item)) ++count;
  require(count <= kMaxFeedbackPackets);
}

void write_from(ByteView bytes) {
  static TransportFeedbackWriter writer;
  writer = {};
  int64_t now = 1'000'000;
  for (size_t i = 0; i + 3 < bytes.size() && i < 1200; i += 4) {
    now += bytes[i] * int64_t{bytes[i + 1]} * 4;
    writer.on_packet(static_cast<uint16_t>(bytes[i + 2] << 8 | bytes[i + 3]), now);
  }
  std::array<uint8_t, 128> out;
  for (int turn = 0; writer.pending(); ++turn) {
    require(turn < 2048);
    const size_t size = writer.write(out, 1, 2);
    require(size > 0 && size <= out.size());
    RtcpReader reader(ByteView(out).first(size));
    RtcpPacket packet;
    require(reader.next(packet));
    TransportFeedbackReader items(packet);
    FeedbackItem item;
    while (items.next(item)) {
    }
    require(items.ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(data, size);
  require(rtcp_items(bytes) <= 1 + size / 4 * (1 + 0xFFFF / kFeedbackPerItem));
  RtcpReader reader(bytes);
  RtcpPacket packet;
  while (reader.next(packet)) {
    decode(packet);
    feedback(packet);
  }
  write_from(bytes);
  return 0;
}
