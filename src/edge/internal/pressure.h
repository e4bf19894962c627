// How hard pressed an edge is, from three signs: how late its timers run (its thread has more to do
// than time), how many bytes wait for connections, and whether the owner says that it can take no
// more. Rises when it lasts, falls one step at a time after kCalmUs without cause, so that shedding
// neither flaps nor answers a single stall.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/time.h"
#include "gate/admission.h"

namespace footlight::edge {

class PressureGauge {
 public:
  static constexpr MonoUs kCalmUs = kUsPerSecond;
  static constexpr int kStreak = 3;  // so many calls in a row must be late
  static constexpr uint64_t kFullQueueBytes = uint64_t{512} << 20;

  // Of every call by the clock, also those that were in time.
  void late(MonoUs by_us, MonoUs now_us) {
    const int level = by_us > 1'000'000 ? 4
                      : by_us > 500'000 ? 3
                      : by_us > 250'000 ? 2
                      : by_us > 100'000 ? 1
                                        : 0;
    streak_ = level == 0 ? 0 : streak_ + 1;
    lowest_ = streak_ <= 1 ? level : std::min(lowest_, level);
    if (streak_ >= kStreak) raise(lowest_, now_us);
  }
  void queued(uint64_t bytes, MonoUs now_us) {
    raise(bytes > kFullQueueBytes       ? 3
          : bytes > kFullQueueBytes / 2 ? 2
          : bytes > kFullQueueBytes / 4 ? 1
                                        : 0,
          now_us);
  }
  void owner_pressed(MonoUs now_us) { raise(2, now_us); }

  gate::Pressure level(MonoUs now_us) {
    while (level_ > 0 && now_us - since_us_ >= kCalmUs) {
      --level_;
      since_us_ += kCalmUs;
    }
    return static_cast<gate::Pressure>(level_);
  }

 private:
  void raise(int level, MonoUs now_us) {
    if (level == 0 || level < level_) return;
    level_ = level;
    since_us_ = now_us;
  }

  int level_ = 0;
  MonoUs since_us_ = 0;
  int streak_ = 0;
  int lowest_ = 0;  // of the streak
};

}  // namespace footlight::edge
