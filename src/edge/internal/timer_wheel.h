// Deadlines of many sessions, one hashed wheel for all (Varghese, Lauck 1987, scheme 6): adding is
// O(1) and a session holds no timer object. Deadlines are rounded up to kTickUs, those beyond the
// horizon come by early and are put back. Nothing is ever cancelled: the session remembers the
// deadline it wants, and an entry that says another is stale.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/time.h"

namespace footlight::edge {

class TimerWheel {
 public:
  static constexpr MonoUs kTickUs = 64 * kUsPerMs;
  static constexpr size_t kBuckets = 1024;

  struct Entry {
    uint64_t id = 0;
    MonoUs due_us = 0;
  };

  explicit TimerWheel(MonoUs now_us) : buckets_(kBuckets), tick_(now_us / kTickUs) {}

  void add(uint64_t id, MonoUs due_us) {
    const int64_t horizon = tick_ + static_cast<int64_t>(kBuckets) - 1;
    const int64_t tick = std::clamp((due_us + kTickUs - 1) / kTickUs, tick_ + 1, horizon);
    buckets_[static_cast<size_t>(tick) % kBuckets].push_back({id, due_us});
    ++size_;
    next_tick_ = std::min(next_tick_, tick);
  }

  // Calls `fire(id, due_us)` for each entry that is due. It may add.
  template <class Fire>
  void advance(MonoUs now_us, Fire&& fire) {
    const int64_t target = now_us / kTickUs;
    while (next_tick_ <= target) {
      tick_ = next_tick_;
      std::vector<Entry> due;
      due.swap(buckets_[static_cast<size_t>(tick_) % kBuckets]);
      size_ -= due.size();
      find_next();
      for (const Entry& entry : due) {
        if (entry.due_us > now_us) {
          add(entry.id, entry.due_us);
        } else {
          fire(entry.id, entry.due_us);
        }
      }
    }
    tick_ = std::max(tick_, target);
  }

  MonoUs next_due_us() const { return next_tick_ == INT64_MAX ? kNever : next_tick_ * kTickUs; }
  size_t size() const { return size_; }

 private:
  void find_next() {
    next_tick_ = INT64_MAX;
    if (size_ == 0) return;
    for (size_t ahead = 1; ahead < kBuckets; ++ahead) {
      const int64_t tick = tick_ + static_cast<int64_t>(ahead);
      if (!buckets_[static_cast<size_t>(tick) % kBuckets].empty()) {
        next_tick_ = tick;
        return;
      }
    }
  }

  std::vector<std::vector<Entry>> buckets_;
  int64_t tick_;
  int64_t next_tick_ = INT64_MAX;
  size_t size_ = 0;
};

}  // namespace footlight::edge
