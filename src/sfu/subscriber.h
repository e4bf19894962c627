// Everything on its way to one peer: its subscriptions, the estimate of what can be sent, the share
// of each track in it, pacing, probing, and answers to the peer's feedback.
//
// Audio is never queued: it goes out as it comes, before any video of the same turn. Video beyond
// the pacing budget waits in a queue of kMaxQueue packets and leaves it in order; when the queue is
// full the oldest goes (the peer asks for it again or for a key frame).
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/time.h"
#include "sfu/allocation.h"
#include "sfu/bandwidth.h"
#include "sfu/speakers.h"
#include "sfu/subscription.h"
#include "sfu/track.h"

namespace footlight::sfu {

inline constexpr uint32_t kOurSsrc = 1;  // in reports: we send no stream of our own

// Where packets go: the transport of the peer. Both views are valid during the call only.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void send_rtp(ByteView head, ByteView payload) = 0;
  virtual void send_rtcp(ByteView compound) = 0;
};

// What a subscriber wants of one track.
struct WatchOptions {
  uint8_t priority = 100;    // among the tracks of this subscriber
  Layer max{255, 255, 255};  // no better than this
  bool paused = false;
};

struct Watch {
  Track* track = nullptr;
  Subscription subscription;
  WatchOptions options;
  MonoUs reported_at = 0;
};

struct SubscriberStats {
  uint64_t packets = 0, bytes = 0;
  uint64_t probe_packets = 0, queue_drops = 0;
  size_t queued = 0;
};

class Subscriber {
 public:
  static constexpr size_t kMaxWatches = 128;
  static constexpr size_t kMaxQueue = 256;
  // The send times and sizes that pacing takes into account beyond the packet itself.
  static constexpr size_t kOverheadBytes = 16 + 28;  // tag, UDP and IP

  Subscriber(Sink& sink, const BandwidthConfig& config) : sink_(sink), estimator_(config) {}

  // kTrackLimit, kTrackExists. An SSRC that carried another track before goes on where that one
  // stopped.
  Status watch(Track& track, const OutgoingSpec& spec, const WatchOptions& options);
  void unwatch(const Track& track);
  bool set_options(const Track& track, const WatchOptions& options);
  Watch* find(const Track& track);
  // More is known of the track: layers are shared out with the next on_time().
  void choose_anew(const Track& track);

  // Has the memory that forward() reads first on its way into the cache.
  void prefetch() const;
  // Forwards the packets of one turn. Call flush_video after all audio went.
  void forward(Track& track, MonoUs now);
  // Feedback of the peer; false when one of the packets was malformed.
  bool on_rtcp(ByteView compound, MonoUs now);
  // Reports, allocation, the paced queue, probes. Call every few milliseconds while active.
  void on_time(const Speakers& speakers, MonoUs now);

  const BandwidthEstimator& estimator() const { return estimator_; }
  const std::vector<std::unique_ptr<Watch>>& watches() const { return watches_; }
  const SubscriberStats& stats() const { return stats_; }
  int64_t allocated_bps() const { return allocated_bps_; }

 private:
  struct Queued {
    Watch* watch = nullptr;  // nullptr: its watch is gone
    int64_t sequence : 56 = 0;
    uint64_t encoding : 8 = 0;
  };
  void send(Watch& watch, uint8_t encoding, const Packet& packet, MonoUs now);
  void put_out(const Outgoing& outgoing, MonoUs now, uint8_t cluster);
  void enqueue(Watch& watch, uint8_t encoding, int64_t sequence);
  void drain(MonoUs now);
  void refill(MonoUs now);
  void on_extended_report(const rtc::RtcpPacket& packet, MonoUs now);
  void on_nack(const rtc::RtcpPacket& packet, MonoUs now);
  void on_reports(const rtc::RtcpPacket& packet, MonoUs now);
  void on_payload_feedback(const rtc::RtcpPacket& packet);
  Watch* by_ssrc(uint32_t ssrc);
  void allocate_layers(const Speakers& speakers, MonoUs now);
  void report_due(MonoUs now);
  int64_t probed_for_bps() const { return wanted_bps_ + wanted_bps_ / 5; }
  bool describe(const Watch& watch, const Speakers& speakers, MonoUs now, Demand& demand) const;
  void apply(size_t index, int chosen, const Demand& demand, MonoUs now);
  void report(Watch& watch, MonoUs now);
  void probe(MonoUs now);

  Sink& sink_;
  // Until then on_time() has nothing to do unless something happens: of many subscribers most rest,
  // and are not even read.
  MonoUs rests_until_ = 0;
  size_t found_at_ = 0;  // where find() found the last one
  BandwidthEstimator estimator_;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::vector<Subscription::Place> places_;  // of SSRCs that carry nothing now

  std::vector<Queued> queue_;  // kMaxQueue, from the first packet on that had to wait
  size_t queue_first_ = 0, queue_size_ = 0;
  double budget_bytes_ = 0;
  MonoUs refilled_at_ = 0;

  std::vector<Demand> demands_, careful_;
  MonoUs allocated_at_ = -kUsPerSecond;
  MonoUs reports_at_ = 0;
  MonoUs timed_at_ = -kUsPerSecond;  // the last answer to a receiver's reference time
  int64_t allocated_for_bps_ = 0, allocated_bps_ = 0, wanted_bps_ = 0;
  std::array<uint8_t, Subscription::kHeadBytes> head_;
  SubscriberStats stats_;
};

}  // namespace footlight::sfu
