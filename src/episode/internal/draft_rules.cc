// The rules' side of a draft: which of them fire, what they see, what their effects become. An
// effect that has nothing to act on (a poll that is closed, a full inventory) is dropped; only
// fuel and arithmetic refuse the whole command.
#include <algorithm>

#include "episode/internal/draft.h"

namespace footlight::episode {

class Draft::Context final : public RuleContext {
 public:
  Context(const Draft& draft, const Work& work) : draft_(draft), work_(work) {}

  std::string_view subject() const override { return work_.subject; }
  std::vector<std::string> characters() const override {
    std::vector<std::string> out;
    for (const CharacterDef& def : draft_.definition().characters) out.push_back(def.id);
    return out;
  }
  bool get(const RuleName& name, RuleValue& out) const override {
    switch (name.scope) {
      case RuleName::Scope::kEvent:
        return get_event(name.property, out);
      case RuleName::Scope::kCharacter:
        return get_character(name, out);
      case RuleName::Scope::kVar: {
        const auto found = draft_.world().vars.find(name.key);
        if (found == draft_.world().vars.end()) return false;
        out = RuleValue::of(found->second);
        return true;
      }
      case RuleName::Scope::kPoll:
        return get_poll(name, out);
      case RuleName::Scope::kScene: {
        const int scene = draft_.definition().scene_index(name.id);
        if (scene < 0) return false;
        out = RuleValue::of(int64_t{draft_.world().visited[static_cast<size_t>(scene)] ? 1 : 0});
        return true;
      }
      case RuleName::Scope::kEpisode: {
        const int scene = draft_.world().scene;
        out = RuleValue::of(scene < 0 ? std::string_view()
                                      : draft_.definition().scenes[static_cast<size_t>(scene)].id);
        return true;
      }
    }
    return false;
  }

 private:
  bool get_event(std::string_view property, RuleValue& out) const {
    for (const auto& [name, value] : work_.values) {
      if (name != property) continue;
      out = value;
      return true;
    }
    return false;
  }

  bool get_poll(const RuleName& name, RuleValue& out) const {
    const PollState* poll = draft_.world().poll(name.id);
    if (poll == nullptr) return false;
    const int64_t winner = poll->result ? poll->result->winner : -1;
    if (name.property == "winner") {
      out = RuleValue::of(winner);
    } else if (winner >= 0) {
      out = RuleValue::of(poll->def->options[static_cast<size_t>(winner)].label);
    } else {
      out = RuleValue::of("");
    }
    return true;
  }

  bool get_character(const RuleName& name, RuleValue& out) const {
    const int index = draft_.definition().character_index(name.id);
    if (index < 0) return false;
    const CharacterDef& def = draft_.definition().characters[static_cast<size_t>(index)];
    const CharacterState& state = draft_.world().characters[static_cast<size_t>(index)];
    const std::string& property = name.property;
    if (property == "id") {
      out = RuleValue::of(def.id);
    } else if (property == "name") {
      out = RuleValue::of(def.name);
    } else if (property == "hp") {
      out = RuleValue::of(state.hp);
    } else if (property == "hp_max") {
      out = RuleValue::of(def.hp_max);
    } else if (property == "hp_temp") {
      out = RuleValue::of(state.hp_temp);
    } else if (property == "item") {
      const auto found = state.items.find(name.key);
      out = RuleValue::of(found == state.items.end() ? int64_t{0} : found->second);
    } else if (property == "condition") {
      const bool has = std::ranges::find(state.conditions, name.key) != state.conditions.end();
      out = RuleValue::of(int64_t{has ? 1 : 0});
    } else if (property == "field" || property == "text") {
      get_field(state, name.key, property == "text", out);
    } else {
      return false;
    }
    return true;
  }

  static void get_field(const CharacterState& state, std::string_view key, bool as_text,
                        RuleValue& out) {
    out = as_text ? RuleValue::of("") : RuleValue::of(int64_t{0});
    for (const auto& [name, value] : state.fields) {
      if (name != key) continue;
      if (as_text) {
        out = RuleValue::of(value.is_text ? value.text : std::to_string(value.number));
      } else if (!value.is_text) {
        out = RuleValue::of(value.number);
      }
      return;
    }
  }

