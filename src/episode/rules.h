// Declarative rules of an episode: on a trigger, when a condition holds, do a list of effects.
// Integers and strings only, in file order, with fuel; no time and no randomness. A rule set
// compiles once, with all its faults reported, and is typed: what can still fail at run time is
// arithmetic (overflow, division by zero: kRuleError) and fuel (kRuleFuel).
//
// The engine owns what effects mean: it turns each into events, which may trigger further rules
// (breadth first, from the same Fuel). All effects of one trigger see the state before any of them.
//
// Grammar, names and effects: docs/formats/rules.md. Pure, any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "episode/issue.h"

namespace footlight::episode {

enum class Trigger : uint8_t {
  kStart,      // the episode went live
  kRoll,       // dice were rolled
  kDamage,     // hit points are about to be lost: multiply_damage and set_damage change how many
  kHp,         // hit points changed
  kItem,       // an item count changed
  kCondition,  // a condition was added or removed
  kField,      // a custom field changed
  kPollOpened,
  kPollClosed,
  kScene,  // the story moved
  kTimer,  // a timer ran out
};
inline constexpr int kTriggerCount = 11;
std::string_view trigger_name(Trigger trigger);  // "start", "roll", ... "poll_closed", ...

struct RuleValue {
  bool is_text = false;
  int64_t number = 0;
  std::string text;

  static RuleValue of(int64_t number) { return {false, number, {}}; }
  static RuleValue of(std::string_view text) { return {true, 0, std::string(text)}; }
  bool operator==(const RuleValue&) const = default;
};

// What a name in an expression stands for.
struct RuleName {
  enum class Scope : uint8_t {
    kEvent,  // property "roll.total", "poll.winner", ...: the trigger's own values, listed below
    kCharacter,  // id: the character ("" = RuleContext::subject, resolved before get() is called);
                 // property: "id" "name" "hp" "hp_max" "hp_temp", "item" (key; its count),
                 // "condition" (key; 0 or 1), "field" (key; number, 0 when it is text or absent),
                 // "text" (key; the field as text, a number in decimal, "" when absent)
    kVar,        // key: a variable of the episode, a number
    kPoll,       // id; property "winner" (index, -1 none yet) or "option" (text of the winner, "")
    kScene,      // id; property "visited" (0 or 1)
    kEpisode,    // property "scene": id of the current one, "" before the first
  };
  Scope scope = Scope::kEvent;
  std::string id;
  std::string property;
  std::string key;
};

// Values of the trigger (RuleName::Scope::kEvent):
//   roll         roll.total roll.natural roll.n roll.secret (numbers) roll.crit roll.expr
//   roll.reason
//                roll.by (texts; by: name of who rolled)
//   damage       damage.amount (number, >= 1) damage.by (text: role, or "rule")
//   hp           hp.before hp.after hp.delta (numbers)
//   item         item.id (text) item.delta item.count (numbers)
//   condition    condition.id (text) condition.on (0 or 1)
//   field        field.id field.text (texts) field.value (number)
//   poll_opened  poll.id (text)
//   poll_closed  poll.id poll.option poll.why (texts) poll.winner poll.voters poll.votes (numbers)
//   scene        scene.id scene.from scene.how (texts)
//   timer        timer.id (text)
// Subject: roll (its `char`, may be ""), damage, hp, item, condition, field: the character; others
// "".
class RuleContext {
 public:
  virtual ~RuleContext() = default;
  virtual std::string_view subject() const = 0;
  // False when there is no such thing (a definition that passed its checks asks for none):
  // kRuleError.
  virtual bool get(const RuleName& name, RuleValue& out) const = 0;
  // Ids of all characters in the definition's order: `char: all` in an effect.
  virtual std::vector<std::string> characters() const = 0;
};

enum class EffectKind : uint8_t {
  kDamage,           // target: character, amount 1..1,000,000 (0 or less: the effect is dropped)
  kHeal,             // target, amount 1..1,000,000
  kSetHp,            // target, amount 0..1,000,000 (the engine clamps to the maximum)
  kTempHp,           // target, amount 0..1,000,000
  kGive,             // target, name: item, amount 1..1,000,000,000
  kTake,             // target, name: item, amount as kGive (the engine takes at most what is there)
  kAddCondition,     // target, name: condition
  kRemoveCondition,  // target, name: condition
  kSetField,         // target, name: field, value (number +-1,000,000,000 or text <= 200 bytes)
  kSetVar,           // name: variable, amount +-1,000,000,000
  kGoto,             // name: scene
  kOpenPoll,         // name: poll, amount: seconds, 0 = the poll's own
  kClosePoll,        // name: poll
  kStartTimer,  // name: timer id, amount: seconds 1..86400, text: label; 0 and "" = the timer's own
  kStopTimer,   // name: timer id
  kSay,         // text, at most 500 bytes (longer is cut at a character)
  kMultiplyDamage,  // amount 0..100; trigger damage only
  kSetDamage,       // amount 0..1,000,000; trigger damage only
};
std::string_view effect_name(EffectKind kind);  // "damage", ... as written in the file

struct Effect {
  EffectKind kind = EffectKind::kSay;
  std::string target;
  std::string name;
  int64_t amount = 0;
  RuleValue value;   // kSetField
  std::string text;  // kSay, kStartTimer
  std::string rule;  // id of the rule it came from

