#include "net/asio/http_client.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "net/asio/internal/address.h"
#include "net/asio/internal/http_answer_reader.h"
#include "net/asio/internal/transport.h"
#include "net/asio/shard.h"

namespace footlight::net {
namespace {

class Deadline {
 public:
  explicit Deadline(uint32_t timeout_ms) : at_us_(clock_.now_us() + timeout_ms * kUsPerMs) {}
  // Waits for `events` on `fd`; false when time is up.
  bool wait(int fd, short events) const {
    for (;;) {
      const MonoUs left_us = at_us_ - clock_.now_us();
      if (left_us <= 0) return false;
      pollfd one{fd, events, 0};
      const int ready = ::poll(&one, 1, static_cast<int>(left_us / kUsPerMs + 1));
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
    }
  }

 private:
  SystemClock clock_;
  MonoUs at_us_;
};

Result<bool> too_late() { return fail(Code::kUnreachable, "no answer in time"); }

Result<bool> connect(int fd, const SocketAddress& address, const Deadline& deadline) {
  if (::connect(fd, address.get(), address.size()) == 0) return true;
  if (errno != EINPROGRESS) return fail(Code::kUnreachable, std::strerror(errno));
  if (!deadline.wait(fd, POLLOUT)) return too_late();
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(Code::kUnreachable, std::strerror(error));
  return true;
}

Result<bool> handshake(Transport& transport, const Deadline& deadline) {
  for (;;) {
    switch (transport.handshake()) {
      case IoState::kDone:
        return true;
      case IoState::kBlocked:
        if (!deadline.wait(transport.fd(), POLLIN)) return too_late();
        break;
      default:
        return fail(Code::kUnreachable, "TLS: " + transport.tls_fault());
    }
  }
}

Result<bool> send_all(Transport& transport, std::string_view bytes, const Deadline& deadline) {
  while (!bytes.empty() || transport.has_unsent()) {
    IoResult sent;
    if (bytes.empty()) {
      sent.state = transport.flush();
      if (sent.state == IoState::kDone) break;
    } else {
      sent = transport.write(bytes);
    }
    bytes.remove_prefix(sent.bytes);
    if (sent.state == IoState::kFailed) {
      return fail(Code::kUnreachable, "the connection broke while sending");
    }
    if (sent.bytes == 0 && !deadline.wait(transport.fd(), POLLOUT)) return too_late();
  }
  return true;
}

Result<HttpAnswer> receive(Transport& transport, const HttpCall& call, const Deadline& deadline) {
  HttpAnswerReader reader(call.max_body_bytes, call.method == "HEAD");
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const IoResult got = transport.read(buffer);
    if (got.state == IoState::kBlocked) {
      if (!deadline.wait(transport.fd(), POLLIN)) return std::unexpected(too_late().error());
      continue;
    }
    auto whole =
        got.state == IoState::kDone ? reader.feed({buffer.data(), got.bytes}) : reader.finish();
    if (!whole) return std::unexpected(whole.error());
    if (*whole) return reader.take();
    if (got.state != IoState::kDone) {
      return fail(Code::kUnreachable, "the connection ended in the middle of the answer");
    }
  }
}

std::string request_text(const HttpCall& call, const Url& url) {
  std::string text = call.method + " " + url.target + " HTTP/1.1\r\nHost: ";
  const bool v6 = url.host.find(':') != std::string::npos;
  text += v6 ? "[" + url.host + "]" : url.host;
  if (url.port != (url.tls ? 443 : 80)) text += ":" + std::to_string(url.port);
  text += "\r\nConnection: close\r\n";
  if (!call.body.empty() || call.method == "POST" || call.method == "PUT") {
    text += "Content-Length: " + std::to_string(call.body.size()) + "\r\n";
  }
  for (const auto& [name, value] : call.headers) text += name + ": " + value + "\r\n";
  return text + "\r\n" + call.body;
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\r\n") != std::string_view::npos;
}

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return "";
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return fail(Code::kBadRequest, "the URL must start with http:// or https://");
  }
  const size_t end = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, end);
  std::string_view target = end == std::string_view::npos ? "" : rest.substr(end);
  target = target.substr(0, target.find('#'));
  url.target = target.starts_with('/') ? target : "/" + std::string(target);
  url.port = url.tls ? 443 : 80;
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return fail(Code::kBadRequest, "[ without ] in the URL");
    url.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else {
    const size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (!port.empty()) {
    const char* last = port.data() + port.size();
    const auto parsed = std::from_chars(port.data() + 1, last, url.port);
    if (port.front() != ':' || parsed.ptr != last || parsed.ec != std::errc() || url.port == 0) {
      return fail(Code::kBadRequest, "the URL's port is wrong");
    }
  }
  const bool bad = url.host.empty() || text.find_first_of(" \t\r\n@") != std::string_view::npos;
  if (bad) return fail(Code::kBadRequest, "the URL's host is wrong");
  return url;
}

Result<HttpAnswer> http_call(const HttpCall& call) {
  auto url = parse_url(call.url);
  if (!url) return std::unexpected(url.error());
  for (const auto& [name, value] : call.headers) {
    if (has_line_break(name) || has_line_break(value)) {
      return fail(Code::kBadRequest, "a header holds a line break");
    }
  }
  const Deadline deadline(call.timeout_ms);
  auto address = SocketAddress::resolve(url->host, url->port);
  if (!address) return std::unexpected(address.error());
  const int fd = ::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Code::kFileDescriptors, std::strerror(errno));
  Transport transport(fd);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto step = connect(fd, *address, deadline);
  if (step && url->tls) {
    auto context = make_tls_client_context(call.tls_verify);
    if (!context) return std::unexpected(context.error());
    if (!transport.start_tls_client(*context, call.tls_verify ? url->host : "")) {
      return fail(Code::kCertificate, "TLS cannot be started");
    }
    step = handshake(transport, deadline);
  }
  if (step) step = send_all(transport, request_text(call, *url), deadline);
  if (!step) {
    Error error = step.error();
    error.detail = call.url + ": " + error.detail;
    return std::unexpected(std::move(error));
  }
  return receive(transport, call, deadline);
}

}  // namespace footlight::net
