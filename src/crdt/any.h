// A JavaScript value as Yjs stores it: what lib0 calls Any (docs/formats/crdt-update.md, "Any").
//
// Two spellings exist on the wire, Any bytes and (for embeds and formats in update v1) JSON text.
// Both have one *canonical* form, which is what a JavaScript peer writes after reading any form of
// the same value: integers short, object keys without duplicates, array-index keys first and
// ascending. Documents hold only canonical values, so that every replica encodes the same bytes.
#pragma once
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"
#include "crdt/lib0.h"

namespace footlight::crdt {

// Arrays and objects nest at most this deep; deeper input is refused (Fault::kDepth), so recursion
// over a value is bounded.
inline constexpr int kMaxDepth = 256;

class Any;
using AnyArray = std::vector<Any>;
using AnyObject = std::vector<std::pair<std::string, Any>>;  // in order of insertion

class Any {
 public:
  struct Undefined {
    bool operator==(const Undefined&) const = default;
  };
  struct Null {
    bool operator==(const Null&) const = default;
  };
  struct BigInt {
    int64_t value = 0;
    bool operator==(const BigInt&) const = default;
  };
  using Value =
      std::variant<Undefined, Null, bool, double, BigInt, std::string, Bytes, AnyArray, AnyObject>;

  Any() = default;  // undefined
  Any(Null value) : value_(value) {}
  Any(bool value) : value_(value) {}
  Any(int value) : value_(static_cast<double>(value)) {}
  Any(double value) : value_(value) {}
  Any(BigInt value) : value_(value) {}
  Any(std::string value) : value_(std::move(value)) {}
  Any(std::string_view value) : value_(std::string(value)) {}
  Any(const char* value) : value_(std::string(value)) {}
  Any(Bytes value) : value_(std::move(value)) {}
  Any(AnyArray value) : value_(std::move(value)) {}
  Any(AnyObject value) : value_(std::move(value)) {}

  const Value& value() const { return value_; }
  bool is_undefined() const { return std::holds_alternative<Undefined>(value_); }
  bool is_null() const { return std::holds_alternative<Null>(value_); }
  // The value when it has that type, else nullptr.
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const double* number() const { return std::get_if<double>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Bytes* bytes() const { return std::get_if<Bytes>(&value_); }
  const AnyArray* array() const { return std::get_if<AnyArray>(&value_); }
  const AnyObject* object() const { return std::get_if<AnyObject>(&value_); }
  const Any* find(std::string_view key) const;  // of an object; nullptr when there is none

  // As JavaScript's ===, deep: NaN differs from itself, 0 equals -0, the order of keys counts.
  bool operator==(const Any&) const = default;

  // Canonical Any bytes, provided that objects are (see canonicalize).
  void encode(Encoder& out) const;
  // JSON.stringify: undefined, NaN and infinities become null (as an object's value undefined is
  // left out), bytes an object of their indices; a BigInt, which JavaScript refuses, the nearest
  // number.
  std::string to_json() const;
  void append_json(std::string& out) const;

  // Orders and deduplicates the keys of all objects within.
  void canonicalize();

 private:
  Value value_;
};

// Reads one value, canonical or not, and canonicalizes it. Undefined after a fault.
Any read_any(Decoder& in);
// Moves past one value and checks all of it; true when its bytes are canonical. Allocates only for
// objects of more than 16 keys.
bool skip_any(Decoder& in);

// JSON text that JSON.parse accepts, else kNone is not returned: kJson, kUtf8 or kDepth.
// `canonical` says whether JSON.stringify(JSON.parse(text)) == text.
Fault check_json(std::string_view text, bool& canonical);
// JSON.parse. A lone surrogate in an escape becomes U+FFFD.
std::expected<Any, Fault> parse_json(std::string_view text);

// The two spellings of a value that was checked before.
void append_any_of_json(Encoder& out, std::string_view json);  // JSON text -> Any bytes
void append_json_of_any(std::string& out, ByteView any);       // Any bytes -> JSON text

// Number::toString of ECMAScript, NaN and infinities included.
void append_js_number(std::string& out, double value);
// A quoted string as JSON.stringify writes it.
void append_json_string(std::string& out, std::string_view text);

}  // namespace footlight::crdt
