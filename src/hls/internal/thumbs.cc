#include "hls/internal/thumbs.h"

#include "hls/address.h"

namespace footlight::hls {
namespace {

// "00:01:05.333"
void append_vtt_time(std::string& out, int64_t us) {
  const auto two = [&out](int64_t value) {
    if (value < 10) out.push_back('0');
    out.append(std::to_string(value));
  };
  const int64_t ms = us / 1000;
  two(ms / 3'600'000);
  out.push_back(':');
  two(ms / 60'000 % 60);
  out.push_back(':');
  two(ms / 1000 % 60);
  const std::string rest = std::to_string(1000 + ms % 1000);
  out.append(".").append(rest, 1);
}

}  // namespace

uint64_t Thumbs::add(int64_t wall_us, std::vector<uint64_t>& gone) {
  if (all_.size() >= kMost) {
    std::vector<Thumb> kept;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (i % 2 == 0) {
        kept.push_back(all_[i]);
      } else {
        gone.push_back(all_[i].number);
      }
    }
    all_ = std::move(kept);
  }
  all_.push_back({next_, wall_us});
  return next_++;
}

std::string Thumbs::vtt(const std::string& epoch, const Track& track) const {
  struct Shown {
    uint64_t number = 0;
    int64_t at_us = 0;
  };
  std::vector<Shown> shown;
  int64_t end_us = 0;  // of the segments so far, in the recording's time
  size_t next = 0;
  for (const SegmentState& segment : track.segments) {
    const int64_t length_us = ticks_to_us(segment.duration, track.info.timescale);
    // What was made before the segment, in a break of the encoder, belongs to its beginning.
    for (; next < all_.size() && all_[next].wall_us < segment.wall_us + length_us; ++next) {
      const int64_t into_us = std::max<int64_t>(0, all_[next].wall_us - segment.wall_us);
      if (!shown.empty() && shown.back().at_us >= end_us + into_us) shown.pop_back();
      shown.push_back({all_[next].number, end_us + into_us});
    }
    end_us += length_us;
  }
  if (shown.empty()) return {};
  shown.front().at_us = 0;
  std::string out = "WEBVTT\n";
  for (size_t i = 0; i < shown.size(); ++i) {
    out.append("\n");
    append_vtt_time(out, shown[i].at_us);
    out.append(" --> ");
    append_vtt_time(out, i + 1 < shown.size() ? shown[i + 1].at_us : end_us);
    out.append("\n").append(epoch).append("/").append(thumb_name(shown[i].number)).append("\n");
  }
  return out;
}

}  // namespace footlight::hls
