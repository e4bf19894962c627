#include "net/asio/datagrams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // linux/udp.h, since 4.18
#endif

namespace footlight::net {
namespace {

constexpr size_t kMaxSegments = 64;  // the kernel's UDP_MAX_SEGMENTS
constexpr size_t kMaxSegmentedBytes = 65'000;

socklen_t to_sockaddr(const UdpAddress& address, sockaddr_storage& out) {
  out = {};
  if (address.v6) {
    auto& in = reinterpret_cast<sockaddr_in6&>(out);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port);
    std::memcpy(&in.sin6_addr, address.ip.data(), 16);
    return sizeof in;
  }
  auto& in = reinterpret_cast<sockaddr_in&>(out);
  in.sin_family = AF_INET;
  in.sin_port = htons(address.port);
  std::memcpy(&in.sin_addr, address.ip.data(), 4);
  return sizeof in;
}

UdpAddress from_sockaddr(const sockaddr_storage& from) {
  UdpAddress address;
  if (from.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(from);
    address.v6 = true;
    address.port = ntohs(in.sin6_port);
    std::memcpy(address.ip.data(), &in.sin6_addr, 16);
  } else {
    const auto& in = reinterpret_cast<const sockaddr_in&>(from);
    address.port = ntohs(in.sin_port);
    std::memcpy(address.ip.data(), &in.sin_addr, 4);
  }
  return address;
}

}  // namespace

