// Where a datagram comes from and goes to, without a socket: an IP address with a port, and the
// path that a shell can send on.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "core/bytes.h"

namespace footlight::rtc {

struct Address {
  std::array<uint8_t, 16> ip{};  // an IPv4 address stands in the first four bytes
  uint16_t port = 0;
  bool v6 = false;

  static Address v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port) {
    Address address;
    address.ip = {a, b, c, d};
    address.port = port;
    return address;
  }
  ByteView ip_bytes() const { return {ip.data(), v6 ? size_t{16} : size_t{4}}; }
  bool operator==(const Address&) const = default;
};

// "192.0.2.1:5004", "[2001:db8::1]:5004" (groups are not shortened further than single zeros).
std::string to_string(const Address& address);

// One way to reach a peer: through which of the shell's sockets or TCP connections, and to whom.
// The shell numbers those; the numbers mean nothing here but identity.
struct Path {
  Address remote;
  uint32_t socket = 0;
  bool stream = false;  // `socket` is a TCP connection; datagrams are framed by RFC 4571
  bool operator==(const Path&) const = default;
};

struct PathHash {
  size_t operator()(const Path& path) const {
    uint64_t words[2];
    std::memcpy(words, path.remote.ip.data(), sizeof words);
    uint64_t hash = words[0] * 0x9E3779B97F4A7C15ULL ^ words[1];
    hash ^= (static_cast<uint64_t>(path.remote.port) << 33) ^
            (static_cast<uint64_t>(path.socket) << 1) ^ static_cast<uint64_t>(path.stream);
    hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ULL;
    return static_cast<size_t>(hash ^ (hash >> 31));
  }
};

}  // namespace footlight::rtc
