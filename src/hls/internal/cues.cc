#include "hls/internal/cues.h"

#include <algorithm>

#include "core/bytes.h"
#include "hls/boxes.h"

namespace footlight::hls {
namespace {

constexpr std::string_view kOwner = "footlight.cue";
constexpr int64_t kReplacedShownUs = 20'000'000;  // for those who watch a little behind
constexpr int64_t kShortLivedMs = 2'000;          // left out of the recording
constexpr size_t kIdsKept = 4;

// Ticks of a wall time in a period; 0 for what lies before the media time's zero.
uint64_t ticks_at(int64_t wall_us, const Period& period, uint32_t timescale) {
  const int64_t media_us = wall_us - period.anchor_wall_us + period.anchor_media_us;
  if (media_us <= 0) return 0;
  return us_to_ticks(media_us, timescale);
}

// What the ID3 frame holds: who it is about, then the payload as it came.
std::string frame_of(const Cue& cue) {
  std::string out = cue.kind;
  out.append(" ").append(cue.id).append(" ").append(cue.key.empty() ? "-" : cue.key).append("\n");
  return out.append(cue.payload);
}

}  // namespace

Status Cues::add(Cue cue) {
  if (ids_.contains(cue.id)) return fail(Code::kFeedOrder, "cue " + cue.id + " came before");
  if (!cue.key.empty()) {
    const auto state = states_.find(cue.key);
    if (state == states_.end() && !cue.ends_key && states_.size() >= limits_.max_states) {
      return fail(Code::kFeedTooLarge, "too many states; " + cue.key);
    }
    if (state != states_.end()) {
      const uint64_t first = entries_.empty() ? 0 : entries_.front().number;
      if (state->second >= first && state->second - first < entries_.size()) {
        Entry& before = entries_[state->second - first];
        before.replaced = true;
        before.replaced_ms = cue.at_ms;
      }
      states_.erase(state);
    }
    if (!cue.ends_key) states_[cue.key] = next_number_;
  }
  ids_.insert(cue.id);
  Entry entry;
  entry.number = next_number_++;
  entry.replaced = !cue.key.empty() && cue.ends_key;
  entry.replaced_ms = INT64_MAX;
  entry.cue = std::move(cue);
  entries_.push_back(std::move(entry));
  while (entries_.size() > limits_.max_cues) {
    ids_.erase(entries_.front().cue.id);
    const auto state = states_.find(entries_.front().cue.key);
    if (state != states_.end() && state->second == entries_.front().number) states_.erase(state);
    entries_.pop_front();
  }
  return {};
}

// The same telling has one id in every rung, so that who changes the rung is not told twice.
uint32_t Cues::emsg_id(Entry& entry, uint64_t msn) {
  for (const auto& [segment, id] : entry.emsg_ids) {
    if (segment == msn) return id;
  }
  if (entry.emsg_ids.size() >= kIdsKept) entry.emsg_ids.erase(entry.emsg_ids.begin());
  entry.emsg_ids.emplace_back(msn, next_emsg_);
  return next_emsg_++;
}

std::string Cues::boxes(uint32_t rendition, uint32_t timescale, uint64_t tfdt, uint64_t msn,
                        bool segment_begins, const Period& period) {
  std::string out;
  if (entries_.empty()) return out;
  const uint64_t first = entries_.front().number;
  const uint32_t bit = 1u << rendition;
  const auto tell = [&](Entry& entry, uint64_t at_ticks) {
    const std::string tag = id3_private(kOwner, frame_of(entry.cue));
    Emsg emsg;
    emsg.scheme = kEmsgId3;
    emsg.timescale = timescale;
    emsg.presentation_time = std::max(at_ticks, tfdt);
    if (entry.cue.duration_ms > 0) {
      const uint64_t ticks = uint64_t{entry.cue.duration_ms} * timescale / 1000;
      emsg.duration = static_cast<uint32_t>(std::min<uint64_t>(ticks, 0xFFFFFFFE));
    }
    emsg.id = emsg_id(entry, msn);
    emsg.data = tag;
    append_emsg(out, emsg);
    entry.told |= bit;
  };
  if (segment_begins) {
    for (const auto& [key, number] : states_) {
      if (number < first) continue;
      Entry& entry = entries_[number - first];
      if (entry.told & bit) tell(entry, tfdt);
    }
  }
  for (uint64_t number = std::max(fresh_from_, first); number < next_number_; ++number) {
    Entry& entry = entries_[number - first];
    if (!(entry.told & bit)) {
      tell(entry, ticks_at(entry.cue.at_ms * 1000, period, timescale));
    }
    // Told in all video rungs, or too long ago for those that stand still.
    const bool all = entry.told == video_;
    if (number == fresh_from_ && (all || next_number_ - number > 256)) ++fresh_from_;
  }
  fresh_from_ = std::max(fresh_from_, first);
  return out;
}

void Cues::append_line(std::string& out, const Cue& cue) {
  out.append("#EXT-X-DATERANGE:ID=\"").append(cue.id);
  out.append("\",CLASS=\"footlight.").append(cue.kind);
  out.append("\",START-DATE=\"").append(iso_time(cue.at_ms * 1000)).append("\"");
  if (cue.duration_ms > 0) {
    out.append(",PLANNED-DURATION=");
    append_seconds5(out, int64_t{cue.duration_ms} * 1000);
  }
  if (!cue.key.empty()) out.append(",X-FOOTLIGHT-KEY=\"").append(cue.key).append("\"");
  if (!cue.payload.empty()) {
    out.append(",X-FOOTLIGHT-DATA=\"").append(to_base64url(as_bytes(cue.payload))).append("\"");
  }
  out.append("\n");
}

std::string Cues::live_lines(int64_t from_us, int64_t to_us) const {
  std::vector<const Entry*> shown;
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if (shown.size() >= limits_.max_listed_cues) break;
    const int64_t at_us = entry->cue.at_ms * 1000;
    const bool holds = !entry->cue.key.empty() && !entry->replaced;
    const bool recent = !entry->replaced || at_us > to_us - kReplacedShownUs;
    if (holds || (at_us >= from_us && recent)) shown.push_back(&*entry);
  }
  std::string out;
  for (auto entry = shown.rbegin(); entry != shown.rend(); ++entry) append_line(out, (*entry)->cue);
  return out;
}

std::string Cues::all_lines() const {
  std::string out;
  for (const Entry& entry : entries_) {
    if (entry.replaced && entry.replaced_ms - entry.cue.at_ms < kShortLivedMs) continue;
    append_line(out, entry.cue);
  }
  return out;
}

}  // namespace footlight::hls
