#include "core/json.h"

#include <array>
#include <bit>
#include <cstring>

#include "core/bytes.h"

namespace footlight {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

// What a value that begins with this byte is.
constexpr std::array<JsonType, 256> kTypes = [] {
  std::array<JsonType, 256> types{};
  types.fill(JsonType::kEnd);
  types['{'] = JsonType::kObject;
  types['['] = JsonType::kArray;
  types['"'] = JsonType::kString;
  types['t'] = types['f'] = JsonType::kBool;
  types['n'] = JsonType::kNull;
  types['-'] = JsonType::kNumber;
  for (size_t c = '0'; c <= '9'; ++c) types[c] = JsonType::kNumber;
  return types;
}();

// Where the next byte stands that is not plain within a string: a quote, a backslash, a control
// character or one beyond ASCII; text.size() when there is none. Eight bytes at a time: strings are
// most of a frame.
size_t skip_plain(std::string_view text, size_t at) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const uint64_t quote = word ^ (kOnes * '"'), backslash = word ^ (kOnes * '\\');
    // A byte below n borrows in (word - n): exact for the lowest such byte, which is all that is
    // asked.
    const uint64_t found = ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) |
                           ((word - kOnes * 0x20) & ~word) | word;
    if ((found & kHighs) == 0) continue;
    if constexpr (std::endian::native != std::endian::little) break;
    return at + static_cast<size_t>(std::countr_zero(found & kHighs)) / 8;
  }
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) break;
  }
  return at;
}

// Four hex digits at text[at]; false when there are none.
bool hex4(std::string_view text, size_t at, uint32_t& out) {
  uint64_t value = 0;
  if (at + 4 > text.size() || !parse_hex_u64(text.substr(at, 4), value)) return false;
  out = static_cast<uint32_t>(value);
  return true;
}

// The body of a string token (between the quotes, escapes known to be well-formed) into `out`.
// False for a lone surrogate.
bool unescape(std::string_view body, std::string& out) {
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      out += body[i];
      continue;
    }
    switch (body[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        uint32_t point = 0;
        hex4(body, i + 1, point);
        i += 4;
        if (point >= 0xDC00 && point <= 0xDFFF) return false;
        if (point >= 0xD800 && point <= 0xDBFF) {
          uint32_t low = 0;
          if (i + 2 >= body.size() || body[i + 1] != '\\' || body[i + 2] != 'u' ||
              !hex4(body, i + 3, low) || low < 0xDC00 || low > 0xDFFF) {
            return false;
          }
          i += 6;
          point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        }
        append_utf8(out, point);
        break;
      }
      default:
        out += body[i];
        break;  // " \ /
    }
  }
  return true;
}

}  // namespace

void JsonReader::fault(Code code) {
  if (ok()) code_ = code;
}

// What stands here is another value than the one asked for, or no value at all.
void JsonReader::wrong_type() {
  fault(peek() == JsonType::kEnd ? Code::kBadFrame : Code::kMissingField);
}

void JsonReader::skip_space() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
}

JsonType JsonReader::peek() {
  if (!ok()) return JsonType::kEnd;
  space();
  if (at_ >= text_.size()) return JsonType::kEnd;
  return kTypes[static_cast<unsigned char>(text_[at_])];
}

bool JsonReader::enter_object() {
  if (peek() != JsonType::kObject) {
    wrong_type();
    return false;
  }
  if (depth_ >= max_depth_) {
    fault(Code::kTooDeep);
    return false;
  }
  ++at_;
  fresh_ |= uint64_t{1} << depth_++;
  return true;
}

bool JsonReader::enter_array() {
  if (peek() != JsonType::kArray) {
    wrong_type();
    return false;
  }
  if (depth_ >= max_depth_) {
    fault(Code::kTooDeep);
    return false;
  }
  ++at_;
  fresh_ |= uint64_t{1} << depth_++;
  return true;
}

// Steps over what stands between two elements; false at the container's end or on a fault.
bool JsonReader::next(char closing) {
  if (!ok() || depth_ == 0) return false;
  space();
  const uint64_t bit = uint64_t{1} << (depth_ - 1);
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  if (c == closing) {
    ++at_;
    fresh_ &= ~bit;
    --depth_;
    return false;
  }
  if ((fresh_ & bit) != 0) {
    fresh_ &= ~bit;
    return true;
  }
  if (c != ',') {
    fault(Code::kBadFrame);
    return false;
  }
  ++at_;
  return true;
}

bool JsonReader::next_key(std::string_view& key) {
  if (!next('}')) return false;
  if (peek() != JsonType::kString) {
    fault(Code::kBadFrame);
    return false;
  }
  key = read_string();
  space();
  if (!ok() || at_ >= text_.size() || text_[at_] != ':') {
    fault(Code::kBadFrame);
    return false;
  }
  ++at_;
  return true;
}

bool JsonReader::next_element() { return next(']'); }

