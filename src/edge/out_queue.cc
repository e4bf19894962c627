#include "edge/out_queue.h"

#include "core/assert.h"

namespace footlight::edge {

void OutQueue::start(const proto::FramePtr& frame, size_t taken) {
  FL_ASSERT(empty(), "a frame is begun only on an idle connection");
  current_ = frame;
  offset_ = taken;
  current_is_reliable_ = true;
  reliable_bytes_ += frame->wire().size() - taken;
}

bool OutQueue::push(const proto::FramePtr& frame, size_t limit_bytes) {
  const size_t size = frame->wire().size();
  if (large_ == nullptr && current_ && current_is_reliable_ &&
      current_->wire().size() > limit_bytes) {
    large_ = current_.get();
    large_bytes_ = current_->wire().size() - offset_;
  }
  if (size > limit_bytes) {
    if (large_ != nullptr) return false;
    large_ = frame.get();
    large_bytes_ = size;
  } else if (reliable_bytes_ - large_bytes_ + size > limit_bytes) {
    return false;
  }
  reliable_.push_back(frame);
  reliable_bytes_ += size;
  return true;
}

void OutQueue::put(uint32_t slot, const proto::FramePtr& frame) {
  if (current_ && !current_is_reliable_ && offset_ == 0 && current_slot_ == slot) {
    slot_bytes_ += frame->wire().size();
    slot_bytes_ -= current_->wire().size();
    current_ = frame;
    return;
  }
  for (auto& [known, waiting] : slots_) {
    if (known != slot) continue;
    slot_bytes_ += frame->wire().size();
    slot_bytes_ -= waiting->wire().size();
    waiting = frame;
    return;
  }
  if (slots_.size() == kMaxSlots) {
    slot_bytes_ -= slots_.front().second->wire().size();
    slots_.erase(slots_.begin());
  }
  slots_.emplace_back(slot, frame);
  slot_bytes_ += frame->wire().size();
}

void OutQueue::drop_waiting() {
  reliable_.clear();
  head_ = 0;
  slots_.clear();
  reliable_bytes_ = 0;
  slot_bytes_ = 0;
  if (current_ && offset_ == 0) current_.reset();
  if (!current_ || current_.get() != large_) {
    large_ = nullptr;
    large_bytes_ = 0;
  }
  if (current_) {
    (current_is_reliable_ ? reliable_bytes_ : slot_bytes_) = current_->wire().size() - offset_;
  }
}

const proto::FramePtr* OutQueue::front(size_t& offset) {
  if (!current_) {
    if (head_ < reliable_.size()) {
      current_ = std::move(reliable_[head_++]);
      current_is_reliable_ = true;
      // Half of it spent: close the gap, or a queue that never empties would grow for ever.
      if (head_ * 2 >= reliable_.size()) {
        reliable_.erase(reliable_.begin(), reliable_.begin() + static_cast<ptrdiff_t>(head_));
        head_ = 0;
      }
    } else if (!slots_.empty()) {
      current_slot_ = slots_.front().first;
      current_ = std::move(slots_.front().second);
      slots_.erase(slots_.begin());
      current_is_reliable_ = false;
    } else {
      return nullptr;
    }
    offset_ = 0;
  }
  offset = offset_;
  return &current_;
}

void OutQueue::taken(size_t bytes) {
  FL_ASSERT(current_ && offset_ + bytes <= current_->wire().size(), "taken what is next");
  offset_ += bytes;
  (current_is_reliable_ ? reliable_bytes_ : slot_bytes_) -= bytes;
  if (current_.get() == large_) large_bytes_ -= bytes;
  if (offset_ == current_->wire().size()) {
    if (current_.get() == large_) large_ = nullptr;
    current_.reset();
    offset_ = 0;
  }
}

}  // namespace footlight::edge
