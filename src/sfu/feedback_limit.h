// How much RTCP the room looks at of one member. What a compound costs grows with what is in it, so
// that is what is counted (rtc::rtcp_items). Only packets that were authenticated are charged:
// nobody else can use a member's share up.
//
// A bucket kept as the time at which it is full again (GCRA, ITU-T I.371 annex A). The bounds are
// beyond what the most talkative client says: Chromium watching 64 places at 30 Mbps with a fifth
// lost asks for lost packets up to 3,700 times a second (at each gap, and every 20 ms for each
// place) with at most 6,200 numbers, reports on 128 streams each second and tells of 3,200 packets:
// some 11,000 items. And a stall of two seconds may let all of them come at once.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace footlight::sfu {

class FeedbackLimit {
 public:
  static constexpr MonoUs kItemUs = 50;  // 20,000 items a second
  static constexpr size_t kMostItems = 40'000;

  // False: beyond the bound, leave it out. Costs nothing then.
  bool take(size_t items, MonoUs now) {
    const MonoUs full_at = std::max(full_at_, now) + static_cast<MonoUs>(items) * kItemUs;
    if (full_at - now > static_cast<MonoUs>(kMostItems) * kItemUs) {
      ++dropped_;
      return false;
    }
    full_at_ = full_at;
    return true;
  }
  uint64_t dropped() const { return dropped_; }  // compounds

 private:
  MonoUs full_at_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace footlight::sfu
