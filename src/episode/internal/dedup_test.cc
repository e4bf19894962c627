#include "episode/internal/dedup.h"

#include <gtest/gtest.h>

namespace footlight::episode {
namespace {

TEST(Dedup, AResendIsAnsweredWithTheFirstRecord) {
  Dedup dedup;
  EXPECT_EQ(*dedup.look_up(1, 2, 5, 77), nullptr);
  EXPECT_TRUE(dedup.record(1, 2, {5, 77, 100}));
  ASSERT_NE(*dedup.look_up(1, 2, 5, 77), nullptr);
  EXPECT_EQ((*dedup.look_up(1, 2, 5, 77))->log, 100u);
  EXPECT_FALSE(dedup.record(1, 2, {5, 77, 101}));
}

TEST(Dedup, AnotherBodyUnderAUsedIdIsRefused) {
  Dedup dedup;
  dedup.record(1, 2, {5, 77, 100});
  EXPECT_EQ(dedup.look_up(1, 2, 5, 78).error().code, Code::kEventIdReused);
}

TEST(Dedup, OutboxesOfOthersDoNotMatter) {
  Dedup dedup;
  dedup.record(1, 2, {5, 77, 100});
  EXPECT_EQ(*dedup.look_up(1, 3, 5, 78), nullptr);
  EXPECT_EQ(*dedup.look_up(9, 2, 5, 78), nullptr);
}

TEST(Dedup, RemembersTheLast64AndCallsOlderOnesStale) {
  Dedup dedup;
  for (uint64_t i = 1; i <= 70; ++i) EXPECT_TRUE(dedup.record(1, 2, {i, i, i}));
  EXPECT_EQ(dedup.look_up(1, 2, 6, 6).error().code, Code::kEventIdStale);
  EXPECT_NE(*dedup.look_up(1, 2, 7, 7), nullptr);
  EXPECT_FALSE(dedup.record(1, 2, {6, 6, 100}));
  EXPECT_EQ(dedup.last_i(1, 2), 70u);
}

TEST(Dedup, ANumberThatWasSkippedMayStillCome) {
  Dedup dedup;
  dedup.record(1, 2, {10, 1, 1});
  dedup.record(1, 2, {12, 1, 2});
  EXPECT_EQ(*dedup.look_up(1, 2, 11, 1), nullptr);
  EXPECT_TRUE(dedup.record(1, 2, {11, 1, 3}));
  EXPECT_EQ(dedup.last_i(1, 2), 12u);
}

TEST(Dedup, BeyondItsBoundTheLongestSilentOutboxIsForgotten) {
  Dedup dedup;
  uint64_t log = 0;
  for (uint64_t who = 1; who <= Dedup::kMostOutboxes; ++who) dedup.record(who, 0, {1, 1, ++log});
  dedup.record(1, 0, {2, 1, ++log});  // not the longest silent any more
  dedup.record(999'999, 0, {1, 1, ++log});
  EXPECT_EQ(dedup.outboxes().size(), Dedup::kMostOutboxes);
  EXPECT_EQ(dedup.last_i(2, 0), 0u);
  EXPECT_EQ(dedup.last_i(1, 0), 2u);
}

}  // namespace
}  // namespace footlight::episode
