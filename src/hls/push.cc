#include "hls/push.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "hls/address.h"

namespace footlight::hls {
namespace {

// RFC 8216 6.2.2: what has left a playlist stays for as long as the longest playlist that had it.
constexpr MonoUs kLingerUs = 30 * kUsPerSecond;
constexpr size_t kMostLost = 10'000;
constexpr size_t kMostRemovals = 100'000;
constexpr uint64_t kRemoval = 0;  // the number of the removal that is carried

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".m3u8")) return "application/vnd.apple.mpegurl";
  if (name.ends_with(".mpd")) return "application/dash+xml";
  if (name.ends_with(".jpg")) return "image/jpeg";
  if (name.ends_with(".json")) return "application/json";
  if (name.ends_with(".vtt")) return "text/vtt";
  return "video/mp4";
}

}  // namespace

Pusher::Pusher(const PushOptions& options) : options_(options), prng_(options.seed) {
  FL_ASSERT(options_.clock != nullptr, "a clock is needed");
}

std::string Pusher::place_of(const Track& track, const std::string& file) const {
  return epoch_ + "/" + track.id + "/" + file;
}

void Pusher::begin(const Hello& hello) {
  remove_all();
  epoch_ = hello.epoch;
  for (std::string& name : std::exchange(left_before_, {})) {
    if (options_.remove && !name.starts_with(epoch_ + "/")) remove_later(std::move(name));
  }
  parts_per_segment_ = hello.parts_per_segment;
  ended_ = false;
  tracks_.clear();
  for (const Rendition& one : hello.renditions) tracks_.push_back({one.id, 0, 0, 0});
}

void Pusher::take(std::span<const Change> changes) {
  for (const Change& change : changes) one(change);
  make_room();
}

void Pusher::one(const Change& change) {
  using Do = Change::Do;
  if (change.what == Do::kEnd) ended_ = true;
  if (change.what == Do::kPoster) return text("poster.jpg", change.resource->body, false);
  // What has ended and is removed after a while has no recording: the window stays as it is.
  const bool no_more = ended_ && options_.remove;
  if (change.what == Do::kThumbs && !no_more)
    return text("thumbs.vtt", change.resource->body, true);
  if (change.what == Do::kThumb) {
    if (change.resource && !options_.remove) {
      media(epoch_ + "/" + thumb_name(change.number), change.resource->body);
    }
    return;
  }
  if (change.what == Do::kIndex && !no_more) return text("index.m3u8", change.resource->body, true);
  if (change.what == Do::kManifest) {
    const auto& shown = no_more && change.plain ? change.plain : change.resource;
    return text("manifest.mpd", shown->body, true);
  }
  if (change.rendition >= tracks_.size()) return;
  Track& track = tracks_[change.rendition];
  switch (change.what) {
    case Do::kInit:
      track.inits = std::max(track.inits, static_cast<uint32_t>(change.number) + 1);
      return media(place_of(track, init_name(static_cast<uint32_t>(change.number))),
                   change.resource->body);
    case Do::kPart:
      if (!options_.parts || !change.resource) return;
      return media(place_of(track, part_name(change.number, change.part)), change.resource->body);
    case Do::kSegment:
      if (track.end == 0) track.first = change.number;
      if (change.number < track.end) return;  // said again, as its bytes leave the memory
      track.end = change.number + 1;
      if (!change.resource) return;
      return media(place_of(track, segment_name(change.number)), change.resource->body);
    case Do::kPlaylist:
      if (!change.plain) return;
      text(epoch_ + "/" + track.id + ".m3u8", change.plain->body, false);
      if (options_.remove) forget_before(track, change.number);
      return;
    case Do::kVod:
      if (no_more) return;
      return text(place_of(track, "vod.m3u8"), change.resource->body, false);
    default:
      return;
  }
}

void Pusher::put(std::string name, std::string body) {
  text(std::move(name), Chain(make_blob(std::move(body))), false);
  make_room();
}

void Pusher::media(std::string name, const Chain& body) {
  File file;
  file.name = std::move(name);
  file.body = body;
  file.cache_control = kForever;
  file.media = true;
  file.since_us = options_.clock->now_us();
  counters_.waiting_bytes += body.size_bytes();
  files_.emplace(next_number_++, std::move(file));
}

