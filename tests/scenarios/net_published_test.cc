// The newest of something (core/published.h) between threads, as keys and counters are shown.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/published.h"

namespace footlight::net {
namespace {

TEST(PublishedToThreads, WhatIsLoadedIsWholeAndNeverOlderThanWhatWasLoadedBefore) {
  constexpr int kReaders = 3, kLoads = 300'000;
  struct Value {
    explicit Value(uint64_t number) : number(number), copy(number) {}
    ~Value() { number = copy = UINT64_MAX; }
    uint64_t number, copy;
  };
  Published<Value> newest;
  EXPECT_EQ(newest.load(), nullptr);
  newest.store(std::make_shared<const Value>(0));
  std::atomic<uint64_t> broken{0};
  std::atomic<int> reading{kReaders};
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      uint64_t seen = 0;
      for (int load = 0; load < kLoads; ++load) {
        const auto value = newest.load();
        broken += value->number != value->copy || value->number < seen;
        seen = value->number;
      }
      --reading;
    });
  }
  for (uint64_t number = 1; reading > 0; ++number) {
    newest.store(std::make_shared<const Value>(number));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(broken, 0u);
  EXPECT_EQ(newest.load().use_count(), 2) << "the one before is nobody's";
}

}  // namespace
}  // namespace footlight::net
