// The time line of the program. Frames are counted; frame n is due at a moment of the monotonic
// clock and has a wall time, and both advance by exactly one frame's length each, whatever the wall
// clock does meanwhile.
//
// Two things break the count's tie to the clocks, and each is counted: a process that could not
// compose for a while lets go of the time it lost (a slip: the frames go on, their wall times
// jump); a wall clock that was set moves the wall times at the next segment (a step). Within
// kLooseUs the wall clock is left to wander. Pure.
#pragma once
#include <cstdint>

#include "core/time.h"

namespace footlight::media {

struct Cadence {
  uint32_t fps_milli = 30'000;
  uint32_t frames_per_part = 16;  // 16 at 30/s: 25 frames of AAC
  uint32_t parts_per_segment = 4;
  int64_t frames_per_segment() const { return int64_t{frames_per_part} * parts_per_segment; }
  int64_t time_us(int64_t frame) const { return frame * 1'000'000'000 / fps_milli; }
  // Of AAC's 1,024 samples at 48 kHz in a part; 0: they do not fit evenly.
  int64_t sound_frames_per_part() const {
    const int64_t milli = int64_t{frames_per_part} * 48'000 * 1'000;
    const int64_t each = int64_t{fps_milli} * 1'024;
    return milli % each == 0 ? milli / each : 0;
  }
};

class ProgramClock {
 public:
  static constexpr MonoUs kSlipUs = 500 * kUsPerMs;
  static constexpr int64_t kLooseUs = 100 * kUsPerMs;

  ProgramClock(const Cadence& cadence, MonoUs now, int64_t wall_us)
      : cadence_(cadence), start_us_(now), wall_start_us_(wall_us) {}

  int64_t frame() const { return frame_; }  // the next one
  MonoUs due() const { return start_us_ + cadence_.time_us(frame_); }
  int64_t wall_us() const { return wall_start_us_ + cadence_.time_us(frame_); }
  // The next frame is composed now. True: the clocks were tied anew, by a slip or a step.
  bool begin_frame(MonoUs now, int64_t wall_now_us);
  void end_frame() { ++frame_; }
  // The program's time of a moment; negative before its start.
  int64_t program_us(MonoUs at) const { return at - start_us_; }
  uint32_t slips() const { return slips_; }
  uint32_t steps() const { return steps_; }

 private:
  Cadence cadence_;
  MonoUs start_us_;
  int64_t wall_start_us_;
  int64_t frame_ = 0;
  uint32_t slips_ = 0, steps_ = 0;
};

}  // namespace footlight::media
