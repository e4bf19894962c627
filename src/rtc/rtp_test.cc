#include "rtc/rtp.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "rtc/rtp_extensions.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

Bytes hex(std::string_view text) {
  Bytes bytes;
  EXPECT_TRUE(from_hex(text, bytes));
  return bytes;
}

TEST(Rtp, APacketOfRfc3550IsReadFieldByField) {
  const Bytes packet =
      hex("b1e01234"
          "00000064"
          "cafebabe"
          "00000001"
          "bede0001"
          "10aa2000"
          "0102030405"
          "000003");
  RtpView view;
  ASSERT_TRUE(parse_rtp(packet, view));
  EXPECT_TRUE(view.marker);
  EXPECT_EQ(view.payload_type, 96);
  EXPECT_EQ(view.sequence, 0x1234);
  EXPECT_EQ(view.timestamp, 100u);
  EXPECT_EQ(view.ssrc, 0xcafebabeu);
  EXPECT_EQ(view.csrc_count, 1);
  EXPECT_EQ(view.head_bytes, 24);
  EXPECT_EQ(view.padding_bytes, 3);
  EXPECT_EQ(to_hex(view.payload()), "0102030405");
}

TEST(Rtp, EveryCutOfAPacketIsEitherWholeOrRefused) {
  const Bytes packet =
      hex("92e01234"
          "00000064"
          "cafebabe"
          "0000000100000002"
          "bede0002"
          "10aa20bb30cc0000"
          "0102");
  for (size_t size = 0; size < packet.size(); ++size) {
    RtpView view;
    const bool whole = parse_rtp(ByteView(packet).first(size), view);
    EXPECT_EQ(whole, size >= 32) << size;
  }
}

TEST(Rtp, PaddingLongerThanThePayloadIsRefused) {
  Bytes packet =
      hex("a0600001"
          "00000000"
          "00000001"
          "aaaa03");
  RtpView view;
  ASSERT_TRUE(parse_rtp(packet, view));
  EXPECT_EQ(view.payload_bytes, 0);
  packet.back() = 4;
  EXPECT_FALSE(parse_rtp(packet, view));
  packet.back() = 0;
  EXPECT_FALSE(parse_rtp(packet, view));
}

TEST(Rtp, HeadsWrittenAreReadBackInBothForms) {
  const Bytes small = hex("aabb"), large(20, 7);
  for (const auto& value : {small, large}) {
    const std::array<RtpExtensionElement, 3> elements{{{1, small}, {0, small}, {3, value}}};
    std::array<uint8_t, 128> buffer;
    const RtpHead head{true, false, 111, 65535, 0xFFFFFFFF, 5};
    const size_t size = write_rtp_head(buffer, head, elements);
    ASSERT_GT(size, 0u);
    RtpView view;
    ASSERT_TRUE(parse_rtp(ByteView(buffer).first(size), view));
    EXPECT_EQ(view.extension_profile, value.size() > 16 ? kRtpTwoByteProfile : kRtpOneByteProfile);
    EXPECT_EQ(view.sequence, 65535);
    EXPECT_TRUE(view.marker);
    RtpExtensionReader reader(view);
    uint8_t id;
    ByteView got;
    ASSERT_TRUE(reader.next(id, got));
    EXPECT_EQ(id, 1);
    EXPECT_EQ(to_hex(got), to_hex(small));
    ASSERT_TRUE(reader.next(id, got));
    EXPECT_EQ(id, 3);
    EXPECT_EQ(to_hex(got), to_hex(value));
    EXPECT_FALSE(reader.next(id, got));
    for (size_t room = 0; room < size; ++room) {
      EXPECT_EQ(write_rtp_head(std::span(buffer).first(room), head, elements), 0u);
    }
  }
}

TEST(Rtp, ExtensionIdFifteenEndsTheOneByteForm) {
  const Bytes packet =
      hex("90600001"
          "00000000"
          "00000001"
          "bede0002"
          "10aaf0bb"
          "20cc0000");
  RtpView view;
  ASSERT_TRUE(parse_rtp(packet, view));
  RtpExtensionReader reader(view);
  uint8_t id;
  ByteView value;
  ASSERT_TRUE(reader.next(id, value));
  EXPECT_EQ(id, 1);
  // 15 is still handed out as the last one or not at all; what follows it never is.
  while (reader.next(id, value)) EXPECT_EQ(id, 15);
}

TEST(Rtp, DatagramsAreToldApartByTheirFirstByte) {
  EXPECT_EQ(datagram_kind(hex("0001")), DatagramKind::kStun);
  EXPECT_EQ(datagram_kind(hex("16fe")), DatagramKind::kDtls);
  EXPECT_EQ(datagram_kind(hex("80e0")), DatagramKind::kRtp);
  EXPECT_EQ(datagram_kind(hex("80c8")), DatagramKind::kRtcp);
  EXPECT_EQ(datagram_kind(hex("81cd")), DatagramKind::kRtcp);
  EXPECT_EQ(datagram_kind(hex("40ff")), DatagramKind::kUnknown);
  EXPECT_EQ(datagram_kind({}), DatagramKind::kUnknown);
}

