#include "gate/ip_prefix.h"

#include <array>

namespace footlight::gate {
namespace {

// Four decimal numbers 0..255 without leading zeros (RFC 6943 section 3.1.1 strict form).
std::optional<uint32_t> parse_v4(std::string_view text) {
  uint32_t address = 0;
  size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return std::nullopt;
    const size_t start = at;
    uint32_t value = 0;
    while (at < text.size() && at - start < 3 && text[at] >= '0' && text[at] <= '9') {
      value = value * 10 + static_cast<uint32_t>(text[at++] - '0');
    }
    if (at == start || value > 255 || (at - start > 1 && text[start] == '0')) return std::nullopt;
    address = address << 8 | value;
  }
  if (at != text.size()) return std::nullopt;
  return address;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct Groups {
  std::array<uint16_t, 8> groups{};
  size_t count = 0;
};

// A run of groups separated by ":"; "" is an empty run. The last of the address may be an IPv4
// address.
bool parse_groups(std::string_view text, bool ends_address, Groups& out) {
  size_t at = 0;
  while (at < text.size()) {
    if (out.count == 8) return false;
    const size_t colon = text.find(':', at);
    const std::string_view group = text.substr(at, colon - at);
    if (ends_address && colon == std::string_view::npos &&
        group.find('.') != std::string_view::npos) {
      const std::optional<uint32_t> v4 = parse_v4(group);
      if (!v4 || out.count > 6) return false;
      out.groups[out.count++] = static_cast<uint16_t>(*v4 >> 16);
      out.groups[out.count++] = static_cast<uint16_t>(*v4);
      return true;
    }
    if (group.empty() || group.size() > 4) return false;
    uint32_t value = 0;
    for (char c : group) {
      const int digit = hex_digit(c);
      if (digit < 0) return false;
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    out.groups[out.count++] = static_cast<uint16_t>(value);
    if (colon == std::string_view::npos) return true;
    at = colon + 1;
    if (at == text.size()) return false;  // ends in a single ":"
  }
  return true;
}

std::optional<std::array<uint16_t, 8>> parse_v6(std::string_view text) {
  const size_t gap = text.find("::");
  Groups head, tail;
  if (!parse_groups(text.substr(0, gap), gap == std::string_view::npos, head)) return std::nullopt;
  if (gap == std::string_view::npos) {
    if (head.count != 8) return std::nullopt;
    return head.groups;
  }
  if (!parse_groups(text.substr(gap + 2), true, tail) || head.count + tail.count > 7) {
    return std::nullopt;
  }
  std::array<uint16_t, 8> groups = head.groups;
  for (size_t i = 0; i < tail.count; ++i) groups[8 - tail.count + i] = tail.groups[i];
  return groups;
}

IpPrefix prefix_of_v4(uint32_t address) {
  return {.bits = address & 0xFFFFFF00u, .v6 = false, .loopback = address >> 24 == 127};
}

}  // namespace

std::optional<IpPrefix> parse_ip_prefix(std::string_view address) {
  if (address.find(':') == std::string_view::npos) {
    const std::optional<uint32_t> v4 = parse_v4(address);
    if (!v4) return std::nullopt;
    return prefix_of_v4(*v4);
  }
  const auto groups = parse_v6(address.substr(0, address.find('%')));
  if (!groups) return std::nullopt;
  uint64_t high = 0, low = 0;
  for (size_t i = 0; i < 4; ++i) high = high << 16 | (*groups)[i];
  for (size_t i = 4; i < 8; ++i) low = low << 16 | (*groups)[i];
  if (high == 0 && low >> 32 == 0xFFFF) return prefix_of_v4(static_cast<uint32_t>(low));
  return IpPrefix{.bits = high & ~uint64_t{0xFF}, .v6 = true, .loopback = high == 0 && low == 1};
}

}  // namespace footlight::gate
