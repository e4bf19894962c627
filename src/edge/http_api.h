// What the node answers over HTTP besides the pages: health, metrics, the producer's API, and
// sessions over server-sent events. Finds the shard a request is for and brings the answer back.
//
//   GET  /healthz            200 while the process lives
//   GET  /readyz             200 while it takes sessions; 503 when draining, or when no log accepts
//   GET  /metrics            Prometheus' text format
//   GET  /v1/dev/links       development only: links with tokens
//   POST /v1/sessions[/SID]  docs/protocol.md, Addresses
//   ...  /v1/episodes...     api.h
//   ...  /v1/whip|whep/...   http_api_media.h
//   GET  /v1/program/...     http_program.h
//   GET  everything else     static_files.h
//
// One object for all shards; handle() is called on the shard that has the connection.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/published.h"
#include "core/time.h"
#include "edge/api.h"
#include "edge/metrics.h"
#include "edge/static_files.h"
#include "gate/token.h"
#include "net/asio/server.h"
#include "net/asio/shard.h"

namespace footlight::edge {

class HttpMedia;
class HttpProgram;
class NodeEpisode;
class NodeShard;

struct HttpApiOptions {
  const Clock* clock = nullptr;
  std::vector<std::string> allowed_origins;
  bool trust_forwarded = false;
  std::function<std::string()> dev_links;           // JSON; "": not in development. Any thread
  std::function<ProcessMetrics()> process_metrics;  // any thread
  std::function<std::string()> shell_metrics;       // more lines of /metrics; any thread
};

class HttpApi {
 public:
  explicit HttpApi(HttpApiOptions options) : options_(std::move(options)) {}

  // Before the shards start.
  void begin(std::vector<NodeShard*> shards, std::vector<NodeEpisode*> episodes);
  void set_media(HttpMedia* media) { media_ = media; }
  void set_program(HttpProgram* program) { program_ = program; }
  // Any thread.
  void set_keys(std::shared_ptr<const gate::KeySet> keys) { keys_.store(std::move(keys)); }
  void set_files(std::shared_ptr<const StaticFiles> files) { files_.store(std::move(files)); }
  void set_draining() { draining_ = true; }
  bool draining() const { return draining_; }

  void handle(NodeShard& shard, net::HttpRequest request, net::Responder responder);

  static net::HttpResponse error(const Error& error);
  // The peer's address, or what a trusted proxy says it is.
  std::string client_ip(const net::HttpRequest& request) const;
  // For pages of other origins that are allowed; empty else.
  net::HeaderList cors_headers(const net::HttpRequest& request) const;
  bool origin_is_allowed(const net::HttpRequest& request) const;
  // What the bearer token grants in an episode that runs here. kEpisodeUnknown, kToken...
  Result<gate::Claims> identify(const net::HttpRequest& request, std::string_view episode) const;
  NodeEpisode* find(std::string_view episode) const;
  // Runs `job` on the thread of the episode's owner.
  template <class Job>
  void at_home(const NodeEpisode& episode, Job job) const {
    home_of(episode).post(std::move(job));
  }

 private:
  net::Shard& home_of(const NodeEpisode& episode) const;
  bool handle_shell(NodeShard& shard, const net::HttpRequest& request, net::Responder& responder);
  void handle_sessions(NodeShard& shard, net::HttpRequest request, net::Responder responder);
  void handle_api(const net::HttpRequest& request, net::Responder responder);
  void handle_file(const net::HttpRequest& request, net::Responder responder);
  void preflight(const net::HttpRequest& request, net::Responder responder);
  net::HttpResponse readiness() const;
  void answer_metrics(net::Responder responder);
  void answer_episodes(net::HeaderList headers, net::Responder responder);
  Result<ApiCall> authorize(const net::HttpRequest& request, const ApiMatch& match,
                            const NodeEpisode& episode) const;

  HttpApiOptions options_;
  std::vector<NodeShard*> shards_;
  std::vector<NodeEpisode*> episodes_;
  HttpMedia* media_ = nullptr;
  HttpProgram* program_ = nullptr;
  Published<gate::KeySet> keys_;
  Published<StaticFiles> files_;
  std::atomic<bool> draining_ = false;
};

}  // namespace footlight::edge
