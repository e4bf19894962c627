#include "net/asio/internal/http_session.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <exception>

#include "net/asio/internal/handshake.h"
#include "net/asio/internal/server_shard.h"

namespace footlight::net {

namespace asio = boost::asio;

HttpSession::HttpSession(ServerConnection& connection, std::string peer_ip)
    : connection_(&connection),
      shard_(connection.shard()),
      peer_ip_(std::move(peer_ip)),
      reader_({shard_.options().max_header_bytes, shard_.options().max_body_bytes}) {}

void HttpSession::start() {
  connection_->set_deadline(shard_.after_ms(shard_.options().header_timeout_ms));
  asio::co_spawn(
      shard_.shard().impl().io, [self = shared_from_this()] { return self->run(); },
      [](std::exception_ptr fault) {
        if (fault) std::rethrow_exception(fault);  // out of memory: nothing to save
      });
}

bool HttpSession::alive() const {
  return connection_ != nullptr && connection_->phase() == ServerConnection::Phase::kHttp;
}

void HttpSession::wake(Wake how) {
  if (!waiter_) return;
  const auto keep = shared_from_this();
  auto waiter = std::exchange(waiter_, nullptr);
  want_ = Want::kNothing;
  waiter(how);
}

void HttpSession::on_ready(uint32_t events) {
  const bool readable = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
  if (want_ == Want::kReadable && readable) return wake(Wake::kGo);
  if (want_ == Want::kWritable && (events & EPOLLOUT) != 0) wake(Wake::kGo);
}

void HttpSession::on_timeout() {
  shard_.counters().timeouts++;
  connection_->set_deadline(kNever);
  if (waiter_) return wake(Wake::kTimeout);
  timed_out_ = true;  // the coroutine has not begun yet
}

void HttpSession::detach() {
  connection_ = nullptr;
  shard_.drop_body_bytes(std::exchange(counted_body_bytes_, 0));
  wake(Wake::kGone);
}

HttpSession::Task<HttpSession::Wake> HttpSession::wait(Want want) {
  if (!alive()) co_return Wake::kGone;
  if (timed_out_) co_return Wake::kTimeout;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Wake)>(
      [this, want](auto handler) {
        want_ = want;
        waiter_ = std::move(handler);
      },
      asio::use_awaitable);
}

HttpSession::Task<> HttpSession::run() {
  if (shard_.options().framed && alive()) co_await look_at_first_byte();
  bool go_on = alive();
  if (go_on && connection_->transport().is_tls()) go_on = co_await handshake();
  while (go_on) {
    stage_ = Stage::kReading;
    auto request = co_await read_request();
    if (!request) break;
    shard_.counters().requests++;
    request->peer_ip = peer_ip_;
    request->tls = connection_->transport().is_tls();
    const bool wants_upgrade = header_has_token(request->header("Connection"), "upgrade") &&
                               (request->path == shard_.options().websocket_path ||
                                is_bare_path(request->path, shard_.options()));
    if (wants_upgrade) {
      go_on = co_await upgrade(std::move(*request));
    } else {
      go_on = co_await serve(std::move(*request));
    }
    if (go_on) connection_->set_deadline(shard_.after_ms(shard_.options().keep_alive_ms));
  }
  if (connection_ != nullptr) connection_->release_http();
}

