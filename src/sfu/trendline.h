// Does the queue before the bottleneck grow? Packets are grouped into bursts; the one-way delay
// variation between bursts is summed, smoothed and fitted by a line; a slope above an adaptive
// threshold means overuse.
//
// After Carlucci, De Cicco, Holmer, Mascolo: "Congestion Control for Web Real-Time Communication"
// (IEEE/ACM ToN 2017) and draft-ietf-rmcat-gcc-02 section 5, with the line fit in place of the
// Kalman filter.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace footlight::sfu {

enum class LinkUsage : uint8_t { kNormal, kOver, kUnder };

class Trendline {
 public:
  // A packet that arrived; in the order of sending. Times are of two clocks that need not agree.
  void on_packet(MonoUs sent_at, MonoUs arrived_at);
  LinkUsage usage() const { return usage_; }
  // How much later a packet arrives for each unit of time: 0.1 is a path that carries ten elevenths
  // of what is sent on it by all.
  double gradient() const { return previous_slope_; }

 private:
  static constexpr size_t kWindow = 20;
  struct Group {
    MonoUs first_sent = 0, last_sent = 0, last_arrived = 0;
    bool started = false;
  };
  struct Sample {
    double time_ms = 0, delay_ms = 0;
  };
  bool same_group(MonoUs sent_at, MonoUs arrived_at) const;
  void on_groups(const Group& before, const Group& after);
  double slope() const;
  void detect(double trend, double fitted, double send_delta_ms);
  void adapt(double trend, MonoUs arrived_at);

  Group current_, previous_;
  std::array<Sample, kWindow> samples_{};
  size_t sample_count_ = 0;
  int64_t delta_count_ = 0;
  double accumulated_ms_ = 0, smoothed_ms_ = 0;
  double threshold_ = 12.5;
  double previous_slope_ = 0;
  double over_ms_ = -1;
  int over_count_ = 0;
  MonoUs first_arrival_ = 0, adapted_at_ = 0;
  LinkUsage usage_ = LinkUsage::kNormal;
};

}  // namespace footlight::sfu
