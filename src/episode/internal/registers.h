// One register per voter of a poll: a flat table of 32-byte slots, sorted by a mix of the
// pseudonym.
//
// Linear probing that keeps its runs sorted, with slots that rise with the key: so the whole array
// is in key order, and a snapshot of a million registers is one pass without a sort. The table
// grows by half when it is three quarters full; the move happens a few slots per insertion, so no
// single ballot waits for it.
//
// Bounds: kMostVoters registers; 43 to 64 bytes each, during growth up to 107.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace footlight::episode {

// What of a ballot is in force. `log` and `edge` share a word: the log has 48 bits.
struct Register {
  uint64_t key = 0;       // mix_who(who)
  uint64_t log_edge = 0;  // log << 16 | edge
  uint32_t n = 0;
  uint32_t mask = 0;
  uint32_t edge_rel_ms = 0;  // since the poll opened
  uint8_t weight = 0;
  uint8_t flags = 0;
  uint8_t used = 0;
  uint8_t spare = 0;

  uint64_t log() const { return log_edge >> 16; }
  uint16_t edge() const { return static_cast<uint16_t>(log_edge); }
};
static_assert(sizeof(Register) == 32);

// A bijection that spreads pseudonyms over all keys (the finalizer of MurmurHash3) and its inverse.
uint64_t mix_who(uint64_t who);
uint64_t unmix_who(uint64_t key);

class RegisterTable {
 public:
  static constexpr uint64_t kMostVoters = uint64_t{1} << 23;

  RegisterTable() = default;
  RegisterTable(RegisterTable&&) noexcept = default;
  RegisterTable& operator=(RegisterTable&&) noexcept = default;

  uint64_t size() const { return size_; }
  bool moving() const { return old_.homes != 0; }  // a growth is under way
  bool full() const { return size_ >= kMostVoters; }
  const Register* find(uint64_t who) const;
  Register* find(uint64_t who) {
    return const_cast<Register*>(static_cast<const RegisterTable*>(this)->find(who));
  }
  // Where `who` is or would be comes into the cache. A table of a million registers is larger than
  // the caches, so a batch asks for all its slots before it looks at the first.
  void prefetch(uint64_t who) const {
    const uint64_t key = mix_who(who);
    if (now_.homes != 0) __builtin_prefetch(now_.slots.get() + now_.home(key), 1);
    if (old_.homes != 0) __builtin_prefetch(old_.slots.get() + old_.home(key), 1);
  }
  // A new register for `who`, who has none. nullptr when full, or when the keys are crafted to
  // share slots (not by pseudonyms: they are keyed hashes).
  Register* insert(uint64_t who);
  // For a snapshot: room for `count`, then append() in key order. False when the order is broken
  // or the keys are crafted to share slots.
  void reserve(uint64_t count);
  bool append(const Register& entry);

  // All registers in key order.
  template <class F>
  void visit(F&& f) const {
    const Register* a = now_.begin();
    const Register* b = old_.begin() + moved_;
    while (true) {
      while (a != now_.end() && a->used == 0) ++a;
      while (b != old_.end() && b->used == 0) ++b;
      if (a == now_.end() && b == old_.end()) return;
      if (b == old_.end() || (a != now_.end() && a->key < b->key)) {
        f(*a++);
      } else {
        f(*b++);
      }
    }
  }

 private:
  __extension__ using Wide = unsigned __int128;
  struct FreeDeleter {
    void operator()(Register* slots) const { std::free(slots); }
  };
  // Homes 0..homes-1 and slack behind them, for runs that pass the end.
  struct Slots {
    std::unique_ptr<Register[], FreeDeleter> slots;
    uint64_t homes = 0;
    uint64_t size = 0;  // slots, with the slack
    const Register* begin() const { return slots.get(); }
    const Register* end() const { return slots.get() + size; }
    uint64_t home(uint64_t key) const { return static_cast<uint64_t>((Wide{key} * homes) >> 64); }
    const Register* find(uint64_t key) const;
    Register* place(uint64_t key);  // nullptr when the slack is used up
  };
  static Slots make_slots(uint64_t homes);
  bool grow();
  bool move_some(uint64_t slots);

  Slots now_;
  Slots old_;              // being emptied from the front
  uint64_t moved_ = 0;     // slots of old_ that were moved
  uint64_t appended_ = 0;  // first slot of now_ behind what append() wrote
  uint64_t size_ = 0;
};

}  // namespace footlight::episode
