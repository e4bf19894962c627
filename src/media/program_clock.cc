#include "media/program_clock.h"

#include <cstdlib>

namespace footlight::media {

bool ProgramClock::begin_frame(MonoUs now, int64_t wall_now_us) {
  bool anew = false;
  if (now - due() > kSlipUs) {
    const MonoUs lost = now - due();
    start_us_ += lost;
    wall_start_us_ += lost;
    ++slips_;
    anew = true;
  }
  // What the wall clock says of the moment at which the frame was due.
  const int64_t off = wall_now_us - (now - due()) - wall_us();
  if (frame_ % cadence_.frames_per_segment() == 0 && std::abs(off) > kLooseUs) {
    wall_start_us_ += off;
    ++steps_;
    anew = true;
  }
  return anew;
}

}  // namespace footlight::media
