#include "sfu/allocation.h"

#include <algorithm>

namespace footlight::sfu {
namespace {

// The next lower priority below `bound` among the demands; -1 when there is none.
int next_priority(std::span<const Demand> demands, int bound) {
  int best = -1;
  for (const auto& demand : demands) {
    if (!demand.audio && demand.option_count && demand.priority < bound) {
      best = std::max<int>(best, demand.priority);
    }
  }
  return best;
}

bool raise(Demand& demand, int64_t& left) {
  const auto next = static_cast<size_t>(demand.chosen + 1);
  if (next >= demand.option_count) return false;
  const int64_t more = demand.options[next].bps - demand.chosen_bps();
  if (more > left) return false;
  left -= more;
  demand.chosen = static_cast<int>(next);
  return true;
}

}  // namespace

void allocate(std::span<Demand> demands, int64_t budget_bps) {
  int64_t left = budget_bps;
  for (auto& demand : demands) {
    demand.chosen = Demand::kPaused;
    if (!demand.audio || !demand.option_count) continue;
    demand.chosen = 0;
    left -= demand.options[0].bps;
  }
  for (int priority = next_priority(demands, 256); priority >= 0;
       priority = next_priority(demands, priority)) {
    for (auto& demand : demands) {
      if (!demand.audio && demand.priority == priority) raise(demand, left);
    }
  }
  for (int priority = next_priority(demands, 256); priority >= 0;
       priority = next_priority(demands, priority)) {
    for (bool raised = true; raised;) {
      raised = false;
      for (auto& demand : demands) {
        if (!demand.audio && demand.priority == priority && demand.chosen != Demand::kPaused) {
          raised |= raise(demand, left);
        }
      }
    }
  }
}

}  // namespace footlight::sfu
