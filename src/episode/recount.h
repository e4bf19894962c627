// Counts a poll again, two ways that share no code with the tally that is kept while it runs: from
// the registers of a state, and from all ballots of a log in any order, with repetitions.
// Pure, any thread.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "episode/episode.h"

namespace footlight::episode {

struct Count {
  std::vector<uint64_t> counts;  // weighted, per option
  uint64_t voters = 0;           // with a choice
  bool operator==(const Count&) const = default;
};

// `poll`: index in the state's order, which must be one of its polls.
Count recount(const State& state, uint32_t poll);

enum class Flagged : uint8_t { kCounted = 0, kLeftOut = 1 };

// Of the ballots for `poll`, the last of each voter by (n, edge_ms, edge). Leaving out the flagged
// ones lets an earlier ballot of the same voter count. `options`: 2..32.
Count recount(std::span<const Ballot> ballots, uint32_t poll, size_t options,
              Flagged flagged = Flagged::kCounted);

}  // namespace footlight::episode
