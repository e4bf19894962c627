// From the definition's JSON to a RuleSet. Every fault is collected; a rule that has one is left
// out, the others still compile, so that one run of the check shows all.
#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "episode/internal/rule_set.h"
#include "episode/rules.h"

namespace footlight::episode {
namespace {

using rule_expr::Expr;
using rule_expr::Sink;
using rule_expr::Type;
using Target = CompiledEffect::Target;

// How an effect is written: {KEY: {...arguments}}, or {KEY: primary} where the rest has defaults.
struct EffectForm {
  EffectKind kind;
  std::string_view key;
  std::string_view primary;
  bool has_target;
  std::string_view name_key;    // "" none: literal id
  std::string_view amount_key;  // "" none: number or "= expression"
  bool amount_required;
  int64_t amount_otherwise;
  std::string_view text_key;  // "" none: template
  bool text_required;
  std::optional<RuleReference::Kind> names;
};

using Kind = RuleReference::Kind;

constexpr EffectForm kForms[] = {
    {EffectKind::kDamage, "damage", "amount", true, "", "amount", true, 0, "", false, {}},
    {EffectKind::kHeal, "heal", "amount", true, "", "amount", true, 0, "", false, {}},
    {EffectKind::kSetHp, "set_hp", "value", true, "", "value", true, 0, "", false, {}},
    {EffectKind::kTempHp, "temp_hp", "value", true, "", "value", true, 0, "", false, {}},
    {EffectKind::kGive, "give", "item", true, "item", "n", false, 1, "", false, Kind::kItem},
    {EffectKind::kTake, "take", "item", true, "item", "n", false, 1, "", false, Kind::kItem},
    {EffectKind::kAddCondition, "add_condition", "condition", true, "condition", "", false, 0, "",
     false, Kind::kCondition},
    {EffectKind::kRemoveCondition, "remove_condition", "condition", true, "condition", "", false, 0,
     "", false, Kind::kCondition},
    {EffectKind::kSetField, "set_field", "", true, "field", "", false, 0, "", false, Kind::kField},
    {EffectKind::kSetVar, "set", "", false, "var", "value", true, 0, "", false, Kind::kVar},
    {EffectKind::kGoto, "goto", "scene", false, "scene", "", false, 0, "", false, Kind::kScene},
    {EffectKind::kOpenPoll, "open_poll", "poll", false, "poll", "seconds", false, 0, "", false,
     Kind::kPoll},
    {EffectKind::kClosePoll, "close_poll", "poll", false, "poll", "", false, 0, "", false,
     Kind::kPoll},
    {EffectKind::kStartTimer, "start_timer", "id", false, "id", "seconds", false, 0, "label", false,
     Kind::kTimer},
    {EffectKind::kStopTimer, "stop_timer", "id", false, "id", "", false, 0, "", false, {}},
    {EffectKind::kSay, "say", "text", false, "", "", false, 0, "text", true, {}},
    {EffectKind::kMultiplyDamage, "multiply_damage", "by", false, "", "by", true, 0, "", false, {}},
    {EffectKind::kSetDamage, "set_damage", "amount", false, "", "amount", true, 0, "", false, {}},
};

Expr literal(RuleValue value) {
  rule_expr::Node node;
  node.op = value.is_text ? rule_expr::Op::kText : rule_expr::Op::kNumber;
  node.type = value.is_text ? Type::kText : Type::kNumber;
  node.number = value.number;
  node.text = std::move(value.text);
  Expr out;
  out.nodes.push_back(std::move(node));
  return out;
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

class RuleCompiler {
 public:
  RuleCompiler(RuleSet::Impl& out, Issues& issues) : out_(out), issues_(issues) {}

  void rule(const Json& json, const std::string& path, size_t index);

 private:
  void fault(const std::string& path, std::string message, bool at_key = false) {
    issues_.push_back({Code::kEpisodeField, path, std::move(message), at_key});
  }
  void unknown_keys(const Json& object, const std::string& path,
                    std::initializer_list<std::string_view> known);

  void identify(const Json& json, const std::string& path, size_t index, CompiledRule& rule);
  bool trigger(const Json& json, const std::string& path, CompiledRule& rule);
  void effects(const Json& json, const std::string& path, CompiledRule& rule);
  void effect(const Json& json, const std::string& path, CompiledRule& rule);
  void fill(const EffectForm& form, const Json& arguments, const std::string& path,
            CompiledEffect& effect);

  bool expression(std::string_view text, const std::string& path, Expr& out);
  // A number, or a text that starts with "=" and holds an expression.
  bool amount(const Json& json, const std::string& path, Expr& out);
  void value(const Json& json, const std::string& path, Expr& out);
  void target(const Json* json, const std::string& path, const std::string& effect_path,
              CompiledEffect& effect);
  void text(const Json& json, const std::string& path, RuleTemplate& out);

  RuleSet::Impl& out_;
  Issues& issues_;
  Trigger trigger_ = Trigger::kStart;
};

void RuleCompiler::unknown_keys(const Json& object, const std::string& path,
                                std::initializer_list<std::string_view> known) {
  for (const Json::Member& member : object.members()) {
    if (member.first.empty() ||
        std::find(known.begin(), known.end(), member.first) == known.end()) {
      std::string expected;
      for (const std::string_view key : known) {
        if (key.empty()) continue;
        expected += (expected.empty() ? "" : ", ") + std::string(key);
      }
      fault(pointer_join(path, member.first),
            "unknown key \"" + member.first + "\"; expected " + expected, true);
    }
  }
}

void RuleCompiler::rule(const Json& json, const std::string& path, size_t index) {
  if (json.type() != JsonType::kObject) {
    fault(path, "a rule is a map with `on`, `when` and `do`");
    return;
  }
  const size_t faults_before = issues_.size();
  unknown_keys(json, path, {"id", "on", "when", "do"});
  CompiledRule rule;
  identify(json, path, index, rule);
  // Without a trigger no name can be judged: the rest would be noise.
  if (!trigger(json, path, rule)) return;
  if (const Json* when = json.find("when")) {
    const std::string at = pointer_join(path, "when");
    if (when->type() == JsonType::kBool) {
      rule.when = literal(RuleValue::of(int64_t{when->as_bool()}));
    } else if (when->type() != JsonType::kString) {
      fault(at, "`when` is an expression, written as text");
    } else if (expression(when->as_string(), at, rule.when) && rule.when.type() != Type::kNumber) {
      fault(at, "`when` must be true or false, this is a text");
    }
  }
  if (const Json* effects_json = json.find("do")) {
    effects(*effects_json, pointer_join(path, "do"), rule);
  } else {
    fault(path, "`do` is missing: the effects");
  }
  if (issues_.size() != faults_before) return;
  out_.by_trigger[static_cast<size_t>(rule.on)].push_back(out_.rules.size());
  out_.rules.push_back(std::move(rule));
}

void RuleCompiler::identify(const Json& json, const std::string& path, size_t index,
                            CompiledRule& rule) {
  const Json* id = json.find("id");
  if (id == nullptr) {
    rule.id = "rule-" + std::to_string(index + 1);
    return;
  }
  const std::string at = pointer_join(path, "id");
  if (!is_id(id->as_string())) {
    fault(at, "an id has 1 to 64 letters, digits, \"_\" and \"-\"");
    return;
  }
  rule.id = id->as_string();
  const bool taken = std::any_of(out_.rules.begin(), out_.rules.end(),
                                 [&rule](const CompiledRule& r) { return r.id == rule.id; });
  if (taken) fault(at, "another rule has the id \"" + rule.id + "\"");
}

bool RuleCompiler::trigger(const Json& json, const std::string& path, CompiledRule& rule) {
  const Json* on = json.find("on");
  if (on == nullptr) {
    fault(path, "`on` is missing: the trigger");
    return false;
  }
  std::string known;
  for (int i = 0; i < kTriggerCount; ++i) {
    const std::string_view name = trigger_name(static_cast<Trigger>(i));
    if (on->as_string() == name) {
      trigger_ = rule.on = static_cast<Trigger>(i);
      return true;
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  fault(pointer_join(path, "on"), "`on` must be one of " + known);
  return false;
}

void RuleCompiler::effects(const Json& json, const std::string& path, CompiledRule& rule) {
  if (json.type() == JsonType::kObject) {
    effect(json, path, rule);
    return;
  }
  if (json.type() != JsonType::kArray || json.items().empty()) {
    fault(path, "`do` is a list of effects, at least one");
    return;
  }
  if (json.items().size() > static_cast<size_t>(RuleLimits::kEffects)) {
    issues_.push_back({Code::kEpisodeLimit, path, "more than 32 effects in one rule", false});
    return;
  }
  for (size_t i = 0; i < json.items().size(); ++i) {
    effect(json.items()[i], pointer_join(path, std::to_string(i)), rule);
  }
}

void RuleCompiler::effect(const Json& json, const std::string& path, CompiledRule& rule) {
  if (json.type() != JsonType::kObject || json.members().size() != 1) {
    fault(path, "an effect is a map with one key, such as `heal: 3`");
    return;
  }
  const auto& [key, argument] = json.members().front();
  const auto form = std::find_if(std::begin(kForms), std::end(kForms),
                                 [&key = key](const EffectForm& f) { return f.key == key; });
  const std::string at = pointer_join(path, key);
  if (form == std::end(kForms)) {
    std::string known;
    for (const EffectForm& f : kForms) known += (known.empty() ? "" : ", ") + std::string(f.key);
    fault(at, "unknown effect \"" + key + "\"; there are " + known, true);
    return;
  }
  const bool of_damage =
      form->kind == EffectKind::kMultiplyDamage || form->kind == EffectKind::kSetDamage;
  if (of_damage && trigger_ != Trigger::kDamage) {
    fault(at, "\"" + key + "\" belongs to rules with `on: damage`", true);
    return;
  }
  CompiledEffect effect;
  effect.kind = form->kind;
  if (argument.type() == JsonType::kObject) {
    fill(*form, argument, at, effect);
  } else if (form->primary.empty()) {
    fault(at, "\"" + key + "\" takes a map of arguments");
  } else {
    Json arguments = Json::object();
    arguments.set(std::string(form->primary), argument);
    // The short form has no member to point at: faults of it point at the effect's value.
    const size_t faults_before = issues_.size();
    const size_t references_before = out_.references.size();
    fill(*form, arguments, at, effect);
    for (size_t i = faults_before; i < issues_.size(); ++i) issues_[i].path = at;
    for (size_t i = references_before; i < out_.references.size(); ++i) {
      out_.references[i].path = at;
    }
  }
  rule.effects.push_back(std::move(effect));
}

void RuleCompiler::fill(const EffectForm& form, const Json& arguments, const std::string& path,
                        CompiledEffect& effect) {
  const bool has_value = form.kind == EffectKind::kSetField;
  unknown_keys(arguments, path,
               {form.has_target ? "char" : "", form.name_key, has_value ? "value" : "",
                form.amount_key, form.text_key});
  if (form.has_target) {
    target(arguments.find("char"), pointer_join(path, "char"), path, effect);
  }
  if (!form.name_key.empty()) {
    const std::string at = pointer_join(path, form.name_key);
    const Json* name = arguments.find(form.name_key);
    if (name == nullptr) {
      fault(path, "`" + std::string(form.name_key) + "` is missing");
    } else if (!is_id(name->as_string())) {
      fault(at, "`" + std::string(form.name_key) + "` must be an id");
    } else {
      effect.name = name->as_string();
      // A timer that says how long it runs need not be in the file.
      const bool free = form.names == Kind::kTimer && arguments.find(form.amount_key) != nullptr;
      if (form.names && !free) out_.references.push_back({*form.names, effect.name, at});
    }
  }
  if (has_value) {
    const Json* json = arguments.find("value");
    if (json == nullptr) {
      fault(path, "`value` is missing");
    } else {
      value(*json, pointer_join(path, "value"), effect.value);
    }
  }
  if (!form.amount_key.empty()) {
    const Json* json = arguments.find(form.amount_key);
    if (json != nullptr) {
      amount(*json, pointer_join(path, form.amount_key), effect.amount);
    } else if (form.amount_required) {
      fault(path, "`" + std::string(form.amount_key) + "` is missing");
    } else {
      effect.amount = literal(RuleValue::of(form.amount_otherwise));
    }
  }
  if (form.text_key.empty()) return;
  if (const Json* json = arguments.find(form.text_key)) {
    text(*json, pointer_join(path, form.text_key), effect.text);
  } else if (form.text_required) {
    fault(path, "`" + std::string(form.text_key) + "` is missing");
  }
}

bool RuleCompiler::expression(std::string_view text, const std::string& path, Expr& out) {
  Sink sink{trigger_, path, issues_, out_.references};
  return rule_expr::compile(text, sink, out);
}

bool RuleCompiler::amount(const Json& json, const std::string& path, Expr& out) {
  if (json.is_integer()) {
    out = literal(RuleValue::of(json.as_int()));
    return true;
  }
  const std::string& text = json.as_string();
  if (!text.starts_with('=')) {
    fault(path, "a whole number is needed here, or an expression such as \"= roll.total * 2\"");
    return false;
  }
  if (!expression(std::string_view(text).substr(1), path, out)) return false;
  if (out.type() == Type::kNumber) return true;
  fault(path, "the expression must give a number, this one gives a text");
  return false;
}

void RuleCompiler::value(const Json& json, const std::string& path, Expr& out) {
  if (json.type() != JsonType::kString || json.as_string().starts_with('=')) {
    if (json.type() == JsonType::kString) {
      expression(std::string_view(json.as_string()).substr(1), path, out);
    } else {
      amount(json, path, out);
    }
    return;
  }
  if (json.as_string().size() > 200) {
    issues_.push_back({Code::kEpisodeLimit, path, "the text is longer than 200 bytes", false});
  }
  out = literal(RuleValue::of(std::string_view(json.as_string())));
}

void RuleCompiler::target(const Json* json, const std::string& path, const std::string& effect_path,
                          CompiledEffect& effect) {
  const std::string& text = json == nullptr ? std::string() : json->as_string();
  if (json == nullptr || text == "self") {
    effect.target = Target::kSubject;
    if (rule_expr::has_subject(trigger_)) return;
    fault(json == nullptr ? effect_path : path,
          "whose? " + std::string(trigger_name(trigger_)) +
              " has no character of its own; write `char: ID` or `char: all`");
  } else if (text == "all") {
    effect.target = Target::kAll;
  } else if (text.starts_with('=')) {
    effect.target = Target::kExpr;
    if (expression(std::string_view(text).substr(1), path, effect.target_expr) &&
        effect.target_expr.type() != Type::kText) {
      fault(path, "the expression must give a character's id, this one gives a number");
    }
  } else if (is_id(text)) {
    effect.target = Target::kOne;
    effect.target_id = text;
    out_.references.push_back({Kind::kCharacter, text, path});
  } else {
    fault(path, "`char` is a character's id, `self`, `all` or an expression such as \"= ...\"");
  }
}

void RuleCompiler::text(const Json& json, const std::string& path, RuleTemplate& out) {
  const std::string_view source = json.as_string();
  if (json.type() != JsonType::kString || source.empty()) {
    fault(path, "a text is needed here");
    return;
  }
  if (source.size() > static_cast<size_t>(RuleLimits::kTextBytes)) {
    issues_.push_back({Code::kEpisodeLimit, path, "the text is longer than 500 bytes", false});
    return;
  }
  out.texts.emplace_back();
  for (size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    const bool doubled = (c == '{' || c == '}') && i + 1 < source.size() && source[i + 1] == c;
    if (doubled || (c != '{' && c != '}')) {
      out.texts.back() += c;
      if (doubled) ++i;
      continue;
    }
    const size_t end = c == '{' ? source.find('}', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      fault(path, "a brace has no partner; write {{ or }} for a brace that is shown");
      return;
    }
    Expr expr;
    if (!expression(source.substr(i + 1, end - i - 1), path, expr)) return;
    out.exprs.push_back(std::move(expr));
    out.texts.emplace_back();
    i = end;
  }
}

}  // namespace

std::string_view effect_name(EffectKind kind) {
  for (const EffectForm& form : kForms) {
    if (form.kind == kind) return form.key;
  }
  return "";
}

RuleSet compile_rules(const Json& rules, std::string_view path, Issues& issues) {
  RuleSet out;
  if (rules.type() == JsonType::kNull) return out;
  const std::string at(path);
  if (rules.type() != JsonType::kArray) {
    issues.push_back({Code::kEpisodeField, at, "`rules` is a list", false});
    return out;
  }
  if (rules.items().size() > static_cast<size_t>(RuleLimits::kRules)) {
    issues.push_back({Code::kEpisodeLimit, at, "more than 200 rules", false});
    return out;
  }
  RuleCompiler compiler(*out.impl_, issues);
  for (size_t i = 0; i < rules.items().size(); ++i) {
    compiler.rule(rules.items()[i], pointer_join(at, std::to_string(i)), i);
  }
  return out;
}

Result<RuleSet> compile_rules(const Json& rules) {
  Issues issues;
  RuleSet out = compile_rules(rules, "", issues);
  if (issues.empty()) return out;
  return fail(issues.front().code, issues.front().path + ": " + issues.front().message);
}

}  // namespace footlight::episode
