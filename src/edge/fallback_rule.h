// When an episode's audience gets less without anybody's doing: for ten seconds most viewers of the
// call lose too much, or are too far away, or the media's thread has no time left. Each ten bad
// seconds are one step further down, and each calm minute one step back; it is doubled each time
// that going back did not last.
//
// Pure. What a producer has set stays: the rule takes back only what it did itself.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"

namespace footlight::edge {

struct FallbackLimits {  // 0: not looked at
  uint32_t loss_pm = 0;  // of packets, at the median viewer of the call
  uint32_t rtt_ms = 0;   // at the median viewer
  uint32_t cpu_pm = 0;   // of the media's thread
  std::vector<std::string> steps = {
      "hls"};  // media modes (docs/protocol.md), each less than before
  bool any() const { return !steps.empty() && (loss_pm != 0 || rtt_ms != 0 || cpu_pm != 0); }
};
// "capped", "hls", "audio", "votes", or some of them, in this order.
bool are_fallback_steps(const std::vector<std::string>& steps);

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
    std::string mode;  // to be set
    bool back = false;
    std::string why;  // "loss of 12.3 %", "calm again"
  };

  explicit FallbackRule(FallbackLimits limits) : limits_(std::move(limits)) {}

  // Once a second. `mode`: the episode's media mode now.
  std::optional<Move> step(const CallHealth& health, const std::string& mode, MonoUs now);

 private:
  std::string fault(const CallHealth& health) const;
  std::optional<Move> down(const std::string& mode, std::string why, MonoUs now);
  std::optional<Move> up(const std::string& mode, MonoUs now);

  FallbackLimits limits_;
  std::string from_;   // what was set before our first step
  std::string asked_;  // by us, and on its way; "": nothing is
  std::string ours_;   // the mode that we set and nobody changed since; "": it is not ours
  MonoUs bad_since_ = -1, calm_since_ = -1, back_at_ = -1;
  MonoUs calm_us_ = kCalmUs;
};

}  // namespace footlight::edge
