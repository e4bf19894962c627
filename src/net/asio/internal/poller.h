// The long-lived sockets of a shard, edge-triggered, in an epoll set of their own that hangs in
// Asio's. Asio's own waits cost an allocation and an epoll_ctl for each readiness; here a socket is
// registered once, for both directions, and a readiness costs its share of one epoll_wait.
#pragma once
#include <sys/epoll.h>

#include <cstdint>
#include <vector>

namespace footlight::net {

class Pollable {
 public:
  // EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR as they newly became true. A pollable that
  // was removed may be called once more in the same turn; it must live until the turn's end.
  virtual void on_ready(uint32_t events) = 0;

 protected:
  ~Pollable() = default;
};

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  int fd() const { return fd_; }
  bool add(int fd, Pollable* pollable);
  void remove(int fd);
  // `pollable` has more to read than it should at once: it is called with EPOLLIN in the next
  // batch, after the others.
  void again(Pollable* pollable) { again_.push_back(pollable); }
  bool has_again() const { return !again_.empty(); }
  void forget(Pollable* pollable);
  // Calls one batch. True when there may be more.
  bool dispatch();

 private:
  int fd_;
  std::vector<epoll_event> events_;
  std::vector<Pollable*> again_;
  std::vector<Pollable*> turn_;
};

}  // namespace footlight::net
