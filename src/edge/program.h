// The program stream of one episode inside a node: the origin that takes what a packager makes, and
// a shelf on every shard from which requests are answered without leaving it.
//
// Feeding: the calls of hls/origin.h, on the thread of its home shard. A call never waits; what it
// publishes is put up there at once and goes to each other shard as one job.
//
//   program.hello(hello);              // a new epoch; the one before ends
//   program.init(rendition, bytes);    // after hello and after each discontinuity
//   program.part(unit); program.cue(cue); program.discontinuity(); program.end();
//   if (program.stuck()) ...           // restart the encoder: it only makes what is refused
//
// Serving: get() on the shard that has the connection.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/histogram.h"
#include "core/published.h"
#include "core/result.h"
#include "core/time.h"
#include "hls/origin.h"
#include "hls/recorded.h"
#include "hls/shelf.h"

namespace footlight::edge {

struct ProgramMetrics {
  std::string episode;
  bool live = false;
  hls::OriginCounters origin;
  hls::ShelfCounters shelves;  // of all shards
  Histogram wake_us;           // from a part's arrival to the last waiting reply of a shard
};
std::string program_metrics(
    const std::vector<ProgramMetrics>& programs);  // Prometheus' text format

// Sees what a program publishes, on its home shard's thread.
class ProgramTap {
 public:
  virtual ~ProgramTap() = default;
  virtual void begin(const hls::Hello& hello) = 0;
  virtual void take(const hls::Changes& changes) = 0;
};

class Program {
 public:
  using Job = std::move_only_function<void()>;
  // How the program reaches the shards. Any thread.
  using Post = std::function<void(size_t shard, Job job)>;

  // `store` may be null; it and `clock` outlive the program.
  Program(std::string episode, const hls::Limits& limits, size_t shards, size_t home, Post post,
          const Clock& clock, hls::SegmentStore* store);
  ~Program();  // after the shards have ended

  // Before the shards start; it outlives the program.
  void add_tap(ProgramTap* tap) { taps_.push_back(tap); }
  // What the store has from an earlier life of the process. Before the shards start.
  void set_recorded(hls::Recorded recorded) { recorded_ = std::move(recorded); }

  const std::string& episode() const { return episode_; }
  size_t home() const { return home_; }

  // --- the home shard's thread. Before hello() all others are refused with kProgramOff.
  Status hello(hls::Hello hello);  // kFeedHello; kFeedOrder: an epoch that was used before
  Status init(uint32_t rendition, Blob bytes);
  Status part(hls::PartUnit unit);
  Status cue(hls::Cue cue);
  Status discontinuity();
  Status poster(Blob jpeg);
  Status thumb(WallMs at_ms, Blob jpeg);
  void end();
  bool stuck() const { return origin_ && origin_->stuck(); }
  bool live() const { return origin_ && !origin_->ended(); }
  const hls::Hello* description() const { return origin_ ? &origin_->hello() : nullptr; }

  // --- a shard's thread
  // `done` is called inline, or later on this thread.
  void get(size_t shard, const hls::Request& request, hls::Shelf::Done done,
           hls::Shelf::Asker asker = {});
  uint64_t waiting(size_t shard) const;         // requests that wait there
  MonoUs on_time(size_t shard, MonoUs now_us);  // when it must be called again
  // Everyone who waits is answered; the shard goes down.
  void drop(size_t shard);

  // --- any thread
  // Something has been published, live or as a recording; and more comes.
  struct Presence {
    bool there = false, live = false;
  };
  Presence presence() const;
  ProgramMetrics metrics() const;
  void stored(uint32_t rendition, uint64_t msn);  // the store has the segment

 private:
  // What a shard has: the stream, and for a while the one before it.
  struct Station {
    std::unique_ptr<hls::Shelf> now, before;
    MonoUs before_until_us = kNever;
    hls::ShelfCounters gone;  // of shelves that are no more
    Histogram wake_us;
    MonoUs told_us = 0;
    struct Told {
      hls::ShelfCounters counters;
      Histogram wake_us;
    };
    Published<Told> told;
  };
  template <class Call>
  Status with_origin(Call call);
  void publish();
  void at(size_t shard, Job job);
  void put_up(Station& station, const hls::Changes& changes, MonoUs came_us);
  void begin_station(Station& station, const hls::Hello& hello);
  static void tell(Station& station);
  static void add(hls::ShelfCounters& sum, const hls::ShelfCounters& more);

  std::string episode_;
  hls::Limits limits_;
  size_t home_;
  Post post_;
  const Clock& clock_;
  hls::SegmentStore* store_;
  std::unique_ptr<hls::Origin> origin_;
  std::vector<ProgramTap*> taps_;
  std::optional<hls::Recorded> recorded_;
  std::vector<std::string> epochs_;  // used, the last few
  std::vector<std::unique_ptr<Station>> stations_;
  Published<hls::OriginCounters> told_;
  std::atomic<bool> live_ = false;
};

}  // namespace footlight::edge
