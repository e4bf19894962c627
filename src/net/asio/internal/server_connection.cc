#include "net/asio/internal/server_connection.h"

#include <array>

#include "core/assert.h"
#include "net/asio/internal/h2_peer.h"
#include "net/asio/internal/http_peer.h"
#include "net/asio/internal/server_shard.h"
#include "net/sse.h"

namespace footlight::net {
namespace {

constexpr int kReadRounds = 4;  // then it is the others' turn
constexpr int kDropRounds = 16;
constexpr size_t kMaxControlWaiting = 1024;  // pongs beyond are left out (RFC 6455 section 5.5.3)

}  // namespace

ServerConnection::ServerConnection(ServerShard& shard, uint64_t id, int fd)
    : shard_(shard),
      transport_(fd),
      id_(id),
      decoder_(WsSide::kServer, shard.options().max_message_bytes) {}

ServerConnection::~ServerConnection() {
  if (http_) http_->detach();
}

void ServerConnection::on_ready(uint32_t events) {
  if (phase_ == Phase::kDead) return;
  if (events & EPOLLERR) return die();
  if (events & (EPOLLRDHUP | EPOLLHUP)) hung_up_ = true;
  if (phase_ == Phase::kHttp) return http_->on_ready(events);
  if (events & EPOLLOUT) on_room();
  if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))) return;
  if (phase_ == Phase::kWebSocket && !faulted_) {
    read_frames();
  } else if (phase_ != Phase::kDead) {
    read_and_drop();
  }
}

void ServerConnection::read_frames() {
  const auto buffer = shard_.buffer();
  for (int round = 0; round < kReadRounds; ++round) {
    const IoResult got = transport_.read(buffer);
    if (got.state == IoState::kBlocked) return;
    if (got.state != IoState::kDone) return die();
    if (!decode(buffer.first(got.bytes))) return;
    // A short read emptied the socket, so that the next byte is a new edge.
    if (got.bytes < buffer.size() && !hung_up_ && !transport_.is_tls()) return;
  }
  shard_.poller().again(this);
}

// False when no more may be read as frames.
bool ServerConnection::decode(std::span<char> in) {
  WsEvent event;
  for (;;) {
    const auto more = decoder_.next(in, event);
    if (!more) {
      fault(more.error().code);
      return false;
    }
    if (!*more) return true;
    if (!handle(event)) return false;
  }
}

bool ServerConnection::handle(const WsEvent& event) {
  switch (event.kind) {
    case WsOpcode::kText:
      shard_.app().on_message(*this, event.payload);
      return phase_ == Phase::kWebSocket;
    case WsOpcode::kBinary:
      if (!takes_binary_) {
        fault(Code::kBadFrame);
        return false;
      }
      shard_.app().on_binary(*this, event.payload);
      return phase_ == Phase::kWebSocket;
    case WsOpcode::kPing:
      if (!control_) control_ = std::make_unique<std::string>();
      if (control_->size() < kMaxControlWaiting) {
        append_ws_frame(*control_, WsOpcode::kPong, event.payload);
      }
      if (!mid_frame_) send_control();
      return phase_ == Phase::kWebSocket;
    case WsOpcode::kPong:
      return true;
    case WsOpcode::kClose:
      end(event.close_code, {});
      return false;
    default:
      fault(Code::kBadFrame);
      return false;
  }
}

void ServerConnection::fault(Code code) {
  faulted_ = true;
  shard_.app().on_fault(*this, code);
}

// In a buffer of its own: the shared one may hold the message that is being handled.
void ServerConnection::read_and_drop() {
  std::array<char, 4096> buffer;
  for (int round = 0; round < kDropRounds; ++round) {
    const IoResult got = transport_.read(buffer);
    if (got.state == IoState::kBlocked) return;
    if (got.state != IoState::kDone) return die();
  }
  shard_.poller().again(this);
}

void ServerConnection::on_room() {
  const IoState flushed = transport_.flush();
  if (flushed == IoState::kFailed) return die();
  if (flushed != IoState::kDone) return;
  if (!mid_frame_ && event_sent_ == 0 && !send_control()) return;
  if (phase_ == Phase::kClosing) return try_linger();
  if (wants_room_ && is_stream()) {
    wants_room_ = false;
    shard_.app().on_writable(*this);
  }
}

// True when nothing of ours is left to send.
bool ServerConnection::send_control() {
  if (!control_) return true;
  const IoResult sent = transport_.write(*control_);
  if (sent.state == IoState::kFailed) {
    die();
    return false;
  }
  control_->erase(0, sent.bytes);
  if (!control_->empty()) return false;
  control_.reset();
  return true;
}

// False when frames cannot be written now.
bool ServerConnection::may_write_frame() {
  if (phase_ != Phase::kWebSocket) return false;
  if (!control_ || mid_frame_ || send_control()) return true;
  wants_room_ = true;
  return false;
}

size_t ServerConnection::frame_written(IoResult sent, size_t wanted, bool within) {
  if (sent.state == IoState::kFailed || sent.state == IoState::kEnd) {
    die();
    return 0;
  }
  mid_frame_ = within;
  if (sent.bytes < wanted) {
    wants_room_ = true;
  } else if (control_) {
    send_control();
  }
  return sent.bytes;
}

size_t ServerConnection::write(std::string_view rest) {
  if (!may_write_frame()) return 0;
  const IoResult sent = transport_.write(rest);
  const bool within = sent.bytes < rest.size() && (mid_frame_ || sent.bytes > 0);
  return frame_written(sent, rest.size(), within);
}

