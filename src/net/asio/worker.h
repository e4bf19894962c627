// A thread for work that waits: disk syncs, webhooks. Jobs run one after another in the order
// posted; what comes of one goes back by Shard::post. Destruction runs what was posted, then joins.
#pragma once
#include <memory>
#include <string>

#include "net/asio/shard.h"

namespace footlight::net {

class Worker {
 public:
  explicit Worker(std::string name);  // shown by the system, 15 characters of it
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  void post(Job job);      // any thread
  size_t waiting() const;  // jobs not begun; any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::net
