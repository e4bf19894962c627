// The part of an address that stands for one household or site: /24 of IPv4, /56 of IPv6 (what
// providers delegate to one customer, RFC 6177). An IPv4-mapped IPv6 address is its IPv4 address.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace footlight::gate {

struct IpPrefix {
  uint64_t bits =
      0;  // the prefix, left-aligned: top 24 of 32 bits of IPv4 in the low half, or top 56
  bool v6 = false;
  bool loopback = false;  // 127.0.0.0/8, ::1
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// "192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7", with a zone ("fe80::1%eth0") cut off. nullopt
// when it is no address (RFC 4291 section 2.2). Never allocates.
std::optional<IpPrefix> parse_ip_prefix(std::string_view address);

}  // namespace footlight::gate
