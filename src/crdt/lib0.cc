#include "crdt/lib0.h"

#include <cstring>

#include <algorithm>
#include <bit>

#include "crdt/utf16.h"

namespace footlight::crdt {

std::string_view fault_text(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "no fault";
    case Fault::kTruncated:
      return "truncated";
    case Fault::kRange:
      return "integer out of range";
    case Fault::kUtf8:
      return "invalid UTF-8";
    case Fault::kTag:
      return "unknown kind of content or value";
    case Fault::kDepth:
      return "nested too deep";
    case Fault::kJson:
      return "invalid JSON";
    case Fault::kLimit:
      return "more than the limit allows";
    case Fault::kEmpty:
      return "an empty struct or range";
    case Fault::kTrailing:
      return "bytes after the end";
  }
  return "unknown fault";
}

uint64_t Decoder::var_uint_slow() {
  // Eight bytes at once, when they are there: the first without the high bit is the last.
  if constexpr (std::endian::native == std::endian::little) {
    uint64_t word = 0;
    if (remaining() >= sizeof word) {
      std::memcpy(&word, at_, sizeof word);
      const uint64_t ends = ~word & 0x8080808080808080ull;
      if (ends != 0) {
        at_ += std::countr_zero(ends) / 8 + 1;
        word &= (ends & -ends) - 1;
        word &= 0x7f7f7f7f7f7f7f7full;
        word = (word & 0x007f007f007f007full) | ((word & 0x7f007f007f007f00ull) >> 1);
        word = (word & 0x00003fff00003fffull) | ((word & 0x3fff00003fff0000ull) >> 2);
        word = (word & 0x000000000fffffffull) | ((word & 0x0fffffff00000000ull) >> 4);
        if (word <= kMaxInteger) return word;
        fail(Fault::kRange);
        return 0;
      }
    }
  }
  uint64_t value = 0;
  for (int shift = 0; at_ != end_; shift += 7) {
    if (shift > 49) {
      fail(Fault::kRange);
      return 0;
    }
    const uint8_t byte = *at_++;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (value <= kMaxInteger) return value;
      fail(Fault::kRange);
      return 0;
    }
  }
  fail(Fault::kTruncated);
  return 0;
}

SignedInt Decoder::var_int() {
  if (at_ == end_) {
    fail(Fault::kTruncated);
    return {};
  }
  const uint8_t first = *at_++;
  SignedInt value{static_cast<uint64_t>(first & 0x3f), (first & 0x40) != 0};
  if (first < 0x80) return value;
  for (int shift = 6; at_ != end_; shift += 7) {
    if (shift > 48) {
      fail(Fault::kRange);
      return {};
    }
    const uint8_t byte = *at_++;
    value.magnitude |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail(Fault::kTruncated);
  return {};
}

std::string_view Decoder::var_text() {
  const std::string_view text = var_text_unchecked();
  uint64_t units = 0;
  if (!measure_utf8(text, units)) {
    fail(Fault::kUtf8);
    return {};
  }
  return text;
}

uint64_t Decoder::u64() {
  const ByteView in = bytes(8);
  uint64_t value = 0;
  for (const uint8_t byte : in) value = value << 8 | byte;
  return value;
}

float Decoder::f32() {
  const ByteView in = bytes(4);
  uint32_t value = 0;
  for (const uint8_t byte : in) value = value << 8 | byte;
  return std::bit_cast<float>(value);
}

double Decoder::f64() { return std::bit_cast<double>(u64()); }

void Encoder::var_int(SignedInt value) {
  uint64_t rest = value.magnitude >> 6;
  u8(static_cast<uint8_t>((rest != 0 ? 0x80 : 0) | (value.negative ? 0x40 : 0) |
                          (value.magnitude & 0x3f)));
  if (rest != 0) var_uint(rest);
}

void Encoder::u64(uint64_t value) {
  need(8);
  for (int shift = 56; shift >= 0; shift -= 8) {
    data_[size_++] = static_cast<uint8_t>(value >> shift);
  }
}

void Encoder::f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  need(4);
  for (int shift = 24; shift >= 0; shift -= 8) {
    data_[size_++] = static_cast<uint8_t>(bits >> shift);
  }
}

void Encoder::f64(double value) { u64(std::bit_cast<uint64_t>(value)); }

void Encoder::grow(size_t more) {
  const size_t capacity = std::max({size_ + more, capacity_ * 2, size_t{64}});
  auto data = std::make_unique_for_overwrite<uint8_t[]>(capacity);
  if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
  data_ = std::move(data);
  capacity_ = capacity;
}

}  // namespace footlight::crdt
