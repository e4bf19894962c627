// A histogram of about the last minute: six parts of ten seconds, the oldest thrown away.
#pragma once
#include <array>

#include "core/histogram.h"

namespace footlight::edge {

class RollingHistogram {
 public:
  static constexpr int kParts = 6;
  static constexpr int kPartSeconds = 10;

  void record(uint64_t value) { parts_[at_].record(value); }
  void merge(const Histogram& other) { parts_[at_].merge(other); }
  void second() {
    if (++seconds_ < kPartSeconds) return;
    seconds_ = 0;
    at_ = (at_ + 1) % kParts;
    parts_[at_].clear();
  }
  Histogram total() const {
    Histogram all;
    for (const Histogram& part : parts_) all.merge(part);
    return all;
  }

 private:
  std::array<Histogram, kParts> parts_;
  size_t at_ = 0;
  int seconds_ = 0;
};

}  // namespace footlight::edge
