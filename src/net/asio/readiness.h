// Waiting on a shard for a socket that is not one of the server's connections: a UDP port, a
// connection that carries media.
#pragma once
#include <functional>
#include <memory>

#include "core/result.h"
#include "net/asio/shard.h"

namespace footlight::net {

// Calls `on_readable` on the shard's thread whenever the descriptor has newly become readable. It
// answers whether it left something to be read; then it is called again in the next batch, after
// the shard's other sockets. `on_writable`: there is room again. Made and destroyed on the shard's
// thread, or while the shard is not running, and never within one of its calls; the descriptor is
// the caller's and outlives it.
class Readiness {
 public:
  // kIo.
  static Result<std::unique_ptr<Readiness>> watch(Shard& shard, int descriptor,
                                                  std::function<bool()> on_readable,
                                                  std::function<void()> on_writable = {});
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

 private:
  struct Impl;
  explicit Readiness(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::net
