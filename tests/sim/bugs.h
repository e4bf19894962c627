// Planted bugs: each breaks one promise, in the ports and adapters around the node's logic, so that
// the logic itself is the shipped one. A checker must find each (README.md lists the seeds).
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace footlight::sim {

enum class Bug : uint8_t {
  kNone,
#define FOOTLIGHT_SIM_BUGS(X)                                                                  \
  X(kConfirmBeforeDurable, "confirm-before-durable", "the log port answers before the append") \
  X(kSkipFsync, "skip-fsync", "the disk says synced and is not")                               \
  X(kRetrySync, "retry-sync", "a failed sync is tried again and believed")                     \
  X(kDropDedup, "drop-dedup", "a client that comes back is not recognized")                    \
  X(kCountIncrements, "count-increments", "tallies count what arrives, not registers")         \
  X(kLeakHiddenTally, "leak-hidden-tally", "a hidden tally is sent to all")                    \
  X(kLeakDirectorDelta, "leak-director-delta", "viewers get the GM's deltas")                  \
  X(kAcceptLateVote, "accept-late-vote", "a vote is stamped with the deadline it missed")      \
  X(kForgetResumeDelta, "forget-resume-delta", "a resumed client misses one delta")            \
  X(kSwapDeltas, "swap-deltas", "two deltas reach an edge in the wrong order")                 \
  X(kLoseDelta, "lose-delta", "one delta is not broadcast")                                    \
  X(kLoseSnapshotTail, "lose-snapshot-tail", "recovery skips records after a snapshot")        \
  X(kStaleSnapshot, "stale-snapshot", "a snapshot is taken one batch too late")                \
  X(kRejectAfterAccept, "reject-after-accept", "what was accepted is rejected later")          \
  X(kLoseAck, "lose-ack", "a confirmation is lost on a living connection")                     \
  X(kWrongReceipt, "wrong-receipt", "a voter gets a receipt that is not in the log")           \
  X(kReviseFinal, "revise-final", "a final tally is published again with other counts")        \
  X(kForgetLog, "forget-log", "the log is opened without its WAL")                             \
  X(kFreezePoll, "freeze-poll", "an edge's watermarks are lost, and its poll never closes")    \
  X(kLoseBoardUpdate, "lose-board-update", "an edit is confirmed and never written")           \
  X(kStaleBoardSnapshot, "stale-board-snapshot", "a board's snapshot claims more than it has") \
  X(kLoseBoardRelay, "lose-board-relay", "an edit is not shown to those who have it open")     \
  X(kIgnoreRights, "ignore-rights", "players are taken for the GM on boards")                  \
  X(kNeverReassert, "never-reassert", "what the event log says is not written over a copy")    \
  X(kIgnoreCues, "ignore-cues", "an edge takes no viewer for late")                            \
  X(kBuyTime, "buy-time", "every voter is taken for one who sees the program late")            \
  X(kWatermarkAhead, "watermark-ahead",                                                        \
    "an edge says it forwarded votes that are still on their way")
#define X(name, text, what) name,
  FOOTLIGHT_SIM_BUGS(X)
#undef X
};

struct BugInfo {
  Bug bug;
  std::string_view name;
  std::string_view what;
};
inline constexpr BugInfo kBugs[] = {
#define X(name, text, what) {Bug::name, text, what},
    FOOTLIGHT_SIM_BUGS(X)
#undef X
};

inline std::optional<Bug> parse_bug(std::string_view name) {
  for (const BugInfo& info : kBugs) {
    if (info.name == name) return info.bug;
  }
  return std::nullopt;
}

}  // namespace footlight::sim
