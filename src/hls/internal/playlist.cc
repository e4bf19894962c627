// Playlists of RFC 8216bis (draft-pantos-hls-rfc8216bis), with sections in the comments.
#include <algorithm>
#include <chrono>
#include <iterator>

#include "hls/address.h"
#include "hls/internal/track.h"

namespace footlight::hls {
namespace {

constexpr std::string_view kVersion = "#EXTM3U\n#EXT-X-VERSION:9\n";
// 4.4.4.9: parts are listed for the last three target durations at the most; segments are no
// longer.
constexpr size_t kSegmentsWithParts = 3;

void add(std::string& out, uint64_t number) { out.append(std::to_string(number)); }

int64_t duration_us(const Track& track, const SegmentState& segment) {
  return ticks_to_us(segment.duration, track.info.timescale);
}

// With zeros in front, `width` digits of a number that has no more.
void append_digits(std::string& out, int64_t value, int width) {
  int64_t unit = 1;
  for (int i = 1; i < width; ++i) unit *= 10;
  for (; unit > 0; unit /= 10) out.push_back(static_cast<char>('0' + value / unit % 10));
}

void append_map(std::string& out, std::string_view folder, uint32_t period) {
  out.append("#EXT-X-MAP:URI=\"").append(folder).append(init_name(period)).append("\"\n");
}

void append_part(std::string& out, const Track& track, const SegmentState& segment, uint32_t part) {
  const PartState& one = segment.parts[part];
  out.append("#EXT-X-PART:DURATION=");
  append_seconds5(out, ticks_to_us(one.duration, track.info.timescale));
  out.append(",URI=\"").append(track.info.id).append("/");
  out.append(part_name(segment.msn, part)).append("\"");
  if (one.independent) out.append(",INDEPENDENT=YES");
  if (one.gap) out.append(",GAP=YES");
  out.append("\n");
}

void append_date(std::string& out, const SegmentState& segment) {
  out.append("#EXT-X-PROGRAM-DATE-TIME:").append(iso_time(segment.wall_us)).append("\n");
}

// The parts of one segment, then its lines when it is complete. `map`: the MAP changes here.
void append_segment(std::string& out, const Track& track, const SegmentState& segment, bool parts,
                    bool map) {
  if (segment.starts_period) out.append("#EXT-X-DISCONTINUITY\n");
  if (map) append_map(out, track.info.id + "/", segment.period);
  if (parts) {
    // Not yet of one that grows: hls.js (1.6, 1.7) looks for a segment at each date that a
    // DATERANGE may belong to, and ends with an exception where there are only parts.
    if (segment.complete) append_date(out, segment);
    for (uint32_t i = 0; i < segment.parts.size(); ++i) append_part(out, track, segment, i);
    if (segment.complete)
      out.append(std::string_view(segment.lines).substr(segment.lines.find('\n') + 1));
  } else {
    out.append(segment.lines);
  }
}

// 4.4.5.3: what comes next, so that it can be asked for before it is there.
void append_hint(std::string& out, const Track& track) {
  out.append("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"").append(track.info.id).append("/");
  out.append(part_name(track.next_msn, track.next_part)).append("\"\n");
}

void append_reports(std::string& out, const PlaylistInput& in) {
  for (size_t i = 0; i < in.tracks.size(); ++i) {
    const Track& other = in.tracks[i];
    if (i == in.index || !other.has_parts()) continue;
    const SegmentState& last = other.last();
    out.append("#EXT-X-RENDITION-REPORT:URI=\"").append(other.info.id);
    out.append(".m3u8\",LAST-MSN=");
    add(out, last.msn);
    out.append(",LAST-PART=");
    add(out, last.parts.size() - 1);
    out.append("\n");
  }
}

// 4.4.3.7 and 4.4.3.8. A place that only keeps files can neither wait nor skip; without parts its
// playlist says nothing of it, for the hold-back is the one that holds by itself.
void append_control(std::string& out, const PlaylistInput& in) {
  const StreamTimes& times = in.times;
  if (in.plain && !in.plain_parts) return;
  out.append("\n#EXT-X-SERVER-CONTROL:");
  if (!in.plain) {
    out.append("CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=");
    append_seconds5(out, int64_t{times.skip_until_s()} * 1'000'000);
    out.push_back(',');
  }
  // Three part targets, as is recommended: with less, a player underruns at each hiccup.
  out.append("PART-HOLD-BACK=");
  append_seconds5(out, 3 * int64_t{times.part_target_us} + 10, true);
  out.append(",HOLD-BACK=");
  append_seconds5(out, 3 * int64_t{times.target_s} * 1'000'000);
  out.append("\n#EXT-X-PART-INF:PART-TARGET=");
  append_seconds5(out, times.part_target_us, true);
}

void append_head(std::string& out, const PlaylistInput& in, uint64_t msn,
                 uint64_t discontinuities) {
  const StreamTimes& times = in.times;
  out.append(kVersion).append("#EXT-X-TARGETDURATION:");
  add(out, times.target_s);
  append_control(out, in);
  out.append("\n#EXT-X-MEDIA-SEQUENCE:");
  add(out, msn);
  if (discontinuities > 0) {
    out.append("\n#EXT-X-DISCONTINUITY-SEQUENCE:");
    add(out, discontinuities);
  }
  out.append("\n#EXT-X-INDEPENDENT-SEGMENTS\n");
}

// How many of the listed segments lie before the skip boundary (6.2.5.1), and from which on parts
// are shown.
struct Bounds {
  size_t skip = 0;
  size_t parts_from = 0;
};
Bounds bounds_of(const Track& track, const StreamTimes& times) {
  const int64_t until_us = int64_t{times.skip_until_s()} * 1'000'000;
  // The one that is only hinted at counts.
  const size_t most = kSegmentsWithParts - (track.next_part == 0 ? 1 : 0);
  const size_t shown = std::min(most, track.segments.size() - track.listed);
  Bounds out{0, track.segments.size() - shown};
  int64_t after_us = 0;  // from a segment's end to the playlist's
  for (size_t i = track.segments.size(); i-- > track.listed;) {
    if (after_us >= until_us) {
      out.skip = i + 1 - track.listed;
      break;
    }
    after_us += duration_us(track, track.segments[i]);
  }
  return out;
}

}  // namespace

StreamTimes times_of(const Hello& hello) {
  StreamTimes times;
  times.part_target_us = hello.part_target_us;
  times.parts_per_segment = hello.parts_per_segment;
  const uint64_t us = uint64_t{hello.part_target_us} * hello.parts_per_segment;
  times.target_s = static_cast<uint32_t>((us + 999'999) / 1'000'000);
  return times;
}

void append_seconds5(std::string& out, int64_t us, bool round_up) {
  const int64_t tens = round_up ? (us + 9) / 10 : us / 10;
  add(out, static_cast<uint64_t>(tens / 100'000));
  out.push_back('.');
  append_digits(out, tens % 100'000, 5);
}

std::string iso_time(int64_t wall_us) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(wall_us / 1000)};
  const sys_days day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  std::string out;
  const auto digits = [&out](int64_t value, int width) { append_digits(out, value, width); };
  digits(static_cast<int>(date.year()), 4);
  out.push_back('-');
  digits(static_cast<unsigned>(date.month()), 2);
  out.push_back('-');
  digits(static_cast<unsigned>(date.day()), 2);
  out.push_back('T');
  digits(time.hours().count(), 2);
  out.push_back(':');
  digits(time.minutes().count(), 2);
  out.push_back(':');
  digits(time.seconds().count(), 2);
  out.push_back('.');
  digits(time.subseconds().count(), 3);
  return out.append("Z");
}

std::string segment_lines(const Track& track, const SegmentState& segment) {
  std::string out;
  append_date(out, segment);
  if (segment.gap) out.append("#EXT-X-GAP\n");
  out.append("#EXTINF:");
  append_seconds5(out, duration_us(track, segment));
  out.append(",\n").append(track.info.id).append("/");
  return out.append(segment_name(segment.msn)).append("\n");
}

std::string live_playlist(const PlaylistInput& in, bool skip) {
  const Track& track = in.tracks[in.index];
  const Bounds bounds = bounds_of(track, in.times);
  if (skip && bounds.skip == 0) return {};
  // Near a discontinuity the whole list is sent: hls.js miscounts when a delta update has one.
  const auto breaks = [](const SegmentState& segment) { return segment.starts_period; };
  if (skip && std::any_of(track.segments.begin() + static_cast<long>(track.listed + bounds.skip),
                          track.segments.end(), breaks)) {
    return {};
  }
  std::string out;
  out.reserve(4096 + in.date_ranges.size() + (skip ? 0 : track.segments.size() * 110));
  const uint64_t first =
      track.segments.size() > track.listed ? track.segments[track.listed].msn : track.next_msn;
  append_head(out, in, first, track.discontinuities);
  size_t at = track.listed;
  if (skip) {
    out.append("#EXT-X-SKIP:SKIPPED-SEGMENTS=");
    add(out, bounds.skip);
    out.append("\n");
    at += bounds.skip;
  }
  out.append(in.date_ranges);
  // A delta update says the MAP only where it changes: before, the reader knows it.
  uint32_t period = skip ? track.segments[at - 1].period : UINT32_MAX;
  const bool parts = !in.ended && (!in.plain || in.plain_parts);
  for (; at < track.segments.size(); ++at) {
    const SegmentState& segment = track.segments[at];
    if (!parts && !segment.complete) continue;
    append_segment(out, track, segment, parts && at >= bounds.parts_from, segment.period != period);
    period = segment.period;
  }
  if (in.ended) {
    out.append("#EXT-X-ENDLIST\n");
    return out;
  }
  if (in.plain) return out;
  append_hint(out, track);
  append_reports(out, in);
  return out;
}

std::string vod_playlist(const PlaylistInput& in) {
  const Track& track = in.tracks[in.index];
  std::string out(kVersion);
  out.append("#EXT-X-TARGETDURATION:");
  add(out, in.times.target_s);
  out.append("\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE:");
  add(out, track.has_parts() ? track.segments.front().msn : 0);
  out.append("\n#EXT-X-INDEPENDENT-SEGMENTS\n").append(in.date_ranges);
  uint32_t period = UINT32_MAX;
  for (const SegmentState& segment : track.segments) {
    if (!segment.complete) continue;
    if (segment.starts_period && period != UINT32_MAX) out.append("#EXT-X-DISCONTINUITY\n");
    if (segment.period != period) append_map(out, "", segment.period);
    period = segment.period;
    // Addresses are told from the playlist's folder, which is the rendition's.
    const size_t uri = segment.lines.rfind(track.info.id + "/");
    out.append(segment.lines, 0, uri).append(segment.lines, uri + track.info.id.size() + 1);
  }
  return out.append("#EXT-X-ENDLIST\n");
}

namespace {

bool is_video(const Track& track) { return track.info.kind == Kind::kVideo; }

void append_audio(std::string& out, const Rendition& audio, const std::string& address) {
  out.append("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Program\",DEFAULT=YES");
  out.append(",AUTOSELECT=YES");
  if (!audio.language.empty()) out.append(",LANGUAGE=\"").append(audio.language).append("\"");
  out.append(",CHANNELS=\"");
  add(out, audio.channels);
  out.append("\",URI=\"").append(address).append("\"\n");
}

// `audio`: what goes with a video rung; null for none, and for the audio alone.
void append_variant(std::string& out, const Rendition& info, const Rendition* audio) {
  out.append("#EXT-X-STREAM-INF:BANDWIDTH=");
  add(out, info.bandwidth_bps + (audio ? audio->bandwidth_bps : 0));
  if (info.average_bps > 0) {
    out.append(",AVERAGE-BANDWIDTH=");
    add(out, info.average_bps + (audio ? audio->average_bps : 0));
  }
  out.append(",CODECS=\"").append(info.codecs);
  if (audio) out.append(",").append(audio->codecs);
  out.append("\"");
  if (info.kind != Kind::kVideo) return;
  out.append(",RESOLUTION=");
  add(out, info.width);
  out.append("x");
  add(out, info.height);
  out.append(",FRAME-RATE=");
  add(out, info.frame_rate_milli / 1000);
  out.push_back('.');
  append_digits(out, info.frame_rate_milli % 1000, 3);
}

}  // namespace

std::string multivariant(const Hello& hello, std::span<const Track> tracks, bool ended) {
  std::string out(kVersion);
  out.append("#EXT-X-INDEPENDENT-SEGMENTS\n");
  const auto address = [&](const Track& track) {
    return hello.epoch + "/" + track.info.id + (ended ? "/vod.m3u8" : ".m3u8");
  };
  const Track* audio = nullptr;
  for (const Track& track : tracks) {
    if (!is_video(track)) audio = &track;
  }
  const bool both = audio && std::ranges::any_of(tracks, is_video);
  if (both) append_audio(out, audio->info, address(*audio));
  // A rung that fell behind is left out, unless nothing would be left.
  const bool none_left = std::ranges::all_of(
      tracks, [](const Track& track) { return track.behind || !is_video(track); });
  for (const Track& track : tracks) {
    if (is_video(track) && track.behind && !none_left && !ended) continue;
    // The audio alone is a variant of its own: with little bandwidth one hears the show go on.
    append_variant(out, track.info, both && is_video(track) ? &audio->info : nullptr);
    if (both) out.append(",AUDIO=\"audio\"");
    out.append("\n").append(address(track)).append("\n");
  }
  return out;
}

}  // namespace footlight::hls
