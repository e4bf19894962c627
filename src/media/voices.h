// The sound of the program: each person's decoded voice laid where it belongs on the program's time
// line, summed with a gain each, and kept from clipping. Floats, interleaved stereo, 48 kHz. Pure.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace footlight::media {

inline constexpr int kSampleRate = 48'000;
inline constexpr size_t kChannels = 2;

// One voice as it will be heard. Small differences between its clock and ours are taken up by
// playing it up to 0.5 % faster or slower; a jump is followed with a short fade.
class VoiceLine {
 public:
  static constexpr int64_t kHeld = 2 * kSampleRate;  // positions kept: 2 s
  VoiceLine();
  // `samples` begin at `position` (in samples of the program) as far as is known. What lies too far
  // ahead or in the past is left out.
  void put(int64_t position, std::span<const float> samples);
  // Adds [position, position + out.size()/2) times the gain, which moves from the last call's.
  void mix(int64_t position, float gain, std::span<float> out);
  // Everything at or after `position` is silent again.
  void clear();

 private:
  void write(int64_t position, const float* frame, float level);
  std::vector<float> ring_;
  int64_t next_ = INT64_MIN;   // where the last put() ended
  int64_t mixed_ = INT64_MIN;  // up to where it was heard
  float gain_ = 0;
};

// Holds peaks at kCeiling, looking kAhead samples forward: the gain is down before the peak comes.
class Limiter {
 public:
  static constexpr size_t kAhead = 240;  // 5 ms
  static constexpr float kCeiling = 0.89F;
  // `samples` in place; they come out kAhead samples later than they went in.
  void run(std::span<float> samples);

 private:
  std::vector<float> held_ = std::vector<float>(kAhead * kChannels);
  std::vector<float> need_ = std::vector<float>(kAhead, 1.0F);
  size_t at_ = 0, limited_ = 0;  // limited_: entries of need_ below 1
  float gain_ = 1.0F;
};

}  // namespace footlight::media
