// What comes from the node, put in order and on one clock: packets by sequence, with a bounded wait
// for those that are missing, and timestamps to the moment at which a voice is heard and a picture
// is seen.
//
// A person's voice and picture are brought in step by the sender reports (RFC 3550 section 6.4.1).
// The person's clock is laid on ours so that the fastest packet of the last seconds is played
// `delay` after it came; the delay follows how far packets spread, between kLeastUs and kMostUs: up
// at once, down slowly. Until both streams have reports, each is laid on our clock by itself. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "media/frames.h"
#include "rtc/rtcp.h"
#include "rtc/rtp.h"

namespace footlight::media {

// Packets of one stream in order. What is missing is waited for kWaitUs; it holds kMost packets at
// most and gives the oldest out when it is full.
class LiveOrder {
 public:
  static constexpr MonoUs kWaitUs = 90 * kUsPerMs;
  static constexpr size_t kMost = 512;
  struct Packet {
    int64_t sequence = 0;
    MonoUs arrived_us = 0;
    Bytes bytes;
  };
  // False: it is no RTP packet.
  bool push(ByteView bytes, MonoUs now);
  // The next one, or nothing before a missing one comes or is given up.
  std::optional<Packet> pop(MonoUs now);
  uint64_t lost() const { return lost_; }

 private:
  std::vector<Packet> waiting_;  // ascending
  rtc::SequenceUnwrapper sequences_;
  int64_t next_ = 0;
  bool any_ = false;
  uint64_t lost_ = 0;
};

// The least value of the last 8 s, in buckets of one second.
class SlidingLeast {
 public:
  void add(int64_t value, MonoUs now);
  bool any() const { return any_; }
  int64_t least() const;

 private:
  struct Bucket {
    int64_t second = INT64_MIN, least = INT64_MAX;
  };
  std::array<Bucket, 8> buckets_;
  bool any_ = false;
};

// One person's clock.
class PlayoutClock {
 public:
  static constexpr MonoUs kLeastUs = 60 * kUsPerMs, kMostUs = 500 * kUsPerMs;
  enum Which : size_t { kVoice, kPicture };

  void set_rate(Which which, uint32_t clock_rate) { streams_[which].rate = clock_rate; }
  // A stream begins anew: another publisher, another SSRC.
  void reset(Which which);
  void on_report(Which which, const rtc::SenderInfo& info);
  // A packet with `timestamp` came; `complete`: its frame is whole with it.
  void on_packet(Which which, uint32_t timestamp, MonoUs now);
  // When what has this timestamp is due, on the clock of `now`.
  MonoUs due(Which which, uint32_t timestamp) const;
  MonoUs delay() const { return delay_us_; }

 private:
  struct Stream {
    uint32_t rate = 0;
    TimestampUnwrapper timestamps;
    std::optional<int64_t> reported_ticks, reported_us;
    SlidingLeast own, shared;  // arrival minus time, by the timestamp alone and by the report
  };
  static int64_t own_time(const Stream& stream, int64_t ticks);
  static int64_t report_time(const Stream& stream, int64_t ticks);
  bool shared() const;
  int64_t base(const Stream& stream) const;

  std::array<Stream, 2> streams_;
  MonoUs delay_us_ = 2 * kLeastUs;
  MonoUs eased_at_ = 0;
};

}  // namespace footlight::media
