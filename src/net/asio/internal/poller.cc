#include "net/asio/internal/poller.h"

#include <unistd.h>

#include <algorithm>

#include "core/assert.h"

namespace footlight::net {
namespace {
constexpr size_t kBatch = 512;
}

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)), events_(kBatch) {
  FL_ASSERT(fd_ >= 0, "no epoll: out of file descriptors at start");
}

Poller::~Poller() { ::close(fd_); }

bool Poller::add(int fd, Pollable* pollable) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = pollable;
  return epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::remove(int fd) { epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr); }

void Poller::forget(Pollable* pollable) {
  std::ranges::replace(again_, pollable, nullptr);
  std::ranges::replace(turn_, pollable, nullptr);
}

bool Poller::dispatch() {
  const int count = epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), 0);
  turn_.swap(again_);
  for (int i = 0; i < count; ++i) {
    static_cast<Pollable*>(events_[i].data.ptr)->on_ready(events_[i].events);
  }
  for (size_t i = 0; i < turn_.size(); ++i) {
    if (turn_[i] != nullptr) turn_[i]->on_ready(EPOLLIN);
  }
  turn_.clear();
  return count == static_cast<int>(events_.size()) || !again_.empty();
}

}  // namespace footlight::net
