// One rendition as the origin keeps it, and the texts that are made of it.
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "hls/shelf.h"
#include "hls/stream.h"

namespace footlight::hls {

// A stretch of the stream between two discontinuities: one encoder run. The first part of it that
// any rendition brings says which wall time its media time has; later steps of the wall clock
// change nothing, so that program-date-time follows the media.
struct Period {
  bool placed = false;  // msn_offset holds
  bool anchored = false;
  int64_t anchor_wall_us = 0;
  int64_t anchor_media_us = 0;
  uint64_t msn_offset = 0;  // the feed's msn + this (modulo 2^64) is ours
  // Where a hole begins or ends in any rendition, ascending. What counts its segments without
  // leaving one out (the DASH manifest) begins anew there.
  struct Cut {
    uint64_t msn = 0;
    int64_t wall_us = 0;  // of that segment's beginning
  };
  std::vector<Cut> cuts;
};

struct PartState {
  uint64_t duration = 0;  // ticks
  bool independent = false;
  bool gap = false;
};

struct SegmentState {
  uint64_t msn = 0;
  uint32_t period = 0;
  bool starts_period = false;  // EXT-X-DISCONTINUITY stands before it
  bool complete = false;
  bool gap = false;  // a part of it is missing
  bool stored = false;
  uint64_t tfdt = 0;      // ticks, of its first part
  uint64_t duration = 0;  // ticks, of all parts
  int64_t wall_us = 0;    // program-date-time of its first frame
  uint64_t bytes = 0;     // in memory
  std::vector<PartState> parts;
  Chain chain;        // until it is complete
  std::string lines;  // once complete: its lines in a playlist, without parts and MAP
};

struct Track {
  Rendition info;
  std::deque<SegmentState> segments;  // all that are kept
  size_t listed = 0;                  // the first in the live playlist
  size_t loaded = 0;                  // those before it hold no memory
  uint64_t kept_ticks = 0;            // of complete segments that are kept
  uint64_t listed_ticks = 0;          // of those that are listed
  uint64_t discontinuities = 0;       // EXT-X-DISCONTINUITY-SEQUENCE
  uint64_t next_msn = 0;
  uint32_t next_part = 0;
  uint64_t next_tfdt = 0;
  bool begun = false;  // has a part of the present period
  Blob init;           // of the present period; null until it came
  uint64_t bytes = 0;  // in memory
  uint32_t refused_in_row = 0;
  bool behind = false;

  bool has_parts() const { return !segments.empty(); }
  const SegmentState& last() const { return segments.back(); }
};

struct StreamTimes {
  uint32_t part_target_us = 0;
  uint32_t target_s = 0;  // TARGETDURATION
  uint32_t parts_per_segment = 1;
  uint32_t skip_until_s() const { return 6 * target_s; }
};
StreamTimes times_of(const Hello& hello);

// "0.53333": microseconds as seconds with five digits.
void append_seconds5(std::string& out, int64_t us, bool round_up = false);
// "2026-11-26T13:20:00.123Z"
std::string iso_time(int64_t wall_us);

// The lines of a segment that is complete.
std::string segment_lines(const Track& track, const SegmentState& segment);
// Whole live playlist; with `skip` as a delta update, "" when nothing is old enough to be skipped.
struct PlaylistInput {
  const StreamTimes& times;
  std::span<const Track> tracks;
  size_t index;                  // which of them
  std::string_view date_ranges;  // lines
  bool ended = false;
  bool plain = false, plain_parts = false;  // for a place that cannot wait (Limits)
};
std::string live_playlist(const PlaylistInput& in, bool skip);
std::string vod_playlist(const PlaylistInput& in);
std::string multivariant(const Hello& hello, std::span<const Track> tracks, bool ended);
// `whole`: once it has ended, all that is kept instead of the window alone.
std::string dash_manifest(const Hello& hello, const StreamTimes& times,
                          std::span<const Track> tracks, std::span<const Period> periods,
                          const Limits& limits, bool ended, bool whole);

}  // namespace footlight::hls
