// When what was recorded happened, on one clock for all of a recording.
//
// The voice and the picture of one publisher are brought in step by their sender's reports (RFC
// 3550 section 6.4.1): these tell which RTP timestamps belong to the same moment of the publisher's
// clock. That clock may be wrong, so publishers are not compared by it: each one's is laid on the
// node's clock so that their fastest packet arrived when it was sent. What remains between two
// publishers is the difference of their shortest ways.
//
// A stream without reports is laid on the node's clock alone, by its own fastest packet. Pure.
#pragma once
#include <cstdint>
#include <vector>

#include "media/frames.h"
#include "sfu/record_file.h"

namespace footlight::media {

// What one pass over a file tells.
struct StreamScan {
  struct Report {
    int64_t timestamp = 0;  // RTP, unwrapped as FrameBuilder does
    int64_t ntp_us = 0;
  };
  std::vector<Report> reports;                   // ascending, at least five seconds apart
  uint64_t packets = 0, bytes = 0, seconds = 0;  // seconds: in which packets came
  uint64_t first_us = 0, last_us = 0;
  uint32_t first_timestamp = 0;  // the one that unwrapping begins with
  uint64_t dropped = 0;          // as the file's end says
  bool ended = false;
};
StreamScan scan(sfu::RecordReader reader);

// From a stream's RTP timestamps to the publisher's clock, in microseconds.
class StreamClock {
 public:
  StreamClock(const StreamScan& scan, uint32_t clock_rate)
      : reports_(scan.reports), clock_rate_(clock_rate) {}
  bool reported() const { return !reports_.empty(); }
  // Without reports: from the timestamp alone.
  int64_t at(int64_t timestamp) const;
  // The least of arrival minus at(), over the whole file.
  int64_t shortest_way(sfu::RecordReader reader) const;

 private:
  int64_t nominal(int64_t ticks) const;
  std::vector<StreamScan::Report> reports_;
  uint32_t clock_rate_ = 0;
};

}  // namespace footlight::media
