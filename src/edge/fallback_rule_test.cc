#include "edge/fallback_rule.h"

#include <gtest/gtest.h>

namespace footlight::edge {
namespace {

constexpr CallHealth kGood{.watching = 50, .loss_pm = 4, .rtt_ms = 40, .cpu_pm = 300};
constexpr CallHealth kLossy{.watching = 50, .loss_pm = 123, .rtt_ms = 40, .cpu_pm = 300};

class FallbackRuleTest : public ::testing::Test {
 protected:
  // The first move within `seconds`, and after how many.
  std::optional<FallbackRule::Move> run(const CallHealth& health, int seconds) {
    for (took = 1; took <= seconds; ++took) {
      now += kUsPerSecond;
      auto move = rule.step(health, mode, now);
      if (!move) continue;
      mode = move->mode;
      return move;
    }
    return std::nullopt;
  }
  FallbackRule rule{{.loss_pm = 80, .rtt_ms = 600, .cpu_pm = 900}};
  std::string mode = "full";
  MonoUs now = 0;
  int took = 0;
};

TEST_F(FallbackRuleTest, MovesAfterTenBadSecondsAndSaysWhy) {
  EXPECT_FALSE(run(kGood, 100));
  EXPECT_FALSE(run(kLossy, 9));
  EXPECT_FALSE(run(kGood, 1));
  const auto move = run(kLossy, 20);
  ASSERT_TRUE(move);
  EXPECT_FALSE(move->back);
  EXPECT_EQ(move->why, "loss of 12.3 % at the median viewer");
  EXPECT_EQ(took, 11);
}

TEST_F(FallbackRuleTest, EachFigureHasItsLimit) {
  EXPECT_TRUE(run({.watching = 3, .rtt_ms = 700}, 20));
  mode = "full";
  rule = FallbackRule({.cpu_pm = 900});
  EXPECT_TRUE(run({.watching = 0, .cpu_pm = 950}, 20)) << "also with nobody's report";
  mode = "full";
  rule = FallbackRule({.loss_pm = 80});
  EXPECT_FALSE(run({.watching = 0, .loss_pm = 900}, 60)) << "nobody watches the call";
  rule = FallbackRule({});
  EXPECT_FALSE(run({.watching = 9, .loss_pm = 999, .rtt_ms = 9'999, .cpu_pm = 1'000}, 60));
}

TEST_F(FallbackRuleTest, GoesBackAfterACalmMinuteAndWaitsLongerEachTime) {
  ASSERT_TRUE(run(kLossy, 20));
  auto back = run(kGood, 200);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->back);
  EXPECT_GE(took, 60);
  EXPECT_LE(took, 62);
  ASSERT_TRUE(run(kLossy, 20));
  ASSERT_TRUE(run(kGood, 400));
  EXPECT_GE(took, 120) << "it did not last";
  EXPECT_FALSE(run(kGood, 1'000));
  ASSERT_TRUE(run(kLossy, 20));
  ASSERT_TRUE(run(kGood, 200));
  EXPECT_LE(took, 62) << "this time it had lasted";
}

TEST_F(FallbackRuleTest, OneStepAfterAnotherDownWhileItDoesNotHelpAndBackTheSameWay) {
  rule = FallbackRule({.loss_pm = 80, .steps = {"capped", "hls", "votes"}});
  for (const char* expected : {"capped", "hls", "votes"}) {
    const auto move = run(kLossy, 20);
    ASSERT_TRUE(move);
    EXPECT_EQ(move->mode, expected);
    EXPECT_GE(took, 10);
  }
  EXPECT_FALSE(run(kLossy, 100)) << "there is no less";
  for (const char* expected : {"hls", "capped", "full"}) {
    const auto move = run(kGood, 200);
    ASSERT_TRUE(move);
    EXPECT_TRUE(move->back);
    EXPECT_EQ(move->mode, expected);
    EXPECT_GE(took, 60);
  }
  EXPECT_FALSE(run(kGood, 1'000));
  // From what the producer had set, and back to it.
  rule = FallbackRule({.loss_pm = 80});
  mode = "capped";
  EXPECT_EQ(run(kLossy, 20)->mode, "hls");
  EXPECT_EQ(run(kGood, 200)->mode, "capped");
  EXPECT_FALSE(run(kGood, 1'000));
}

TEST_F(FallbackRuleTest, StepsAreModesEachLessThanTheOneBefore) {
  EXPECT_TRUE(are_fallback_steps({"capped", "hls", "audio", "votes"}));
  EXPECT_TRUE(are_fallback_steps({"votes"}));
  for (const std::vector<std::string>& bad : std::vector<std::vector<std::string>>{
           {}, {"full"}, {"hls", "capped"}, {"hls", "hls"}, {"nothing"}}) {
    EXPECT_FALSE(are_fallback_steps(bad));
  }
}

TEST_F(FallbackRuleTest, WhatTheProducerSetStays) {
  mode = "hls";
  EXPECT_FALSE(run(kGood, 1'000));
  mode = "full";
  ASSERT_TRUE(run(kLossy, 20));
  EXPECT_FALSE(run(kGood, 10));
  mode = "votes";
  EXPECT_FALSE(run(kGood, 1'000)) << "the producer went further";
  mode = "hls";
  EXPECT_FALSE(run(kGood, 1'000)) << "and back to this by hand";
}

}  // namespace
}  // namespace footlight::edge
