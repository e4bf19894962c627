#include "core/byte_lane.h"

#include <cstring>

#include "core/assert.h"

namespace footlight {
namespace {

constexpr size_t kHead = 8;
constexpr size_t kLeastBytes = 1024;
constexpr uint64_t kToTheStart = UINT64_MAX;  // in place of a size: the rest is not used

constexpr size_t whole(size_t size) { return kHead + ((size + 7) & ~size_t{7}); }

}  // namespace

ByteLane::ByteLane(size_t bytes) : mask_(bytes - 1) {
  FL_ASSERT(bytes >= kLeastBytes && (bytes & mask_) == 0, "a lane's bytes are a power of two");
}

std::span<uint8_t> ByteLane::room(size_t size, size_t spare) {
  if (size > capacity()) return {};
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  const size_t at = tail & mask_, to_end = capacity() - at;
  const size_t need = whole(size);
  // A record lies in one piece: where the end is too near, it begins anew at the start.
  const size_t skip = need <= to_end ? 0 : to_end;
  const auto fits = [&] { return capacity() - (tail - seen_head_) >= skip + need + spare; };
  if (!fits()) {
    seen_head_ = head_.load(std::memory_order_acquire);
    if (!fits()) return {};
  }
  if (!memory_) memory_ = std::make_unique_for_overwrite<uint8_t[]>(capacity());
  if (skip > 0) std::memcpy(&memory_[at], &kToTheStart, kHead);
  uint8_t* const to = &memory_[skip > 0 ? 0 : at];
  const uint64_t head = size;
  std::memcpy(to, &head, kHead);
  next_ = tail + skip + need;
  return {to + kHead, size};
}

void ByteLane::commit() { tail_.store(next_, std::memory_order_release); }

std::optional<ByteView> ByteLane::front() {
  uint64_t head = head_.load(std::memory_order_relaxed);
  if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
  uint64_t size = 0;
  std::memcpy(&size, &memory_[head & mask_], kHead);
  if (size == kToTheStart) {
    head += capacity() - (head & mask_);
    head_.store(head, std::memory_order_release);
    std::memcpy(&size, &memory_[0], kHead);
  }
  return ByteView(&memory_[(head & mask_) + kHead], size);
}

void ByteLane::pop() {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  uint64_t size = 0;
  std::memcpy(&size, &memory_[head & mask_], kHead);
  FL_ASSERT(size != kToTheStart, "what is popped was the front");
  head_.store(head + whole(size), std::memory_order_release);
}

}  // namespace footlight
