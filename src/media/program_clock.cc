#include "media/program_clock.h"

namespace footlight::media {

ProgramClock::Make ProgramClock::make(MonoUs now, int64_t queued) const {
  const MonoUs behind = behind_us(now, queued);
  const bool begins_part = frame_ % cadence_.frames_per_part == 0;
  const bool late = now - due() > kLateUs;
  // However far behind the encoders are: else nothing new would be seen for as long.
  if (begins_part) return late ? Make::kRepeat : Make::kFresh;
  if (behind > kHoldUs) return Make::kHold;
  return late || behind > kBehindUs ? Make::kRepeat : Make::kFresh;
}

int64_t ProgramClock::step_us(MonoUs now, int64_t wall_now_us) const {
  const int64_t step = (wall_now_us - wall_start_us_) - (now - start_us_);
  return step > kStepUs ? step : 0;
}

void ProgramClock::end_frame(Make made) {
  const bool begins_part = frame_ % cadence_.frames_per_part == 0;
  if (made == Make::kHold) {
    slips_ += holding_ ? 0 : 1;
    holding_ = true;
  } else if (!begins_part) {
    holding_ = false;
  }
  ++frame_;
}

}  // namespace footlight::media
