#include "core/histogram.h"

#include <algorithm>
#include <bit>

namespace footlight {
namespace {
constexpr int kStepBits = 5;  // 32 steps per power of two
constexpr uint64_t kLinear = uint64_t{2} << kStepBits;
}  // namespace

uint32_t Histogram::bucket_of(uint64_t value) {
  if (value < kLinear) return static_cast<uint32_t>(value);
  const int shift = std::bit_width(value) - 1 - kStepBits;
  return static_cast<uint32_t>((static_cast<uint64_t>(shift) << kStepBits) + (value >> shift));
}

uint64_t Histogram::upper_bound_of(uint32_t bucket) {
  if (bucket < kLinear) return bucket;
  const uint32_t shift = (bucket >> kStepBits) - 1;
  const uint64_t mantissa = bucket - (static_cast<uint64_t>(shift) << kStepBits);
  return ((mantissa + 1) << shift) - 1;
}

void Histogram::record(uint64_t value, uint32_t times) {
  if (times == 0) return;
  value = std::min(value, kMaxValue);
  const uint32_t bucket = bucket_of(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  buckets_[bucket] += times;
  count_ += times;
  sum_ += value * times;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = sum_ = max_ = 0;
}

uint64_t Histogram::quantile(uint32_t per_mille) const {
  if (count_ == 0) return 0;
  const uint64_t wanted = std::max<uint64_t>(1, (count_ * per_mille + 999) / 1000);
  uint64_t seen = 0;
  for (uint32_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(upper_bound_of(i), max_);
  }
  return max_;
}

uint64_t Histogram::count_up_to(uint64_t bound) const {
  uint64_t seen = 0;
  for (uint32_t i = 0; i < buckets_.size() && std::min(upper_bound_of(i), max_) <= bound; ++i) {
    seen += buckets_[i];
  }
  return seen;
}

}  // namespace footlight
