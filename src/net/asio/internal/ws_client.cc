#include "net/asio/internal/ws_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/asio/internal/handshake.h"

namespace footlight::net {
namespace {

constexpr int kClientReadRounds = 4;
constexpr size_t kMaxRefusalBytes = 64 * 1024;

}  // namespace

WsClient::Impl::Impl(WsClients::Impl& engine)
    : engine(engine), decoder(WsSide::kClient, engine.options.max_message_bytes) {}

void WsClient::Impl::connect() {
  started_us = engine.shard.impl().clock.now_us();
  phase = Phase::kConnecting;
  engine.timed.push_back(this);
  const int fd =
      ::socket(engine.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return die(std::strerror(errno));
  transport.emplace(fd);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (const SocketAddress* source = engine.next_source()) {
    // The port is chosen at connect, when the destination is known: all 28,000 per address serve.
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(fd, source->get(), source->size()) != 0) return die(std::strerror(errno));
  }
  if (::connect(fd, engine.address.get(), engine.address.size()) != 0 && errno != EINPROGRESS) {
    return die(std::strerror(errno));
  }
  if (!engine.shard.impl().poller.add(fd, this)) die(std::strerror(errno));
}

void WsClient::Impl::on_ready(uint32_t events) {
  if (phase == Phase::kDead) return;
  if (events & (EPOLLRDHUP | EPOLLHUP)) hung_up = true;
  if (phase < Phase::kOpen) return advance();
  if (events & EPOLLERR) return die("the connection broke");
  if (events & EPOLLOUT) flush();
  if (phase == Phase::kDead) return;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) read_frames();
}

