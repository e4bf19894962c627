// How much can be sent to one peer: an estimate from what the peer says arrived
// (transport-wide feedback), of the send side alone.
//
// Three signals: the delay gradient (trendline.h) steers an additive/multiplicative increase and a
// decrease to 0.9 and 0.85 of what gets through; loss over 10 % lowers it further; probes (short
// bursts above the estimate) let it jump up when the path carries more than is sent now.
//
// Bounds: kSentWindow packets are remembered (fewer while fewer are on their way); feedback about
// older ones is ignored. Nothing allocates but that window when it grows, twice at most. Times are
// of the sender's clock.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.h"
#include "rtc/rtcp.h"
#include "rtc/wire.h"
#include "sfu/trendline.h"

namespace footlight::sfu {

struct BandwidthConfig {
  int64_t start_bps = 500'000;
  int64_t min_bps = 40'000;
  int64_t max_bps = 30'000'000;
};

// A burst to be sent: `bytes` in packets at `rate_bps`, each recorded with `cluster`.
struct Probe {
  uint8_t cluster = 0;  // > 0
  int64_t rate_bps = 0;
  int64_t bytes = 0;
};

class BandwidthEstimator {
 public:
  static constexpr size_t kFirstSentWindow = 256, kSentWindow = 1024;

  explicit BandwidthEstimator(const BandwidthConfig& config = {});

  // The transport-wide number of the packet about to be sent. Kept over an ICE restart.
  uint16_t next_sequence() const { return static_cast<uint16_t>(next_); }
  // The packet with next_sequence() goes out: its size on the wire.
  void on_sent(size_t bytes, MonoUs now, uint8_t cluster = 0);
  // A transport feedback message of the peer. False: malformed.
  bool on_feedback(const rtc::RtcpPacket& packet, MonoUs now);
  // REMB of a peer without transport feedback: the estimate follows it.
  void on_remb(int64_t bitrate_bps);
  void set_round_trip(MonoUs round_trip) { round_trip_ = round_trip; }

  int64_t estimate_bps() const;
  // Of the packets told about in the last half second or more, 0..1.
  double loss() const { return loss_; }
  MonoUs round_trip() const { return round_trip_; }
  // What got through, per second; 0 until enough is known.
  int64_t acknowledged_bps() const { return acknowledged_bps_; }

  // A probe that should be sent now, when the streams would use `wanted_bps`; the caller sends all
  // of it soon or calls again later. A probe doubles, and the wait for the next one is the longer
  // the higher the estimate: so each flow gains about as much per second as any other, and those
  // that share a bottleneck come to share it evenly. The waits are spread, lest flows probe in step
  // and each takes the others' probes for a queue.
  std::optional<Probe> take_probe(int64_t wanted_bps, MonoUs now);

 private:
  struct Sent {                // one for each packet of the window: kept small
    uint32_t sent_at_low = 0;  // of the time in microseconds: an hour is told apart
    uint16_t bytes = 0;
    uint8_t cluster = 0;
    bool told = true;
    MonoUs sent_at(MonoUs now) const {
      return now - static_cast<MonoUs>(static_cast<uint32_t>(now) - sent_at_low);
    }
  };
  struct Cluster {
    uint8_t id = 0;
    int64_t rate_bps = 0;
    int64_t want_bytes = 0;
    int64_t sent_bytes = 0, received_bytes = 0;
    int32_t first_bytes = 0, last_bytes = 0;
    int packets = 0;
    MonoUs first_sent = 0, last_sent = 0, first_arrived = 0, last_arrived = 0;
    MonoUs started_at = 0;
  };
  void on_received(const Sent& sent, MonoUs sent_at, MonoUs arrived_at);
  void count_acknowledged(size_t bytes, MonoUs arrived_at);
  int64_t busy_bps() const;
  void on_probe_packet(const Sent& sent, MonoUs sent_at, MonoUs arrived_at);
  void finish_probe();
  void widen_window();
  MonoUs probe_wait() const;
  void update_delay_limit(MonoUs now);
  void increase(MonoUs now);
  void decrease(MonoUs now);
  void update_loss(uint32_t received, uint32_t lost, MonoUs now);
  MonoUs unwrap_arrival(MonoUs arrived_at);

  BandwidthConfig config_;
  std::vector<Sent> sent_{kFirstSentWindow};
  int64_t next_ = 1;
  Trendline trendline_;

  enum class Phase : uint8_t { kHold, kIncrease } phase_ = Phase::kIncrease;
  int64_t delay_limit_bps_;
  int64_t loss_limit_bps_;
  int64_t remb_bps_ = 0;
  double capacity_bps_ = 0, capacity_variance_ = 0.4;  // of the link; 0: unknown
  MonoUs changed_at_ = 0, decreased_at_ = 0;
  MonoUs round_trip_ = 200 * kUsPerMs;

  // Throughput: bytes by arrival in buckets of 50 ms.
  static constexpr MonoUs kBucketUs = 50 * kUsPerMs;
  std::array<uint32_t, 10> buckets_{};
  int64_t bucket_ = -1, first_bucket_ = -1;
  int64_t acknowledged_bps_ = 0;
  MonoUs arrival_offset_ = 0, last_arrival_ = 0;
  bool arrival_started_ = false;

  uint32_t window_received_ = 0, window_lost_ = 0;
  MonoUs window_started_ = 0, loss_decreased_at_ = 0;
  double loss_ = 0;

  Cluster cluster_;
  uint8_t last_cluster_ = 0;
  int startup_probes_ = 0;
  MonoUs probed_at_ = -kUsPerSecond * 60;
  int64_t probe_spread_ = 100;  // percent of the wait for the next one
};

}  // namespace footlight::sfu