// What is no HTTP and no TLS from its first byte on is handed on. Whatever else happens meanwhile
// is for who reads next.
HttpSession::Task<> HttpSession::look_at_first_byte() {
  while (alive()) {
    uint8_t first = 0;
    const ssize_t got = ::recv(connection_->transport().fd(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
      const Wake woken = co_await wait(Want::kReadable);
      if (woken == Wake::kGo) continue;
      timed_out_ = woken == Wake::kTimeout;
      co_return;
    }
    if (got == 1 && begins_framed(first)) connection_->hand_on();
    co_return;
  }
}

HttpSession::Task<bool> HttpSession::handshake() {
  for (;;) {
    const IoState state = connection_->transport().handshake();
    if (state == IoState::kDone) break;
    Wake woken = Wake::kGone;
    if (state == IoState::kBlocked) woken = co_await wait(Want::kReadable);
    if (woken != Wake::kGo) {
      if (connection_ != nullptr) connection_->die();
      co_return false;
    }
  }
  connection_->set_deadline(shard_.after_ms(shard_.options().header_timeout_ms));
  co_return true;
}

// nullopt: the connection has ended or is ending, and whoever could be told was told.
HttpSession::Task<std::optional<HttpRequest>> HttpSession::read_request() {
  bool had_begun = false;
  bool had_header = false;
  for (read_ = reader_.next(); !read_ || !*read_;) {
    if (read_ && !count_body_bytes()) read_ = fail(Code::kOverloaded, "too much comes in", 1'000);
    if (!read_) {
      Error error = read_.error();
      co_await refuse(std::move(error));
      co_return std::nullopt;
    }
    if (reader_.wants_continue()) {
      const bool told = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n", "");
      if (!told) co_return std::nullopt;
    }
    if (!std::exchange(had_begun, reader_.has_begun()) && had_begun) {
      connection_->set_deadline(shard_.after_ms(shard_.options().header_timeout_ms));
    }
    if (!std::exchange(had_header, reader_.has_header()) && had_header) {
      connection_->set_deadline(shard_.after_ms(shard_.options().body_timeout_ms));
    }
    const bool more = co_await read_more();
    if (!more) co_return std::nullopt;
  }
  shard_.drop_body_bytes(std::exchange(counted_body_bytes_, 0));
  HttpRequest request = reader_.take(keep_alive_);
  auto target = parse_target(request.target);
  if (!target) {
    Error error = target.error();
    co_await refuse(std::move(error));
    co_return std::nullopt;
  }
  request.path = std::move(target->path);
  co_return request;
}

// False when the shard holds as many bytes of unfinished bodies as it may.
bool HttpSession::count_body_bytes() {
  const size_t now = reader_.body_bytes();
  const size_t more = now - std::min(now, counted_body_bytes_);
  counted_body_bytes_ += more;
  return shard_.add_body_bytes(more);
}

// One read into the reader; its verdict is in read_. False when the connection is over.
HttpSession::Task<bool> HttpSession::read_more() {
  for (;;) {
    const IoResult got = connection_->transport().read(shard_.buffer());
    if (got.state == IoState::kDone) {
      read_ = reader_.feed({shard_.buffer().data(), got.bytes});
      co_return true;
    }
    if (got.state != IoState::kBlocked) {
      connection_->die();
      co_return false;
    }
    const Wake woken = co_await wait(Want::kReadable);
    if (woken == Wake::kGo) continue;
    if (woken == Wake::kTimeout && alive()) {
      if (reader_.has_begun()) {
        Error error{Code::kBadRequest, "the request took too long"};
        co_await refuse(std::move(error), 408);
      } else {
        connection_->finish_http(true);
      }
    }
    co_return false;
  }
}

// Tells what is wrong and ends the connection: after a fault nothing can be made of its bytes.
HttpSession::Task<> HttpSession::refuse(Error error, int status) {
  shard_.counters().bad_requests++;
  HttpResponse response = shard_.error_response(error);
  if (status != 0) response.status = status;
  keep_alive_ = false;
  timed_out_ = false;
  co_await write_response(std::move(response), false);
}

HttpSession::Task<bool> HttpSession::serve(HttpRequest request) {
  stage_ = Stage::kAnswering;
  connection_->set_deadline(shard_.after_ms(shard_.options().answer_timeout_ms));
  answer_.reset();
  const bool head_only = request.method == "HEAD";
  in_request_ = true;
  shard_.app().on_request(std::move(request),
                          Responder(std::make_unique<Responder::Impl>(
                              Responder::Impl{shard_.shard(), weak_from_this()})));
  in_request_ = false;
  if (!alive()) co_return false;  // it is an event stream now, or gone
  while (!answer_) {
    const Wake woken = co_await wait(Want::kAnswer);
    if (woken == Wake::kGone) co_return false;
    if (woken == Wake::kTimeout) {
      answer_ = shard_.error_response({Code::kInternal, "no answer in time"});
      answer_->status = 504;
      answer_->close = true;
    }
  }
  HttpResponse response = std::move(*answer_);
  answer_.reset();
  const bool go_on = co_await write_response(std::move(response), head_only);
  co_return go_on;
}

HttpSession::Task<bool> HttpSession::upgrade(HttpRequest request) {
  const auto& options = shard_.options();
  std::optional<HttpResponse> refusal;
  if (const auto fault = check_ws_upgrade(request, options)) {
    refusal = shard_.error_response(fault->error);
    refusal->status = fault->status;
    if (fault->status == 426) refusal->headers.emplace_back("Sec-WebSocket-Version", "13");
  } else {
    refusal = shard_.app().refuse_upgrade(request);
  }
  if (refusal) {
    const bool go_on = co_await write_response(std::move(*refusal), false);
    co_return go_on;
  }
  const bool bare = is_bare_path(request.path, options);
  const std::string head = ws_upgrade_response(request.header("Sec-WebSocket-Key"),
                                               bare ? std::string_view() : options.subprotocol);
  const bool granted = co_await write_all(head, "");
  if (!granted) co_return false;
  shard_.counters().upgrades++;
  std::string rest = reader_.take_rest();
  connection_->become_websocket();
  shard_.app().on_open(*connection_, request);
  if (connection_ != nullptr) connection_->read_first_frames(rest);
  co_return false;
}

HttpSession::Task<bool> HttpSession::write_response(HttpResponse response, bool head_only) {
  const std::string_view body =
      response.shared_body ? std::string_view(*response.shared_body) : response.body;
  keep_alive_ = keep_alive_ && !response.close;
  response.headers.emplace_back("Date", shard_.date());
  std::string head;
  head.reserve(512);
  append_response_head(
      head, {.status = response.status,
             .content_type = response.content_type,
             .body_bytes = response.chain ? response.chain->size_bytes() : body.size(),
             .close = !keep_alive_,
             .headers = &response.headers,
             .lines = response.head_lines ? std::string_view(*response.head_lines) : ""});
  const bool has_body = !head_only && response.status != 204 && response.status != 304;
  const bool written = co_await write_all(head, has_body ? body : std::string_view(),
                                          has_body ? response.chain.get() : nullptr);
  if (!written) co_return false;
  if (!keep_alive_) connection_->finish_http(true);
  co_return keep_alive_;
}

// What is left of an answer: its head, its body, and then the slices of a chain.
struct HttpSession::Rest {
  std::string_view head, body;
  const Chain* chain = nullptr;
  size_t slice = 0, of_slice = 0;  // the first that is left, and how much of it is gone

  bool empty() const {
    return head.empty() && body.empty() && (!chain || slice == chain->slices().size());
  }
  // As many pieces as the transport takes at once.
  std::span<const std::string_view> next(std::array<std::string_view, 4>& parts) const {
    size_t count = 0;
    if (!head.empty()) parts[count++] = head;
    if (!body.empty()) parts[count++] = body;
    for (size_t i = slice; chain && i < chain->slices().size() && count < parts.size(); ++i) {
      parts[count++] = chain->slices()[i].bytes.substr(i == slice ? of_slice : 0);
    }
    return std::span(parts).first(count);
  }
  void take(size_t bytes) {
    for (std::string_view* part : {&head, &body}) {
      const size_t of_part = std::min(bytes, part->size());
      part->remove_prefix(of_part);
      bytes -= of_part;
    }
    while (bytes > 0) {
      const size_t left = chain->slices()[slice].bytes.size() - of_slice;
      const size_t of_this = std::min(bytes, left);
      of_slice += of_this;
      bytes -= of_this;
      if (of_this < left) return;
      ++slice;
      of_slice = 0;
    }
  }
};

HttpSession::Task<bool> HttpSession::write_all(std::string_view head, std::string_view body,
                                               const Chain* chain) {
  if (!alive()) co_return false;
  const Stage before = std::exchange(stage_, Stage::kWriting);
  connection_->set_deadline(shard_.after_ms(shard_.options().write_timeout_ms));
  Rest rest{head, body, chain};
  while (!rest.empty() || connection_->transport().has_unsent()) {
    IoResult sent;
    if (rest.empty()) {
      sent.state = connection_->transport().flush();
      if (sent.state == IoState::kDone) break;
    } else {
      std::array<std::string_view, 4> parts;
      sent = connection_->transport().write(rest.next(parts));
    }
    rest.take(sent.bytes);
    if (sent.bytes > 0) continue;
    Wake woken = Wake::kGone;
    if (sent.state == IoState::kBlocked) woken = co_await wait(Want::kWritable);
    if (woken == Wake::kGo) continue;
    if (connection_ != nullptr) connection_->die();
    co_return false;
  }
  stage_ = before;
  co_return true;
}

void HttpSession::answer(HttpResponse response) {
  if (!alive() || stage_ != Stage::kAnswering || answer_) return;
  answer_ = std::move(response);
  if (want_ == Want::kAnswer) wake(Wake::kGo);
}

Connection* HttpSession::open_event_stream(const HeaderList& headers) {
  if (!alive() || !in_request_ || answer_) return nullptr;
  HeaderList all = headers;
  all.emplace_back("Cache-Control", "no-store");
  all.emplace_back("X-Accel-Buffering", "no");
  all.emplace_back("Date", shard_.date());
  std::string head;
  append_response_head(head, {.status = 200,
                              .content_type = "text/event-stream",
                              .body_bytes = std::nullopt,
                              .headers = &all});
  connection_->become_event_stream(head);
  return connection_->phase() == ServerConnection::Phase::kEventStream ? connection_ : nullptr;
}

}  // namespace footlight::net
