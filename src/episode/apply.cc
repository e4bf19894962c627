// apply: what each event changes, and which entities of the view that touches.
#include <algorithm>

#include "core/assert.h"
#include "episode/internal/impl.h"
#include "proto/commands.h"

namespace footlight::episode {
namespace {

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(Code::kLogCorrupt, "an event does not fit the state: " + std::string(what));
}

// Checks what lies outside the world, before anything changes.
struct Checker {
  const State::Impl& state;

  Status operator()(const DiceRolled& fact) const {
    if (fact.n != state.roll_count + 1) return corrupt("roll number");
    if (state.nonces.size() >= StateLimits::kNonces) return corrupt("too many rolls");
    return state.nonces.contains(nonce_key(fact.nonce)) ? corrupt("nonce used twice") : Status();
  }
  Status operator()(const ChatSaid& fact) const {
    return fact.id == state.chat_messages + 1 ? Status() : corrupt("chat number");
  }
  Status operator()(const CaptionSaid& fact) const {
    const bool sane =
        is_time(fact.at_ms) && fact.for_ms <= static_cast<uint64_t>(proto::kMaxCaptionMs);
    return sane && fact.n == state.caption_count + 1 ? Status() : corrupt("caption.said");
  }
  Status operator()(const CaptionTakenBack& fact) const {
    const auto found = std::ranges::find(state.captions, fact.n, &Caption::n);
    const bool there = found != state.captions.end() && !found->text.empty();
    return there ? Status() : corrupt("caption.taken_back");
  }
  Status operator()(const ChatDeleted& fact) const {
    const bool known = std::ranges::find(state.chat, fact.id, &ChatMessage::id) != state.chat.end();
    return known ? Status() : corrupt("chat.deleted");
  }
  Status operator()(const CueDone& fact) const {
    return fact.n >= 1 && fact.n <= state.cues_done.size() ? Status() : corrupt("cue.done");
  }
  Status operator()(const ChatSlowed& fact) const {
    const bool sane = fact.seconds <= static_cast<uint64_t>(StateLimits::kSlowSeconds);
    return sane ? Status() : corrupt("chat.slow");
  }
  Status operator()(const PersonMuted& fact) const {
    return is_time(fact.until_ms) ? moderation(fact.person.who) : corrupt("mod.muted");
  }
  Status operator()(const PersonBanned& fact) const { return moderation(fact.person.who); }
  template <class Other>
  Status operator()(const Other&) const {
    return {};
  }
  Status moderation(uint64_t who) const {
    const bool room = state.people.room_to_moderate() || state.people.moderated(who) != nullptr;
    return room ? Status() : corrupt("too many moderated");
  }
};

// Changes what lies outside the world and names what changed in the view.
struct Changer {
  State::Impl& state;
  const TypedEvent& event;
  uint64_t log;
  std::vector<EntityRef>* changed;

  void touch(std::string_view collection, std::string id) const {
    if (changed != nullptr) changed->push_back({std::string(collection), std::move(id)});
  }
  void touch_character(const std::string& id) const { touch("characters", id); }
  // Scenes list the polls that their viewers may see, so they change with a poll's first opening.
  void touch_scenes_of(const std::string& poll) const {
    for (const SceneDef& scene : state.definition.scenes) {
      if (std::ranges::find(scene.polls, poll) != scene.polls.end()) touch("scenes", scene.id);
    }
  }

