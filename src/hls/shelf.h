// Where a program's bytes lie to be served: what an Origin published, looked up by address, and the
// requests that wait for what comes next.
//
// Each thread that serves has a shelf of its own and puts up the same changes on it; the bytes and
// the rendered playlists are shared and immutable, so that nothing is copied or locked. A request
// is answered at once, or waits (RFC 8216bis 6.2.5.2) until its position is published, its time is
// up (503), or the shelf goes (404). How many may wait is bounded.
//
// One thread, the caller's.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/chain.h"
#include "core/result.h"
#include "core/time.h"
#include "hls/address.h"
#include "hls/stream.h"

namespace footlight::hls {

// What never changes may be kept for ever; a playlist for as long as it is worth something.
inline constexpr std::string_view kForever = "public, max-age=31536000, immutable";
inline constexpr std::string_view kBriefly = "public, max-age=1";
inline constexpr std::string_view kEnded = "public, max-age=10";

// A file of the program with the lines of its HTTP head that never change: Content-Type, ETag,
// Vary and so on, each with its line's end. Content-Length and Cache-Control are the server's.
struct Resource {
  Chain body;
  std::string etag;  // with quotes
  std::string head_lines;
  bool stored = false;  // the bytes lie in the store under `store_name`, not here
  bool packed = false;  // of what is stored: it is given gzipped, and lies there as it is
  std::string store_name;
};
using ResourcePtr = std::shared_ptr<const Resource>;

// One version of a live media playlist.
struct PlaylistSet {
  ResourcePtr full, full_gzip, delta, delta_gzip;  // the deltas are null where nothing is skipped
};

struct Reply {
  int status = 200;                // 200, or what `error` is for
  ResourcePtr resource;            // of a 200
  std::string_view cache_control;  // lives as long as the shelf
  Error error;
};

// How far a rendition's playlist goes: `parts` parts of segment `msn`; `whole`: it has no more.
struct Position {
  uint64_t msn = 0;
  uint32_t parts = 0;
  bool whole = false;
};

// What an origin did, in order. Every change of one call stands before the position that tells it.
struct Change {
  enum class Do : uint8_t {
    kIndex,
    kManifest,
    kPoster,
    kThumb,
    kThumbs,
    kInit,
    kPart,
    kSegment,
    kVod,
    kPlaylist,
    kDrop,
    kEnd
  };
  Do what = Do::kIndex;
  uint32_t rendition = 0;
  uint64_t number =
      0;  // msn; of kInit and kThumb its own; of kDrop, kPlaylist the first that stays
  uint32_t part = 0;
  ResourcePtr resource;  // null for a part or segment that is a gap, a kThumb that goes
  ResourcePtr gzip;      // of kIndex, kManifest and kVod
  PlaylistSet playlist;  // of kPlaylist
  Position position;     // of kPlaylist
  // For a place that only keeps files (push.h): of kPlaylist, null while only parts came; of
  // kManifest after the end, no further back than the window.
  ResourcePtr plain;
};
using Changes = std::vector<Change>;

struct ShelfCounters {
  uint64_t requests = 0, bytes = 0, waited = 0, refused = 0, timed_out = 0;
  uint64_t waiting = 0;  // now
};

class Shelf {
 public:
  using Done = std::move_only_function<void(Reply)>;

  Shelf(const Hello& hello, const Limits& limits);
  ~Shelf();  // answers those that wait: kProgramGone

  void put_up(std::span<const Change> changes);

  // The reply, or nullopt: the request has to wait, and wait() must be called with it.
  std::optional<Reply> get(const Request& request);
  // Expires when nobody waits for the reply any more; without one somebody always does.
  using Asker = std::optional<std::weak_ptr<const void>>;
  // `done` is called once, later: from put_up, on_time or the destructor; or at once when too many
  // wait already, of whom those in vain have been let go.
  void wait(const Request& request, MonoUs now_us, Done done, Asker asker = {});
  // Answers those whose time is up. When to call again; kNever while none waits.
  MonoUs on_time(MonoUs now_us);
  MonoUs next_due_us() const;

  const ShelfCounters& counters() const { return counters_; }
  const std::string& epoch() const { return epoch_; }
  bool ended() const { return ended_; }

 private:
  using Place = std::pair<uint64_t, uint32_t>;  // msn, part; kWholePart: the whole segment
  struct Segment {
    std::vector<ResourcePtr> parts;
    ResourcePtr whole;
    bool complete = false;
  };
  struct Waiter {
    MonoUs due_us = 0;
    bool playlist = false, skip = false, gzip = false;
    Done done;
    Asker asker;
  };
  // By due time. There are few places at once: get() refuses what lies further ahead.
  using Waiting = std::map<Place, std::vector<Waiter>>;
  struct Track {
    std::string id;
    uint64_t first_msn = 0;
    std::deque<Segment> segments;  // from first_msn on
    std::vector<ResourcePtr> inits;
    PlaylistSet playlist;
    ResourcePtr vod, vod_gzip;
    Position position;
    Waiting waiting;
  };

  Segment* find(Track& track, uint64_t msn);
  Track* track_of(const Request& request);
  std::optional<Reply> get_playlist(Track& track, const Request& request);
  std::optional<Reply> get_media(Track& track, const Request& request);
  Reply playlist_reply(const Track& track, bool skip, bool gzip, bool blocking);
  Reply give(ResourcePtr resource, std::string_view cache);
  Reply refuse(Code code, std::string detail = {});
  bool reached(const Track& track, Place place) const;
  void put_one(const Change& change);
  void wake(Track& track);
  static void move_on(Waiting& waiting, Place to, std::vector<Waiter> waiters);
  void answer(Track& track, Place place, Waiter waiter);
  void let_go();  // of those that nobody waits for
  Place place_of(const Request& request) const;

  std::string epoch_;
  Limits limits_;
  uint32_t parts_per_segment_ = 1;
  uint32_t parts_ahead_ = 3;  // RFC 8216bis: Advance Part Limit
  MonoUs longest_wait_us_ = 0;
  std::string blocking_cache_;
  std::vector<Track> tracks_;
  ResourcePtr index_, index_gzip_, manifest_, manifest_gzip_, poster_, thumbs_;
  std::map<uint64_t, ResourcePtr> small_;  // Thumbs::kMost at the most
  bool started_ = false, ended_ = false;
  ShelfCounters counters_;
  MonoUs let_go_us_ = 0;  // when it was last tried
};

}  // namespace footlight::hls
