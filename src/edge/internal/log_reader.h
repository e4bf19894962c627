// A log read from its beginning into the state of the episode, with what the records say beside it.
// Shared by verify, timeline and export.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "episode/episode.h"
#include "log/log.h"

namespace footlight::edge {

std::string_view record_kind_name(log::RecordKind kind);  // "genesis", ...; "unknown"

// The polls' ids by index, as records bring them.
class PollNames {
 public:
  void genesis(const Json& genesis);
  void event(std::string_view payload);  // looks for poll.created only
  std::string_view of(uint32_t index) const {
    return index < ids_.size() ? std::string_view(ids_[index]) : std::string_view();
  }
  size_t size() const { return ids_.size(); }

 private:
  std::vector<std::string> ids_;
};

// Applies each record to the state. kLogCorrupt.
class StateReader {
 public:
  Status apply(const log::StoredRecord& record);
  std::optional<episode::State>& state() { return state_; }
  const std::vector<episode::Ballot>& ballots() const { return ballots_; }  // of the last record

 private:
  std::optional<episode::State> state_;
  std::vector<episode::Ballot> ballots_;
};

}  // namespace footlight::edge
