// JSON text as JavaScript reads and writes it: JSON.parse, JSON.stringify, and whether a text is
// what the second makes of the first. Declared in any.h.
//
// Sources: ECMA-262 sections 25.5 (JSON), 6.1.6.1.20 (Number::toString), 10.1.11.1 (order of keys).
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "crdt/any.h"
#include "crdt/internal/object_keys.h"
#include "crdt/utf16.h"

namespace footlight::crdt {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

void append_unit_escape(std::string& out, uint32_t unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHexDigits[unit >> shift & 0xf];
}

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

// Two characters after a backslash, or 0 when the character needs no such escape.
char short_escape(char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

// What from_chars could not represent: a value beyond the largest double, or below the smallest.
bool overflows(std::string_view number) {
  if (number.starts_with('-')) number.remove_prefix(1);
  int64_t exponent = 0;
  if (const size_t e = number.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = number.substr(e + 1);
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    for (const char c : digits) exponent = std::min<int64_t>(exponent * 10 + (c - '0'), 1 << 30);
    if (negative) exponent = -exponent;
    number = number.substr(0, e);
  }
  const size_t point = std::min(number.find('.'), number.size());
  const size_t first = number.find_first_not_of("0.");
  if (first == std::string_view::npos) return false;
  return exponent + static_cast<int64_t>(point) - static_cast<int64_t>(first) > 0;
}

// One pass over a text; builds the value when asked to, and watches whether the text is canonical.
class JsonText {
 public:
  explicit JsonText(std::string_view text) : text_(text) {}

  Fault run(Any* out) {
    uint64_t units = 0;
    if (!measure_utf8(text_, units)) return Fault::kUtf8;
    space();
    value(0, out);
    space();
    if (at_ != text_.size()) fail(Fault::kJson);
    return fault_;
  }
  bool canonical() const { return canonical_; }

 private:
  void fail(Fault fault) {
    if (fault_ == Fault::kNone) fault_ = fault;
    at_ = text_.size();
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(Fault::kJson);
  }
  void space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
      canonical_ = false;
    }
  }

  void value(int depth, Any* out) {
    switch (peek()) {
      case '{':
        return object(depth, out);
      case '[':
        return array(depth, out);
      case '"': {
        std::string text;
        string(out != nullptr ? &text : nullptr);
        if (out != nullptr) *out = std::move(text);
        return;
      }
      case 't':
        return word("true", Any(true), out);
      case 'f':
        return word("false", Any(false), out);
      case 'n':
        return word("null", Any(Any::Null{}), out);
      default:
        return number(out);
    }
  }

  void word(std::string_view word, Any meaning, Any* out) {
    if (!text_.substr(at_).starts_with(word)) return fail(Fault::kJson);
    at_ += word.size();
    if (out != nullptr) *out = std::move(meaning);
  }

  void number(Any* out) {
    const size_t from = at_;
    take('-');
    if (!take('0') && !digits()) return fail(Fault::kJson);
    bool whole = true;
    if (take('.')) {
      whole = false;
      if (!digits()) return fail(Fault::kJson);
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (!take('+')) take('-');
      if (!digits()) return fail(Fault::kJson);
    }
    const std::string_view token = text_.substr(from, at_ - from);
    // Up to 15 digits without point and exponent are exact, and print as they stand.
    const bool plain = whole && token.size() <= 15 && token != "-0";
    if (plain && out == nullptr) return;
    double number = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
    if (error == std::errc::result_out_of_range) {
      number = overflows(token) ? std::numeric_limits<double>::infinity() : 0.0;
      if (token.front() == '-') number = -number;
    }
    if (!plain) {
      std::string printed;
      Any(number).append_json(printed);
      if (printed != token) canonical_ = false;
    }
    if (out != nullptr) *out = number;
  }

  bool digits() {
    const size_t from = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ != from;
  }

