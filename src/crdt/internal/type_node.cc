#include "crdt/internal/type_node.h"

#include <bit>

namespace footlight::crdt::internal {
namespace {
constexpr size_t kScan = 8;  // so many keys are searched one by one

size_t slot_of(uint32_t key, size_t mask) { return (key * 0x9E3779B1u >> 7) & mask; }
}  // namespace

MapTable::Entry* MapTable::find(uint32_t key) {
  if (entries_.size() <= kScan) {
    for (Entry& entry : entries_) {
      if (entry.key == key) return &entry;
    }
    return nullptr;
  }
  const size_t mask = slots_.size() - 1;
  for (size_t i = slot_of(key, mask);; i = (i + 1) & mask) {
    if (slots_[i] == kNone) return nullptr;
    if (entries_[slots_[i]].key == key) return &entries_[slots_[i]];
  }
}

MapTable::Entry& MapTable::get(uint32_t key) {
  if (Entry* entry = find(key); entry != nullptr) return *entry;
  entries_.push_back({key, kNone, kNone, 0});
  if (entries_.size() > kScan) {
    if (entries_.size() * 2 > slots_.size()) {
      rebuild();
    } else {
      const size_t mask = slots_.size() - 1;
      size_t i = slot_of(key, mask);
      while (slots_[i] != kNone) i = (i + 1) & mask;
      slots_[i] = static_cast<uint32_t>(entries_.size() - 1);
    }
  }
  return entries_.back();
}

void MapTable::rebuild() {
  slots_.assign(std::bit_ceil(entries_.size() * 4), kNone);
  const size_t mask = slots_.size() - 1;
  for (uint32_t e = 0; e < entries_.size(); ++e) {
    size_t i = slot_of(entries_[e].key, mask);
    while (slots_[i] != kNone) i = (i + 1) & mask;
    slots_[i] = e;
  }
}

}  // namespace footlight::crdt::internal
