// What the feed brings: checked, placed, and made into segments.
#include <algorithm>

#include "core/assert.h"
#include "hls/address.h"
#include "hls/boxes.h"
#include "hls/internal/origin_impl.h"

namespace footlight::hls {
namespace {

constexpr size_t kMaxInitBytes = 64 * 1024;
constexpr size_t kMaxPeriods = 10'000;
constexpr size_t kMostCuts = 20'000;  // of a period
constexpr uint64_t kMaxMissingSegments = 8;
// A part may be this much shorter than the target before it counts as cut short (RFC 8216bis
// 4.4.4.9: 85 % but for the last of a segment).
constexpr uint64_t kShortPercent = 85;

}  // namespace

Status Origin::Impl::refuse(Track* track, Code code, std::string what) {
  ++counters.refused[code];
  if (track) ++track->refused_in_row;
  return fail(code, std::move(what));
}

Status Origin::Impl::on_init(uint32_t rendition, Blob bytes) {
  if (ended) return refuse(nullptr, Code::kFeedEnded, "");
  if (rendition >= tracks.size()) return refuse(nullptr, Code::kFeedRendition, "");
  Track& track = tracks[rendition];
  if (track.init && *track.init == *bytes) return {};  // said again
  if (track.begun || track.init) {
    return refuse(&track, Code::kFeedOrder, "an init segment in the middle of the stream");
  }
  if (bytes->size() > kMaxInitBytes) return refuse(&track, Code::kFeedTooLarge, "init segment");
  const auto info = read_init(*bytes);
  if (!info) return refuse(&track, info.error().code, info.error().detail);
  if (info->timescale != track.info.timescale) {
    return refuse(&track, Code::kFeedBroken,
                  "the init segment's timescale is " + std::to_string(info->timescale));
  }
  track.init = bytes;
  const auto number = static_cast<uint32_t>(periods.size() - 1);
  Change made;
  made.what = Change::Do::kInit;
  made.rendition = rendition;
  made.number = number;
  made.resource = media(Chain(bytes), track, init_name(number));
  change(std::move(made));
  if (keeps_stored()) {
    store->put(name_of(track, init_name(number)), rendition, UINT64_MAX, Chain(bytes));
  }
  return {};
}

uint64_t Origin::Impl::nominal_ticks(const Track& track) const {
  return uint64_t{times.part_target_us} * track.info.timescale / 1'000'000;
}

uint64_t Origin::Impl::missing_before(const Track& track, uint64_t msn, uint32_t part) const {
  return (msn - track.next_msn) * times.parts_per_segment + part - track.next_part;
}

// The feed's number as ours. The first unit of a period says how they lie to each other: that
// segment follows the last of the period before.
uint64_t Origin::Impl::place(const PartUnit& unit) {
  Period& period = periods.back();
  if (!period.placed) {
    uint64_t next = 0;
    for (const Track& track : tracks) next = std::max(next, track.next_msn);
    period.msn_offset = next - unit.msn;
    period.placed = true;
  }
  return unit.msn + period.msn_offset;
}

Status Origin::Impl::check_unit(const Track& track, const PartUnit& unit, uint64_t msn) const {
  if (!track.init) return fail(Code::kFeedOrder, "a part before its init segment");
  if (!unit.bytes || unit.bytes->size() > limits.max_unit_bytes) {
    return fail(Code::kFeedTooLarge, "part");
  }
  const bool later =
      msn > track.next_msn || (msn == track.next_msn && unit.part >= track.next_part);
  const bool far = msn - track.next_msn > kMaxMissingSegments;
  if (!later || far || unit.part >= times.parts_per_segment) {
    return fail(Code::kFeedOrder, track.info.id + " expects " +
                                      part_name(track.next_msn, track.next_part) + ", not " +
                                      part_name(msn, unit.part));
  }
  if (unit.part == 0 && !unit.independent) {
    return fail(Code::kFeedBroken, "a segment that does not begin with a key frame");
  }
  const auto chunk = read_chunk(*unit.bytes);
  if (!chunk) return std::unexpected(chunk.error());
  if (chunk->tfdt != unit.tfdt) {
    return fail(Code::kFeedBroken, "tfdt is " + std::to_string(chunk->tfdt) + ", said was " +
                                       std::to_string(unit.tfdt));
  }
  if (chunk->duration && *chunk->duration != unit.duration) {
    return fail(Code::kFeedBroken, "the samples last " + std::to_string(*chunk->duration) +
                                       " ticks, said was " + std::to_string(unit.duration));
  }
  return check_time(track, unit, msn);
}

Status Origin::Impl::check_time(const Track& track, const PartUnit& unit, uint64_t msn) const {
  // No clock of a stream gets near it; beyond, sums would wrap.
  if (unit.tfdt > UINT64_MAX / 4) return fail(Code::kFeedTime, "tfdt");
  if (unit.duration == 0) return fail(Code::kFeedTime, "a part without duration");
  const uint64_t most = nominal_ticks(track) + 1;
  if (unit.duration > most) {
    return fail(Code::kFeedOverrun,
                std::to_string(unit.duration) + " ticks of " + std::to_string(most - 1));
  }
  const uint64_t missing = missing_before(track, msn, unit.part);
  if (!track.begun) {
    if (unit.tfdt < missing * nominal_ticks(track)) return fail(Code::kFeedTime, "begins too late");
    return {};
  }
  if (unit.tfdt < track.next_tfdt) {
    return fail(Code::kFeedTime,
                "tfdt goes back by " + std::to_string(track.next_tfdt - unit.tfdt));
  }
  const uint64_t ahead = unit.tfdt - track.next_tfdt;
  if (missing == 0 ? ahead != 0 : ahead < missing || ahead > missing * most) {
    return fail(Code::kFeedTime, "tfdt is " + std::to_string(ahead) + " ahead with " +
                                     std::to_string(missing) + " parts missing");
  }
  return {};
}

Status Origin::Impl::on_part(PartUnit unit) {
  if (ended) return refuse(nullptr, Code::kFeedEnded, "");
  if (unit.rendition >= tracks.size()) return refuse(nullptr, Code::kFeedRendition, "");
  Track& track = tracks[unit.rendition];
  const bool was_placed = periods.back().placed;
  const uint64_t msn = place(unit);
  // A rung that comes late begins where the others are.
  if (!track.has_parts() && unit.part == 0 && msn > track.next_msn) track.next_msn = msn;
  if (auto status = check_unit(track, unit, msn); !status) {
    if (!was_placed) periods.back().placed = false;  // the first good unit will say
    return refuse(&track, status.error().code, status.error().detail);
  }
  const uint64_t missing = missing_before(track, msn, unit.part);
  anchor(track, unit);
  if (!track.begun) track.next_tfdt = unit.tfdt - missing * nominal_ticks(track);
  track.begun = true;
  if (missing > 0) fill_gaps(unit.rendition, missing, unit.tfdt);
  add_part(unit.rendition, unit.duration, &unit);
  track.refused_in_row = 0;
  ++counters.parts;
  const bool is_short = unit.duration * 100 < nominal_ticks(track) * kShortPercent;
  if (is_short && track.next_part != 0) end_segment(unit.rendition);
  publish_playlist(unit.rendition);
  cut_memory();
  return {};
}

void Origin::Impl::anchor(const Track& track, const PartUnit& unit) {
  Period& period = periods.back();
  if (period.anchored) return;
  period.anchored = true;
  // A wall clock that was set back does not turn the program's dates back.
  period.anchor_wall_us = std::max(unit.program_date_time_ms * 1000, end_wall_us());
  period.anchor_media_us = ticks_to_us(unit.tfdt, track.info.timescale);
}

// Parts that never came: each as long as the hole allows, together exactly as long as it.
void Origin::Impl::fill_gaps(uint32_t rendition, uint64_t missing, uint64_t until_tfdt) {
  Track& track = tracks[rendition];
  for (; missing > 0; --missing) {
    add_part(rendition, (until_tfdt - track.next_tfdt) / missing, nullptr);
    ++counters.gaps;
  }
}

void Origin::Impl::begin_segment(Track& track) {
  const auto period = static_cast<uint32_t>(periods.size() - 1);
  SegmentState segment;
  segment.msn = track.next_msn;
  segment.period = period;
  segment.starts_period = track.has_parts() && track.last().period != period;
  if (!track.has_parts()) {  // it has as many breaks behind it as the others
    track.discontinuities = static_cast<uint64_t>(std::count_if(
        periods.begin(), periods.end() - 1, [](const Period& p) { return p.anchored; }));
  }
  segment.tfdt = track.next_tfdt;
  const Period& at = periods.back();
  segment.wall_us =
      at.anchor_wall_us - at.anchor_media_us + ticks_to_us(track.next_tfdt, track.info.timescale);
  track.segments.push_back(std::move(segment));
}

// `unit`: null for a gap.
void Origin::Impl::add_part(uint32_t rendition, uint64_t duration, const PartUnit* unit) {
  Track& track = tracks[rendition];
  const bool begins = track.next_part == 0;
  if (begins) begin_segment(track);
  SegmentState& segment = track.segments.back();
  const auto index = static_cast<uint32_t>(segment.parts.size());
  PartState part;
  part.duration = duration;
  part.gap = unit == nullptr;
  part.independent = unit && unit->independent;
  segment.parts.push_back(part);
  segment.duration += duration;
  Change made;
  made.what = Change::Do::kPart;
  made.rendition = rendition;
  made.number = segment.msn;
  made.part = index;
  if (unit) {
    Chain body;
    if (track.info.kind == Kind::kVideo) {
      std::string boxes = cues.boxes(rendition, track.info.timescale, unit->tfdt, segment.msn,
                                     begins, periods.back());
      if (!boxes.empty()) body.add(make_blob(std::move(boxes)));
    }
    body.add(unit->bytes);
    segment.bytes += body.size_bytes();
    track.bytes += body.size_bytes();
    counters.memory_bytes += body.size_bytes();
    counters.bytes += body.size_bytes();
    segment.chain.add(body);
    made.resource = media(std::move(body), track, part_name(segment.msn, index));
  } else {
    segment.gap = true;
  }
  change(std::move(made));
  track.next_tfdt += duration;
  if (++track.next_part == times.parts_per_segment) end_segment(rendition);
}

void Origin::Impl::end_segment(uint32_t rendition) {
  Track& track = tracks[rendition];
  SegmentState& segment = track.segments.back();
  segment.complete = true;
  segment.lines = segment_lines(track, segment);
  if (segment.gap) cut_around(track, segment);
  track.next_msn = segment.msn + 1;
  track.next_part = 0;
  track.kept_ticks += segment.duration;
  track.listed_ticks += segment.duration;
  ++counters.segments;
  Change made;
  made.what = Change::Do::kSegment;
  made.rendition = rendition;
  made.number = segment.msn;
  if (!segment.gap) {
    made.resource = media(segment.chain, track, segment_name(segment.msn));
    if (keeps_stored()) {
      store->put(name_of(track, segment_name(segment.msn)), rendition, segment.msn, segment.chain);
    }
  }
  segment.chain = {};
  change(std::move(made));
  cut_window(rendition);
  update_lag();
  publish_manifest();
}

void Origin::Impl::cut_around(const Track& track, const SegmentState& hole) {
  auto& cuts = periods[hole.period].cuts;
  const int64_t end_us = hole.wall_us + ticks_to_us(hole.duration, track.info.timescale);
  for (const Period::Cut cut :
       {Period::Cut{hole.msn, hole.wall_us}, Period::Cut{hole.msn + 1, end_us}}) {
    const auto at = std::ranges::lower_bound(cuts, cut.msn, {}, &Period::Cut::msn);
    const bool known = at != cuts.end() && at->msn == cut.msn;
    if (!known && cuts.size() < kMostCuts) cuts.insert(at, cut);
  }
}

void Origin::Impl::end_open_segments() {
  for (uint32_t i = 0; i < tracks.size(); ++i) {
    if (tracks[i].next_part != 0) end_segment(i);
  }
}

Status Origin::Impl::on_discontinuity() {
  if (ended) return refuse(nullptr, Code::kFeedEnded, "");
  if (periods.size() >= kMaxPeriods) return refuse(nullptr, Code::kFeedTooLarge, "restarts");
  // What the latest playlists hint at, they hint at as a part of the old run.
  uint64_t hinted = 0;
  for (const Track& track : tracks) {
    if (track.has_parts() && track.next_part == 0) hinted = std::max(hinted, track.next_msn);
  }
  end_open_segments();
  uint64_t next = 0;
  for (const Track& track : tracks) next = std::max(next, track.next_msn);
  // The same number means the same time in each rendition, also after the break.
  for (uint32_t i = 0; i < tracks.size(); ++i) {
    Track& track = tracks[i];
    if (!track.has_parts()) track.next_msn = next;
    if (!track.begun && track.next_msn < next) {
      track.next_tfdt = us_to_ticks(periods.back().anchor_media_us, track.info.timescale);
    }
    while (track.next_msn < next) {
      const uint64_t one = nominal_ticks(track);
      fill_gaps(i, times.parts_per_segment, track.next_tfdt + one * times.parts_per_segment);
    }
    // hls.js counts the breaks before a segment once, also of one that it has only a hint of. A
    // number that was hinted at becomes a short gap of the old run, and the new run has the next.
    if (hinted == next && track.has_parts() && periods.back().anchored) {
      add_part(i, nominal_ticks(track), nullptr);
      if (track.next_part != 0) end_segment(i);
      ++counters.gaps;
    }
    track.begun = false;
    track.init = nullptr;
    track.refused_in_row = 0;
  }
  periods.emplace_back();
  ++counters.discontinuities;
  // Nothing is published yet: the playlist would hint at the new run's first part before its break
  // can be said.
  return {};
}

}  // namespace footlight::hls
