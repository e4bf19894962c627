#include "net/asio/readiness.h"

#include <cstring>
#include <utility>

#include "net/asio/internal/poller.h"
#include "net/asio/internal/shard_impl.h"

namespace footlight::net {

struct Readiness::Impl final : Pollable {
  Impl(Poller& poller, int descriptor, std::function<bool()> on_readable,
       std::function<void()> on_writable)
      : poller(poller),
        descriptor(descriptor),
        on_readable(std::move(on_readable)),
        on_writable(std::move(on_writable)) {}
  void on_ready(uint32_t events) override {
    if (events & EPOLLOUT && on_writable) on_writable();
    // An error waits to be taken by a receive, like a datagram; the peer's end as well.
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP) && on_readable()) poller.again(this);
  }
  Poller& poller;
  int descriptor;
  std::function<bool()> on_readable;
  std::function<void()> on_writable;
};

Result<std::unique_ptr<Readiness>> Readiness::watch(Shard& shard, int descriptor,
                                                    std::function<bool()> on_readable,
                                                    std::function<void()> on_writable) {
  Poller& poller = shard.impl().poller;
  auto impl =
      std::make_unique<Impl>(poller, descriptor, std::move(on_readable), std::move(on_writable));
  if (!poller.add(descriptor, impl.get())) return fail(Code::kIo, std::strerror(errno));
  return std::unique_ptr<Readiness>(new Readiness(std::move(impl)));
}

Readiness::Readiness(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Readiness::~Readiness() {
  impl_->poller.remove(impl_->descriptor);
  impl_->poller.forget(impl_.get());
}

}  // namespace footlight::net
