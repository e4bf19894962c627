// Keys, root names and XML names of a document, each kept once; and client ids by index.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/internal/pool.h"

namespace footlight::crdt::internal {

class Names {
 public:
  uint32_t intern(std::string_view text);
  uint32_t find(std::string_view text) const;  // kNone when it was never interned
  std::string_view operator[](uint32_t name) const { return texts_[name]; }
  uint64_t memory_bytes() const { return bytes_ + table_.capacity() * sizeof(uint32_t); }

 private:
  void grow();
  std::deque<std::string> texts_;  // does not move what views point to
  std::vector<uint32_t> table_;    // open addressing, kNone empty
  uint64_t bytes_ = 0;
};

// 64-bit numbers to small indices, open addressing. Numbers are never removed.
class NumberTable {
 public:
  uint32_t find(uint64_t number) const;  // kNone
  void insert(uint64_t number, uint32_t index);
  uint64_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  struct Slot {
    uint64_t number = 0;
    uint32_t index = kNone;
  };
  std::vector<Slot> slots_;
  uint32_t count_ = 0;
};

}  // namespace footlight::crdt::internal
