// The small pictures of a stream, one every few seconds, and the WebVTT file that says when each is
// shown. Bounded: when there are too many, every second one goes.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hls/internal/track.h"

namespace footlight::hls {

class Thumbs {
 public:
  static constexpr size_t kMost = 2'000;           // three hours at one in five seconds
  static constexpr size_t kMostBytes = 64 * 1024;  // of one

  // The number of the new one; `gone` gets those that go for it.
  uint64_t add(int64_t wall_us, std::vector<uint64_t>& gone);
  // Times of the recording of `track`; "" for none. Addresses are told from above the epoch.
  std::string vtt(const std::string& epoch, const Track& track) const;

 private:
  struct Thumb {
    uint64_t number = 0;
    int64_t wall_us = 0;
  };
  std::vector<Thumb> all_;
  uint64_t next_ = 0;
};

}  // namespace footlight::hls
