// Every setting once: what it is called, where it is kept, what it may be, and why one would change
// it.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "edge/config.h"

namespace footlight::edge {

struct SettingInfo {
  using Place = std::variant<int64_t* (*)(Config&), bool* (*)(Config&), std::string* (*)(Config&),
                             std::vector<std::string>* (*)(Config&), gate::Rate* (*)(Config&)>;
  std::string_view key;  // "server.port"
  Place place;
  int64_t low = 0;  // integers: the range; texts and lists: of the length
  int64_t high = 0;
  std::string_view unit;  // of integers
  std::string_view doc;
};

std::span<const SettingInfo> settings();
const SettingInfo* find_setting(std::string_view key);

// "5/s burst 20", "30/min burst 20", "unlimited".
bool parse_rate(std::string_view text, gate::Rate& out);
std::string rate_text(const gate::Rate& rate);

// As it would stand in the file.
std::string setting_text(const SettingInfo& setting, Config& config);
// "" when the value was taken, else what it must be. A list is given by its elements.
std::string set_value(const SettingInfo& setting, Config& config,
                      const std::vector<std::string>& values, bool is_list);

}  // namespace footlight::edge
