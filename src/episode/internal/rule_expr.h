// Expressions of rules: compiled once against the names its trigger offers, typed, evaluated with
// fuel. Grammar: docs/formats/rules.md.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "episode/rules.h"

namespace footlight::episode::rule_expr {

enum class Type : uint8_t { kNumber, kText };

enum class Op : uint8_t {
  kNumber,
  kText,
  kName,
  kNegate,
  kNot,
  kAbs,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kMin,
  kMax,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kIf,
  kContains,
};

struct Node {
  Op op = Op::kNumber;
  Type type = Type::kNumber;
  int32_t a = -1;
  int32_t b = -1;
  int32_t c = -1;
  int64_t number = 0;
  std::string text;
  RuleName name;
};

struct Expr {
  std::vector<Node> nodes;  // children before parents; the last is the root
  Type type() const { return nodes.empty() ? Type::kNumber : nodes.back().type; }
};

// Where faults and references of one expression go.
struct Sink {
  Trigger trigger = Trigger::kStart;
  std::string path;  // JSON Pointer of the value that holds the expression
  Issues& issues;
  std::vector<RuleReference>& references;
};

bool has_subject(Trigger trigger);  // the trigger may have a character of its own

// False after it appended one issue (code kEpisodeField or kEpisodeLimit, message with the column).
bool compile(std::string_view text, Sink& sink, Expr& out);

// kRuleFuel, kRuleError.
Result<RuleValue> evaluate(const Expr& expr, const RuleContext& context, Fuel& fuel);

}  // namespace footlight::episode::rule_expr
