// The checkers: each planted bug breaks a promise, and they must see it.
#include <gtest/gtest.h>

#include "bugs.h"
#include "world.h"

namespace footlight::sim {
namespace {

constexpr uint64_t kSeedsPerBug = 50;

class PlantedBug : public ::testing::TestWithParam<BugInfo> {};

TEST_P(PlantedBug, IsCaughtByAFewSeeds) {
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
