#include "sfu/bandwidth.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace footlight::sfu {
namespace {

// Of what gets through when queues grow: a first step, and a larger one when they go on growing.
constexpr double kFirstDecreaseTo = 0.9, kNextDecreaseTo = 0.85;
constexpr MonoUs kNextDecreaseUs = kUsPerSecond;
constexpr double kIncreasePerSecond = 1.08;
constexpr double kLossHigh = 0.10, kLossLow = 0.02;
constexpr MonoUs kLossWindowUs = 500 * kUsPerMs;
constexpr uint32_t kLossWindowPackets = 20;
constexpr int64_t kProbedGrowthBps = 500'000;  // per second
constexpr MonoUs kProbeLeastUs = 800 * kUsPerMs, kProbeMostUs = 4 * kUsPerSecond;
constexpr MonoUs kQuietUs = kUsPerSecond;  // without feedback: nothing is on its way
constexpr MonoUs kProbeAfterDecreaseUs = kUsPerSecond;
// From here on the path carries clearly less than is sent: what comes through is what it carries.
constexpr double kSteepGradient = 0.05;
// A probe makes a queue of its own: what grows in its shadow is not held against a path that the
// streams do not fill.
constexpr MonoUs kProbeShadowUs = 500 * kUsPerMs;
constexpr MonoUs kProbeTimeoutUs = kUsPerSecond;
constexpr MonoUs kProbeLengthUs = 20 * kUsPerMs;
constexpr int kProbeMinPackets = 5;
constexpr int kStartupProbes = 3;
constexpr int64_t kTypicalPacketBits = 1200 * 8;
// Reference times in feedback are 24 bits of 64 ms.
constexpr MonoUs kArrivalWrapUs = (int64_t{1} << 24) * 64'000;

}  // namespace

BandwidthEstimator::BandwidthEstimator(const BandwidthConfig& config)
    : config_(config), delay_limit_bps_(config.start_bps), loss_limit_bps_(config.max_bps) {}

int64_t BandwidthEstimator::estimate_bps() const {
  if (remb_bps_ > 0) return std::clamp(remb_bps_, config_.min_bps, config_.max_bps);
  return std::clamp(std::min(delay_limit_bps_, loss_limit_bps_), config_.min_bps, config_.max_bps);
}

void BandwidthEstimator::on_remb(int64_t bitrate_bps) { remb_bps_ = bitrate_bps; }

void BandwidthEstimator::on_sent(size_t bytes, MonoUs now, uint8_t cluster) {
  const Sent& oldest = sent_[static_cast<size_t>(next_) % sent_.size()];
  if (!oldest.told && sent_.size() < kSentWindow && now - oldest.sent_at(now) < kUsPerSecond) {
    widen_window();
  }
  sent_[static_cast<size_t>(next_) % sent_.size()] = {static_cast<uint32_t>(now),
                                                      static_cast<uint16_t>(bytes), cluster, false};
  ++next_;
  if (cluster == 0 || cluster != cluster_.id) return;
  if (cluster_.sent_bytes == 0) cluster_.started_at = now;
  cluster_.sent_bytes += static_cast<int64_t>(bytes);
}

// Feedback about the oldest may still come: more are on their way than the window holds.
void BandwidthEstimator::widen_window() {
  std::vector<Sent> wider(2 * sent_.size());
  for (int64_t i = 1; i <= static_cast<int64_t>(sent_.size()) && i <= next_; ++i) {
    const auto number = static_cast<size_t>(next_ - i);
    wider[number % wider.size()] = sent_[number % sent_.size()];
  }
  sent_ = std::move(wider);
}

bool BandwidthEstimator::on_feedback(const rtc::RtcpPacket& packet, MonoUs now) {
  rtc::TransportFeedbackReader reader(packet);
  if (!reader.ok()) return false;
  remb_bps_ = 0;
  uint32_t received = 0, lost = 0;
  rtc::FeedbackItem item;
  while (reader.next(item)) {
    // The number nearest below the next one to be sent.
    const int64_t sequence =
        next_ - static_cast<uint16_t>(static_cast<uint16_t>(next_) - item.sequence);
    if (sequence < 1 || sequence >= next_ ||
        next_ - sequence > static_cast<int64_t>(sent_.size())) {
      continue;
    }
    Sent& sent = sent_[static_cast<size_t>(sequence) % sent_.size()];
    if (sent.told) continue;
    if (!item.received) {
      ++lost;  // may still be told as received: it then counts as that too
      continue;
    }
    sent.told = true;
    ++received;
    on_received(sent, sent.sent_at(now), unwrap_arrival(item.arrival_us));
  }
  update_loss(received, lost, now);
  if (received > 0) update_delay_limit(now);
  if (cluster_.id && cluster_.started_at && now - cluster_.started_at > kProbeTimeoutUs) {
    cluster_ = {};
  }
  return reader.ok();
}

