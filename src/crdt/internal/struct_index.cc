#include "crdt/internal/struct_index.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/assert.h"

namespace footlight::crdt::internal {

StructIndex::~StructIndex() {
  for (Block& block : blocks_) std::free(block.entries);
}

void StructIndex::reserve(Block& block, uint32_t capacity) {
  if (capacity <= block.capacity) return;
  uint32_t grown = block.capacity == 0 ? 2 : block.capacity * 2;
  grown = std::min(std::max(grown, capacity), kMaxBlock);
  auto* memory = static_cast<Entry*>(std::realloc(block.entries, grown * sizeof(Entry)));
  FL_ASSERT(memory != nullptr, "out of memory");
  block.entries = memory;
  block.capacity = grown;
}

StructIndex::At StructIndex::find(uint32_t clock) const {
  // Both searches step without branches: where the answer lies cannot be predicted.
  size_t block = 0;
  if (blocks_.size() > 1) {
    if (blocks_.back().first <= clock) {
      block = blocks_.size() - 1;
    } else {
      for (size_t n = blocks_.size(); n > 1;) {
        const size_t half = n / 2;
        block = blocks_[block + half].first <= clock ? block + half : block;
        n -= half;
      }
    }
  }
  const Entry* const entries = blocks_[block].entries;
  const Entry* at = entries;
  for (uint32_t n = blocks_[block].count; n > 1;) {
    const uint32_t half = n / 2;
    at = at[half].clock <= clock ? at + half : at;
    n -= half;
  }
  return {static_cast<uint32_t>(block), static_cast<uint32_t>(at - entries)};
}

void StructIndex::push_back(Entry entry) {
  if (blocks_.empty() || blocks_.back().count == kMaxBlock) {
    blocks_.push_back(Block{entry.clock, 0, 0, nullptr});
  }
  Block& block = blocks_.back();
  reserve(block, block.count + 1);
  block.entries[block.count++] = entry;
}

StructIndex::At StructIndex::insert_after(At at, Entry entry) {
  if (is_last(at)) {
    push_back(entry);
    return last();
  }
  if (blocks_[at.block].count == kMaxBlock) {
    const uint32_t half = kMaxBlock / 2;
    Block upper;
    reserve(upper, half + 1);
    std::memcpy(upper.entries, blocks_[at.block].entries + half, half * sizeof(Entry));
    upper.count = kMaxBlock - half;
    upper.first = upper.entries[0].clock;
    blocks_[at.block].count = half;
    blocks_.insert(blocks_.begin() + at.block + 1, upper);
    if (at.slot >= half) at = {at.block + 1, at.slot - half};
  }
  Block& block = blocks_[at.block];
  reserve(block, block.count + 1);
  const uint32_t slot = at.slot + 1;
  std::memmove(block.entries + slot + 1, block.entries + slot,
               (block.count - slot) * sizeof(Entry));
  block.entries[slot] = entry;
  ++block.count;
  return {at.block, slot};
}

void StructIndex::erase(At at) {
  Block& block = blocks_[at.block];
  std::memmove(block.entries + at.slot, block.entries + at.slot + 1,
               (block.count - at.slot - 1) * sizeof(Entry));
  if (--block.count == 0) {
    std::free(block.entries);
    blocks_.erase(blocks_.begin() + at.block);
    return;
  }
  if (at.slot == 0) block.first = block.entries[0].clock;
  // Blocks that shrank flow together, so that their number follows what they hold.
  if (block.count < kMaxBlock / 4 && at.block + 1 < blocks_.size()) {
    Block& next = blocks_[at.block + 1];
    if (block.count + next.count <= kMaxBlock / 2) {
      reserve(block, block.count + next.count);
      std::memcpy(block.entries + block.count, next.entries, next.count * sizeof(Entry));
      block.count += next.count;
      std::free(next.entries);
      blocks_.erase(blocks_.begin() + at.block + 1);
    }
  }
}

void StructIndex::erase_after(At at, uint32_t count) {
  // What is left of this block, whole blocks, then the front of one.
  Block& block = blocks_[at.block];
  const uint32_t here = std::min(count, block.count - at.slot - 1);
  std::memmove(block.entries + at.slot + 1, block.entries + at.slot + 1 + here,
               (block.count - at.slot - 1 - here) * sizeof(Entry));
  block.count -= here;
  count -= here;
  size_t next = at.block + 1;
  while (count > 0 && blocks_[next].count <= count) {
    count -= blocks_[next].count;
    std::free(blocks_[next].entries);
    ++next;
  }
  blocks_.erase(blocks_.begin() + at.block + 1,
                blocks_.begin() + static_cast<std::ptrdiff_t>(next));
  if (count == 0) return;
  Block& last = blocks_[at.block + 1];
  std::memmove(last.entries, last.entries + count, (last.count - count) * sizeof(Entry));
  last.count -= count;
  last.first = last.entries[0].clock;
}

void StructIndex::set_clock(At at, uint32_t clock) {
  blocks_[at.block].entries[at.slot].clock = clock;
  if (at.slot == 0) blocks_[at.block].first = clock;
}

uint64_t StructIndex::count_from(At at) const {
  uint64_t count = blocks_[at.block].count - at.slot;
  for (size_t i = at.block + 1; i < blocks_.size(); ++i) count += blocks_[i].count;
  return count;
}

uint64_t StructIndex::memory_bytes() const {
  uint64_t bytes = blocks_.capacity() * sizeof(Block);
  for (const Block& block : blocks_) bytes += block.capacity * sizeof(Entry);
  return bytes;
}

}  // namespace footlight::crdt::internal
