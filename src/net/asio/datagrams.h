// A UDP socket that moves many datagrams per system call: recvmmsg in, sendmmsg out, and runs of
// equal size to one peer as a single segmented send (UDP_SEGMENT), which is what a frame of video
// is. Where the kernel or the device knows no segmentation, the runs go one by one; nothing else
// changes.
//
// Sending never blocks: what the socket does not take is dropped and counted, like on a network.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace footlight::net {

struct UdpAddress {
  std::array<uint8_t, 16> ip{};  // an IPv4 address stands in the first four bytes
  uint16_t port = 0;
  bool v6 = false;
};

// "192.0.2.1", "192.0.2.1:5004", "2001:db8::1", "[2001:db8::1]:5004"; port 0 where none is named.
std::optional<UdpAddress> parse_udp_address(const std::string& text);
// Where others reach what is bound to `bind`: itself, or for a wildcard the machine's addresses of
// that family, the loopback ones last. Without ports.
std::vector<UdpAddress> reachable_addresses(const UdpAddress& bind);

struct UdpOptions {
  UdpAddress bind;          // port 0: any
  bool share_port = false;  // SO_REUSEPORT: one socket a shard
  int receive_buffer_bytes = 4 << 20;
  int send_buffer_bytes = 4 << 20;
};

// Where one received datagram goes, and what came.
struct UdpSlot {
  std::span<uint8_t> memory;
  size_t size = 0;  // 0: longer than the memory, to be dropped
  UdpAddress from;
};

struct UdpStats {
  uint64_t received = 0, sent = 0, dropped = 0;
  uint64_t receive_calls = 0, send_calls = 0;
  uint64_t segmented = 0;  // datagrams that left in runs
};

class UdpSocket {
 public:
  static constexpr size_t kBatch = 64;

  // kPortBusy, kIo.
  static Result<std::unique_ptr<UdpSocket>> open(const UdpOptions& options);
  // `count` sockets at one port, for as many shards: the kernel gives what comes from one peer to
  // one of them. Who else wants the port finds it busy.
  static Result<std::vector<std::unique_ptr<UdpSocket>>> open_shared(UdpOptions options,
                                                                     size_t count);
  // For a thread that only sends: from the address of `other`, whose own threads receive what comes
  // back. kIo.
  static Result<std::unique_ptr<UdpSocket>> sender_of(const UdpSocket& other);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  int descriptor() const { return descriptor_; }  // to wait on; non-blocking
  uint16_t port() const { return port_; }

  // Fills at most kBatch slots with what is there; 0 when nothing is.
  size_t receive(std::span<UdpSlot> slots);
  // Queues datagrams to one peer that lie one behind the other; sends when kBatch messages have
  // gathered. The bytes stay valid until flush().
  void send(const UdpAddress& to, ByteView bytes, std::span<const uint16_t> sizes);
  void flush();
  // For comparison and for kernels without it.
  void set_segmentation(bool on) { segmentation_ = on; }

  const UdpStats& stats() const { return stats_; }

 private:
  struct Messages;
  UdpSocket();
  void queue(const UdpAddress& to, ByteView bytes, size_t segment_bytes, size_t segments);
  void send_singly(size_t index);

  int descriptor_ = -1;
  uint16_t port_ = 0;
  bool segmentation_ = true;
  std::unique_ptr<Messages> messages_;
  UdpStats stats_;
};

}  // namespace footlight::net
