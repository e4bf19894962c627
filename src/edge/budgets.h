// The latency budget of each class that clients measure (docs/protocol.md, lat), in the region,
// p99.
#pragma once
#include <cstdint>

#include "proto/messages.h"

namespace footlight::edge {

// Milliseconds; 0: measured, without a budget.
constexpr uint32_t budget_ms(proto::LatencyClass of) {
  switch (of) {
    case proto::LatencyClass::kVote:
    case proto::LatencyClass::kReaction:
      return 250;
    case proto::LatencyClass::kCommand:
      return 500;
    case proto::LatencyClass::kDelta:
      return 1000;
    case proto::LatencyClass::kRtt:
      break;
  }
  return 0;
}

}  // namespace footlight::edge
