#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace footlight {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower-case hexadecimal. `from_hex` takes both cases; false when the length is odd or a digit is
// wrong.
std::string to_hex(ByteView bytes);
bool from_hex(std::string_view text, Bytes& out);
// 16 digits, most significant first. `parse_hex_u64` takes 1..16 digits.
std::string hex_u64(uint64_t value);
bool parse_hex_u64(std::string_view text, uint64_t& out);

// base64url without padding (RFC 4648 section 5). Decoding refuses padding and non-canonical tails.
std::string to_base64url(ByteView bytes);
bool from_base64url(std::string_view text, Bytes& out);

bool is_valid_utf8(std::string_view text);  // RFC 3629: no surrogates, no overlong forms

// Little-endian fixed and LEB128 (unsigned) encodings, for the log's and the bus's binary formats.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}
  void u8(uint8_t value) { out_.push_back(value); }
  void u16(uint16_t value) { fixed(value, 2); }
  void u32(uint32_t value) { fixed(value, 4); }
  void u64(uint64_t value) { fixed(value, 8); }
  void varint(uint64_t value);
  void bytes(ByteView value) { out_.insert(out_.end(), value.begin(), value.end()); }
  void text(std::string_view value) {  // varint length, then the bytes
    varint(value.size());
    bytes(as_bytes(value));
  }

 private:
  void fixed(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) out_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  Bytes& out_;
};

// Reads what ByteWriter wrote. Running out of bytes or an overlong varint sets !ok() and yields
// zeros; check ok() once at the end.
class ByteReader {
 public:
  explicit ByteReader(ByteView in) : in_(in) {}
  bool ok() const { return ok_; }
  size_t remaining() const { return in_.size() - at_; }
  uint8_t u8() { return static_cast<uint8_t>(fixed(1)); }
  uint16_t u16() { return static_cast<uint16_t>(fixed(2)); }
  uint32_t u32() { return static_cast<uint32_t>(fixed(4)); }
  uint64_t u64() { return fixed(8); }
  uint64_t varint();
  ByteView bytes(size_t size);
  std::string_view text() { return as_text(bytes(varint())); }

 private:
  uint64_t fixed(int size);
  ByteView in_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace footlight
