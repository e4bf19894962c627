#include "core/byte_lane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "core/prng.h"

namespace footlight {
namespace {

bool put(ByteLane& lane, ByteView bytes, size_t spare = 0) {
  const auto room = lane.room(bytes.size(), spare);
  if (room.data() == nullptr) return false;
  std::ranges::copy(bytes, room.begin());
  lane.commit();
  return true;
}

TEST(ByteLane, RecordsOfAllSizesComeOutAsTheyWentInHoweverItWraps) {
  ByteLane lane(1024);
  Prng prng(7);
  std::deque<Bytes> expected;
  size_t written = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (prng.below(2) == 0) {
      Bytes record(prng.below(300), static_cast<uint8_t>(i));
      if (put(lane, record)) {
        expected.push_back(std::move(record));
        ++written;
      } else {
        ++refused;
      }
      continue;
    }
    const auto front = lane.front();
    ASSERT_EQ(front.has_value(), !expected.empty());
    if (!front) continue;
    ASSERT_TRUE(std::ranges::equal(*front, expected.front()));
    lane.pop();
    expected.pop_front();
  }
  EXPECT_GT(written, 5'000u);
  EXPECT_GT(refused, 100u) << "it was full now and then";
}

TEST(ByteLane, WhatIsFullTakesNothingAndTakesAgainWhenItWasRead) {
  ByteLane lane(1024);
  const Bytes record(120, 1);  // 128 bytes each
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(put(lane, record));
  EXPECT_FALSE(put(lane, record));
  EXPECT_FALSE(put(lane, Bytes{}));
  ASSERT_TRUE(lane.front());
  lane.pop();
  EXPECT_TRUE(put(lane, record));
  EXPECT_FALSE(put(lane, Bytes(5'000, 1))) << "longer than the lane";
}

TEST(ByteLane, SomeOfItCanBeKeptForOthers) {
  ByteLane lane(1024);
  const Bytes record(120, 1);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(put(lane, record, 512));
  EXPECT_FALSE(put(lane, record, 512));
  EXPECT_TRUE(put(lane, record));
}

TEST(ByteLane, WhatWasNotCommittedIsNotThere) {
  ByteLane lane(1024);
  EXPECT_EQ(lane.room(10).size(), 10u);
  EXPECT_FALSE(lane.front());
  EXPECT_TRUE(put(lane, Bytes{1, 2}));
  EXPECT_TRUE(std::ranges::equal(*lane.front(), Bytes{1, 2}));
}

TEST(ByteLane, ItsReaderIsWokenOnceUntilItComes) {
  ByteLane lane(1024);
  put(lane, Bytes{1});
  EXPECT_TRUE(lane.wake());
  put(lane, Bytes{2});
  EXPECT_FALSE(lane.wake());
  lane.begin();
  EXPECT_TRUE(lane.wake()) << "what comes after that may not have been seen";
}

}  // namespace
}  // namespace footlight
