// Synthetic people who publish and watch, on real sockets: joined by WHIP and WHEP one after the
// other on a thread that waits, alive on a shard of their own, each behind a UDP port or a TCP
// connection of its own.
//
// Calls from any thread. Who loses the session is joined again after kAgainUs.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ops/media_publisher.h"
#include "ops/media_watcher.h"
#include "ops/whip.h"

namespace footlight::ops {

struct MediaJoin {
  uint32_t number = 0;  // the caller's
  WhipCall call;
  bool publishes = false;
  bool tcp = false;                        // by TCP alone, to the server's first such candidate
  ClipKind clip_kind = ClipKind::kPeople;  // of who publishes
  size_t clip = 0;
  size_t voices = 1, pictures = 1;  // places of who watches
};

// How somebody's line is, for the session protocol's media.report.
struct MediaLineState {
  uint32_t number = 0;
  std::string session;  // the last part of the session's address
  bool publishes = false;
  uint32_t round_trip_ms = 0, loss_per_mille = 0;
};

struct CrowdReport {
  uint64_t asked = 0;      // joins
  uint64_t connected = 0;  // ... that carried media at some time
  uint64_t lost_sessions = 0;
  std::string first_error;
  PublisherStats published;  // sums; of loss and round trip the worst
  WatcherStats watched;
  uint64_t socket_drops = 0;
};

class MediaCrowd {
 public:
  static constexpr MonoUs kAgainUs = 2 * kUsPerSecond;
  static constexpr MonoUs kLinesUs = 2 * kUsPerSecond;

  // `on_lines`: every kLinesUs, on the crowd's thread. kIo: the keys cannot be made.
  static Result<std::unique_ptr<MediaCrowd>> start(
      std::function<void(std::vector<MediaLineState>)> on_lines = {});
  ~MediaCrowd();  // as close()

  void join(MediaJoin join);
  size_t joining() const;  // not answered yet

  // What was measured so far is forgotten; sessions go on.
  void reset();
  CrowdReport report();
  // Ends all sessions and everything else.
  void close();

  struct Impl;

 private:
  explicit MediaCrowd(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::ops
