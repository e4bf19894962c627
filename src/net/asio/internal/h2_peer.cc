#include "net/asio/internal/h2_peer.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "net/asio/internal/server_shard.h"

namespace footlight::net {
namespace {

constexpr int kReadRounds = 4;           // then it is the others' turn
constexpr size_t kOutBytes = 32 * 1024;  // two records of TLS

}  // namespace

Connection::Event H2EventStream::write_event(std::string_view message) {
  if (!peer_) return Event::kBlocked;
  return peer_->write_event(stream_, message) ? Event::kDone : Event::kBlocked;
}

void H2EventStream::end(uint16_t, std::string_view) {
  if (peer_) peer_->close_event_stream(stream_);
}

H2Peer::H2Peer(ServerConnection& connection, std::string peer_ip)
    : connection_(&connection),
      shard_(connection.shard()),
      peer_ip_(std::move(peer_ip)),
      session_(shard_.options(), *this, shard_.now_us()),
      idle_since_us_(shard_.now_us()) {}

bool H2Peer::alive() const {
  return connection_ != nullptr && connection_->phase() == ServerConnection::Phase::kHttp;
}

void H2Peer::start() {
  const auto keep = shared_from_this();
  read_on();
}

void H2Peer::on_ready(uint32_t events) {
  const auto keep = shared_from_this();
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) readable_ = true;
  read_on();
}

// Nothing is read while the socket takes nothing: what a peer that does not read can ask for is
// bounded by one buffer's worth.
void H2Peer::read_on() {
  working_ = true;
  bool room = send();
  for (int round = 0; round < kReadRounds && room && readable_ && alive() && !broken_; ++round) {
    const IoResult got = connection_->transport().read(shard_.buffer());
    if (got.state == IoState::kBlocked) {
      readable_ = false;
      break;
    }
    if (got.state != IoState::kDone) {
      connection_->die();
      break;
    }
    const auto fed = session_.feed({shard_.buffer().data(), got.bytes}, shard_.now_us());
    if (!fed) {
      shard_.counters().bad_requests++;
      broken_ = true;
    }
    room = send();
  }
  working_ = false;
  if (alive() && room && readable_ && !broken_) shard_.poller().again(connection_);
  settle();
}

// Sends until there is nothing, or the socket takes no more: then false, as when it has ended.
bool H2Peer::send() {
  const bool was_working = std::exchange(working_, true);
  const bool all = send_all();
  working_ = was_working;
  return all;
}

bool H2Peer::send_all() {
  while (alive()) {
    if (sent_ == out_.size()) {
      blocked_since_us_ = kNever;  // what was made is taken, in time
      out_.clear();
      sent_ = 0;
      session_.output(out_, kOutBytes);
      if (!alive()) return false;
    }
    Transport& transport = connection_->transport();
    IoResult wrote;
    if (out_.empty()) {
      wrote.state = transport.flush();
      if (wrote.state == IoState::kDone) {
        std::string().swap(out_);
        return true;
      }
    } else {
      wrote = transport.write(std::string_view(out_).substr(sent_));
      sent_ += wrote.bytes;
    }
    if (wrote.state == IoState::kDone) continue;
    if (wrote.state == IoState::kBlocked) {
      if (blocked_since_us_ == kNever) blocked_since_us_ = shard_.now_us();
      return false;
    }
    connection_->die();
  }
  return false;
}

// After every go: is it over, and when is it due.
void H2Peer::settle() {
  if (!alive()) return;
  const bool sent_all = blocked_since_us_ == kNever;
  if ((broken_ && sent_all) || (session_.is_over() && sent_all)) {
    std::exchange(connection_, nullptr)->finish_http(true);
    for (auto& [stream, events] : std::exchange(events_, {})) {
      events->detach();
      shard_.retire(std::move(events));
    }
    return;
  }
  const ServerOptions& options = shard_.options();
  MonoUs due_us = session_.due_us();
  if (session_.streams() > 0) {
    idle_since_us_ = kNever;
  } else {
    if (idle_since_us_ == kNever) idle_since_us_ = shard_.now_us();
    due_us = idle_since_us_ + options.keep_alive_ms * kUsPerMs;
  }
  if (!sent_all) due_us = std::min(due_us, blocked_since_us_ + options.write_timeout_ms * kUsPerMs);
  connection_->set_deadline(due_us);
}

