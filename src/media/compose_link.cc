#include "media/compose_link.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace footlight::media {
namespace {

Status refuse(const std::string& what) {
  return fail(Code::kCompositorSetup, what + ": " + std::strerror(errno));
}

int64_t wall_us() {
  timespec now{};
  (void)::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

// Room for the moment a datagram came, which the kernel notes.
struct Stamp {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(timespec))];
};

MonoUs age_of(msghdr& head, int64_t now_us) {
  constexpr MonoUs kMostUs = 10 * kUsPerSecond;  // more: the clock was set
  for (cmsghdr* each = CMSG_FIRSTHDR(&head); each; each = CMSG_NXTHDR(&head, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec came{};
    std::memcpy(&came, CMSG_DATA(each), sizeof came);
    const MonoUs age = now_us - (int64_t{came.tv_sec} * 1'000'000 + came.tv_nsec / 1'000);
    return age < 0 || age > kMostUs ? 0 : age;
  }
  return 0;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

FeedLink::~FeedLink() {
  if (socket_ >= 0) ::close(socket_);
  if (wake_ >= 0) ::close(wake_);
}

Status FeedLink::open(const std::string& where) {
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (where.starts_with("fd:")) {
    socket_ = std::atoi(where.c_str() + 3);
    return {};
  }
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (where.size() >= sizeof to.sun_path)
    return fail(Code::kCompositorSetup, "the path is too long");
  std::memcpy(to.sun_path, where.data(), where.size());
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0 || ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) {
    return refuse(where);
  }
  return {};
}

void FeedLink::put(Item item) {
  const std::lock_guard lock(mutex_);
  bytes_ += item.size();
  items_.push_back(std::move(item));
  for (size_t i = sent_ > 0 ? 1 : 0; bytes_ > kMostBytes && i < items_.size();) {
    if (!items_[i].part) {
      ++i;
      continue;
    }
    bytes_ -= items_[i].size();
    items_.erase(items_.begin() + static_cast<ptrdiff_t>(i));
    ++dropped_;
  }
}

void FeedLink::send(const proto::CompositorMessage& message) {
  Item item;
  encode(message, item.head);
  put(std::move(item));
  (void)!::eventfd_write(wake_, 1);
}

void FeedLink::send_part(proto::FeedPart part, Bytes bytes) {
  Item item;
  item.part = true;
  item.body = std::move(bytes);
  part.bytes = item.body;
  encode_head(part, item.head);
  put(std::move(item));
  (void)!::eventfd_write(wake_, 1);
}

bool FeedLink::flush() {
  eventfd_t count = 0;
  (void)!::eventfd_read(wake_, &count);
  const std::lock_guard lock(mutex_);
  while (!items_.empty()) {
    Item& item = items_.front();
    std::array<iovec, 2> parts{};
    const size_t in_head = std::min(sent_, item.head.size());
    parts[0] = {item.head.data() + in_head, item.head.size() - in_head};
    const size_t in_body = sent_ - in_head;
    parts[1] = {item.body.data() + in_body, item.body.size() - in_body};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t wrote = ::sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0) return would_block();
    sent_ += static_cast<size_t>(wrote);
    if (sent_ < item.size()) return true;
    bytes_ -= item.size();
    sent_ = 0;
    items_.pop_front();
  }
  return true;
}

bool FeedLink::wants_to_write() {
  const std::lock_guard lock(mutex_);
  return !items_.empty();
}

size_t FeedLink::queued_bytes() {
  const std::lock_guard lock(mutex_);
  return bytes_ - sent_;
}

uint32_t FeedLink::dropped() {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

bool FeedLink::read(const std::function<void(const proto::NodeMessage&)>& take) {
  std::array<uint8_t, 16 * 1024> bytes;
  while (true) {
    const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0) return would_block();
    if (got == 0) return false;
    reader_.push({bytes.data(), static_cast<size_t>(got)});
    while (true) {
      const auto frame = reader_.next();
      if (!frame) return false;
      if (!*frame) break;
      const auto message = proto::decode_node(**frame);
      if (!message) return false;
      if (*message) take(**message);
    }
  }
}

RtpPort::~RtpPort() {
  if (socket_ >= 0) ::close(socket_);
}

Status RtpPort::open() {
  socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  const int room = 4 << 20;  // what comes while a picture is composed
  if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&at), size) < 0 ||
      ::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size) < 0) {
    return refuse("a UDP port");
  }
  // Beyond what the system lets anybody have, where that is allowed.
  if (::setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) {
    (void)::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  }
  const int on = 1;
  (void)::setsockopt(socket_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  port_ = ntohs(at.sin_port);
  return {};
}

void RtpPort::take_only_from(uint16_t port) {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  from.sin_port = htons(port);
  (void)::connect(socket_, reinterpret_cast<sockaddr*>(&from), sizeof from);
}

size_t RtpPort::receive(size_t most, const std::function<void(ByteView, MonoUs age_us)>& take) {
  size_t total = 0;
  while (total < most) {
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts{};
    std::array<Stamp, kBatch> stamps;
    for (size_t i = 0; i < kBatch; ++i) {
      parts[i] = {&memory_[i * kBytes], kBytes};
      msghdr& head = messages[i].msg_hdr;
      head.msg_iov = &parts[i];
      head.msg_iovlen = 1;
      head.msg_control = stamps[i].bytes;
      head.msg_controllen = sizeof stamps[i].bytes;
    }
    const int got = ::recvmmsg(socket_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (got <= 0) break;
    const int64_t now_us = wall_us();
    for (size_t i = 0; i < static_cast<size_t>(got); ++i) {
      take({&memory_[i * kBytes], messages[i].msg_len}, age_of(messages[i].msg_hdr, now_us));
    }
    total += static_cast<size_t>(got);
    if (got < static_cast<int>(kBatch)) break;
  }
  return total;
}

}  // namespace footlight::media
