// What waits for one connection that does not read as fast as it is written to. Two lanes:
// reliable frames in order, bounded in bytes; and overwrite slots (tallies, presence, emotes, slo),
// where a later frame replaces an earlier one of the same slot, so they are bounded by their
// number. Reliable goes first; a frame that was begun is always finished.
//
// Frames are shared, never copied. A session has an OutQueue only while something waits.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/frame.h"

namespace footlight::edge {

class OutQueue {
 public:
  static constexpr size_t kMaxSlots = 80;  // beyond: the oldest slot is given up

  // A frame of which `taken` bytes are with the transport already. Only when empty.
  void start(const proto::FramePtr& frame, size_t taken);
  // False, and nothing changes, when more than `limit_bytes` would wait. One frame larger than the
  // limit is taken, and does not count: a welcome or a board may be that large.
  bool push(const proto::FramePtr& frame, size_t limit_bytes);
  void put(uint32_t slot, const proto::FramePtr& frame);
  // Gives up everything but the frame that was begun, which the peer could not do without.
  void drop_waiting();

  bool empty() const { return head_ == reliable_.size() && slots_.empty() && !current_; }
  size_t reliable_bytes() const { return reliable_bytes_; }
  size_t total_bytes() const { return reliable_bytes_ + slot_bytes_; }

  // The frame to write next, from `offset` on; nullptr when empty. It stays next until taken.
  const proto::FramePtr* front(size_t& offset);
  void taken(size_t bytes);

 private:
  std::vector<proto::FramePtr> reliable_;  // from head_ on
  size_t head_ = 0;
  std::vector<std::pair<uint32_t, proto::FramePtr>> slots_;
  proto::FramePtr current_;
  size_t offset_ = 0;
  bool current_is_reliable_ = false;
  uint32_t current_slot_ = 0;
  const proto::Frame* large_ = nullptr;  // the one frame above the limit that waits
  size_t large_bytes_ = 0;               // what waits of it
  size_t reliable_bytes_ = 0;
  size_t slot_bytes_ = 0;
};

}  // namespace footlight::edge
