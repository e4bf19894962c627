// Which commands were done, so that a resend changes nothing and is answered as the first time.
//
// Per outbox (who, cid) the last kWindow commands by number; an older number that is not among them
// is stale. In all at most kMostOutboxes outboxes and kMostRecords commands: beyond, the outbox
// whose last command lies longest in the past is forgotten.
#pragma once
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "core/result.h"

namespace footlight::episode {

struct DoneCommand {
  uint64_t i = 0;
  uint64_t body = 0;
  uint64_t log = 0;  // of the command's first event
};

class Dedup {
 public:
  static constexpr size_t kWindow = 64;
  static constexpr size_t kMostOutboxes = 131'072;
  static constexpr size_t kMostRecords = 524'288;
  using Key = std::pair<uint64_t, uint64_t>;  // who, cid

  // nullptr: not seen before. kEventIdReused, kEventIdStale.
  Result<const DoneCommand*> look_up(uint64_t who, uint64_t cid, uint64_t i, uint64_t body) const;
  // Each `log` is above all before it. False when (who, cid, i) is known or stale.
  bool record(uint64_t who, uint64_t cid, const DoneCommand& command);
  uint64_t last_i(uint64_t who, uint64_t cid) const;  // 0: none

  struct Outbox {
    uint64_t newest_log = 0;
    std::vector<DoneCommand> done;  // by i, rising; at most kWindow
  };
  const std::map<Key, Outbox>& outboxes() const { return outboxes_; }
  // For a snapshot: false when the outbox does not fit.
  bool restore(Key key, Outbox outbox);

 private:
  void forget_oldest();

  std::map<Key, Outbox> outboxes_;
  std::map<uint64_t, Key> by_age_;  // newest_log → outbox
  size_t records_ = 0;
};

}  // namespace footlight::episode
