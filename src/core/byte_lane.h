// A lane between two threads: one writes records into it, the other reads them in the same order.
// Neither ever waits. A record is written where it will be read and is gone from the lane when the
// reader has popped it; nothing is allocated but the lane's memory, at the first record.
//
// A lane that is full takes nothing: its writer drops what it has and counts it. So its bytes are
// the bound of what is on its way between the two.
//
// The lane does not wake the reader. Whoever wrote asks wake(), and says by other means that there
// is something to read when it is true: once for any number of records, until the reader comes.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/bytes.h"

namespace footlight {

class ByteLane {
 public:
  // A power of two, at least 1 KiB; records take 8 bytes more than they have, rounded up to 8.
  explicit ByteLane(size_t bytes);
  ByteLane(const ByteLane&) = delete;
  ByteLane& operator=(const ByteLane&) = delete;

  // --- the writer's thread
  // Where the next record of `size` bytes is to be written, in one piece; empty when there is no
  // room for it, with `spare` bytes left over for others. Follow it by commit(), or by another
  // room().
  std::span<uint8_t> room(size_t size, size_t spare = 0);
  void commit();
  // After the last commit() of a batch: whether the reader has to be told.
  bool wake() { return !woken_.exchange(true, std::memory_order_acq_rel); }

  // --- the reader's thread
  // First of all when it comes: what is committed from here on wakes it anew.
  void begin() { woken_.exchange(false, std::memory_order_acq_rel); }
  // The oldest record, until pop(); nullopt: there is none.
  std::optional<ByteView> front();
  void pop();

  size_t capacity() const { return mask_ + 1; }

 private:
  const uint64_t mask_;
  // Written once by the writer, before the first record is committed.
  std::unique_ptr<uint8_t[]> memory_;
  uint64_t next_ = 0;       // the writer's: where the tail will be after commit()
  uint64_t seen_head_ = 0;  // the writer's: what it knows of the reader
  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<bool> woken_{false};
};

}  // namespace footlight
