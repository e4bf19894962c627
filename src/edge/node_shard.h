// One shard of the node: its edge, its owners, its connections, its end of the bus.
//
// Everything on the shard's thread, but where said.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "bus/messages.h"
#include "edge/edge.h"
#include "edge/http_api.h"
#include "edge/metrics.h"
#include "edge/node_episode.h"
#include "net/asio/server.h"
#include "net/asio/shard.h"

namespace footlight::edge {

class NodeShard;

// Where stock y-websocket clients connect: this, the episode, a slash, the board.
inline constexpr std::string_view kYjsPrefix = "/v1/yjs/";

// A message on its way, with the episode it is about.
struct Envelope {
  NodeEpisode* episode = nullptr;
  std::variant<bus::ToOwner, bus::ToEdge> message;
};

class NodeShard final : public net::ServerApp, public net::Resident, public bus::Bus {
 public:
  NodeShard(net::Shard& shard, HttpApi& api, const Clock& clock);
  ~NodeShard() override;

  // Before the shard starts.
  void begin(EdgeOptions options, const std::vector<NodeShard*>& shards,
             const std::vector<NodeEpisode*>& episodes);

  net::Shard& shard() { return shard_; }
  Edge& edge() { return *edge_; }
  const std::vector<NodeEpisode*>& owned() const { return owned_; }

  // Messages of one turn of another shard.
  void deliver(std::vector<Envelope> batch);

  // bus::Bus
  void to_owner(const std::string& episode, bus::ToOwner message) override;
  void to_edge(bus::EdgeId edge, const std::string& episode, bus::ToEdge message) override;

  // net::Resident
  MonoUs on_turn_end(MonoUs now_us) override;

  // net::ServerApp
  void on_request(net::HttpRequest request, net::Responder responder) override;
  std::optional<net::HttpResponse> refuse_upgrade(const net::HttpRequest& request) override;
  void on_open(net::Connection& connection, const net::HttpRequest& request) override;
  void on_message(net::Connection& connection, std::string_view text) override;
  void on_binary(net::Connection& connection, std::string_view bytes) override;
  void on_fault(net::Connection& connection, Code code) override;
  void on_writable(net::Connection& connection) override;
  void on_closed(net::Connection& connection) override;

  // Sessions over server-sent events.
  void open_stream(const net::HttpRequest& request, net::Responder responder);
  // What a client posted to its session; false when there is none of that name.
  bool post_to_stream(std::string_view sid, std::string_view lines);

 private:
  class Out;
  void send_bus();
  void deliver_one(Envelope& envelope);
  NodeEpisode* find(const std::string& episode);

  net::Shard& shard_;
  HttpApi& api_;
  const Clock& clock_;
  std::unique_ptr<Edge> edge_;
  std::vector<NodeShard*> shards_;
  std::vector<NodeEpisode*> owned_;  // whose owner lives here
  std::unordered_map<std::string, NodeEpisode*> episodes_;
  std::vector<std::vector<Envelope>> outbox_;  // by shard; its own too
  std::vector<Envelope> delivering_;
  std::unordered_map<std::string, uint64_t> streams_;  // sid → connection
};

// The shard a stream's name leads to; `count` when it is no such name.
size_t shard_of_sid(std::string_view sid, size_t count);

}  // namespace footlight::edge
