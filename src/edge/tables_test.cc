// The tables an edge lives by: connections, deadlines, pressure.
#include <gtest/gtest.h>

#include <map>
#include <unordered_map>

#include "core/prng.h"
#include "edge/internal/conn_index.h"
#include "edge/internal/pressure.h"
#include "edge/internal/timer_wheel.h"

namespace footlight::edge {
namespace {

TEST(ConnIndex, AgreesWithAMapThroughGrowthAndErasure) {
  Prng prng(1);
  ConnIndex index;
  std::unordered_map<uint64_t, uint32_t> expected;
  uint64_t next = 1;
  for (int i = 0; i < 50'000; ++i) {
    if (expected.empty() || prng.below(5) < 3) {
      const uint64_t key = prng.below(2) == 0 ? next++ : (next++) << 20;
      if (expected.contains(key)) continue;
      index.insert(key, static_cast<uint32_t>(i));
      expected[key] = static_cast<uint32_t>(i);
    } else {
      auto it = expected.begin();
      std::advance(it, static_cast<long>(prng.below(std::min<size_t>(expected.size(), 7))));
      index.erase(it->first);
      EXPECT_EQ(index.find(it->first), ConnIndex::kNone);
      expected.erase(it);
    }
    ASSERT_EQ(index.size(), expected.size());
  }
  for (const auto& [key, slot] : expected) ASSERT_EQ(index.find(key), slot);
  index.erase(999'999'999);
  EXPECT_EQ(index.find(999'999'999), ConnIndex::kNone);
}

TEST(TimerWheel, FiresEachDeadlineOnceNeverEarlyAndAtMostATickLate) {
  Prng prng(2);
  MonoUs now_us = 123'456'789;
  TimerWheel wheel(now_us);
  std::map<uint64_t, MonoUs> wanted;
  uint64_t next = 1;
  for (int i = 0; i < 3'000; ++i) {
    const MonoUs due_us = now_us + static_cast<MonoUs>(prng.below(300'000'000));
    wheel.add(next, due_us);
    wanted[next++] = due_us;
    const MonoUs to_us = now_us + static_cast<MonoUs>(prng.below(400'000));
    const MonoUs before_us = now_us;
    now_us = to_us;
    wheel.advance(now_us, [&](uint64_t id, MonoUs due) {
      ASSERT_TRUE(wanted.contains(id)) << "twice";
      ASSERT_EQ(wanted[id], due);
      ASSERT_LE(due, now_us) << "early";
      ASSERT_GE(due + TimerWheel::kTickUs, before_us) << "late";
      wanted.erase(id);
    });
  }
  while (wheel.size() > 0) {
    const MonoUs due_us = wheel.next_due_us();
    ASSERT_GE(due_us, now_us - TimerWheel::kTickUs);
    now_us = std::max(now_us, due_us);
    wheel.advance(now_us, [&](uint64_t id, MonoUs) { wanted.erase(id); });
  }
  EXPECT_TRUE(wanted.empty());
  EXPECT_EQ(wheel.next_due_us(), kNever);
}

TEST(TimerWheel, ADeadlineThatIsPastFiresWithTheNextTick) {
  TimerWheel wheel(1'000'000);
  wheel.add(1, 0);
  int fired = 0;
  wheel.advance(1'000'000 + 2 * TimerWheel::kTickUs, [&](uint64_t, MonoUs) { ++fired; });
  EXPECT_EQ(fired, 1);
}

TEST(PressureGauge, RisesWhenItLastsAndFallsStepByStep) {
  PressureGauge gauge;
  for (int i = 0; i < 3; ++i) gauge.late(600'000, 0);
  EXPECT_EQ(gauge.level(0), gate::Pressure::kShedJoins);
  for (int i = 0; i < 3; ++i) gauge.late(120'000, 500'000);
  EXPECT_EQ(gauge.level(900'000), gate::Pressure::kShedJoins) << "a smaller cause holds nothing up";
  EXPECT_EQ(gauge.level(1'000'000), gate::Pressure::kShedChat);
  EXPECT_EQ(gauge.level(2'000'000), gate::Pressure::kShedEmotes);
  EXPECT_EQ(gauge.level(3'000'000), gate::Pressure::kNone);
  gauge.queued(PressureGauge::kFullQueueBytes + 1, 7'000'000);
  EXPECT_EQ(gauge.level(7'000'000), gate::Pressure::kShedJoins);
}

TEST(PressureGauge, OneStallAloneIsNoPressure) {
  PressureGauge gauge;
  gauge.late(2'000'000, 0);
  gauge.late(300'000, 0);
  gauge.late(1'000, 0);
  gauge.late(2'000'000, 0);
  EXPECT_EQ(gauge.level(0), gate::Pressure::kNone);
  gauge.late(120'000, 0);
  gauge.late(600'000, 0);
  EXPECT_EQ(gauge.level(0), gate::Pressure::kShedEmotes) << "as bad as the best of the three";
}

}  // namespace
}  // namespace footlight::edge
