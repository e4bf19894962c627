// Token buckets as GCRA clocks, and a table of them in fixed memory.
//
// Table: sets of 8 buckets, two cache lines. Seven hold one key each; the eighth is shared by keys
// that found no place. What it guarantees, for every key and however many other keys there are: the
// events admitted are never more than the key's own bucket in an unbounded table would admit.
//   - A bucket is replaced only when it is full, and a new bucket starts full: nothing is
//   forgotten.
//   - A key without a place is charged to the set's shared bucket. All who share it together get no
//   more
//     than one of them alone would have got.
//   - When such a key gets a place later, the new bucket starts with the shared one's debt, which
//   is at
//     least the key's own.
// The price is paid by honest keys in a crowded set: they are refused early for a while (never let
// through too often). Which set a key falls into is not known outside: the hash is keyed
// (SipHash-1-3).
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/time.h"
#include "core/zeroed.h"

namespace footlight::gate {

inline constexpr int64_t kNsPerUs = 1000;
inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerSecond = 1'000'000'000;

// `burst` tokens at most, one more every `interval_ns`; interval 0: no limit.
struct Rate {
  int64_t interval_ns = 0;
  int64_t burst = 0;
  static constexpr Rate unlimited() { return {}; }
  static constexpr Rate per_second(int64_t tokens, int64_t burst) {
    return {kNsPerSecond / tokens, burst};
  }
  static constexpr Rate per_minute(int64_t tokens, int64_t burst) {
    return {60 * kNsPerSecond / tokens, burst};
  }
  constexpr bool limited() const { return interval_ns > 0; }
  friend constexpr bool operator==(const Rate&, const Rate&) = default;
};

// Times are >= 0 and never run backwards. The bucket is full from `full_at_ns` on; before, every
// interval that is missing is one token spent.
struct Bucket {
  int64_t full_at_ns = 0;

  // 0 when `cost` tokens are there, else nanoseconds until they are. More than `burst` counts as
  // `burst`.
  int64_t wait_ns(const Rate& rate, int64_t cost, int64_t now_ns) const;
  void charge(const Rate& rate, int64_t cost, int64_t now_ns);  // only after wait_ns said 0
  bool is_full(int64_t now_ns) const { return full_at_ns <= now_ns; }
};

// Hands those refused by one bucket consecutive times to come back at, one interval apart.
struct RetryQueue {
  int64_t next_ns = 0;
  // From now, >= wait_ns; INT64_MAX when that is beyond `horizon_ns`: the queue is as long as it
  // may get.
  int64_t place(const Rate& rate, int64_t wait_ns, int64_t horizon_ns, int64_t now_ns);
};

class BucketTable {
 public:
  static constexpr int kOwn = 7;  // buckets with a key, per set

  // `sets` is rounded up to a power of two.
  BucketTable(uint32_t sets, uint64_t seed_low, uint64_t seed_high);

  // A bucket looked up but not yet charged; valid until another place is charged that does not know
  // of it.
  struct Place {
    Bucket* bucket = nullptr;
    uint64_t* key =
        nullptr;  // where to write `hash` when charging takes the place; null: it is held
    uint64_t hash = 0;
    int64_t inherited_ns = 0;  // debt the new bucket starts with
    bool shared = false;
  };
  // `space` tells apart kinds of keys (voter or prefix, times event class). `spoken_for`: the
  // bucket of a place found before and about to be charged too, not to be offered twice.
  Place find(uint64_t key, uint8_t space, int64_t now_ns, const Bucket* spoken_for = nullptr);
  int64_t wait_ns(const Place& place, const Rate& rate, int64_t cost, int64_t now_ns) const;
  void charge(const Place& place, const Rate& rate, int64_t cost, int64_t now_ns);

  uint64_t shared_count() const { return shared_count_; }
  size_t memory_bytes() const { return sets_.size() * sizeof(Set); }

 private:
  struct alignas(64) Set {
    uint64_t keys[kOwn + 1] = {};  // 0: none; the last is not used
    Bucket buckets[kOwn + 1];      // the last is shared
  };
  uint64_t hash(uint64_t key, uint8_t space) const;
  Zeroed<Set> sets_;
  uint64_t mask_ = 0;
  uint64_t seed_low_;
  uint64_t seed_high_;
  uint64_t shared_count_ = 0;
};

}  // namespace footlight::gate
