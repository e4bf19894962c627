#include "crdt/awareness.h"

#include <gtest/gtest.h>

#include "crdt/lib0.h"

namespace footlight::crdt {
namespace {

struct Said {
  uint64_t client;
  uint64_t clock;
  std::string json;
};

Bytes update(std::initializer_list<Said> said) {
  Encoder out;
  out.var_uint(said.size());
  for (const Said& each : said) {
    out.var_uint(each.client);
    out.var_uint(each.clock);
    out.var_text(each.json);
  }
  return out.to_bytes();
}

bool anyone(uint64_t) { return true; }

class AwarenessTest : public ::testing::Test {
 protected:
  std::vector<uint64_t> apply(std::initializer_list<Said> said, MonoUs now_us = 0) {
    std::vector<uint64_t> changed;
    EXPECT_TRUE(awareness.apply(update(said), now_us, anyone, changed).has_value());
    return changed;
  }
  Awareness awareness;
};

TEST_F(AwarenessTest, AHigherClockWinsAndARemovalOfTheSameClockDoes) {
  EXPECT_EQ(apply({{7, 1, "{\"x\":1}"}}), std::vector<uint64_t>{7});
  EXPECT_TRUE(apply({{7, 1, "{\"x\":2}"}}).empty());
  EXPECT_EQ(apply({{7, 2, "{\"x\":3}"}}), std::vector<uint64_t>{7});
  EXPECT_TRUE(apply({{7, 1, "null"}}).empty());
  EXPECT_TRUE(awareness.has(7));
  EXPECT_EQ(apply({{7, 2, "null"}}), std::vector<uint64_t>{7});
  EXPECT_FALSE(awareness.has(7));
  EXPECT_TRUE(apply({{7, 2, "{}"}}).empty()) << "what is gone does not come back with that clock";
  EXPECT_TRUE(apply({{8, 5, "null"}}).empty()) << "nobody left who never was there";
  EXPECT_TRUE(apply({{8, 4, "{}"}}).empty()) << "older than the removal, and late";
  EXPECT_TRUE(apply({{9, 0, "{}"}}).empty()) << "clocks begin at 1";
  EXPECT_EQ(awareness.size(), 0u);
  EXPECT_EQ(awareness.memory_bytes(), 0u);
}

TEST_F(AwarenessTest, StatesAreWhatTheirJsonMeansNotHowItIsSpelled) {
  apply({{7, 1, "{ \"x\" : 1.0 }"}});
  EXPECT_EQ(awareness.encode({7}), update({{7, 1, "{\"x\":1}"}}));
  EXPECT_EQ(apply({{7, 1, " null "}}), std::vector<uint64_t>{7});
  EXPECT_FALSE(awareness.has(7));
}

TEST_F(AwarenessTest, WhatIsEncodedIsReadBackByAnother) {
  apply({{7, 3, "{\"a\":1.5}"}, {9, 1, "{}"}});
  apply({{9, 2, "null"}});
  Awareness other;
  std::vector<uint64_t> changed;
  ASSERT_TRUE(other.apply(awareness.encode({7, 9}), 0, anyone, changed));
  EXPECT_TRUE(other.has(7));
  EXPECT_FALSE(other.has(9));
  EXPECT_EQ(awareness.encode({7}), update({{7, 3, "{\"a\":1.5}"}}));
}

TEST_F(AwarenessTest, ThoseWhoAreNotRenewedAreForgottenAfterThirtySeconds) {
  apply({{7, 1, "{}"}}, 0);
  apply({{8, 1, "{}"}}, 20 * kUsPerSecond);
  EXPECT_EQ(awareness.next_due_us(), 30 * kUsPerSecond);
  std::vector<uint64_t> gone;
  awareness.expire(31 * kUsPerSecond, gone);
  EXPECT_EQ(gone, std::vector<uint64_t>{7});
  EXPECT_FALSE(awareness.has(7));
  EXPECT_TRUE(awareness.has(8));
}

TEST_F(AwarenessTest, ForeignClientsArePassedOverAndTheOthersTaken) {
  std::vector<uint64_t> changed;
  ASSERT_TRUE(awareness.apply(
      update({{7, 1, "{}"}, {8, 1, "{}"}}), 0, [](uint64_t client) { return client == 8; },
      changed));
  EXPECT_EQ(changed, std::vector<uint64_t>{8});
  EXPECT_FALSE(awareness.has(7));
}

TEST_F(AwarenessTest, BadUpdatesChangeNothing) {
  std::vector<uint64_t> changed;
  const auto code = [&](const Bytes& bytes) {
    return awareness.apply(bytes, 0, anyone, changed).error().code;
  };
  EXPECT_EQ(code(update({{7, 1, "{}"}, {8, 1, "{\"a\":"}})), Code::kBoardMalformed);
  EXPECT_EQ(code(update({{7, 1, std::string(5'000, ' ')}})), Code::kBoardAwareness);
  EXPECT_EQ(code(Bytes{0xFF, 0xFF, 0x03}), Code::kBoardAwareness);
  EXPECT_EQ(code(Bytes{1, 7}), Code::kBoardMalformed);
  Bytes more = update({{7, 1, "{}"}});
  more.push_back(0);
  EXPECT_EQ(code(more), Code::kBoardMalformed);
  EXPECT_TRUE(changed.empty());
  EXPECT_EQ(awareness.size(), 0u);
}

}  // namespace
}  // namespace footlight::crdt