void Pusher::text(std::string name, const Chain& body, bool last) {
  const std::string_view cache = ended_ ? kEnded : kBriefly;
  if (const auto known = texts_.find(name); known != texts_.end()) {
    files_.at(known->second).newer = File::Newer{body, cache, next_number_};
    return;
  }
  File file;
  file.name = name;
  file.body = body;
  file.cache_control = cache;
  file.last = last;
  file.after = next_number_;
  file.since_us = options_.clock->now_us();
  texts_.emplace(std::move(name), next_number_);
  files_.emplace(next_number_++, std::move(file));
}

// The oldest media go first; what is being carried stays.
void Pusher::make_room() {
  while (counters_.waiting_bytes > options_.max_waiting_bytes ||
         files_.size() > options_.max_waiting) {
    const auto oldest = std::ranges::find_if(
        files_, [](const auto& each) { return each.second.media && !each.second.carried; });
    if (oldest == files_.end()) return;
    leave_out(oldest, {Code::kPushBehind, oldest->second.name, 0});
  }
}

void Pusher::leave_out(std::map<uint64_t, File>::iterator at, Error why) {
  File& file = at->second;
  ++counters_.left_out;
  counters_.error = std::move(why);
  if (file.media) {
    counters_.waiting_bytes -= file.body.size_bytes();
    if (lost_.size() >= kMostLost) lost_.erase(lost_.begin());
    lost_.insert(file.name);
  } else {
    texts_.erase(file.name);
  }
  files_.erase(at);
}

bool Pusher::may_go(const File& file, uint64_t number, uint64_t first_media) const {
  if (file.carried) return false;
  if (file.media) return true;
  if (file.last && files_.begin()->first < number) return false;
  return first_media >= file.after;
}

std::optional<PushJob> Pusher::next() {
  const MonoUs now_us = options_.clock->now_us();
  if (now_us < pause_until_us_) return std::nullopt;
  if (carried_ >= (failures_ > 0 ? 1 : options_.max_carried)) return std::nullopt;
  // What failed comes after what was not tried yet: one file that is refused holds up no other.
  uint64_t first_media = UINT64_MAX, best = 0;
  uint32_t fewest = UINT32_MAX;
  for (const auto& [number, file] : files_) {
    if (file.media) first_media = std::min(first_media, number);
    if (file.attempts >= fewest || !may_go(file, number, first_media)) continue;
    best = number;
    fewest = file.attempts;
    if (fewest == 0) break;
  }
  if (best == 0) return next_removal();
  File& file = files_.at(best);
  file.carried = true;
  ++carried_;
  return PushJob{best, false, file.name, with_gaps(file), type_of(file.name), file.cache_control};
}

std::optional<PushJob> Pusher::next_removal() {
  if (removing_ || removals_.empty()) return std::nullopt;
  if (removals_.front().due_us > options_.clock->now_us()) return std::nullopt;
  removing_ = std::move(removals_.front());
  removals_.pop_front();
  ++carried_;
  return PushJob{kRemoval, true, removing_->name, {}, "", ""};
}

Chain Pusher::with_gaps(const File& file) const {
  if (file.media || lost_.empty() || !file.name.ends_with(".m3u8")) return file.body;
  const std::string folder = file.name.substr(0, file.name.rfind('/') + 1);
  return Chain(make_blob(mark_gaps(file.body.joined(), folder, lost_)));
}

void Pusher::failed(const Error& error) {
  ++counters_.failed;
  counters_.failing = true;
  counters_.error = error;
  const uint32_t doublings = std::min<uint32_t>(failures_++, 16);
  const uint64_t most =
      std::min<uint64_t>(options_.longest_pause_ms, uint64_t{options_.first_pause_ms} << doublings);
  // Half of it by chance, so that many nodes do not come back together.
  const uint64_t pause_ms = most / 2 + prng_.below(most / 2 + 1);
  pause_until_us_ = options_.clock->now_us() + static_cast<MonoUs>(pause_ms) * kUsPerMs;
}

