#include "episode/internal/world.h"

#include <algorithm>

namespace footlight::episode {
namespace {

using Limits = DefinitionLimits;

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(Code::kLogCorrupt, "an event does not fit the state: " + std::string(what));
}

struct Target {
  const CharacterDef* def = nullptr;
  CharacterState* state = nullptr;
};

// Applies one fact; an overload per type that touches the world.
struct Applier {
  World& world;
  const Definition& definition;
  WallMs at_ms;
  uint64_t log;

  Status operator()(const EpisodeStarted&) {
    if (world.phase != Phase::kWaiting) return corrupt("started twice");
    world.phase = Phase::kLive;
    return {};
  }
  Status operator()(const EpisodeEnded&) {
    if (world.phase != Phase::kLive) return corrupt("ended, but not live");
    for (const PollState& poll : world.polls) {
      if (poll.running()) return corrupt("ended with an open poll");
    }
    world.phase = Phase::kEnded;
    world.timers.clear();
    return {};
  }
  Status operator()(const SceneEntered& fact) {
    const int index = definition.scene_index(fact.scene);
    if (index < 0) return corrupt("scene");
    world.scene = index;
    world.visited[static_cast<size_t>(index)] = true;
    return {};
  }
  Status operator()(const PollCreated& fact) {
    const bool fits = world.polls.size() < WorldLimits::kPolls && fact.options.size() >= 2 &&
                      fact.options.size() <= Limits::kOptions && fact.max >= 1 &&
                      fact.max <= fact.options.size() &&
                      fact.seconds <= static_cast<uint64_t>(Limits::kPollSeconds) &&
                      !fact.poll.empty() && fact.poll.size() <= Limits::kIdBytes;
    if (!fits || world.poll_index(fact.poll) >= 0) return corrupt("poll.created");
    auto def = std::make_shared<PollDef>();
    def->id = fact.poll;
    def->title = fact.title;
    for (const std::string& label : fact.options) def->options.push_back({label, ""});
    def->multiple = fact.multiple;
    def->max = static_cast<uint32_t>(fact.max);
    def->seconds = static_cast<int64_t>(fact.seconds);
    def->hidden = fact.hidden;
    def->changeable = fact.changeable;
    PollState poll;
    poll.counts.resize(def->options.size());
    poll.def = std::move(def);
    world.polls.push_back(std::move(poll));
    return {};
  }
  Status operator()(const PollOpened& fact) {
    PollState* poll = find_poll(fact.poll);
    if (poll == nullptr || poll->phase != PollPhase::kReady || !is_time(fact.deadline_ms)) {
      return corrupt("poll.opened");
    }
    poll->phase = PollPhase::kOpen;
    poll->opened_ms = at_ms;
    poll->deadline_ms = fact.deadline_ms;
    ++poll->version;
    return {};
  }
  Status operator()(const PollClosing& fact) {
    PollState* poll = find_poll(fact.poll);
    if (poll == nullptr || poll->phase != PollPhase::kOpen || !is_time(fact.deadline_ms)) {
      return corrupt("poll.closing");
    }
    poll->phase = PollPhase::kClosing;
    poll->deadline_ms = fact.deadline_ms;
    ++poll->version;
    return {};
  }
  Status operator()(const PollClosed& fact) {
    PollState* poll = find_poll(fact.poll);
    if (poll == nullptr || !poll->running()) return corrupt("poll.closed");
    if (fact.counts != poll->counts || fact.voters != poll->voters) {
      return corrupt("the result is not the sum of the ballots");
    }
    PollResult result = decide_result(*poll->def, poll->counts, poll->voters);
    if (result.winner != fact.winner || result.why != fact.why) return corrupt("winner");
    result.log = log;
    result.chain = fact.chain;
    result.chain_log = fact.chain_log;
    poll->phase = PollPhase::kClosed;
    poll->result = result;
    ++poll->version;
    return {};
  }
  Status operator()(const HpChanged& fact) {
    const Target target = find(fact.character, fact.ver);
    if (target.state == nullptr || fact.hp < 0 || fact.hp > target.def->hp_max || fact.temp < 0 ||
        fact.temp > Limits::kHp || fact.hp_before != target.state->hp ||
        fact.temp_before != target.state->hp_temp) {
      return corrupt("char.hp");
    }
    target.state->hp = fact.hp;
    target.state->hp_temp = fact.temp;
    target.state->ver = fact.ver;
    return {};
  }
  Status operator()(const ItemChanged& fact) {
    const Target target = find(fact.character, fact.ver);
    if (target.state == nullptr || fact.count < 0 || fact.count > Limits::kAmount ||
        fact.item.empty() || fact.item.size() > Limits::kIdBytes) {
      return corrupt("char.item");
    }
    auto& items = target.state->items;
    const auto found = items.find(fact.item);
    const int64_t before = found == items.end() ? 0 : found->second;
    if (fact.count - before != fact.delta) return corrupt("char.item count");
    if (fact.count == 0) {
      if (found != items.end()) items.erase(found);
    } else if (found != items.end()) {
      found->second = fact.count;
    } else if (items.size() < WorldLimits::kItems) {
      items.emplace(fact.item, fact.count);
    } else {
      return corrupt("too many items");
    }
    target.state->ver = fact.ver;
    return {};
  }
  Status operator()(const ConditionChanged& fact) {
    const Target target = find(fact.character, fact.ver);
    if (target.state == nullptr || !definition.has_condition(fact.condition)) {
      return corrupt("char.cond");
    }
    auto& conditions = target.state->conditions;
    const auto found = std::ranges::find(conditions, fact.condition);
    if ((found != conditions.end()) == fact.on) return corrupt("char.cond changes nothing");
    if (fact.on) {
      conditions.push_back(fact.condition);
    } else {
      conditions.erase(found);
    }
    target.state->ver = fact.ver;
    return {};
  }
  Status operator()(const FieldChanged& fact) {
    const Target target = find(fact.character, fact.ver);
    if (target.state == nullptr) return corrupt("char.field");
    for (auto& [name, value] : target.state->fields) {
      if (name != fact.field) continue;
      if (value.is_text != fact.value.is_text || fact.value.text.size() > Limits::kFieldBytes) {
        return corrupt("char.field value");
      }
      value = fact.value;
      target.state->ver = fact.ver;
      return {};
    }
    return corrupt("char.field name");
  }
  Status operator()(const TimerStarted& fact) {
    const bool room = world.timers.size() < WorldLimits::kTimers || world.timers.contains(fact.id);
    if (!room || fact.id.empty() || fact.id.size() > Limits::kIdBytes ||
        fact.label.size() > Limits::kTitleBytes || fact.total_ms <= 0 || !is_time(fact.total_ms) ||
        !is_time(fact.ends_ms)) {
      return corrupt("timer.started");
    }
    world.timers.insert_or_assign(fact.id, TimerState{fact.label, fact.ends_ms, fact.total_ms});
    return {};
  }
  Status operator()(const TimerStopped& fact) {
    return world.timers.erase(fact.id) == 1 ? Status() : corrupt("timer.stopped");
  }
  Status operator()(const VariableSet& fact) {
    const auto found = world.vars.find(fact.name);
    if (found == world.vars.end()) return corrupt("var.set");
    found->second = fact.value;
    return {};
  }
  template <class Other>
  Status operator()(const Other&) {
    return {};
  }

