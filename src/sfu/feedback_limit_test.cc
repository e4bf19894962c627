#include "sfu/feedback_limit.h"

#include "sfu/internal/test_room.h"

namespace footlight::sfu {
namespace {

// Many lost numbers that lie far apart, so that each is an item of its own.
Bytes far_nack(uint32_t ssrc, size_t items) {
  Bytes buffer(1200);
  std::vector<uint16_t> lost;
  for (size_t i = 0; i < items; ++i) lost.push_back(static_cast<uint16_t>(30'000 + 17 * i));
  rtc::RtcpWriter writer(buffer);
  EXPECT_EQ(writer.nack(2, ssrc, lost), items);
  buffer.resize(writer.bytes().size());
  return buffer;
}

TEST_F(RoomTest, AStormOfFeedbackIsLeftOutBeyondItsBoundAndCostsItsSenderAlone) {
  const TrackId track = publish({{"", 1, 0}});
  watch(track);
  Recorder other_sink;
  const MemberId other = *room_.join(other_sink, {10'000'000, 40'000, 30'000'000});
  ASSERT_TRUE(
      room_.watch(other, track, line("1", rtc::RtpCodec::kVp8), {"1", "c", "s t", 6000, 6001}, {}));
  turn();
  for (uint16_t i = 1; i < 20; ++i) {
    give({.sequence = i, .timestamp = i * 3000u, .key = i == 1, .picture = i});
    turn();
  }
  ASSERT_FALSE(other_sink.got.empty());
  const auto looked_at = [&](MemberId member) {
    const auto& stats = room_.subscriber(member)->watches()[0]->subscription.stats();
    return stats.resend_misses + stats.resends_refused + stats.resent;
  };
  const Bytes storm = far_nack(5000, 200);
  for (int i = 0; i < 5'000; ++i) room_.on_rtcp(viewer_, storm, now_);
  EXPECT_LE(looked_at(viewer_), FeedbackLimit::kMostItems);
  EXPECT_GE(looked_at(viewer_), FeedbackLimit::kMostItems * 9 / 10);
  EXPECT_GT(room_.rtcp_flood(viewer_), 4'000u);
  EXPECT_EQ(room_.stats().rtcp_flood, room_.rtcp_flood(viewer_));

  const uint16_t lost = other_sink.got.back().view.sequence;
  const size_t sent = viewer_sink_.count;
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.nack(2, 6000, std::array{lost});
  other_sink.count = 0;
  room_.on_rtcp(other, writer.bytes(), now_);
  EXPECT_EQ(other_sink.count, 1u) << "nobody else's is left out";
  EXPECT_EQ(room_.rtcp_flood(other), 0u);
  nack(5000, viewer_sink_.got.back().view.sequence);
  EXPECT_EQ(viewer_sink_.count, sent) << "his own is";
  now_ += 100'000;
  nack(5000, viewer_sink_.got.back().view.sequence);
  EXPECT_EQ(viewer_sink_.count, sent + 1) << "until a moment later";
}

// The most that a browser says: 64 places of 30 Mbps, of which a fifth is lost.
TEST_F(RoomTest, TheFeedbackOfTheMostTalkativeClientIsNeverLeftOut) {
  const Bytes gap = far_nack(5000, 1), again = far_nack(5000, 2);
  std::array<uint8_t, 1200> buffer;
  rtc::RtcpWriter report(buffer);
  report.receiver_report(2, std::array{rtc::ReportBlock{.ssrc = 5000}});
  report.sdes_cname(2, "client");
  report.receiver_time(2, 1ull << 40);
  report.pli(2, 5000);
  rtc::TransportFeedbackWriter told;
  std::array<uint8_t, 1200> arrivals;
  uint16_t sequence = 0;
  const auto tenth = [&] {
    for (int i = 0; i < 50; ++i) room_.on_rtcp(viewer_, gap, now_);
    for (int i = 0; i < 64 * 5; ++i) room_.on_rtcp(viewer_, again, now_);
    for (int i = 0; i < 13; ++i) room_.on_rtcp(viewer_, report.bytes(), now_);
    for (int i = 0; i < 320; ++i) told.on_packet(sequence++, now_ + i * 300);
    while (const size_t size = told.write(arrivals, 2, 5000)) {
      room_.on_rtcp(viewer_, {arrivals.data(), size}, now_);
    }
  };
  for (int i = 0; i < 600; ++i, now_ += 100'000) tenth();
  now_ += 2'000'000;  // its line stood still: two seconds' worth comes at once
  for (int i = 0; i < 20; ++i) tenth();
  EXPECT_EQ(room_.rtcp_flood(viewer_), 0u);
}

}  // namespace
}  // namespace footlight::sfu
