// How hard pressed an edge is, from two signs: how late its timers run (its thread has more to do
// than time) and how many bytes wait for connections. Rises at once, falls one step at a time after
// kCalmUs without cause, so that shedding does not flap.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/time.h"
#include "gate/admission.h"

namespace footlight::edge {

class PressureGauge {
 public:
  static constexpr MonoUs kCalmUs = 2 * kUsPerSecond;
  static constexpr uint64_t kFullQueueBytes = uint64_t{512} << 20;

  void late(MonoUs by_us, MonoUs now_us) {
    raise(by_us > 1'000'000 ? 4
          : by_us > 500'000 ? 3
          : by_us > 250'000 ? 2
                            : by_us > 100'000,
          now_us);
  }
  void queued(uint64_t bytes, MonoUs now_us) {
    raise(bytes > kFullQueueBytes       ? 3
          : bytes > kFullQueueBytes / 2 ? 2
                                        : bytes > kFullQueueBytes / 4,
          now_us);
  }
  // The owner can take no more for now (`degraded`).
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
};

}  // namespace footlight::edge
