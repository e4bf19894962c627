#include "edge/out_queue.h"

#include <gtest/gtest.h>

#include <string>

#include "core/prng.h"

namespace footlight::edge {
namespace {

proto::FramePtr frame(const std::string& text) { return proto::Frame::text(text); }

// Takes everything, in pieces of `piece` bytes; the JSON of the frames in order.
std::vector<std::string> drain(OutQueue& queue, size_t piece) {
  std::vector<std::string> out;
  size_t offset = 0;
  while (const proto::FramePtr* next = queue.front(offset)) {
    const proto::FramePtr held = *next;
    const size_t left = held->wire().size() - offset;
    queue.taken(std::min(piece, left));
    if (piece >= left) out.emplace_back(held->json());
  }
  return out;
}

TEST(OutQueue, ReliableFramesKeepTheirOrderAndGoBeforeOverwrittenOnes) {
  OutQueue queue;
  queue.put(16, frame("tally 1"));
  EXPECT_TRUE(queue.push(frame("a"), 1000));
  EXPECT_TRUE(queue.push(frame("b"), 1000));
  queue.put(16, frame("tally 2"));
  queue.put(17, frame("other"));
  EXPECT_EQ(drain(queue, 3), (std::vector<std::string>{"a", "b", "tally 2", "other"}));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.total_bytes(), 0u);
}

TEST(OutQueue, BeyondTheBoundAFrameIsRefusedAndNothingChanges) {
  OutQueue queue;
  EXPECT_TRUE(queue.push(frame(std::string(600, 'a')), 1000));
  const size_t before = queue.total_bytes();
  EXPECT_FALSE(queue.push(frame(std::string(600, 'b')), 1000));
  EXPECT_EQ(queue.total_bytes(), before);
}

TEST(OutQueue, OneFrameLargerThanTheBoundIsTakenAndDoesNotCount) {
  OutQueue queue;
  EXPECT_TRUE(queue.push(frame("a"), 1000));
  EXPECT_TRUE(queue.push(frame(std::string(5000, 'b')), 1000));
  EXPECT_FALSE(queue.push(frame(std::string(5000, 'c')), 1000)) << "one, not two";
  EXPECT_TRUE(queue.push(frame(std::string(800, 'd')), 1000));
  EXPECT_FALSE(queue.push(frame(std::string(800, 'e')), 1000)) << "others count as ever";
  (void)drain(queue, 100);
  EXPECT_EQ(queue.total_bytes(), 0u);
  EXPECT_TRUE(queue.push(frame(std::string(5000, 'f')), 1000));
}

TEST(OutQueue, TheRestOfALargeFrameThatWasBegunDoesNotCount) {
  OutQueue queue;
  queue.start(frame(std::string(5000, 'a')), 100);
  EXPECT_TRUE(queue.push(frame(std::string(600, 'b')), 1000));
  EXPECT_FALSE(queue.push(frame(std::string(600, 'c')), 1000));
}

TEST(OutQueue, AFrameThatWasBegunIsFinishedEvenWhenAllElseIsGivenUp) {
  OutQueue queue;
  const auto begun = frame("begun");
  queue.start(begun, 3);
  EXPECT_TRUE(queue.push(frame("waiting"), 1000));
  queue.put(16, frame("tally"));
  queue.drop_waiting();
  EXPECT_EQ(queue.total_bytes(), begun->wire().size() - 3);
  EXPECT_TRUE(queue.push(frame("bye"), SIZE_MAX));
  EXPECT_EQ(drain(queue, 2), (std::vector<std::string>{"begun", "bye"}));
}

TEST(OutQueue, AnOverwrittenFrameThatWasOfferedButNotBegunIsStillOverwritten) {
  OutQueue queue;
  queue.put(16, frame("old"));
  size_t offset = 0;
  ASSERT_NE(queue.front(offset), nullptr);
  queue.taken(0);
  queue.put(16, frame("new"));
  EXPECT_EQ(drain(queue, 100), (std::vector<std::string>{"new"}));
}

TEST(OutQueue, SlotsAreBoundedByGivingUpTheOldest) {
  OutQueue queue;
  for (uint32_t slot = 0; slot < OutQueue::kMaxSlots + 5; ++slot) {
    queue.put(slot, frame(std::to_string(slot)));
  }
  const auto frames = drain(queue, 100);
  EXPECT_EQ(frames.size(), OutQueue::kMaxSlots);
  EXPECT_EQ(frames.front(), "5");
}

TEST(OutQueue, AQueueThatNeverEmptiesDoesNotGrow) {
  OutQueue queue;
  const auto one = frame("x");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(queue.push(one, 1'000'000));
  size_t offset = 0;
  for (int i = 0; i < 100'000; ++i) {
    EXPECT_TRUE(queue.push(one, 1'000'000));
    const proto::FramePtr* next = queue.front(offset);
    ASSERT_NE(next, nullptr);
    queue.taken((*next)->wire().size());
  }
  EXPECT_EQ(queue.reliable_bytes(), 10 * one->wire().size());
  EXPECT_LT(one.use_count(), 32) << "frames that were written are let go";
}

TEST(OutQueue, TheBytesAddUpWhateverHappens) {
  Prng prng(11);
  OutQueue queue;
  size_t offset = 0;
  for (int i = 0; i < 20'000; ++i) {
    switch (prng.below(4)) {
      case 0:
        (void)queue.push(frame(std::string(prng.below(300), 'r')), 4000);
        break;
      case 1:
        queue.put(static_cast<uint32_t>(prng.below(6)), frame(std::string(prng.below(90), 's')));
        break;
      case 2:
        if (const auto* next = queue.front(offset)) {
          queue.taken(prng.below((*next)->wire().size() - offset + 1));
        }
        break;
      default:
        if (prng.below(50) == 0) queue.drop_waiting();
    }
    ASSERT_LE(queue.reliable_bytes(), 4000u + 400u);
  }
  drain(queue, 7);
  EXPECT_EQ(queue.total_bytes(), 0u);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace footlight::edge
