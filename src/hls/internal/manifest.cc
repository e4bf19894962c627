// The MPEG-DASH manifest (ISO/IEC 23009-1) over the same segments: one Period for each stretch
// between discontinuities, SegmentTemplate by number with a SegmentTimeline. Numbers follow one
// another there, so a stretch is cut into Periods where a segment is missing in any rendition: a
// player that was told of one that is not there gives up (dash.js).
#include <algorithm>

#include "hls/boxes.h"
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

// What a Period of the manifest is made of.
struct Run {
  uint32_t period = 0;
  uint64_t from = 0, to = UINT64_MAX;  // msn
  bool whole = false;                  // also what is listed no more
};

Stretch stretch_of(const Track& track, const Run& run) {
  Stretch out;
  if (!track.has_parts()) return out;
  const uint64_t base = track.segments.front().msn;
  const size_t listed = run.whole ? 0 : track.listed;
  size_t at = std::max<size_t>(listed, run.from > base ? run.from - base : 0);
  const auto is = [&](auto holds) {
    return at < track.segments.size() && track.segments[at].msn < run.to &&
           holds(track.segments[at]);
  };
  while (is([&](const SegmentState& it) { return it.period < run.period; })) ++at;
  out.first = at;
  while (is(
      [&](const SegmentState& it) { return it.period == run.period && it.complete && !it.gap; })) {
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
                    int64_t anchor_media_us, Stretch stretch) {
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
  attribute(out, "presentationTimeOffset", us_to_ticks(anchor_media_us, info.timescale));
  attribute(out, "startNumber", track.segments[stretch.first].msn);
  const std::string folder = hello.epoch + "/" + info.id + "/";
  attribute(out, "initialization", folder + "init-" + std::to_string(period) + ".mp4");
  attribute(out, "media", folder + "s$Number$.m4s");
  out.append(">");
  timeline(out, track, stretch);
  out.append("</SegmentTemplate></Representation>\n");
}

void adaptation_set(std::string& out, const Hello& hello, std::span<const Track> tracks, Kind kind,
                    const Run& run, int64_t anchor_media_us) {
  std::string inside;
  std::string_view language;
  for (const Track& track : tracks) {
    if (track.info.kind != kind) continue;
    const Stretch stretch = stretch_of(track, run);
    if (stretch.first == stretch.end) continue;
    representation(inside, hello, track, run.period, anchor_media_us, stretch);
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
  out.append(">\n");
  if (video) out.append("<InbandEventStream schemeIdUri=\"").append(kEmsgId3).append("\"/>\n");
  out.append(inside).append("</AdaptationSet>\n");
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

struct Begins {
  int64_t run_us = 0, presentation_us = 0;  // by the wall clock
};

// Nothing where it has no segment. Its id is the same for as long as it is listed.
void append_period(std::string& out, const Hello& hello, std::span<const Track> tracks,
                   const Period& period, const Run& run, Begins begins) {
  const int64_t at_us = std::max(begins.run_us, begins.presentation_us);
  const int64_t media_us = period.anchor_media_us + at_us - period.anchor_wall_us;
  std::string sets;
  for (const Kind kind : {Kind::kVideo, Kind::kAudio}) {
    adaptation_set(sets, hello, tracks, kind, run, media_us);
  }
  if (sets.empty()) return;
  out.append("<Period");
  std::string id = std::to_string(run.period);
  if (run.from > 0) id += "-" + std::to_string(run.from);
  attribute(out, "id", id);
  duration(out, "start", at_us - begins.presentation_us);
  out.append(">\n").append(sets).append("</Period>\n");
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
    const std::vector<Period::Cut>& cuts = periods[i].cuts;
    for (size_t next = 0; next <= cuts.size(); ++next) {
      Run run{i, 0, UINT64_MAX, ended && whole};
      if (next > 0) run.from = cuts[next - 1].msn;
      if (next < cuts.size()) run.to = cuts[next].msn;
      const int64_t at_us = next > 0 ? cuts[next - 1].wall_us : periods[i].anchor_wall_us;
      append_period(inside, hello, tracks, periods[i], run, {at_us, began_us});
    }
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
    attribute(out, "publishTime", iso_time(end_us));
    duration(out, "minimumUpdatePeriod", target_us);
    duration(out, "timeShiftBufferDepth", int64_t{limits.dvr_window_ms} * 1000);
    duration(out, "suggestedPresentationDelay", 3 * target_us);
  }
  out.append(">\n").append(inside);
  // The origin's clock, so that no player asks somebody else for the time.
  if (!ended) {
    out.append("<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-head:2014\" ");
    out.append("value=\"manifest.mpd\"/>\n");
  }
  return out.append("</MPD>\n");
}

}  // namespace footlight::hls
