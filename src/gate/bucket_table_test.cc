#include "gate/bucket_table.h"

#include <gtest/gtest.h>

#include <unordered_map>

#include "core/prng.h"

namespace footlight::gate {
namespace {

constexpr int64_t kSecond = kNsPerSecond;

TEST(Bucket, AdmitsItsBurstAndThenItsRate) {
  const Rate rate = Rate::per_second(10, 5);
  Bucket bucket;
  int64_t now = kSecond;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(bucket.wait_ns(rate, 1, now), 0);
    bucket.charge(rate, 1, now);
  }
  EXPECT_EQ(bucket.wait_ns(rate, 1, now), kSecond / 10);
  EXPECT_EQ(bucket.wait_ns(rate, 3, now), 3 * kSecond / 10);
  now += kSecond / 10 - 1;
  EXPECT_EQ(bucket.wait_ns(rate, 1, now), 1);
  now += 1;
  EXPECT_EQ(bucket.wait_ns(rate, 1, now), 0);
  EXPECT_FALSE(bucket.is_full(now));
  EXPECT_TRUE(bucket.is_full(now + kSecond));
}

TEST(Bucket, AnUnlimitedRateIsNeverCharged) {
  Bucket bucket;
  bucket.charge(Rate::unlimited(), 1'000'000, 5);
  EXPECT_EQ(bucket.full_at_ns, 0);
  EXPECT_EQ(bucket.wait_ns(Rate::unlimited(), 1'000'000, 0), 0);
}

TEST(RetryQueue, HandsOutConsecutiveTimesUpToItsHorizon) {
  const Rate rate = Rate::per_second(10, 5);
  RetryQueue queue;
  EXPECT_EQ(queue.place(rate, 7, kSecond, 0), 7);
  EXPECT_EQ(queue.place(rate, 7, kSecond, 0), 7 + kSecond / 10);
  EXPECT_EQ(queue.place(rate, 7, kSecond, kSecond / 20), 7 + 2 * kSecond / 10 - kSecond / 20);
  for (int i = 0; i < 7; ++i) EXPECT_LE(queue.place(rate, 7, kSecond, 0), kSecond);
  EXPECT_EQ(queue.place(rate, 7, kSecond, 0), INT64_MAX);
  EXPECT_EQ(queue.place(rate, 7, kSecond, 10 * kSecond), 7);  // time empties it
}

TEST(BucketTable, KeysAndSpacesHaveBucketsOfTheirOwn) {
  BucketTable table(1024, 1, 2);
  const Rate rate = Rate::per_second(1, 1);
  const auto admit = [&](uint64_t key, uint8_t space, int64_t now) {
    const auto place = table.find(key, space, now);
    if (table.wait_ns(place, rate, 1, now) > 0) return false;
    table.charge(place, rate, 1, now);
    return true;
  };
  EXPECT_TRUE(admit(1, 0, 0));
  EXPECT_FALSE(admit(1, 0, 0));
  EXPECT_TRUE(admit(2, 0, 0));
  EXPECT_TRUE(admit(1, 1, 0));
  EXPECT_TRUE(admit(1, 0, kSecond));
  EXPECT_EQ(table.shared_count(), 0u);
}

TEST(BucketTable, ItsMemoryIsFixed) {
  BucketTable table(1000, 1, 2);
  EXPECT_EQ(table.memory_bytes(), 1024u * 128u);
}

// The guarantee of the header: whatever the load, every event admitted would have been admitted by
// an unbounded table that was charged with the admitted events alone.
TEST(BucketTable, NoKeyEverGetsMoreThanFromAnUnboundedTable) {
  struct Class {
    Rate rate;
    uint8_t space;
  };
  const Class classes[] = {
      {Rate::per_second(2, 3), 0}, {Rate::per_second(20, 40), 1}, {Rate::per_minute(6, 1), 2}};
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Prng prng(seed);
    BucketTable table(static_cast<uint32_t>(1 + prng.below(8)), prng.next(), prng.next());
    std::unordered_map<uint64_t, Bucket> unbounded;
    const uint64_t keys = 1 + prng.below(300);
    int64_t now = 0;
    uint64_t admitted = 0;
    for (int i = 0; i < 20'000; ++i) {
      now += static_cast<int64_t>(prng.below(5'000'000));
      const Class& c = classes[prng.below(3)];
      const uint64_t key = prng.below(keys);
      const auto cost = static_cast<int64_t>(1 + prng.below(3));
      const auto place = table.find(key, c.space, now);
      if (table.wait_ns(place, c.rate, cost, now) > 0) continue;
      Bucket& own = unbounded[key * 4 + c.space];
      ASSERT_EQ(own.wait_ns(c.rate, cost, now), 0) << "seed " << seed << ", event " << i;
      own.charge(c.rate, cost, now);
      table.charge(place, c.rate, cost, now);
      ++admitted;
    }
    EXPECT_GT(admitted, 100u) << seed;
  }
}

// The converse, when there is room: the table refuses nobody an unbounded one would admit.
TEST(BucketTable, WithRoomItIsExact) {
  Prng prng(7);
  BucketTable table(1 << 14, prng.next(), prng.next());
  const Rate rate = Rate::per_second(5, 10);
  std::unordered_map<uint64_t, Bucket> unbounded;
  int64_t now = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += static_cast<int64_t>(prng.below(200'000));
    const uint64_t key = prng.below(5'000);
    const auto place = table.find(key, 0, now);
    Bucket& own = unbounded[key];
    const int64_t wait = own.wait_ns(rate, 1, now);
    ASSERT_EQ(table.wait_ns(place, rate, 1, now), wait);
    if (wait > 0) continue;
    own.charge(rate, 1, now);
    table.charge(place, rate, 1, now);
  }
  EXPECT_EQ(table.shared_count(), 0u);
}

// An attacker who makes up keys to push out his own debt gains nothing.
TEST(BucketTable, AFloodOfNewKeysDoesNotRefillAnEmptyBucket) {
  BucketTable table(16, 3, 4);
  const Rate rate = Rate::per_minute(1, 1);
  auto place = table.find(42, 0, 0);
  table.charge(place, rate, 1, 0);
  for (uint64_t key = 1000; key < 1'001'000; ++key) {
    const auto other = table.find(key, 0, 1);
    if (table.wait_ns(other, rate, 1, 1) == 0) table.charge(other, rate, 1, 1);
  }
  place = table.find(42, 0, 2);
  EXPECT_GT(table.wait_ns(place, rate, 1, 2), 0);
}

}  // namespace
}  // namespace footlight::gate
