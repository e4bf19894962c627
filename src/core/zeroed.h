// Arrays of zeros that cost nothing until they are used: the system gives zeroed pages as they are
// first written, so a table of many megabytes is made in microseconds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "core/assert.h"

namespace footlight {

// `size` values whose bytes are all zero. A moved one is not used any more; aborts when there is no
// memory.
template <class T>
class Zeroed {
  static_assert(std::is_aggregate_v<T> && std::is_trivially_destructible_v<T> &&
                    std::is_trivially_copyable_v<T>,
                "zeroed memory is a T");

 public:
  explicit Zeroed(size_t size) : size_(size), memory_(std::calloc(size + 1, sizeof(T))) {
    FL_ASSERT(memory_ != nullptr, "out of memory");
    const auto at = reinterpret_cast<uintptr_t>(memory_.get());
    first_ = reinterpret_cast<T*>((at + alignof(T) - 1) / alignof(T) * alignof(T));
  }

  size_t size() const { return size_; }
  T& operator[](size_t index) { return first_[index]; }
  const T& operator[](size_t index) const { return first_[index]; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  size_t size_;
  std::unique_ptr<void, Free> memory_;  // one more than is asked for, where to align the first
  T* first_;
};

}  // namespace footlight
