// Reads one object of a definition: typed members with defaults and bounds, every fault noted with
// its JSON Pointer, unknown keys found at the end.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "episode/issue.h"

namespace footlight::episode {

bool is_plain_id(std::string_view text);    // [A-Za-z0-9_-]{1,64}
bool is_episode_id(std::string_view text);  // [a-z0-9-]{1,64}
// UTF-8 without control characters but line feed and tab.
bool is_shown_text(std::string_view text);

void add_issue(Issues& issues, Code code, std::string path, std::string message,
               bool at_key = false);

// Checks a text that stands at `path`; "" when it is faulty.
std::string checked_text(const Json& value, const std::string& path, size_t low, size_t high,
                         Issues& issues);
int64_t checked_int(const Json& value, const std::string& path, int64_t low, int64_t high,
                    Issues& issues);

class ObjectReader {
 public:
  // A value that is no object is a fault; then every member is absent.
  ObjectReader(const Json& value, std::string path, Issues& issues);

  const std::string& path() const { return path_; }
  std::string at(std::string_view key) const { return pointer_join(path_, key); }
  // The member, or nullptr when absent; it counts as known.
  const Json* member(std::string_view key);
  const Json* required(std::string_view key);

  // `otherwise` when absent or faulty.
  std::string text(std::string_view key, size_t low, size_t high, std::string otherwise = {});
  std::string required_text(std::string_view key, size_t low, size_t high);
  int64_t integer(std::string_view key, int64_t low, int64_t high, int64_t otherwise);
  bool flag(std::string_view key, bool otherwise);
  // Index in `words`.
  size_t word(std::string_view key, std::initializer_list<std::string_view> words,
              size_t otherwise);
  // The members of a map, the elements of a list; empty when absent or faulty.
  const Json::Object& map(std::string_view key, size_t limit);
  const Json::Array& list(std::string_view key, size_t limit);
  // A list of distinct ids.
  std::vector<std::string> ids(std::string_view key, size_t limit);

  void finish();  // unknown keys

 private:
  const Json& value_;
  std::string path_;
  Issues& issues_;
  bool is_object_;
  std::vector<std::string_view> known_;
};

}  // namespace footlight::episode
