#include "net/asio/internal/http_session.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>

#include "net/asio/internal/handshake.h"
#include "net/asio/internal/server_shard.h"

namespace footlight::net {
namespace {

constexpr int kRequestsPerTurn = 16;

}  // namespace

HttpSession::HttpSession(ServerConnection& connection, std::string peer_ip)
    : connection_(&connection),
      shard_(connection.shard()),
      peer_ip_(std::move(peer_ip)),
      reader_({shard_.options().max_header_bytes, shard_.options().max_body_bytes}) {}

// The socket's first readiness, which the poller always tells of, sets it going.
void HttpSession::start() {
  stage_ = shard_.options().framed             ? Stage::kFirstByte
           : connection_->transport().is_tls() ? Stage::kHandshake
                                               : Stage::kReading;
  connection_->set_deadline(shard_.after_ms(shard_.options().header_timeout_ms));
}

bool HttpSession::alive() const {
  return connection_ != nullptr && connection_->phase() == ServerConnection::Phase::kHttp;
}

void HttpSession::on_ready(uint32_t events) {
  const auto keep = shared_from_this();
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) readable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP)) hung_up_ = true;
  go(kRequestsPerTurn);
}

void HttpSession::go(int requests) {
  requests_left_ = requests;
  bool more = true;
  while (more && alive()) {
    switch (stage_) {
      case Stage::kFirstByte:
        more = look_at_first_byte();
        break;
      case Stage::kHandshake:
        more = shake_hands();
        break;
      case Stage::kReading:
        more = read_on();
        break;
      case Stage::kAnswering:
        more = take_answer();
        break;
      case Stage::kWriting:
        more = write_on();
        break;
    }
  }
  if (connection_ == nullptr || alive()) return;
  std::exchange(connection_, nullptr)->release_http();  // it goes on without us
}

void HttpSession::on_timeout() {
  const auto keep = shared_from_this();
  shard_.counters().timeouts++;
  connection_->set_deadline(kNever);
  switch (stage_) {
    case Stage::kFirstByte:
    case Stage::kHandshake:
      if (connection_->transport().is_tls()) return connection_->die();
      connection_->finish_http(true);
      break;
    case Stage::kReading:
      if (reader_.has_begun()) {
        refuse({Code::kBadRequest, "the request took too long"}, 408);
      } else {
        connection_->finish_http(true);
      }
      break;
    case Stage::kAnswering:
      answer_ = shard_.error_response({Code::kInternal, "no answer in time"});
      answer_->status = 504;
      answer_->close = true;
      break;
    case Stage::kWriting:
      return connection_->die();
  }
  go(0);
}

void HttpSession::detach() {
  connection_ = nullptr;
  shard_.drop_body_bytes(std::exchange(counted_body_bytes_, 0));
}

