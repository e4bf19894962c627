// Big-endian integers, as every protocol of this room has them on the wire.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>

#include "core/bytes.h"

namespace footlight::rtc {

// The callers have checked that the bytes are there.
inline uint16_t load_u16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
inline uint32_t load_u24(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 16 | static_cast<uint32_t>(at[1]) << 8 | at[2];
}
inline uint32_t load_u32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}
inline uint64_t load_u64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}
inline void store_u16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
inline void store_u24(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 16);
  at[1] = static_cast<uint8_t>(value >> 8);
  at[2] = static_cast<uint8_t>(value);
}
inline void store_u32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}
inline void store_u64(uint8_t* at, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof value);
}

// Whether sequence number `a` comes after `b` (RFC 1982, 16 bits; half the circle apart is "no").
inline bool is_newer(uint16_t a, uint16_t b) {
  return a != b && static_cast<uint16_t>(a - b) < 0x8000;
}
inline bool is_newer(uint32_t a, uint32_t b) {
  return a != b && static_cast<uint32_t>(a - b) < 0x8000'0000;
}

// Counts a wrapping sequence on without wrapping: the number nearest to the last one seen. Starts
// in the first cycle above zero, so that earlier packets have numbers too.
class SequenceUnwrapper {
 public:
  int64_t unwrap(uint16_t sequence) {
    const int64_t value = peek(sequence);
    if (!started_ || value > newest_) newest_ = value;
    started_ = true;
    return value;
  }
  int64_t peek(uint16_t sequence) const {
    if (!started_) return 0x10000 + sequence;
    const auto delta = static_cast<int16_t>(sequence - static_cast<uint16_t>(newest_));
    return newest_ + delta;
  }
  bool started() const { return started_; }
  int64_t newest() const { return newest_; }
  // What comes next is near this one, which is known from elsewhere.
  void start_at(int64_t newest) {
    newest_ = newest;
    started_ = true;
  }

 private:
  int64_t newest_ = 0;
  bool started_ = false;
};

}  // namespace footlight::rtc
