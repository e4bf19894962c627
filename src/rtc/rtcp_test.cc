#include "rtc/rtcp.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <vector>

#include "core/prng.h"
#include "rtc/transport_feedback.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

Bytes hex(std::string_view text) {
  Bytes bytes;
  EXPECT_TRUE(from_hex(text, bytes));
  return bytes;
}

RtcpPacket only_packet(ByteView bytes) {
  RtcpReader reader(bytes);
  RtcpPacket packet, next;
  EXPECT_TRUE(reader.next(packet));
  EXPECT_FALSE(reader.next(next));
  EXPECT_TRUE(reader.ok());
  return packet;
}

TEST(Rtcp, ReportsComeBackAsTheyWereWritten) {
  std::array<uint8_t, 256> buffer;
  RtcpWriter writer(buffer);
  const SenderInfo info{1, 0x0102030405060708, 90'000, 10, 12'000};
  const std::array<ReportBlock, 2> blocks{
      {{7, 255, -3, 0x10005, 40, 0x1234, 65'536}, {8, 0, 0x7F'FFFF, 1, 2, 3, 4}}};
  ASSERT_TRUE(writer.sender_report(info, blocks));
  ASSERT_TRUE(writer.receiver_report(2, std::span(blocks).first(1)));
  ASSERT_TRUE(writer.sdes_cname(1, "cast"));
  const std::array<uint32_t, 2> gone{{5, 6}};
  ASSERT_TRUE(writer.bye(gone));

  RtcpReader reader(writer.bytes());
  RtcpPacket packet;
  ASSERT_TRUE(reader.next(packet));
  const auto read = read_sender_info(packet);
  EXPECT_EQ(read->ntp, info.ntp);
  EXPECT_EQ(read->payload_bytes, 12'000u);
  ASSERT_EQ(report_block_count(packet), 2u);
  EXPECT_EQ(read_report_block(packet, 0).cumulative_lost, -3);
  EXPECT_EQ(read_report_block(packet, 0).fraction_lost, 255);
  EXPECT_EQ(read_report_block(packet, 1).delay_since_last_sr, 4u);
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(packet.sender_ssrc(), 2u);
  EXPECT_EQ(read_report_block(packet, 0).highest_sequence, 0x10005u);
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(read_sdes_cname(packet)->cname, "cast");
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(bye_ssrc(packet, 1), 6u);
  EXPECT_FALSE(bye_ssrc(packet, 2));
  EXPECT_FALSE(reader.next(packet));
  EXPECT_TRUE(reader.ok());
}

TEST(Rtcp, ACutCompoundGivesWhatIsWholeAndSaysThatItIsCut) {
  std::array<uint8_t, 64> buffer;
  RtcpWriter writer(buffer);
  writer.pli(1, 2);
  writer.pli(3, 4);
  for (size_t size = 0; size <= 24; ++size) {
    RtcpReader reader(writer.bytes().first(size));
    RtcpPacket packet;
    size_t whole = 0;
    while (reader.next(packet)) ++whole;
    EXPECT_EQ(whole, size / 12);
    EXPECT_EQ(reader.ok(), size % 12 == 0);
  }
}

TEST(Rtcp, ACountThatPromisesMoreThanTheBodyHoldsIsNotBelieved) {
  const Bytes report =
      hex("9fc90001"
          "00000001");  // 31 blocks in a body of 4 bytes
  EXPECT_EQ(report_block_count(only_packet(report)), 0u);
  const Bytes bye =
      hex("9fcb0001"
          "00000001");
  EXPECT_EQ(bye_ssrc(only_packet(bye), 0), 1u);
  EXPECT_FALSE(bye_ssrc(only_packet(bye), 1));
  const Bytes remb =
      hex("8fce0005"
          "00000001"
          "00000000"
          "52454d42"
          "ff000001"
          "00000009");
  EXPECT_FALSE(read_remb(only_packet(remb)));
}

TEST(Rtcp, NacksArePackedAndUnpackedOverTheWrap) {
  const std::vector<uint16_t> lost{65'530, 65'535, 0, 3, 40, 41, 57, 58};
  std::array<uint8_t, 64> buffer;
  RtcpWriter writer(buffer);
  EXPECT_EQ(writer.nack(1, 2, lost), lost.size());
  EXPECT_EQ(writer.bytes().size(), 12u + 3 * 4);
  NackReader reader(only_packet(writer.bytes()));
  EXPECT_EQ(reader.media_ssrc(), 2u);
  std::vector<uint16_t> read;
  uint16_t sequence;
  while (reader.next(sequence)) read.push_back(sequence);
  EXPECT_EQ(read, lost);

  RtcpWriter small(std::span<uint8_t>(buffer).first(16));
  EXPECT_EQ(small.nack(1, 2, lost), 4u);  // one item: what 17 numbers from 65,530 on cover
}

TEST(Rtcp, KeyFrameRequestsAndRembComeBackAsTheyWereWritten) {
  std::array<uint8_t, 128> buffer;
  RtcpWriter writer(buffer);
  writer.pli(1, 2);
  writer.fir(1, {9, 200});
  const std::array<uint32_t, 1> ssrcs{{77}};
  writer.remb(1, 2'500'000, ssrcs);
  RtcpReader reader(writer.bytes());
  RtcpPacket packet;
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(packet.count, kPsfbPli);
  EXPECT_EQ(feedback_media_ssrc(packet), 2u);
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(fir_entry(packet, 0)->ssrc, 9u);
  EXPECT_EQ(fir_entry(packet, 0)->sequence, 200);
  EXPECT_FALSE(fir_entry(packet, 1));
  ASSERT_TRUE(reader.next(packet));
  const auto remb = read_remb(packet);
  EXPECT_NEAR(static_cast<double>(remb->bitrate_bps), 2.5e6, 16);
  EXPECT_EQ(load_u32(remb->ssrcs.data()), 77u);
}

TEST(Rtcp, WhatACompoundCostsIsCountedByWhatIsInIt) {
  std::array<uint8_t, 1200> buffer;
  RtcpWriter writer(buffer);
  writer.receiver_report(1, std::array<ReportBlock, 3>{});
  EXPECT_EQ(rtcp_items(writer.bytes()), 4u);
  writer.nack(1, 2, std::array<uint16_t, 4>{1, 2, 100, 200});
  EXPECT_EQ(rtcp_items(writer.bytes()), 4u + 1 + 3) << "two numbers fit into one item";
  writer.fir(1, {2, 3});
  writer.bye(std::array<uint32_t, 5>{});
  writer.pli(1, 2);
  EXPECT_EQ(rtcp_items(writer.bytes()), 8u + 2 + 6 + 1);
  // Four thousand packets told of in one word cost as much as they say, not as they take.
  const Bytes run =
      hex("8fcd0005"
          "00000001"
          "00000002"
          "00000fa0"
          "00000000"
          "0fa00000");
  EXPECT_EQ(rtcp_items(run), 1u + 4000 / kFeedbackPerItem);
  EXPECT_EQ(rtcp_items({}), 1u);
  EXPECT_EQ(rtcp_items(hex("ffffffff")), 1u);
}

TEST(Rtcp, RoundTripsFollowFromReportBlocks) {
  ReportBlock block;
  EXPECT_FALSE(round_trip_us(block, 0));
  const uint64_t sent = 0x0000000A00000000;  // second 10
  block.last_sr = static_cast<uint32_t>(sent >> 16);
  block.delay_since_last_sr = 65'536;  // held for a second
  EXPECT_EQ(round_trip_us(block, sent + (uint64_t{5} << 30)), 250'000);
  EXPECT_FALSE(round_trip_us(block, sent));  // before it can have come
}

TEST(Rtcp, ExtendedReportsCarryReferenceTimesBothWays) {
  std::array<uint8_t, 128> buffer;
  RtcpWriter writer(buffer);
  writer.receiver_time(3, 0x1122334455667788);
  const std::array<DlrrItem, 2> items{{{1, 2, 3}, {4, 5, 6}}};
  writer.dlrr(3, items);
  RtcpReader reader(writer.bytes());
  RtcpPacket packet;
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(read_extended_report(packet)->receiver_time_ntp, 0x1122334455667788u);
  ASSERT_TRUE(reader.next(packet));
  const auto report = read_extended_report(packet);
  ASSERT_EQ(report->dlrr.size(), 24u);
  EXPECT_EQ(read_dlrr_item(*report, 1).last_rr, 5u);
}

struct Told {
  std::map<uint16_t, int64_t> arrivals;
  std::vector<uint16_t> lost;
};

void tell(ByteView message, Told& told) {
  TransportFeedbackReader reader(only_packet(message));
  FeedbackItem item;
  while (reader.next(item)) {
    if (item.received) {
      told.arrivals[item.sequence] = item.arrival_us;
    } else {
      told.lost.push_back(item.sequence);
    }
  }
  EXPECT_TRUE(reader.ok());
}

TEST(TransportFeedback, ArrivalsAreToldWithinATickAndGapsAsLost) {
  TransportFeedbackWriter writer;
  std::map<uint16_t, int64_t> sent;
  std::vector<uint16_t> lost;
  Prng prng(1);
  int64_t now = 5'000'000;
  for (int i = 0; i < 900; ++i) {
    const auto sequence = static_cast<uint16_t>(65'000 + i);
    now += prng.between(0, 3000) + (prng.below(50) == 0 ? 200'000 : 0);
    if (prng.below(4) == 0 && i > 0 && i < 899) {
      lost.push_back(sequence);
    } else {
      sent[sequence] = now;
      writer.on_packet(sequence, now);
    }
  }
  Told told;
  std::array<uint8_t, 300> buffer;
  int messages = 0;
  while (const size_t size = writer.write(buffer, 1, 2)) {
    EXPECT_LE(size, buffer.size());
    tell({buffer.data(), size}, told);
    ++messages;
  }
  EXPECT_GT(messages, 3);
  EXPECT_EQ(told.lost, lost);
  ASSERT_EQ(told.arrivals.size(), sent.size());
  for (const auto& [sequence, arrival] : sent) {
    EXPECT_NEAR(static_cast<double>(told.arrivals[sequence]), static_cast<double>(arrival), 126);
  }
  EXPECT_FALSE(writer.pending());
}

TEST(TransportFeedback, ALatePacketIsToldAfterItsGapWas) {
  TransportFeedbackWriter writer;
  writer.on_packet(10, 1000);
  writer.on_packet(12, 3000);
  std::array<uint8_t, 300> buffer;
  Told first;
  tell({buffer.data(), writer.write(buffer, 1, 2)}, first);
  EXPECT_EQ(first.lost, std::vector<uint16_t>{11});
  writer.on_packet(11, 9000);
  ASSERT_TRUE(writer.pending());
  Told second;
  tell({buffer.data(), writer.write(buffer, 1, 2)}, second);
  EXPECT_NEAR(static_cast<double>(second.arrivals.at(11)), 9000, 126);
}

TEST(TransportFeedback, MessagesThatSayMoreThanTheyHoldAreRefused) {
  // 65,535 statuses in eight chunks of a run "not received": over the bound.
  Bytes message =
      hex("8fcd000a"
          "00000001"
          "00000002"
          "0000ffff"
          "00000000");
  for (int i = 0; i < 9; ++i) message.insert(message.end(), {0x1F, 0xFF});
  message.resize(44);
  EXPECT_FALSE(TransportFeedbackReader(only_packet(message)).ok());

  // One received packet without its delta.
  const Bytes no_delta =
      hex("8fcd0005"
          "00000001"
          "00000002"
          "00000002"
          "00000000"
          "20020000");
  TransportFeedbackReader reader(
      only_packet(hex("8fcd0004"
                      "00000001"
                      "00000002"
                      "00000001"
                      "00000000")));
  EXPECT_FALSE(reader.ok());  // no chunk at all
  TransportFeedbackReader cut(only_packet(no_delta));
  FeedbackItem item;
  while (cut.next(item)) {
  }
  EXPECT_TRUE(cut.ok());  // two deltas lie in what the padding left

  const Bytes cut_message =
      hex("8fcd0005"
          "00000001"
          "00000002"
          "00000003"
          "00000000"
          "20030000");
  TransportFeedbackReader short_one(only_packet(cut_message));
  while (short_one.next(item)) {
  }
  EXPECT_FALSE(short_one.ok());
}

}  // namespace
}  // namespace footlight::rtc
