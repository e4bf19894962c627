#include "crdt/any.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/assert.h"
#include "crdt/internal/object_keys.h"
#include "crdt/utf16.h"

namespace footlight::crdt {
namespace {

enum Tag : uint8_t {
  kTagBytes = 116,
  kTagArray = 117,
  kTagObject = 118,
  kTagString = 119,
  kTagTrue = 120,
  kTagFalse = 121,
  kTagBigInt = 122,
  kTagF64 = 123,
  kTagF32 = 124,
  kTagInteger = 125,
  kTagNull = 126,
  kTagUndefined = 127,
};

constexpr uint64_t kMaxShortInteger = 0x7fffffff;  // what lib0 writes as an integer

bool is_short_integer(double value) {
  return std::abs(value) <= static_cast<double>(kMaxShortInteger) && std::trunc(value) == value;
}

bool is_f32(double value) {
  return std::isinf(value) || (std::abs(value) <= std::numeric_limits<float>::max() &&
                               static_cast<double>(static_cast<float>(value)) == value);
}

void encode_number(Encoder& out, double value) {
  if (is_short_integer(value)) {
    out.u8(kTagInteger);
    out.var_int(SignedInt{static_cast<uint64_t>(std::abs(value)), std::signbit(value)});
  } else if (is_f32(value)) {
    out.u8(kTagF32);
    out.f32(static_cast<float>(value));
  } else {
    out.u8(kTagF64);
    // JavaScript has one NaN.
    out.f64(std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value);
  }
}

double read_integer(Decoder& in) {
  const SignedInt value = in.var_int();
  if (value.magnitude > kMaxInteger) in.fail(Fault::kRange);
  const auto magnitude = static_cast<double>(value.magnitude);
  return value.negative ? -magnitude : magnitude;
}

Any read_at(Decoder& in, int depth);

// How many elements follow, each of at least `least` bytes; 0 after a fault.
uint64_t read_count(Decoder& in, int depth, size_t least) {
  if (depth >= kMaxDepth) in.fail(Fault::kDepth);
  const uint64_t count = in.var_uint();
  if (count > in.remaining() / least) in.fail(Fault::kTruncated);
  return in.ok() ? count : 0;
}

Any read_array(Decoder& in, int depth) {
  AnyArray array;
  for (uint64_t left = read_count(in, depth, 1); left != 0 && in.ok(); --left) {
    array.push_back(read_at(in, depth + 1));
  }
  return array;
}

Any read_object(Decoder& in, int depth) {
  AnyObject object;
  for (uint64_t left = read_count(in, depth, 2); left != 0 && in.ok(); --left) {
    std::string key(in.var_text());
    Any value = read_at(in, depth + 1);
    object.emplace_back(std::move(key), std::move(value));
  }
  order_keys(object);
  return object;
}

Any read_at(Decoder& in, int depth) {
  switch (in.u8()) {
    case kTagUndefined:
      return {};
    case kTagNull:
      return Any::Null{};
    case kTagInteger:
      return read_integer(in);
    case kTagF32:
      return static_cast<double>(in.f32());
    case kTagF64:
      return in.f64();
    case kTagBigInt:
      return Any::BigInt{static_cast<int64_t>(in.u64())};
    case kTagFalse:
      return false;
    case kTagTrue:
      return true;
    case kTagString:
      return in.var_text();
    case kTagObject:
      return read_object(in, depth);
    case kTagArray:
      return read_array(in, depth);
    case kTagBytes: {
      const ByteView bytes = in.var_bytes();
      return Bytes(bytes.begin(), bytes.end());
    }
    default:
      in.fail(Fault::kTag);
      return {};
  }
}

bool skip_at(Decoder& in, int depth);

// var_uint in as few bytes as it can be.
bool minimal(const uint8_t* from, const uint8_t* to) { return to - from <= 1 || to[-1] != 0; }

uint64_t skip_length(Decoder& in, bool& canonical) {
  const uint8_t* from = in.position();
  const uint64_t length = in.var_uint();
  canonical = canonical && minimal(from, in.position());
  return length;
}

bool skip_text(Decoder& in, std::string_view& text) {
  bool canonical = true;
  text = as_text(in.bytes(skip_length(in, canonical)));
  uint64_t units = 0;
  if (!measure_utf8(text, units)) in.fail(Fault::kUtf8);
  return canonical;
}

bool skip_array(Decoder& in, int depth) {
  if (depth >= kMaxDepth) in.fail(Fault::kDepth);
  bool canonical = true;
  uint64_t left = skip_length(in, canonical);
  if (left > in.remaining()) in.fail(Fault::kTruncated);
  for (; left != 0 && in.ok(); --left) canonical = skip_at(in, depth + 1) && canonical;
  return canonical;
}

bool skip_object(Decoder& in, int depth) {
  if (depth >= kMaxDepth) in.fail(Fault::kDepth);
  bool canonical = true;
  uint64_t left = skip_length(in, canonical);
  if (left > in.remaining() / 2) in.fail(Fault::kTruncated);
  KeyOrder keys;
  for (; left != 0 && in.ok(); --left) {
    std::string_view key;
    canonical = skip_text(in, key) && canonical;
    keys.add(key);
    canonical = skip_at(in, depth + 1) && canonical;
  }
  return keys.ordered() && canonical;
}

bool skip_number(Decoder& in, uint8_t tag) {
  const uint8_t* from = in.position();
  switch (tag) {
    case kTagInteger: {
      const SignedInt value = in.var_int();
      if (value.magnitude > kMaxInteger) in.fail(Fault::kRange);
      return value.magnitude <= kMaxShortInteger && minimal(from, in.position());
    }
    case kTagF32: {
      const double value = in.f32();
      return !is_short_integer(value) && !std::isnan(value);
    }
    default: {
      const double value = in.f64();
      if (std::isnan(value)) {
        return in.ok() && std::bit_cast<uint64_t>(value) ==
                              std::bit_cast<uint64_t>(std::numeric_limits<double>::quiet_NaN());
      }
      return !is_short_integer(value) && !is_f32(value);
    }
  }
}

bool skip_at(Decoder& in, int depth) {
  const uint8_t tag = in.u8();
  switch (tag) {
    case kTagUndefined:
    case kTagNull:
    case kTagFalse:
    case kTagTrue:
      return true;
    case kTagInteger:
    case kTagF32:
    case kTagF64:
      return skip_number(in, tag);
    case kTagBigInt:
      in.bytes(8);
      return true;
    case kTagString: {
      std::string_view text;
      return skip_text(in, text);
    }
    case kTagObject:
      return skip_object(in, depth);
    case kTagArray:
      return skip_array(in, depth);
    case kTagBytes: {
      bool canonical = true;
      in.bytes(skip_length(in, canonical));
      return canonical;
    }
    default:
      in.fail(Fault::kTag);
      return false;
  }
}

template <class... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};

}  // namespace

