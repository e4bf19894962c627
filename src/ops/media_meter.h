// One received stream as a player would have it, without playing it: which packets came, which are
// asked for again, which frames can be decoded, and how long a picture stood still.
//
// A frame is decoded when all its packets are there and it is a key frame, or the frame before it
// was decoded. What stays missing for kGiveUpUs is passed over, to the next key frame.
//
// Pure, one thread. Bounds: kWindow packets looked back on, kMaxMissing waited for.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/time.h"
#include "rtc/rtcp.h"
#include "rtc/wire.h"

namespace footlight::ops {

// A packet's part in its frame. A voice packet is a frame of its own.
struct MeterPacket {
  uint16_t sequence = 0;
  uint32_t timestamp = 0;
  size_t bytes = 0;
  bool start = true, key = true, end = true;
  bool filler = false;  // padding alone: of no frame
};

struct MeterStats {
  uint64_t packets = 0, bytes = 0;  // without duplicates
  uint64_t duplicates = 0;
  uint64_t gaps = 0;      // packets that were missing when a later one came
  uint64_t repaired = 0;  // of those, came after all
  uint64_t nacks = 0, key_frames_asked = 0;
  uint64_t frames = 0, key_frames = 0;  // decoded
  uint64_t freezes = 0;                 // times that no frame came for kFreezeUs
  MonoUs frozen_us = 0;                 // ... all of them together
  MonoUs first_frame_us = 0;            // when the first frame was decoded; 0: none was
  uint64_t lost() const { return gaps - std::min(gaps, repaired); }
};

class StreamMeter {
 public:
  static constexpr size_t kWindow = 512;  // a power of two
  static constexpr size_t kMaxMissing = 128;
  static constexpr int kMaxNacks = 10;
  static constexpr MonoUs kFreezeUs = 500 * kUsPerMs;
  static constexpr MonoUs kGiveUpUs = 400 * kUsPerMs;
  static constexpr MonoUs kKeyFrameIntervalUs = 400 * kUsPerMs;

  explicit StreamMeter(bool video) : video_(video), slots_(kWindow) {}
  bool video() const { return video_; }

  // False: a duplicate, or too old.
  bool accept(const MeterPacket& packet, MonoUs now);
  // What is missing and due to be asked for (again), ascending.
  size_t due_nacks(MonoUs now, MonoUs round_trip_us, std::span<uint16_t> out);
  // Whether a key frame is to be asked for now.
  bool take_key_frame_request(MonoUs now);
  bool waits() const { return missing_count_ > 0 || (video_ && !whole_); }

  void on_sender_report(const rtc::SenderInfo& info, MonoUs now);
  rtc::ReportBlock report_block(uint32_t ssrc, MonoUs now);

  // A picture that stands still now counts as well.
  MeterStats stats(MonoUs now) const;
  // From here on is counted anew; when the first frame came stays known.
  void reset();

 private:
  struct Slot {
    int64_t sequence = -1;
    bool start = false, key = false, end = false, filler = false;
  };
  struct Missing {
    int64_t sequence = 0;
    MonoUs since_us = 0, asked_us = 0;
    int asked = 0;
  };
  const Slot* find(int64_t sequence) const {
    const Slot& slot = slots_[static_cast<size_t>(sequence) % kWindow];
    return slot.sequence == sequence ? &slot : nullptr;
  }
  void note_gap(int64_t from, int64_t to, MonoUs now);
  void note_arrival(int64_t sequence);
  void play(MonoUs now);
  void pass_over(MonoUs now);
  void on_frame(bool key, MonoUs now);

  bool video_;
  std::vector<Slot> slots_;
  rtc::SequenceUnwrapper unwrapper_;
  int64_t first_ = 0;
  int64_t next_ = -1;      // the first packet that was not played
  bool in_frame_ = false;  // packets of the frame under way were played
  bool frame_key_ = false;
  bool frame_good_ = false;  // the frame under way can be decoded if it gets whole
  bool whole_ = false;       // the last frame was decoded
  MonoUs stuck_us_ = -1;     // since when `next_` is missing
  MonoUs frame_us_ = 0;      // of the last decoded frame
  std::array<Missing, kMaxMissing> missing_{};  // ascending
  size_t missing_count_ = 0;
  MonoUs key_asked_us_ = -kKeyFrameIntervalUs;
  rtc::SenderInfo report_;
  MonoUs reported_us_ = 0;
  uint64_t expected_before_ = 0, received_before_ = 0;
  double jitter_ = 0;
  int64_t transit_ = 0;
  bool transit_known_ = false;
  MeterStats stats_, before_;  // all; until the last reset()
};

}  // namespace footlight::ops