size_t ServerConnection::write_two(std::string_view first, std::string_view second) {
  if (!may_write_frame()) return 0;
  const std::array<std::string_view, 2> parts = {first, second};
  const IoResult sent = transport_.write(std::span<const std::string_view>(parts));
  const size_t wanted = first.size() + second.size();
  const bool whole = sent.bytes == 0 || sent.bytes == first.size() || sent.bytes == wanted;
  return frame_written(sent, wanted, !whole);
}

Connection::Event ServerConnection::write_event(std::string_view message) {
  if (phase_ != Phase::kEventStream) return Event::kBlocked;
  if (!is_one_line(message)) [[unlikely]]
    return write_event(one_line_of(message));
  if (event_sent_ == 0 && !send_control()) {
    wants_room_ = true;
    return Event::kBlocked;
  }
  char head[kSseMaxHeadBytes];
  std::array<std::string_view, 3> parts = {
      std::string_view(head, write_sse_head(head, message.size())), message, kSseTail};
  size_t total = 0;
  size_t skip = event_sent_;
  for (auto& part : parts) {
    total += part.size();
    const size_t cut = std::min(skip, part.size());
    part.remove_prefix(cut);
    skip -= cut;
  }
  const IoResult sent = transport_.write(std::span<const std::string_view>(parts));
  if (sent.state == IoState::kFailed || sent.state == IoState::kEnd) {
    die();
    return Event::kBlocked;
  }
  event_sent_ += sent.bytes;
  if (event_sent_ == total) {
    event_sent_ = 0;
    set_deadline(shard_.after_ms(shard_.options().event_stream_comment_ms));
    return Event::kDone;
  }
  wants_room_ = true;
  return event_sent_ == 0 ? Event::kBlocked : Event::kBegun;
}

void ServerConnection::end(uint16_t code, std::string_view reason) {
  if (!is_stream()) return;
  // Whoever is cut in the middle of a frame does not read: what waits in the kernel is dropped too.
  if (mid_frame_ || event_sent_ > 0) {
    transport_.reset();
    return die();
  }
  if (!control_) control_ = std::make_unique<std::string>();
  if (phase_ == Phase::kEventStream) {
    control_->append(kSseEnd);
  } else {
    const bool has_code = code != kWsCloseNone;
    append_ws_frame(*control_, WsOpcode::kClose, has_code ? ws_close_payload(code, reason) : "");
  }
  begin_closing();
}

void ServerConnection::begin_closing() {
  phase_ = Phase::kClosing;
  set_deadline(shard_.after_ms(shard_.options().linger_ms));
  shard_.finish(*this);
  try_linger();
}

void ServerConnection::try_linger() {
  if (phase_ != Phase::kClosing || !send_control() || transport_.has_unsent()) return;
  transport_.shutdown_write();
  phase_ = Phase::kLingering;
  read_and_drop();
}

void ServerConnection::become_websocket() {
  phase_ = Phase::kWebSocket;
  announced_ = true;
  set_deadline(kNever);
}

void ServerConnection::release_http() { http_.reset(); }

void ServerConnection::read_first_frames(std::string& rest) {
  release_http();
  if (phase_ == Phase::kWebSocket && !rest.empty() && !decode(rest)) return;
  if (phase_ == Phase::kWebSocket && !faulted_) read_frames();
}

void ServerConnection::become_event_stream(std::string_view head) {
  phase_ = Phase::kEventStream;
  announced_ = true;
  set_deadline(shard_.after_ms(shard_.options().event_stream_comment_ms));
  control_ = std::make_unique<std::string>(head);
  send_control();
}

void ServerConnection::finish_http(bool in_order) {
  if (phase_ != Phase::kHttp) return;
  if (!in_order) return die();
  transport_.shutdown_write();
  phase_ = Phase::kLingering;
  set_deadline(shard_.after_ms(shard_.options().linger_ms));
  read_and_drop();
}

void ServerConnection::hand_on() {
  auto& counters = shard_.counters();
  counters.framed++;
  counters.connections++;  // this object gives one back, too
  const std::shared_ptr<void> counted(
      nullptr, [counts = counters.shared_from_this()](void*) { counts->connections--; });
  shard_.poller().remove(transport_.fd());
  shard_.options().framed(FramedSocket(transport_.release(), counted));
  die();
}

// By ALPN. Whoever spoke HTTP/1.1 before goes.
void ServerConnection::become_http2(std::string peer_ip) {
  auto peer = std::make_shared<H2Peer>(*this, std::move(peer_ip));
  http_ = peer;
  peer->start();
}

void ServerConnection::set_deadline(MonoUs at_us) { shard_.set_deadline(*this, at_us); }

void ServerConnection::on_deadline(MonoUs now_us) {
  switch (phase_) {
    case Phase::kHttp:
      return http_->on_timeout();
    case Phase::kEventStream:
      set_deadline(now_us + shard_.options().event_stream_comment_ms * kUsPerMs);
      if (event_sent_ > 0 || control_) return;
      control_ = std::make_unique<std::string>(kSseComment);
      send_control();
      return;
    case Phase::kClosing:
      transport_.reset();
      return die();
    case Phase::kLingering:
      return die();
    case Phase::kWebSocket:
    case Phase::kDead:
      return;
  }
}

void ServerConnection::die() {
  if (phase_ == Phase::kDead) return;
  phase_ = Phase::kDead;
  shard_.poller().remove(transport_.fd());
  shard_.poller().forget(this);
  set_deadline(kNever);
  transport_.close();
  shard_.finish(*this);
  if (http_) http_->detach();
}

}  // namespace footlight::net
