#include "media/playout.h"

#include <algorithm>

namespace footlight::media {
namespace {

constexpr int64_t kStepUs = kUsPerSecond;    // nothing on the way takes so long
constexpr MonoUs kMarginUs = 30 * kUsPerMs;  // of decoding, and of ticks of 33 ms

constexpr MonoUs kEaseUs = 4 * kUsPerMs;  // a second: a voice follows 5 ms a second without a jump

// UQ32.32 seconds to microseconds; only differences matter.
int64_t ntp_us(uint64_t ntp) {
  return static_cast<int64_t>((ntp >> 32) * 1'000'000 + ((ntp & 0xFFFFFFFF) * 1'000'000 >> 32));
}

int64_t ticks_to_us(int64_t ticks, uint32_t rate) {
  return rate == 0 ? 0 : ticks / rate * 1'000'000 + ticks % rate * 1'000'000 / rate;
}

}  // namespace

bool LiveOrder::push(ByteView bytes, MonoUs now) {
  rtc::RtpView view;
  if (!rtc::parse_rtp(bytes, view)) return false;
  const int64_t sequence = sequences_.unwrap(view.sequence);
  if (!any_) {
    any_ = true;
    next_ = sequence;
  }
  if (sequence < next_) return true;  // given up, or twice
  auto at = waiting_.end();
  while (at != waiting_.begin() && std::prev(at)->sequence > sequence) --at;
  if (at != waiting_.begin() && std::prev(at)->sequence == sequence) return true;
  waiting_.insert(at, Packet{sequence, now, Bytes(bytes.begin(), bytes.end())});
  return true;
}

std::optional<LiveOrder::Packet> LiveOrder::pop(MonoUs now) {
  if (waiting_.empty()) return std::nullopt;
  const Packet& first = waiting_.front();
  // How long the hole is there: since the first packet behind it came.
  const bool given_up = now - first.arrived_us >= kWaitUs || waiting_.size() > kMost;
  if (first.sequence != next_ && !given_up) return std::nullopt;
  lost_ += static_cast<uint64_t>(first.sequence - next_);
  next_ = first.sequence + 1;
  Packet out = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  return out;
}

void SlidingLeast::add(int64_t value, MonoUs now) {
  const int64_t second = now / kUsPerSecond;
  Bucket& bucket = buckets_[static_cast<size_t>(second) % buckets_.size()];
  if (bucket.second != second) bucket = {second, value};
  bucket.least = std::min(bucket.least, value);
  any_ = true;
}

int64_t SlidingLeast::least() const {
  int64_t newest = INT64_MIN, out = INT64_MAX;
  for (const Bucket& each : buckets_) newest = std::max(newest, each.second);
  for (const Bucket& each : buckets_) {
    if (each.second > newest - static_cast<int64_t>(buckets_.size()))
      out = std::min(out, each.least);
  }
  return out;
}

void PlayoutClock::reset(Which which) {
  const uint32_t rate = streams_[which].rate;
  streams_[which] = Stream{};
  streams_[which].rate = rate;
}

int64_t PlayoutClock::own_time(const Stream& stream, int64_t ticks) {
  return ticks_to_us(ticks, stream.rate);
}

int64_t PlayoutClock::report_time(const Stream& stream, int64_t ticks) {
  return *stream.reported_us + ticks_to_us(ticks - *stream.reported_ticks, stream.rate);
}

// Reports of two clocks that have nothing to do with each other tie nothing.
bool PlayoutClock::shared() const {
  const SlidingLeast &voice = streams_[kVoice].shared, &picture = streams_[kPicture].shared;
  return voice.any() && picture.any() && std::abs(voice.least() - picture.least()) < kStepUs;
}

int64_t PlayoutClock::base(const Stream& stream) const {
  if (!shared()) return stream.own.least();
  return std::min(streams_[0].shared.least(), streams_[1].shared.least());
}

void PlayoutClock::on_report(Which which, const rtc::SenderInfo& info) {
  Stream& stream = streams_[which];
  if (!stream.timestamps.started()) return;
  const int64_t ticks = stream.timestamps.peek(info.rtp_timestamp);
  const int64_t at_us = ntp_us(info.ntp);
  // A sender whose clock was set: what was learnt with the old one is void.
  if (stream.reported_us && std::abs(report_time(stream, ticks) - at_us) > kStepUs) {
    for (Stream& each : streams_) each.shared = {};
  }
  stream.reported_ticks = ticks;
  stream.reported_us = at_us;
}

void PlayoutClock::on_packet(Which which, uint32_t timestamp, MonoUs now) {
  Stream& stream = streams_[which];
  const int64_t ticks = stream.timestamps.unwrap(timestamp);
  // Timestamps that jump begin anew.
  if (stream.own.any() &&
      std::abs(now - own_time(stream, ticks) - stream.own.least()) > 2 * kStepUs) {
    stream.own = stream.shared = {};
    stream.reported_us.reset();
  }
  stream.own.add(now - own_time(stream, ticks), now);
  if (stream.reported_us) stream.shared.add(now - report_time(stream, ticks), now);
  const int64_t time = shared() ? report_time(stream, ticks) : own_time(stream, ticks);
  const MonoUs wanted = std::clamp(now - time - base(stream) + kMarginUs, kLeastUs, kMostUs);
  if (wanted > delay_us_) {
    delay_us_ = wanted;
    eased_at_ = now;
  } else if (now - eased_at_ >= kUsPerSecond) {
    eased_at_ = now;
    delay_us_ -= std::min<MonoUs>(kEaseUs, delay_us_ - wanted);
  }
}

MonoUs PlayoutClock::due(Which which, uint32_t timestamp) const {
  const Stream& stream = streams_[which];
  const int64_t ticks = stream.timestamps.peek(timestamp);
  const int64_t time = shared() ? report_time(stream, ticks) : own_time(stream, ticks);
  return time + base(stream) + delay_us_;
}

}  // namespace footlight::media
