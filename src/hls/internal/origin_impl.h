#pragma once
#include <memory>
#include <string>
#include <vector>

#include "hls/gzip.h"
#include "hls/internal/cues.h"
#include "hls/internal/thumbs.h"
#include "hls/internal/track.h"
#include "hls/origin.h"

namespace footlight::hls {

struct Origin::Impl {
  Impl(Hello hello, const Limits& limits, SegmentStore* store);

  // origin_feed.cc: what comes in.
  Status refuse(Track* track, Code code, std::string what);
  Status on_init(uint32_t rendition, Blob bytes);
  Status on_part(PartUnit unit);
  Status on_discontinuity();
  Status check_unit(const Track& track, const PartUnit& unit, uint64_t msn) const;
  Status check_time(const Track& track, const PartUnit& unit, uint64_t msn) const;
  uint64_t place(const PartUnit& unit);
  uint64_t missing_before(const Track& track, uint64_t msn, uint32_t part) const;
  uint64_t nominal_ticks(const Track& track) const;
  void anchor(const Track& track, const PartUnit& unit);
  void fill_gaps(uint32_t rendition, uint64_t missing, uint64_t until_tfdt);
  void add_part(uint32_t rendition, uint64_t duration, const PartUnit* unit);
  void begin_segment(Track& track);
  void end_segment(uint32_t rendition);
  void end_open_segments();
  void cut_around(const Track& track, const SegmentState& hole);

  // origin_publish.cc: what goes out.
  void change(Change made);
  void publish_playlist(uint32_t rendition);
  void publish_index();
  bool is_playable() const;
  void publish_manifest();
  void publish_end();
  ResourcePtr text(std::string body, std::string_view type, const std::string& etag, bool gzip);
  ResourcePtr media(Chain body, const Track& track, const std::string& name) const;
  ResourcePtr picture(Blob jpeg, const std::string& name) const;
  // Beside the recording, for after a restart.
  void keep(const std::string& name, const Chain& bytes);
  void publish_thumbs();
  ResourcePtr stored(const Track& track, uint64_t msn) const;
  std::string name_of(const Track& track, const std::string& file) const;
  static void unlist(Track& track);
  void cut_window(uint32_t rendition);
  void drop_front(uint32_t rendition, size_t count);
  void unload(uint32_t rendition, size_t index);
  bool keeps_stored() const { return limits.keep_all && store != nullptr; }
  void cut_memory();
  void update_lag();
  int64_t end_wall_us() const;

  Hello hello;
  Limits limits;
  SegmentStore* store;
  StreamTimes times;
  std::vector<Track> tracks;
  std::vector<Period> periods;
  Cues cues;
  Thumbs thumbs;
  Blob poster;  // the last one
  std::string index_text;
  uint64_t index_version = 0, manifest_version = 0, poster_version = 0;
  std::shared_ptr<Changes> pending;
  Gzip gzip;
  bool ended = false;
  OriginCounters counters;
};

}  // namespace footlight::hls