TEST(Rtp, ARetransmissionBecomesThePacketItRepeats) {
  Bytes original =
      hex("90e01234"
          "00000064"
          "cafebabe"
          "bede0001"
          "10aa0000"
          "010203");
  Bytes rtx = original;
  rtx[1] = 0x80 | 97;
  store_u16(&rtx[2], 7);
  store_u32(&rtx[8], 99);
  rtx.insert(rtx.begin() + 20, {0x12, 0x34});
  std::span<uint8_t> packet(rtx);
  ASSERT_TRUE(unwrap_rtx(packet, {96, 0xcafebabe}));
  EXPECT_EQ(to_hex(packet), to_hex(original));

  Bytes probe =
      hex("a0610007"
          "00000000"
          "00000001"
          "00000004");
  std::span<uint8_t> probe_packet(probe);
  EXPECT_FALSE(unwrap_rtx(probe_packet, {96, 1}));
}

TEST(Rtp, RedNamesItsPrimaryBlock) {
  // One redundant block (type 111, 2 bytes), then the primary.
  RedPrimary primary;
  const Bytes payload =
      hex("ef000002"
          "6f"
          "aabb"
          "0102");
  ASSERT_TRUE(read_red_primary(payload, primary));
  EXPECT_EQ(primary.payload_type, 111);
  EXPECT_EQ(to_hex(primary.payload), "0102");
  EXPECT_FALSE(read_red_primary(hex("ef000009"
                                    "6f"
                                    "aabb"),
                                primary));
  EXPECT_FALSE(read_red_primary(hex("ef0000"), primary));
}

TEST(Rtp, RedsOlderBlocksAreReadInOrderWithTheirOffsets) {
  // 1,920 ticks before with two bytes, 960 before with one, an empty one, the primary.
  const Bytes payload =
      hex("ef1e0002"
          "ef0f0001"
          "ef078000"
          "6f"
          "aabb"
          "cc"
          "0102");
  std::array<RedBlock, 4> blocks;
  ASSERT_EQ(read_red_blocks(payload, blocks), 2u);
  EXPECT_EQ(blocks[0].payload_type, 111);
  EXPECT_EQ(blocks[0].offset, 1920);
  EXPECT_EQ(to_hex(blocks[0].payload), "aabb");
  EXPECT_EQ(blocks[1].offset, 960);
  EXPECT_EQ(to_hex(blocks[1].payload), "cc");
  EXPECT_EQ(read_red_blocks(payload, std::span(blocks).first(1)), 1u);
  EXPECT_EQ(read_red_blocks(ByteView(payload).first(14), blocks), 0u) << "cut short";
  EXPECT_EQ(read_red_blocks({}, blocks), 0u);
}

TEST(RtpExtensions, UrisMapBothWaysAndIdsAreTakenOnce) {
  RtpExtensionMap map;
  for (size_t i = 0; i < kRtpExtensionCount; ++i) {
    const auto extension = static_cast<RtpExtension>(i);
    EXPECT_EQ(rtp_extension_of(rtp_extension_uri(extension)), extension);
    EXPECT_TRUE(map.set(extension, static_cast<uint8_t>(i + 1)));
  }
  EXPECT_FALSE(map.set(RtpExtension::kMid, 2));
  EXPECT_FALSE(map.set(RtpExtension::kMid, 0));
  EXPECT_FALSE(rtp_extension_of("urn:nobody"));
  EXPECT_FALSE(map.extension_of(0));
}

TEST(RtpExtensions, ValuesAreReadAsTheirDocumentsSay) {
  EXPECT_EQ(read_transport_cc(hex("1234")), 0x1234);
  EXPECT_FALSE(read_transport_cc(hex("12")));
  EXPECT_EQ(read_audio_level(hex("8f"))->minus_dbov, 15);
  EXPECT_TRUE(read_audio_level(hex("8f"))->voice);
  EXPECT_EQ(read_video_orientation(hex("0f"))->rotation_degrees, 270);
  EXPECT_EQ(read_playout_delay(hex("00a014"))->min_ms, 100);
  EXPECT_EQ(read_playout_delay(hex("00a014"))->max_ms, 200);
  const auto capture =
      read_abs_capture_time(hex("0000000100000002"
                                "ffffffffffffffff"));
  EXPECT_EQ(capture->capture_ntp, 0x0000000100000002u);
  EXPECT_EQ(capture->clock_offset_q32, -1);
  EXPECT_EQ(read_stream_name(as_bytes("hi")), "hi");
  EXPECT_EQ(read_stream_name(as_bytes("h i")), "");
  EXPECT_EQ(read_stream_name(as_bytes("12345678901234567")), "");
  std::array<uint8_t, 3> three;
  write_abs_send_time(three, 64'000'000 + 500'000);  // half a second after the wrap
  EXPECT_EQ(read_abs_send_time(three), 1u << 17);
  write_playout_delay(three, {100, 200});
  EXPECT_EQ(to_hex(three), "00a014");
}

TEST(Wire, SequencesAreCountedOnOverTheirWrap) {
  SequenceUnwrapper unwrapper;
  const int64_t first = unwrapper.unwrap(65'534);
  EXPECT_EQ(unwrapper.unwrap(65'535), first + 1);
  EXPECT_EQ(unwrapper.unwrap(1), first + 3);
  EXPECT_EQ(unwrapper.unwrap(0), first + 2);
  EXPECT_EQ(unwrapper.newest(), first + 3);
  EXPECT_TRUE(is_newer(uint16_t{0}, uint16_t{65'535}));
  EXPECT_FALSE(is_newer(uint16_t{65'535}, uint16_t{0}));
  EXPECT_FALSE(is_newer(uint16_t{0}, uint16_t{0x8000}));
}

}  // namespace
}  // namespace footlight::rtc
