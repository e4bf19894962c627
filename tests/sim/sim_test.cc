#include <gtest/gtest.h>

#include "bugs.h"
#include "world.h"

namespace footlight::sim {
namespace {

constexpr uint64_t kFirstSeed = 1'000'001;  // ./dev sim starts at 1
#ifdef FOOTLIGHT_SANITIZED
constexpr bool kSanitized = true;  // thirty times as slow
#else
constexpr bool kSanitized = false;
#endif
constexpr uint64_t kSeeds = kSanitized ? 20 : 100;
constexpr uint64_t kSeedsPerBug = 50;

TEST(Simulation, EveryPromiseHoldsAndMuchHappensMeanwhile) {
  RunResult sum;
  uint64_t restarted = 0;
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + kSeeds; ++seed) {
    const RunResult result = run({.seed = seed});
    ASSERT_EQ(result.fault, "") << "footlight_sim --seeds 1 --verbose --start " << seed;
    sum.frames += result.frames;
    sum.confirmed += result.confirmed;
    sum.rejected += result.rejected;
    sum.records += result.records;
    restarted += result.starts > 1;
  }
  // A simulation in which nothing happens proves nothing.
  EXPECT_GT(sum.frames, kSeeds * 500);
  EXPECT_GT(sum.confirmed, kSeeds * 40);
  EXPECT_GT(sum.rejected, kSeeds * 20);
  EXPECT_GT(sum.records, kSeeds * 30);
  EXPECT_GT(restarted, kSeeds / 4);
}

TEST(Simulation, ARerunOfASeedEndsInTheSameHash) {
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + kSeeds / 10; ++seed) {
    EXPECT_EQ(run({.seed = seed}).hash, run({.seed = seed}).hash) << seed;
  }
  EXPECT_NE(run({.seed = kFirstSeed}).hash, run({.seed = kFirstSeed + 1}).hash);
}

class PlantedBug : public ::testing::TestWithParam<BugInfo> {};

TEST_P(PlantedBug, IsCaughtByAFewSeeds) {
  if (kSanitized) GTEST_SKIP() << "the checkers are tested without sanitizers";
  for (uint64_t seed = 1; seed <= kSeedsPerBug; ++seed) {
    const RunResult result = run({.seed = seed, .bug = GetParam().bug});
    if (!result.fault.empty()) {
      RecordProperty("seed", static_cast<int>(seed));
      return;
    }
  }
  FAIL() << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBug, ::testing::ValuesIn(kBugs), [](const auto& info) {
  std::string name(info.param.name);
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace footlight::sim
