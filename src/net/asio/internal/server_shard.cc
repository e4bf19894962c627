#include "net/asio/internal/server_shard.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "core/assert.h"
#include "core/json.h"
#include "net/asio/internal/h2_peer.h"
#include "net/asio/internal/http_session.h"

namespace footlight::net {
namespace {

constexpr MonoUs kSweepUs = 100 * kUsPerMs;
constexpr int kEvictionSamples = 8;

int default_status(Code code) {
  switch (code) {
    case Code::kNotFound:
      return 404;
    case Code::kMethodNotAllowed:
      return 405;
    case Code::kFrameTooLarge:
      return 413;
    case Code::kForbidden:
      return 403;
    case Code::kServerFull:
    case Code::kOverloaded:
    case Code::kDraining:
      return 503;
    case Code::kInternal:
      return 500;
    default:
      return 400;
  }
}

}  // namespace

ServerShard::ServerShard(Shard& shard, ServerApp& app, const ServerOptions& options,
                         ServerCounters& counters, uint64_t first_id)
    : shard_(shard),
      app_(app),
      options_(options),
      counters_(counters),
      next_id_(first_id),
      random_(first_id) {
  shard_.add_resident(this);
}

ServerShard::~ServerShard() {
  shard_.remove_resident(this);
  for (auto& connection : all_) {
    poller().remove(connection->transport().fd());
    if (connection->announced_) app_.on_closed(*connection);
    if (connection->http_) connection->http_->end_streams(app_);
  }
  settle_retired();
}

HttpResponse ServerShard::error_response(const Error& error) const {
  if (options_.error_response != nullptr) return options_.error_response(error);
  HttpResponse response;
  response.status = default_status(error.code);
  response.content_type = "application/json";
  JsonWriter(response.body)
      .object()
      .field("code", static_cast<uint32_t>(error.code))
      .field("message", error.message())
      .field("retry_after_ms", error.retry_after_ms)
      .end_object();
  return response;
}

void ServerShard::adopt(PeerSocket peer) {
  if (counters_.connections.load() > options_.max_connections && !make_room()) {
    return turn_away(peer.fd);
  }
  auto owned = std::make_unique<ServerConnection>(*this, next_id_++, peer.fd);
  ServerConnection& connection = *owned;
  connection.slot_ = static_cast<uint32_t>(all_.size());
  all_.push_back(std::move(owned));
  if (options_.send_buffer_bytes > 0) {
    const int size = static_cast<int>(options_.send_buffer_bytes);
    ::setsockopt(peer.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  if (options_.tls && !connection.transport().start_tls_server(options_.tls->context())) {
    return connection.die();
  }
  auto session = std::make_shared<HttpSession>(connection, std::move(peer.ip));
  connection.http_ = session;
  if (!poller().add(peer.fd, &connection)) return connection.die();
  session->start();
}

// At the bound, whoever has been in HTTP for longest of some makes room: a slow sender cannot keep
// others out. True when there is room now.
bool ServerShard::make_room() {
  ServerConnection* oldest = nullptr;
  for (int i = 0; i < kEvictionSamples && !timed_.empty(); ++i) {
    ServerConnection* one = timed_[random_.below(timed_.size())];
    const bool idle = one->phase() == ServerConnection::Phase::kLingering ||
                      (one->phase() == ServerConnection::Phase::kHttp && one->http_->is_idle());
    if (idle && (oldest == nullptr || one->id() < oldest->id())) oldest = one;
  }
  if (oldest == nullptr) return false;
  counters_.evicted++;
  oldest->die();
  return true;
}

void ServerShard::turn_away(int fd) {
  counters_.turned_away++;
  if (!options_.tls) {
    HttpResponse response = error_response({Code::kServerFull, "", 5'000});
    std::string text;
    const HeaderList headers = {{"Retry-After", "5"}};
    append_response_head(text, {.status = response.status,
                                .content_type = response.content_type,
                                .body_bytes = response.body.size(),
                                .close = true,
                                .headers = &headers});
    text.append(response.body);
    (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    ::shutdown(fd, SHUT_WR);
  }
  ::close(fd);
  counters_.connections--;
}

bool ServerShard::add_body_bytes(uint64_t bytes) {
  body_bytes_ += bytes;
  return body_bytes_ <= options_.max_buffered_body_bytes;
}

std::string_view ServerShard::date() {
  const int64_t now_s = shard_.impl().clock.wall_ms() / 1000;
  if (now_s != date_s_) {
    date_s_ = now_s;
    date_ = http_date(now_s);
  }
  return date_;
}

void ServerShard::finish(ServerConnection& connection) {
  if (connection.finished_) return;
  connection.finished_ = true;
  finished_.push_back(&connection);
  shard_.impl().ask_turn();
}

void ServerShard::set_deadline(ServerConnection& connection, MonoUs at_us) {
  connection.deadline_us_ = at_us;
  uint32_t& slot = connection.timed_slot_;
  if (at_us != kNever) {
    next_sweep_us_ = std::min(next_sweep_us_, at_us + kSweepUs);
    if (slot != ServerConnection::kNoSlot) return;
    slot = static_cast<uint32_t>(timed_.size());
    timed_.push_back(&connection);
    return;
  }
  if (slot == ServerConnection::kNoSlot) return;
  timed_[slot] = timed_.back();
  timed_[slot]->timed_slot_ = slot;
  timed_.pop_back();
  slot = ServerConnection::kNoSlot;
}

void ServerShard::remove(ServerConnection& connection) {
  const uint32_t slot = connection.slot_;
  all_[slot].swap(all_.back());
  all_[slot]->slot_ = slot;
  all_.pop_back();
  counters_.connections--;
}

// Tells the application of what ended, and drops what is dead.
void ServerShard::settle_finished() {
  while (!finished_.empty()) {
    std::vector<ServerConnection*> batch;
    batch.swap(finished_);
    for (ServerConnection* connection : batch) {
      connection->finished_ = false;
      if (connection->announced_) {
        connection->announced_ = false;
        app_.on_closed(*connection);
        connection->user = nullptr;
      }
      // Still lingering: it comes here again when it dies.
      if (connection->phase() == ServerConnection::Phase::kDead && !connection->finished_) {
        remove(*connection);
      }
    }
  }
}

void ServerShard::settle_retired() {
  while (!retired_.empty()) {
    const auto batch = std::exchange(retired_, {});
    for (const auto& stream : batch) app_.on_closed(*stream);
  }
}

void ServerShard::retire(std::unique_ptr<H2EventStream> stream) {
  retired_.push_back(std::move(stream));
  shard_.impl().ask_turn();
}

void ServerShard::flush_later(std::shared_ptr<HttpPeer> peer) {
  to_flush_.push_back(std::move(peer));
  shard_.impl().ask_turn();
}

void ServerShard::sweep(MonoUs now_us) {
  next_sweep_us_ = kNever;
  // Backwards, because whoever leaves is replaced by the last.
  for (size_t i = timed_.size(); i-- > 0;) {
    if (i >= timed_.size()) continue;
    if (timed_[i]->deadline_us_ <= now_us) timed_[i]->on_deadline(now_us);
  }
  for (const ServerConnection* connection : timed_) {
    next_sweep_us_ = std::min(next_sweep_us_, connection->deadline_us_ + kSweepUs);
  }
}

MonoUs ServerShard::on_turn_end(MonoUs now_us) {
  if (now_us >= next_sweep_us_) sweep(now_us);
  for (const auto& peer : std::exchange(to_flush_, {})) peer->flush();
  settle_retired();
  settle_finished();
  return next_sweep_us_;
}

}  // namespace footlight::net
