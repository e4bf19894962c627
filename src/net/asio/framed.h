// TCP connections that carry datagrams, each behind its length in 16 bits (RFC 4571): what ICE does
// where UDP does not get through (RFC 6544).
//
// A line that is slower than what is sent on it loses datagrams, as a network does, instead of
// storing them: what the peer's system has not been sent yet is bounded by kMaxUnsentBytes, and
// above kBulkUnsentBytes only small datagrams (voice, control) go. A datagram that was begun is
// ended: at most one is kept here.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "net/asio/datagrams.h"

namespace footlight::net {

// A connection that somebody accepted, on its way to the one who will use it. Owns the descriptor.
class FramedSocket {
 public:
  // `counted` goes with the connection and is dropped at its end.
  FramedSocket(int descriptor, std::shared_ptr<void> counted);
  ~FramedSocket();
  FramedSocket(FramedSocket&& other) noexcept;
  FramedSocket& operator=(FramedSocket&&) = delete;
  int descriptor() const { return descriptor_; }
  UdpAddress peer() const;  // an IPv4 address that is mapped into IPv6 stands as IPv4

 private:
  int descriptor_;
  std::shared_ptr<void> counted_;
};

// Whether a TCP connection whose first byte is this one is framed: the first datagram is a STUN
// request of less than 768 bytes. Neither HTTP nor TLS begins so.
constexpr bool begins_framed(uint8_t first) { return first <= 2; }

struct FramedStats {
  uint64_t sent = 0, dropped = 0;  // datagrams
  uint64_t send_calls = 0;
};

class FramedStream {
 public:
  static constexpr size_t kBulkUnsentBytes = 64 * 1024;
  static constexpr size_t kMaxUnsentBytes = 128 * 1024;
  static constexpr size_t kBulkDatagramBytes = 400;  // from here on it is a picture

  explicit FramedStream(FramedSocket socket);
  // Connects without waiting: what is written before it is done is dropped. kIo.
  static Result<std::unique_ptr<FramedStream>> connect(const UdpAddress& to);

  int descriptor() const { return socket_.descriptor(); }
  // The connection alone, for another shard; this is of no use after it.
  FramedSocket release() { return std::move(socket_); }
  // Bytes as they came, frames in any pieces; 0: nothing now. nullopt: the connection has ended.
  std::optional<size_t> read(std::span<uint8_t> into);
  // Sends datagrams that lie one behind the other, each behind its length. False when the
  // connection is broken.
  bool write(ByteView bytes, std::span<const uint16_t> sizes);
  // Ends the datagram that was begun, when there is room again.
  bool on_writable();

  const FramedStats& stats() const { return stats_; }

 private:
  size_t unsent_bytes() const;
  bool finish_begun();
  bool write_some(ByteView bytes, std::span<const uint16_t> sizes);

  FramedSocket socket_;
  Bytes begun_;  // what is left of a datagram that was sent in part
  bool broken_ = false;
  FramedStats stats_;
};

// Accepts framed connections on a TCP port of its own.
class FramedListener {
 public:
  // kPortBusy, kIo.
  static Result<std::unique_ptr<FramedListener>> open(const UdpAddress& bind);
  ~FramedListener();
  FramedListener(const FramedListener&) = delete;
  FramedListener& operator=(const FramedListener&) = delete;
  int descriptor() const { return descriptor_; }
  uint16_t port() const { return port_; }
  std::optional<FramedSocket>
  accept();  // nullopt: nobody waits, or the system is out of descriptors

 private:
  FramedListener() = default;
  int descriptor_ = -1;
  uint16_t port_ = 0;
};

}  // namespace footlight::net
