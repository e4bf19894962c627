// The program streams over HTTP: public addresses for players and caches, docs/program.md.
//
//   GET /v1/program/{episode}/index.m3u8 and what follows from it (hls/address.h)
//
// Answers are the same for everyone: no token, no cookie, and of the query only what RFC 8216bis
// defines, so that a cache asks once for all its viewers. Bodies are shared and never copied.
//
// One object for all shards; handle() on the shard that has the connection.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "edge/http_program_files.h"
#include "edge/http_program_push.h"
#include "edge/program.h"
#include "net/asio/server.h"
#include "net/asio/shard.h"

namespace footlight::edge {

struct HttpProgramOptions {
  const Clock* clock = nullptr;
  hls::Limits limits;
  std::string folder;  // where whole segments are kept for the recording; "": in memory
  std::vector<PushPlace> push;
  hls::PushOptions pushing;                               // of each
  Timeline timeline;                                      // what timeline.json holds
  std::function<void(const std::string& complaint)> log;  // any thread
};

struct Config;
HttpProgramOptions program_options(const Config& config);  // without clock and log

class HttpProgram {
 public:
  explicit HttpProgram(HttpProgramOptions options);
  ~HttpProgram();  // after the shards have ended

  // Before the shards start.
  void begin(const std::vector<net::Shard*>& shards, const std::vector<std::string>& episodes);
  // nullptr: no such episode. Any thread.
  Program* find(std::string_view episode) const;

  static bool takes(std::string_view path);
  void handle(const net::Shard& shard, const net::HttpRequest& request, net::Responder responder);
  std::string metrics() const;  // any thread
  std::string push_json(std::string_view episode) const { return pushes_.status_json(episode); }

 private:
  class Timer;
  struct Stage;
  void find_recording(Stage& stage) const;
  void answer_timeline(Stage& stage, net::Responder responder);
  void answer(const net::HttpRequest& request, hls::Reply reply, net::Responder responder);

  HttpProgramOptions options_;
  std::vector<std::unique_ptr<Timer>> timers_;
  std::map<std::string, std::unique_ptr<Stage>, std::less<>> stages_;
  PushHouse pushes_;  // the last: it ends first
};

}  // namespace footlight::edge
