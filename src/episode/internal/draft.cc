#include "episode/internal/draft.h"

#include <algorithm>

namespace footlight::episode {
namespace {

constexpr int64_t kMsPerSecond = 1000;

template <class T>
struct TouchesWorld {
  static constexpr bool value = true;
};
template <>
struct TouchesWorld<DiceRolled> {
  static constexpr bool value = false;
};
template <>
struct TouchesWorld<ChatSaid> {
  static constexpr bool value = false;
};
template <>
struct TouchesWorld<CaptionSaid> {
  static constexpr bool value = false;
};
template <>
struct TouchesWorld<CaptionTakenBack> {
  static constexpr bool value = false;
};
template <>
struct TouchesWorld<NothingChanged> {
  static constexpr bool value = false;
};
template <>
struct TouchesWorld<CueDone> {
  static constexpr bool value = false;
};

}  // namespace

Draft::Draft(const State::Impl& state, Origin origin, WallMs now_ms, const Secrets& secrets)
    : state_(state), origin_(std::move(origin)), now_ms_(now_ms), secrets_(secrets) {}

Status Draft::add(Fact fact, std::string_view rule) {
  const bool touches = with_fact(fact, [](const auto& held) {
    return TouchesWorld<std::remove_cvref_t<decltype(held)>>::value;
  });
  if (touches) {
    if (copy_ == nullptr) copy_ = std::make_unique<World>(state_.world);
    if (const Status applied = apply_fact(*copy_, state_.definition, fact, now_ms_, 0); !applied) {
      return fail(Code::kInternal, applied.error().detail);
    }
  }
  TypedEvent event;
  event.at_ms = now_ms_;
  if (events_.empty()) event.origin = origin_;
  event.origin.rule = rule;
  event.fact = std::move(fact);
  events_.push_back({now_ms_, encode_event(event)});
  return {};
}

Status Draft::enter_scene(int scene, How how, std::string_view poll, std::string_view choice,
                          std::string_view rule) {
  const std::string& id = definition().scenes[static_cast<size_t>(scene)].id;
  const int from = world().scene;
  SceneEntered fact;
  fact.scene = id;
  fact.how = how;
  fact.poll = poll;
  fact.choice = choice;
  if (Status added = add(std::move(fact), rule); !added) return added;
  const std::string_view from_id =
      from < 0 ? std::string_view() : definition().scenes[static_cast<size_t>(from)].id;
  fire(Trigger::kScene, "",
       {{"scene.id", RuleValue::of(id)},
        {"scene.from", RuleValue::of(from_id)},
        {"scene.how", RuleValue::of(how_name(how))}});
  return {};
}

Status Draft::open_poll(int poll, int64_t seconds, std::string_view rule) {
  const PollDef& def = *world().polls[static_cast<size_t>(poll)].def;
  if (seconds == 0) seconds = def.seconds;
  PollOpened fact;
  fact.poll = def.id;
  fact.deadline_ms = seconds == 0 ? 0 : now_ms_ + seconds * kMsPerSecond;
  const std::string id = def.id;
  if (Status added = add(std::move(fact), rule); !added) return added;
  fire(Trigger::kPollOpened, "", {{"poll.id", RuleValue::of(id)}});
  return {};
}

Status Draft::close_poll(int poll, WallMs deadline_ms, std::string_view rule) {
  PollClosing fact;
  fact.poll = world().polls[static_cast<size_t>(poll)].def->id;
  fact.deadline_ms = deadline_ms;
  return add(std::move(fact), rule);
}

Status Draft::finish_poll(int poll, Story story) {
  const PollState& state = world().polls[static_cast<size_t>(poll)];
  const std::shared_ptr<const PollDef> def = state.def;
  const PollResult result = decide_result(*def, state.counts, state.voters);
  PollClosed fact;
  fact.poll = def->id;
  fact.counts = state.counts;
  fact.voters = state.voters;
  fact.winner = result.winner;
  fact.why = result.why;
  fact.chain = secrets_.chain_head;
  fact.chain_log = secrets_.chain_log;
  const bool has_winner = result.winner >= 0;
  const auto winner = static_cast<size_t>(std::max<int64_t>(result.winner, 0));
  RuleValues values = {
      {"poll.id", RuleValue::of(def->id)},
      {"poll.option",
       RuleValue::of(has_winner ? std::string_view(def->options[winner].label) : "")},
      {"poll.why", RuleValue::of(why_name(result.why))},
      {"poll.winner", RuleValue::of(result.winner)},
      {"poll.voters", RuleValue::of(static_cast<int64_t>(state.voters))},
      {"poll.votes",
       RuleValue::of(has_winner ? static_cast<int64_t>(state.counts[winner]) : int64_t{0})}};
  if (Status added = add(std::move(fact)); !added) return added;
  if (story == Story::kStays) return {};
  fire(Trigger::kPollClosed, "", std::move(values));
  if (!has_winner || def->options[winner].to.empty()) return {};
  return enter_scene(definition().scene_index(def->options[winner].to), How::kPoll, def->id,
                     std::to_string(winner));
}

Status Draft::damage(int character, int64_t amount, std::string_view by, std::string_view rule) {
  const CharacterState& before = world().characters[static_cast<size_t>(character)];
  std::vector<Effect> effects;
  if (definition().rules.has(Trigger::kDamage)) {
    Work work;
    work.trigger = Trigger::kDamage;
    work.subject = definition().characters[static_cast<size_t>(character)].id;
    work.values = {{"damage.amount", RuleValue::of(amount)}, {"damage.by", RuleValue::of(by)}};
    const size_t queued = work_.size();
    if (Status ran = run_trigger(work); !ran) return ran;
    for (size_t i = queued; i < work_.size(); ++i) effects.push_back(work_[i].effect);
    amount = adjusted_damage(amount, effects);
  }
  const int64_t absorbed = std::min(before.hp_temp, amount);
  const int64_t hp = std::max<int64_t>(0, before.hp - (amount - absorbed));
  return set_hp(character, hp, before.hp_temp - absorbed, rule);
}

Status Draft::set_hp(int character, int64_t hp, int64_t temp, std::string_view rule) {
  const CharacterDef& def = definition().characters[static_cast<size_t>(character)];
  const CharacterState& before = world().characters[static_cast<size_t>(character)];
  HpChanged fact;
  fact.character = def.id;
  fact.hp = std::clamp<int64_t>(hp, 0, def.hp_max);
  fact.temp = std::clamp<int64_t>(temp, 0, DefinitionLimits::kHp);
  fact.hp_before = before.hp;
  fact.temp_before = before.hp_temp;
  fact.ver = before.ver + 1;
  if (fact.hp == fact.hp_before && fact.temp == fact.temp_before) return {};
  RuleValues values = {{"hp.before", RuleValue::of(fact.hp_before)},
                       {"hp.after", RuleValue::of(fact.hp)},
                       {"hp.delta", RuleValue::of(fact.hp - fact.hp_before)}};
  const bool hp_changed = fact.hp != fact.hp_before;
  if (Status added = add(std::move(fact), rule); !added) return added;
  if (hp_changed) fire(Trigger::kHp, def.id, std::move(values));
  return {};
}

Status Draft::set_item(int character, std::string_view item, int64_t count, std::string_view rule) {
  const CharacterState& before = world().characters[static_cast<size_t>(character)];
  const auto found = before.items.find(item);
  const int64_t had = found == before.items.end() ? 0 : found->second;
  if (count == had) return {};
  ItemChanged fact;
  fact.character = definition().characters[static_cast<size_t>(character)].id;
  fact.item = item;
  fact.delta = count - had;
  fact.count = count;
  fact.ver = before.ver + 1;
  const std::string subject = fact.character;
  RuleValues values = {{"item.id", RuleValue::of(item)},
                       {"item.delta", RuleValue::of(fact.delta)},
                       {"item.count", RuleValue::of(count)}};
  if (Status added = add(std::move(fact), rule); !added) return added;
  fire(Trigger::kItem, subject, std::move(values));
  return {};
}

Status Draft::set_condition(int character, std::string_view condition, bool on,
                            std::string_view rule) {
  const CharacterState& before = world().characters[static_cast<size_t>(character)];
  const bool has = std::ranges::find(before.conditions, condition) != before.conditions.end();
  if (has == on) return {};
  ConditionChanged fact;
  fact.character = definition().characters[static_cast<size_t>(character)].id;
  fact.condition = condition;
  fact.on = on;
  fact.ver = before.ver + 1;
  const std::string subject = fact.character;
  if (Status added = add(std::move(fact), rule); !added) return added;
  fire(Trigger::kCondition, subject,
       {{"condition.id", RuleValue::of(condition)},
        {"condition.on", RuleValue::of(int64_t{on ? 1 : 0})}});
  return {};
}

Status Draft::set_field(int character, std::string_view field, FieldValue value,
                        std::string_view rule) {
  const CharacterState& before = world().characters[static_cast<size_t>(character)];
  for (const auto& [name, held] : before.fields) {
    if (name == field && held == value) return {};
  }
  FieldChanged fact;
  fact.character = definition().characters[static_cast<size_t>(character)].id;
  fact.field = field;
  fact.value = value;
  fact.ver = before.ver + 1;
  const std::string subject = fact.character;
  if (Status added = add(std::move(fact), rule); !added) return added;
  const std::string text = value.is_text ? value.text : std::to_string(value.number);
  fire(Trigger::kField, subject,
       {{"field.id", RuleValue::of(field)},
        {"field.text", RuleValue::of(text)},
        {"field.value", RuleValue::of(value.is_text ? 0 : value.number)}});
  return {};
}

Status Draft::start_timer(std::string_view id, std::string_view label, int64_t seconds,
                          std::string_view rule) {
  TimerStarted fact;
  fact.id = id;
  fact.label = label;
  fact.total_ms = seconds * kMsPerSecond;
  fact.ends_ms = now_ms_ + fact.total_ms;
  return add(std::move(fact), rule);
}

Status Draft::stop_timer(std::string_view id, bool ran_out, std::string_view rule) {
  TimerStopped fact;
  fact.id = id;
  fact.ran_out = ran_out;
  const std::string name = fact.id;
  if (Status added = add(std::move(fact), rule); !added) return added;
  if (ran_out) fire(Trigger::kTimer, "", {{"timer.id", RuleValue::of(name)}});
  return {};
}

Status Draft::say(std::string_view text, std::string_view rule) {
  ++chat_said_;
  return add(ChatSaid{state_.chat_messages + chat_said_, std::string(text)}, rule);
}

std::vector<Event> Draft::take() { return std::move(events_); }

}  // namespace footlight::episode