void WsClient::Impl::advance() {
  if (phase == Phase::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(transport->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return die(std::strerror(error));
    tcp_info info{};
    size = sizeof info;
    ::getsockopt(transport->fd(), IPPROTO_TCP, TCP_INFO, &info, &size);
    if (info.tcpi_state == TCP_SYN_SENT) return;  // the first report may precede the connection
    if (!engine.tls) return begin_upgrade();
    if (!transport->start_tls_client(engine.tls,
                                     engine.options.tls_verify ? engine.options.host : "")) {
      return die("TLS cannot be started");
    }
    phase = Phase::kTls;
  }
  if (phase == Phase::kTls) {
    const IoState state = transport->handshake();
    if (state == IoState::kBlocked) return;
    if (state != IoState::kDone) return die("TLS: " + transport->tls_fault());
    return begin_upgrade();
  }
  flush();
  if (phase == Phase::kUpgrading) read_answer();
}

void WsClient::Impl::begin_upgrade() {
  phase = Phase::kUpgrading;
  opening = std::make_unique<Opening>(kMaxRefusalBytes);
  char bytes[16];
  for (int i = 0; i < 2; ++i) {
    const uint64_t word = engine.random.next();
    std::memcpy(bytes + 8 * i, &word, 8);
  }
  opening->key = base64({bytes, sizeof bytes});
  const std::string request = ws_upgrade_request({.host = engine.host_header,
                                                  .path = engine.options.path,
                                                  .subprotocol = engine.options.subprotocol,
                                                  .origin = engine.options.origin,
                                                  .key = opening->key});
  if (write(request)) read_answer();
}

void WsClient::Impl::read_answer() {
  const std::span<char> buffer = engine.shard.impl().buffer;
  for (;;) {
    const IoResult got = transport->read(buffer);
    if (got.state == IoState::kBlocked) return;
    const auto whole = got.state == IoState::kDone
                           ? opening->reader.feed({buffer.data(), got.bytes})
                           : opening->reader.finish();
    if (!whole) return die(whole.error().detail);
    if (*whole) break;
    if (got.state != IoState::kDone) return die("the connection ended in the handshake");
  }
  const auto done = std::move(opening);
  const HttpAnswer answer = done->reader.take();
  if (answer.status != 101) {
    how = std::make_unique<WsClosed>();
    how->http_status = answer.status;
    return die(answer.body);
  }
  if (answer.header("Sec-WebSocket-Accept") != ws_accept_of(done->key)) {
    return die("the server's Sec-WebSocket-Accept is wrong");
  }
  phase = Phase::kOpen;
  opened = true;
  engine.opening_ended(*this);
  engine.counters.opened++;
  engine.counters.open++;
  engine.app.on_open(*this);
  std::string rest = done->reader.take_rest();
  if (phase != Phase::kDead && decode(rest)) read_frames();
}

void WsClient::Impl::read_frames() {
  const std::span<char> buffer = engine.shard.impl().buffer;
  for (int round = 0; round < kClientReadRounds; ++round) {
    const IoResult got = transport->read(buffer);
    if (got.state == IoState::kBlocked) return;
    if (got.state != IoState::kDone) return die("the connection ended");
    engine.counters.bytes_in += got.bytes;
    if (!decode(buffer.first(got.bytes))) return;
    if (got.bytes < buffer.size() && !hung_up && !transport->is_tls()) return;
  }
  engine.shard.impl().poller.again(this);
}

bool WsClient::Impl::decode(std::span<char> in) {
  WsEvent event;
  for (;;) {
    const auto more = decoder.next(in, event);
    if (!more) {
      die(more.error().message());
      return false;
    }
    if (!*more) return true;
    if (!handle(event)) return false;
  }
}

bool WsClient::Impl::handle(const WsEvent& event) {
  switch (event.kind) {
    case WsOpcode::kText:
      engine.counters.messages_in++;
      if (phase == Phase::kOpen) engine.app.on_message(*this, event.payload);
      return phase != Phase::kDead;
    case WsOpcode::kBinary:
      engine.counters.messages_in++;
      if (phase == Phase::kOpen) engine.app.on_binary(*this, event.payload);
      return phase != Phase::kDead;
    case WsOpcode::kPing: {
      std::string pong;
      append_ws_frame(pong, WsOpcode::kPong, event.payload, engine.mask());
      return phase != Phase::kOpen || write(pong);
    }
    case WsOpcode::kClose: {
      if (phase == Phase::kOpen) {
        std::string echo;
        append_ws_frame(echo, WsOpcode::kClose,
                        event.close_code == kWsCloseNone ? std::string()
                                                         : ws_close_payload(event.close_code, {}),
                        engine.mask());
        if (!write(echo)) return false;
      }
      how = std::make_unique<WsClosed>();
      how->code = event.close_code;
      die(std::string(event.payload));
      return false;
    }
    default:
      return true;
  }
}

bool WsClient::Impl::send_message(WsOpcode opcode, std::string_view payload) {
  if (phase != Phase::kOpen) return false;
  engine.scratch.clear();
  append_ws_frame(engine.scratch, opcode, payload, engine.mask());
  if (!write(engine.scratch)) return false;
  engine.counters.messages_out++;
  return true;
}

// Sends, or keeps what the socket does not take. False when the connection is over.
bool WsClient::Impl::write(std::string_view bytes) {
  engine.counters.bytes_out += bytes.size();
  if (!unsent) {
    const IoResult sent = transport->write(bytes);
    if (sent.state == IoState::kFailed) {
      die("the connection broke");
      return false;
    }
    if (sent.bytes == bytes.size()) return true;
    bytes.remove_prefix(sent.bytes);
    unsent = std::make_unique<std::string>();
  }
  if (unsent->size() + bytes.size() > engine.options.max_unsent_bytes) {
    die("the server does not read");
    return false;
  }
  unsent->append(bytes);
  return true;
}

void WsClient::Impl::flush() {
  const IoState state = transport->flush();
  if (state == IoState::kFailed) return die("the connection broke");
  if (state != IoState::kDone || !unsent) return;
  const IoResult sent = transport->write(*unsent);
  if (sent.state == IoState::kFailed) return die("the connection broke");
  unsent->erase(0, sent.bytes);
  if (unsent->empty()) unsent.reset();
}

void WsClient::Impl::close_with(uint16_t code) {
  if (phase == Phase::kOpen) {
    std::string frame;
    append_ws_frame(frame, WsOpcode::kClose, ws_close_payload(code, {}), engine.mask());
    if (!write(frame)) return;
    phase = Phase::kClosing;
    started_us = engine.shard.impl().clock.now_us();
    engine.timed.push_back(this);
    engine.next_sweep_us = std::min(engine.next_sweep_us, started_us);
  } else if (phase < Phase::kOpen) {
    die("closed before it was open");
  }
}

void WsClient::Impl::die(std::string reason) {
  if (phase == Phase::kDead) return;
  if (phase == Phase::kConnecting || phase == Phase::kTls || phase == Phase::kUpgrading ||
      phase == Phase::kClosing) {
    engine.opening_ended(*this);
  }
  phase = Phase::kDead;
  if (!how) how = std::make_unique<WsClosed>();
  how->reason = std::move(reason);
  how->opened = opened;
  if (transport) {
    engine.shard.impl().poller.remove(transport->fd());
    transport->close();
  }
  engine.shard.impl().poller.forget(this);
  engine.finished.push_back(this);
  engine.shard.impl().ask_turn();
}

}  // namespace footlight::net
