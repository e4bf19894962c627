// Which encoding is the better one, and what publishers and viewers say of theirs by RTCP.
#include <array>

#include "sfu/internal/test_room.h"

namespace footlight::sfu {
namespace {

TEST_F(RoomTest, TheQualityOfEncodingsIsToldByTheirRatesWhateverTheirOrderInTheOffer) {
  // As OBS offers simulcast: rid 0 is the largest.
  const TrackId track = publish({{"0", 1, 0}, {"1", 2, 0}, {"2", 3, 0}});
  watch(track, {.max = {0, 0, 0}});
  const auto feed = [&](uint16_t from, uint16_t to) {
    for (uint16_t i = from; i < to; ++i) {
      for (const uint32_t ssrc : {1u, 2u, 3u}) {
        give({.ssrc = ssrc,
              .sequence = i,
              .timestamp = i * 3000u,
              .key = i % 30 == 0,
              .picture = i,
              .bytes = 1100 - 300 * ssrc});
      }
      turn(33'333);
    }
  };
  feed(0, 150);
  const auto shown = [&] {
    return room_.subscriber(viewer_)->watches()[0]->subscription.current_stream();
  };
  EXPECT_EQ(room_.track(track)->by_quality, (std::array<uint8_t, 4>{2, 1, 0, 3}));
  EXPECT_EQ(shown(), 2);  // no better than the lowest
  EXPECT_EQ(room_.track(track)->rank_of(2), 0);
  ASSERT_TRUE(room_.set_options(viewer_, track, {}));
  feed(150, 210);
  EXPECT_EQ(shown(), 0);
  EXPECT_EQ(viewer_sink_.got.back().view.payload_bytes, 806u);
}

TEST_F(RoomTest, EncodingsOfAboutTheSameRateKeepTheOrderOfTheOffer) {
  const TrackId track = publish({{"l", 1, 0}, {"h", 2, 0}});
  for (uint16_t i = 0; i < 300; ++i) {
    for (const uint32_t ssrc : {1u, 2u}) {
      give({.ssrc = ssrc, .sequence = i, .timestamp = i * 3000u, .bytes = 430 - 30 * ssrc});
    }
    turn(33'333);
  }
  EXPECT_EQ(room_.track(track)->by_quality, (std::array<uint8_t, 4>{0, 1, 2, 3}));
}

// OBS answers no NACK for its lower encodings, and makes key frames when it does.
TEST_F(RoomTest, AnEncodingThatAnswersNoNackIsAskedAFewTimesAndGoesOn) {
  const TrackId track = publish({{"0", 1, 0}});
  watch(track);
  size_t before = 0;
  for (uint16_t i = 0; i < 120; ++i) {
    if (i == 40) before = gm_sink_.plis;
    if (i != 40) give({.sequence = i, .timestamp = i * 3000u, .key = i % 60 == 0, .picture = i});
    turn(33'333);
  }
  EXPECT_EQ(gm_sink_.nacks, 8u);
  // Then a key frame is asked for every 0.4 s, until it comes 0.7 s after the loss.
  EXPECT_GE(gm_sink_.plis, before + 1);
  EXPECT_LE(gm_sink_.plis, before + 2);
  ASSERT_EQ(viewer_sink_.got.size(), 119u);
  const uint16_t first = viewer_sink_.got.front().view.sequence;
  EXPECT_EQ(static_cast<uint16_t>(viewer_sink_.got[40].view.sequence - first), 41);  // it shows
}

// Two of the same rank, and room for one picture of the two.
TEST_F(RoomTest, WhereThereIsNoRoomForAllWhoSpeaksGoesBeforeTheirEquals) {
  room_.leave(viewer_);
  viewer_ = *room_.join(viewer_sink_, {300'000, 40'000, 300'000});
  std::array<Recorder, 2> sinks;
  std::array<MemberId, 2> people;
  std::array<TrackId, 2> pictures;
  for (uint32_t i = 0; i < 2; ++i) {
    people[i] = *room_.join(sinks[i]);
    auto voice = line("a", rtc::RtpCodec::kOpus, {{"", 20 + i, 0}});
    voice.extensions.set(rtc::RtpExtension::kAudioLevel, 1);
    ASSERT_TRUE(room_.publish(people[i], voice, 100));
    pictures[i] = *room_.publish(people[i], line("v", rtc::RtpCodec::kVp8, {{"", 10 + i, 0}}), 100);
    ASSERT_TRUE(room_.watch(viewer_, pictures[i], line("1", rtc::RtpCodec::kVp8),
                            {"1", "c", "s t", 5000 + i, 0}, {}));
  }
  uint16_t sequence = 0;
  const auto play = [&](uint32_t speaker) {
    for (int turns = 0; turns < 90; ++turns, ++sequence) {
      for (uint32_t i = 0; i < 2; ++i) {
        give({.ssrc = 10 + i,
              .sequence = sequence,
              .timestamp = sequence * 3000u,
              .key = sequence % 10 == 0,
              .picture = sequence,
              .bytes = 600},
             people[i]);
        const std::array<uint8_t, 1> level{i == speaker ? uint8_t{0x80 | 20} : uint8_t{100}};
        const std::array<rtc::RtpExtensionElement, 1> elements{{{1, level}}};
        Packet* packet = pool_.take();
        const size_t head = rtc::write_rtp_head(
            packet->buffer, {false, false, kAudio, sequence, sequence * 1600u, 20 + i}, elements);
        room_.on_rtp(people[i], packet, {packet->buffer.data(), head + 40}, now_);
      }
      turn(33'333);
    }
  };
  const auto shown = [&](uint32_t i) {
    return room_.subscriber(viewer_)->watches()[i]->subscription.target().has_value();
  };
  for (const uint32_t speaker : {0u, 1u, 0u}) {
    play(speaker);
    EXPECT_TRUE(shown(speaker));
    EXPECT_FALSE(shown(1 - speaker));
  }
}

TEST_F(RoomTest, AnEncodingThatSaidByeIsLeftAtOnce) {
  const TrackId track = publish({{"", 1, 0}, {"", 2, 0}});
  watch(track);
  const auto feed = [&](uint16_t from, uint16_t to, bool both) {
    for (uint16_t i = from; i < to; ++i) {
      give({.ssrc = 1, .sequence = i, .timestamp = i * 3000u, .key = i % 10 == 0, .picture = i});
      if (both) {
        give({.ssrc = 2,
              .sequence = i,
              .timestamp = i * 3000u,
              .key = i % 10 == 0,
              .picture = i,
              .bytes = 400});
      }
      turn(33'333);
    }
  };
  const auto shown = [&] {
    return room_.subscriber(viewer_)->watches()[0]->subscription.current_stream();
  };
  feed(0, 60, true);
  ASSERT_EQ(shown(), 1);
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.bye(std::array{2u});
  room_.on_rtcp(gm_, writer.bytes(), now_);
  feed(60, 72, false);  // 0.4 s: silence alone is borne for a second
  EXPECT_EQ(shown(), 0);
}

TEST_F(RoomTest, WhoTakesNoPliIsAskedForAKeyFrameByFir) {
  auto media = line("v", rtc::RtpCodec::kVp8, {{"", 1, 0}});
  media.codecs[0].pli = false;
  media.codecs[0].fir = true;
  const TrackId track = *room_.publish(gm_, media, 100);
  give({.sequence = 1});
  turn();
  watch(track);
  for (int i = 0; i < 60; ++i) turn();
  EXPECT_EQ(gm_sink_.plis, 0u);
  ASSERT_EQ(gm_sink_.firs.size(), 2u);
  EXPECT_EQ(gm_sink_.firs[0].ssrc, 1u);
  EXPECT_EQ(gm_sink_.firs[1].sequence, gm_sink_.firs[0].sequence + 1);  // a new request each time
}

TEST_F(RoomTest, AReceiversReferenceTimeIsAnsweredAndAStormOfThemIsNot) {
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.receiver_time(77, 0x1111'2222'3333'4444);
  for (int i = 0; i < 100; ++i) {
    room_.on_rtcp(viewer_, writer.bytes(), now_);
    turn();  // a second in all
  }
  EXPECT_EQ(viewer_sink_.times.size(), 5u);
  EXPECT_EQ(viewer_sink_.times[0].ssrc, 77u);
  EXPECT_EQ(viewer_sink_.times[0].last_rr, 0x2222'3333u);
  EXPECT_EQ(viewer_sink_.times[0].delay_since_last_rr, 0u);
}

TEST_F(RoomTest, RedGoesOnWholeWhereItsBlocksMeanTheSameAndAsItsPrimaryBlockElsewhere) {
  constexpr uint8_t kRed = 63;
  auto voice = line("a", rtc::RtpCodec::kOpus, {{"", 1, 0}});
  rtc::NegotiatedCodec red = voice.codecs[0];
  red.codec = rtc::RtpCodec::kRed;
  red.payload_type = kRed;
  voice.codecs.push_back(red);
  const TrackId track = *room_.publish(gm_, voice, 100);
  const Bytes payload{kAudio | 0x80, 0x0F, 0x00, 0x02, kAudio, 1, 1, 2, 2, 2};
  for (const uint8_t opus : {kAudio, uint8_t{109}}) {  // 109 as Firefox has it
    auto wanted = line("0", rtc::RtpCodec::kOpus);
    wanted.codecs[0].payload_type = opus;
    wanted.codecs.push_back(red);
    Recorder sink;
    const MemberId member = *room_.join(sink, {10'000'000, 40'000, 30'000'000});
    ASSERT_TRUE(room_.watch(member, track, wanted, {"0", "c", "s t", 8000u + opus, 0}, {}));
    room_.on_time(now_ += 10'000);
    Packet* packet = pool_.take();
    const size_t head = rtc::write_rtp_head(packet->buffer, {false, false, kRed, opus, 960, 1});
    std::copy(payload.begin(), payload.end(), &packet->buffer[head]);
    room_.on_rtp(gm_, packet, {packet->buffer.data(), head + payload.size()}, now_);
    turn();
    ASSERT_EQ(sink.got.size(), 1u);
    const bool same = opus == kAudio;
    EXPECT_EQ(sink.got[0].view.payload_type, same ? kRed : opus);
    EXPECT_EQ(to_hex(sink.got[0].view.payload()), same ? to_hex(payload) : "020202");
    room_.leave(member);
  }
}

}  // namespace
}  // namespace footlight::sfu
