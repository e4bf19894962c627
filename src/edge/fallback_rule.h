// When an episode's audience is moved from the call to the program stream without anybody's doing:
// for ten seconds most of its viewers lose too much, or are too far away, or the media's thread has
// no time left; and back after a calm minute, doubled each time that did not last.
//
// Pure. What a producer has set stays: the rule takes back only what it did itself.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "core/time.h"

namespace footlight::edge {

struct FallbackLimits {  // 0: not looked at
  uint32_t loss_pm = 0;  // of packets, at the median viewer of the call
  uint32_t rtt_ms = 0;   // at the median viewer
  uint32_t cpu_pm = 0;   // of the media's thread
  bool any() const { return loss_pm != 0 || rtt_ms != 0 || cpu_pm != 0; }
};

// As measured over the last second.
struct CallHealth {
  uint32_t watching = 0;  // viewers of the call who reported
  uint32_t loss_pm = 0, rtt_ms = 0;
  uint32_t cpu_pm = 0;
};

class FallbackRule {
 public:
  static constexpr MonoUs kBadUs = 10 * kUsPerSecond;
  static constexpr MonoUs kCalmUs = 60 * kUsPerSecond;
  static constexpr MonoUs kMostCalmUs = 16 * kCalmUs;

  struct Move {
    bool back = false;
    std::string why;  // "loss of 12.3 %", "calm again"
  };

  explicit FallbackRule(FallbackLimits limits) : limits_(limits) {}

  // Once a second. `mode`: the episode's media mode now.
  std::optional<Move> step(const CallHealth& health, const std::string& mode, MonoUs now);

 private:
  std::string fault(const CallHealth& health) const;

  FallbackLimits limits_;
  bool moved_ = false;  // by us, and not changed since
  bool told_ = false;   // the move was asked for and is on its way
  MonoUs bad_since_ = -1, calm_since_ = -1, back_at_ = -1;
  MonoUs calm_us_ = kCalmUs;
};

}  // namespace footlight::edge