void Pusher::done(uint64_t id, const Status& status) {
  FL_ASSERT(carried_ > 0, "it was carried");
  --carried_;
  if (status) {
    failures_ = 0;
    counters_.failing = false;
  } else {
    failed(status.error());
  }
  if (id == kRemoval) {
    if (status) ++counters_.removed;
    if (!status && ++removing_->attempts < options_.attempts) {
      removals_.push_front(std::move(*removing_));
    }
    removing_.reset();
    return;
  }
  const auto at = files_.find(id);
  FL_ASSERT(at != files_.end(), "what is carried stays");
  File& file = at->second;
  file.carried = false;
  if (!status) {
    if (++file.attempts < options_.attempts) return;
    if (file.media || !file.newer) return leave_out(at, status.error());
  } else {
    ++counters_.files;
    counters_.bytes += file.body.size_bytes();
  }
  if (file.media) {
    counters_.waiting_bytes -= file.body.size_bytes();
    files_.erase(at);
    return;
  }
  // Its next version takes a place of its own: the multivariant playlist does not wait for it.
  std::optional<File::Newer> newer = std::move(file.newer);
  File again = std::move(file);
  files_.erase(at);
  texts_.erase(again.name);
  if (!newer) return;
  again.body = std::move(newer->body);
  again.cache_control = newer->cache_control;
  again.after = newer->after;
  again.newer.reset();
  again.attempts = 0;
  again.since_us = options_.clock->now_us();
  texts_.emplace(again.name, next_number_);
  files_.emplace(next_number_++, std::move(again));
}

MonoUs Pusher::next_due_us() const {
  const MonoUs now_us = options_.clock->now_us();
  MonoUs due_us = kNever;
  if (!removals_.empty() && !removing_) due_us = removals_.front().due_us;
  if (pause_until_us_ > now_us && (!files_.empty() || due_us != kNever)) {
    due_us = files_.empty() ? std::max(due_us, pause_until_us_) : pause_until_us_;
  }
  return due_us;
}

PushCounters Pusher::counters() const {
  PushCounters out = counters_;
  out.waiting = files_.size();
  for (const auto& [number, file] : files_) {
    out.waiting_since_us = std::min(out.waiting_since_us, file.since_us);
  }
  return out;
}

void Pusher::remove_later(std::string name) {
  if (removals_.size() >= kMostRemovals) return;  // it stays; a rule of the store may take it
  const MonoUs stays_us = MonoUs{options_.window_ms} * kUsPerMs + kLingerUs;
  removals_.push_back({options_.clock->now_us() + stays_us, std::move(name), 0});
}

void Pusher::forget_before(Track& track, uint64_t msn) {
  for (; track.first < std::min(msn, track.end); ++track.first) {
    const std::string segment = place_of(track, segment_name(track.first));
    if (lost_.erase(segment) == 0) remove_later(segment);
    for (uint32_t i = 0; options_.parts && i < parts_per_segment_; ++i) {
      const std::string part = place_of(track, part_name(track.first, i));
      if (lost_.erase(part) == 0) remove_later(part);
    }
  }
}

// Of the epoch that a new one takes the place of.
void Pusher::remove_all() {
  if (!options_.remove) return;
  for (Track& track : tracks_) {
    forget_before(track, track.end);
    for (uint32_t i = 0; i < track.inits; ++i) remove_later(place_of(track, init_name(i)));
    remove_later(epoch_ + "/" + track.id + ".m3u8");
  }
}

std::string mark_gaps(std::string_view playlist, std::string_view folder,
                      const std::set<std::string>& lost) {
  constexpr std::string_view kPart = "#EXT-X-PART:";
  constexpr std::string_view kUri = "URI=\"";
  const auto is_lost = [&](std::string_view name) {
    return lost.contains(std::string(folder).append(name));
  };
  std::string out;
  size_t lines_of_segment = 0;  // where EXTINF stands in `out`
  while (!playlist.empty()) {
    const std::string_view line = playlist.substr(0, playlist.find('\n'));
    playlist.remove_prefix(std::min(playlist.size(), line.size() + 1));
    if (line.starts_with("#EXTINF")) lines_of_segment = out.size();
    if (line.starts_with(kPart)) {
      const size_t at = line.find(kUri);
      const std::string_view rest = line.substr(at == line.npos ? line.size() : at + kUri.size());
      out.append(line);
      if (is_lost(rest.substr(0, rest.find('"'))) && line.find(",GAP=YES") == line.npos) {
        out.append(",GAP=YES");
      }
    } else {
      if (!line.starts_with('#') && is_lost(line)) out.insert(lines_of_segment, "#EXT-X-GAP\n");
      out.append(line);
    }
    out.append("\n");
  }
  return out;
}

}  // namespace footlight::hls