  void operator()(const EpisodeStarted&) {
    state.started_ms = event.at_ms;
    touch("episode", "state");
  }
  void operator()(const EpisodeEnded& fact) {
    state.ended_ms = event.at_ms;
    state.seed = fact.seed;
    state.chain = fact.chain;
    touch("episode", "state");
  }
  void operator()(const SceneEntered& fact) {
    if (state.story.size() == StateLimits::kStory) {
      touch("story", std::to_string(state.story.front().n));
      state.story.pop_front();
    }
    state.story.push_back(
        {++state.story_steps, event.at_ms, state.world.scene, fact.how, fact.poll, fact.choice});
    touch("episode", "state");
    touch("scenes", fact.scene);
    touch("story", std::to_string(state.story_steps));
  }
  void operator()(const PollCreated& fact) {
    state.registers.emplace_back();
    touch("polls", fact.poll);
  }
  void operator()(const PollOpened& fact) {
    touch("polls", fact.poll);
    touch_scenes_of(fact.poll);
  }
  void operator()(const PollClosing& fact) { touch("polls", fact.poll); }
  void operator()(const PollClosed& fact) { touch("polls", fact.poll); }
  void operator()(const HpChanged& fact) { touch_character(fact.character); }
  void operator()(const ItemChanged& fact) { touch_character(fact.character); }
  void operator()(const ConditionChanged& fact) { touch_character(fact.character); }
  void operator()(const FieldChanged& fact) { touch_character(fact.character); }
  void operator()(const DiceRolled& fact) {
    if (state.rolls.size() == StateLimits::kRolls) {
      touch("rolls", std::to_string(state.rolls.front().roll.n));
      state.rolls.pop_front();
    }
    state.roll_count = fact.n;
    state.nonces.insert(nonce_key(fact.nonce));
    state.rolls.push_back({event.at_ms, event.origin.who, event.origin.name, fact});
    touch("rolls", std::to_string(fact.n));
  }
  void operator()(const ChatSaid& fact) {
    if (state.chat.size() == StateLimits::kChat) {
      touch("chat", std::to_string(state.chat.front().id));
      state.chat.pop_front();
    }
    state.chat_messages = fact.id;
    state.chat.push_back(
        {fact.id, event.at_ms, event.origin.who, event.origin.name, event.origin.role, fact.text});
    touch("chat", std::to_string(fact.id));
  }
  void operator()(const CaptionSaid& fact) {
    if (state.captions.size() == StateLimits::kCaptions) {
      touch("captions", std::to_string(state.captions.front().n));
      state.captions.pop_front();
    }
    state.caption_count = fact.n;
    state.captions.push_back({fact.n, event.at_ms, fact.at_ms, fact.for_ms, fact.lang, fact.text});
    touch("captions", std::to_string(fact.n));
  }
  // It keeps its place, so that the others keep their numbers; without text it is shown no longer.
  void operator()(const CaptionTakenBack& fact) {
    Caption& caption = *std::ranges::find(state.captions, fact.n, &Caption::n);
    caption.text.clear();
    caption.for_ms = 0;
    touch("captions", std::to_string(fact.n));
  }
  void operator()(const ChatDeleted& fact) {
    state.chat.erase(std::ranges::find(state.chat, fact.id, &ChatMessage::id));
    touch("chat", std::to_string(fact.id));
  }
  void operator()(const ChatSlowed& fact) {
    state.slow_seconds = static_cast<int64_t>(fact.seconds);
    touch("episode", "state");
  }
  void operator()(const PersonMuted& fact) {
    (void)state.people.mute(fact.person.who, fact.name, fact.until_ms);
    touch("moderation", hex_u64(fact.person.who));
  }
  void operator()(const PersonBanned& fact) {
    (void)state.people.ban(fact.person.who, fact.name, fact.on);
    touch("moderation", hex_u64(fact.person.who));
  }
  void operator()(const SlateSet& fact) {
    state.slate_on = fact.on;
    state.slate_text = fact.text;
    touch("episode", "state");
  }
  void operator()(const MediaModeSet& fact) {
    state.media_mode = fact.mode;
    touch("episode", "state");
  }
  void operator()(const TimerStarted& fact) { touch("timers", fact.id); }
  void operator()(const TimerStopped& fact) { touch("timers", fact.id); }
  void operator()(const VariableSet&) {}
  void operator()(const CueDone& fact) {
    state.cues_done[fact.n - 1] = true;
    touch("cues", std::to_string(fact.n));
  }
  void operator()(const NothingChanged&) {}
};

void remember_person(State::Impl& state, const TypedEvent& event, uint64_t log) {
  const Origin& origin = event.origin;
  if (origin.who == 0) return;
  Person& person = state.people.see(origin.who, origin.name, origin.role, log);
  if (std::holds_alternative<ChatSaid>(event.fact)) person.last_chat_ms = event.at_ms;
}

}  // namespace

uint64_t nonce_key(std::string_view nonce) {
  const Hash256 hash = sha256(as_bytes(nonce));
  uint64_t key = 0;
  for (int i = 0; i < 8; ++i) key = key << 8 | hash[static_cast<size_t>(i)];
  return key;
}

Status apply(State& outer, const Event& event, uint64_t log, std::vector<EntityRef>* changed) {
  State::Impl& state = outer.impl();
  Result<TypedEvent> typed = decode_event(event);
  if (!typed) return std::unexpected(typed.error());
  const Origin& origin = typed->origin;
  if (log <= state.last_log || log >> 48 != 0) return corrupt("log sequence");
  if (!is_time(event.at_ms)) return corrupt("time");
  if (origin.i != 0) {
    const auto done = state.dedup.look_up(origin.who, origin.cid, origin.i, origin.body);
    if (!done || *done != nullptr) return corrupt("event id used twice");
  }
  const auto check = [&](const auto& fact) { return Checker{state}(fact); };
  if (Status checked = with_fact(typed->fact, check); !checked) return checked;
  std::string line = describe_fact(state, typed->fact);
  const size_t timers_before = state.world.timers.size();
  std::vector<std::string> ended_timers;
  if (timers_before > 0 && std::holds_alternative<EpisodeEnded>(typed->fact)) {
    for (const auto& [id, timer] : state.world.timers) ended_timers.push_back(id);
  }
  if (Status applied = apply_fact(state.world, state.definition, typed->fact, event.at_ms, log);
      !applied) {
    return applied;
  }

  Changer changer{state, *typed, log, changed};
  with_fact(typed->fact, [&](const auto& fact) { changer(fact); });
  for (std::string& id : ended_timers) changer.touch("timers", std::move(id));
  state.last_log = log;
  remember_person(state, *typed, log);
  if (origin.i != 0) {
    const bool fresh = state.dedup.record(origin.who, origin.cid, {origin.i, origin.body, log});
    FL_ASSERT(fresh, "the id was looked up before");
  }
  if (state.log_tail.size() == StateLimits::kLog) {
    changer.touch("log", std::to_string(state.log_tail.front().log));
    state.log_tail.pop_front();
  }
  state.log_tail.push_back({log, event.at_ms, std::string(fact_kind(typed->fact)), origin.who,
                            origin.name, std::move(line)});
  changer.touch("log", std::to_string(log));
  return {};
}

}  // namespace footlight::episode
