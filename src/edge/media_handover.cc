#include "edge/media_handover.h"

#include <algorithm>
#include <charconv>

#include "core/assert.h"
#include "edge/media.h"
#include "rtc/rtp.h"
#include "rtc/stun.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kIceChars =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string shard_prefix(size_t shard, size_t shards) {
  FL_ASSERT(shard < shards && shards <= kMostShards, "two characters name a shard");
  if (shards == 1) return {};
  return {kIceChars[shard / kIceChars.size()], kIceChars[shard % kIceChars.size()]};
}

std::optional<size_t> shard_of_check(ByteView datagram, size_t shards) {
  if (shards == 1) return std::nullopt;
  rtc::StunView check;
  if (!rtc::parse_stun(datagram, check) || check.type != rtc::StunType::kBindingRequest ||
      check.username.size() < 2) {
    return std::nullopt;
  }
  const size_t high = kIceChars.find(check.username[0]), low = kIceChars.find(check.username[1]);
  if (high == kIceChars.npos || low == kIceChars.npos) return std::nullopt;
  const size_t shard = high * kIceChars.size() + low;
  return shard < shards ? std::optional(shard) : std::nullopt;
}

std::string session_shard_digits(size_t shard) {
  static_assert(kMostShards == 1 << (4 * kShardDigits));
  std::string digits(kShardDigits, '0');
  for (size_t i = kShardDigits; i-- > 0; shard /= 16) digits[i] = "0123456789abcdef"[shard % 16];
  return digits;
}

std::optional<size_t> shard_of_session(std::string_view id, size_t shards) {
  size_t shard = 0;
  const char* const end = id.data() + std::min(id.size(), kShardDigits);
  const auto read = std::from_chars(id.data(), end, shard, 16);
  if (id.size() < kShardDigits || read.ptr != end || read.ec != std::errc() || shard >= shards) {
    return std::nullopt;
  }
  return shard;
}

// --- paths

const MediaHandover::Paths::Entry* MediaHandover::Paths::find(const rtc::Path& path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &found->second;
}

void MediaHandover::Paths::put(const rtc::Path& path, const Entry& entry) {
  erase(path);
  auto& paths = sessions_[entry];
  if (paths.size() == kMaxPaths) {
    by_path_.erase(paths.front());
    paths.erase(paths.begin());
  }
  paths.push_back(path);
  by_path_[path] = entry;
}

void MediaHandover::Paths::erase(const rtc::Path& path) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  const auto session = sessions_.find(found->second);
  std::erase(session->second, path);
  if (session->second.empty()) sessions_.erase(session);
  by_path_.erase(found);
}

void MediaHandover::Paths::erase_session(const Entry& entry) {
  const auto found = sessions_.find(entry);
  if (found == sessions_.end()) return;
  for (const rtc::Path& path : found->second) by_path_.erase(path);
  sessions_.erase(found);
}

// --- whose it is

MediaHandover::MediaHandover(Media& media, size_t shard, size_t shards, size_t max_paths)
    : media_(media), shard_(shard), shards_(shards), max_paths_(max_paths) {}

// A check goes to whom it names, whoever has the path now: it may be the one that takes it over.
MediaHandover::Route MediaHandover::route(const rtc::Path& path, ByteView datagram) const {
  if (shards_ == 1) return {shard_, true};
  const Paths::Entry* away = away_.find(path);
  if (rtc::datagram_kind(datagram) == rtc::DatagramKind::kStun) {
    if (const auto named = shard_of_check(datagram, shards_)) {
      return {*named, away && away->shard == *named};
    }
  }
  return away ? Route{away->shard, true} : Route{shard_, true};
}

void MediaHandover::on_check(const rtc::Path& path) {
  const Paths::Entry* away = away_.find(path);
  if (!away || !media_.knows(path)) return;
  tell(away->shard, {HandoverNote::Kind::kLost, path, away->session});
  away_.erase(path);
}

void MediaHandover::on_handed_check(size_t from, const rtc::Path& path) {
  const auto session = media_.session_of(path);
  if (!session) return;
  const Paths::Entry entry{from, *session};
  const Paths::Entry* told = told_.find(path);
  if (told && *told == entry) return;
  told_.put(path, entry);
  tell(from, {HandoverNote::Kind::kProven, path, *session});
}

void MediaHandover::on_note(size_t from, const HandoverNote& note) {
  switch (note.kind) {
    case HandoverNote::Kind::kProven:
      return on_proven(from, note);
    case HandoverNote::Kind::kOver:
      return away_.erase_session({from, note.session});
    case HandoverNote::Kind::kLost: {
      const Paths::Entry* told = told_.find(note.path);
      if (!told || *told != Paths::Entry{from, note.session}) return;
      told_.erase(note.path);
      if (media_.session_of(note.path) == note.session) media_.on_path_gone(note.path);
    }
  }
}

void MediaHandover::on_proven(size_t from, const HandoverNote& note) {
  const Paths::Entry* before = away_.find(note.path);
  if (!before && away_.size() >= max_paths_) {
    ++refused_;  // its next check asks anew
    return tell(from, {HandoverNote::Kind::kLost, note.path, note.session});
  }
  if (before && before->shard != from) {
    tell(before->shard, {HandoverNote::Kind::kLost, note.path, before->session});
  }
  if (media_.knows(note.path)) media_.on_path_gone(note.path);
  away_.put(note.path, {from, note.session});
}

void MediaHandover::sweep() {
  std::vector<Paths::Entry> over;
  for (const auto& [entry, paths] : told_.sessions()) {
    if (!media_.is_open(entry.session)) over.push_back(entry);
  }
  for (const Paths::Entry& entry : over) {
    told_.erase_session(entry);
    tell(entry.shard, {HandoverNote::Kind::kOver, {}, entry.session});
  }
}

}  // namespace footlight::edge
