// What happens by time alone: polls close, timers run out.
#include <algorithm>

#include "episode/internal/draft.h"

namespace footlight::episode {
namespace {

struct Due {
  int poll = -1;  // -1: a timer
  std::string timer;
};

// No ballot that counts for it is still on its way.
bool all_came(const PollState& poll, const Watermark& watermark) {
  return std::max(watermark.shown_ms, watermark.received_ms - poll.def->allowance_ms) >=
         poll.deadline_ms;
}

// Of an open or closing poll: what it waits for has come.
bool is_due(const PollState& poll, WallMs now_ms, const Watermark& watermark) {
  if (!poll.running() || poll.deadline_ms == 0 || now_ms < poll.deadline_ms) return false;
  return poll.phase == PollPhase::kOpen || all_came(poll, watermark);
}

std::vector<Due> find_due(const World& world, WallMs now_ms, const Watermark& watermark) {
  std::vector<Due> out;
  for (size_t i = 0; i < world.polls.size(); ++i) {
    if (is_due(world.polls[i], now_ms, watermark)) out.push_back({static_cast<int>(i), {}});
  }
  std::vector<std::pair<WallMs, std::string>> timers;
  for (const auto& [id, timer] : world.timers) {
    if (timer.ends_ms <= now_ms) timers.emplace_back(timer.ends_ms, id);
  }
  std::ranges::sort(timers);
  for (auto& [ends_ms, id] : timers) out.push_back({-1, std::move(id)});
  return out;
}

// What is due when its turn comes: rules of what came before may have changed it.
Status do_due(Draft& draft, const Due& due, const Watermark& watermark) {
  if (due.poll < 0) {
    return draft.world().timers.contains(due.timer) ? draft.stop_timer(due.timer, true) : Status();
  }
  const PollState& poll = draft.world().polls[static_cast<size_t>(due.poll)];
  if (!is_due(poll, draft.now_ms(), watermark)) return {};
  if (all_came(poll, watermark)) return draft.finish_poll(due.poll, Draft::Story::kMoves);
  return draft.close_poll(due.poll, poll.deadline_ms);
}

enum class Rules : uint8_t { kRun, kSkip };

Result<std::vector<Event>> attempt(const State::Impl& state, std::span<const Due> due,
                                   WallMs now_ms, const Watermark& watermark,
                                   const Secrets& secrets, Rules rules) {
  Draft draft(state, Origin{}, now_ms, secrets);
  for (const Due& one : due) {
    if (Status done = do_due(draft, one, watermark); !done) return std::unexpected(done.error());
    if (rules == Rules::kSkip) continue;
    if (Status settled = draft.settle(); !settled) return std::unexpected(settled.error());
  }
  return draft.take();
}

}  // namespace

// A rule that fails refuses a command, but it must not keep a poll open for ever. So when not all
// that is due goes together, the first goes alone, and if need be without its rules; the rest
// follows with the next call.
std::vector<Event> decide_time(const State& outer, WallMs now_ms, const Watermark& watermark,
                               const Secrets& secrets) {
  const State::Impl& state = outer.impl();
  const std::vector<Due> due = find_due(state.world, now_ms, watermark);
  if (due.empty()) return {};
  const std::span<const Due> all(due);
  auto events = attempt(state, all, now_ms, watermark, secrets, Rules::kRun);
  if (!events) {
    events = attempt(state, all.first(1), now_ms, watermark, secrets, Rules::kRun);
  }
  if (!events) {
    events = attempt(state, all.first(1), now_ms, watermark, secrets, Rules::kSkip);
  }
  return events ? std::move(*events) : std::vector<Event>();
}

WallMs next_deadline_ms(const State& outer) {
  const World& world = outer.impl().world;
  WallMs next = INT64_MAX;
  for (const PollState& poll : world.polls) {
    if (poll.running() && poll.deadline_ms != 0) {
      next = std::min(next, poll.deadline_ms);
    }
  }
  for (const auto& [id, timer] : world.timers) next = std::min(next, timer.ends_ms);
  return next;
}

}  // namespace footlight::episode
