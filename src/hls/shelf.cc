#include "hls/shelf.h"

#include <algorithm>

#include "core/assert.h"

namespace footlight::hls {
namespace {

constexpr std::string_view kNot = "no-store";
constexpr uint32_t kWholePart = UINT32_MAX;
constexpr uint64_t kSegmentsAhead = 2;
constexpr MonoUs kLetGoUs = kUsPerSecond / 10;  // looking through all who wait costs something

uint32_t target_s(const Hello& hello) {
  const uint64_t us = uint64_t{hello.part_target_us} * hello.parts_per_segment;
  return static_cast<uint32_t>((us + 999'999) / 1'000'000);
}

}  // namespace

Shelf::Shelf(const Hello& hello, const Limits& limits)
    : epoch_(hello.epoch),
      limits_(limits),
      parts_per_segment_(hello.parts_per_segment),
      tracks_(hello.renditions.size()) {
  if (hello.part_target_us < 1'000'000) {
    parts_ahead_ = (3'000'000 + hello.part_target_us - 1) / hello.part_target_us;
  }
  longest_wait_us_ = 3 * target_s(hello) * kUsPerSecond;
  // RFC 8216bis 6.2.5.2: six target durations.
  blocking_cache_ = "public, max-age=" + std::to_string(6 * target_s(hello));
  for (size_t i = 0; i < tracks_.size(); ++i) tracks_[i].id = hello.renditions[i].id;
}

Shelf::~Shelf() {
  for (Track& track : tracks_) {
    auto waiting = std::move(track.waiting);
    for (auto& [place, waiters] : waiting) {
      for (Waiter& each : waiters) each.done(refuse(Code::kProgramGone));
    }
  }
}

Shelf::Segment* Shelf::find(Track& track, uint64_t msn) {
  if (msn < track.first_msn || msn - track.first_msn >= track.segments.size()) return nullptr;
  return &track.segments[msn - track.first_msn];
}

Shelf::Track* Shelf::track_of(const Request& request) {
  if (request.epoch != epoch_) return nullptr;
  const auto found = std::ranges::find(tracks_, request.rendition, &Track::id);
  return found == tracks_.end() ? nullptr : &*found;
}

Reply Shelf::give(ResourcePtr resource, std::string_view cache) {
  if (!resource) return refuse(Code::kProgramGone);
  counters_.bytes += resource->body.size_bytes();
  Reply reply;
  reply.resource = std::move(resource);
  reply.cache_control = cache;
  return reply;
}

Reply Shelf::refuse(Code code, std::string detail) {
  ++counters_.refused;
  Reply reply;
  reply.error = {code, std::move(detail), 0};
  const bool gone =
      code == Code::kProgramGone || code == Code::kProgramUnknown || code == Code::kProgramOff;
  reply.status = gone ? 404 : code == Code::kProgramAhead ? 400 : 503;
  // A cache may answer for a moment that there is nothing, not that we are busy.
  reply.cache_control = gone ? kBriefly : kNot;
  if (reply.status == 503) reply.error.retry_after_ms = 1'000;
  return reply;
}

std::optional<Reply> Shelf::get(const Request& request) {
  ++counters_.requests;
  const std::string_view brief = ended_ ? kEnded : kBriefly;
  switch (request.what) {
    case What::kIndex:
      return give(request.gzip && index_gzip_ ? index_gzip_ : index_, brief);
    case What::kManifest:
      return give(request.gzip && manifest_gzip_ ? manifest_gzip_ : manifest_, brief);
    case What::kPoster:
      return give(poster_, brief);
    case What::kThumbs:
      return give(thumbs_, brief);
    case What::kThumb: {
      const auto found = small_.find(request.number);
      const bool there = request.epoch == epoch_ && found != small_.end();
      return there ? give(found->second, kForever) : refuse(Code::kProgramGone);
    }
    default:
      break;
  }
  Track* track = track_of(request);
  if (!track) return refuse(Code::kProgramUnknown);
  switch (request.what) {
    case What::kPlaylist:
      return get_playlist(*track, request);
    case What::kVod:
      return give(request.gzip && track->vod_gzip ? track->vod_gzip : track->vod, brief);
    case What::kInit:
      if (request.number >= track->inits.size()) return refuse(Code::kProgramGone);
      return give(track->inits[request.number], kForever);
    default:
      return get_media(*track, request);
  }
}

Reply Shelf::playlist_reply(const Track& track, bool skip, bool gzip, bool blocking) {
  const PlaylistSet& set = track.playlist;
  const std::string_view cache = ended_     ? kEnded
                                 : blocking ? std::string_view(blocking_cache_)
                                            : kBriefly;
  if (skip && set.delta) return give(gzip ? set.delta_gzip : set.delta, cache);
  return give(gzip ? set.full_gzip : set.full, cache);
}

Shelf::Place Shelf::place_of(const Request& request) const {
  if (request.what == What::kPart) return {request.number, request.part};
  if (!request.wait_part) return {*request.wait_msn, kWholePart};
  // A part past the segment's end is the first of the next segment.
  if (*request.wait_part >= parts_per_segment_) return {*request.wait_msn + 1, 0};
  return {*request.wait_msn, *request.wait_part};
}

bool Shelf::reached(const Track& track, Place place) const {
  const Position& at = track.position;
  if (!started_ || track.segments.empty()) return false;
  if (place.first < at.msn) return true;
  if (place.first > at.msn) {
    // The segment ended early: what was asked past its end is the next one's first part.
    return false;
  }
  if (place.second == kWholePart) return at.whole;
  return place.second < at.parts;
}

std::optional<Reply> Shelf::get_playlist(Track& track, const Request& request) {
  if (!request.wait_msn || ended_) {
    return playlist_reply(track, request.skip, request.gzip, false);
  }
  const Position& at = track.position;
  const uint64_t msn = *request.wait_msn;
  if (track.segments.empty()) {
    if (msn > kSegmentsAhead) return refuse(Code::kProgramAhead);
    return std::nullopt;
  }
  if (msn > at.msn + kSegmentsAhead) return refuse(Code::kProgramAhead);
  const Place place = place_of(request);
  if (reached(track, place)) return playlist_reply(track, request.skip, request.gzip, true);
  if (request.wait_part) {
    const uint64_t ahead = (place.first - at.msn) * parts_per_segment_ + place.second;
    if (ahead >= uint64_t{at.parts} + parts_ahead_) {
      return refuse(Code::kProgramAhead);
    }
  }
  return std::nullopt;
}

std::optional<Reply> Shelf::get_media(Track& track, const Request& request) {
  Segment* segment = find(track, request.number);
  if (request.what == What::kSegment) {
    if (!segment || !segment->complete) return refuse(Code::kProgramGone);
    return give(segment->whole, kForever);
  }
  if (segment && request.part < segment->parts.size()) {
    return give(segment->parts[request.part], kForever);
  }
  // The one part that the playlist hints at may be asked for before it is there.
  const Position& at = track.position;
  const bool over = segment && segment->complete;
  const bool next = started_ && !ended_ && !over &&
                    (at.whole ? request.number == at.msn + 1 && request.part == 0
                              : request.number == at.msn && request.part == at.parts);
  if (next) return std::nullopt;
  return refuse(Code::kProgramGone);
}

// Clients that went away cannot keep the places of those that stay.
void Shelf::let_go() {
  for (Track& track : tracks_) {
    for (auto group = track.waiting.begin(); group != track.waiting.end();) {
      counters_.waiting -= std::erase_if(
          group->second, [](const Waiter& each) { return each.asker && each.asker->expired(); });
      group = group->second.empty() ? track.waiting.erase(group) : std::next(group);
    }
  }
}

void Shelf::wait(const Request& request, MonoUs now_us, Done done, Asker asker) {
  Track* track = track_of(request);
  FL_ASSERT(track != nullptr, "get() said that it waits");
  if (counters_.waiting >= limits_.max_waiting && now_us - let_go_us_ >= kLetGoUs) {
    let_go_us_ = now_us;
    let_go();
  }
  if (counters_.waiting >= limits_.max_waiting) return done(refuse(Code::kProgramCrowded));
  ++counters_.waiting;
  ++counters_.waited;
  const Place place = place_of(request);
  Waiter waiter;
  waiter.due_us = now_us + longest_wait_us_;
  waiter.playlist = request.what == What::kPlaylist;
  waiter.skip = request.skip;
  waiter.gzip = request.gzip;
  waiter.done = std::move(done);
  waiter.asker = std::move(asker);
  track->waiting[place].push_back(std::move(waiter));
}

void Shelf::answer(Track& track, Place place, Waiter waiter) {
  --counters_.waiting;
  if (waiter.playlist) {
    return waiter.done(playlist_reply(track, waiter.skip, waiter.gzip, true));
  }
  Segment* segment = find(track, place.first);
  const bool there = segment && place.second < segment->parts.size();
  waiter.done(there ? give(segment->parts[place.second], kForever) : refuse(Code::kProgramGone));
}

void Shelf::wake(Track& track) {
  while (!track.waiting.empty()) {
    const auto first = track.waiting.begin();
    const Place place = first->first;
    const Segment* segment = find(track, place.first);
    // A segment that ended early will never have the part; who waits for the playlist waits on for
    // the next segment's first part, who waits for the part itself is told that there is none. It
    // may be complete before a playlist says so.
    const bool never = segment && segment->complete && place.second != kWholePart &&
                       place.second >= segment->parts.size();
    if (!ended_ && !never && !reached(track, place)) return;
    auto waiters = std::move(first->second);
    track.waiting.erase(first);
    if (never && !ended_) {
      std::vector<Waiter> on;
      for (Waiter& each : waiters) {
        if (each.playlist) on.push_back(std::move(each));
      }
      std::erase_if(waiters, [](const Waiter& each) { return each.done == nullptr; });
      if (!on.empty()) move_on(track.waiting, {place.first + 1, 0}, std::move(on));
    }
    for (Waiter& each : waiters) answer(track, place, std::move(each));
  }
}

void Shelf::move_on(Waiting& waiting, Place to, std::vector<Waiter> waiters) {
  auto& there = waiting[to];
  std::ranges::move(waiters, std::back_inserter(there));
  std::ranges::stable_sort(there, {}, &Waiter::due_us);
}

MonoUs Shelf::next_due_us() const {
  MonoUs due_us = kNever;
  if (counters_.waiting == 0) return due_us;
  for (const Track& track : tracks_) {
    for (const auto& [place, waiters] : track.waiting) {
      due_us = std::min(due_us, waiters.front().due_us);
    }
  }
  return due_us;
}

MonoUs Shelf::on_time(MonoUs now_us) {
  if (counters_.waiting == 0) return kNever;
  for (Track& track : tracks_) {
    for (auto group = track.waiting.begin(); group != track.waiting.end();) {
      auto& waiters = group->second;
      const auto first_left =
          std::ranges::find_if(waiters, [&](const Waiter& each) { return each.due_us > now_us; });
      std::vector<Waiter> due(std::move_iterator(waiters.begin()), std::move_iterator(first_left));
      waiters.erase(waiters.begin(), first_left);
      group = waiters.empty() ? track.waiting.erase(group) : std::next(group);
      for (Waiter& each : due) {
        --counters_.waiting;
        ++counters_.timed_out;
        each.done(refuse(Code::kProgramLate));
      }
    }
  }
  return next_due_us();
}

void Shelf::put_one(const Change& change) {
  Track& track = tracks_[change.rendition];
  switch (change.what) {
    case Change::Do::kIndex:
      index_ = change.resource;
      index_gzip_ = change.gzip;
      return;
    case Change::Do::kManifest:
      manifest_ = change.resource;
      manifest_gzip_ = change.gzip;
      return;
    case Change::Do::kPoster:
      poster_ = change.resource;
      return;
    case Change::Do::kThumbs:
      thumbs_ = change.resource;
      return;
    case Change::Do::kThumb:
      if (change.resource) {
        small_[change.number] = change.resource;
      } else {
        small_.erase(change.number);
      }
      return;
    case Change::Do::kInit:
      if (track.inits.size() <= change.number) track.inits.resize(change.number + 1);
      track.inits[change.number] = change.resource;
      return;
    case Change::Do::kPart:
    case Change::Do::kSegment: {
      if (track.segments.empty()) track.first_msn = change.number;
      if (change.number >= track.first_msn + track.segments.size()) track.segments.emplace_back();
      Segment* segment = find(track, change.number);
      FL_ASSERT(segment != nullptr, "segments come one after another");
      if (change.what == Change::Do::kPart) {
        segment->parts.push_back(change.resource);
      } else {
        segment->whole = change.resource;
        segment->complete = true;
        // What lies in the store alone has no parts here any more.
        if (change.resource && change.resource->stored) segment->parts.clear();
      }
      return;
    }
    case Change::Do::kVod:
      track.vod = change.resource;
      track.vod_gzip = change.gzip;
      return;
    case Change::Do::kPlaylist:
      track.playlist = change.playlist;
      track.position = change.position;
      started_ = true;
      return;
    case Change::Do::kDrop:
      while (!track.segments.empty() && track.first_msn < change.number) {
        track.segments.pop_front();
        ++track.first_msn;
      }
      return;
    case Change::Do::kEnd:
      ended_ = true;
      return;
  }
}

void Shelf::put_up(std::span<const Change> changes) {
  for (const Change& change : changes) put_one(change);
  for (Track& track : tracks_) wake(track);
}

}  // namespace footlight::hls
