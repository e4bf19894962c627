#include "episode/internal/registers.h"

#include <gtest/gtest.h>

#include <map>

#include "core/prng.h"

namespace footlight::episode {
namespace {

TEST(MixWho, IsABijection) {
  Prng prng(1);
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t who = prng.next();
    EXPECT_EQ(unmix_who(mix_who(who)), who);
  }
  EXPECT_EQ(unmix_who(mix_who(0)), 0u);
  EXPECT_EQ(unmix_who(mix_who(UINT64_MAX)), UINT64_MAX);
}

// Against a map, through every growth; small consecutive pseudonyms must not pile up either.
TEST(RegisterTable, HoldsWhatAMapHoldsThroughEveryGrowth) {
  for (const bool consecutive : {true, false}) {
    RegisterTable table;
    std::map<uint64_t, uint32_t> model;
    Prng prng(7);
    for (uint32_t i = 0; i < 60'000; ++i) {
      const uint64_t who = consecutive ? i : prng.next();
      ASSERT_EQ(table.find(who), nullptr);
      Register* placed = table.insert(who);
      ASSERT_NE(placed, nullptr);
      placed->mask = i;
      model[who] = i;
      const uint64_t other = consecutive ? prng.below(i + 1) : who;
      ASSERT_NE(table.find(other), nullptr);
      table.find(other)->mask = i + 1;  // changed while the table may be moving
      model[other] = i + 1;
      if (i % 9'973 != 0) continue;
      for (const auto& [key, mask] : model) ASSERT_EQ(table.find(key)->mask, mask);
    }
    EXPECT_EQ(table.size(), model.size());
    size_t seen = 0;
    uint64_t last = 0;
    table.visit([&](const Register& held) {
      EXPECT_TRUE(seen == 0 || held.key > last);
      last = held.key;
      ++seen;
      EXPECT_EQ(model.at(unmix_who(held.key)), held.mask);
    });
    EXPECT_EQ(seen, model.size());
  }
}

TEST(RegisterTable, AGrowthIsSpreadOverTheInsertionsThatFollow) {
  RegisterTable table;
  Prng prng(11);
  uint64_t moves = 0;
  uint64_t during = 0;
  for (int i = 0; i < 100'000; ++i) {
    const bool before = table.moving();
    ASSERT_NE(table.insert(prng.next()), nullptr);
    during = table.moving() ? during + 1 : 0;
    moves += before && !table.moving() ? 1 : 0;
    ASSERT_LE(during * 12, table.size() + 500);  // done long before the next one
  }
  EXPECT_GT(moves, 10u);
}

TEST(RegisterTable, AppendsInKeyOrderOnlyAndGrowsAfterwards) {
  RegisterTable source;
  Prng prng(3);
  for (int i = 0; i < 5'000; ++i) source.insert(prng.next());
  RegisterTable copy;
  copy.reserve(source.size());
  source.visit([&](const Register& held) { ASSERT_TRUE(copy.append(held)); });
  Register low;
  low.key = 1;
  EXPECT_FALSE(copy.append(low));
  for (int i = 0; i < 20'000; ++i) ASSERT_NE(copy.insert(prng.next()), nullptr);
  EXPECT_EQ(copy.size(), 25'000u);
  source.visit([&](const Register& held) { EXPECT_NE(copy.find(unmix_who(held.key)), nullptr); });
}

TEST(RegisterTable, KeysThatShareAllSlotsAreRefusedNotLooped) {
  RegisterTable table;
  uint64_t placed = 0;
  for (uint64_t i = 0; i < 5'000; ++i) {
    if (table.insert(unmix_who(UINT64_MAX - i)) == nullptr) break;
    ++placed;
  }
  EXPECT_GT(placed, 200u);
  EXPECT_LT(placed, 5'000u);
}

}  // namespace
}  // namespace footlight::episode