// What is no HTTP and no TLS from its first byte on is handed on. Whatever else happens meanwhile
// is for who reads next.
bool HttpSession::look_at_first_byte() {
  if (!readable_) return false;
  uint8_t first = 0;
  const ssize_t got = ::recv(connection_->transport().fd(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    readable_ = errno == EINTR;
    return readable_;
  }
  if (got == 1 && begins_framed(first)) {
    connection_->hand_on();
    return false;
  }
  stage_ = connection_->transport().is_tls() ? Stage::kHandshake : Stage::kReading;
  return true;
}

bool HttpSession::shake_hands() {
  const IoState state = connection_->transport().handshake();
  if (state == IoState::kBlocked) return false;
  if (state != IoState::kDone) {
    connection_->die();
    return false;
  }
  if (connection_->transport().speaks_h2()) {
    std::exchange(connection_, nullptr)->become_http2(std::move(peer_ip_));
    return false;
  }
  connection_->set_deadline(shard_.after_ms(shard_.options().header_timeout_ms));
  stage_ = Stage::kReading;
  readable_ = true;
  return true;
}

bool HttpSession::read_on() {
  if (!looked_ && requests_left_ > 0) {
    looked_ = true;
    return judge(reader_.next());
  }
  if (requests_left_ <= 0) {
    if (readable_ || reader_.has_begun()) shard_.poller().again(connection_);
    return false;
  }
  if (!readable_) return false;
  const auto buffer = shard_.buffer();
  const IoResult got = connection_->transport().read(buffer);
  if (got.state == IoState::kBlocked) {
    readable_ = false;
    return false;
  }
  if (got.state != IoState::kDone) {
    connection_->die();
    return false;
  }
  // A short read emptied the socket, so that the next byte is a new edge.
  const bool is_tls = connection_->transport().is_tls();
  if (got.bytes < buffer.size() && !hung_up_ && !is_tls) readable_ = false;
  return judge(reader_.feed({buffer.data(), got.bytes}));
}

// What the reader said of the bytes it has.
bool HttpSession::judge(Result<bool> whole) {
  if (!whole) return refuse(whole.error());
  if (*whole) return begin_request();
  if (!count_body_bytes()) return refuse({Code::kOverloaded, "too much comes in", 1'000});
  if (!reader_.has_begun()) return true;
  return read_request_on();
}

// A request has begun and is not whole.
bool HttpSession::read_request_on() {
  if (!std::exchange(had_begun_, true)) {
    connection_->set_deadline(shard_.after_ms(shard_.options().header_timeout_ms));
  }
  if (reader_.has_header() && !std::exchange(had_header_, true)) {
    connection_->set_deadline(shard_.after_ms(shard_.options().body_timeout_ms));
  }
  if (!reader_.wants_continue()) return true;
  head_ = "HTTP/1.1 100 Continue\r\n\r\n";
  rest_ = BodyRest(head_, {}, nullptr);
  return write(After::kBody);
}

// False when the shard holds as many bytes of unfinished bodies as it may.
bool HttpSession::count_body_bytes() {
  const size_t now = reader_.body_bytes();
  const size_t more = now - std::min(now, counted_body_bytes_);
  if (more == 0) return true;
  counted_body_bytes_ += more;
  return shard_.add_body_bytes(more);
}

bool HttpSession::begin_request() {
  shard_.drop_body_bytes(std::exchange(counted_body_bytes_, 0));
  HttpRequest request = reader_.take(keep_alive_);
  had_begun_ = had_header_ = false;
  --requests_left_;
  shard_.counters().requests++;
  auto target = parse_target(request.target);
  if (!target) return refuse(target.error());
  request.path = std::move(target->path);
  request.peer_ip = peer_ip_;
  request.tls = connection_->transport().is_tls();
  const bool wants_upgrade = header_has_token(request.header("Connection"), "upgrade") &&
                             (request.path == shard_.options().websocket_path ||
                              is_bare_path(request.path, shard_.options()));
  return wants_upgrade ? upgrade(std::move(request)) : serve(std::move(request));
}

// Tells what is wrong and ends the connection: after a fault nothing can be made of its bytes.
bool HttpSession::refuse(const Error& error, int status) {
  shard_.counters().bad_requests++;
  HttpResponse response = shard_.error_response(error);
  if (status != 0) response.status = status;
  keep_alive_ = false;
  return respond(std::move(response), false);
}

bool HttpSession::serve(HttpRequest request) {
  stage_ = Stage::kAnswering;
  connection_->set_deadline(shard_.after_ms(shard_.options().answer_timeout_ms));
  answer_.reset();
  head_only_ = request.method == "HEAD";
  in_request_ = true;
  shard_.app().on_request(std::move(request), Responder(shard_.shard(), weak_from_this(), 0));
  in_request_ = false;
  return answer_.has_value();  // or it is an event stream now, or gone, or is answered later
}

bool HttpSession::take_answer() {
  if (!answer_) return false;
  HttpResponse response = std::move(*answer_);
  return respond(std::move(response), head_only_);
}

void HttpSession::answer(uint32_t, HttpResponse response) {
  if (!alive() || stage_ != Stage::kAnswering || answer_) return;
  answer_ = std::move(response);
  // Whoever answers may be in the middle of answering many: the next request has to wait.
  if (!in_request_) go(0);
}

bool HttpSession::upgrade(HttpRequest request) {
  const auto& options = shard_.options();
  std::optional<HttpResponse> refusal;
  if (const auto fault = check_ws_upgrade(request, options)) {
    refusal = shard_.error_response(fault->error);
    refusal->status = fault->status;
    if (fault->status == 426) refusal->headers.emplace_back("Sec-WebSocket-Version", "13");
  } else {
    refusal = shard_.app().refuse_upgrade(request);
  }
  if (refusal) return respond(std::move(*refusal), false);
  const bool bare = is_bare_path(request.path, options);
  head_ = ws_upgrade_response(request.header("Sec-WebSocket-Key"),
                              bare ? std::string_view() : options.subprotocol);
  rest_ = BodyRest(head_, {}, nullptr);
  upgrading_ = std::make_unique<HttpRequest>(std::move(request));
  return write(After::kWebSocket);
}

void HttpSession::become_websocket() {
  shard_.counters().upgrades++;
  std::string first_frames = reader_.take_rest();
  const auto request = std::move(upgrading_);
  ServerConnection& connection = *connection_;
  connection.become_websocket();
  shard_.app().on_open(connection, *request);
  if (connection_ == nullptr) return;  // it did not last
  connection_ = nullptr;
  connection.read_first_frames(first_frames);
}

bool HttpSession::respond(HttpResponse response, bool head_only) {
  answer_ = std::move(response);
  const std::string_view body =
      answer_->shared_body ? std::string_view(*answer_->shared_body) : answer_->body;
  keep_alive_ = keep_alive_ && !answer_->close;
  head_.clear();
  head_.reserve(512);
  append_response_head(
      head_, {.status = answer_->status,
              .content_type = answer_->content_type,
              .body_bytes = answer_->chain ? answer_->chain->size_bytes() : body.size(),
              .close = !keep_alive_,
              .date = shard_.date(),
              .headers = &answer_->headers,
              .lines = answer_->head_lines ? std::string_view(*answer_->head_lines) : ""});
  const bool has_body = !head_only && answer_->status != 204 && answer_->status != 304;
  rest_ = BodyRest(head_, has_body ? body : std::string_view(),
                   has_body ? answer_->chain.get() : nullptr);
  return write(keep_alive_ ? After::kNext : After::kEnd);
}

bool HttpSession::write(After after) {
  after_ = after;
  stage_ = Stage::kWriting;
  connection_->set_deadline(shard_.after_ms(shard_.options().write_timeout_ms));
  return true;
}

bool HttpSession::write_on() {
  Transport& transport = connection_->transport();
  while (!rest_.empty() || transport.has_unsent()) {
    IoResult sent;
    if (rest_.empty()) {
      sent.state = transport.flush();
      if (sent.state == IoState::kDone) break;
    } else {
      std::array<std::string_view, 4> parts;
      sent = transport.write(rest_.next(parts));
    }
    rest_.take(sent.bytes);
    if (sent.bytes > 0) continue;
    if (sent.state == IoState::kBlocked) return false;
    connection_->die();
    return false;
  }
  return written();
}

bool HttpSession::written() {
  rest_ = {};
  std::string().swap(head_);
  answer_.reset();
  stage_ = Stage::kReading;
  switch (after_) {
    case After::kNext:
      looked_ = false;
      connection_->set_deadline(shard_.after_ms(shard_.options().keep_alive_ms));
      return true;
    case After::kBody:
      connection_->set_deadline(shard_.after_ms(shard_.options().body_timeout_ms));
      return true;
    case After::kEnd:
      connection_->finish_http(true);
      return false;
    case After::kWebSocket:
      become_websocket();
      return false;
  }
  return false;
}

Connection* HttpSession::open_event_stream(uint32_t, const HeaderList& headers) {
  if (!alive() || !in_request_ || answer_) return nullptr;
  HeaderList all = headers;
  all.emplace_back("Cache-Control", "no-store");
  all.emplace_back("X-Accel-Buffering", "no");
  std::string head;
  append_response_head(head, {.status = 200,
                              .content_type = "text/event-stream",
                              .body_bytes = std::nullopt,
                              .date = shard_.date(),
                              .headers = &all});
  connection_->become_event_stream(head);
  return connection_->phase() == ServerConnection::Phase::kEventStream ? connection_ : nullptr;
}

}  // namespace footlight::net
