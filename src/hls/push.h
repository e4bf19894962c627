// Pushes a program stream to a place that only keeps files, for a CDN to take them from: a folder
// or an object store. It decides what goes there, in which order and when it is tried again; a
// shell carries it there (edge/http_program_push.h).
//
//   Pusher pusher(options);
//   pusher.begin(hello); pusher.take(changes);   // as the origin publishes
//   while (auto job = pusher.next()) ...          // carry it; then, once for each:
//   pusher.done(job->id, status);
//
// What holds
//   - A playlist goes when all media it names are there, the multivariant playlist when all that
//     came before it is there; of each playlist at most two versions wait, the older first.
//   - Nothing waits for the place: what is too much is left out, the oldest media first, and the
//     playlists say so (EXT-X-GAP, GAP=YES).
//   - A place that fails is left alone for a while, longer each time, and then asked by one job.
//
// One thread, the caller's.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/chain.h"
#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "hls/shelf.h"
#include "hls/stream.h"

namespace footlight::hls {

struct PushOptions {
  const Clock* clock = nullptr;  // outlives it
  uint64_t seed = 0;             // of the jitter
  bool parts = false;            // parts too, and playlists as each of them comes
  bool remove = false;           // what has left the window is removed; no recording is pushed
  uint32_t window_ms = 600'000;  // the stream's DVR window
  uint64_t max_waiting_bytes = 64ull << 20;
  uint32_t max_waiting = 20'000;  // jobs
  uint32_t max_carried = 4;       // at once
  uint32_t attempts = 12;         // of one file, then it is left out
  uint32_t first_pause_ms = 250, longest_pause_ms = 15'000;
};

struct PushJob {
  uint64_t id = 0;
  bool remove = false;
  std::string name;  // "{epoch}/v720/s12.m4s", "index.m3u8"
  Chain body;
  std::string_view content_type;   // of constant text
  std::string_view cache_control;  // the same
};

struct PushCounters {
  uint64_t files = 0, bytes = 0;  // that are there
  uint64_t failed = 0;            // attempts
  uint64_t left_out = 0;          // files
  uint64_t removed = 0;
  uint64_t waiting = 0, waiting_bytes = 0;  // now
  MonoUs waiting_since_us = kNever;         // the oldest of them
  bool failing = false;                     // the last attempt failed
  Error error{Code::kOk, {}, 0};            // the last one; kOk: none yet
};

class Pusher {
 public:
  explicit Pusher(const PushOptions& options);

  // What earlier lives of the process left at the place, where that is to be removed: it goes as
  // what an epoch leaves that a new one takes the place of. Before the first begin().
  void left_before(std::vector<std::string> names) { left_before_ = std::move(names); }
  void begin(const Hello& hello);  // a new epoch
  void take(std::span<const Change> changes);
  // A small file of the present epoch, whole and new each time: "timeline.json".
  void put(std::string name, std::string body);

  std::optional<PushJob> next();
  void done(uint64_t id, const Status& status);
  MonoUs next_due_us() const;  // when next() may have one again; kNever: not by itself
  PushCounters counters() const;

 private:
  struct File {
    std::string name;
    Chain body;
    std::string_view cache_control;
    bool media = false;  // named by playlists
    bool last = false;   // goes when all before it is there
    uint64_t after = 0;  // goes when all media of a lower number are there
    uint32_t attempts = 0;
    bool carried = false;
    MonoUs since_us = 0;
    struct Newer {
      Chain body;
      std::string_view cache_control;
      uint64_t after = 0;
    };
    std::optional<Newer> newer;
  };
  struct Removal {
    MonoUs due_us = 0;
    std::string name;
    uint32_t attempts = 0;
  };
  struct Track {
    std::string id;
    uint64_t first = 0, end = 0;  // segments that are or were there
    uint32_t inits = 0;
  };

  void one(const Change& change);
  void media(std::string name, const Chain& body);
  void text(std::string name, const Chain& body, bool last);
  void make_room();
  void leave_out(std::map<uint64_t, File>::iterator file, Error why);
  bool may_go(const File& file, uint64_t number, uint64_t first_media) const;
  void forget_before(Track& track, uint64_t msn);
  void remove_later(std::string name);
  void remove_all();
  std::string place_of(const Track& track, const std::string& file) const;
  Chain with_gaps(const File& file) const;
  std::optional<PushJob> next_removal();
  void failed(const Error& error);

  PushOptions options_;
  Prng prng_;
  std::string epoch_;
  uint32_t parts_per_segment_ = 1;
  std::vector<Track> tracks_;
  bool ended_ = false;
  std::map<uint64_t, File> files_;  // by number: the order they came in
  std::map<std::string, uint64_t> texts_;
  std::set<std::string> lost_;  // media that playlists name as gaps
  std::vector<std::string> left_before_;
  std::deque<Removal> removals_;
  std::optional<Removal> removing_;  // carried
  uint64_t next_number_ = 1;
  uint32_t carried_ = 0;
  uint32_t failures_ = 0;  // in a row
  MonoUs pause_until_us_ = 0;
  PushCounters counters_;
};

// A playlist in which the media of `lost` are gaps. Names of `lost` begin with `folder`, which
// those in the playlist are told from.
std::string mark_gaps(std::string_view playlist, std::string_view folder,
                      const std::set<std::string>& lost);

}  // namespace footlight::hls
