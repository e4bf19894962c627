// A command being decided: the events so far, the world as it is after them, and what the rules
// still have to say. Nothing leaves a draft unless all of it succeeded.
//
// The world is copied when the first event changes it; a command that changes nothing rules can see
// (chat, moderation) costs no copy.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "episode/internal/impl.h"

namespace footlight::episode {

using RuleValues = std::vector<std::pair<std::string_view, RuleValue>>;

class Draft {
 public:
  // `origin` goes to the first event. All references outlive the draft.
  Draft(const State::Impl& state, Origin origin, WallMs now_ms, const Secrets& secrets);

  const State::Impl& state() const { return state_; }
  const Definition& definition() const { return state_.definition; }
  const Secrets& secrets() const { return secrets_; }
  const World& world() const { return copy_ ? *copy_ : state_.world; }
  WallMs now_ms() const { return now_ms_; }
  bool empty() const { return events_.empty(); }

  // One event. `rule` names the rule that caused it.
  Status add(Fact fact, std::string_view rule = {});

  // Actions that commands and rules share. Indices are valid ones of the world or the definition.
  // Values are within their limits or are clamped.
  Status enter_scene(int scene, How how, std::string_view poll, std::string_view choice,
                     std::string_view rule = {});
  Status open_poll(int poll, int64_t seconds, std::string_view rule = {});
  Status close_poll(int poll, WallMs deadline_ms, std::string_view rule = {});  // to closing
  enum class Story : uint8_t { kMoves, kStays };
  Status finish_poll(int poll, Story story);  // to closed, with its result
  // `by`: role of who did it, or "rule".
  Status damage(int character, int64_t amount, std::string_view by, std::string_view rule = {});
  Status set_hp(int character, int64_t hp, int64_t temp, std::string_view rule = {});
  Status set_item(int character, std::string_view item, int64_t count, std::string_view rule = {});
  Status set_condition(int character, std::string_view condition, bool on,
                       std::string_view rule = {});
  Status set_field(int character, std::string_view field, FieldValue value,
                   std::string_view rule = {});
  Status start_timer(std::string_view id, std::string_view label, int64_t seconds,
                     std::string_view rule = {});
  Status stop_timer(std::string_view id, bool ran_out, std::string_view rule = {});

  Status say(std::string_view text, std::string_view rule = {});

  void fire(Trigger trigger, std::string_view subject, RuleValues values);
  // Runs the rules until nothing is left to do: kRuleFuel, kRuleError.
  Status settle();
  std::vector<Event> take();

 private:
  struct Work {
    bool is_effect = false;
    Trigger trigger = Trigger::kStart;
    std::string subject;
    RuleValues values;
    Effect effect;
  };
  class Context;

  Status run_trigger(const Work& work);
  Status apply_effect(const Effect& effect);
  Status apply_to_character(const Effect& effect, int character);
  Status apply_to_story(const Effect& effect);
  void queue_effects(std::vector<Effect> effects);

  const State::Impl& state_;
  Origin origin_;
  WallMs now_ms_;
  const Secrets& secrets_;
  std::unique_ptr<World> copy_;
  std::vector<Event> events_;
  uint64_t chat_said_ = 0;
  std::deque<Work> work_;
  Fuel fuel_;
};

}  // namespace footlight::episode
