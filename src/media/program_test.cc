// The pure parts of the compositor: layout, clocks, order, the mix.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "media/layout.h"
#include "media/playout.h"
#include "media/program_clock.h"
#include "media/voices.h"

namespace footlight::media {
namespace {

using Kind = proto::FeedLayout::Kind;
using Role = proto::FeedParticipant::Role;

bool overlap(const Rect& a, const Rect& b) {
  return a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom();
}

TEST(Layout, EverybodyHasAPlaceWithinThePictureOfTheirOwn) {
  for (const auto& [width, height] :
       {std::pair(1'280, 720), std::pair(1'920, 1'080), std::pair(320, 180)}) {
    for (const Kind kind : {Kind::kTable, Kind::kSpeaker, Kind::kGrid}) {
      for (size_t count = 1; count <= proto::kMaxFeedSlots; ++count) {
        std::vector<Seat> seats;
        for (size_t i = 0; i < count; ++i) {
          seats.push_back({static_cast<uint8_t>(i), i == 1 ? Role::kGm : Role::kPlayer});
        }
        const auto out = arrange({kind, 255}, seats, 0, width, height);
        ASSERT_EQ(out.tiles.size(), count);
        for (size_t i = 0; i < count; ++i) {
          const Rect& r = out.tiles[i].rect;
          EXPECT_TRUE(r.x >= 0 && r.y >= 0 && r.right() <= width && r.bottom() <= height)
              << static_cast<int>(kind) << " of " << count << ": " << i;
          EXPECT_TRUE(r.w >= 16 && r.h >= 8 && r.w % 2 == 0 && r.h % 2 == 0 && r.x % 2 == 0 &&
                      r.y % 2 == 0);
          for (size_t j = 0; j < i; ++j) EXPECT_FALSE(overlap(r, out.tiles[j].rect));
          EXPECT_TRUE(out.panel_covers || !overlap(r, out.panel));
        }
        EXPECT_FALSE(out.panel.empty());
      }
    }
  }
}

TEST(Layout, TheGameMasterIsLargeAtTheTableAndWhoSpeaksInSpeaker) {
  const std::vector<Seat> seats = {{3, Role::kPlayer}, {5, Role::kGm}, {7, Role::kPlayer}};
  const auto largest = [](const Arrangement& out) {
    return std::ranges::max_element(out.tiles, {}, [](const Tile& t) { return t.rect.w; })->slot;
  };
  EXPECT_EQ(largest(arrange({Kind::kTable, 255}, seats, 7, 1'280, 720)), 5);
  EXPECT_EQ(largest(arrange({Kind::kSpeaker, 255}, seats, 7, 1'280, 720)), 7);
  const auto single = arrange({Kind::kSingle, 3}, seats, 7, 1'280, 720);
  ASSERT_EQ(single.tiles.size(), 1u);
  EXPECT_EQ(single.tiles[0].slot, 3);
  EXPECT_TRUE(arrange({Kind::kSlate, 255}, seats, 7, 1'280, 720).tiles.empty());
}

TEST(Layout, TheSpotlightMovesOnlyToWhoGoesOnSpeaking) {
  std::vector<proto::FeedParticipant> people(2);
  people[0].slot = 0;
  people[1].slot = 1;
  people[0].speaking = true;
  Spotlight light;
  EXPECT_TRUE(light.update(people, 0));
  people[0].speaking = false;
  people[1].speaking = true;
  EXPECT_FALSE(light.update(people, 1'000));
  people[1].speaking = false;
  EXPECT_FALSE(light.update(people, 500'000)) << "a cough";
  people[1].speaking = true;
  EXPECT_FALSE(light.update(people, 600'000));
  EXPECT_TRUE(light.update(people, 600'000 + Spotlight::kHoldUs));
  EXPECT_EQ(light.slot(), 1);
}

TEST(ProgramClock, PartsAreWholeFramesOfPictureAndSound) {
  EXPECT_EQ(Cadence{}.sound_frames_per_part(), 25);
  EXPECT_EQ((Cadence{25'000, 8, 6}.sound_frames_per_part()), 15);
  EXPECT_EQ((Cadence{24'000, 8, 6}.sound_frames_per_part()), 0);
}

using Make = ProgramClock::Make;

// Runs to `until`, each frame made `late` after it is due.
void run_late(ProgramClock& clock, MonoUs until, MonoUs late, int64_t queued,
              std::vector<Make>& made) {
  while (clock.due() + late <= until) {
    made.push_back(clock.make(clock.due() + late, queued));
    clock.end_frame(made.back());
  }
}

TEST(ProgramClock, FrameNIsOfTheMomentStartPlusNWhateverWasLost) {
  const Cadence cadence;
  ProgramClock clock(cadence, 7'000, 5'000'000);
  std::vector<Make> made;
  run_late(clock, kUsPerSecond, 0, 3, made);
  EXPECT_TRUE(std::ranges::all_of(made, [](Make each) { return each == Make::kFresh; }));
  const MonoUs after = clock.due() + 5 * kUsPerSecond;  // it stood still
  made.clear();
  const int64_t first = clock.frame();
  while (clock.due() <= after) {
    made.push_back(clock.make(after, 0));
    clock.end_frame(made.back());
    ASSERT_EQ(clock.due(), 7'000 + cadence.time_us(clock.frame()));
    ASSERT_EQ(clock.wall_us(), 5'000'000 + cadence.time_us(clock.frame()));
  }
  EXPECT_GE(made.size(), 150u) << "all of the time is there";
  int repeats = 0;
  for (size_t i = 0; i + 28 < made.size(); ++i) {  // what is left is repeated
    const bool begins_part = (first + static_cast<int64_t>(i)) % 16 == 0;
    EXPECT_EQ(made[i], begins_part ? Make::kRepeat : Make::kHold) << i;
    repeats += begins_part ? 1 : 0;
  }
  EXPECT_GE(repeats, 8) << "each part has a picture of its own";
  EXPECT_EQ(made.back(), Make::kFresh);
  EXPECT_EQ(clock.slips(), 1u);
}

TEST(ProgramClock, AfterALittleDelayFramesAreRepeatedAndWhereEncodersAreFarBehindLeftOut) {
  ProgramClock clock(Cadence{}, 0, 0);
  std::vector<Make> made;
  run_late(clock, kUsPerSecond, 0, 30, made);
  for (size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(made[i], i % 16 == 0 ? Make::kFresh : Make::kHold) << "some new picture is seen";
  }
  made.clear();
  run_late(clock, 2 * kUsPerSecond, 200 * kUsPerMs, 0, made);
  EXPECT_TRUE(std::ranges::all_of(made, [](Make each) { return each == Make::kRepeat; }));
  const auto first = static_cast<size_t>(clock.frame());
  made.clear();
  run_late(clock, 3 * kUsPerSecond, 0, 13, made);
  for (size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(made[i], (first + i) % 16 == 0 ? Make::kFresh : Make::kRepeat);
  }
  EXPECT_EQ(clock.slips(), 1u);
}

TEST(ProgramClock, LostTimeIsCountedAndOfTheWallClocksStepsOnlyThoseForwardMatter) {
  ProgramClock clock(Cadence{}, 0, 1'000'000'000);
  EXPECT_GT(clock.behind_us(11 * kUsPerSecond, 0), ProgramClock::kLostUs);
  EXPECT_GT(clock.behind_us(0, 11 * 30), ProgramClock::kLostUs) << "before the encoders";
  const auto step = [&](int64_t by) { return clock.step_us(60'000'000, 1'060'000'000 + by); };
  EXPECT_EQ(step(0), 0);
  EXPECT_EQ(step(ProgramClock::kStepUs), 0);
  EXPECT_EQ(step(3'000'000), 3'000'000);
  EXPECT_EQ(step(-3'600'000'000), 0);
}

Bytes packet(uint16_t sequence) {
  Bytes out(20);
  rtc::RtpHead head;
  head.sequence = sequence;
  head.payload_type = 96;
  const size_t size = rtc::write_rtp_head(out, head);
  out.resize(size + 1);
  return out;
}

TEST(LiveOrder, PacketsComeInOrderAndAMissingOneIsWaitedForNoLongerThanItMay) {
  LiveOrder order;
  for (const uint16_t each : {65'534, 0, 65'535, 2}) order.push(packet(each), 1'000);
  std::vector<int64_t> got;
  while (const auto one = order.pop(2'000)) got.push_back(one->sequence & 0xFFFF);
  EXPECT_EQ(got, (std::vector<int64_t>{65'534, 65'535, 0}));
  EXPECT_FALSE(order.pop(1'000 + LiveOrder::kWaitUs - 1));
  EXPECT_TRUE(order.pop(1'000 + LiveOrder::kWaitUs));
  EXPECT_EQ(order.lost(), 1u);
  order.push(packet(1), 200'000);
  EXPECT_FALSE(order.pop(10'000'000)) << "too late";
}

TEST(LiveOrder, ItHoldsABoundedNumberOfPackets) {
  LiveOrder order;
  order.push(packet(0), 0);
  EXPECT_TRUE(order.pop(0));
  size_t out = 0;
  for (uint16_t i = 2; i < 2'000; ++i) {
    order.push(packet(i), 0);
    while (order.pop(0)) ++out;
  }
  EXPECT_GE(out, 2'000 - 2 - LiveOrder::kMost);
}

// A person whose clock is hours off: their reports tie the two streams.
TEST(PlayoutClock, VoiceAndPictureOfOneMomentAreDueTogetherHoweverTheyCame) {
  PlayoutClock clock;
  clock.set_rate(PlayoutClock::kVoice, 48'000);
  clock.set_rate(PlayoutClock::kPicture, 90'000);
  const auto ntp = [](int64_t us) {
    return static_cast<uint64_t>(us / 1'000'000) << 32 |
           static_cast<uint64_t>(us % 1'000'000) * (uint64_t{1} << 32) / 1'000'000;
  };
  for (int64_t ms = 0; ms < 3'000; ms += 20) {
    const MonoUs sent = 50'000'000 + ms * 1'000;
    const auto voice = static_cast<uint32_t>(123 + ms * 48);
    const auto picture = static_cast<uint32_t>(4'000'000'000U + ms * 90);
    clock.on_packet(PlayoutClock::kVoice, voice, sent + 20'000);
    clock.on_packet(PlayoutClock::kPicture, picture, sent + 80'000);  // a camera is slower
    if (ms % 1'000 == 500) {
      clock.on_report(PlayoutClock::kVoice,
                      {.ntp = ntp(9'000'000'000 + ms * 1'000), .rtp_timestamp = voice});
      clock.on_report(PlayoutClock::kPicture,
                      {.ntp = ntp(9'000'000'000 + ms * 1'000), .rtp_timestamp = picture});
    }
  }
  const MonoUs heard = clock.due(PlayoutClock::kVoice, 123 + 3'000 * 48);
  const MonoUs seen = clock.due(PlayoutClock::kPicture, 4'000'000'000U + 3'000 * 90);
  EXPECT_NEAR(static_cast<double>(heard), static_cast<double>(seen), 100.0);
  EXPECT_GE(seen, 53'000'000 + 80'000) << "not before the slower of both is there";
  EXPECT_LE(clock.delay(), PlayoutClock::kMostUs);
}

TEST(PlayoutClock, TheDelayGrowsAtOnceAndShrinksSlowly) {
  PlayoutClock clock;
  clock.set_rate(PlayoutClock::kVoice, 48'000);
  MonoUs at = 0;
  uint32_t timestamp = 0;
  const auto run = [&](int packets, MonoUs most_late) {
    for (int i = 0; i < packets; ++i, at += 20'000, timestamp += 960) {
      clock.on_packet(PlayoutClock::kVoice, timestamp, at + (i % 10 == 0 ? most_late : 0));
    }
  };
  run(50, 0);
  const MonoUs calm = clock.delay();
  run(50, 250'000);
  EXPECT_GE(clock.delay(), 250'000);
  run(500, 0);
  EXPECT_LT(clock.delay(), 280'000);
  EXPECT_GT(clock.delay(), calm);
}

TEST(PlayoutClock, ClocksThatJumpOrHaveNothingToDoWithEachOtherCostNoSilence) {
  PlayoutClock clock;
  clock.set_rate(PlayoutClock::kVoice, 48'000);
  clock.set_rate(PlayoutClock::kPicture, 90'000);
  MonoUs now = 0;
  uint32_t voice = 1'000'000'000, picture = 5;
  const auto check = [&](int packets) {
    for (int i = 0; i < packets; ++i, now += 20'000, voice += 960, picture += 1'800) {
      clock.on_packet(PlayoutClock::kVoice, voice, now);
      clock.on_packet(PlayoutClock::kPicture, picture, now);
      for (const MonoUs due :
           {clock.due(PlayoutClock::kVoice, voice), clock.due(PlayoutClock::kPicture, picture)}) {
        ASSERT_GE(due, now);
        ASSERT_LE(due, now + PlayoutClock::kMostUs);
      }
    }
  };
  check(50);
  clock.on_report(PlayoutClock::kVoice, {.ntp = 1, .rtp_timestamp = voice});
  clock.on_report(PlayoutClock::kPicture, {.ntp = UINT64_MAX, .rtp_timestamp = picture});
  check(50);
  voice -= 900'000'000;
  picture += 2'000'000'000;
  check(50);
}

std::vector<float> tone(int64_t from, size_t frames, float level) {
  std::vector<float> out;
  for (size_t i = 0; i < frames; ++i) {
    const float value =
        level * std::sin(static_cast<float>(from + static_cast<int64_t>(i)) * 0.05F);
    out.insert(out.end(), {value, value});
  }
  return out;
}

TEST(VoiceLine, WhatIsPutAtAPositionIsHeardThereOnce) {
  VoiceLine line;
  line.put(960, std::vector<float>(960 * kChannels, 0.5F));
  std::vector<float> out(2'880 * kChannels);
  line.mix(0, 1.0F, out);
  EXPECT_EQ(out[100], 0.0F);
  EXPECT_NEAR(out[(960 + 500) * kChannels], 0.25, 0.2);
  EXPECT_EQ(out[2'000 * kChannels], 0.0F);
  std::vector<float> again(2'880 * kChannels);
  line.mix(0, 1.0F, again);
  EXPECT_TRUE(std::ranges::all_of(again, [](float each) { return each == 0.0F; }));
}

TEST(VoiceLine, ADriftingClockIsFollowedWithoutAJump) {
  VoiceLine line;
  double at = 0;
  std::vector<float> out(960 * kChannels);
  float worst = 0, last = 0;
  for (int64_t i = 0; i < 2'000; ++i, at += 960 * 1.0005) {  // 500 ppm
    line.put(static_cast<int64_t>(at) + 4'800, tone(i * 960, 960, 0.5F));
    std::ranges::fill(out, 0.0F);
    line.mix(i * 960, 1.0F, out);
    for (size_t n = 0; n < out.size(); n += kChannels) {
      if (i > 20) worst = std::max(worst, std::abs(out[n] - last));
      last = out[n];
    }
  }
  EXPECT_LT(worst, 0.06F) << "the tone itself moves by 0.025 a sample";
}

TEST(Limiter, NothingIsLouderThanTheCeilingAndWhatIsQuietIsLeftAlone) {
  Limiter limiter;
  auto loud = tone(0, 48'000, 3.0F);
  limiter.run(loud);
  for (const float each : loud) ASSERT_LE(std::abs(each), Limiter::kCeiling + 1e-4F);
  Limiter calm;
  const auto quiet = tone(0, 4'800, 0.3F);
  auto run = quiet;
  calm.run(run);
  for (size_t i = Limiter::kAhead * kChannels; i < run.size(); ++i) {
    ASSERT_EQ(run[i], quiet[i - Limiter::kAhead * kChannels]);
  }
}

}  // namespace
}  // namespace footlight::media
