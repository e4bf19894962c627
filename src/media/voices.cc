#include "media/voices.h"

#include <algorithm>
#include <cmath>

namespace footlight::media {
namespace {

constexpr int64_t kLooseSamples = 240;   // 5 ms: nobody hears it
constexpr int64_t kJumpSamples = 2'880;  // 60 ms: beyond it the line is laid anew
constexpr int64_t kFadeSamples = 96;

}  // namespace

VoiceLine::VoiceLine() : ring_(static_cast<size_t>(kHeld) * kChannels) {}

void VoiceLine::write(int64_t position, const float* frame, float level) {
  const auto at = static_cast<size_t>(((position % kHeld) + kHeld) % kHeld) * kChannels;
  ring_[at] = frame[0] * level;
  ring_[at + 1] = frame[1] * level;
}

void VoiceLine::put(int64_t position, std::span<const float> samples) {
  const auto frames = static_cast<int64_t>(samples.size() / kChannels);
  if (frames == 0) return;
  const int64_t off = next_ == INT64_MIN ? kJumpSamples + 1 : position - next_;
  const bool jump = std::abs(off) > kJumpSamples;
  int64_t length = frames;
  if (!jump && std::abs(off) > kLooseSamples) {
    const int64_t most = std::max<int64_t>(1, frames / 200);
    length += std::clamp(off, -most, most);
  }
  const int64_t from = jump ? position : next_;
  for (int64_t i = 0; i < length; ++i) {
    const int64_t to = from + i;
    if (mixed_ != INT64_MIN && (to < mixed_ || to >= mixed_ + kHeld)) continue;
    const int64_t source =
        length == frames ? i : i * (frames - 1) / std::max<int64_t>(1, length - 1);
    const float level =
        jump && i < kFadeSamples ? static_cast<float>(i) / static_cast<float>(kFadeSamples) : 1.0F;
    write(to, &samples[static_cast<size_t>(source) * kChannels], level);
  }
  next_ = from + length;
}

void VoiceLine::mix(int64_t position, float gain, std::span<float> out) {
  const auto frames = static_cast<int64_t>(out.size() / kChannels);
  const float step = (gain - gain_) / static_cast<float>(std::max<int64_t>(1, frames));
  for (int64_t i = 0; i < frames; ++i) {
    const auto at = static_cast<size_t>((((position + i) % kHeld) + kHeld) % kHeld) * kChannels;
    gain_ += step;
    out[static_cast<size_t>(i) * kChannels] += ring_[at] * gain_;
    out[static_cast<size_t>(i) * kChannels + 1] += ring_[at + 1] * gain_;
    ring_[at] = ring_[at + 1] = 0;  // heard once
  }
  gain_ = gain;
  mixed_ = position + frames;
}

void VoiceLine::clear() {
  std::ranges::fill(ring_, 0.0F);
  next_ = INT64_MIN;
}

void Limiter::run(std::span<float> samples) {
  constexpr float kRelease = 1.0F / (0.25F * kSampleRate);  // back to full within 250 ms
  for (size_t i = 0; i + 1 < samples.size(); i += kChannels) {
    const float peak = std::max(std::abs(samples[i]), std::abs(samples[i + 1]));
    limited_ -= need_[at_] < 1.0F ? 1 : 0;
    need_[at_] = peak > kCeiling ? kCeiling / peak : 1.0F;
    limited_ += need_[at_] < 1.0F ? 1 : 0;
    std::swap(held_[at_ * kChannels], samples[i]);
    std::swap(held_[at_ * kChannels + 1], samples[i + 1]);
    at_ = (at_ + 1) % kAhead;
    const float least = limited_ == 0 ? 1.0F : *std::ranges::min_element(need_);
    // Down along a line that arrives with the peak, up slowly.
    gain_ = least < gain_ ? std::max(least, gain_ - (1.0F - least) / (kAhead / 2.0F))
                          : std::min(least, gain_ + kRelease);
    const float out_peak = std::max(std::abs(samples[i]), std::abs(samples[i + 1]));
    const float safe = out_peak * gain_ > kCeiling ? kCeiling / out_peak : gain_;
    samples[i] *= safe;
    samples[i + 1] *= safe;
  }
}

}  // namespace footlight::media
