#include "network.h"

#include <algorithm>
#include <utility>

namespace footlight::sim {

MonoUs Link::delay() {
  return quality_.latency_us +
         static_cast<MonoUs>(random_.below(static_cast<uint64_t>(quality_.jitter_us) + 1));
}

void Link::send(std::string text) {
  if (!up_ || closing_) return;
  last_up_us_ = std::max(last_up_us_ + 1, scheduler_.now_us() + delay());
  scheduler_.at(last_up_us_, [self = shared_from_this(), text = std::move(text)] {
    if (self->up_ && self->edge_ != nullptr) self->edge_->link_frame(*self, text);
  });
}

void Link::send_binary(std::string bytes) {
  if (!up_ || closing_) return;
  last_up_us_ = std::max(last_up_us_ + 1, scheduler_.now_us() + delay());
  scheduler_.at(last_up_us_, [self = shared_from_this(), bytes = std::move(bytes)] {
    if (self->up_ && self->edge_ != nullptr) self->edge_->link_binary(*self, bytes);
  });
}

void Link::hang_up() {
  if (!up_) return;
  client_ = nullptr;
  last_up_us_ = std::max(last_up_us_ + 1, scheduler_.now_us() + delay());
  scheduler_.at(last_up_us_, [self = shared_from_this()] {
    self->up_ = false;
    self->tell_edge(0);
  });
}

void Link::stall(MonoUs until_us) {
  free_us_ = std::max(free_us_, until_us);
  last_up_us_ = std::max(last_up_us_, until_us);
  last_down_us_ = std::max(last_down_us_, until_us);
}

void Link::cut(MonoUs client_us, MonoUs edge_us) {
  if (!up_) return;
  up_ = false;
  tell_client(Code::kOk, client_us);
  tell_edge(edge_us);
}

void Link::edge_died() {
  edge_ = nullptr;
  cut(delay(), kNever);
}

void Link::tell_client(Code code, MonoUs after_us) {
  if (after_us == kNever) return;
  scheduler_.after(after_us, [self = shared_from_this(), code] {
    if (self->client_ != nullptr) std::exchange(self->client_, nullptr)->on_gone(code);
  });
}

void Link::tell_edge(MonoUs after_us) {
  if (after_us == kNever) return;
  scheduler_.after(after_us, [self = shared_from_this()] {
    if (self->edge_ != nullptr) std::exchange(self->edge_, nullptr)->link_closed(*self);
  });
}

void Link::drain(MonoUs now_us) {
  while (!buffered_.empty() && buffered_.front().leaves_us <= now_us) {
    buffered_bytes_ -= buffered_.front().bytes;
    buffered_.pop_front();
  }
}

void Link::wake_writer() {
  if (wake_planned_ || buffered_.empty()) return;
  wake_planned_ = true;
  // As a kernel does: room is announced once half of the buffer is free.
  size_t left = buffered_bytes_;
  MonoUs when_us = 0;
  for (const Chunk& chunk : buffered_) {
    left -= chunk.bytes;
    when_us = chunk.leaves_us;
    if (left <= quality_.buffer_bytes / 2) break;
  }
  scheduler_.at(when_us, [self = shared_from_this()] {
    self->wake_planned_ = false;
    if (!self->up_ || !self->blocked_) return;
    self->drain(self->scheduler_.now_us());
    self->blocked_ = false;
    if (self->edge_ != nullptr) self->edge_->link_writable(*self);
  });
}

size_t Link::write(const proto::FramePtr& frame, size_t offset) {
  const MonoUs now_us = scheduler_.now_us();
  const size_t size = frame->wire().size();
  if (current_ != nullptr ? (frame != current_ || offset != current_taken_) : offset != 0) {
    misuse_ = "a frame was written out of turn";
  }
  if (closing_) misuse_ = "written to after close";
  // A peer that is gone and not yet noticed: the kernel's buffer takes it until it is full.
  drain(up_ ? now_us : 0);
  const size_t room = quality_.buffer_bytes - std::min(quality_.buffer_bytes, buffered_bytes_);
  const size_t take = std::min(room, size - offset);
  if (take < size - offset) blocked_ = true;
  if (take > 0) {
    const auto wire_us = static_cast<MonoUs>(take * kUsPerSecond / quality_.bytes_per_s);
    free_us_ = std::max(free_us_, now_us) + wire_us;
    buffered_.push_back({free_us_, take});
    buffered_bytes_ += take;
  }
  current_ = offset + take < size ? frame : nullptr;
  current_taken_ = offset + take;
  if (take == 0) current_ = offset == 0 ? nullptr : frame;
  if (blocked_) wake_writer();
  if (take > 0 && offset + take == size && up_) {
    last_down_us_ = std::max(last_down_us_ + 1, free_us_ + delay());
    scheduler_.at(last_down_us_, [self = shared_from_this(), frame] {
      if (!self->up_ || self->client_ == nullptr) return;
      if (frame->is_binary()) return self->client_->on_binary(frame->json());
      self->client_->on_frame(frame->json());
    });
  }
  return take;
}

void Link::close(Code code) {
  if (closing_) misuse_ = "closed twice";
  closing_ = true;
  tell_edge(1);
  if (!up_) return;
  last_down_us_ = std::max(last_down_us_ + 1, std::max(free_us_, scheduler_.now_us()) + delay());
  scheduler_.at(last_down_us_, [self = shared_from_this(), code] {
    if (!self->up_) return;
    self->up_ = false;
    if (self->client_ != nullptr) std::exchange(self->client_, nullptr)->on_gone(code);
  });
}

}  // namespace footlight::sim
