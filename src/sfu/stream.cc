#include "sfu/stream.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "sfu/subscriber.h"

namespace footlight::sfu {
namespace {

constexpr MonoUs kReorderUs = 10 * kUsPerMs;  // a gap this young may be mere reordering
constexpr MonoUs kMinNackIntervalUs = 20 * kUsPerMs;
constexpr MonoUs kRateFreshUs = kUsPerSecond;

}  // namespace

void LayerRates::count(uint8_t spatial, uint8_t temporal, size_t bytes, MonoUs now) {
  if (window_started_ < 0) window_started_ = now;
  const MonoUs elapsed = now - window_started_;
  if (elapsed >= kWindowUs) {
    for (size_t s = 0; s < kMaxSpatial; ++s) {
      for (size_t t = 0; t < kMaxTemporal; ++t) {
        const int64_t sample = int64_t{bytes_[s][t]} * 8 * kUsPerSecond / elapsed;
        bps_[s][t] = bps_[s][t] == 0 ? sample : (bps_[s][t] + sample) / 2;
        bytes_[s][t] = 0;
      }
    }
    window_started_ = now;
  }
  bytes_[spatial][temporal] += static_cast<uint32_t>(bytes);
  counted_at_ = now;
  spatial_count_ = std::max<uint8_t>(spatial_count_, spatial + 1);
  temporal_count_ = std::max<uint8_t>(temporal_count_, temporal + 1);
}

int64_t LayerRates::up_to_bps(uint8_t spatial, uint8_t temporal, MonoUs now) const {
  if (now - counted_at_ > kRateFreshUs) return 0;
  int64_t sum = 0;
  for (size_t s = 0; s <= spatial && s < kMaxSpatial; ++s) {
    for (size_t t = 0; t <= temporal && t < kMaxTemporal; ++t) sum += bps_[s][t];
  }
  return sum;
}

LayerRates LayerRates::handed_on() const {
  LayerRates out = *this;
  out.bytes_ = {};
  out.window_started_ = -1;
  return out;
}

IncomingStream::IncomingStream(const StreamSpec& spec, PacketPool& pool)
    : spec_(spec), ring_(pool, spec.ring_packets) {}

void IncomingStream::read_payload(Packet& packet) {
  const ByteView payload = packet.view.payload();
  packet.info = {};
  switch (spec_.codec) {
    case rtc::RtpCodec::kVp8:
      if (read_vp8(payload, packet.vp8)) {
        packet.info.frame_start = packet.vp8.start;
        packet.info.key_frame = packet.vp8.key_frame;
        packet.info.temporal = packet.vp8.temporal;
        packet.info.switching_point = packet.vp8.layer_sync;
      } else {
        packet.vp8 = {};
      }
      break;
    case rtc::RtpCodec::kVp9:
      packet.info = read_vp9(payload);
      break;
    case rtc::RtpCodec::kH264:
      packet.info = read_h264(payload);
      break;
    case rtc::RtpCodec::kAv1:
      packet.info = read_av1(payload);
      break;
    default:
      return;
  }
  const ByteView descriptor = packet.extensions[rtc::RtpExtension::kDependencyDescriptor];
  if (spec_.codec != rtc::RtpCodec::kAv1 || descriptor.empty()) return;
  const auto frame = dependencies_.read(descriptor);
  if (!frame) return;
  packet.info.frame_start = frame->start;
  packet.info.frame_end = frame->end;
  packet.info.key_frame = frame->start && frame->structure && frame->spatial == 0;
  packet.info.spatial = std::min<uint8_t>(frame->spatial, kMaxSpatial - 1);
  packet.info.temporal = std::min<uint8_t>(frame->temporal, kMaxTemporal - 1);
  packet.info.decode_targets = frame->decode_targets;
  packet.info.switching_point = frame->switch_targets != 0;
}

bool IncomingStream::accept(Packet* packet, MonoUs now) {
  packet->sequence = unwrapper_.peek(packet->view.sequence);
  packet->arrived_at = now;
  if (unwrapper_.started() &&
      packet->sequence + static_cast<int64_t>(ring_.capacity()) <= unwrapper_.newest()) {
    ++stats_.duplicates;
    return false;
  }
  read_payload(*packet);
  const int64_t sequence = packet->sequence;
  const bool key_frame = packet->info.key_frame;
  if (!ring_.insert(packet)) {
    ++stats_.duplicates;
    return false;
  }
  note_arrival(sequence, packet->view.timestamp, now);
  ++stats_.packets;
  stats_.bytes += packet->view.bytes.size();
  heard_at_ = now;
  // What it takes of a path, as the estimate counts: of a voice a third is headers and tag.
  rates_.count(packet->info.spatial, packet->info.temporal,
               packet->view.bytes.size() + Subscriber::kOverheadBytes, now);
  if (key_frame) {
    ++stats_.key_frames;
    key_frame_wanted_ = false;
  }
  return true;
}

void IncomingStream::count_as_home(int64_t sequence) {
  constexpr int64_t kFar = 0x4000;  // beyond which 16 bits may not say which cycle it is
  if (unwrapper_.started() && sequence - unwrapper_.newest() < kFar) return;
  unwrapper_.start_at(sequence - 1);
  first_sequence_ = sequence;
}

void IncomingStream::expect(const LayerRates& rates, MonoUs now) {
  if (active(now)) return;  // it knows better by now
  rates_ = rates;
  heard_at_ = now;
}

void IncomingStream::note_arrival(int64_t sequence, uint32_t timestamp, MonoUs now) {
  if (!unwrapper_.started()) {
    first_sequence_ = sequence;
  } else if (sequence > unwrapper_.newest() + 1) {
    note_gap(unwrapper_.newest() + 1, sequence, now);
  } else if (sequence < unwrapper_.newest()) {
    forget_missing(sequence);
  }
  first_sequence_ = std::min(first_sequence_, sequence);
  unwrapper_.unwrap(static_cast<uint16_t>(sequence));
  // RFC 3550 appendix A.8, in timestamp units.
  const int64_t arrival = now * static_cast<int64_t>(spec_.clock_rate) / kUsPerSecond;
  const int64_t transit = static_cast<int32_t>(static_cast<uint32_t>(arrival) - timestamp);
  if (transit_known_) {
    const auto change = static_cast<double>(std::abs(transit - transit_));
    if (change < spec_.clock_rate) jitter_ += (change - jitter_) / 16;
  }
  transit_ = transit;
  transit_known_ = true;
}

void IncomingStream::note_gap(int64_t from, int64_t to, MonoUs now) {
  if (!spec_.nack) return;
  if (to - from + static_cast<int64_t>(missing_count_) > static_cast<int64_t>(kMaxMissing)) {
    missing_count_ = 0;
    request_key_frame();
    return;
  }
  for (int64_t sequence = from; sequence < to; ++sequence) {
    missing_[missing_count_++] = {sequence, now, 0};
  }
}

void IncomingStream::forget_missing(int64_t sequence) {
  const auto end = missing_.begin() + static_cast<ptrdiff_t>(missing_count_);
  const auto found =
      std::find_if(missing_.begin(), end, [&](const Missing& m) { return m.sequence == sequence; });
  if (found == end) return;
  std::copy(found + 1, end, found);
  --missing_count_;
}

size_t IncomingStream::due_nacks(MonoUs now, MonoUs round_trip, std::span<uint16_t> out) {
  size_t count = 0, kept = 0;
  bool given_up = false;
  const MonoUs interval = std::max(round_trip, kMinNackIntervalUs);
  for (size_t i = 0; i < missing_count_; ++i) {
    Missing missing = missing_[i];
    const bool due = now - missing.asked_at >= (missing.asked == 0 ? kReorderUs : interval);
    if (due && missing.asked == kMaxNacks) {
      given_up = true;
      continue;
    }
    if (due && count < out.size()) {
      out[count++] = static_cast<uint16_t>(missing.sequence);
      missing.asked_at = now;
      ++missing.asked;
    }
    missing_[kept++] = missing;
  }
  missing_count_ = kept;
  stats_.nacks_sent += count;
  if (given_up && spec_.clock_rate == 90'000) request_key_frame();
  return count;
}

void IncomingStream::on_sender_report(const rtc::SenderInfo& info, MonoUs now) {
  report_ = info;
  reported_at_ = now;
}

std::optional<uint64_t> IncomingStream::ntp_of(uint32_t timestamp) const {
  if (!has_report()) return std::nullopt;
  const auto delta = static_cast<int32_t>(timestamp - report_.rtp_timestamp);
  const double seconds = static_cast<double>(delta) / spec_.clock_rate;
  return report_.ntp + static_cast<uint64_t>(static_cast<int64_t>(seconds * 4294967296.0));
}

std::optional<rtc::SenderInfo> IncomingStream::report_at(MonoUs now) const {
  if (!has_report()) return std::nullopt;
  rtc::SenderInfo info = report_;
  const MonoUs elapsed = now - reported_at_;
  info.ntp += static_cast<uint64_t>(static_cast<double>(elapsed) / 1e6 * 4294967296.0);
  info.rtp_timestamp +=
      static_cast<uint32_t>(elapsed * static_cast<int64_t>(spec_.clock_rate) / kUsPerSecond);
  return info;
}

rtc::ReportBlock IncomingStream::report_block(uint32_t ssrc, MonoUs now) {
  rtc::ReportBlock block;
  block.ssrc = ssrc;
  const auto expected = static_cast<uint64_t>(unwrapper_.newest() - first_sequence_ + 1);
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
  if (has_report()) {
    block.last_sr = static_cast<uint32_t>(report_.ntp >> 16);
    block.delay_since_last_sr = static_cast<uint32_t>((now - reported_at_) * 65'536 / kUsPerSecond);
  }
  return block;
}

bool IncomingStream::take_key_frame_request(MonoUs now) {
  if (!key_frame_wanted_ || now - key_frame_asked_at_ < kKeyFrameIntervalUs) return false;
  key_frame_asked_at_ = now;
  ++stats_.key_frame_requests;
  return true;
}

MonoUs IncomingStream::key_frame_deadline() const {
  return key_frame_wanted_ ? key_frame_asked_at_ + kKeyFrameIntervalUs : kNever;
}

}  // namespace footlight::sfu
