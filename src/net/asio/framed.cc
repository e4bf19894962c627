#include "net/asio/framed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "net/asio/internal/address.h"

namespace footlight::net {
namespace {

constexpr size_t kFramesACall = 64;
constexpr size_t kHeaderBytes = 2;
constexpr int kFramedBacklog = 512;

bool is_blocked() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// The same for whoever accepts or connects: a frame goes out when it is written.
void send_at_once(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::string textual(const UdpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.ip.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

// --- a connection on its way

FramedSocket::FramedSocket(int descriptor, std::shared_ptr<void> counted)
    : descriptor_(descriptor), counted_(std::move(counted)) {}

FramedSocket::FramedSocket(FramedSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), counted_(std::move(other.counted_)) {}

FramedSocket::~FramedSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

UdpAddress FramedSocket::peer() const {
  SocketAddress address;
  if (::getpeername(descriptor_, address.get(), address.size_for_accept()) != 0) return {};
  auto out = parse_udp_address(address.ip());
  if (!out) return {};
  out->port = address.port();
  return *out;
}

// --- a stream

FramedStream::FramedStream(FramedSocket socket) : socket_(std::move(socket)) {
  send_at_once(descriptor());
}

Result<std::unique_ptr<FramedStream>> FramedStream::connect(const UdpAddress& to) {
  const auto address = SocketAddress::parse(textual(to), to.port);
  if (!address) return std::unexpected(address.error());
  FramedSocket socket(
      ::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), {});
  if (socket.descriptor() < 0) return fail(Code::kIo, std::strerror(errno));
  if (::connect(socket.descriptor(), address->get(), address->size()) != 0 &&
      errno != EINPROGRESS) {
    return fail(Code::kIo, std::strerror(errno));
  }
  return std::make_unique<FramedStream>(std::move(socket));
}

std::optional<size_t> FramedStream::read(std::span<uint8_t> into) {
  if (broken_) return std::nullopt;
  const ssize_t got = ::recv(descriptor(), into.data(), into.size(), MSG_DONTWAIT);
  if (got > 0) return static_cast<size_t>(got);
  if (got < 0 && (is_blocked() || errno == ENOTCONN)) return 0;
  broken_ = true;
  return std::nullopt;
}

// What the system holds that it has not sent once; it is what a slow line makes grow.
size_t FramedStream::unsent_bytes() const {
  int bytes = 0;
  return ::ioctl(descriptor(), SIOCOUTQNSD, &bytes) == 0 ? static_cast<size_t>(std::max(0, bytes))
                                                         : 0;
}

bool FramedStream::finish_begun() {
  if (begun_.empty()) return true;
  const ssize_t sent =
      ::send(descriptor(), begun_.data(), begun_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ++stats_.send_calls;
  if (sent < 0) {
    broken_ = broken_ || !is_blocked();
    return false;
  }
  begun_.erase(begun_.begin(), begun_.begin() + sent);
  return begun_.empty();
}

bool FramedStream::on_writable() {
  finish_begun();
  return !broken_;
}

bool FramedStream::write(ByteView bytes, std::span<const uint16_t> sizes) {
  while (!broken_ && !sizes.empty()) {
    const size_t count = std::min(sizes.size(), kFramesACall);
    size_t total = 0;
    for (size_t i = 0; i < count; ++i) total += sizes[i];
    if (!finish_begun() || !write_some(bytes.first(total), sizes.first(count))) {
      stats_.dropped += sizes.size();
      break;
    }
    bytes = bytes.subspan(total);
    sizes = sizes.subspan(count);
  }
  return !broken_;
}

// False: the line takes no more, and none of these was taken.
bool FramedStream::write_some(ByteView bytes, std::span<const uint16_t> sizes) {
  std::array<iovec, 2 * kFramesACall> parts;
  std::array<std::array<uint8_t, kHeaderBytes>, kFramesACall> headers;
  size_t unsent = unsent_bytes(), count = 0, at = 0;
  for (const uint16_t size : sizes) {
    const size_t most = size < kBulkDatagramBytes ? kMaxUnsentBytes : kBulkUnsentBytes;
    const ByteView datagram = bytes.subspan(at, size);
    at += size;
    if (unsent + kHeaderBytes + size > most) {
      ++stats_.dropped;
      continue;
    }
    headers[count] = {static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
    parts[2 * count] = {headers[count].data(), kHeaderBytes};
    parts[2 * count + 1] = {const_cast<uint8_t*>(datagram.data()), datagram.size()};
    unsent += kHeaderBytes + size;
    ++count;
  }
  if (count == 0) return true;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = 2 * count;
  const ssize_t sent = ::sendmsg(descriptor(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  ++stats_.send_calls;
  if (sent < 0) {
    broken_ = !is_blocked() && errno != ENOTCONN;
    stats_.dropped += count;
    return true;
  }
  auto left = static_cast<size_t>(sent);
  for (size_t i = 0; i < count; ++i) {
    const size_t whole = kHeaderBytes + parts[2 * i + 1].iov_len;
    if (left == 0) {
      ++stats_.dropped;
      continue;
    }
    ++stats_.sent;
    const size_t done = std::min(left, whole);
    left -= done;
    if (done == whole) continue;
    const auto* body = static_cast<const uint8_t*>(parts[2 * i + 1].iov_base);
    begun_.assign(headers[i].begin(), headers[i].end());
    begun_.insert(begun_.end(), body, body + parts[2 * i + 1].iov_len);
    begun_.erase(begun_.begin(), begun_.begin() + static_cast<ptrdiff_t>(done));
  }
  return true;
}

// --- a port

Result<std::unique_ptr<FramedListener>> FramedListener::open(const UdpAddress& bind) {
  const auto address = SocketAddress::parse(textual(bind), bind.port);
  if (!address) return std::unexpected(address.error());
  std::unique_ptr<FramedListener> made(new FramedListener());
  const int fd =
      ::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return fail(Code::kIo, std::strerror(errno));
  made->descriptor_ = fd;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind.v6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd, address->get(), address->size()) != 0 || ::listen(fd, kFramedBacklog) != 0) {
    const Code code = errno == EADDRINUSE ? Code::kPortBusy : Code::kIo;
    return fail(code, "TCP port " + std::to_string(bind.port));
  }
  made->port_ = SocketAddress::of_socket(fd).port();
  return made;
}

FramedListener::~FramedListener() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<FramedSocket> FramedListener::accept() {
  for (;;) {
    const int fd = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return FramedSocket(fd, {});
    if (errno != ECONNABORTED && errno != EINTR) return std::nullopt;
  }
}

}  // namespace footlight::net
