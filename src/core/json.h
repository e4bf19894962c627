// JSON (RFC 8259) for frames, tokens and log records: strict, bounded depth, integers only where a
// number is read, no exceptions, no allocation in the reader.
//
// JsonReader is a cursor over text that must outlive it. Any fault makes ok() false for good and
// every later call a no-op that yields empty values; check ok() (or finish()) once at the end.
//
//   JsonReader in(text);
//   std::string_view key;
//   if (in.enter_object())
//     while (in.next_key(key)) {
//       if (key == "n") n = in.read_int();
//       else in.skip();
//     }
//   if (!in.finish()) return fail(in.code(), ...);
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/codes.h"
#include "core/result.h"

namespace footlight {

enum class JsonType : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject, kEnd };

class JsonReader {
 public:
  static constexpr int kMaxDepth = 32;

  // `max_depth` 1..64: containers within containers.
  explicit JsonReader(std::string_view text, int max_depth = kMaxDepth)
      : text_(text), max_depth_(max_depth) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }      // kBadFrame, kTooDeep, kMissingField, kBadUtf8
  size_t position() const { return at_; }  // byte offset, for error messages
  JsonType peek();                         // type of the value at the cursor; kEnd at the end

  bool enter_object();                   // false and fault when the value is no object
  bool next_key(std::string_view& key);  // false after the last member; key is unescaped, and
                                         // valid until the next call that reads a string
  bool enter_array();
  bool next_element();  // false after the last element

  // Wrong type: fault kMissingField. Integers must have no fraction or exponent and fit int64.
  int64_t read_int();
  bool read_bool();
  // Unescaped text, valid until the next call on this reader that reads a string or key.
  std::string_view read_string();
  bool read_null();        // consumes null if it is there
  std::string_view raw();  // the value's own bytes, checked, skipped
  void skip() { (void)raw(); }
  bool finish();          // ok, and only white space is left
  void fault(Code code);  // the caller's own complaint

 private:
  void wrong_type();
  void space() {
    if (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) > ' ') return;
    skip_space();
  }
  void skip_space();
  std::string_view string_token(bool& plain);
  bool next(char closing);
  bool number_token();
  bool literal(std::string_view word);
  std::string_view text_;
  size_t at_ = 0;
  Code code_ = Code::kOk;
  int max_depth_;
  int depth_ = 0;
  uint64_t fresh_ = 0;  // bit per depth: container entered, no element read yet
  std::string scratch_;
};

// Appends to a string the caller owns. Commas are placed by the writer.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  JsonWriter& object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(int64_t number);
  JsonWriter& value(uint64_t number);
  JsonWriter& value(int number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& value(uint32_t number) { return value(static_cast<uint64_t>(number)); }
  JsonWriter& value(bool flag);
  JsonWriter& null();
  JsonWriter& raw(std::string_view json);  // a value that is JSON already
  template <class T>
  JsonWriter& field(std::string_view name, T v) {
    key(name);
    return value(v);
  }

 private:
  JsonWriter& open(char c);
  JsonWriter& close(char c);
  void comma();
  std::string& out_;
  bool need_comma_ = false;
};

void append_json_string(std::string& out, std::string_view text);  // with quotes

// A small tree for what is not hot: definitions, configuration, tests. Members keep their order.
// Numbers with a fraction or exponent are kept as their text (is_integer() false).
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;
  static Result<Json> parse(
      std::string_view text);  // kBadFrame, kTooDeep, kBadUtf8; detail has the offset
  static Json string(std::string text);
  static Json integer(int64_t number);
  static Json number(std::string_view token);  // a JSON number token, checked by the caller
  static Json boolean(bool flag);
  static Json array();
  static Json object();

  JsonType type() const { return type_; }
  bool is_integer() const { return type_ == JsonType::kNumber && text_.empty(); }
  int64_t as_int(int64_t otherwise = 0) const { return is_integer() ? number_ : otherwise; }
  bool as_bool(bool otherwise = false) const {
    return type_ == JsonType::kBool ? number_ != 0 : otherwise;
  }
  const std::string& as_string() const;                // "" when no string
  const Array& items() const;                          // empty when no array
  const Object& members() const;                       // empty when no object
  const Json* find(std::string_view key) const;        // nullptr when absent or no object
  const Json& operator[](std::string_view key) const;  // null value when absent
  void push(Json value);                               // to an array
  Json& set(std::string key, Json value);              // in an object, replacing
  void write(std::string& out) const;
  std::string dump() const;

 private:
  JsonType type_ = JsonType::kNull;
  int64_t number_ = 0;
  std::string text_;
  Array items_;
  std::vector<Member> members_;
};

}  // namespace footlight
