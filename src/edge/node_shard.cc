#include "edge/node_shard.h"

#include <algorithm>
#include <array>

#include "core/assert.h"
#include "core/bytes.h"
#include "net/asio/system.h"
#include "net/websocket.h"

namespace footlight::edge {
namespace {

constexpr int kPasses = 8;  // of messages within the shard, in one turn
constexpr size_t kSidBytes = 16;

}  // namespace

// How the edge writes to one connection. Owned by the connection's `user`.
class NodeShard::Out final : public ConnectionOut {
 public:
  explicit Out(net::Connection& connection) : connection_(connection) {}

  size_t write(const proto::FramePtr& frame, size_t offset) override {
    if (!stream_) return connection_.write(frame->wire().substr(offset));
    // An event stream has other bytes around the JSON than a WebSocket. The edge counts wire bytes:
    // it is told of one as soon as the event has begun, so that it stays with this frame, and of
    // all when the event is out.
    switch (connection_.write_event(frame->json())) {
      case net::Connection::Event::kDone:
        return frame->wire().size() - offset;
      case net::Connection::Event::kBegun:
        return offset == 0 ? 1 : 0;
      case net::Connection::Event::kBlocked:
        return 0;
    }
    return 0;
  }

  size_t write_two(const proto::FramePtr& first, const proto::FramePtr& second) override {
    if (stream_) return ConnectionOut::write_two(first, second);
    return connection_.write_two(first->wire(), second->wire());
  }

  void allow_binary(uint32_t max_bytes) override {
    if (!stream_) connection_.allow_binary(max_bytes);
  }

  void allow_text(uint32_t max_bytes) override {
    if (!stream_) connection_.allow_text(max_bytes);
  }

  void close(Code code) override {
    const auto number = static_cast<uint16_t>(code);
    connection_.close(code == Code::kOk ? net::kWsCloseNormal : number, code_sentence(code));
  }

  // Of an event stream, else "".
  std::string sid() const { return stream_ ? to_hex(*stream_) : std::string(); }
  void set_sid(const std::array<uint8_t, kSidBytes>& sid) {
    stream_ = std::make_unique<std::array<uint8_t, kSidBytes>>(sid);
  }

 private:
  net::Connection& connection_;
  std::unique_ptr<std::array<uint8_t, kSidBytes>> stream_;
};

NodeShard::NodeShard(net::Shard& shard, HttpApi& api, const Clock& clock)
    : shard_(shard), api_(api), clock_(clock) {}

NodeShard::~NodeShard() = default;

void NodeShard::begin(EdgeOptions options, const std::vector<NodeShard*>& shards,
                      const std::vector<NodeEpisode*>& episodes) {
  shards_ = shards;
  outbox_.resize(shards.size());
  for (NodeEpisode* episode : episodes) {
    episodes_.emplace(episode->id(), episode);
    if (static_cast<int>(episode->shard_index()) == shard_.index()) owned_.push_back(episode);
  }
  options.bus = this;
  edge_ = make_edge(std::move(options));
  shard_.add_resident(this);
}

NodeEpisode* NodeShard::find(const std::string& episode) {
  const auto found = episodes_.find(episode);
  return found == episodes_.end() ? nullptr : found->second;
}

void NodeShard::to_owner(const std::string& episode, bus::ToOwner message) {
  NodeEpisode* known = find(episode);
  FL_ASSERT(known != nullptr, "an edge speaks of episodes the node has");
  outbox_[known->shard_index()].push_back({known, std::move(message)});
}

void NodeShard::to_edge(bus::EdgeId edge, const std::string& episode, bus::ToEdge message) {
  NodeEpisode* known = find(episode);
  FL_ASSERT(known != nullptr && edge < outbox_.size(), "an owner speaks of edges the node has");
  outbox_[edge].push_back({known, std::move(message)});
}

void NodeShard::deliver_one(Envelope& envelope) {
  if (auto* to_owner = std::get_if<bus::ToOwner>(&envelope.message)) {
    envelope.episode->owner().on_bus(std::move(*to_owner));
  } else {
    edge_->on_bus(envelope.episode->id(), std::move(std::get<bus::ToEdge>(envelope.message)));
  }
}

void NodeShard::deliver(std::vector<Envelope> batch) {
  for (Envelope& envelope : batch) deliver_one(envelope);
}

// What was gathered for other shards goes out, one job each.
void NodeShard::send_bus() {
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (outbox_[i].empty() || shards_[i] == this) continue;
    shards_[i]->shard().post([target = shards_[i], batch = std::move(outbox_[i])]() mutable {
      target->deliver(std::move(batch));
    });
    outbox_[i].clear();
  }
}

