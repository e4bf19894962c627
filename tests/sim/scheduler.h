// Virtual time: what happens at one moment happens in the order it was asked for, so that a seed
// determines a run.
#pragma once
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "core/time.h"

namespace footlight::sim {

class Scheduler {
 public:
  using Action = std::move_only_function<void()>;

  MonoUs now_us() const { return now_us_; }
  uint64_t steps() const { return steps_; }

  void at(MonoUs when_us, Action action) {
    queue_.push({when_us < now_us_ ? now_us_ : when_us, next_++, std::move(action)});
  }
  void after(MonoUs delay_us, Action action) { at(now_us_ + delay_us, std::move(action)); }

  // Runs the next action that is due by `until_us`; false, with the time at `until_us`, if none is.
  bool step(MonoUs until_us) {
    if (queue_.empty() || queue_.top().when_us > until_us) {
      now_us_ = until_us;
      return false;
    }
    // priority_queue gives no way to move its top out; the entry is popped before it is used.
    Entry entry = std::move(const_cast<Entry&>(queue_.top()));
    queue_.pop();
    now_us_ = entry.when_us;
    ++steps_;
    entry.action();
    return true;
  }

 private:
  struct Entry {
    MonoUs when_us = 0;
    uint64_t order = 0;
    Action action;
    bool operator<(const Entry& other) const {
      return when_us != other.when_us ? when_us > other.when_us : order > other.order;
    }
  };
  std::priority_queue<Entry> queue_;
  MonoUs now_us_ = 0;
  uint64_t next_ = 0;
  uint64_t steps_ = 0;
};

// A machine's clock: the monotonic time is the scheduler's, the wall time is skewed and may step.
class SimClock final : public Clock {
 public:
  static constexpr WallMs kEpochMs = 1'700'000'000'000;

  explicit SimClock(const Scheduler& scheduler, int64_t skew_ms = 0)
      : scheduler_(scheduler), skew_ms_(skew_ms) {}
  MonoUs now_us() const override { return scheduler_.now_us(); }
  WallMs wall_ms() const override { return kEpochMs + skew_ms_ + scheduler_.now_us() / kUsPerMs; }
  void step(int64_t by_ms) { skew_ms_ += by_ms; }

 private:
  const Scheduler& scheduler_;
  int64_t skew_ms_;
};

}  // namespace footlight::sim
