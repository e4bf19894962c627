#include "episode/yaml/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "core/bytes.h"
#include "core/json.h"

namespace footlight::episode::yaml {
namespace {

// Thrown through yaml-cpp to stop it; caught in parse().
struct Stop {};

bool starts_character(char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }

// Byte positions to characters in constant time: one line may hold all values of a file.
class Columns {
 public:
  explicit Columns(std::string_view text) : text_(text) {
    size_t characters = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      if (i % kBlock == 0) blocks_.push_back(characters);
      if (starts_character(text[i])) ++characters;
      if (text[i] == '\n') line_starts_.push_back(i + 1);
    }
    blocks_.push_back(characters);
  }

  // `line` and `column` from 0, in bytes. Beyond the text: the end of its last line.
  Place at(size_t line, size_t column) const {
    if (line >= line_starts_.size()) {
      line = line_starts_.size() - 1;
      column = text_.size();
    }
    const size_t start = line_starts_[line];
    const size_t end = std::min(text_.size(), start + std::min(column, text_.size()));
    return {static_cast<uint32_t>(line + 1),
            static_cast<uint32_t>(characters_before(end) - characters_before(start) + 1)};
  }

 private:
  static constexpr size_t kBlock = 64;

  size_t characters_before(size_t at) const {
    const size_t block = at / kBlock;
    const std::string_view rest = text_.substr(block * kBlock, at % kBlock);
    return blocks_[block] +
           static_cast<size_t>(std::count_if(rest.begin(), rest.end(), starts_character));
  }

  std::string_view text_;
  std::vector<size_t> blocks_;  // characters before each block
  std::vector<size_t> line_starts_{0};
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

std::string_view without_sign(std::string_view text) {
  return text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
}

// Numbers of YAML 1.2's core schema that are no decimal integers: 1.5, 1e3, .5, .inf, 0x1F, 0o17.
bool looks_like_other_number(std::string_view text) {
  std::string_view rest = without_sign(text);
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF" || text == ".nan" || text == ".NaN" ||
      text == ".NAN") {
    return true;
  }
  if (rest.starts_with("0x") || rest.starts_with("0o")) return rest.size() > 2;
  size_t digits = 0;
  size_t at = 0;
  while (at < rest.size() && is_digit(rest[at])) ++at, ++digits;
  bool special = false;
  if (at < rest.size() && rest[at] == '.') {
    special = true;
    ++at;
    while (at < rest.size() && is_digit(rest[at])) ++at, ++digits;
  }
  if (digits == 0) return false;
  if (at < rest.size() && (rest[at] == 'e' || rest[at] == 'E')) {
    return all_digits(without_sign(rest.substr(at + 1)));
  }
  return special && at == rest.size();
}

bool decimal(std::string_view text, int64_t& out) {
  const bool negative = text.starts_with('-');
  int64_t value = 0;
  for (const char c : without_sign(text)) {
    const int64_t digit = negative ? -(c - '0') : c - '0';
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value)) {
      return false;
    }
  }
  out = value;
  return true;
}

