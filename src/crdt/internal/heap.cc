#include "crdt/internal/heap.h"

#include <bit>
#include <cstdlib>
#include <cstring>

#include "core/assert.h"

namespace footlight::crdt::internal {
namespace {
constexpr uint32_t kMaxChunk = 64 * 1024;
}

Heap::~Heap() {
  for (void* chunk : chunks_) std::free(chunk);
  while (large_ != nullptr) {
    Large* next = large_->after;
    std::free(large_);
    large_ = next;
  }
}

int Heap::class_for(uint32_t size) {
  if (size <= 16) return 0;
  const int power = std::bit_width(size - 1) - 1;  // 2^power < size <= 2^(power+1)
  const uint32_t base = 1u << power;
  return (power - 4) * 2 + (size <= base + base / 2 ? 1 : 2);
}

uint8_t* Heap::make(uint32_t size, uint8_t& size_class) {
  const int wanted = class_for(size);
  if (wanted >= kClasses) {
    auto* large = static_cast<Large*>(std::malloc(sizeof(Large) + size));
    FL_ASSERT(large != nullptr, "out of memory");
    *large = {nullptr, large_, size};
    if (large_ != nullptr) large_->before = large;
    large_ = large;
    memory_bytes_ += sizeof(Large) + size;
    size_class = kLarge;
    return reinterpret_cast<uint8_t*>(large + 1);
  }
  size_class = static_cast<uint8_t>(wanted);
  if (uint8_t* block = free_[wanted]; block != nullptr) {
    std::memcpy(&free_[wanted], block, sizeof(uint8_t*));
    return block;
  }
  const uint32_t bytes = class_bytes(wanted);
  if (left_ < bytes) {
    // What is left of the old chunk serves the smaller classes.
    for (int c = kClasses - 1; c >= 0; --c) {
      while (left_ >= class_bytes(c)) {
        std::memcpy(at_, &free_[c], sizeof(uint8_t*));
        free_[c] = at_;
        at_ += class_bytes(c);
        left_ -= class_bytes(c);
      }
    }
    while (next_chunk_ < bytes) next_chunk_ *= 2;
    at_ = static_cast<uint8_t*>(std::malloc(next_chunk_));
    FL_ASSERT(at_ != nullptr, "out of memory");
    chunks_.push_back(at_);
    left_ = next_chunk_;
    memory_bytes_ += next_chunk_;
    if (next_chunk_ < kMaxChunk) next_chunk_ *= 2;
  }
  uint8_t* block = at_;
  at_ += bytes;
  left_ -= bytes;
  return block;
}

void Heap::free(uint8_t* block, uint8_t size_class) {
  if (size_class == kLarge) {
    Large* large = reinterpret_cast<Large*>(block) - 1;
    if (large->before != nullptr) {
      large->before->after = large->after;
    } else {
      large_ = large->after;
    }
    if (large->after != nullptr) large->after->before = large->before;
    memory_bytes_ -= sizeof(Large) + large->capacity;
    std::free(large);
    return;
  }
  std::memcpy(block, &free_[size_class], sizeof(uint8_t*));
  free_[size_class] = block;
}

uint32_t Heap::capacity(const uint8_t* block, uint8_t size_class) const {
  if (size_class == kLarge) return (reinterpret_cast<const Large*>(block) - 1)->capacity;
  return class_bytes(size_class);
}

}  // namespace footlight::crdt::internal
