#include "episode/internal/definition_reader.h"

#include <algorithm>

#include "core/bytes.h"

namespace footlight::episode {
namespace {

const Json::Object kNoMembers;
const Json::Array kNoItems;

std::string range_text(int64_t low, int64_t high) {
  return std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

bool is_plain_id(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

bool is_episode_id(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  return std::ranges::all_of(
      text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool is_shown_text(std::string_view text) {
  const bool clean = std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
  });
  return clean && is_valid_utf8(text);
}

void add_issue(Issues& issues, Code code, std::string path, std::string message, bool at_key) {
  issues.push_back({code, std::move(path), std::move(message), at_key});
}

std::string checked_text(const Json& value, const std::string& path, size_t low, size_t high,
                         Issues& issues) {
  if (value.type() != JsonType::kString) {
    add_issue(issues, Code::kEpisodeField, path, "must be text");
    return {};
  }
  const std::string& text = value.as_string();
  if (text.size() < low) {
    add_issue(issues, Code::kEpisodeField, path, "must not be empty");
  } else if (text.size() > high) {
    add_issue(issues, Code::kEpisodeLimit, path,
              "is longer than " + std::to_string(high) + " bytes");
  } else if (!is_shown_text(text)) {
    add_issue(issues, Code::kEpisodeField, path, "has control characters or is not UTF-8");
  } else {
    return text;
  }
  return {};
}

int64_t checked_int(const Json& value, const std::string& path, int64_t low, int64_t high,
                    Issues& issues) {
  if (!value.is_integer()) {
    add_issue(issues, Code::kEpisodeField, path, "must be an integer");
    return low;
  }
  const int64_t number = value.as_int();
  if (number < low || number > high) {
    add_issue(issues, Code::kEpisodeField, path, "must be " + range_text(low, high));
    return low;
  }
  return number;
}

ObjectReader::ObjectReader(const Json& value, std::string path, Issues& issues)
    : value_(value),
      path_(std::move(path)),
      issues_(issues),
      is_object_(value.type() == JsonType::kObject) {
  if (!is_object_) add_issue(issues_, Code::kEpisodeField, path_, "must be a map");
}

const Json* ObjectReader::member(std::string_view key) {
  known_.push_back(key);
  return value_.find(key);
}

const Json* ObjectReader::required(std::string_view key) {
  const Json* found = member(key);
  if (found == nullptr && is_object_) {
    add_issue(issues_, Code::kEpisodeField, path_, "needs \"" + std::string(key) + "\"");
  }
  return found;
}

std::string ObjectReader::text(std::string_view key, size_t low, size_t high,
                               std::string otherwise) {
  const Json* found = member(key);
  return found == nullptr ? std::move(otherwise)
                          : checked_text(*found, at(key), low, high, issues_);
}

std::string ObjectReader::required_text(std::string_view key, size_t low, size_t high) {
  const Json* found = required(key);
  return found == nullptr ? std::string() : checked_text(*found, at(key), low, high, issues_);
}

int64_t ObjectReader::integer(std::string_view key, int64_t low, int64_t high, int64_t otherwise) {
  const Json* found = member(key);
  return found == nullptr ? otherwise : checked_int(*found, at(key), low, high, issues_);
}

bool ObjectReader::flag(std::string_view key, bool otherwise) {
  const Json* found = member(key);
  if (found == nullptr) return otherwise;
  if (found->type() != JsonType::kBool) {
    add_issue(issues_, Code::kEpisodeField, at(key), "must be true or false");
  }
  return found->as_bool(otherwise);
}

size_t ObjectReader::word(std::string_view key, std::initializer_list<std::string_view> words,
                          size_t otherwise) {
  const Json* found = member(key);
  if (found == nullptr) return otherwise;
  std::string allowed;
  size_t index = 0;
  for (const std::string_view candidate : words) {
    if (found->type() == JsonType::kString && found->as_string() == candidate) return index;
    if (!allowed.empty()) allowed += ", ";
    allowed += candidate;
    ++index;
  }
  add_issue(issues_, Code::kEpisodeField, at(key), "must be one of: " + allowed);
  return otherwise;
}

const Json::Object& ObjectReader::map(std::string_view key, size_t limit) {
  const Json* found = member(key);
  if (found == nullptr) return kNoMembers;
  if (found->type() != JsonType::kObject) {
    add_issue(issues_, Code::kEpisodeField, at(key), "must be a map");
    return kNoMembers;
  }
  const Json::Object& members = found->members();
  if (members.size() > limit) {
    add_issue(issues_, Code::kEpisodeLimit, at(key),
              "holds more than " + std::to_string(limit) + " entries");
    return kNoMembers;
  }
  return members;
}

const Json::Array& ObjectReader::list(std::string_view key, size_t limit) {
  const Json* found = member(key);
  if (found == nullptr) return kNoItems;
  if (found->type() != JsonType::kArray) {
    add_issue(issues_, Code::kEpisodeField, at(key), "must be a list");
    return kNoItems;
  }
  if (found->items().size() > limit) {
    add_issue(issues_, Code::kEpisodeLimit, at(key),
              "holds more than " + std::to_string(limit) + " entries");
    return kNoItems;
  }
  return found->items();
}

std::vector<std::string> ObjectReader::ids(std::string_view key, size_t limit) {
  std::vector<std::string> out;
  const Json::Array& items = list(key, limit);
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string path = pointer_join(at(key), std::to_string(i));
    const std::string& id = items[i].as_string();
    if (!is_plain_id(id)) {
      add_issue(issues_, Code::kEpisodeField, path, "must be an id: letters, digits, _ and -");
    } else if (std::ranges::find(out, id) != out.end()) {
      add_issue(issues_, Code::kEpisodeField, path, "\"" + id + "\" is listed twice");
    } else {
      out.push_back(id);
    }
  }
  return out;
}

void ObjectReader::finish() {
  constexpr size_t kMostKeys = 64;
  if (value_.members().size() > kMostKeys) {
    add_issue(issues_, Code::kEpisodeLimit, path_, "has too many keys");
    return;
  }
  for (const auto& [key, value] : value_.members()) {
    if (std::ranges::find(known_, key) == known_.end()) {
      add_issue(issues_, Code::kEpisodeField, at(key), "unknown key \"" + key + "\"", true);
    }
  }
}

}  // namespace footlight::episode