  PollState* find_poll(std::string_view id) {
    const int index = world.poll_index(id);
    return index < 0 ? nullptr : &world.polls[static_cast<size_t>(index)];
  }
  Target find(std::string_view id, uint64_t ver) {
    const int index = definition.character_index(id);
    if (index < 0) return {};
    CharacterState& state = world.characters[static_cast<size_t>(index)];
    if (ver != state.ver + 1 || ver > WorldLimits::kMostNumber) return {};
    return {&definition.characters[static_cast<size_t>(index)], &state};
  }
};

}  // namespace

std::string_view phase_name(Phase phase) {
  static constexpr std::string_view kNames[] = {"waiting", "live", "ended"};
  return kNames[static_cast<size_t>(phase)];
}

std::string_view poll_phase_name(PollPhase phase) {
  static constexpr std::string_view kNames[] = {"ready", "open", "closing", "closed"};
  return kNames[static_cast<size_t>(phase)];
}

int World::poll_index(std::string_view id) const {
  for (size_t i = 0; i < polls.size(); ++i) {
    if (polls[i].def->id == id) return static_cast<int>(i);
  }
  return -1;
}

const PollState* World::poll(std::string_view id) const {
  const int index = poll_index(id);
  return index < 0 ? nullptr : &polls[static_cast<size_t>(index)];
}

World initial_world(const Definition& definition) {
  World world;
  world.visited.resize(definition.scenes.size());
  world.vars = definition.vars;
  for (const CharacterDef& def : definition.characters) {
    CharacterState state;
    state.hp = def.hp;
    state.hp_temp = def.hp_temp;
    state.items.insert(def.items.begin(), def.items.end());
    state.conditions = def.conditions;
    state.fields = def.fields;
    world.characters.push_back(std::move(state));
  }
  for (const PollDef& def : definition.polls) {
    PollState poll;
    poll.def = std::make_shared<PollDef>(def);
    poll.counts.resize(def.options.size());
    world.polls.push_back(std::move(poll));
  }
  return world;
}

PollResult decide_result(const PollDef& def, const std::vector<uint64_t>& counts, uint64_t voters) {
  PollResult out;
  out.winner = def.default_option;
  if (voters < static_cast<uint64_t>(def.quorum)) {
    out.why = Why::kNoQuorum;
    return out;
  }
  const auto best = std::ranges::max_element(counts);
  if (best == counts.end() || *best == 0) {
    out.why = Why::kDefault;
    return out;
  }
  if (std::ranges::count(counts, *best) == 1) {
    out.winner = best - counts.begin();
    out.why = Why::kVotes;
    return out;
  }
  out.why = Why::kTieBreak;
  if (def.tie_break == TieBreak::kFirst) out.winner = best - counts.begin();
  if (def.tie_break == TieBreak::kNone) out.winner = -1;
  return out;
}

Status apply_fact(World& world, const Definition& definition, const Fact& fact, WallMs at_ms,
                  uint64_t log) {
  Applier applier{world, definition, at_ms, log};
  return with_fact(fact, [&](const auto& held) { return applier(held); });
}

}  // namespace footlight::episode
