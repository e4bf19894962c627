#include <utility>

#include "episode/dice.h"
#include "episode/internal/rule_expr.h"

namespace footlight::episode::rule_expr {
namespace {

class Evaluator {
 public:
  Evaluator(const Expr& expr, const RuleContext& context, Fuel& fuel)
      : expr_(expr), context_(context), fuel_(fuel) {}

  // Recursion is bounded: an expression has at most 500 bytes.
  Result<RuleValue> value(int32_t index) {
    if (!fuel_.spend(1)) return fail(Code::kRuleFuel);
    const Node& node = expr_.nodes[static_cast<size_t>(index)];
    switch (node.op) {
      case Op::kNumber:
        return RuleValue::of(node.number);
      case Op::kText:
        return RuleValue::of(std::string_view(node.text));
      case Op::kName:
        return lookup(node);
      case Op::kIf:
      case Op::kAnd:
      case Op::kOr:
        return branch(node);
      default:
        break;
    }
    Result<RuleValue> a = value(node.a);
    if (!a || node.b < 0) return a ? unary(node.op, a->number) : a;
    Result<RuleValue> b = value(node.b);
    if (!b) return b;
    if (a->is_text) return texts(node.op, a->text, b->text);
    return binary(node.op, a->number, b->number);
  }

 private:
  Result<RuleValue> lookup(const Node& node) {
    RuleName name = node.name;
    if (name.scope == RuleName::Scope::kCharacter && name.id.empty()) {
      name.id = std::string(context_.subject());
      if (name.id.empty()) return RuleValue{node.type == Type::kText, 0, {}};
    }
    RuleValue out;
    if (!context_.get(name, out) || out.is_text != (node.type == Type::kText)) {
      return fail(Code::kRuleError,
                  "there is no value for " + (name.property.empty() ? name.key : name.property));
    }
    return out;
  }

  Result<RuleValue> branch(const Node& node) {
    Result<RuleValue> first = value(node.a);
    if (!first) return first;
    const bool truth = first->number != 0;
    if (node.op == Op::kIf) return value(truth ? node.b : node.c);
    if (truth == (node.op == Op::kOr)) return RuleValue::of(truth ? 1 : 0);
    Result<RuleValue> second = value(node.b);
    if (!second) return second;
    return RuleValue::of(second->number != 0 ? 1 : 0);
  }

  static Result<RuleValue> overflow() {
    return fail(Code::kRuleError, "a number became too large");
  }

  static Result<RuleValue> unary(Op op, int64_t a) {
    if (op == Op::kNot) return RuleValue::of(a == 0 ? 1 : 0);
    if (op == Op::kAbs && a >= 0) return RuleValue::of(a);
    int64_t out = 0;
    if (__builtin_sub_overflow(int64_t{0}, a, &out)) return overflow();
    return RuleValue::of(out);
  }

  Result<RuleValue> texts(Op op, std::string_view a, std::string_view b) {
    if (!fuel_.spend(static_cast<int64_t>((a.size() + b.size()) / 64))) {
      return fail(Code::kRuleFuel);
    }
    const bool truth = op == Op::kEqual      ? a == b
                       : op == Op::kNotEqual ? a != b
                                             : a.find(b) != std::string_view::npos;
    return RuleValue::of(truth ? 1 : 0);
  }

  static Result<RuleValue> binary(Op op, int64_t a, int64_t b) {
    int64_t out = 0;
    bool bad = false;
    switch (op) {
      case Op::kAdd:
        bad = __builtin_add_overflow(a, b, &out);
        break;
      case Op::kSubtract:
        bad = __builtin_sub_overflow(a, b, &out);
        break;
      case Op::kMultiply:
        bad = __builtin_mul_overflow(a, b, &out);
        break;
      case Op::kDivide:
      case Op::kModulo:
        if (b == 0) return fail(Code::kRuleError, "division by zero");
        if (b == -1) {  // INT64_MIN / -1 does not fit
          bad = op == Op::kDivide && __builtin_sub_overflow(int64_t{0}, a, &out);
          break;
        }
        out = floor_divide(a, b);
        if (op == Op::kModulo) out = a - out * b;
        break;
      case Op::kMin:
        out = a < b ? a : b;
        break;
      case Op::kMax:
        out = a > b ? a : b;
        break;
      case Op::kEqual:
        out = a == b;
        break;
      case Op::kNotEqual:
        out = a != b;
        break;
      case Op::kLess:
        out = a < b;
        break;
      case Op::kLessEqual:
        out = a <= b;
        break;
      case Op::kGreater:
        out = a > b;
        break;
      default:
        out = a >= b;
    }
    return bad ? overflow() : Result<RuleValue>(RuleValue::of(out));
  }

  const Expr& expr_;
  const RuleContext& context_;
  Fuel& fuel_;
};

}  // namespace

Result<RuleValue> evaluate(const Expr& expr, const RuleContext& context, Fuel& fuel) {
  return Evaluator(expr, context, fuel).value(static_cast<int32_t>(expr.nodes.size()) - 1);
}

}  // namespace footlight::episode::rule_expr
