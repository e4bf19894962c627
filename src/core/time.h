// Time comes in through the constructor or as an argument. Inside, times are monotonic microseconds
// from an arbitrary start; wall time (Unix milliseconds) appears only at the boundary and in the
// log.
#pragma once
#include <cstdint>

namespace footlight {

using MonoUs = int64_t;  // monotonic, microseconds
using WallMs = int64_t;  // Unix time, milliseconds

inline constexpr MonoUs kNever = INT64_MAX;
inline constexpr int64_t kUsPerMs = 1000;
inline constexpr int64_t kUsPerSecond = 1'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoUs now_us() const = 0;
  virtual WallMs wall_ms() const = 0;
};

}  // namespace footlight