MonoUs BandwidthEstimator::unwrap_arrival(MonoUs arrived_at) {
  if (arrival_started_) {
    const MonoUs delta = arrived_at + arrival_offset_ - last_arrival_;
    if (delta < -kArrivalWrapUs / 2) arrival_offset_ += kArrivalWrapUs;
    if (delta > kArrivalWrapUs / 2) arrival_offset_ -= kArrivalWrapUs;
  }
  arrival_started_ = true;
  last_arrival_ = arrived_at + arrival_offset_;
  return last_arrival_;
}

void BandwidthEstimator::on_received(const Sent& sent, MonoUs sent_at, MonoUs arrived_at) {
  count_acknowledged(sent.bytes, arrived_at);
  if (sent.cluster && sent.cluster == cluster_.id) on_probe_packet(sent, sent_at, arrived_at);
  trendline_.on_packet(sent_at, arrived_at);
}

void BandwidthEstimator::count_acknowledged(size_t bytes, MonoUs arrived_at) {
  const auto buckets = static_cast<int64_t>(buckets_.size());
  const int64_t bucket = arrived_at / kBucketUs;
  if (first_bucket_ < 0 || bucket < bucket_ - buckets) {
    first_bucket_ = bucket_ = bucket;
    buckets_.fill(0);
  }
  if (bucket > bucket_) {
    // The finished buckets are what is known; the one just begun would count as a slow one.
    uint64_t sum = 0;
    for (const uint32_t each : buckets_) sum += each;
    const int64_t filled = std::min(bucket_ - first_bucket_ + 1, buckets);
    if (filled >= 3) {
      acknowledged_bps_ = static_cast<int64_t>(sum * 8 * kUsPerSecond) / (filled * kBucketUs);
    }
    for (int64_t i = bucket_ + 1; i <= std::min(bucket, bucket_ + buckets); ++i) {
      buckets_[static_cast<size_t>(i % buckets)] = 0;
    }
    if (bucket - bucket_ > buckets) first_bucket_ = bucket;
    bucket_ = bucket;
  }
  buckets_[static_cast<size_t>(bucket % buckets)] += static_cast<uint32_t>(bytes);
}

// The most that arrived in 100 ms of the last 300.
int64_t BandwidthEstimator::busy_bps() const {
  const auto buckets = static_cast<int64_t>(buckets_.size());
  int64_t most = 0;
  for (int64_t back = 1; back <= 5 && bucket_ - back - 1 >= first_bucket_; ++back) {
    const auto at = [&](int64_t bucket) {
      return int64_t{buckets_[static_cast<size_t>(bucket % buckets)]};
    };
    most = std::max(most, at(bucket_ - back) + at(bucket_ - back - 1));
  }
  return most * 8 * kUsPerSecond / (2 * kBucketUs);
}

// --- delay
// ----------------------------------------------------------------------------------------

void BandwidthEstimator::update_delay_limit(MonoUs now) {
  if (changed_at_ == 0) changed_at_ = now;
  switch (trendline_.usage()) {
    case LinkUsage::kOver:
      decrease(now);
      break;
    case LinkUsage::kUnder:
      phase_ = Phase::kHold;  // the queue drains: wait until it has
      break;
    case LinkUsage::kNormal:
      if (phase_ == Phase::kIncrease) {
        increase(now);
      } else {
        phase_ = Phase::kIncrease;
      }
      break;
  }
  changed_at_ = now;
}

