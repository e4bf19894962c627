// What the origin publishes, and what it lets go.
#include <algorithm>

#include "core/assert.h"
#include "hls/address.h"
#include "hls/internal/origin_impl.h"
#include "hls/recorded.h"

namespace footlight::hls {
namespace {

constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";
constexpr std::string_view kManifestType = "application/dash+xml";
constexpr size_t kMaxKeptSegments = 50'000;  // of a rendition; a day at two seconds each

std::string head_of(std::string_view type, const std::string& etag, bool varies, bool gzip) {
  std::string out = "Content-Type: ";
  out.append(type).append("\r\nETag: ").append(etag).append("\r\n");
  // Any page may play the program; it carries no one's name.
  out.append("Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Date, ETag\r\n");
  if (gzip) out.append("Content-Encoding: gzip\r\n");
  if (varies) out.append("Vary: Accept-Encoding\r\n");
  if (!varies) out.append("Accept-Ranges: bytes\r\n");
  return out;
}

std::string_view type_of(const Track& track) {
  return track.info.kind == Kind::kVideo ? "video/mp4" : "audio/mp4";
}

}  // namespace

void Origin::Impl::change(Change made) {
  if (!pending) pending = std::make_shared<Changes>();
  pending->push_back(std::move(made));
}

std::string Origin::Impl::name_of(const Track& track, const std::string& file) const {
  return hello.epoch + "/" + track.info.id + "/" + file;
}

ResourcePtr Origin::Impl::text(std::string body, std::string_view type, const std::string& etag,
                               bool packed) {
  auto made = std::make_shared<Resource>();
  if (packed) body = gzip.pack(body);
  made->etag = "\"" + etag + (packed ? "z\"" : "\"");
  made->head_lines = head_of(type, made->etag, true, packed);
  made->body.add(make_blob(std::move(body)));
  return made;
}

ResourcePtr Origin::Impl::media(Chain body, const Track& track, const std::string& name) const {
  auto made = std::make_shared<Resource>();
  made->etag = "\"" + hello.epoch + "." + track.info.id + "." + name + "\"";
  made->head_lines = head_of(type_of(track), made->etag, false, false);
  made->body = std::move(body);
  return made;
}

ResourcePtr Origin::Impl::picture(Blob jpeg, const std::string& name) const {
  auto made = std::make_shared<Resource>();
  made->etag = "\"" + hello.epoch + "." + name + "\"";
  made->head_lines = "Content-Type: image/jpeg\r\nETag: " + made->etag +
                     "\r\nAccess-Control-Allow-Origin: *\r\nAccept-Ranges: bytes\r\n";
  made->body.add(std::move(jpeg));
  return made;
}

// A stream that never played does not take the place of a recording that is there.
void Origin::Impl::keep(const std::string& name, const Chain& bytes) {
  const bool any = std::ranges::any_of(tracks, [](const Track& each) { return each.has_parts(); });
  if (keeps_stored() && any) store->put(name, UINT32_MAX, UINT64_MAX, bytes);
}

void Origin::Impl::publish_thumbs() {
  const auto track = std::ranges::find_if(
      tracks, [](const Track& each) { return each.has_parts() && each.info.kind == Kind::kVideo; });
  std::string vtt = track == tracks.end() ? std::string() : thumbs.vtt(hello.epoch, *track);
  if (vtt.empty()) return;
  keep("thumbs.vtt", Chain(make_blob(vtt)));
  Change made;
  made.what = Change::Do::kThumbs;
  made.resource = text(std::move(vtt), "text/vtt", hello.epoch + ".t", false);
  change(std::move(made));
}

ResourcePtr Origin::Impl::stored(const Track& track, uint64_t msn) const {
  const std::string file = segment_name(msn);
  auto made = std::make_shared<Resource>(*media({}, track, file));
  made->stored = true;
  made->store_name = name_of(track, file);
  return made;
}

int64_t Origin::Impl::end_wall_us() const {
  int64_t end_us = 0;
  for (const Track& track : tracks) {
    if (!track.has_parts()) continue;
    const SegmentState& last = track.last();
    end_us = std::max(end_us, last.wall_us + ticks_to_us(last.duration, track.info.timescale));
  }
  return end_us;
}

void Origin::Impl::publish_playlist(uint32_t rendition) {
  Track& track = tracks[rendition];
  const int64_t from_us = track.segments[track.listed].wall_us;
  const std::string lines = cues.live_lines(from_us, end_wall_us());
  PlaylistInput input{times, tracks, rendition, lines, ended};
  Change made;
  made.what = Change::Do::kPlaylist;
  made.rendition = rendition;
  made.number = track.segments[track.listed].msn;
  const SegmentState& last = track.last();
  made.position = {last.msn, static_cast<uint32_t>(last.parts.size()), last.complete};
  const std::string etag = hello.epoch + "." + track.info.id + "." +
                           std::to_string(counters.versions) + (ended ? ".e" : "");
  std::string full = live_playlist(input, false);
  std::string delta = ended ? std::string() : live_playlist(input, true);
  if (!delta.empty()) {
    made.playlist.delta_gzip = text(delta, kPlaylistType, etag + ".d", true);
    made.playlist.delta = text(std::move(delta), kPlaylistType, etag + ".d", false);
  }
  made.playlist.full_gzip = text(full, kPlaylistType, etag, true);
  made.playlist.full = text(std::move(full), kPlaylistType, etag, false);
  if (ended) keep(hello.epoch + "/" + track.info.id + ".m3u8", made.playlist.full->body);
  if (limits.plain && (limits.plain_parts || last.complete)) {
    input.plain = true;
    input.plain_parts = limits.plain_parts;
    made.plain = text(live_playlist(input, false), kPlaylistType, etag + ".p", false);
  }
  ++counters.versions;
  change(std::move(made));
  if (index_text.empty() && is_playable()) publish_index();
}

// Players give up on a playlist that has parts and no segment yet (hls.js, levelEmptyError), and
// reload one whose only segment is number 0 too late to play on.
bool Origin::Impl::is_playable() const {
  return std::ranges::all_of(tracks, [](const Track& track) {
    return track.behind || (track.segments.size() > 1 && track.segments[1].complete);
  });
}

void Origin::Impl::publish_index() {
  std::string made = multivariant(hello, tracks, ended);
  if (made == index_text) return;
  index_text = made;
  counters.listed = true;
  const std::string etag = hello.epoch + ".i" + std::to_string(index_version++);
  if (ended) keep("index.m3u8", Chain(make_blob(made)));
  Change out;
  out.what = Change::Do::kIndex;
  out.gzip = text(made, kPlaylistType, etag, true);
  out.resource = text(std::move(made), kPlaylistType, etag, false);
  change(std::move(out));
}

void Origin::Impl::publish_manifest() {
  std::string made = dash_manifest(hello, times, tracks, periods, limits, ended, true);
  if (made.empty()) return;
  const std::string etag = hello.epoch + ".m" + std::to_string(manifest_version++);
  if (ended) keep("manifest.mpd", Chain(make_blob(made)));
  Change out;
  out.what = Change::Do::kManifest;
  out.gzip = text(made, kManifestType, etag, true);
  out.resource = text(std::move(made), kManifestType, etag, false);
  if (limits.plain && ended) {
    out.plain = text(dash_manifest(hello, times, tracks, periods, limits, true, false),
                     kManifestType, etag + ".p", false);
  }
  change(std::move(out));
}

void Origin::Impl::publish_end() {
  Change end;
  end.what = Change::Do::kEnd;
  change(std::move(end));
  const std::string lines = cues.all_lines();
  for (uint32_t i = 0; i < tracks.size(); ++i) {
    if (!tracks[i].has_parts()) continue;
    publish_playlist(i);
    std::string vod = vod_playlist({times, tracks, i, lines, true});
    const std::string etag = hello.epoch + "." + tracks[i].info.id + ".vod";
    Change made;
    made.what = Change::Do::kVod;
    made.rendition = i;
    made.gzip = text(vod, kPlaylistType, etag, true);
    made.resource = text(std::move(vod), kPlaylistType, etag, false);
    keep(name_of(tracks[i], "vod.m3u8"), made.resource->body);
    change(std::move(made));
  }
  publish_thumbs();
  publish_index();
  publish_manifest();
  if (poster) keep("poster.jpg", Chain(poster));
  // The last: with it the recording is whole.
  if (!index_text.empty())
    keep(std::string(kRecordingFile), Chain(make_blob(recorded_json(hello))));
}

// A rung that does not keep up is not for new viewers.
void Origin::Impl::update_lag() {
  uint64_t lead = 0;
  for (const Track& track : tracks) lead = std::max(lead, track.next_msn);
  bool changed = false;
  for (Track& track : tracks) {
    const bool behind = track.next_msn + limits.lag_segments < lead;
    if (behind && !track.behind) ++counters.refused[Code::kFeedLag];
    changed = changed || behind != track.behind;
    track.behind = behind;
  }
  if (changed && !index_text.empty()) publish_index();
}

void Origin::Impl::drop_front(uint32_t rendition, size_t count) {
  Track& track = tracks[rendition];
  for (size_t i = 0; i < count; ++i) {
    const SegmentState& first = track.segments.front();
    track.bytes -= first.bytes;
    counters.memory_bytes -= first.bytes;
    track.kept_ticks -= first.duration;
    FL_ASSERT(track.listed > 0, "what is listed is kept");
    --track.listed;
    if (track.loaded > 0) --track.loaded;
    track.segments.pop_front();
  }
  Change made;
  made.what = Change::Do::kDrop;
  made.rendition = rendition;
  made.number = track.segments.front().msn;
  change(std::move(made));
}

// The segment's bytes leave the memory: it is in the store, or becomes a gap of the recording.
void Origin::Impl::unload(uint32_t rendition, size_t index) {
  Track& track = tracks[rendition];
  SegmentState& segment = track.segments[index];
  track.bytes -= segment.bytes;
  counters.memory_bytes -= segment.bytes;
  segment.bytes = 0;
  Change made;
  made.what = Change::Do::kSegment;
  made.rendition = rendition;
  made.number = segment.msn;
  if (segment.stored) {
    made.resource = stored(track, segment.msn);
  } else if (!segment.gap) {
    segment.gap = true;
    segment.lines = segment_lines(track, segment);
    cut_around(track, segment);
    ++counters.dropped;
  }
  change(std::move(made));
  while (track.loaded < track.segments.size() && track.segments[track.loaded].bytes == 0 &&
         track.segments[track.loaded].complete) {
    ++track.loaded;
  }
}

// The first listed segment leaves the playlist.
void Origin::Impl::unlist(Track& track) {
  const SegmentState& first = track.segments[track.listed++];
  if (first.starts_period) ++track.discontinuities;
  track.listed_ticks -= first.duration;
}

void Origin::Impl::cut_window(uint32_t rendition) {
  Track& track = tracks[rendition];
  const uint64_t window = us_to_ticks(int64_t{limits.dvr_window_ms} * 1000, track.info.timescale);
  while (track.listed + 1 < track.segments.size() &&
         track.listed_ticks - track.segments[track.listed].duration >= window) {
    if (keeps_stored() && track.segments[track.listed].stored) unload(rendition, track.listed);
    unlist(track);
  }
  if (limits.keep_all && track.segments.size() <= kMaxKeptSegments) return;
  const uint64_t kept =
      window + us_to_ticks(int64_t{limits.linger_ms} * 1000, track.info.timescale);
  size_t count = 0;
  uint64_t ticks = track.kept_ticks;
  while (count < track.listed && ticks - track.segments[count].duration >= kept) {
    ticks -= track.segments[count++].duration;
  }
  if (count > 0) drop_front(rendition, count);
}

// The oldest go first, whichever rendition they are of; the segment under way stays.
void Origin::Impl::cut_memory() {
  while (counters.memory_bytes > limits.memory_bytes) {
    uint32_t oldest = UINT32_MAX;
    for (uint32_t i = 0; i < tracks.size(); ++i) {
      const Track& track = tracks[i];
      if (track.loaded + 1 >= track.segments.size()) continue;
      if (oldest == UINT32_MAX ||
          track.segments[track.loaded].msn < tracks[oldest].segments[tracks[oldest].loaded].msn) {
        oldest = i;
      }
    }
    if (oldest == UINT32_MAX) return;
    Track& track = tracks[oldest];
    const size_t at = track.loaded;
    const bool is_stored = track.segments[at].stored;
    while (track.listed <= at && !is_stored) unlist(track);
    if (limits.keep_all) {
      unload(oldest, at);
      if (track.loaded == at) ++track.loaded;
    } else {
      ++counters.dropped;
      drop_front(oldest, at + 1);
    }
  }
}

}  // namespace footlight::hls
