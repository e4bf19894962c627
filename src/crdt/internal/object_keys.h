// The order in which JavaScript enumerates an object's keys: array indices (0 to 2^32 - 2, written
// without leading zeros) ascending, then all others in the order of their first insertion; of
// duplicates the last value stands. `__proto__` is no key here: assigning it makes none.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "crdt/any.h"

namespace footlight::crdt {

std::optional<uint32_t> array_index(std::string_view key);

// Brings an object's keys into that order and drops duplicates.
void order_keys(AnyObject& object);

// Whether keys, in the order they come, stand in that order already.
class KeyOrder {
 public:
  void add(std::string_view key);
  bool ordered();  // after the last; once

 private:
  static constexpr size_t kFew = 16;  // compared one by one up to here, sorted beyond
  bool ordered_ = true;
  bool names_begun_ = false;
  int64_t last_index_ = -1;
  size_t few_count_ = 0;
  std::array<std::string_view, kFew> few_;
  std::vector<std::string_view> many_;
};

}  // namespace footlight::crdt
