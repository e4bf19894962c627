// Memory for the contents of items: size classes a third to a half apart, carved from chunks that
// grow with the document; large contents stand alone. All of it belongs to one document and is
// given back with it.
#pragma once
#include <cstdint>
#include <vector>

namespace footlight::crdt::internal {

class Heap {
 public:
  static constexpr uint8_t kLarge = 255;  // the class of blocks that stand alone

  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  // At least `size` bytes; `size_class` is to be kept for the other calls.
  uint8_t* make(uint32_t size, uint8_t& size_class);
  void free(uint8_t* block, uint8_t size_class);
  uint32_t capacity(const uint8_t* block, uint8_t size_class) const;
  uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  static constexpr int kClasses = 14;  // 16, 24, 32, 48, ... 1536
  static uint32_t class_bytes(int size_class) {
    const uint32_t base = 16u << (size_class / 2);
    return size_class % 2 == 0 ? base : base + base / 2;
  }
  static int class_for(uint32_t size);

  std::vector<void*> chunks_;
  uint8_t* free_[kClasses] = {};
  uint8_t* at_ = nullptr;
  uint32_t left_ = 0;
  uint32_t next_chunk_ = 1024;
  uint64_t memory_bytes_ = 0;
  // Blocks that stand alone, in a list through their headers, so that they can be given back.
  struct alignas(16) Large {
    Large* before;
    Large* after;
    uint32_t capacity;
  };
  Large* large_ = nullptr;
};

}  // namespace footlight::crdt::internal