// The text between the quotes; checks escapes and control characters, not UTF-8. `plain` when it
// holds neither escapes nor bytes beyond ASCII, so that nothing remains to be checked.
std::string_view JsonReader::string_token(bool& plain) {
  const size_t start = ++at_;
  plain = true;
  while (true) {
    at_ = skip_plain(text_, at_);
    if (at_ >= text_.size()) break;
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') return text_.substr(start, at_++ - start);
    if (c < 0x20) break;
    plain = false;
    if (c == '\\') {
      const char escaped = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
      uint32_t point = 0;
      if (escaped == 'u' && hex4(text_, at_ + 2, point)) {
        at_ += 6;
        continue;
      }
      if (std::string_view("\"\\/bfnrt").find(escaped) == std::string_view::npos) break;
      if (escaped == '\0') break;
      ++at_;
    }
    ++at_;
  }
  fault(Code::kBadFrame);
  return {};
}

std::string_view JsonReader::read_string() {
  if (peek() != JsonType::kString) {
    wrong_type();
    return {};
  }
  bool plain = true;
  const std::string_view body = string_token(plain);
  if (plain || !ok()) return body;
  if (!is_valid_utf8(body)) {
    fault(Code::kBadUtf8);
    return {};
  }
  if (body.find('\\') == std::string_view::npos) return body;
  scratch_.clear();
  if (!unescape(body, scratch_)) {
    fault(Code::kBadUtf8);
    return {};
  }
  return scratch_;
}

// Steps over a number and checks its grammar (RFC 8259 section 6); true when it is an integer.
bool JsonReader::number_token() {
  bool integer = true;
  const auto digits = [this] {
    const size_t from = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > from;
  };
  if (text_[at_] == '-') ++at_;
  if (at_ < text_.size() && text_[at_] == '0') {
    ++at_;
  } else if (!digits()) {
    fault(Code::kBadFrame);
    return false;
  }
  if (at_ < text_.size() && text_[at_] == '.') {
    integer = false;
    ++at_;
    if (!digits()) fault(Code::kBadFrame);
  }
  if (ok() && at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    integer = false;
    ++at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    if (!digits()) fault(Code::kBadFrame);
  }
  return integer && ok();
}

int64_t JsonReader::read_int() {
  if (peek() != JsonType::kNumber) {
    wrong_type();
    return 0;
  }
  const size_t start = at_;
  if (!number_token()) {
    fault(Code::kMissingField);
    return 0;
  }
  const bool negative = text_[start] == '-';
  const uint64_t limit = negative ? uint64_t{1} << 63 : (uint64_t{1} << 63) - 1;
  uint64_t value = 0;
  for (size_t i = start + (negative ? 1 : 0); i < at_; ++i) {
    const auto digit = static_cast<uint64_t>(text_[i] - '0');
    if (value > (limit - digit) / 10) {
      fault(Code::kFieldOutOfRange);
      return 0;
    }
    value = value * 10 + digit;
  }
  return static_cast<int64_t>(negative ? 0 - value : value);
}

bool JsonReader::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool JsonReader::read_bool() {
  if (peek() == JsonType::kBool) {
    if (literal("true")) return true;
    if (literal("false")) return false;
    fault(Code::kBadFrame);
  } else {
    wrong_type();
  }
  return false;
}

bool JsonReader::read_null() {
  if (peek() != JsonType::kNull) return false;
  if (literal("null")) return true;
  fault(Code::kBadFrame);
  return false;
}

std::string_view JsonReader::raw() {
  const JsonType type = peek();
  const size_t start = at_;
  switch (type) {
    case JsonType::kObject: {
      std::string_view key;
      if (enter_object()) {
        while (next_key(key)) skip();
      }
      break;
    }
    case JsonType::kArray:
      if (enter_array()) {
        while (next_element()) skip();
      }
      break;
    case JsonType::kString:
      (void)read_string();
      break;
    case JsonType::kNumber:
      (void)number_token();
      break;
    case JsonType::kBool:
      (void)read_bool();
      break;
    case JsonType::kNull:
      (void)read_null();
      break;
    case JsonType::kEnd:
      fault(Code::kBadFrame);
      break;
  }
  return ok() ? text_.substr(start, at_ - start) : std::string_view{};
}

bool JsonReader::finish() {
  space();
  if (ok() && (at_ != text_.size() || depth_ != 0)) fault(Code::kBadFrame);
  return ok();
}

void JsonWriter::comma() {
  if (need_comma_) out_ += ',';
  need_comma_ = true;
}

JsonWriter& JsonWriter::open(char c) {
  comma();
  out_ += c;
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char c) {
  out_ += c;
  need_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  comma();
  append_json_string(out_, name);
  out_ += ':';
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  comma();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::value(int64_t number) {
  if (number >= 0) return value(static_cast<uint64_t>(number));
  comma();
  out_ += '-';
  need_comma_ = false;
  return value(uint64_t{0} - static_cast<uint64_t>(number));
}

JsonWriter& JsonWriter::value(uint64_t number) {
  comma();
  char digits[20];
  int at = 20;
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  out_.append(digits + at, static_cast<size_t>(20 - at));
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) { return raw(flag ? "true" : "false"); }

JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  comma();
  out_ += json;
  return *this;
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  size_t from = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(from, i - from));
    from = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text.substr(from));
  out += '"';
}

}  // namespace footlight
