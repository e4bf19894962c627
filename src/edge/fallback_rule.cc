#include "edge/fallback_rule.h"

namespace footlight::edge {
namespace {

std::string percent(uint32_t permille) {
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + " %";
}

}  // namespace

// Nobody may be left on the call once it is left: then only the thread's time can be seen.
std::string FallbackRule::fault(const CallHealth& health) const {
  if (health.watching > 0 && limits_.loss_pm != 0 && health.loss_pm > limits_.loss_pm) {
    return "loss of " + percent(health.loss_pm) + " at the median viewer";
  }
  if (health.watching > 0 && limits_.rtt_ms != 0 && health.rtt_ms > limits_.rtt_ms) {
    return "round trip of " + std::to_string(health.rtt_ms) + " ms at the median viewer";
  }
  if (limits_.cpu_pm != 0 && health.cpu_pm > limits_.cpu_pm) {
    return "the media's thread is busy " + percent(health.cpu_pm) + " of the time";
  }
  return {};
}

std::optional<FallbackRule::Move> FallbackRule::step(const CallHealth& health,
                                                     const std::string& mode, MonoUs now) {
  if (!limits_.any()) return std::nullopt;
  const std::string why = fault(health);
  bad_since_ = why.empty() ? -1 : bad_since_ < 0 ? now : bad_since_;
  calm_since_ = !why.empty() ? -1 : calm_since_ < 0 ? now : calm_since_;
  const bool on_call = mode == "full" || mode == "capped";
  if (told_ && mode == "hls") {
    told_ = false;
    moved_ = true;
  }
  if (moved_ && mode != "hls") moved_ = false;  // somebody else decided since
  if (on_call) {
    if (back_at_ >= 0 && now - back_at_ >= 2 * calm_us_) {
      back_at_ = -1;
      calm_us_ = kCalmUs;
    }
    if (bad_since_ < 0 || now - bad_since_ < kBadUs) return std::nullopt;
    bad_since_ = now;  // asked for again should it be lost
    if (back_at_ >= 0) calm_us_ = std::min(calm_us_ * 2, kMostCalmUs);
    back_at_ = -1;
    told_ = true;
    calm_since_ = -1;
    return Move{false, why};
  }
  if (!moved_ || calm_since_ < 0 || now - calm_since_ < calm_us_) return std::nullopt;
  moved_ = false;
  back_at_ = now;
  return Move{true, "calm again"};
}

}  // namespace footlight::edge
