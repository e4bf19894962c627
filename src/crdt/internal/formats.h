// The formats in force at a place of a text: key to value, in the order JavaScript's Map keeps.
// Values are canonical Any bytes; a null value means that the format is off.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/any.h"
#include "crdt/internal/item.h"

namespace footlight::crdt::internal {

class Formats {
 public:
  using Entry = std::pair<uint32_t, std::string>;  // interned key, value
  const std::string* find(uint32_t key) const {
    for (const Entry& entry : entries_) {
      if (entry.first == key) return &entry.second;
    }
    return nullptr;
  }
  std::string_view get(uint32_t key) const {  // null when there is none
    const std::string* value = find(key);
    return value == nullptr ? kNull : std::string_view(*value);
  }
  void set(uint32_t key, std::string_view value) {
    for (Entry& entry : entries_) {
      if (entry.first == key) {
        entry.second = value;
        return;
      }
    }
    entries_.emplace_back(key, value);
  }
  void erase(uint32_t key) {
    std::erase_if(entries_, [key](const Entry& entry) { return entry.first == key; });
  }
  // What passing a format item does.
  void pass(uint32_t key, std::string_view value) {
    if (value == kNull) {
      erase(key);
    } else {
      set(key, value);
    }
  }
  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }

  static constexpr std::string_view kNull = "\x7e";

 private:
  std::vector<Entry> entries_;
};

// JavaScript's === for plain values; objects compare by their members, one level deep, whatever the
// order. (yjs compares deeper objects by identity; here equal bytes are equal.)
bool equal_formats(std::string_view a, std::string_view b);

struct FormatView {
  std::string_view key;
  std::string_view value;
};
FormatView read_format(ByteView content);  // of a kFormat item

}  // namespace footlight::crdt::internal
