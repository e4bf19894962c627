// Small rules of JavaScript that show in what yjs prints.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "crdt/any.h"

namespace footlight::crdt::internal {

// The number of a key that looks like an array index ("0", "17", no sign, no leading zero, below
// 2^32 - 1), else UINT64_MAX.
inline uint64_t array_index(std::string_view key) {
  constexpr uint64_t kNoIndex = UINT64_MAX;
  if (key.empty() || key.size() > 10 || (key[0] == '0' && key.size() > 1)) return kNoIndex;
  uint64_t number = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return kNoIndex;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  return number < 0xFFFFFFFF ? number : kNoIndex;
}

// String(value).
void append_script_string(std::string& out, const Any& value);

}  // namespace footlight::crdt::internal