void H2Peer::on_timeout() {
  const auto keep = shared_from_this();
  const MonoUs now_us = shard_.now_us();
  const ServerOptions& options = shard_.options();
  if (blocked_since_us_ != kNever &&
      now_us - blocked_since_us_ >= options.write_timeout_ms * kUsPerMs) {
    shard_.counters().timeouts++;
    return connection_->die();
  }
  const bool idle = session_.streams() == 0;
  session_.on_time(now_us);
  if (idle && now_us - idle_since_us_ >= options.keep_alive_ms * kUsPerMs) {
    shard_.counters().timeouts++;
    session_.go_away();
  }
  send();
  settle();
}

void H2Peer::detach() {
  connection_ = nullptr;
  shard_.drop_body_bytes(static_cast<uint64_t>(std::exchange(counted_bytes_, 0)));
  for (auto& [stream, events] : std::exchange(events_, {})) {
    events->detach();
    shard_.retire(std::move(events));
  }
}

void H2Peer::end_streams(ServerApp& app) {
  for (auto& [stream, events] : std::exchange(events_, {})) {
    events->detach();
    app.on_closed(*events);
  }
}

void H2Peer::flush() {
  flushing_soon_ = false;
  if (!alive()) return;
  send();
  settle();
}

void H2Peer::flush_soon() {
  if (working_ || std::exchange(flushing_soon_, true)) return;
  shard_.flush_later(shared_from_this());
}

void H2Peer::answer(uint32_t stream, HttpResponse response) {
  if (!alive()) return;
  session_.answer(stream, std::move(response), shard_.now_us());
  flush_soon();
}

Connection* H2Peer::open_event_stream(uint32_t stream, const HeaderList& headers) {
  if (!alive() || in_request_ != stream) return nullptr;
  if (!session_.open_events(stream, headers, shard_.now_us())) return nullptr;
  auto made = std::make_unique<H2EventStream>(*this, shard_.take_id(), stream);
  Connection* const out = made.get();
  events_.emplace(stream, std::move(made));
  return out;
}

bool H2Peer::write_event(uint32_t stream, std::string_view message) {
  if (!alive() || !session_.add_event(stream, message, shard_.now_us())) return false;
  flush_soon();
  return true;
}

void H2Peer::close_event_stream(uint32_t stream) {
  if (alive()) session_.end_events(stream, shard_.now_us());
  on_event_end(stream);
  flush_soon();
}

void H2Peer::on_request(uint32_t stream, HttpRequest request) {
  shard_.counters().requests++;
  request.peer_ip = peer_ip_;
  request.tls = true;
  // Gone as soon as the stream is, so that nobody waits in vain.
  const std::shared_ptr<HttpPeer> peer(session_.token(stream), this);
  in_request_ = stream;
  shard_.app().on_request(std::move(request), Responder(shard_.shard(), peer, stream));
  in_request_ = 0;
}

void H2Peer::on_expired() { shard_.counters().timeouts++; }
std::string_view H2Peer::date() { return shard_.date(); }

bool H2Peer::count_bytes(int64_t more) {
  counted_bytes_ += more;
  if (more >= 0) return shard_.add_body_bytes(static_cast<uint64_t>(more));
  shard_.drop_body_bytes(static_cast<uint64_t>(-more));
  return true;
}

HttpResponse H2Peer::error_response(const Error& error) {
  shard_.counters().bad_requests++;
  return shard_.error_response(error);
}

void H2Peer::on_event_room(uint32_t stream) {
  const auto found = events_.find(stream);
  if (found != events_.end()) shard_.app().on_writable(*found->second);
}

// on_closed follows at the end of the turn.
void H2Peer::on_event_end(uint32_t stream) {
  const auto found = events_.find(stream);
  if (found == events_.end()) return;
  found->second->detach();
  shard_.retire(std::move(found->second));
  events_.erase(found);
}

}  // namespace footlight::net
