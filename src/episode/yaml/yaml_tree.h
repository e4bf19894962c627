// A YAML document as a tree with places, built from yaml-cpp's events: its own Node shares aliased
// subtrees without bound and forgets where keys stood.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "episode/yaml/load.h"

namespace footlight::episode::yaml {

enum class Kind : uint8_t { kNull, kBool, kInteger, kText, kList, kMap };

struct Value {
  Kind kind = Kind::kNull;
  Place place;
  Place key_place;           // of the member's name, in a map
  std::string key;           // in a map
  int64_t number = 0;        // kBool, kInteger
  std::string text;          // kText
  std::vector<Value> items;  // kList, kMap
};

// Bounded by YamlLimits. Appends problems; false when there is no usable tree.
bool parse(std::string_view text, Value& out, std::vector<Problem>& problems);

void write_json(const Value& value, std::string& out);

}  // namespace footlight::episode::yaml