std::optional<UdpAddress> parse_udp_address(const std::string& text) {
  std::string host = text, port;
  const size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  if (bracketed || text.find(':') == colon) {  // else IPv6 without a port
    const size_t end = bracketed ? text.find(']') : std::min(colon, text.size());
    if (end == std::string::npos) return std::nullopt;
    host = text.substr(bracketed ? 1 : 0, end - (bracketed ? 1 : 0));
    const std::string rest = text.substr(bracketed ? end + 1 : end);
    if (!rest.empty() && (rest[0] != ':' || rest.size() < 2 || rest.size() > 6)) return {};
    if (!rest.empty()) port = rest.substr(1);
  }
  UdpAddress address;
  if (!port.empty()) {
    if (port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    const int number = std::stoi(port);
    if (number > 65'535) return std::nullopt;
    address.port = static_cast<uint16_t>(number);
  }
  if (::inet_pton(AF_INET, host.c_str(), address.ip.data()) == 1) return address;
  address.v6 = true;
  if (::inet_pton(AF_INET6, host.c_str(), address.ip.data()) == 1) return address;
  return std::nullopt;
}

std::vector<UdpAddress> reachable_addresses(const UdpAddress& bind) {
  UdpAddress any;
  any.v6 = bind.v6;
  if (bind.ip != any.ip) {
    any.ip = bind.ip;
    return {any};
  }
  std::vector<UdpAddress> out, loopback;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  for (const ifaddrs* each = first; each; each = each->ifa_next) {
    const int family = bind.v6 ? AF_INET6 : AF_INET;
    if (!each->ifa_addr || each->ifa_addr->sa_family != family || !(each->ifa_flags & IFF_UP)) {
      continue;
    }
    sockaddr_storage address{};
    std::memcpy(&address, each->ifa_addr, bind.v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    UdpAddress found = from_sockaddr(address);
    found.port = 0;
    // Link-local addresses need a scope that only the same link knows.
    if (found.v6 && found.ip[0] == 0xFE && (found.ip[1] & 0xC0) == 0x80) continue;
    (each->ifa_flags & IFF_LOOPBACK ? loopback : out).push_back(found);
  }
  ::freeifaddrs(first);
  out.insert(out.end(), loopback.begin(), loopback.end());
  return out;
}

struct UdpSocket::Messages {
  struct Control {
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(uint16_t))> bytes;
  };
  std::array<mmsghdr, kBatch> out{}, in{};
  std::array<iovec, kBatch> out_vector{}, in_vector{};
  std::array<sockaddr_storage, kBatch> out_address{}, in_address{};
  std::array<Control, kBatch> control{};
  std::array<uint16_t, kBatch> segment{}, segments{};
  size_t count = 0;
};

UdpSocket::UdpSocket() : messages_(std::make_unique<Messages>()) {}

UdpSocket::~UdpSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::open(const UdpOptions& options) {
  std::unique_ptr<UdpSocket> udp(new UdpSocket());
  udp->descriptor_ =
      ::socket(options.bind.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (udp->descriptor_ < 0) return fail(Code::kIo, std::strerror(errno));
  const int fd = udp->descriptor_, on = 1;
  if (options.share_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (options.bind.v6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof(int));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options.send_buffer_bytes, sizeof(int));
  sockaddr_storage address;
  socklen_t size = to_sockaddr(options.bind, address);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) < 0) {
    const Code code = errno == EADDRINUSE ? Code::kPortBusy : Code::kIo;
    return fail(code, "UDP port " + std::to_string(options.bind.port));
  }
  size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  udp->port_ = from_sockaddr(address).port;
  return udp;
}

// The first is bound alone, so that a port somebody has is busy; only then others may join it, and
// only those that mean to.
Result<std::vector<std::unique_ptr<UdpSocket>>> UdpSocket::open_shared(UdpOptions options,
                                                                       size_t count) {
  std::vector<std::unique_ptr<UdpSocket>> sockets;
  options.share_port = false;
  for (size_t i = 0; i < count; ++i) {
    auto opened = open(options);
    if (!opened) return std::unexpected(opened.error());
    sockets.push_back(std::move(*opened));
    const UdpSocket& first = *sockets.front();
    const int on = 1;
    if (i == 0 && count > 1) {
      ::setsockopt(first.descriptor_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    options.bind.port = first.port_;
    options.share_port = true;
  }
  return sockets;
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::sender_of(const UdpSocket& other) {
  std::unique_ptr<UdpSocket> udp(new UdpSocket());
  udp->descriptor_ = ::fcntl(other.descriptor_, F_DUPFD_CLOEXEC, 0);
  if (udp->descriptor_ < 0) return fail(Code::kIo, std::strerror(errno));
  udp->port_ = other.port_;
  return udp;
}

size_t UdpSocket::receive(std::span<UdpSlot> slots) {
  Messages& m = *messages_;
  const size_t most = std::min(slots.size(), kBatch);
  for (size_t i = 0; i < most; ++i) {
    m.in_vector[i] = {slots[i].memory.data(), slots[i].memory.size()};
    m.in[i].msg_hdr = {};
    m.in[i].msg_hdr.msg_name = &m.in_address[i];
    m.in[i].msg_hdr.msg_namelen = sizeof m.in_address[i];
    m.in[i].msg_hdr.msg_iov = &m.in_vector[i];
    m.in[i].msg_hdr.msg_iovlen = 1;
  }
  const int got =
      ::recvmmsg(descriptor_, m.in.data(), static_cast<unsigned>(most), MSG_DONTWAIT, nullptr);
  ++stats_.receive_calls;
  if (got <= 0) return 0;
  for (size_t i = 0; i < static_cast<size_t>(got); ++i) {
    const bool cut = m.in[i].msg_hdr.msg_flags & MSG_TRUNC;
    slots[i].size = cut ? 0 : m.in[i].msg_len;
    slots[i].from = from_sockaddr(m.in_address[i]);
  }
  stats_.received += static_cast<size_t>(got);
  return static_cast<size_t>(got);
}

void UdpSocket::send(const UdpAddress& to, ByteView bytes, std::span<const uint16_t> sizes) {
  size_t at = 0;
  for (size_t i = 0; i < sizes.size();) {
    // A run: equal sizes, of which the last may be shorter.
    const size_t size = sizes[i];
    size_t end = i + 1, total = size;
    while (segmentation_ && end < sizes.size() && sizes[end] <= size && sizes[end - 1] == size &&
           end - i < kMaxSegments && total + sizes[end] <= kMaxSegmentedBytes) {
      total += sizes[end++];
    }
    queue(to, bytes.subspan(at, total), size, end - i);
    at += total;
    i = end;
  }
}

void UdpSocket::queue(const UdpAddress& to, ByteView bytes, size_t segment_bytes, size_t segments) {
  Messages& m = *messages_;
  if (m.count == kBatch) flush();
  const size_t i = m.count++;
  m.out_vector[i] = {const_cast<uint8_t*>(bytes.data()), bytes.size()};
  msghdr& header = m.out[i].msg_hdr;
  header = {};
  header.msg_name = &m.out_address[i];
  header.msg_namelen = to_sockaddr(to, m.out_address[i]);
  header.msg_iov = &m.out_vector[i];
  header.msg_iovlen = 1;
  m.segment[i] = static_cast<uint16_t>(segment_bytes);
  m.segments[i] = static_cast<uint16_t>(segments);
  if (segments == 1) return;
  header.msg_control = m.control[i].bytes.data();
  header.msg_controllen = m.control[i].bytes.size();
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = IPPROTO_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  std::memcpy(CMSG_DATA(control), &m.segment[i], sizeof(uint16_t));
}

void UdpSocket::flush() {
  Messages& m = *messages_;
  size_t done = 0;
  while (done < m.count) {
    const int sent =
        ::sendmmsg(descriptor_, &m.out[done], static_cast<unsigned>(m.count - done), MSG_DONTWAIT);
    ++stats_.send_calls;
    if (sent > 0) {
      for (size_t i = done; i < done + static_cast<size_t>(sent); ++i) {
        stats_.sent += m.segments[i];
        if (m.segments[i] > 1) stats_.segmented += m.segments[i];
      }
      done += static_cast<size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if ((errno == EIO || errno == EINVAL || errno == EOPNOTSUPP) && m.segments[done] > 1) {
      segmentation_ = false;  // this path cannot; from now on one by one
      send_singly(done++);
      continue;
    }
    stats_.dropped +=
        m.segments[done++];  // full, or this peer is unreachable: the next one may not be
  }
  m.count = 0;
}

void UdpSocket::send_singly(size_t index) {
  Messages& m = *messages_;
  const iovec whole = m.out_vector[index];
  msghdr header = m.out[index].msg_hdr;
  header.msg_control = nullptr;
  header.msg_controllen = 0;
  for (size_t at = 0; at < whole.iov_len; at += m.segment[index]) {
    iovec part{static_cast<uint8_t*>(whole.iov_base) + at,
               std::min<size_t>(m.segment[index], whole.iov_len - at)};
    header.msg_iov = &part;
    const bool sent = ::sendmsg(descriptor_, &header, MSG_DONTWAIT) >= 0;
    ++stats_.send_calls;
    ++(sent ? stats_.sent : stats_.dropped);
  }
}

}  // namespace footlight::net
