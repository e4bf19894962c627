// The structs of one client by clock: what covers clock n, and its neighbours. Sorted blocks of at
// most 128 entries, so that a split in the middle of a long history moves little.
#pragma once
#include <cstdint>
#include <vector>

#include "crdt/internal/item.h"

namespace footlight::crdt::internal {

class StructIndex {
 public:
  struct Entry {
    uint32_t clock;
    Handle item;
  };
  struct At {  // a position; invalid after any change but its own
    uint32_t block = 0;
    uint32_t slot = 0;
    friend bool operator==(const At&, const At&) = default;
  };

  StructIndex() = default;
  StructIndex(StructIndex&& other) noexcept : blocks_(std::move(other.blocks_)) {
    other.blocks_.clear();
  }
  StructIndex& operator=(StructIndex&& other) noexcept {
    blocks_.swap(other.blocks_);
    return *this;
  }
  ~StructIndex();

  bool empty() const { return blocks_.empty(); }
  // The last entry whose clock is <= `clock`; there must be one.
  At find(uint32_t clock) const;
  const Entry& get(At at) const { return blocks_[at.block].entries[at.slot]; }
  Handle item(At at) const { return get(at).item; }
  At last() const {
    const auto block = static_cast<uint32_t>(blocks_.size() - 1);
    return {block, blocks_[block].count - 1};
  }
  bool is_first(At at) const { return at.block == 0 && at.slot == 0; }
  bool is_last(At at) const {
    return at.block + 1 == blocks_.size() && at.slot + 1 == blocks_[at.block].count;
  }
  At before(At at) const {
    if (at.slot > 0) return {at.block, at.slot - 1};
    return {at.block - 1, blocks_[at.block - 1].count - 1};
  }
  At after(At at) const {
    if (at.slot + 1 < blocks_[at.block].count) return {at.block, at.slot + 1};
    return {at.block + 1, 0};
  }
  bool valid(At at) const { return at.block < blocks_.size(); }

  void push_back(Entry entry);
  At insert_after(At at, Entry entry);  // returns where it stands
  void erase(At at);
  void erase_after(At at, uint32_t count);  // that many entries behind `at`, which stays
  void set_clock(At at, uint32_t clock);
  void set_item(At at, Handle item) { blocks_[at.block].entries[at.slot].item = item; }
  uint64_t count_from(At at) const;  // entries at and after `at`
  uint64_t memory_bytes() const;

 private:
  static constexpr uint32_t kMaxBlock = 128;
  struct Block {
    uint32_t first = 0;  // clock of the first entry
    uint32_t count = 0;
    uint32_t capacity = 0;
    Entry* entries = nullptr;
  };
  static void reserve(Block& block, uint32_t capacity);
  std::vector<Block> blocks_;
};

}  // namespace footlight::crdt::internal
