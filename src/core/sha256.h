// SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), without a library, so that the gate and the
// episode also compile to WebAssembly. Uses the CPU's SHA instructions where they are.
#pragma once
#include <array>
#include <cstdint>

#include "core/bytes.h"

namespace footlight {

using Hash256 = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256() { reset(); }
  void reset();
  void update(ByteView bytes);
  void update(std::string_view text) { update(as_bytes(text)); }
  Hash256 finish();  // reset() before the next use

 private:
  void blocks(const uint8_t* data, size_t count);
  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> tail_;
  uint64_t length_bytes_ = 0;
};

Hash256 sha256(ByteView bytes);
Hash256 hmac_sha256(ByteView key, ByteView message);
// Compares in time that depends on the lengths only.
bool equal_in_constant_time(ByteView a, ByteView b);

}  // namespace footlight
