// Recounts polls from the records alone, by the rules of docs/formats/events.md and
// docs/formats/episode-file.md, without the episode's state: what verify compares published results
// with.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "episode/definition.h"
#include "episode/episode.h"

namespace footlight::edge {

class Recount {
 public:
  // Each returns a sentence for every fault found.
  using Faults = std::vector<std::string>;

  void add_poll(episode::PollDef definition) { polls_.push_back({std::move(definition)}); }
  void opened(const Json& data, Faults& faults);  // poll.opened, poll.closing
  void created(const Json& data);                 // poll.created
  void closed(const Json& data, Faults& faults);  // poll.closed: the comparison
  void ballot(const episode::Ballot& ballot, Faults& faults);
  size_t compared() const { return compared_; }

 private:
  struct Voter {
    uint32_t n = 0;
    uint32_t mask = 0;
    WallMs edge_ms = 0;
    uint16_t edge = 0;
    uint8_t weight = 0;
  };
  struct Poll {
    episode::PollDef definition;
    std::unordered_map<uint64_t, Voter> voters = {};
    bool open = false;
    WallMs deadline_ms = 0;
  };
  Poll* find(const std::string& id);
  void compare_winner(const Poll& poll, const std::vector<uint64_t>& counts, uint64_t voters,
                      const Json& data, Faults& faults);

  std::vector<Poll> polls_;
  size_t compared_ = 0;
};

}  // namespace footlight::edge
