#include "episode/recount.h"

#include <algorithm>
#include <tuple>

#include "core/assert.h"
#include "episode/internal/impl.h"

namespace footlight::episode {
namespace {

void add(Count& count, uint32_t mask, uint64_t weight) {
  if (mask == 0) return;
  ++count.voters;
  for (size_t option = 0; option < count.counts.size(); ++option) {
    if ((mask >> option & 1) != 0) count.counts[option] += weight;
  }
}

}  // namespace

Count recount(const State& state, uint32_t poll) {
  const State::Impl& impl = state.impl();
  FL_ASSERT(poll < impl.world.polls.size(), "recount of a poll that is not there");
  Count out;
  out.counts.resize(impl.world.polls[poll].def->options.size());
  impl.registers[poll].visit([&](const Register& held) { add(out, held.mask, held.weight); });
  return out;
}

Count recount(std::span<const Ballot> ballots, uint32_t poll, size_t options, Flagged flagged) {
  std::vector<Ballot> mine;
  for (const Ballot& ballot : ballots) {
    if (ballot.poll != poll || (flagged == Flagged::kLeftOut && ballot.flags != 0)) continue;
    mine.push_back(ballot);
  }
  std::ranges::sort(mine, {}, [](const Ballot& ballot) {
    return std::tuple(ballot.who, ballot.n, ballot.edge_ms, ballot.edge);
  });
  Count out;
  out.counts.resize(options);
  for (size_t i = 0; i < mine.size(); ++i) {
    const bool last = i + 1 == mine.size() || mine[i + 1].who != mine[i].who;
    if (last) add(out, mine[i].choice_mask, mine[i].weight);
  }
  return out;
}

}  // namespace footlight::episode
