// Where in the program a viewer is, signed: who watches from a cache sees the show some seconds
// late, and may vote so much longer.
//
// The packager puts a cue into each part of the program: the wall time of its picture, signed for
// the episode. A viewer says now and then which cue it has just been shown. A signature cannot be
// made for a time of its own choosing, but an old cue can be kept: so what a viewer has once
// claimed falls at once and rises slowly, and counts no longer back than the viewer has been
// claiming. Whoever wants more time must have shown so much delay before the vote was open, and
// the poll's allowance caps it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/result.h"
#include "core/time.h"

namespace footlight::gate {

inline constexpr size_t kCueChars = 22;

// 22 characters: base64url of the time (48 bits, big endian) and the first 10 bytes of HMAC-SHA256
// over "footlight cue 1", a zero byte, the episode's id, a zero byte and those 6 bytes.
// `shown_ms`: Unix milliseconds, 0 to 2^48 - 1.
std::string sign_cue(ByteView key, std::string_view episode, WallMs shown_ms);

// kCueForged: not made by sign_cue with this key for this episode. Any bytes.
Result<WallMs> read_cue(ByteView key, std::string_view episode, std::string_view cue);

// The delay of one viewer, as claimed by cues.
class CueDelay {
 public:
  static constexpr int64_t kMostMs = 30'000;
  static constexpr int64_t kForgottenMs = 30'000;  // without a cue so long it is no delay
  static constexpr int64_t kRisesEach = 5;         // by a fifth of the time since the last cue

  // The picture of `shown_ms` was on the viewer's screen when its report came.
  void report(WallMs shown_ms, WallMs now_ms);
  // So much later than others may it vote now; 0 to kMostMs.
  uint32_t allowance_ms(WallMs now_ms) const;
  // As claimed, for figures.
  uint32_t delay_ms() const { return delay_ms_; }

 private:
  WallMs first_ms_ = 0;  // 0: none yet
  WallMs last_ms_ = 0;
  uint32_t delay_ms_ = 0;
};

}  // namespace footlight::gate