class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, std::vector<Problem>& problems)
      : columns_(text), problems_(problems) {}

  Place place(const YAML::Mark& mark) const {
    if (mark.is_null() || mark.line < 0 || mark.column < 0) return {};
    return columns_.at(static_cast<size_t>(mark.line), static_cast<size_t>(mark.column));
  }

  std::optional<Value>& root() { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Value value;
    value.place = place(mark);
    scalar(std::move(value), anchor, "");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    Value value;
    value.place = place(mark);
    if (expects_key()) {
      value.kind = Kind::kText;
      value.text = text;
    } else {
      resolve(value, tag, text);
    }
    scalar(std::move(value), anchor, text);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      add(Code::kEpisodeSyntax, place(mark), "an alias within the value it stands for");
      throw Stop();
    }
    if (expects_key()) {
      add(Code::kEpisodeField, place(mark), "a key is written out, not an alias");
      throw Stop();
    }
    count_values(found->second.size, mark);
    put(Value(found->second.value));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Kind::kList, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Kind::kMap, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  void add(Code code, Place place, std::string message) {
    problems_.push_back({code, place, std::move(message)});
    if (problems_.size() > YamlLimits::kProblems) throw Stop();
  }

 private:
  struct Level {
    Value value;
    YAML::anchor_t anchor = 0;
    size_t values_before = 0;
    bool has_key = false;
    std::string key;
    Place key_place;
    std::unordered_set<std::string> keys;
  };
  struct Anchored {
    Value value;
    size_t size = 0;  // values in it
  };

  bool expects_key() const {
    return !stack_.empty() && stack_.back().value.kind == Kind::kMap && !stack_.back().has_key;
  }

  void count_values(size_t more, const YAML::Mark& mark) {
    values_ += more;
    if (values_ <= YamlLimits::kValues) return;
    add(Code::kEpisodeLimit, place(mark),
        "the file holds more than 100000 values, with its aliases written out");
    throw Stop();
  }

  void open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    count_values(1, mark);
    if (expects_key()) {
      add(Code::kEpisodeField, place(mark), "a key must be a plain word, not a list or map");
      throw Stop();
    }
    if (stack_.size() >= static_cast<size_t>(YamlLimits::kDepth)) {
      add(Code::kEpisodeLimit, place(mark), "nested deeper than 24");
      throw Stop();
    }
    Level level;
    level.value.kind = kind;
    level.value.place = place(mark);
    level.anchor = anchor;
    level.values_before = values_ - 1;
    if (!tag.empty() && tag != "?" && tag != "!") {
      add(Code::kEpisodeField, level.value.place, "tags such as !x are not used here");
    }
    stack_.push_back(std::move(level));
  }

  void close() {
    Level level = std::move(stack_.back());
    stack_.pop_back();
    remember(level.anchor, level.value, values_ - level.values_before);
    put(std::move(level.value));
  }

  void remember(YAML::anchor_t anchor, const Value& value, size_t size) {
    if (anchor != 0) anchors_[anchor] = {value, size};
  }

  void scalar(Value value, YAML::anchor_t anchor, const std::string& text) {
    if (expects_key()) {
      key(value.place, text);
      return;
    }
    ++values_;
    if (values_ > YamlLimits::kValues) {
      add(Code::kEpisodeLimit, value.place, "the file holds more than 100000 values");
      throw Stop();
    }
    remember(anchor, value, 1);
    put(std::move(value));
  }

  void key(Place place, const std::string& text) {
    Level& level = stack_.back();
    level.has_key = true;
    level.key = text;
    level.key_place = place;
    if (text.empty()) {
      add(Code::kEpisodeField, place, "a key is missing here");
    } else if (text == "<<") {
      add(Code::kEpisodeField, place, "merge keys (<<) are not used here; write the members out");
    } else if (!level.keys.insert(text).second) {
      add(Code::kEpisodeField, place, "the key \"" + text + "\" stands here a second time");
    }
  }

  void put(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = stack_.back();
    if (level.value.kind == Kind::kMap) {
      value.key = std::move(level.key);
      value.key_place = level.key_place;
      level.has_key = false;
    }
    level.value.items.push_back(std::move(value));
  }

  // Types by YAML 1.2's core schema, without fractions: yes, no, on and off are texts.
  void resolve(Value& value, const std::string& tag, const std::string& text) {
    value.kind = Kind::kText;
    value.text = text;
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return;
    if (tag != "?" && !tag.empty()) {
      add(Code::kEpisodeField, value.place, "tags such as !x are not used here");
    } else if (text == "true" || text == "True" || text == "TRUE") {
      value.kind = Kind::kBool;
      value.number = 1;
    } else if (text == "false" || text == "False" || text == "FALSE") {
      value.kind = Kind::kBool;
    } else if (all_digits(without_sign(text))) {
      value.kind = Kind::kInteger;
      if (!decimal(text, value.number)) {
        add(Code::kEpisodeField, value.place, "the number is too large; put quotes around a text");
      }
    } else if (looks_like_other_number(text)) {
      add(Code::kEpisodeField, value.place,
          "whole decimal numbers only; put quotes around it when it is a text");
    }
  }

  Columns columns_;
  std::vector<Problem>& problems_;
  std::vector<Level> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::optional<Value> root_;
  size_t values_ = 0;
};

