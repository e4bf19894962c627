// A lane of bytes (core/byte_lane.h) between two threads, as media's datagrams cross between
// shards.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "core/byte_lane.h"
#include "core/prng.h"
#include "net/asio/shard.h"

namespace footlight::net {
namespace {

// What went in comes out in order and whole, and of what found the lane full nothing.
TEST(ByteLaneOfThreads, NothingIsLostButWhatWasRefusedAndTheReaderIsAlwaysWoken) {
  constexpr uint64_t kRecords = 100'000;
  ByteLane lane(1 << 14);
  Shard reader(0);
  std::atomic<uint64_t> taken{0}, broken{0};
  std::atomic<bool> last_came{false};
  uint64_t expected = 0;  // the reader's
  const auto come = [&] {
    lane.begin();
    while (const auto record = lane.front()) {
      uint64_t number = 0;
      std::memcpy(&number, record->data(), sizeof number);
      const auto rest = record->subspan(sizeof number);
      const auto mark = static_cast<uint8_t>(number);
      broken += number < expected;
      broken += !std::ranges::all_of(rest, [mark](uint8_t byte) { return byte == mark; });
      expected = number + 1;
      ++taken;
      if (number == kRecords) last_came = true;
      lane.pop();
    }
  };
  reader.start();
  uint64_t written = 0, refused = 0;
  Prng prng(5);
  for (uint64_t number = 0; number <= kRecords; ++number) {
    auto room = lane.room(sizeof number + prng.below(200));
    // Most wait for room, which no writer of ours does, so that both threads have much to do.
    while (room.empty() && number % 5 == 0) {
      if (lane.wake()) reader.post(come);
      std::this_thread::yield();
      room = lane.room(sizeof number);
    }
    if (room.empty()) {
      ++refused;
    } else {
      std::memcpy(room.data(), &number, sizeof number);
      std::ranges::fill(room.subspan(sizeof number), static_cast<uint8_t>(number));
      lane.commit();
      ++written;
    }
    if ((number % 7 == 0 || number == kRecords) && lane.wake()) reader.post(come);
  }
  while (!last_came) std::this_thread::yield();
  reader.stop();
  reader.join();
  EXPECT_EQ(taken, written);
  EXPECT_EQ(broken, 0u);
  EXPECT_EQ(written + refused, kRecords + 1);
  EXPECT_GE(written, kRecords / 5);
}

}  // namespace
}  // namespace footlight::net
