#include "net/asio/worker.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace footlight::net {

struct Worker::Impl {
  std::string name;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::vector<Job> waiting;
  bool ending = false;
  std::thread thread;

  void run() {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    std::vector<Job> batch;
    for (;;) {
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return ending || !waiting.empty(); });
        if (waiting.empty()) return;
        batch.swap(waiting);
      }
      for (Job& job : batch) job();
      batch.clear();
    }
  }
};

Worker::Worker(std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->name = std::move(name);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Worker::~Worker() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

void Worker::post(Job job) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->waiting.push_back(std::move(job));
  }
  impl_->wake.notify_one();
}

size_t Worker::waiting() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->waiting.size();
}

}  // namespace footlight::net
