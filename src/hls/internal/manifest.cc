// The MPEG-DASH manifest (ISO/IEC 23009-1) over the same segments: one Period for each stretch
// between discontinuities, SegmentTemplate by number with a SegmentTimeline.
#include <algorithm>

#include "hls/internal/track.h"

namespace footlight::hls {
namespace {

void attribute(std::string& out, std::string_view name, std::string_view value) {
  out.append(" ").append(name).append("=\"").append(value).append("\"");
}
void attribute(std::string& out, std::string_view name, uint64_t value) {
  attribute(out, name, std::to_string(value));
}
void duration(std::string& out, std::string_view name, int64_t us) {
  std::string text = "PT";
  append_seconds5(text, std::max<int64_t>(us, 0));
  attribute(out, name, text + "S");
}

struct Stretch {
  size_t first = 0, end = 0;  // of the track's segments; empty when equal
};

Stretch stretch_of(const Track& track, uint32_t period, bool whole) {
  Stretch out;
  size_t at = whole ? 0 : track.listed;
  while (at < track.segments.size() && track.segments[at].period < period) ++at;
  out.first = at;
  while (at < track.segments.size() && track.segments[at].period == period &&
         track.segments[at].complete) {
    ++at;
  }
  out.end = at;
  return out;
}

void timeline(std::string& out, const Track& track, Stretch stretch) {
  out.append("<SegmentTimeline>");
  uint64_t next = UINT64_MAX;
  for (size_t i = stretch.first; i < stretch.end;) {
    const SegmentState& first = track.segments[i];
    size_t same = i + 1;
    uint64_t end = first.tfdt + first.duration;
    while (same < stretch.end && track.segments[same].duration == first.duration &&
           track.segments[same].tfdt == end) {
      end += first.duration;
      ++same;
    }
    out.append("<S");
    if (first.tfdt != next) attribute(out, "t", first.tfdt);
    attribute(out, "d", first.duration);
    if (same - i > 1) attribute(out, "r", same - i - 1);
    out.append("/>");
    next = end;
    i = same;
  }
  out.append("</SegmentTimeline>");
}

void representation(std::string& out, const Hello& hello, const Track& track, uint32_t period,
                    const Period& anchor, Stretch stretch) {
  const Rendition& info = track.info;
  out.append("<Representation");
  attribute(out, "id", info.id);
  attribute(out, "codecs", info.codecs);
  attribute(out, "bandwidth", info.bandwidth_bps);
  if (info.kind == Kind::kVideo) {
    attribute(out, "width", info.width);
    attribute(out, "height", info.height);
    attribute(out, "frameRate", std::to_string(info.frame_rate_milli) + "/1000");
  }
  out.append("><SegmentTemplate");
  attribute(out, "timescale", info.timescale);
  attribute(out, "presentationTimeOffset", us_to_ticks(anchor.anchor_media_us, info.timescale));
  attribute(out, "startNumber", track.segments[stretch.first].msn);
  const std::string folder = hello.epoch + "/" + info.id + "/";
  attribute(out, "initialization", folder + "init-" + std::to_string(period) + ".mp4");
  attribute(out, "media", folder + "s$Number$.m4s");
  out.append(">");
  timeline(out, track, stretch);
  out.append("</SegmentTemplate></Representation>\n");
}

void adaptation_set(std::string& out, const Hello& hello, std::span<const Track> tracks, Kind kind,
                    uint32_t period, const Period& anchor, bool whole) {
  std::string inside;
  std::string_view language;
  for (const Track& track : tracks) {
    if (track.info.kind != kind) continue;
    const Stretch stretch = stretch_of(track, period, whole);
    if (stretch.first == stretch.end) continue;
    representation(inside, hello, track, period, anchor, stretch);
    language = track.info.language;
  }
  if (inside.empty()) return;
  const bool video = kind == Kind::kVideo;
  out.append("<AdaptationSet");
  attribute(out, "contentType", video ? "video" : "audio");
  attribute(out, "mimeType", video ? "video/mp4" : "audio/mp4");
  attribute(out, "segmentAlignment", "true");
  attribute(out, "startWithSAP", uint64_t{1});
  if (!language.empty()) attribute(out, "lang", language);
  out.append(">\n").append(inside).append("</AdaptationSet>\n");
}

int64_t first_listed_us(std::span<const Track> tracks) {
  int64_t first_us = INT64_MAX;
  for (const Track& track : tracks) {
    if (track.listed < track.segments.size()) {
      first_us = std::min(first_us, track.segments[track.listed].wall_us);
    }
  }
  return first_us;
}

}  // namespace

std::string dash_manifest(const Hello& hello, const StreamTimes& times,
                          std::span<const Track> tracks, std::span<const Period> periods,
                          const Limits& limits, bool ended, bool whole) {
  if (periods.empty() || !periods.front().anchored) return {};
  const int64_t began_us =
      ended && !whole ? first_listed_us(tracks) : periods.front().anchor_wall_us;
  std::string inside;
  int64_t end_us = began_us;
  for (uint32_t i = 0; i < periods.size(); ++i) {
    if (!periods[i].anchored) continue;
    Period at = periods[i];
    if (const int64_t cut_us = began_us - at.anchor_wall_us; cut_us > 0) {
      at.anchor_wall_us += cut_us;
      at.anchor_media_us += cut_us;
    }
    std::string sets;
    for (const Kind kind : {Kind::kVideo, Kind::kAudio}) {
      adaptation_set(sets, hello, tracks, kind, i, at, ended && whole);
    }
    if (sets.empty()) continue;
    inside.append("<Period");
    attribute(inside, "id", i);
    duration(inside, "start", at.anchor_wall_us - began_us);
    inside.append(">\n").append(sets).append("</Period>\n");
  }
  if (inside.empty()) return {};
  for (const Track& track : tracks) {
    if (!track.has_parts()) continue;
    const SegmentState& last = track.last();
    end_us = std::max(end_us, last.wall_us + ticks_to_us(last.duration, track.info.timescale));
  }
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD";
  attribute(out, "xmlns", "urn:mpeg:dash:schema:mpd:2011");
  attribute(out, "profiles", "urn:mpeg:dash:profile:isoff-live:2011");
  attribute(out, "type", ended ? "static" : "dynamic");
  const int64_t target_us = int64_t{times.target_s} * 1'000'000;
  duration(out, "minBufferTime", target_us);
  if (ended) {
    duration(out, "mediaPresentationDuration", end_us - began_us);
  } else {
    attribute(out, "availabilityStartTime", iso_time(began_us));
    duration(out, "minimumUpdatePeriod", target_us);
    duration(out, "timeShiftBufferDepth", int64_t{limits.dvr_window_ms} * 1000);
    duration(out, "suggestedPresentationDelay", 3 * target_us);
  }
  return out.append(">\n").append(inside).append("</MPD>\n");
}

}  // namespace footlight::hls