const Any* Any::find(std::string_view key) const {
  const AnyObject* pairs = object();
  if (pairs == nullptr) return nullptr;
  for (const auto& [name, value] : *pairs) {
    if (name == key) return &value;
  }
  return nullptr;
}

void Any::encode(Encoder& out) const {
  std::visit(Overload{
                 [&](Undefined) { out.u8(kTagUndefined); },
                 [&](Null) { out.u8(kTagNull); },
                 [&](bool value) { out.u8(value ? kTagTrue : kTagFalse); },
                 [&](double value) { encode_number(out, value); },
                 [&](BigInt value) {
                   out.u8(kTagBigInt);
                   out.u64(static_cast<uint64_t>(value.value));
                 },
                 [&](const std::string& value) {
                   out.u8(kTagString);
                   out.var_text(value);
                 },
                 [&](const Bytes& value) {
                   out.u8(kTagBytes);
                   out.var_bytes(value);
                 },
                 [&](const AnyArray& value) {
                   out.u8(kTagArray);
                   out.var_uint(value.size());
                   for (const Any& element : value) element.encode(out);
                 },
                 [&](const AnyObject& value) {
                   out.u8(kTagObject);
                   out.var_uint(value.size());
                   for (const auto& [key, element] : value) {
                     out.var_text(key);
                     element.encode(out);
                   }
                 },
             },
             value_);
}

void Any::canonicalize() {
  if (auto* elements = std::get_if<AnyArray>(&value_)) {
    for (Any& element : *elements) element.canonicalize();
  } else if (auto* pairs = std::get_if<AnyObject>(&value_)) {
    order_keys(*pairs);
    for (auto& pair : *pairs) pair.second.canonicalize();
  }
}

Any read_any(Decoder& in) {
  Any value = read_at(in, 0);
  if (!in.ok()) return {};
  return value;
}

bool skip_any(Decoder& in) { return skip_at(in, 0) && in.ok(); }

void append_any_of_json(Encoder& out, std::string_view json) {
  if (json == "true") return out.u8(kTagTrue);
  if (json == "null") return out.u8(kTagNull);
  if (json == "false") return out.u8(kTagFalse);
  if (json.size() >= 2 && json.front() == '"' && json.back() == '"' &&
      json.find('\\') == std::string_view::npos) {
    out.u8(kTagString);
    return out.var_text(json.substr(1, json.size() - 2));
  }
  const auto value = parse_json(json);
  FL_ASSERT(value.has_value(), "JSON of a document was checked when it came in");
  value->encode(out);
}

void append_json_of_any(std::string& out, ByteView any) {
  Decoder in(any);
  const Any value = read_any(in);
  FL_ASSERT(in.ok(), "Any of a document was checked when it came in");
  value.append_json(out);
}

}  // namespace footlight::crdt
