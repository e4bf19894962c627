// Sharing out what can be sent to one subscriber among the tracks it watches. Audio comes first and
// whole; then every watched track gets its lowest layer in order of priority, then the tracks of
// the highest priority are raised layer by layer as far as the budget goes, then the next.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "sfu/subscription.h"

namespace footlight::sfu {

struct LayerOption {
  Layer layer;
  int64_t bps = 0;  // of this layer with all it needs
};

struct Demand {
  static constexpr size_t kMaxOptions = 16;
  static constexpr int kPaused = -1;

  uint8_t priority = 0;                          // higher goes first
  bool audio = false;                            // never paused, whatever the budget
  std::array<LayerOption, kMaxOptions> options;  // ascending in quality and rate
  size_t option_count = 0;
  int chosen = kPaused;  // out: an index into options

  void offer(Layer layer, int64_t bps) {
    if (option_count < kMaxOptions) options[option_count++] = {layer, bps};
  }
  int64_t chosen_bps() const {
    return chosen == kPaused ? 0 : options[static_cast<size_t>(chosen)].bps;
  }
};

// Sets `chosen` of every demand. A track whose lowest layer does not fit is paused, and so is
// everything below it in priority that does not fit either.
void allocate(std::span<Demand> demands, int64_t budget_bps);

}  // namespace footlight::sfu
