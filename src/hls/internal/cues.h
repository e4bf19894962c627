// The cues of a stream: which box goes before which part, and which lines stand in a playlist.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "hls/internal/track.h"
#include "hls/stream.h"

namespace footlight::hls {

class Cues {
 public:
  // `video`: bit per rendition that carries boxes.
  Cues(const Limits& limits, uint32_t video) : limits_(limits), video_(video) {}

  // kFeedTooLarge: too many keys; kFeedOrder: the id was used.
  Status add(Cue cue);
  // The boxes that go before a part that begins at `start_us` of the media time: what was not told
  // in this rendition yet, and at a segment's beginning every state that holds.
  std::string boxes(uint32_t rendition, uint32_t timescale, uint64_t tfdt, uint64_t msn,
                    bool segment_begins, const Period& period);
  // EXT-X-DATERANGE lines: of a live playlist whose first frame is at `from_us` wall time and the
  // last at `to_us`; or, of the recording, all.
  std::string live_lines(int64_t from_us, int64_t to_us) const;
  std::string all_lines() const;

 private:
  struct Entry {
    Cue cue;
    uint64_t number = 0;
    bool replaced = false;  // a state that no longer holds
    int64_t replaced_ms = 0;
    uint32_t told = 0;                                    // bit per rendition
    std::vector<std::pair<uint64_t, uint32_t>> emsg_ids;  // by segment; the last few
  };
  uint32_t emsg_id(Entry& entry, uint64_t msn);
  static void append_line(std::string& out, const Cue& cue);

  const Limits& limits_;
  uint32_t video_;
  std::deque<Entry> entries_;
  std::map<std::string, uint64_t> states_;  // key → number of the entry that holds
  std::unordered_set<std::string> ids_;
  uint64_t next_number_ = 0;
  uint64_t fresh_from_ = 0;  // entries before it are told everywhere
  uint32_t next_emsg_ = 1;
};

}  // namespace footlight::hls
