// YAML as a plain tree with places, so that yaml-cpp and its exceptions stay in one file.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/config.h"

namespace footlight::edge {

struct ConfigNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;  // kScalar
  std::vector<ConfigNode> items;
  struct Member;
  std::vector<Member> members;
  int line = 0;  // 1-based
  int column = 0;
};
struct ConfigNode::Member {
  std::string key;
  ConfigNode value;
  int line = 0;
  int column = 0;
};

inline constexpr size_t kMaxConfigBytes = 1024 * 1024;
inline constexpr int kMaxConfigDepth = 8;

// False with a fault when the text is no YAML, too large or too deep. Aliases are refused: a few
// bytes of them can stand for gigabytes.
bool parse_config_yaml(std::string_view yaml, ConfigNode& out, ConfigFault& fault);

}  // namespace footlight::edge
