#include "ops/media_meter.h"

#include <algorithm>
#include <cstdlib>

namespace footlight::ops {
namespace {

constexpr MonoUs kReorderUs = 5 * kUsPerMs;      // so young a gap may be mere reordering
constexpr MonoUs kLeastAgainUs = 15 * kUsPerMs;  // doubled each time
constexpr MonoUs kMostAgainUs = 250 * kUsPerMs;

}  // namespace

bool StreamMeter::accept(const MeterPacket& packet, MonoUs now) {
  const bool first = !unwrapper_.started();
  const int64_t newest = unwrapper_.newest();
  const int64_t sequence = unwrapper_.unwrap(packet.sequence);
  if (find(sequence) || (!first && sequence + static_cast<int64_t>(kWindow) <= newest)) {
    ++stats_.duplicates;
    return false;
  }
  if (first) first_ = next_ = sequence;
  slots_[static_cast<size_t>(sequence) % kWindow] = {sequence, packet.start, packet.key, packet.end,
                                                     packet.filler};
  if (!first && sequence > newest + 1) note_gap(newest + 1, sequence, now);
  if (!first && sequence < newest) note_arrival(sequence);
  ++stats_.packets;
  stats_.bytes += packet.bytes;
  // RFC 3550 appendix A.8, in timestamp units.
  const int64_t rate = video_ ? 90'000 : 48'000;
  const auto arrival = static_cast<uint32_t>(now * rate / kUsPerSecond);
  const int64_t transit = static_cast<int32_t>(arrival - packet.timestamp);
  const auto change = static_cast<double>(std::abs(transit - transit_));
  if (transit_known_ && change < static_cast<double>(rate)) jitter_ += (change - jitter_) / 16;
  transit_ = transit;
  transit_known_ = true;
  play(now);
  return true;
}

void StreamMeter::note_gap(int64_t from, int64_t to, MonoUs now) {
  stats_.gaps += static_cast<uint64_t>(to - from);
  if (to - from > static_cast<int64_t>(kMaxMissing - missing_count_)) {
    missing_count_ = 0;  // more than can be repaired
    return;
  }
  for (int64_t sequence = from; sequence < to; ++sequence) {
    missing_[missing_count_++] = {sequence, now, 0, 0};
  }
}

// A packet that came late, or again; one from before the first was never missed.
void StreamMeter::note_arrival(int64_t sequence) {
  if (sequence < first_) {
    first_ = sequence;
    return;
  }
  ++stats_.repaired;
  const auto end = missing_.begin() + static_cast<ptrdiff_t>(missing_count_);
  const auto found =
      std::find_if(missing_.begin(), end, [&](const Missing& m) { return m.sequence == sequence; });
  if (found == end) return;
  std::copy(found + 1, end, found);
  --missing_count_;
}

// Takes what is there in order.
void StreamMeter::play(MonoUs now) {
  while (const Slot* slot = find(next_)) {
    ++next_;
    stuck_us_ = -1;
    if (slot->filler) continue;
    if (!in_frame_) {
      frame_key_ = slot->key;
      frame_good_ = slot->start && (slot->key || whole_);
      in_frame_ = true;
    }
    if (!slot->end) continue;
    in_frame_ = false;
    whole_ = frame_good_;
    if (frame_good_) on_frame(frame_key_, now);
  }
  if (next_ <= unwrapper_.newest() && stuck_us_ < 0) stuck_us_ = now;
  if (stuck_us_ >= 0 && now - stuck_us_ >= kGiveUpUs) pass_over(now);
}

// On to the next key frame that is there; a voice goes on with whatever comes next.
void StreamMeter::pass_over(MonoUs now) {
  int64_t at = std::max(next_ + 1, unwrapper_.newest() - static_cast<int64_t>(kWindow) + 1);
  for (; at <= unwrapper_.newest(); ++at) {
    const Slot* slot = find(at);
    if (slot && slot->start && slot->key) break;
  }
  next_ = at;
  in_frame_ = whole_ = false;
  stuck_us_ = -1;
  while (missing_count_ > 0 && missing_[0].sequence < next_) {
    std::copy(missing_.begin() + 1, missing_.begin() + static_cast<ptrdiff_t>(missing_count_),
              missing_.begin());
    --missing_count_;
  }
  play(now);
}

void StreamMeter::on_frame(bool key, MonoUs now) {
  ++stats_.frames;
  stats_.key_frames += video_ && key;
  if (stats_.first_frame_us == 0) stats_.first_frame_us = now;
  if (frame_us_ != 0 && now - frame_us_ > kFreezeUs) {
    ++stats_.freezes;
    stats_.frozen_us += now - frame_us_;
  }
  frame_us_ = now;
}

size_t StreamMeter::due_nacks(MonoUs now, MonoUs round_trip_us, std::span<uint16_t> out) {
  if (stuck_us_ >= 0 && now - stuck_us_ >= kGiveUpUs) pass_over(now);
  size_t count = 0, kept = 0;
  const MonoUs first = std::max(round_trip_us * 3 / 2, kLeastAgainUs);
  for (size_t i = 0; i < missing_count_; ++i) {
    Missing missing = missing_[i];
    // Ever more slowly: a way that is full takes longer than it did.
    const MonoUs again = std::min(first << std::min(missing.asked, 5), kMostAgainUs);
    const bool due =
        missing.asked == 0 ? now - missing.since_us >= kReorderUs : now - missing.asked_us >= again;
    if (due && missing.asked == kMaxNacks) continue;
    if (due && count < out.size()) {
      out[count++] = static_cast<uint16_t>(missing.sequence);
      missing.asked_us = now;
      ++missing.asked;
    }
    missing_[kept++] = missing;
  }
  missing_count_ = kept;
  stats_.nacks += count;
  return count;
}

// While a gap may still be repaired, nothing is asked for.
bool StreamMeter::take_key_frame_request(MonoUs now) {
  if (!video_ || whole_ || in_frame_ || !unwrapper_.started()) return false;
  if (stuck_us_ >= 0 && stats_.frames > 0) return false;
  if (now - key_asked_us_ < kKeyFrameIntervalUs) return false;
  key_asked_us_ = now;
  ++stats_.key_frames_asked;
  return true;
}

void StreamMeter::on_sender_report(const rtc::SenderInfo& info, MonoUs now) {
  report_ = info;
  reported_us_ = now;
}

rtc::ReportBlock StreamMeter::report_block(uint32_t ssrc, MonoUs now) {
  rtc::ReportBlock block;
  block.ssrc = ssrc;
  const auto expected = static_cast<uint64_t>(unwrapper_.newest() - first_ + 1);
  const uint64_t expected_now = expected - expected_before_;
  const uint64_t received_now = stats_.packets - received_before_;
  expected_before_ = expected;
  received_before_ = stats_.packets;
  if (expected_now > received_now) {
    block.fraction_lost = static_cast<uint8_t>(
        std::min<uint64_t>(255, (expected_now - received_now) * 256 / expected_now));
  }
  block.cumulative_lost = static_cast<int32_t>(expected - stats_.packets);
  // The unwrapper starts one cycle above zero; the report counts cycles from zero.
  block.highest_sequence = static_cast<uint32_t>(unwrapper_.newest() - 0x10000);
  block.jitter = static_cast<uint32_t>(jitter_);
  if (reported_us_ != 0) {
    block.last_sr = static_cast<uint32_t>(report_.ntp >> 16);
    block.delay_since_last_sr = static_cast<uint32_t>((now - reported_us_) * 65'536 / kUsPerSecond);
  }
  return block;
}

void StreamMeter::reset() { before_ = stats_; }

MeterStats StreamMeter::stats(MonoUs now) const {
  MeterStats stats = stats_;
  stats.packets -= before_.packets;
  stats.bytes -= before_.bytes;
  stats.duplicates -= before_.duplicates;
  stats.gaps -= before_.gaps;
  stats.repaired -= before_.repaired;
  stats.nacks -= before_.nacks;
  stats.key_frames_asked -= before_.key_frames_asked;
  stats.frames -= before_.frames;
  stats.key_frames -= before_.key_frames;
  stats.freezes -= before_.freezes;
  stats.frozen_us -= before_.frozen_us;
  if (frame_us_ != 0 && now - frame_us_ > kFreezeUs) {
    ++stats.freezes;
    stats.frozen_us += now - frame_us_;
  }
  return stats;
}

}  // namespace footlight::ops
