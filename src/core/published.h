// The newest of something immutable: one thread stores a shared pointer, any thread loads it. What
// is loaded stays as it is for as long as it is held.
//
// It is what std::atomic<std::shared_ptr> is for. But libstdc++ 12's gives up its lock after a load
// with memory_order_relaxed, so that nothing orders its reading of the pointer before the next
// store's writing of it: on a weakly ordered processor pointer and count may be of two values.
#pragma once
#include <atomic>
#include <memory>
#include <utility>

namespace footlight {

template <class T>
class Published {
 public:
  // Any thread. Null before the first store().
  std::shared_ptr<const T> load() const {
    const Hold hold(held_);
    return newest_;
  }
  void store(std::shared_ptr<const T> value) {
    const Hold hold(held_);
    newest_.swap(value);  // what was there before ends with `value`, after the hold
  }

 private:
  // Held for the copying of a pointer: others wait for no more than that.
  class Hold {
   public:
    explicit Hold(std::atomic_flag& held) : held_(held) {
      while (held_.test_and_set(std::memory_order_acquire)) {
        held_.wait(true, std::memory_order_relaxed);
      }
    }
    ~Hold() {
      held_.clear(std::memory_order_release);
      held_.notify_one();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    std::atomic_flag& held_;
  };
  mutable std::atomic_flag held_;
  std::shared_ptr<const T> newest_;
};

}  // namespace footlight
