#include "sfu/trendline.h"

#include <algorithm>
#include <cmath>

namespace footlight::sfu {
namespace {

constexpr MonoUs kBurstUs = 5 * kUsPerMs;       // packets sent within this are one group
constexpr MonoUs kMaxBurstUs = 100 * kUsPerMs;  // a backlog that arrives at once, at most this long
constexpr double kSmoothing = 0.9;
constexpr double kGain = 4.0;
constexpr double kOverUseTimeMs = 10;
constexpr double kThresholdUp = 0.0087, kThresholdDown = 0.039;  // per ms, the paper's values
constexpr double kThresholdMin = 6, kThresholdMax = 600;
constexpr double kThresholdSpike = 15;  // a spike this far above teaches nothing
constexpr int64_t kMaxCountedDeltas = 60;

double to_ms(MonoUs us) { return static_cast<double>(us) / 1000; }

}  // namespace

bool Trendline::same_group(MonoUs sent_at, MonoUs arrived_at) const {
  if (sent_at - current_.first_sent <= kBurstUs) return true;
  // What queued up somewhere and arrived in one burst says nothing about a gradient.
  const MonoUs arrival_delta = arrived_at - current_.last_arrived;
  const MonoUs variation = arrival_delta - (sent_at - current_.last_sent);
  return variation < 0 && arrival_delta <= kBurstUs &&
         arrived_at - current_.first_sent < kMaxBurstUs;
}

void Trendline::on_packet(MonoUs sent_at, MonoUs arrived_at) {
  if (!current_.started) {
    current_ = {sent_at, sent_at, arrived_at, true};
    first_arrival_ = arrived_at;
    return;
  }
  if (sent_at < current_.first_sent) return;  // reordered by the network
  if (same_group(sent_at, arrived_at)) {
    current_.last_sent = std::max(current_.last_sent, sent_at);
    current_.last_arrived = std::max(current_.last_arrived, arrived_at);
    return;
  }
  if (previous_.started) on_groups(previous_, current_);
  previous_ = current_;
  current_ = {sent_at, sent_at, arrived_at, true};
}

void Trendline::on_groups(const Group& before, const Group& after) {
  const double send_delta_ms = to_ms(after.last_sent - before.last_sent);
  const double arrival_delta_ms = to_ms(after.last_arrived - before.last_arrived);
  if (arrival_delta_ms < 0) return;
  ++delta_count_;
  accumulated_ms_ += arrival_delta_ms - send_delta_ms;
  smoothed_ms_ = kSmoothing * smoothed_ms_ + (1 - kSmoothing) * accumulated_ms_;
  if (sample_count_ == kWindow) {
    std::copy(samples_.begin() + 1, samples_.end(), samples_.begin());
    --sample_count_;
  }
  samples_[sample_count_++] = {to_ms(after.last_arrived - first_arrival_), smoothed_ms_};
  if (sample_count_ < kWindow) return;
  const double fitted = slope();
  const double trend =
      static_cast<double>(std::min(delta_count_, kMaxCountedDeltas)) * fitted * kGain;
  detect(trend, fitted, send_delta_ms);
  previous_slope_ = fitted;
  adapt(trend, after.last_arrived);
}

double Trendline::slope() const {
  double mean_time = 0, mean_delay = 0;
  for (const auto& sample : samples_) {
    mean_time += sample.time_ms / kWindow;
    mean_delay += sample.delay_ms / kWindow;
  }
  double numerator = 0, denominator = 0;
  for (const auto& sample : samples_) {
    numerator += (sample.time_ms - mean_time) * (sample.delay_ms - mean_delay);
    denominator += (sample.time_ms - mean_time) * (sample.time_ms - mean_time);
  }
  return denominator == 0 ? previous_slope_ : numerator / denominator;
}

void Trendline::detect(double trend, double fitted, double send_delta_ms) {
  if (trend > threshold_) {
    over_ms_ = over_ms_ < 0 ? send_delta_ms / 2 : over_ms_ + send_delta_ms;
    ++over_count_;
    if (over_ms_ > kOverUseTimeMs && over_count_ > 1 && fitted >= previous_slope_) {
      over_ms_ = 0;
      over_count_ = 0;
      usage_ = LinkUsage::kOver;
    }
    return;
  }
  over_ms_ = -1;
  over_count_ = 0;
  usage_ = trend < -threshold_ ? LinkUsage::kUnder : LinkUsage::kNormal;
}

void Trendline::adapt(double trend, MonoUs arrived_at) {
  if (adapted_at_ == 0) adapted_at_ = arrived_at;
  const double size = std::abs(trend);
  if (size <= threshold_ + kThresholdSpike) {
    const double rate = size < threshold_ ? kThresholdDown : kThresholdUp;
    const double elapsed_ms = std::min(to_ms(arrived_at - adapted_at_), 100.0);
    threshold_ += rate * (size - threshold_) * elapsed_ms;
    threshold_ = std::clamp(threshold_, kThresholdMin, kThresholdMax);
  }
  adapted_at_ = arrived_at;
}

}  // namespace footlight::sfu
