// Wall time that never goes back. Deadlines of polls, watermarks and the log's stamps compare wall
// times with each other; a step of the machine's clock (NTP, an operator) must not let a watermark
// run backwards or freeze one. A step ahead is followed at once; after a step back the time runs at
// half speed until the clock has caught up.
//
// One thread.
#pragma once
#include <algorithm>

#include "core/time.h"

namespace footlight::edge {

class SteadyWall {
 public:
  explicit SteadyWall(const Clock& clock)
      : clock_(clock), base_us_(clock.now_us()), base_ms_(clock.wall_ms()) {
    synced_us_ = base_us_;
  }

  // `now_us` as of the same clock; never smaller than in the call before.
  WallMs at(MonoUs now_us) {
    if (now_us - synced_us_ >= kSyncUs) sync(now_us);
    return value(now_us);
  }

 private:
  static constexpr MonoUs kSyncUs = 100 * kUsPerMs;

  WallMs value(MonoUs now_us) const {
    const int64_t elapsed_us = std::max<int64_t>(0, now_us - base_us_);
    return base_ms_ + std::max(elapsed_us / 2, elapsed_us - ahead_us_) / kUsPerMs;
  }

  void sync(MonoUs now_us) {
    const WallMs mine = value(now_us);
    const WallMs real = clock_.wall_ms();
    synced_us_ = now_us;
    base_us_ = now_us;
    base_ms_ = std::max(mine, real);
    ahead_us_ = (base_ms_ - real) * kUsPerMs;
  }

  const Clock& clock_;
  MonoUs base_us_;
  WallMs base_ms_;
  MonoUs synced_us_ = 0;
  int64_t ahead_us_ = 0;  // of the clock, when it was looked at
};

}  // namespace footlight::edge
