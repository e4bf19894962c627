#include "media/timeline.h"

#include <algorithm>

namespace footlight::media {
namespace {

constexpr int64_t kReportSpacingUs = 5'000'000;
constexpr int64_t kSane = 50;  // a clock is off by a fiftieth at most

// UQ32.32 seconds as microseconds; an era's 136 years fit.
int64_t us_of_ntp(uint64_t ntp) {
  const uint64_t seconds = ntp >> 32, part = ntp & 0xFFFF'FFFF;
  return static_cast<int64_t>(seconds * 1'000'000 + (part * 1'000'000 >> 32));
}

}  // namespace

StreamScan scan(sfu::RecordReader reader) {
  StreamScan out;
  TimestampUnwrapper timestamps;
  sfu::Record record;
  uint64_t second = UINT64_MAX;
  while (reader.next(record)) {
    if (const auto report = sfu::read_report(record); report && timestamps.started()) {
      const StreamScan::Report made{timestamps.peek(report->rtp_timestamp), us_of_ntp(report->ntp)};
      const bool spaced =
          out.reports.empty() || (made.ntp_us - out.reports.back().ntp_us >= kReportSpacingUs &&
                                  made.timestamp > out.reports.back().timestamp);
      if (spaced) out.reports.push_back(made);
      continue;
    }
    if (const auto end = sfu::read_end(record)) {
      out.ended = true;
      out.dropped = end->dropped;
    }
    rtc::RtpView packet;
    if (record.type != sfu::RecordType::kRtp || !rtc::parse_rtp(record.body, packet)) continue;
    if (out.packets++ == 0) {
      out.first_us = record.time_us;
      out.first_timestamp = packet.timestamp;
    }
    out.bytes += record.body.size();
    timestamps.unwrap(packet.timestamp);
    out.last_us = std::max(out.last_us, record.time_us);
    if (record.time_us / kUsPerSecond != second) {
      second = record.time_us / kUsPerSecond;
      ++out.seconds;
    }
  }
  return out;
}

int64_t StreamClock::nominal(int64_t ticks) const {
  const int64_t rate = clock_rate_;
  return ticks / rate * 1'000'000 + ticks % rate * 1'000'000 / rate;
}

// Between two reports in proportion, outside of them by the nominal rate.
int64_t StreamClock::at(int64_t timestamp) const {
  if (reports_.empty()) return nominal(timestamp);
  const auto after =
      std::ranges::upper_bound(reports_, timestamp, {}, &StreamScan::Report::timestamp);
  const auto& base = after == reports_.begin() ? reports_.front() : *std::prev(after);
  const int64_t since = nominal(timestamp - base.timestamp);
  if (after == reports_.begin() || after == reports_.end()) return base.ntp_us + since;
  const int64_t span = nominal(after->timestamp - base.timestamp);
  const int64_t told = after->ntp_us - base.ntp_us;
  // The sender's clock was set meanwhile, or its reports are wrong.
  if (span <= 0 || std::abs(told - span) > span / kSane) return base.ntp_us + since;
  return base.ntp_us +
         static_cast<int64_t>(static_cast<double>(since) *
                              (static_cast<double>(told) / static_cast<double>(span)));
}

int64_t StreamClock::shortest_way(sfu::RecordReader reader) const {
  TimestampUnwrapper timestamps;
  int64_t least = INT64_MAX;
  sfu::Record record;
  while (reader.next(record)) {
    rtc::RtpView packet;
    if (record.type != sfu::RecordType::kRtp || !rtc::parse_rtp(record.body, packet)) continue;
    const int64_t way =
        static_cast<int64_t>(record.time_us) - at(timestamps.unwrap(packet.timestamp));
    least = std::min(least, way);
  }
  return least;
}

}  // namespace footlight::media
