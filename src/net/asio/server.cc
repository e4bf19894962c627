#include "net/asio/server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "net/asio/internal/address.h"
#include "net/asio/internal/http_peer.h"
#include "net/asio/internal/server_shard.h"

namespace footlight::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerTurn = 256;
constexpr MonoUs kRetryUs = 100 * kUsPerMs;  // after the system ran out of descriptors
constexpr int kShardBits = 48;               // a connection's id: shard above, count below

Result<int> open_listener(const ServerOptions& options) {
  auto address = SocketAddress::parse(options.address, options.port);
  if (!address) return std::unexpected(address.error());
  const int fd =
      ::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return fail(Code::kFileDescriptors, std::strerror(errno));
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit it: a frame goes out when it is written.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (address->family() == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (::bind(fd, address->get(), address->size()) != 0 || ::listen(fd, kBacklog) != 0) {
    const int why = errno;
    ::close(fd);
    const std::string where = options.address + ":" + std::to_string(options.port);
    if (why == EADDRINUSE) return fail(Code::kPortBusy, where);
    return fail(Code::kIo, "cannot listen at " + where + ": " + std::strerror(why));
  }
  return fd;
}

}  // namespace

std::string_view HttpRequest::query() const {
  const size_t question = target.find('?');
  return question == std::string::npos ? std::string_view()
                                       : std::string_view(target).substr(question + 1);
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return "";
}

struct Server::Impl final : Pollable, Resident {
  ServerOptions options;
  // Also of those that were handed on, which may end after this.
  const std::shared_ptr<ServerCounters> counted = std::make_shared<ServerCounters>();
  ServerCounters& counters = *counted;
  std::vector<std::unique_ptr<ServerShard>> shards;
  int listener = -1;
  uint16_t port = 0;
  bool retry = false;
  size_t next = 0;

  ~Impl() {
    shards.front()->shard().remove_resident(this);
    close_listener();
  }

  Shard::Impl& home() { return shards.front()->shard().impl(); }

  void close_listener() {
    if (listener < 0) return;
    home().poller.remove(listener);
    ::close(listener);
    listener = -1;
  }

  void on_ready(uint32_t) override {
    for (int i = 0; i < kAcceptsPerTurn && listener >= 0; ++i) {
      SocketAddress peer;
      const int fd =
          ::accept4(listener, peer.get(), peer.size_for_accept(), SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        // Out of descriptors or memory: those that wait stay in the backlog.
        retry = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        if (errno == ECONNABORTED || errno == EINTR) continue;
        return;
      }
      counters.accepted++;
      counters.connections++;
      hand_over({fd, peer.ip()});
    }
    if (listener >= 0) home().poller.again(this);
  }

  // In turn: connections live long, so that each shard ends up with its share.
  void hand_over(PeerSocket peer) {
    ServerShard& target = *shards[next++ % shards.size()];
    if (&target == shards.front().get()) return target.adopt(std::move(peer));
    target.shard().post(
        [&target, peer = std::move(peer)]() mutable { target.adopt(std::move(peer)); });
  }

  MonoUs on_turn_end(MonoUs now_us) override {
    if (!retry) return kNever;
    retry = false;
    on_ready(0);
    return retry ? now_us + kRetryUs : kNever;
  }
};

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options,
                                               std::span<Shard* const> shards,
                                               std::span<ServerApp* const> apps) {
  FL_ASSERT(!shards.empty() && shards.size() == apps.size(), "one app per shard");
  auto listener = open_listener(options);
  if (!listener) return std::unexpected(listener.error());
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->listener = *listener;
  impl->port = SocketAddress::of_socket(*listener).port();
  for (size_t i = 0; i < shards.size(); ++i) {
    impl->shards.push_back(std::make_unique<ServerShard>(
        *shards[i], *apps[i], impl->options, impl->counters, (uint64_t{i} << kShardBits) + 1));
  }
  shards.front()->add_resident(impl.get());
  FL_ASSERT(impl->home().poller.add(impl->listener, impl.get()), "epoll takes a socket");
  return std::make_unique<Server>(std::move(impl));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

uint16_t Server::port() const { return impl_->port; }

void Server::stop_accepting() {
  impl_->shards.front()->shard().post([impl = impl_.get()] { impl->close_listener(); });
}

const ServerCounters& Server::counters() const { return impl_->counters; }

Responder::Responder(Shard& shard, std::weak_ptr<HttpPeer> peer, uint32_t stream)
    : shard_(&shard), peer_(std::move(peer)), stream_(stream) {}
Responder::Responder(Responder&& other) noexcept
    : shard_(std::exchange(other.shard_, nullptr)),
      peer_(std::move(other.peer_)),
      stream_(other.stream_) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  std::swap(shard_, other.shard_);
  std::swap(peer_, other.peer_);
  std::swap(stream_, other.stream_);
  return *this;
}

Responder::~Responder() {
  if (!shard_) return;
  HttpResponse response;
  response.status = 500;
  response.close = true;
  send(std::move(response));
}

void Responder::send(HttpResponse response) {
  if (!shard_) return;
  Shard& shard = *std::exchange(shard_, nullptr);
  if (shard.on_this_thread()) {
    if (const auto peer = peer_.lock()) peer->answer(stream_, std::move(response));
    return;
  }
  shard.post([peer = std::move(peer_), stream = stream_, response = std::move(response)]() mutable {
    if (const auto there = peer.lock()) there->answer(stream, std::move(response));
  });
}

std::weak_ptr<const void> Responder::asker() const { return peer_; }

Connection* Responder::open_event_stream(const HeaderList& headers) {
  if (!shard_ || !std::exchange(shard_, nullptr)->on_this_thread()) return nullptr;
  const auto peer = peer_.lock();
  return peer ? peer->open_event_stream(stream_, headers) : nullptr;
}

}  // namespace footlight::net
