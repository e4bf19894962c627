// What leaves in one turn: datagrams written one behind the other into one piece of memory, those
// to the same peer next to each other, so that the shell can hand a whole run of them to the kernel
// in one call (UDP_SEGMENT) or a few.
//
// Bounded by its two capacities. Whoever sets a drain gets what waits when it is enough for a few
// calls, between two peers: so a turn may bring more than fits, and what was just encrypted is
// still in the cache when the kernel reads it. Without one, what does not fit is dropped and
// counted, as a full network would.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/assert.h"
#include "core/bytes.h"
#include "rtc/address.h"

namespace footlight::rtc {

// Datagrams to one peer, in order: the i-th has sizes[i] bytes and lies behind the one before.
struct SendBatch {
  Path path;
  ByteView bytes;
  std::span<const uint16_t> sizes;
};

class DatagramOut {
 public:
  DatagramOut(size_t bytes, size_t datagrams)
      : slab_(std::make_unique_for_overwrite<uint8_t[]>(bytes)), slab_bytes_(bytes) {
    sizes_.reserve(datagrams);
    groups_.reserve(datagrams);
  }

  // `drain` sends what waits and clears: called within room() when `bytes` or more wait and the
  // next datagram goes to another peer, and when nothing more fits.
  void set_drain(size_t bytes, std::function<void()> drain) {
    drain_at_ = bytes;
    drain_ = std::move(drain);
  }

  // Where to write the next datagram to `path`, of at most `size` bytes; empty when there is no
  // room. Follow it by commit() with what was written, or by another room().
  std::span<uint8_t> room(const Path& path, size_t size) {
    if (drain_ && !empty() &&
        (is_full(size) || (used_ >= drain_at_ && groups_.back().path != path))) {
      drain_();
    }
    if (is_full(size)) {
      ++dropped_;
      return {};
    }
    next_ = path;
    return {slab_.get() + used_, size};
  }
  void commit(size_t size) {
    FL_ASSERT(size <= UINT16_MAX && used_ + size <= slab_bytes_, "more was written than fits");
    if (groups_.empty() || groups_.back().path != next_) {
      groups_.push_back({next_, used_, sizes_.size()});
    }
    sizes_.push_back(static_cast<uint16_t>(size));
    used_ += size;
  }

  bool empty() const { return sizes_.empty(); }
  size_t datagram_count() const { return sizes_.size(); }
  size_t batch_count() const { return groups_.size(); }
  SendBatch batch(size_t index) const {
    const Group& group = groups_[index];
    const bool last = index + 1 == groups_.size();
    const size_t end = last ? used_ : groups_[index + 1].at;
    const size_t end_size = last ? sizes_.size() : groups_[index + 1].first;
    return {group.path,
            {slab_.get() + group.at, end - group.at},
            {sizes_.data() + group.first, end_size - group.first}};
  }
  void clear() {
    sizes_.clear();
    groups_.clear();
    used_ = 0;
  }
  uint64_t dropped() const { return dropped_; }

 private:
  bool is_full(size_t size) const {
    return slab_bytes_ - used_ < size || sizes_.size() == sizes_.capacity();
  }

  struct Group {
    Path path;
    size_t at, first;  // in slab_ and sizes_
  };
  std::unique_ptr<uint8_t[]> slab_;  // not written before it is used
  size_t slab_bytes_;
  std::vector<uint16_t> sizes_;
  std::vector<Group> groups_;
  size_t used_ = 0;
  Path next_;
  uint64_t dropped_ = 0;
  size_t drain_at_ = 0;
  std::function<void()> drain_;
};

}  // namespace footlight::rtc
