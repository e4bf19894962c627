// DEPS: footlight_gate
// Addresses; glibc's parser is the oracle.
#include <arpa/inet.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/assert.h"
#include "gate/ip_prefix.h"

using namespace footlight;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto prefix = gate::parse_ip_prefix(text);
  if (text.find('\0') != std::string::npos || text.find('%') != std::string::npos) return 0;
  std::array<uint8_t, 16> address{};
  if (inet_pton(AF_INET, text.c_str(), address.data()) == 1) {
    const uint64_t bits =
        uint64_t{address[0]} << 24 | uint64_t{address[1]} << 16 | uint64_t{address[2]} << 8;
    FL_ASSERT(prefix && !prefix->v6 && prefix->bits == bits, "IPv4 as glibc reads it");
  } else if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) {
    FL_ASSERT(prefix.has_value(), "IPv6 as glibc reads it");
    uint64_t high = 0;
    for (size_t i = 0; i < 7; ++i) high = high << 8 | address[i];
    if (prefix->v6) FL_ASSERT(prefix->bits == high << 8, "the top 56 bits");
  } else {
    FL_ASSERT(!prefix, "what glibc refuses is refused");
  }
  return 0;
}
