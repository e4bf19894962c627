// Slabs of equal objects named by 32-bit handles. Handles stay valid while the object lives; a slab
// whose objects are all free goes back to the system, so a document that shrinks gives memory back.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <vector>

#include "core/assert.h"

namespace footlight::crdt::internal {

inline constexpr uint32_t kNone = 0xFFFFFFFF;

template <class T, int kBits>
class Pool {
 public:
  static_assert(std::is_trivially_destructible_v<T> && sizeof(T) >= sizeof(uint32_t));
  static constexpr uint32_t kPerSlab = 1u << kBits;

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    for (T* slab : slabs_) std::free(slab);
  }

  T& operator[](uint32_t handle) { return slabs_[handle >> kBits][handle & (kPerSlab - 1)]; }
  const T& operator[](uint32_t handle) const {
    return slabs_[handle >> kBits][handle & (kPerSlab - 1)];
  }

  uint32_t make() {
    if (ready_ == kNone) add_slab();
    const uint32_t slab = ready_;
    Meta& meta = metas_[slab];
    uint32_t slot;
    if (meta.free != kNone) {
      slot = meta.free;
      meta.free = *reinterpret_cast<uint32_t*>(&slabs_[slab][slot]);
    } else {
      slot = meta.fresh++;
    }
    if (++meta.live == kPerSlab) unlink(slab);
    ++live_;
    new (&slabs_[slab][slot]) T{};
    return (slab << kBits) | slot;
  }

  void free(uint32_t handle) {
    const uint32_t slab = handle >> kBits;
    const uint32_t slot = handle & (kPerSlab - 1);
    Meta& meta = metas_[slab];
    if (meta.live-- == kPerSlab) link(slab);
    --live_;
    if (meta.live == 0) {
      unlink(slab);
      std::free(slabs_[slab]);
      slabs_[slab] = nullptr;
      empty_.push_back(slab);
      return;
    }
    *reinterpret_cast<uint32_t*>(&slabs_[slab][slot]) = meta.free;
    meta.free = slot;
  }

  uint32_t live() const { return live_; }
  uint64_t memory_bytes() const {
    return (slabs_.size() - empty_.size()) * kPerSlab * sizeof(T) + slabs_.capacity() * sizeof(T*) +
           metas_.capacity() * sizeof(Meta);
  }

 private:
  struct Meta {
    uint32_t free = kNone;  // list of freed slots
    uint32_t fresh = 0;     // slots from here on were never used
    uint32_t live = 0;
    uint32_t before = kNone;  // neighbours among slabs with room
    uint32_t after = kNone;
  };

  void add_slab() {
    T* memory = static_cast<T*>(std::malloc(sizeof(T) * kPerSlab));
    FL_ASSERT(memory != nullptr, "out of memory");
    uint32_t slab;
    if (!empty_.empty()) {
      slab = empty_.back();
      empty_.pop_back();
      slabs_[slab] = memory;
      metas_[slab] = Meta{};
    } else {
      slab = static_cast<uint32_t>(slabs_.size());
      FL_ASSERT(slab < (kNone >> kBits), "handles exhausted");
      slabs_.push_back(memory);
      metas_.push_back(Meta{});
    }
    link(slab);
  }
  void link(uint32_t slab) {
    metas_[slab].before = kNone;
    metas_[slab].after = ready_;
    if (ready_ != kNone) metas_[ready_].before = slab;
    ready_ = slab;
  }
  void unlink(uint32_t slab) {
    const Meta meta = metas_[slab];
    if (meta.before != kNone) {
      metas_[meta.before].after = meta.after;
    } else {
      ready_ = meta.after;
    }
    if (meta.after != kNone) metas_[meta.after].before = meta.before;
  }

  std::vector<T*> slabs_;
  std::vector<Meta> metas_;
  std::vector<uint32_t> empty_;
  uint32_t ready_ = kNone;
  uint32_t live_ = 0;
};

}  // namespace footlight::crdt::internal