void BandwidthEstimator::increase(MonoUs now) {
  // A path that is not filled says nothing about how wide it is: probes find that out.
  if (acknowledged_bps_ < delay_limit_bps_ * 3 / 4) return;
  const double deviation = std::sqrt(capacity_variance_ * capacity_bps_);
  if (capacity_bps_ > 0 &&
      static_cast<double>(acknowledged_bps_) / 1000 > capacity_bps_ + 3 * deviation) {
    capacity_bps_ = 0;  // the path has become wider than it was
  }
  const double elapsed_s =
      std::min(static_cast<double>(now - changed_at_) / static_cast<double>(kUsPerSecond), 1.0);
  double grown = static_cast<double>(delay_limit_bps_);
  if (capacity_bps_ > 0) {
    // Near the capacity: a packet more per response time.
    const double response_s =
        static_cast<double>(round_trip_ + 100 * kUsPerMs) / static_cast<double>(kUsPerSecond);
    grown += std::max(4000.0, static_cast<double>(kTypicalPacketBits) / response_s) * elapsed_s;
  } else {
    grown *= std::pow(kIncreasePerSecond, elapsed_s);
  }
  // What nobody used is not known to be there.
  const double ceiling = 1.5 * static_cast<double>(acknowledged_bps_) + 10'000;
  const double current = static_cast<double>(delay_limit_bps_);
  delay_limit_bps_ = static_cast<int64_t>(std::max(std::min(grown, ceiling), current));
  delay_limit_bps_ = std::clamp(delay_limit_bps_, config_.min_bps, config_.max_bps);
}

void BandwidthEstimator::decrease(MonoUs now) {
  phase_ = Phase::kHold;
  const bool filled = acknowledged_bps_ >= delay_limit_bps_ * 3 / 4;
  if (now - probed_at_ < kProbeShadowUs && !filled) return;
  if (acknowledged_bps_ == 0) {
    if (now - decreased_at_ < round_trip_) return;
    delay_limit_bps_ = std::max(delay_limit_bps_ / 2, config_.min_bps);
    decreased_at_ = now;
    return;
  }
  // Streams seldom fill the path, and their mean is not its capacity; what comes through while a
  // queue stands is.
  const auto through = static_cast<double>(std::max(acknowledged_bps_, busy_bps()));
  const bool again = now - decreased_at_ < kNextDecreaseUs;
  auto lowered = static_cast<int64_t>((again ? kNextDecreaseTo : kFirstDecreaseTo) * through);
  if (!filled && trendline_.gradient() < kSteepGradient) {
    // The queue is mostly others': who sends little gives way in steps, not down to what it sends.
    if (now - decreased_at_ < round_trip_ + 100 * kUsPerMs) return;
    lowered = std::max(lowered, delay_limit_bps_ * 9 / 10);
  }
  if (lowered < delay_limit_bps_) delay_limit_bps_ = std::max(lowered, config_.min_bps);
  decreased_at_ = now;
  // A slow mean of the throughput at which queues began to grow, in kbps as the paper has it.
  const double sample = through / 1000;
  if (capacity_bps_ == 0) {
    capacity_bps_ = sample;
  } else {
    capacity_bps_ = 0.95 * capacity_bps_ + 0.05 * sample;
  }
  const double error = capacity_bps_ - sample;
  capacity_variance_ = 0.95 * capacity_variance_ + 0.05 * error * error / capacity_bps_;
  capacity_variance_ = std::clamp(capacity_variance_, 0.4, 2.5);
}

// --- loss
// -----------------------------------------------------------------------------------------

void BandwidthEstimator::update_loss(uint32_t received, uint32_t lost, MonoUs now) {
  if (window_started_ == 0) window_started_ = now;
  window_received_ += received;
  window_lost_ += lost;
  const uint32_t all = window_received_ + window_lost_;
  if (now - window_started_ < kLossWindowUs || all < kLossWindowPackets) return;
  loss_ = static_cast<double>(window_lost_) / all;
  const double elapsed_s =
      static_cast<double>(now - window_started_) / static_cast<double>(kUsPerSecond);
  window_received_ = window_lost_ = 0;
  window_started_ = now;
  if (loss_ > kLossHigh && now - loss_decreased_at_ > round_trip_ + 300 * kUsPerMs) {
    const auto base = static_cast<double>(std::min(delay_limit_bps_, loss_limit_bps_));
    loss_limit_bps_ = std::max(static_cast<int64_t>(base * (1 - 0.5 * loss_)), config_.min_bps);
    loss_decreased_at_ = now;
  } else if (loss_ < kLossLow && loss_limit_bps_ < config_.max_bps) {
    loss_limit_bps_ = static_cast<int64_t>(static_cast<double>(loss_limit_bps_) *
                                           std::pow(kIncreasePerSecond, elapsed_s));
    if (loss_limit_bps_ > 2 * delay_limit_bps_) loss_limit_bps_ = config_.max_bps;
  }
}

// --- probes
// ---------------------------------------------------------------------------------------

