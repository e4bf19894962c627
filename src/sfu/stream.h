// One RTP stream of a publisher (one simulcast encoding, or a whole track): its recent packets,
// what was lost on the way and is asked for again, its reports, its layers' bit rates and its
// key-frame requests.
//
// Bounds: the ring's capacity in packets, kMaxMissing lost packets waited for. A gap longer than
// that is given up and a key frame is asked for instead.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/time.h"
#include "rtc/rtcp.h"
#include "rtc/sdp_answer.h"
#include "rtc/wire.h"
#include "sfu/packet.h"

namespace footlight::sfu {

// Bytes per layer, as rates over the last half second or so.
class LayerRates {
 public:
  void count(uint8_t spatial, uint8_t temporal, size_t bytes, MonoUs now);
  // Of all layers up to this one; 0 when nothing came of it lately.
  int64_t up_to_bps(uint8_t spatial, uint8_t temporal, MonoUs now) const;
  // The same, for who counts on from the next packet.
  LayerRates handed_on() const;
  uint8_t spatial_count() const { return spatial_count_; }
  uint8_t temporal_count() const { return temporal_count_; }

 private:
  static constexpr MonoUs kWindowUs = 500 * kUsPerMs;
  std::array<std::array<uint32_t, kMaxTemporal>, kMaxSpatial> bytes_{};
  std::array<std::array<int64_t, kMaxTemporal>, kMaxSpatial> bps_{};
  MonoUs window_started_ = -1;
  MonoUs counted_at_ = 0;
  uint8_t spatial_count_ = 1, temporal_count_ = 1;
};

struct StreamSpec {
  rtc::RtpCodec codec = rtc::RtpCodec::kOpus;
  uint32_t clock_rate = 48'000;
  bool nack = false;
  size_t ring_packets = 512;  // a power of two
};

struct StreamStats {
  uint64_t packets = 0, bytes = 0;
  uint64_t duplicates = 0;  // also too late for the ring
  uint64_t nacks_sent = 0, key_frame_requests = 0, key_frames = 0;
};

class IncomingStream {
 public:
  static constexpr size_t kMaxMissing = 256;
  static constexpr int kMaxNacks = 8;
  static constexpr MonoUs kKeyFrameIntervalUs = 400 * kUsPerMs;

  IncomingStream(const StreamSpec& spec, PacketPool& pool);

  // Takes a packet whose view and extensions are filled in. True: it is the ring's now, and its
  // sequence and payload information are filled in too. False: a duplicate; the caller keeps it.
  bool accept(Packet* packet, MonoUs now);
  // Of a copy, before accept(): the packet's sequence as it is counted at home. A copy that was not
  // watched for a while goes on from there.
  void count_as_home(int64_t sequence);
  Packet* find(int64_t sequence) const { return ring_.find(sequence); }

  void on_sender_report(const rtc::SenderInfo& info, MonoUs now);
  bool has_report() const { return report_.ntp != 0; }
  // The sender's wall clock for one of its timestamps, from its last report.
  std::optional<uint64_t> ntp_of(uint32_t timestamp) const;

  // The publisher's report, carried on to `now`; nullopt before it sent one.
  std::optional<rtc::SenderInfo> report_at(MonoUs now) const;

  // The block for our receiver report about this stream (RFC 3550 section 6.4.1).
  rtc::ReportBlock report_block(uint32_t ssrc, MonoUs now);
  // Fills in lost sequence numbers that are due to be asked for (again); ascending.
  size_t due_nacks(MonoUs now, MonoUs round_trip, std::span<uint16_t> out);
  bool is_missing_any() const { return missing_count_ > 0; }

  // Somebody needs a key frame. Requests are told to the publisher at most once per
  // kKeyFrameIntervalUs, and until one came.
  void request_key_frame() { key_frame_wanted_ = true; }
  bool take_key_frame_request(MonoUs now);
  MonoUs key_frame_deadline() const;

  const LayerRates& rates() const { return rates_; }
  const DependencyReader& dependencies() const { return dependencies_; }
  // The publisher said BYE: nothing more is waited for. Should it go on all the same, so does this.
  void rest() { heard_at_ = -kUsPerSecond; }
  bool active(MonoUs now) const { return now - heard_at_ < kUsPerSecond; }
  // Of a copy that had nothing yet: at home it is active and has these rates.
  void expect(const LayerRates& rates, MonoUs now);
  const StreamStats& stats() const { return stats_; }
  // Packets that never came, of all up to the newest.
  int64_t lost() const {
    if (stats_.packets == 0) return 0;
    const int64_t expected = unwrapper_.newest() - first_sequence_ + 1;
    return std::max<int64_t>(0, expected - static_cast<int64_t>(stats_.packets));
  }
  const StreamSpec& spec() const { return spec_; }

 private:
  struct Missing {
    int64_t sequence = 0;
    MonoUs asked_at = 0;
    int asked = 0;
  };
  void read_payload(Packet& packet);
  void note_arrival(int64_t sequence, uint32_t timestamp, MonoUs now);
  void note_gap(int64_t from, int64_t to, MonoUs now);
  void forget_missing(int64_t sequence);

  StreamSpec spec_;
  PacketRing ring_;
  rtc::SequenceUnwrapper unwrapper_;
  DependencyReader dependencies_;
  LayerRates rates_;
  StreamStats stats_;
  MonoUs heard_at_ = -kUsPerSecond;

  std::array<Missing, kMaxMissing> missing_{};  // ascending
  size_t missing_count_ = 0;

  rtc::SenderInfo report_;
  MonoUs reported_at_ = 0;
  int64_t first_sequence_ = 0;
  uint64_t expected_before_ = 0, received_before_ = 0;
  double jitter_ = 0;
  int64_t transit_ = 0;
  bool transit_known_ = false;

  bool key_frame_wanted_ = false;
  MonoUs key_frame_asked_at_ = -kKeyFrameIntervalUs;
};

}  // namespace footlight::sfu
