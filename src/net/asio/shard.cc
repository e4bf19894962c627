#include "net/asio/shard.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "core/assert.h"
#include "net/asio/internal/shard_impl.h"

namespace footlight::net {
namespace {

namespace asio = boost::asio;
constexpr size_t kReadBufferBytes = 64 * 1024;
constexpr int kBatchesPerTurn = 4;
constexpr int kPassesPerTurn = 4;

}  // namespace

MonoUs SystemClock::now_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

WallMs SystemClock::wall_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Shard::Impl::Impl(int index)
    : index(index),
      work(io.get_executor()),
      poller_readable(io, ::dup(poller.fd())),
      timer(io),
      buffer(kReadBufferBytes) {
  wait_for_sockets();
}

void Shard::Impl::wait_for_sockets() {
  poller_readable.async_wait(asio::posix::stream_descriptor::wait_read,
                             [this](const boost::system::error_code& error) {
                               if (!error) on_sockets();
                             });
}

void Shard::Impl::on_sockets() {
  bool more = true;
  for (int batch = 0; batch < kBatchesPerTurn && more; ++batch) more = poller.dispatch();
  end_turn();
  if (more) {
    asio::post(io, [this] { on_sockets(); });
  } else {
    wait_for_sockets();
  }
}

void Shard::Impl::take_inbox() {
  {
    const std::lock_guard lock(mutex);
    running.swap(inbox);
  }
  for (Job& job : running) job();
  running.clear();
  end_turn();
}

void Shard::Impl::end_turn() {
  MonoUs due_us = kNever;
  for (int pass = 0; pass < kPassesPerTurn; ++pass) {
    asked = false;
    due_us = kNever;
    for (Resident* resident : residents) {
      due_us = std::min(due_us, resident->on_turn_end(clock.now_us()));
    }
    if (!asked) break;
  }
  arm(asked ? clock.now_us() : due_us);
  see_again();
}

// Whoever is to be called again is, also when no socket becomes ready.
void Shard::Impl::see_again() {
  if (!poller.has_again() || std::exchange(seeing_again, true)) return;
  asio::post(io, [this] {
    seeing_again = false;
    poller.dispatch();
    end_turn();
  });
}

// A timer that is armed for earlier is left alone: it fires, finds nothing due, and is armed again.
void Shard::Impl::arm(MonoUs due_us) {
  if (due_us >= armed_us) return;
  armed_us = due_us;
  timer.expires_at(std::chrono::steady_clock::time_point(std::chrono::microseconds(due_us)));
  timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    armed_us = kNever;
    end_turn();
  });
}

void Shard::Impl::run() {
  thread_id = std::this_thread::get_id();
  end_turn();
  io.run();
}

Shard::Shard(int index) : impl_(std::make_unique<Impl>(index)) {}

Shard::~Shard() {
  stop();
  join();
}

int Shard::index() const { return impl_->index; }

void Shard::post(Job job) {
  bool wake = false;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopped) return;
    wake = impl_->inbox.empty();
    impl_->inbox.push_back(std::move(job));
  }
  if (wake) asio::post(impl_->io, [impl = impl_.get()] { impl->take_inbox(); });
}

void Shard::start() {
  FL_ASSERT(!impl_->thread.joinable(), "a shard is started once");
  impl_->thread = std::thread([impl = impl_.get()] {
    pthread_setname_np(pthread_self(), ("shard-" + std::to_string(impl->index)).c_str());
    impl->run();
  });
}

void Shard::run() { impl_->run(); }

void Shard::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopped = true;
  }
  impl_->io.stop();
}

void Shard::join() {
  if (impl_->thread.joinable()) impl_->thread.join();
  // What was posted too late ends here: what it holds belongs to the thread, which is no more.
  std::vector<Job> dropped;
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopped) dropped.swap(impl_->inbox);
}

bool Shard::on_this_thread() const { return impl_->thread_id.load() == std::this_thread::get_id(); }

void Shard::add_resident(Resident* resident) { impl_->residents.push_back(resident); }

void Shard::ask_turn() { impl_->ask_turn(); }

void Shard::remove_resident(Resident* resident) { std::erase(impl_->residents, resident); }

}  // namespace footlight::net
