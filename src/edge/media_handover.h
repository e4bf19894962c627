// The one port of a node, received by all its shards: whose a datagram is.
//
// Each shard has a socket bound to the same port, and the kernel gives all datagrams of one path to
// one of them, whichever. A session lives on one shard, which is written at the beginning of its
// user name fragment (shard_prefix). So a check that came elsewhere is handed to that shard with
// its path; when the session's password proves it, the shard answers to the one that received it,
// and from then on that one hands over the other datagrams of the path as well.
//
// So a stranger makes no state anywhere: only what a session has proven is remembered, at most
// kMaxPaths paths a session on each shard, until the session is over. A path has one session: of
// two that prove the same one the later has it, on whichever shards they live.
//
// Decides and remembers; what crosses is carried by the shell (or a test): datagrams, in order, and
// notes, which must not be lost. One thread, that of its shard.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "rtc/ice.h"

namespace footlight::edge {

class Media;

inline constexpr size_t kMostShards = 64 * 64;
// What the fragments of a shard's sessions begin with; "" when there is one shard.
std::string shard_prefix(size_t shard, size_t shards);
// Whose session a connectivity check is for, by its user name; nothing of it is proven. nullopt: it
// is none, or names no shard.
std::optional<size_t> shard_of_check(ByteView datagram, size_t shards);

// The same for the ids of sessions, which begin with so many hex digits; nullopt: of no shard.
inline constexpr size_t kShardDigits = 3;
std::string session_shard_digits(size_t shard);
std::optional<size_t> shard_of_session(std::string_view id, size_t shards);

struct HandoverNote {
  enum class Kind : uint8_t {
    kProven,  // to who received: `session` of mine has proven `path`, hand it to me
    kOver,    // to who received: `session` is over, forget its paths
    kLost,    // to whose session it was: `path` is another's now
  };
  Kind kind = Kind::kProven;
  rtc::Path path;
  rtc::IceSession session = 0;
};

struct HandoverStats {
  uint64_t paths = 0;    // that are handed over now
  uint64_t refused = 0;  // beyond the bound
};

class MediaHandover {
 public:
  static constexpr size_t kMaxPaths = rtc::IceLite::kMaxPaths;  // of a session

  // `media` is this shard's; `max_paths` bounds those of all sessions.
  MediaHandover(Media& media, size_t shard, size_t shards, size_t max_paths);

  struct Route {
    size_t shard = 0;
    bool proven = false;  // it goes there because a session has proven its path
  };
  // Whose a datagram is that this shard received. What is this shard's own goes to Media; after
  // that, if it was STUN, call on_check().
  Route route(const rtc::Path& path, ByteView datagram) const;
  void on_check(const rtc::Path& path);
  // A check that shard `from` has received and handed over, after Media has taken it.
  void on_handed_check(size_t from, const rtc::Path& path);
  void on_note(size_t from, const HandoverNote& note);
  // Each second, while has_told(): tells of sessions that are over.
  void sweep();
  bool has_told() const { return told_.size() > 0; }

  // For other shards, in order; clear it after.
  std::vector<std::pair<size_t, HandoverNote>>& notes() { return notes_; }
  HandoverStats stats() const { return {away_.size(), refused_}; }

 private:
  // Paths with their session and the shard at the other end.
  class Paths {
   public:
    struct Entry {
      size_t shard = 0;
      rtc::IceSession session = 0;
      bool operator==(const Entry&) const = default;
      auto operator<=>(const Entry&) const = default;
    };
    const Entry* find(const rtc::Path& path) const;
    // The newest of its session; the oldest goes where there are too many.
    void put(const rtc::Path& path, const Entry& entry);
    void erase(const rtc::Path& path);
    void erase_session(const Entry& entry);
    size_t size() const { return by_path_.size(); }
    const std::map<Entry, std::vector<rtc::Path>>& sessions() const { return sessions_; }

   private:
    std::unordered_map<rtc::Path, Entry, rtc::PathHash> by_path_;
    std::map<Entry, std::vector<rtc::Path>> sessions_;
  };
  void on_proven(size_t from, const HandoverNote& note);
  void tell(size_t shard, HandoverNote note) { notes_.emplace_back(shard, note); }

  Media& media_;
  size_t shard_, shards_, max_paths_;
  Paths away_;  // that this shard receives, of sessions elsewhere
  Paths told_;  // of this shard's sessions, that others receive and were told of
  std::vector<std::pair<size_t, HandoverNote>> notes_;
  uint64_t refused_ = 0;
};

}  // namespace footlight::edge
