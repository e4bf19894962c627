// A shard: one thread with one event loop, and everything that lives on it. A shard owns its data;
// what crosses between shards is posted. Work comes in turns: a batch of socket events, of posted
// jobs, or a due timer. At the end of each turn the residents are asked to finish up (send what
// they gathered for other shards, drop what closed) and to say when they want to be called next:
// one timer serves them all.
#pragma once
#include <functional>
#include <memory>

#include "core/time.h"

namespace footlight::net {

using Job = std::move_only_function<void()>;

class SystemClock final : public Clock {
 public:
  MonoUs now_us() const override;
  WallMs wall_ms() const override;
};

class Resident {
 public:
  virtual ~Resident() = default;
  // At the end of each turn, on the shard's thread. Returns when it must be called again at the
  // latest (kNever: only when something happens). Work that is due is done here.
  virtual MonoUs on_turn_end(MonoUs now_us) = 0;
};

class Shard {
 public:
  struct Impl;
  explicit Shard(int index);
  ~Shard();  // stop() and join()
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  int index() const;

  // Any thread. Jobs run in the order posted, many per wake-up. Those that stop() leaves over are
  // destroyed by join(), when the thread that they belong to is no more; later ones at once.
  void post(Job job);

  void start();  // the loop on a thread of its own
  void run();    // the loop on the caller's thread, until stop()
  void stop();   // any thread; the turn under way is finished
  void join();   // after stop(), not from the shard's own thread
  bool on_this_thread() const;

  // On the shard's thread, or before start(). A resident must be removed before it goes away, and
  // not from inside its on_turn_end.
  void add_resident(Resident* resident);
  void remove_resident(Resident* resident);
  // From within a resident's on_turn_end: what it did concerns another, who is asked once more.
  void ask_turn();

  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::net
