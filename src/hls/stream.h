// What a packager says to the origin: one description of the stream (Hello), then initialization
// segments, parts and cues, and the end.
//
// A stream is a set of renditions, video rungs apart from audio, cut at the same places: part k of
// segment n spans the same time in each. A part is one CMAF chunk (ISO/IEC 23000-19): one moof and
// its mdat, optionally after styp, prft or emsg boxes. The cadence is fixed for the stream's life,
// because players take PART-TARGET, hold-backs and TARGETDURATION once (RFC 8216bis 4.4.3).
//
// A restarted encoder is a discontinuity of the same stream; anything else is a new epoch, which
// is part of every address, so that no cache answers with bytes of an older stream.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/chain.h"
#include "core/result.h"
#include "core/time.h"

namespace footlight::hls {

enum class Kind : uint8_t { kVideo, kAudio };

struct Rendition {
  std::string id;  // 1..32 of a-z 0-9 '-'; part of addresses
  Kind kind = Kind::kVideo;
  std::string codecs;              // RFC 6381: "avc1.64001f", "mp4a.40.2"
  uint32_t timescale = 0;          // ticks a second, 1..10,000,000
  uint32_t bandwidth_bps = 0;      // peak of a segment
  uint32_t average_bps = 0;        // 0: not known
  uint32_t width = 0, height = 0;  // video
  uint32_t frame_rate_milli = 0;   // video: 30000 is 30 a second
  uint32_t channels = 0;           // audio
  std::string language;            // audio: RFC 5646; may be empty
};

struct Hello {
  std::string epoch;                  // 1..32 of a-z 0-9; never used before for this episode
  std::vector<Rendition> renditions;  // 1..8; at most one of kind audio
  uint32_t part_target_us = 0;        // no part is longer; 100,000..2,000,000
  uint32_t parts_per_segment = 0;     // 1..32
};
// kFeedHello and what is wrong.
Status check_hello(const Hello& hello);
bool is_rendition_id(std::string_view text);
bool is_epoch(std::string_view text);

struct PartUnit {
  uint32_t rendition = 0;  // index in Hello
  uint64_t msn = 0;   // counts from any number; the same segment has the same in each rendition
  uint32_t part = 0;  // 0 .. parts_per_segment - 1
  bool independent = false;         // begins with a key frame
  uint64_t tfdt = 0;                // ticks: baseMediaDecodeTime of the chunk
  uint64_t duration = 0;            // ticks
  WallMs program_date_time_ms = 0;  // wall time of the part's first frame
  Blob bytes;
};

// Something to be told in step with the picture. It goes into the video renditions as an emsg box
// (version 1, ISO/IEC 23009-1, carrying ID3 as of aomedia.org/emsg/ID3) before the next part and
// into every playlist as EXT-X-DATERANGE.
struct Cue {
  std::string id;    // 1..64 of [A-Za-z0-9._:-]; unique in the stream
  std::string key;   // not empty: a state, e.g. "tally:fork"; replaced by the next of that key, and
                     // told again in each segment for who joins late. The same alphabet.
  std::string kind;  // 1..32: CLASS is "footlight." + kind: "poll", "tally", "dice", "scene"
  WallMs at_ms = 0;  // when it holds from; not before the part it goes with
  uint32_t duration_ms = 0;  // 0: not known
  std::string payload;       // opaque bytes, at most 4096
  bool ends_key = false;     // with a key: told once, and the state is no longer told again
};
Status check_cue(const Cue& cue);

struct Limits {
  uint32_t dvr_window_ms = 10 * 60 * 1000;  // listed in live playlists; at least 30,000
  uint32_t linger_ms = 30'000;              // kept after a segment left the playlist
  uint64_t memory_bytes = 512ull << 20;     // of parts; beyond it the window gets shorter
  uint32_t max_unit_bytes = 8 << 20;
  uint32_t max_cues = 10'000;      // kept for the recording; the oldest go first
  uint32_t max_listed_cues = 200;  // in a live playlist
  uint32_t max_states = 64;        // keys at once
  uint32_t lag_segments = 3;       // a rendition further behind is left out for new viewers
  uint32_t max_waiting = 10'000;   // parked requests of one shelf
  bool keep_all = false;           // segments stay after the window: a store takes them, see Origin
  bool plain = false;              // playlists also for a place that only keeps files (push.h) ...
  bool plain_parts = false;        // ... with parts in them
};

// Ticks to microseconds, rounding down; exact for any 64-bit count.
int64_t ticks_to_us(uint64_t ticks, uint32_t timescale);
uint64_t us_to_ticks(int64_t us, uint32_t timescale);  // of us >= 0, the same

}  // namespace footlight::hls
