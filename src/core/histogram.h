// A histogram of non-negative integers with a bounded relative error, for latencies: the scheme of
// HdrHistogram (Tene) with 32 linear steps per power of two, so a value is known to 1/32 (3.2 %)
// and values below 64 exactly. Values above kMaxValue are counted as kMaxValue; the maximum is
// exact. Integers only: the same counts give the same quantiles on every machine.
//
// Storage grows with the highest value recorded, at most 4 KiB. One thread; copy to hand over.
#pragma once
#include <cstdint>
#include <vector>

namespace footlight {

class Histogram {
 public:
  static constexpr uint64_t kMaxValue = (uint64_t{1} << 36) - 1;

  void record(uint64_t value, uint32_t times = 1);
  void merge(const Histogram& other);
  void clear();  // keeps the storage

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  uint64_t max() const { return max_; }
  // The smallest recordable upper bound that at least `per_mille`/1000 of the values do not exceed,
  // never above max(); 0 when empty. p99 is quantile(990).
  uint64_t quantile(uint32_t per_mille) const;
  // How many values are <= `bound`, up to the resolution (for cumulative buckets).
  uint64_t count_up_to(uint64_t bound) const;

 private:
  static uint32_t bucket_of(uint64_t value);
  static uint64_t upper_bound_of(uint32_t bucket);
  std::vector<uint32_t> buckets_;
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace footlight