  bool unit(uint32_t& out) {
    if (text_.size() - at_ < 4) return false;
    out = 0;
    for (int i = 0; i < 4; ++i) {
      char c = text_[at_++];
      if (c >= 'A' && c <= 'F') {
        canonical_ = false;
        c = static_cast<char>(c - 'A' + 'a');
      }
      const size_t digit = kHexDigits.find(c);
      if (digit == std::string_view::npos) return false;
      out = out << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  // After "\u". A lone surrogate stays escaped in canonical text, and is U+FFFD in the value.
  void unicode_escape(std::string* out) {
    uint32_t c = 0;
    if (!unit(c)) return fail(Fault::kJson);
    if (c >= 0xd800 && c <= 0xdfff) {
      uint32_t low = 0;
      const size_t behind = at_;
      const bool kept = canonical_;
      if (c <= 0xdbff && text_.substr(at_).starts_with("\\u") && (at_ += 2, unit(low)) &&
          low >= 0xdc00 && low <= 0xdfff) {
        canonical_ = false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      } else {
        at_ = behind;
        canonical_ = kept;
        c = 0xfffd;
      }
    } else if (c >= 0x20 || short_escape(static_cast<char>(c)) != 0) {
      canonical_ = false;
    }
    if (out != nullptr) append_utf8(*out, c);
  }

  void escape(std::string* out) {
    if (at_ == text_.size()) return fail(Fault::kJson);
    const char c = text_[at_++];
    char plain = 0;
    switch (c) {
      case 'u':
        return unicode_escape(out);
      case '"':
        plain = '"';
        break;
      case '\\':
        plain = '\\';
        break;
      case '/':
        plain = '/';
        canonical_ = false;
        break;
      case 'b':
        plain = '\b';
        break;
      case 'f':
        plain = '\f';
        break;
      case 'n':
        plain = '\n';
        break;
      case 'r':
        plain = '\r';
        break;
      case 't':
        plain = '\t';
        break;
      default:
        return fail(Fault::kJson);
    }
    if (out != nullptr) *out += plain;
  }

  void string(std::string* out) {
    expect('"');
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return;
      if (c == '\\') {
        escape(out);
      } else if (static_cast<uint8_t>(c) < 0x20) {
        return fail(Fault::kJson);
      } else if (out != nullptr) {
        *out += c;
      }
    }
    fail(Fault::kJson);
  }

  void array(int depth, Any* out) {
    if (depth >= kMaxDepth) return fail(Fault::kDepth);
    AnyArray array;
    expect('[');
    space();
    if (!take(']')) {
      do {
        space();
        Any element;
        value(depth + 1, out != nullptr ? &element : nullptr);
        if (out != nullptr) array.push_back(std::move(element));
        space();
      } while (take(','));
      expect(']');
    }
    if (out != nullptr) *out = std::move(array);
  }

  // Keys that hold escapes are compared as they are written: equal keys are then perhaps not seen
  // as such, so a text with an escape in a key never counts as canonical.
  void object(int depth, Any* out) {
    if (depth >= kMaxDepth) return fail(Fault::kDepth);
    AnyObject object;
    KeyOrder order;
    expect('{');
    space();
    if (!take('}')) {
      do {
        space();
        const size_t from = at_;
        std::string key;
        string(out != nullptr ? &key : nullptr);
        const std::string_view raw = text_.substr(from, at_ - from);
        order.add(raw.size() >= 2 ? raw.substr(1, raw.size() - 2) : raw);
        if (raw.find('\\') != std::string_view::npos) canonical_ = false;
        space();
        expect(':');
        space();
        Any element;
        value(depth + 1, out != nullptr ? &element : nullptr);
        if (out != nullptr) object.emplace_back(std::move(key), std::move(element));
        space();
      } while (take(','));
      expect('}');
    }
    if (!order.ordered()) canonical_ = false;
    if (out == nullptr) return;
    order_keys(object);
    *out = std::move(object);
  }

  std::string_view text_;
  size_t at_ = 0;
  Fault fault_ = Fault::kNone;
  bool canonical_ = true;
};

void append_json_bytes(std::string& out, const Bytes& bytes) {
  out += '{';
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0) out += ',';
    out += '"' + std::to_string(i) + "\":" + std::to_string(bytes[i]);
  }
  out += '}';
}

void append_json_object(std::string& out, const AnyObject& object) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : object) {
    if (value.is_undefined()) continue;
    if (!first) out += ',';
    first = false;
    append_json_string(out, key);
    out += ':';
    value.append_json(out);
  }
  out += '}';
}

void append_json_array(std::string& out, const AnyArray& array) {
  out += '[';
  for (size_t i = 0; i < array.size(); ++i) {
    if (i != 0) out += ',';
    array[i].append_json(out);
  }
  out += ']';
}

}  // namespace

Fault check_json(std::string_view text, bool& canonical) {
  JsonText json(text);
  const Fault fault = json.run(nullptr);
  canonical = json.canonical();
  return fault;
}

std::expected<Any, Fault> parse_json(std::string_view text) {
  Any value;
  const Fault fault = JsonText(text).run(&value);
  if (fault != Fault::kNone) return std::unexpected(fault);
  return value;
}

void append_js_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::signbit(value) && value != 0) out += '-';
  value = std::abs(value);
  if (std::isinf(value)) {
    out += "Infinity";
    return;
  }
  // The shortest digits that read back as the same value, and the exponent of the first one.
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific)
                       .ptr;
  const std::string_view all(buffer.data(), static_cast<size_t>(end - buffer.data()));
  const size_t e = all.find('e');
  std::string digits(all.substr(0, 1));
  if (e > 2) digits += all.substr(2, e - 2);
  int exponent = 0;
  const size_t sign = all[e + 1] == '+' ? 1 : 0;
  std::from_chars(all.data() + e + 1 + sign, end, exponent);

  const auto count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the decimal point
  if (point > 21 || point < -5) {
    out += digits[0];
    if (count > 1) (out += '.') += digits.substr(1);
    out += exponent < 0 ? "e-" : "e+";
    out += std::to_string(std::abs(exponent));
  } else if (point <= 0) {
    out.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
  } else if (count <= point) {
    out.append(digits).append(static_cast<size_t>(point - count), '0');
  } else {
    out.append(digits, 0, static_cast<size_t>(point)).append(".");
    out.append(digits, static_cast<size_t>(point));
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (const char letter = short_escape(c)) {
      out += '\\';
      out += letter;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      append_unit_escape(out, static_cast<uint8_t>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void Any::append_json(std::string& out) const {
  if (const bool* value = boolean()) {
    out += *value ? "true" : "false";
  } else if (const double* value = number()) {
    if (std::isfinite(*value)) {
      append_js_number(out, *value);
    } else {
      out += "null";
    }
  } else if (const BigInt* value = std::get_if<BigInt>(&value_)) {
    append_js_number(out, static_cast<double>(value->value));
  } else if (const std::string* value = string()) {
    append_json_string(out, *value);
  } else if (const Bytes* value = bytes()) {
    append_json_bytes(out, *value);
  } else if (const AnyArray* value = array()) {
    append_json_array(out, *value);
  } else if (const AnyObject* value = object()) {
    append_json_object(out, *value);
  } else {
    out += "null";
  }
}

std::string Any::to_json() const {
  std::string out;
  append_json(out);
  return out;
}

}  // namespace footlight::crdt
