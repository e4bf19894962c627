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
  size_t low = 0;
  if (blocks_.size() > 1) {
    if (blocks_.back().first <= clock) {
      low = blocks_.size() - 1;
    } else {
      size_t high = blocks_.size() - 1;  // first block known to begin after clock
      while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        (blocks_[middle].first <= clock ? low : high) = middle;
      }
    }
  }
  const Block& block = blocks_[low];
  uint32_t a = 0;
  uint32_t b = block.count;
  if (block.entries[b - 1].clock <= clock) {
    a = b - 1;
  } else {
    --b;
    while (b - a > 1) {
      const uint32_t middle = (a + b) / 2;
      (block.entries[middle].clock <= clock ? a : b) = middle;
    }
  }
  return {static_cast<uint32_t>(low), a};
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
