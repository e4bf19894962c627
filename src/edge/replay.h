// Reads an episode's log without an owner: verifies it, tells its story, exports it. Nothing here
// writes to the log. The formats are docs/formats/event-log.md and docs/formats/export.md.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/sha256.h"
#include "core/time.h"
#include "log/log.h"

namespace footlight::edge {

struct VerifyReport {
  bool ok = false;  // no faults
  std::string episode;
  std::string title;
  uint64_t records = 0;
  uint64_t events = 0;
  uint64_t ballots = 0;
  uint64_t polls = 0;  // recounted
  uint64_t rolls = 0;
  uint64_t rolls_checked = 0;  // 0 until the seed is revealed
  bool seed_revealed = false;
  Hash256 chain{};
  Hash256 state_hash{};
  uint64_t snapshot_seq = 0;        // checked against the replay when > 0
  uint64_t boards = 0;              // whose checksums hold and whose updates fit
  std::vector<std::string> faults;  // sentences; at most 100
};

// Errors only when the log cannot be read at all; a log that does not verify has faults.
Result<VerifyReport> verify_log(log::EventLog& log);

// One line of the story so far, for people.
struct StoryLine {
  uint64_t seq = 0;
  WallMs at_ms = 0;
  std::string kind;
  std::string text;
};
Result<std::vector<StoryLine>> timeline(log::EventLog& log);

using Sink = std::function<bool(std::string_view chunk)>;  // false: stop (the disk is full)
Status export_jsonl(log::EventLog& log, const Sink& sink);
// table: "ballots", "polls", "rolls", "events".
Status export_csv(log::EventLog& log, std::string_view table, const Sink& sink);

// The content of a board as JSON, as it was when record `at_seq` was the last; UINT64_MAX: as it
// is. kBoardUnknown, kBoardHistory, kBoardDamaged.
Result<std::string> board_json(log::EventLog& log, std::string_view board, uint64_t at_seq);

}  // namespace footlight::edge