  bool operator==(const Effect&) const = default;
};

// An episode's budget for one command with all it sets off. A unit: one step of an expression; a
// rule looked at costs 1, an effect 10. Never negative.
struct Fuel {
  static constexpr int64_t kPerCommand = 20'000;
  int64_t left = kPerCommand;
  bool spend(int64_t units) {
    if (units > left) {
      left = 0;
      return false;
    }
    left -= units;
    return true;
  }
};

struct RuleLimits {
  static constexpr int kRules = 200;
  static constexpr int kEffects = 32;  // per rule
  static constexpr int kExpressionBytes = 500;
  static constexpr int kDepth = 16;
  static constexpr int kTextBytes = 500;
  static constexpr int kEmitted = 256;  // effects one trigger may yield: else kRuleFuel
};

// Something a rule names that the definition must hold; the definition's parser checks it.
struct RuleReference {
  enum class Kind : uint8_t { kCharacter, kItem, kCondition, kField, kVar, kPoll, kScene, kTimer };
  Kind kind = Kind::kCharacter;
  std::string id;
  std::string path;  // JSON Pointer of the place, for the Issue
};
std::string_view reference_kind_name(RuleReference::Kind kind);  // "character", "item", ...

class RuleSet {
 public:
  RuleSet();
  ~RuleSet();
  RuleSet(RuleSet&&) noexcept;
  RuleSet& operator=(RuleSet&&) noexcept;

  size_t size() const;
  bool has(
      Trigger trigger) const;  // false: run() would yield nothing, building a context is needless
  const std::vector<RuleReference>& references() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  friend RuleSet compile_rules(const Json&, std::string_view, Issues&);
  std::unique_ptr<Impl> impl_;
};

// `rules`: the definition's "rules" array (null: none), `path` its JSON Pointer. Appends every
// fault found to `issues`; the set is usable only when it appended none.
RuleSet compile_rules(const Json& rules, std::string_view path, Issues& issues);
// The same, failing with the first fault: detail is "<pointer>: <message>".
Result<RuleSet> compile_rules(const Json& rules);

// Effects of all rules on `trigger` whose condition holds, in file order. kRuleFuel, kRuleError
// (detail names the rule): then nothing of the command may be applied.
Result<std::vector<Effect>> run(const RuleSet& rules, Trigger trigger, const RuleContext& context,
                                Fuel& fuel);

// The damage that is left after the kMultiplyDamage and kSetDamage among `effects`, in their order;
// at most 1,000,000.
int64_t adjusted_damage(int64_t amount, std::span<const Effect> effects);

}  // namespace footlight::episode
