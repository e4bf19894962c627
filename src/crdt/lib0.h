// The primitive encodings under every Yjs message (docs/formats/crdt-update.md, "Primitives").
//
// A Decoder reads untrusted bytes. Its failure is sticky: after the first bad read ok() is false,
// fault() says what was wrong, and every further read yields zeros and empty views without moving;
// so a parser may read a whole record and ask once. No read allocates, and none looks beyond the
// bytes it was given. Views returned point into those bytes.
//
// An Encoder is a growing buffer that keeps its memory when cleared, so that one encoder serves
// many messages without allocating.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/bytes.h"

namespace footlight::crdt {

// Integers travel through JavaScript numbers: nothing above 2^53 - 1 is exact there, so nothing
// above it is a client id, a clock or a length here.
inline constexpr uint64_t kMaxInteger = (uint64_t{1} << 53) - 1;

enum class Fault : uint8_t {
  kNone,
  kTruncated,  // the bytes end inside a value, or a count claims more than they can hold
  kRange,      // an integer above kMaxInteger, or a clock that would pass it
  kUtf8,       // text that is not valid UTF-8
  kTag,        // an unknown tag, content kind or feature flag
  kDepth,      // values nested deeper than kMaxDepth
  kJson,       // JSON text that JSON.parse would refuse
  kLimit,      // more than the caller's limit allows
  kEmpty,      // a struct or a deleted range of length zero
  kTrailing,   // bytes after the end
};
// "truncated", "integer out of range", ...
std::string_view fault_text(Fault fault);

// A signed integer as lib0 has it: sign and magnitude, so that minus zero exists. Its columns use
// the sign as a flag.
struct SignedInt {
  uint64_t magnitude = 0;  // below 2^55
  bool negative = false;
};

class Decoder {
 public:
  Decoder() = default;
  explicit Decoder(ByteView in) : at_(in.data()), end_(in.data() + in.size()) {}

  bool ok() const { return fault_ == Fault::kNone; }
  Fault fault() const { return fault_; }
  void fail(Fault fault) {
    if (fault_ == Fault::kNone) fault_ = fault;
    at_ = end_;
  }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  bool at_end() const { return at_ == end_; }
  const uint8_t* position() const { return at_; }  // for slices: what lies before was read

  uint8_t u8() {
    if (at_ == end_) [[unlikely]]
      return fail(Fault::kTruncated), uint8_t{0};
    return *at_++;
  }
  // 7 bits a byte, least significant first; at most kMaxInteger and 8 bytes.
  uint64_t var_uint() {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    return var_uint_slow();
  }
  // First byte: continuation 0x80, sign 0x40, 6 bits; then as var_uint. At most 8 bytes.
  SignedInt var_int();
  ByteView bytes(uint64_t size) {
    if (size > remaining()) [[unlikely]]
      return fail(Fault::kTruncated), ByteView{};
    const ByteView out(at_, static_cast<size_t>(size));
    at_ += size;
    return out;
  }
  ByteView var_bytes() { return bytes(var_uint()); }
  // A length in bytes, then UTF-8 that is *not* checked: see utf16.h.
  std::string_view var_text_unchecked() { return as_text(var_bytes()); }
  // The same, checked (RFC 3629).
  std::string_view var_text();
  float f32();     // big-endian IEEE 754
  double f64();    // big-endian IEEE 754
  uint64_t u64();  // big-endian

 private:
  uint64_t var_uint_slow();

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  Fault fault_ = Fault::kNone;
};

class Encoder {
 public:
  Encoder() = default;
  Encoder(Encoder&&) = default;
  Encoder& operator=(Encoder&&) = default;

  void clear() { size_ = 0; }  // keeps the memory
  size_t size() const { return size_; }
  ByteView view() const { return {data_.get(), size_}; }  // until the next write
  Bytes to_bytes() const { return {data_.get(), data_.get() + size_}; }
  void truncate(size_t size) { size_ = size; }  // to at most size()

  void u8(uint8_t value) {
    need(1);
    data_[size_++] = value;
  }
  void var_uint(uint64_t value) {
    need(10);
    uint8_t* at = data_.get() + size_;
    while (value >= 0x80) {
      *at++ = static_cast<uint8_t>(value) | 0x80;
      value >>= 7;
    }
    *at++ = static_cast<uint8_t>(value);
    size_ = static_cast<size_t>(at - data_.get());
  }
  void var_int(SignedInt value);
  void var_int(int64_t value) {
    var_int(SignedInt{
        value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value),
        value < 0});
  }
  void bytes(ByteView value) {
    if (value.empty()) return;
    need(value.size());
    std::memcpy(data_.get() + size_, value.data(), value.size());
    size_ += value.size();
  }
  void text(std::string_view value) { bytes(as_bytes(value)); }
  void var_bytes(ByteView value) {
    var_uint(value.size());
    bytes(value);
  }
  void var_text(std::string_view value) { var_bytes(as_bytes(value)); }
  void f32(float value);
  void f64(double value);
  void u64(uint64_t value);

 private:
  void need(size_t more) {
    if (capacity_ - size_ < more) [[unlikely]]
      grow(more);
  }
  void grow(size_t more);

  std::unique_ptr<uint8_t[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace footlight::crdt
