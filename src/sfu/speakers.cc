#include "sfu/speakers.h"

#include <algorithm>
#include <cmath>

namespace footlight::sfu {
namespace {

constexpr double kRiseMs = 120, kFallMs = 600;  // time constants of the smoothing
constexpr double kSpeech = 45;        // loudness above which somebody speaks (about -82 dBov)
constexpr double kClearlyLouder = 6;  // dB
constexpr MonoUs kTakeFloorUs = 300 * kUsPerMs;
constexpr MonoUs kStaleUs = 500 * kUsPerMs;  // no packet for this long is silence (DTX)

}  // namespace

bool Speakers::add(uint32_t voice) {
  if (order_.size() == kMaxVoices) return false;
  if (!find(voice)) order_.push_back({voice, 0, 0, -1});
  return true;
}

void Speakers::remove(uint32_t voice) {
  std::erase_if(order_, [&](const Voice& each) { return each.id == voice; });
  if (active_ == voice) active_.reset();
}

Speakers::Voice* Speakers::find(uint32_t voice) {
  for (auto& each : order_) {
    if (each.id == voice) return &each;
  }
  return nullptr;
}

void Speakers::on_level(uint32_t id, rtc::AudioLevel level, MonoUs now) {
  Voice* voice = find(id);
  if (!voice) return;
  const double target = 127.0 - level.minus_dbov;
  const double elapsed_ms =
      static_cast<double>(std::clamp<MonoUs>(now - voice->heard_at, kUsPerMs, 200 * kUsPerMs)) /
      1000;
  const double constant = target > voice->loudness ? kRiseMs : kFallMs;
  voice->loudness += (target - voice->loudness) * (1 - std::exp(-elapsed_ms / constant));
  voice->heard_at = now;
}

bool Speakers::update(MonoUs now) {
  if (now - decided_at_ < kDecideUs) return false;
  decided_at_ = now;
  for (auto& voice : order_) {
    if (now - voice.heard_at > kStaleUs) voice.loudness = 0;
  }
  Voice* floor = active_ ? find(*active_) : nullptr;
  const bool silent = !floor || floor->loudness < kSpeech;
  Voice* next = nullptr;
  for (auto& voice : order_) {
    if (&voice == floor) continue;
    const bool louder =
        voice.loudness >= kSpeech && (silent || voice.loudness > floor->loudness + kClearlyLouder);
    if (!louder) {
      voice.louder_since = -1;
      continue;
    }
    if (voice.louder_since < 0) voice.louder_since = now;
    const bool long_enough = !floor || now - voice.louder_since >= kTakeFloorUs;
    if (long_enough && (!next || voice.loudness > next->loudness)) next = &voice;
  }
  if (!next) return false;
  active_ = next->id;
  next->louder_since = -1;
  std::rotate(order_.data(), next, next + 1);
  return true;
}

std::vector<Speakers::Ranked> Speakers::order() const {
  std::vector<Ranked> out;
  for (const Voice& each : order_) out.push_back({each.id, each.loudness});
  return out;
}

void Speakers::follow(std::span<const Ranked> order, bool active) {
  for (Voice& each : order_) each.loudness = 0;
  auto next = order_.begin();
  active_.reset();
  for (const Ranked& each : order) {
    const auto found = std::find_if(next, order_.end(),
                                    [&](const Voice& voice) { return voice.id == each.voice; });
    if (found == order_.end()) continue;
    found->loudness = each.loudness;
    if (active && &each == order.data()) active_ = each.voice;
    std::rotate(next, found, found + 1);
    ++next;
  }
}

size_t Speakers::rank(uint32_t voice) const {
  for (size_t i = 0; i < order_.size(); ++i) {
    if (order_[i].id == voice) return i;
  }
  return order_.size();
}

double Speakers::loudness(uint32_t voice) const {
  for (const auto& each : order_) {
    if (each.id == voice) return each.loudness;
  }
  return 0;
}

}  // namespace footlight::sfu
