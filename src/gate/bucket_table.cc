#include "gate/bucket_table.h"

#include <algorithm>
#include <bit>

namespace footlight::gate {
namespace {

uint64_t rotl(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

struct SipState {
  uint64_t v0, v1, v2, v3;
  void round() {
    v0 += v1;
    v1 = rotl(v1, 13) ^ v0;
    v0 = rotl(v0, 32);
    v2 += v3;
    v3 = rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl(v1, 17) ^ v2;
    v2 = rotl(v2, 32);
  }
};

}  // namespace

int64_t Bucket::wait_ns(const Rate& rate, int64_t cost, int64_t now_ns) const {
  if (!rate.limited()) return 0;
  const int64_t tokens = std::clamp<int64_t>(cost, 1, rate.burst);
  const int64_t full_at = std::max(full_at_ns, now_ns) + tokens * rate.interval_ns;
  return std::max<int64_t>(0, full_at - now_ns - rate.burst * rate.interval_ns);
}

void Bucket::charge(const Rate& rate, int64_t cost, int64_t now_ns) {
  if (!rate.limited()) return;
  const int64_t tokens = std::clamp<int64_t>(cost, 1, rate.burst);
  full_at_ns = std::max(full_at_ns, now_ns) + tokens * rate.interval_ns;
}

int64_t RetryQueue::place(const Rate& rate, int64_t wait_ns, int64_t horizon_ns, int64_t now_ns) {
  const int64_t at = std::max(next_ns, now_ns + wait_ns);
  if (at - now_ns > horizon_ns) return INT64_MAX;
  next_ns = at + rate.interval_ns;
  return at - now_ns;
}

BucketTable::BucketTable(uint32_t sets, uint64_t seed_low, uint64_t seed_high)
    : sets_(std::bit_ceil(std::clamp<uint32_t>(sets, 1, 1u << 26))),
      mask_(sets_.size() - 1),
      seed_low_(seed_low),
      seed_high_(seed_high) {}

// SipHash-1-3 (Aumasson, Bernstein 2012) of the 9 bytes key, space.
uint64_t BucketTable::hash(uint64_t key, uint8_t space) const {
  SipState s{seed_low_ ^ 0x736f6d6570736575ULL, seed_high_ ^ 0x646f72616e646f6dULL,
             seed_low_ ^ 0x6c7967656e657261ULL, seed_high_ ^ 0x7465646279746573ULL};
  const uint64_t last = uint64_t{9} << 56 | space;
  for (const uint64_t word : {key, last}) {
    s.v3 ^= word;
    s.round();
    s.v0 ^= word;
  }
  s.v2 ^= 0xff;
  for (int i = 0; i < 3; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

BucketTable::Place BucketTable::find(uint64_t key, uint8_t space, int64_t now_ns,
                                     const Bucket* spoken_for) {
  const uint64_t h = hash(key, space);
  Set& set = sets_[h & mask_];
  // A tag of 0 is a place never used. Bit 0 is spent on it: the set's index tells it already.
  const uint64_t tag = h | 1;
  int free = -1;
  for (int i = 0; i < kOwn; ++i) {
    if (set.keys[i] == tag) return {&set.buckets[i], nullptr, tag, 0, false};
    if (free < 0 && set.buckets[i].is_full(now_ns) && &set.buckets[i] != spoken_for) free = i;
  }
  Bucket& shared = set.buckets[kOwn];
  if (free >= 0) {
    return {&set.buckets[free], &set.keys[free], tag, shared.full_at_ns, false};
  }
  return {&shared, nullptr, tag, 0, true};
}

int64_t BucketTable::wait_ns(const Place& place, const Rate& rate, int64_t cost,
                             int64_t now_ns) const {
  if (place.key == nullptr) return place.bucket->wait_ns(rate, cost, now_ns);
  return Bucket{place.inherited_ns}.wait_ns(rate, cost, now_ns);
}

void BucketTable::charge(const Place& place, const Rate& rate, int64_t cost, int64_t now_ns) {
  if (place.shared) ++shared_count_;
  if (place.key != nullptr) {
    *place.key = place.hash;
    place.bucket->full_at_ns = place.inherited_ns;
  }
  place.bucket->charge(rate, cost, now_ns);
}

}  // namespace footlight::gate