std::optional<Probe> BandwidthEstimator::take_probe(int64_t wanted_bps, MonoUs now) {
  if (remb_bps_ > 0) return std::nullopt;
  if (cluster_.id) {
    // Sent and never told about, or never sent.
    if (now - probed_at_ < kProbeTimeoutUs) return std::nullopt;
    cluster_ = {};
  }
  const int64_t estimate = estimate_bps();
  // Where nothing is sent, as when the only picture waits for room, nothing is told: then no queue
  // stands either, and a probe alone finds out.
  const bool told = now - changed_at_ < kQuietUs;
  const bool holds = told && (phase_ == Phase::kHold || loss_ > kLossHigh);
  if (wanted_bps <= estimate || holds) return std::nullopt;
  int64_t rate = 2 * estimate;
  if (startup_probes_ < kStartupProbes) {
    if (startup_probes_ == 0) rate = 3 * estimate;
    ++startup_probes_;
  } else if (const MonoUs wait = probe_wait();
             now - probed_at_ < wait ||
             now - decreased_at_ < std::min(wait, kProbeAfterDecreaseUs)) {
    return std::nullopt;
  }
  rate = std::min({rate, wanted_bps + wanted_bps / 4, config_.max_bps});
  probed_at_ = now;
  // What arrived when differs from flow to flow.
  const auto mixed = static_cast<uint64_t>(last_arrival_ ^ next_) * 0x9E3779B97F4A7C15ull;
  probe_spread_ = 75 + static_cast<int64_t>((mixed >> 32) % 50);
  if (++last_cluster_ == 0) last_cluster_ = 1;
  const int64_t bytes = std::max<int64_t>(rate / 8 * kProbeLengthUs / kUsPerSecond,
                                          kProbeMinPackets * kTypicalPacketBits / 8);
  cluster_ = {};
  cluster_.id = last_cluster_;
  cluster_.rate_bps = rate;
  cluster_.want_bytes = bytes;
  return Probe{cluster_.id, rate, bytes};
}

MonoUs BandwidthEstimator::probe_wait() const {
  const MonoUs even = estimate_bps() * kUsPerSecond / kProbedGrowthBps;
  return std::clamp(even, kProbeLeastUs, kProbeMostUs) * probe_spread_ / 100;
}

void BandwidthEstimator::on_probe_packet(const Sent& sent, MonoUs sent_at, MonoUs arrived_at) {
  Cluster& cluster = cluster_;
  if (cluster.packets == 0) {
    cluster.first_sent = sent_at;
    cluster.first_arrived = arrived_at;
    cluster.first_bytes = sent.bytes;
  }
  cluster.last_sent = std::max(cluster.last_sent, sent_at);
  cluster.last_arrived = std::max(cluster.last_arrived, arrived_at);
  cluster.last_bytes = sent.bytes;
  cluster.received_bytes += sent.bytes;
  ++cluster.packets;
  if (cluster.sent_bytes >= cluster.want_bytes &&
      cluster.received_bytes * 5 >= cluster.sent_bytes * 4 &&
      cluster.packets >= kProbeMinPackets - 1) {
    finish_probe();
  }
}

void BandwidthEstimator::finish_probe() {
  const Cluster cluster = cluster_;
  cluster_ = {};
  // A burst is sent at once; on a wide path it arrives within what feedback can tell apart (250
  // us).
  const MonoUs receive_us = std::max(cluster.last_arrived - cluster.first_arrived, kUsPerMs);
  const MonoUs send_us = std::max(cluster.last_sent - cluster.first_sent, kUsPerMs);
  const int64_t receive_bps =
      (cluster.received_bytes - cluster.first_bytes) * 8 * kUsPerSecond / receive_us;
  const int64_t send_bps =
      (cluster.received_bytes - cluster.last_bytes) * 8 * kUsPerSecond / send_us;
  if (receive_bps > 2 * send_bps) return;  // bunched on the way: says nothing
  int64_t result = std::min(receive_bps, send_bps);
  // It came slower than it was sent: that is the link, and a little less than it is safe.
  if (receive_bps < send_bps * 9 / 10) result = receive_bps * 95 / 100;
  result = std::min(result, cluster.rate_bps);
  // What was lost before, when the path was narrower, is no limit to what just came through.
  if (loss_ < kLossLow) loss_limit_bps_ = std::max(loss_limit_bps_, result);
  if (result <= delay_limit_bps_) return;
  delay_limit_bps_ = std::min(result, config_.max_bps);
  capacity_bps_ = 0;
}

}  // namespace footlight::sfu
