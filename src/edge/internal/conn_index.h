// ConnId → slot: open addressing with linear probing and backward-shift deletion, because it is
// read for every frame and a node-based map costs a cache miss and an allocation more. At most half
// full. Keys are never 0.
#pragma once
#include <cstdint>
#include <vector>

namespace footlight::edge {

class ConnIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t find(uint64_t key) const {
    if (entries_.empty()) return kNone;
    for (size_t at = home(key);; at = (at + 1) & mask_) {
      if (entries_[at].key == key) return entries_[at].slot;
      if (entries_[at].key == 0) return kNone;
    }
  }

  void insert(uint64_t key, uint32_t slot) {
    if ((size_ + 1) * 2 > entries_.size()) grow();
    size_t at = home(key);
    while (entries_[at].key != 0) at = (at + 1) & mask_;
    entries_[at] = {key, slot};
    ++size_;
  }

  void erase(uint64_t key) {
    if (entries_.empty()) return;
    size_t at = home(key);
    while (entries_[at].key != key) {
      if (entries_[at].key == 0) return;
      at = (at + 1) & mask_;
    }
    // Pull back what was pushed over this place, so that probing needs no tombstones.
    for (size_t next = (at + 1) & mask_; entries_[next].key != 0; next = (next + 1) & mask_) {
      const size_t wanted = home(entries_[next].key);
      if (((next - wanted) & mask_) >= ((next - at) & mask_)) {
        entries_[at] = entries_[next];
        at = next;
      }
    }
    entries_[at] = {};
    --size_;
  }

  size_t size() const { return size_; }

 private:
  struct Entry {
    uint64_t key = 0;
    uint32_t slot = 0;
  };

  size_t home(uint64_t key) const { return (key * 0x9E3779B97F4A7C15ULL >> 20) & mask_; }

  void grow() {
    std::vector<Entry> old(entries_.empty() ? 64 : entries_.size() * 2);
    old.swap(entries_);
    mask_ = entries_.size() - 1;
    size_ = 0;
    for (const Entry& entry : old) {
      if (entry.key != 0) insert(entry.key, entry.slot);
    }
  }

  std::vector<Entry> entries_;
  size_t mask_ = 0;
  size_t size_ = 0;
};

}  // namespace footlight::edge