MonoUs NodeShard::on_turn_end(MonoUs now_us) {
  auto& own = outbox_[static_cast<size_t>(shard_.index())];
  MonoUs due_us = kNever;
  for (int pass = 0; pass < kPasses; ++pass) {
    delivering_.swap(own);
    for (Envelope& envelope : delivering_) deliver_one(envelope);
    delivering_.clear();
    due_us = edge_->next_due_us();
    if (due_us <= now_us) due_us = edge_->on_time();
    for (NodeEpisode* episode : owned_) {
      MonoUs owner_due_us = episode->owner().next_due_us();
      if (owner_due_us <= now_us) owner_due_us = episode->owner().on_time();
      due_us = std::min(due_us, owner_due_us);
    }
    if (own.empty()) break;
  }
  send_bus();
  return own.empty() ? due_us : now_us;
}

void NodeShard::on_request(net::HttpRequest request, net::Responder responder) {
  api_.handle(*this, std::move(request), std::move(responder));
}

std::optional<net::HttpResponse> NodeShard::refuse_upgrade(const net::HttpRequest&) {
  if (!api_.draining()) return std::nullopt;
  return api_.error({Code::kDraining, "", 2'000});
}

void NodeShard::on_open(net::Connection& connection, const net::HttpRequest& request) {
  auto* out = new Out(connection);
  connection.user = out;
  const std::string ip = api_.client_ip(request);
  if (request.path.starts_with(kYjsPrefix)) {
    const std::string_view rest = std::string_view(request.path).substr(kYjsPrefix.size());
    const size_t slash = rest.find('/');
    const std::string token = net::query_value(request.query(), "token").value_or("");
    ConnectionInfo::Bare bare;
    bare.episode = rest.substr(0, slash);
    bare.board = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
    bare.token = token;
    return edge_->on_open(connection.id(), {.ip = ip, .bare = &bare}, *out);
  }
  edge_->on_open(connection.id(), {.ip = ip}, *out);
}

void NodeShard::on_message(net::Connection& connection, std::string_view text) {
  edge_->on_frame(connection.id(), text);
}

void NodeShard::on_binary(net::Connection& connection, std::string_view bytes) {
  edge_->on_binary(connection.id(), bytes);
}

void NodeShard::on_fault(net::Connection& connection, Code code) {
  edge_->on_fault(connection.id(), code);
}

void NodeShard::on_writable(net::Connection& connection) { edge_->on_writable(connection.id()); }

void NodeShard::on_closed(net::Connection& connection) {
  const std::unique_ptr<Out> out(static_cast<Out*>(connection.user));
  edge_->on_close(connection.id());
  if (const std::string sid = out->sid(); !sid.empty()) streams_.erase(sid);
}

void NodeShard::open_stream(const net::HttpRequest& request, net::Responder responder) {
  net::Connection* stream = responder.open_event_stream(api_.cors_headers(request));
  if (stream == nullptr) return;
  std::array<uint8_t, kSidBytes> sid;
  net::SystemEntropy().fill(sid);
  sid[0] = static_cast<uint8_t>(shard_.index());  // 120 random bits are left
  auto* out = new Out(*stream);
  out->set_sid(sid);
  stream->user = out;
  const std::string name = out->sid();
  streams_.emplace(name, stream->id());
  const std::string ip = api_.client_ip(request);
  const uint64_t id = stream->id();
  edge_->on_open(id, {.ip = ip, .event_stream = true, .sid = name}, *out);
  edge_->on_frame(id, request.body);
}

bool NodeShard::post_to_stream(std::string_view sid, std::string_view lines) {
  const auto found = streams_.find(std::string(sid));
  if (found == streams_.end()) return false;
  const uint64_t id = found->second;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end);
    lines = end == std::string_view::npos ? "" : lines.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) edge_->on_frame(id, line);
  }
  return true;
}

size_t shard_of_sid(std::string_view sid, size_t count) {
  uint64_t index = 0;
  if (sid.size() != 2 * kSidBytes || !parse_hex_u64(sid.substr(0, 2), index)) return count;
  return std::min<size_t>(index, count);
}

}  // namespace footlight::edge
