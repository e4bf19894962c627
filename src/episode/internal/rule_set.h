// What a RuleSet holds once it is compiled.
#pragma once
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "episode/internal/rule_expr.h"
#include "episode/rules.h"

namespace footlight::episode {

// A text with expressions in braces: texts[0] exprs[0] texts[1] exprs[1] ... texts[n].
struct RuleTemplate {
  std::vector<std::string> texts;
  std::vector<rule_expr::Expr> exprs;
};

struct CompiledEffect {
  enum class Target : uint8_t { kNone, kSubject, kAll, kOne, kExpr };
  EffectKind kind = EffectKind::kSay;
  Target target = Target::kNone;
  std::string target_id;        // kOne
  rule_expr::Expr target_expr;  // kExpr
  std::string name;
  rule_expr::Expr amount;  // empty: 0
  rule_expr::Expr value;   // kSetField
  RuleTemplate text;       // kSay, kStartTimer
};

struct CompiledRule {
  std::string id;
  Trigger on = Trigger::kStart;
  rule_expr::Expr when;  // empty: always
  std::vector<CompiledEffect> effects;
};

struct RuleSet::Impl {
  std::vector<CompiledRule> rules;
  std::array<std::vector<size_t>, kTriggerCount> by_trigger;  // indices into `rules`, in file order
  std::vector<RuleReference> references;
};

}  // namespace footlight::episode