  const Draft& draft_;
  const Work& work_;
};

void Draft::fire(Trigger trigger, std::string_view subject, RuleValues values) {
  if (!definition().rules.has(trigger)) return;
  Work work;
  work.trigger = trigger;
  work.subject = subject;
  work.values = std::move(values);
  work_.push_back(std::move(work));
}

Status Draft::run_trigger(const Work& work) {
  Result<std::vector<Effect>> effects =
      run(definition().rules, work.trigger, Context(*this, work), fuel_);
  if (!effects) return std::unexpected(effects.error());
  queue_effects(std::move(*effects));
  return {};
}

void Draft::queue_effects(std::vector<Effect> effects) {
  for (Effect& effect : effects) {
    Work work;
    work.is_effect = true;
    work.effect = std::move(effect);
    work_.push_back(std::move(work));
  }
}

Status Draft::settle() {
  while (!work_.empty()) {
    const Work work = std::move(work_.front());
    work_.pop_front();
    if (Status done = work.is_effect ? apply_effect(work.effect) : run_trigger(work); !done) {
      return done;
    }
  }
  return {};
}

Status Draft::apply_effect(const Effect& effect) {
  if (!effect.target.empty()) {
    const int character = definition().character_index(effect.target);
    return character < 0 ? Status() : apply_to_character(effect, character);
  }
  return apply_to_story(effect);
}

Status Draft::apply_to_character(const Effect& effect, int character) {
  const CharacterState& now = world().characters[static_cast<size_t>(character)];
  const int64_t amount =
      std::clamp(effect.amount, -DefinitionLimits::kAmount, DefinitionLimits::kAmount);
  const auto held = now.items.find(effect.name);
  const int64_t had = held == now.items.end() ? 0 : held->second;
  switch (effect.kind) {
    case EffectKind::kDamage:
      return damage(character, amount, "rule", effect.rule);
    case EffectKind::kHeal:
      return set_hp(character, now.hp + amount, now.hp_temp, effect.rule);
    case EffectKind::kSetHp:
      return set_hp(character, amount, now.hp_temp, effect.rule);
    case EffectKind::kTempHp:
      return set_hp(character, now.hp, amount, effect.rule);
    case EffectKind::kGive:
      if (had == 0 && now.items.size() >= WorldLimits::kItems) return {};
      return set_item(character, effect.name, std::min(had + amount, DefinitionLimits::kAmount),
                      effect.rule);
    case EffectKind::kTake:
      return set_item(character, effect.name, std::max<int64_t>(had - amount, 0), effect.rule);
    case EffectKind::kAddCondition:
      return set_condition(character, effect.name, true, effect.rule);
    case EffectKind::kRemoveCondition:
      return set_condition(character, effect.name, false, effect.rule);
    case EffectKind::kSetField: {
      FieldValue value{effect.value.is_text, effect.value.number, effect.value.text};
      const auto field =
          std::ranges::find(now.fields, effect.name, &std::pair<std::string, FieldValue>::first);
      const bool fits = field != now.fields.end() && field->second.is_text == value.is_text &&
                        value.text.size() <= DefinitionLimits::kFieldBytes;
      if (!fits) return {};
      value.number =
          std::clamp(value.number, -DefinitionLimits::kAmount, DefinitionLimits::kAmount);
      return set_field(character, effect.name, std::move(value), effect.rule);
    }
    default:
      return {};
  }
}

Status Draft::apply_to_story(const Effect& effect) {
  const int poll = world().poll_index(effect.name);
  const PollPhase phase =
      poll < 0 ? PollPhase::kClosed : world().polls[static_cast<size_t>(poll)].phase;
  switch (effect.kind) {
    case EffectKind::kSetVar: {
      const auto found = world().vars.find(effect.name);
      if (found == world().vars.end() || found->second == effect.amount) return {};
      return add(VariableSet{effect.name, effect.amount}, effect.rule);
    }
    case EffectKind::kGoto: {
      const int scene = definition().scene_index(effect.name);
      const bool live = world().phase == Phase::kLive;
      return scene < 0 || !live ? Status() : enter_scene(scene, How::kRule, "", "", effect.rule);
    }
    case EffectKind::kOpenPoll:
      if (phase != PollPhase::kReady || world().phase != Phase::kLive) return {};
      return open_poll(poll, std::clamp<int64_t>(effect.amount, 0, DefinitionLimits::kPollSeconds),
                       effect.rule);
    case EffectKind::kClosePoll:
      return phase != PollPhase::kOpen ? Status() : close_poll(poll, now_ms_, effect.rule);
    case EffectKind::kStartTimer: {
      const TimerDef* def = definition().timer(effect.name);
      const int64_t seconds = effect.amount == 0 && def != nullptr ? def->seconds : effect.amount;
      const std::string_view label =
          effect.text.empty() && def != nullptr ? std::string_view(def->label) : effect.text;
      const bool room =
          world().timers.contains(effect.name) || world().timers.size() < WorldLimits::kTimers;
      if (!room || seconds < 1) return {};
      return start_timer(effect.name, label, std::min<int64_t>(seconds, 86'400), effect.rule);
    }
    case EffectKind::kStopTimer:
      return world().timers.contains(effect.name) ? stop_timer(effect.name, false, effect.rule)
                                                  : Status();
    case EffectKind::kSay:
      return effect.text.empty() ? Status() : say(effect.text, effect.rule);
    default:
      return {};
  }
}

}  // namespace footlight::episode
