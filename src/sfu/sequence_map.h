// From a publisher's sequence numbers to a subscriber's: an offset that shrinks by one with each
// packet left out, so that the subscriber sees no gap where nothing was lost.
//
// A late packet gets the offset that held at its place, as long as that is among the last kRanges
// changes; an older one is given up. Numbers are unwrapped.
#pragma once
#include <array>
#include <cstdint>
#include <optional>

namespace footlight::sfu {

class SequenceMap {
 public:
  static constexpr size_t kRanges = 64;

  // From now on `in` maps to `out`; what lies before `in` maps to nothing. For a first packet and
  // for a switch to another stream.
  void start(int64_t in, int64_t out) {
    count_ = 1;
    ranges_[0] = {in, out - in};
    newest_ = in - 1;
    started_ = true;
  }
  bool started() const { return started_; }
  void stop() { started_ = false; }

  std::optional<int64_t> map(int64_t in) {
    if (!started_) return std::nullopt;
    const size_t oldest = count_ > kRanges ? count_ - kRanges : 0;
    for (size_t i = count_; i-- > oldest;) {
      const Range& range = ranges_[i % kRanges];
      if (in < range.from) continue;
      if (in > newest_) newest_ = in;
      return in + range.offset;
    }
    return std::nullopt;
  }
  // `in` is not forwarded. A late one leaves a hole: its neighbours have gone out already.
  void drop(int64_t in) {
    if (!started_ || in <= newest_) return;
    const int64_t offset = ranges_[(count_ - 1) % kRanges].offset - 1;
    Range& last = ranges_[(count_ - 1) % kRanges];
    if (last.from == in) {
      last = {in + 1, offset};  // a run of drops is one change
    } else {
      ranges_[count_++ % kRanges] = {in + 1, offset};
    }
    newest_ = in;
  }
  int64_t newest() const { return newest_; }

 private:
  struct Range {
    int64_t from = 0, offset = 0;
  };
  std::array<Range, kRanges> ranges_{};
  size_t count_ = 0;
  int64_t newest_ = 0;
  bool started_ = false;
};

}  // namespace footlight::sfu
