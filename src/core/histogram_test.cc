#include "core/histogram.h"

#include <gtest/gtest.h>

#include "core/prng.h"

namespace footlight {
namespace {

TEST(Histogram, AnEmptyOneAnswersZero) {
  EXPECT_EQ(Histogram().quantile(990), 0u);
  EXPECT_EQ(Histogram().count_up_to(1000), 0u);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram h;
  for (uint64_t v = 0; v < 64; ++v) h.record(v);
  EXPECT_EQ(h.quantile(500), 31u);
  EXPECT_EQ(h.quantile(1000), 63u);
  EXPECT_EQ(h.count_up_to(9), 10u);
  EXPECT_EQ(h.count(), 64u);
  EXPECT_EQ(h.sum(), 63u * 64 / 2);
}

TEST(Histogram, AQuantileIsNeverBelowTheValueAndAtMostOneThirtySecondAbove) {
  Prng prng(7);
  for (int round = 0; round < 20000; ++round) {
    const uint64_t value = prng.next() & Histogram::kMaxValue >> prng.below(36);
    Histogram h;
    h.record(value);
    h.record(Histogram::kMaxValue);  // so that max() does not hide the bucket's bound
    const uint64_t q = h.quantile(500);
    ASSERT_GE(q, value);
    ASSERT_LE(q - value, value / 32) << value;
  }
}

TEST(Histogram, MergingEqualsRecordingInOne) {
  Prng prng(8);
  Histogram a, b, both;
  for (int i = 0; i < 5000; ++i) {
    const uint64_t value = prng.below(1'000'000);
    (i % 3 == 0 ? a : b).record(value);
    both.record(value);
  }
  a.merge(b);
  for (uint32_t q : {1u, 500u, 990u, 999u, 1000u}) EXPECT_EQ(a.quantile(q), both.quantile(q));
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.sum(), both.sum());
  EXPECT_EQ(a.max(), both.max());
}

TEST(Histogram, HugeValuesAreCountedAtTheTop) {
  Histogram h;
  h.record(UINT64_MAX);
  EXPECT_EQ(h.quantile(990), Histogram::kMaxValue);
}

TEST(Histogram, ClearingForgetsEverything) {
  Histogram h;
  h.record(5, 3);
  h.clear();
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.max(), 0u);
  EXPECT_EQ(h.quantile(990), 0u);
}

}  // namespace
}  // namespace footlight
