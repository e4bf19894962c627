#include "edge/steady_wall.h"

#include <gtest/gtest.h>

namespace footlight::edge {
namespace {

struct FakeClock final : Clock {
  MonoUs us = 0;
  WallMs ms = 1'000'000;
  MonoUs now_us() const override { return us; }
  WallMs wall_ms() const override { return ms; }
  void pass(int64_t passed_ms) {
    us += passed_ms * kUsPerMs;
    ms += passed_ms;
  }
};

TEST(SteadyWall, FollowsAClockThatBehaves) {
  FakeClock clock;
  SteadyWall wall(clock);
  for (int i = 0; i < 1000; ++i) {
    clock.pass(7);
    ASSERT_NEAR(static_cast<double>(wall.at(clock.us)), static_cast<double>(clock.ms), 1);
  }
}

TEST(SteadyWall, NeverGoesBackAndCatchesUpWithAClockThatWasSetBack) {
  FakeClock clock;
  SteadyWall wall(clock);
  clock.pass(1000);
  WallMs last = wall.at(clock.us);
  clock.ms -= 10'000;
  for (int i = 0; i < 3000; ++i) {
    clock.pass(10);
    const WallMs now = wall.at(clock.us);
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_NEAR(static_cast<double>(last), static_cast<double>(clock.ms), 1);
}

TEST(SteadyWall, IsNotBehindAfterASmallStepBack) {
  FakeClock clock;
  SteadyWall wall(clock);
  clock.pass(1000);
  (void)wall.at(clock.us);
  clock.ms -= 3;
  for (int i = 0; i < 300; ++i) {
    clock.pass(1);
    ASSERT_GE(wall.at(clock.us), clock.ms - 1);
    ASSERT_LE(wall.at(clock.us), clock.ms + 3);
  }
}

TEST(SteadyWall, FollowsAStepAheadWithinATenthOfASecond) {
  FakeClock clock;
  SteadyWall wall(clock);
  clock.ms += 3'600'000;
  clock.pass(100);
  EXPECT_EQ(wall.at(clock.us), clock.ms);
}

}  // namespace
}  // namespace footlight::edge