// The first byte that is no UTF-8, or is NUL: yaml-cpp would end or repair the text there.
std::optional<size_t> bad_byte(std::string_view text) {
  size_t good = 0;
  size_t line_start = 0;
  while (line_start <= text.size()) {
    const size_t end = std::min(text.find('\n', line_start), text.size());
    const std::string_view line = text.substr(line_start, end - line_start);
    if (!is_valid_utf8(line) || line.find('\0') != std::string_view::npos) {
      for (good = 0; good < line.size(); ++good) {
        // Only a whole character can make a longer prefix valid: look at up to four bytes.
        bool valid = false;
        for (size_t n = 1; n <= 4 && !valid && good + n <= line.size(); ++n) {
          valid = is_valid_utf8(line.substr(good, n)) && line[good] != '\0';
          if (valid) good += n - 1;
        }
        if (!valid) return line_start + good;
      }
    }
    line_start = end + 1;
  }
  return std::nullopt;
}

Place place_of_byte(std::string_view text, size_t at) {
  Place out{1, 1};
  for (size_t i = 0; i < at; ++i) {
    if (text[i] == '\n') {
      ++out.line;
      out.column = 1;
    } else if ((static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) {
      ++out.column;
    }
  }
  return out;
}

bool readable(std::string_view text, std::vector<Problem>& problems) {
  if (text.size() > YamlLimits::kBytes) {
    problems.push_back({Code::kEpisodeLimit, {}, "the file is larger than 1 MiB"});
    return false;
  }
  if (const std::optional<size_t> at = bad_byte(text)) {
    problems.push_back({Code::kEpisodeSyntax, place_of_byte(text, *at), "this is not UTF-8 text"});
    return false;
  }
  return true;
}

// The two messages of yaml-cpp that people meet most, in words that say what to do.
std::string plainer(const std::string& message) {
  if (message == "illegal document indicator in scalar") return "a quoted text is not closed";
  if (message == "unknown token") return "put quotes around the text here";
  return message;
}

}  // namespace

bool parse(std::string_view text, Value& out, std::vector<Problem>& problems) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!readable(text, problems)) return false;
  // yaml-cpp takes the end of the file for the end of a quoted text; the end of a document it does
  // not.
  std::string ended(text);
  if (!text.ends_with('\n')) ended += '\n';
  ended += "...\n";
  Builder builder(text, problems);
  try {
    std::istringstream stream(std::move(ended));
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder) || !builder.root() ||
        builder.root()->kind == Kind::kNull) {
      problems.push_back({Code::kEpisodeSyntax, {1, 1}, "the file is empty"});
      return false;
    }
    out = std::move(*builder.root());
    if (parser.HandleNextDocument(builder)) {
      problems.push_back({Code::kEpisodeSyntax, builder.root()->place,
                          "a second document starts here; one file is one episode"});
    }
    return true;
  } catch (const Stop&) {
    return false;
  } catch (const YAML::Exception& error) {
    problems.push_back(
        {Code::kEpisodeSyntax, builder.place(error.mark), "not YAML: " + plainer(error.msg)});
    return false;
  } catch (const std::exception& error) {
    problems.push_back({Code::kEpisodeSyntax, {}, std::string("not YAML: ") + error.what()});
    return false;
  }
}

void write_json(const Value& value, std::string& out) {
  switch (value.kind) {
    case Kind::kNull:
      out += "null";
      break;
    case Kind::kBool:
      out += value.number != 0 ? "true" : "false";
      break;
    case Kind::kInteger:
      out += std::to_string(value.number);
      break;
    case Kind::kText:
      append_json_string(out, value.text);
      break;
    case Kind::kList:
    case Kind::kMap: {
      const bool map = value.kind == Kind::kMap;
      out += map ? '{' : '[';
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out += ',';
        if (map) {
          append_json_string(out, value.items[i].key);
          out += ':';
        }
        write_json(value.items[i], out);
      }
      out += map ? '}' : ']';
    }
  }
}

}  // namespace footlight::episode::yaml
