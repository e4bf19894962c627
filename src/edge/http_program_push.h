// Program streams pushed to folders and object stores: what hls/push.h decides is carried there by
// a few threads of each place, so that neither the feed nor a shard ever waits for it.
//
//   PushHouse house(places, ...);             // before the shards start
//   house.begin("episode", program, shard);   // each episode; shard: the program's home
//
// A place that fails costs the stream nothing. How it does is in the log (once until it changes),
// in status_json() and in the metrics.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "edge/program.h"
#include "hls/push.h"
#include "hls/s3.h"
#include "net/asio/shard.h"
#include "net/asio/worker.h"

namespace footlight::edge {

class MetricsPage;

struct PushPlace {
  std::string folder;    // or
  hls::S3Bucket bucket;  // with its credentials
  std::string prefix;
  bool remove = false;
  std::string name() const;  // for people; tells no secret
};

// The time line of an episode's recording (edge/program_marks.h), told on any thread.
using Timeline =
    std::function<void(const std::string& episode, std::function<void(std::string)> done)>;

struct PushHouseOptions {
  const Clock* clock = nullptr;
  std::vector<PushPlace> places;
  hls::PushOptions push;                                  // clock, seed and remove are set here
  Timeline timeline;                                      // goes there at the end; may be empty
  std::function<void(const std::string& complaint)> log;  // any thread
};

class PushHouse {
 public:
  explicit PushHouse(PushHouseOptions options);
  ~PushHouse();  // after the shards have ended: what was not carried yet is left

  bool any() const { return !places_.empty(); }
  void begin(const std::string& episode, Program& program, net::Shard& home);
  // {"places":[{"place","state":"idle"|"pushing"|"failing","files",...}]}. Any thread.
  std::string status_json(std::string_view episode) const;
  void metrics(std::string& out) const;  // any thread

 private:
  class Push;
  struct Place {
    PushPlace about;
    std::vector<std::unique_ptr<net::Worker>> workers;
    std::atomic<size_t> next_worker = 0;
  };
  Status carry(const PushPlace& place, const std::string& episode, const hls::PushJob& job) const;

  PushHouseOptions options_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::unique_ptr<Push>> pushes_;  // outlive the workers
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace footlight::edge
