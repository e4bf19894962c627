// The node: one process that serves episodes. The shell around Edge, Owner and EventLog: it gives
// them threads, sockets, files, timers and randomness, and moves messages between them.
//
// Each shard (one thread) has one Edge and the owners of some episodes; each log writes on a
// worker thread of its own, up to a bound. What crosses: bus messages (gathered per turn, one
// wake-up per batch), accepted sockets, log completions, API calls and their answers. Nothing is
// shared but what is immutable.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "edge/compositor_sink.h"
#include "edge/config.h"

namespace footlight::edge {

// An episode to run. Its log is `data.dir`/`id`.episode; a log that is there goes on where it
// stopped, and wins over another definition.
struct EpisodeSource {
  std::string id;
  std::string definition;  // JSON (docs/formats/episode-file.md); "": only the log knows it
};

enum class LogLevel : uint8_t { kInfo, kWarning, kError };
using LogLine = std::function<void(LogLevel, std::string_view)>;  // any thread

struct NodeOptions {
  Config config;
  std::vector<EpisodeSource> episodes;  // empty: every log in data.dir
  std::string version;                  // of the program
  // Development: tokens signed with this secret (kid "dev") are accepted, and /v1/dev/links hands
  // out links with such tokens. Empty in production.
  std::string dev_secret;
  LogLine log;
  // Where the parts of program streams go; empty: nowhere.
  std::function<std::unique_ptr<ProgramSink>(const std::string& episode)> program_sinks;
};

class Program;

class Node {
 public:
  struct Impl;
  // Ready to serve when it returns: logs open, owners recovered, socket listening. An episode whose
  // log cannot be opened is reported and left out; the node starts with the others.
  // kPortBusy, kFileDescriptors, kKeyFile, kCertificate, kIo; the episode's error when none is
  // left.
  static Result<std::unique_ptr<Node>> start(NodeOptions options);
  explicit Node(std::unique_ptr<Impl> impl);
  ~Node();  // stop()

  uint16_t port() const;
  std::string url() const;  // "http://127.0.0.1:8080"
  struct Link {
    std::string page;  // "stage"
    std::string name;  // "Ann (player)"
    std::string path;  // "/stage/#ep=...&token=..."
  };
  std::vector<Link> dev_links() const;  // empty without dev_secret

  // Certificate, keys and pages from their files again; what fails stays as it was. Any thread.
  void reload();
  // Tells every session to come back later, refuses new ones, and returns once all are told or
  // `timeout_ms` have passed, and no media session is left or `media.drain_ms` have passed: then
  // those are cut. The caller's thread waits.
  // `hurry`, asked all the while, ends the waiting.
  void drain(uint32_t timeout_ms, const std::function<bool()>& hurry = [] { return false; });
  // Runs `job` with the episode's program stream on the thread that feeds it. False: no such
  // episode. Any thread.
  bool feed(std::string_view episode, std::move_only_function<void(Program&)> job);
  // Ends all threads; what was handed to the logs is synced.
  void stop();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::edge
