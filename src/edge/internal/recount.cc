#include "edge/internal/recount.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace footlight::edge {

Recount::Poll* Recount::find(const std::string& id) {
  for (Poll& poll : polls_) {
    if (poll.definition.id == id) return &poll;
  }
  return nullptr;
}

void Recount::created(const Json& data) {
  episode::PollDef definition;
  definition.id = data["poll"].as_string();
  for (const Json& option : data["options"].items()) {
    definition.options.push_back({option.as_string(), {}});
  }
  definition.multiple = data["multiple"].as_bool();
  definition.max = static_cast<uint32_t>(data["max"].as_int(1));
  add_poll(std::move(definition));
}

void Recount::opened(const Json& data, Faults& faults) {
  Poll* poll = find(data["poll"].as_string());
  if (poll == nullptr) {
    faults.push_back("a poll that does not exist was opened");
    return;
  }
  poll->open = true;
  poll->deadline_ms = data["deadline_ms"].as_int();
}

void Recount::ballot(const episode::Ballot& ballot, Faults& faults) {
  if (ballot.poll >= polls_.size()) {
    faults.push_back("a ballot names a poll that does not exist");
    return;
  }
  Poll& poll = polls_[ballot.poll];
  const episode::PollDef& definition = poll.definition;
  const size_t options = definition.options.size();
  if (!poll.open) {
    faults.push_back(definition.id + ": a ballot while the poll was not open");
  }
  const bool allowed = (ballot.flags & episode::kLateFlag) != 0 &&
                       ballot.edge_ms <= poll.deadline_ms + definition.allowance_ms;
  if (poll.deadline_ms != 0 && ballot.edge_ms > poll.deadline_ms && !allowed) {
    faults.push_back(definition.id + ": a ballot came after the deadline");
  }
  if (options < 32 && ballot.choice_mask >> options != 0) {
    faults.push_back(definition.id + ": a ballot names an option that does not exist");
    return;
  }
  const auto most = definition.multiple ? definition.max : 1u;
  if (static_cast<uint32_t>(std::popcount(ballot.choice_mask)) > most) {
    faults.push_back(definition.id + ": a ballot names more options than allowed");
  }
  if (std::find(definition.weights.begin(), definition.weights.end(), ballot.weight) ==
          definition.weights.end() ||
      ballot.weight == 0) {
    faults.push_back(definition.id + ": a ballot has a weight of no role");
  }
  const auto [it, fresh] = poll.voters.try_emplace(ballot.who);
  Voter& voter = it->second;
  const bool newer = std::tie(ballot.n, ballot.edge_ms, ballot.edge) >
                     std::tie(voter.n, voter.edge_ms, voter.edge);
  if (fresh || newer) {
    voter = {ballot.n, ballot.choice_mask, ballot.edge_ms, ballot.edge, ballot.weight};
  }
}

void Recount::closed(const Json& data, Faults& faults) {
  Poll* poll = find(data["poll"].as_string());
  if (poll == nullptr) {
    faults.push_back("a poll that does not exist was closed");
    return;
  }
  ++compared_;
  poll->open = false;
  std::vector<uint64_t> counts(poll->definition.options.size());
  uint64_t voters = 0;
  for (const auto& [who, voter] : poll->voters) {
    if (voter.mask == 0) continue;
    ++voters;
    for (size_t i = 0; i < counts.size(); ++i) {
      if (voter.mask >> i & 1) counts[i] += voter.weight;
    }
  }
  const auto& published = data["counts"].items();
  bool same = published.size() == counts.size();
  for (size_t i = 0; same && i < counts.size(); ++i) {
    same = static_cast<uint64_t>(published[i].as_int()) == counts[i];
  }
  if (!same) faults.push_back(poll->definition.id + ": the recount differs from the result");
  if (static_cast<uint64_t>(data["voters"].as_int()) != voters) {
    faults.push_back(poll->definition.id + ": the recount finds another number of voters");
  }
  compare_winner(*poll, counts, voters, data, faults);
}

// docs/formats/episode-file.md, Polls.
void Recount::compare_winner(const Poll& poll, const std::vector<uint64_t>& counts, uint64_t voters,
                             const Json& data, Faults& faults) {
  const episode::PollDef& definition = poll.definition;
  const uint64_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  const auto tied = std::count(counts.begin(), counts.end(), most);
  const auto first =
      static_cast<int64_t>(std::find(counts.begin(), counts.end(), most) - counts.begin());
  int64_t winner = -1;
  std::string_view why = "votes";
  if (voters < static_cast<uint64_t>(definition.quorum)) {
    winner = definition.default_option;
    why = "no_quorum";
  } else if (most == 0) {
    winner = definition.default_option;
    why = "default";
  } else if (tied == 1) {
    winner = first;
  } else {
    why = "tie_break";
    if (definition.tie_break == episode::TieBreak::kFirst) winner = first;
    if (definition.tie_break == episode::TieBreak::kDefault) winner = definition.default_option;
  }
  if (data["winner"].as_int() != winner) {
    faults.push_back(definition.id + ": another option won than the result says");
  } else if (data["why"].as_string() != why) {
    faults.push_back(definition.id + ": it was won by \"" + std::string(why) +
                     "\", the result says \"" + data["why"].as_string() + "\"");
  }
}

}  // namespace footlight::edge
