// The time line of the program. Frames are counted: frame n is of the moment `start + n / fps`, on
// the monotonic clock and on the wall clock alike. So the program's time never falls behind real
// time, and what viewers are told by the wall clock (dates, cues) is true of every picture.
//
// A machine that is short of time costs pictures and no time. A frame that is late repeats the one
// before, and so does one before encoders that are behind: it costs them little. Where they are far
// behind, or much time was lost, it is left out and the one before is shown longer; the first frame
// of each part is always there, and new unless it is late itself. Two things cannot be made good
// and end the run, so that a new one begins with dates of its own: kLostUs that were not made up
// for, and a wall clock that was set forward by more than kStepUs. One that was set back changes
// nothing: the program's dates never go back. Pure.
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
  static constexpr MonoUs kLateUs = 70 * kUsPerMs;     // two frames; more late, it is a repeat
  static constexpr MonoUs kBehindUs = 400 * kUsPerMs;  // likewise, together with the encoders
  static constexpr MonoUs kHoldUs = 900 * kUsPerMs;    // more behind, frames are left out
  static constexpr MonoUs kLostUs = 10 * kUsPerSecond;
  static constexpr int64_t kStepUs = 250 * kUsPerMs;

  enum class Make : uint8_t {
    kFresh,   // compose it
    kRepeat,  // the picture before, once more
    kHold,    // none: the picture before is shown longer
  };

  // `now` and `wall_us` are one moment: that of frame 0.
  ProgramClock(const Cadence& cadence, MonoUs now, int64_t wall_us)
      : cadence_(cadence), start_us_(now), wall_start_us_(wall_us) {}

  int64_t frame() const { return frame_; }  // the next one
  MonoUs due() const { return start_us_ + cadence_.time_us(frame_); }
  int64_t wall_us() const { return wall_start_us_ + cadence_.time_us(frame_); }
  // How far a frame that is made now is behind its moment when it comes out, with `queued` frames
  // before the slowest encoder.
  MonoUs behind_us(MonoUs now, int64_t queued) const {
    return now - due() + cadence_.time_us(queued);
  }
  // How the next frame, which is due, is to be made.
  Make make(MonoUs now, int64_t queued) const;
  // How far the wall clock has been set forward since the start; 0: not beyond kStepUs.
  int64_t step_us(MonoUs now, int64_t wall_now_us) const;
  void end_frame(Make made);
  // The program's time of a moment; negative before its start.
  int64_t program_us(MonoUs at) const { return at - start_us_; }
  uint32_t slips() const { return slips_; }  // how often frames were left out, one or many in a row

 private:
  Cadence cadence_;
  MonoUs start_us_;
  int64_t wall_start_us_;
  int64_t frame_ = 0;
  bool holding_ = false;
  uint32_t slips_ = 0;
};

}  // namespace footlight::media
