// The part of the state that rules see and change. It is small and can be copied, so that decide
// can try a command with all that follows from it on a copy and keep nothing when a rule fails.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "episode/definition.h"
#include "episode/internal/events.h"

namespace footlight::episode {

struct WorldLimits {
  static constexpr size_t kPolls = 256;                       // of the file and made live
  static constexpr size_t kTimers = 64;                       // running
  static constexpr size_t kItems = 200;                       // kinds a character can hold
  static constexpr uint64_t kMostNumber = uint64_t{1} << 53;  // versions, running numbers
};

// Points in time of a log that makes sense; what lies beyond could overflow.
inline bool is_time(WallMs ms) { return ms >= 0 && ms <= WallMs{1} << 53; }

enum class Phase : uint8_t { kWaiting = 0, kLive, kEnded };
enum class PollPhase : uint8_t { kReady = 0, kOpen, kClosing, kClosed };
std::string_view phase_name(Phase phase);
std::string_view poll_phase_name(PollPhase phase);

struct PollResult {
  int64_t winner = -1;
  Why why = Why::kVotes;
  uint64_t log = 0;  // record of the result
  Hash256 chain{};
  uint64_t chain_log = 0;
};

struct PollState {
  std::shared_ptr<const PollDef> def;
  PollPhase phase = PollPhase::kReady;
  WallMs opened_ms = 0;
  WallMs deadline_ms = 0;  // 0: none
  uint32_t version = 0;    // rises with every change of the tally or the phase
  std::vector<uint64_t> counts;
  uint64_t voters = 0;
  uint64_t late = 0;  // of them by the allowance (kLateFlag)
  std::optional<PollResult> result;

  bool running() const { return phase == PollPhase::kOpen || phase == PollPhase::kClosing; }
};

struct CharacterState {
  uint64_t ver = 1;
  int64_t hp = 0;
  int64_t hp_temp = 0;
  std::map<std::string, int64_t, std::less<>> items;
  std::vector<std::string> conditions;                     // in the order they came
  std::vector<std::pair<std::string, FieldValue>> fields;  // in the file's order
};

struct TimerState {
  std::string label;
  WallMs ends_ms = 0;
  int64_t total_ms = 0;
};

struct World {
  Phase phase = Phase::kWaiting;
  int scene = -1;             // index in the definition; -1 before the first
  std::vector<bool> visited;  // by scene
  std::vector<CharacterState> characters;
  std::vector<PollState> polls;
  std::map<std::string, int64_t, std::less<>> vars;
  std::map<std::string, TimerState, std::less<>> timers;

  int poll_index(std::string_view id) const;  // -1: none
  const PollState* poll(std::string_view id) const;
};

World initial_world(const Definition& definition);

// What a poll's counts mean: winner and why, by the rules of docs/formats/episode-file.md.
PollResult decide_result(const PollDef& def, const std::vector<uint64_t>& counts, uint64_t voters);

// Applies the fact's part that lies in the world; facts of elsewhere change nothing. Checks first,
// so a failure changes nothing: kLogCorrupt.
Status apply_fact(World& world, const Definition& definition, const Fact& fact, WallMs at_ms,
                  uint64_t log);

}  // namespace footlight::episode
