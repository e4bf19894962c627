#include <gtest/gtest.h>

#include "world.h"

namespace footlight::sim {
namespace {

constexpr uint64_t kFirstSeed = 1'000'001;  // ./dev sim starts at 1
constexpr uint64_t kSeeds = 100;

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
  EXPECT_GT(restarted, kSeeds / 3);
}

TEST(Simulation, ARerunOfASeedEndsInTheSameHash) {
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + 10; ++seed) {
    EXPECT_EQ(run({.seed = seed}).hash, run({.seed = seed}).hash) << seed;
  }
  EXPECT_NE(run({.seed = kFirstSeed}).hash, run({.seed = kFirstSeed + 1}).hash);
}

}  // namespace
}  // namespace footlight::sim
