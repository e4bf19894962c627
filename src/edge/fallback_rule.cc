#include "edge/fallback_rule.h"

#include <array>
#include <string_view>

namespace footlight::edge {
namespace {

constexpr std::array<std::string_view, 5> kModes = {"full", "capped", "hls", "audio", "votes"};

// 0: everything. Unknown ones are the last.
ptrdiff_t rank(std::string_view mode) { return std::ranges::find(kModes, mode) - kModes.begin(); }

std::string percent(uint32_t permille) {
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + " %";
}

}  // namespace

bool are_fallback_steps(const std::vector<std::string>& steps) {
  ptrdiff_t before = 0;
  for (const std::string& step : steps) {
    const ptrdiff_t now = rank(step);
    if (now <= before || now == std::ssize(kModes)) return false;
    before = now;
  }
  return !steps.empty();
}

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
  std::string why = fault(health);
  bad_since_ = why.empty() ? -1 : bad_since_ < 0 ? now : bad_since_;
  calm_since_ = !why.empty() ? -1 : calm_since_ < 0 ? now : calm_since_;
  if (!asked_.empty() && mode == asked_) ours_ = std::exchange(asked_, {});
  if (ours_ != mode) ours_.clear();  // somebody else decided since
  if (ours_.empty() && back_at_ >= 0 && now - back_at_ >= 2 * calm_us_) {
    back_at_ = -1;  // it lasted
    calm_us_ = kCalmUs;
  }
  if (bad_since_ >= 0 && now - bad_since_ >= kBadUs) return down(mode, std::move(why), now);
  if (!ours_.empty() && calm_since_ >= 0 && now - calm_since_ >= calm_us_) return up(mode, now);
  return std::nullopt;
}

std::optional<FallbackRule::Move> FallbackRule::down(const std::string& mode, std::string why,
                                                     MonoUs now) {
  const auto next = std::ranges::find_if(
      limits_.steps, [&](const std::string& step) { return rank(step) > rank(mode); });
  if (next == limits_.steps.end()) return std::nullopt;
  bad_since_ = now;  // the next step, or the same once more should it be lost
  if (back_at_ >= 0) calm_us_ = std::min(calm_us_ * 2, kMostCalmUs);
  back_at_ = -1;
  if (ours_.empty()) from_ = mode;
  asked_ = *next;
  return Move{*next, false, std::move(why)};
}

std::optional<FallbackRule::Move> FallbackRule::up(const std::string& mode, MonoUs now) {
  std::string to = from_;
  for (const std::string& step : limits_.steps) {
    if (rank(step) > rank(to) && rank(step) < rank(mode)) to = step;
  }
  asked_ = to == from_ ? "" : to;
  ours_.clear();
  calm_since_ = back_at_ = now;
  return Move{std::move(to), true, "calm again"};
}

}  // namespace footlight::edge
