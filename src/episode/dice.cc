#include "episode/dice.h"

#include <algorithm>

namespace footlight::episode {
namespace {

std::string_view comparison_text(Comparison comparison) {
  switch (comparison) {
    case Comparison::kNone:
      return "";
    case Comparison::kEqual:
      return "=";
    case Comparison::kLess:
      return "<";
    case Comparison::kLessEqual:
      return "<=";
    case Comparison::kGreater:
      return ">";
    case Comparison::kGreaterEqual:
      return ">=";
  }
  return "";
}

std::string condition_text(const Condition& condition) {
  std::string out(comparison_text(condition.comparison));
  return out + std::to_string(condition.target);
}

std::string pool_text(const Pool& pool, Dialect dialect) {
  const bool foundry = dialect == Dialect::kFoundry;
  std::string out = std::to_string(pool.count) + "d";
  out += pool.sides == 0 ? "F" : std::to_string(pool.sides);
  if (pool.reroll != Chain::kNone) {
    const bool once = pool.reroll == Chain::kOnce;
    out += foundry ? (once ? "r" : "rr") : (once ? "ro" : "r");
    out += condition_text(pool.reroll_if);
  }
  if (pool.explode == Chain::kCompound) {
    out += "!!" + condition_text(pool.explode_if);
  } else if (pool.explode != Chain::kNone) {
    out += foundry ? "x" : "!";
    if (pool.explode == Chain::kOnce) out += "o";
    out += condition_text(pool.explode_if);
  }
  for (const Selection& selection : pool.selections) {
    out += selection.keep ? "k" : "d";
    out += selection.highest ? "h" : "l";
    out += std::to_string(selection.count);
  }
  if (pool.success.comparison != Comparison::kNone) out += "cs" + condition_text(pool.success);
  if (pool.failure.comparison != Comparison::kNone) out += "sf" + condition_text(pool.failure);
  return out;
}

char operator_sign(DiceNode::Kind kind) {
  switch (kind) {
    case DiceNode::Kind::kAdd:
      return '+';
    case DiceNode::Kind::kSubtract:
      return '-';
    case DiceNode::Kind::kMultiply:
      return '*';
    default:
      return '/';
  }
}

// How tightly a node binds: what stands under a tighter one gets parentheses.
int binding(DiceNode::Kind kind) {
  switch (kind) {
    case DiceNode::Kind::kAdd:
    case DiceNode::Kind::kSubtract:
      return 1;
    case DiceNode::Kind::kMultiply:
    case DiceNode::Kind::kDivide:
      return 2;
    case DiceNode::Kind::kNegate:
      return 3;
    default:
      return 4;
  }
}

class Roller {
 public:
  Roller(const DiceExpr& expr, DiceSource& source, RollResult& out) : source_(source), out_(out) {
    for (const Pool& pool : expr.pools) spare_ -= pool.count;
  }

  int64_t pool_value(const Pool& pool) {
    const size_t first = out_.dice.size();
    for (int32_t i = 0; i < pool.count; ++i) roll_die(pool);
    for (const Selection& selection : pool.selections) select(first, selection);
    int64_t value = 0;
    for (size_t i = first; i < out_.dice.size(); ++i) {
      const Die& die = out_.dice[i];
      if (die.kept) value += worth(pool, die);
    }
    return value;
  }

 private:
  static int64_t worth(const Pool& pool, const Die& die) {
    if (pool.success.comparison == Comparison::kNone) return die.value;
    if (pool.failure.holds(die.value)) return -1;
    return pool.success.holds(die.value) ? 1 : 0;
  }

  int64_t draw(const Pool& pool) {
    if (pool.sides == 0) return static_cast<int64_t>(source_.face(3)) - 2;
    return source_.face(static_cast<uint32_t>(pool.sides));
  }

  // True when one more face may be drawn for a chain; the dice as written are always drawn.
  bool take_spare() {
    if (spare_ <= 0) {
      out_.capped = true;
      return false;
    }
    --spare_;
    return true;
  }

  int64_t draw_with_rerolls(const Pool& pool) {
    int64_t face = draw(pool);
    const int limit = pool.reroll == Chain::kOnce ? 1 : DiceLimits::kChain;
    for (int n = 0; pool.reroll != Chain::kNone && pool.reroll_if.holds(face); ++n) {
      if (n == limit) {
        out_.capped |= pool.reroll != Chain::kOnce;
        break;
      }
      if (!take_spare()) break;
      out_.dice.push_back({pool.sides, face, false, false, true});
      face = draw(pool);
    }
    return face;
  }

  void roll_die(const Pool& pool) {
    const bool compound = pool.explode == Chain::kCompound;
    const int limit = pool.explode == Chain::kOnce ? 1 : DiceLimits::kChain;
    Die die{pool.sides, draw_with_rerolls(pool), true, false, false};
    int64_t face = die.value;
    for (int n = 0; pool.explode != Chain::kNone && pool.explode_if.holds(face); ++n) {
      if (n == limit) {
        out_.capped |= pool.explode != Chain::kOnce;
        break;
      }
      if (!take_spare()) break;
      die.exploded = true;
      if (!compound) out_.dice.push_back(die);
      face = draw_with_rerolls(pool);
      die = {pool.sides, compound ? die.value + face : face, true, compound, false};
    }
    out_.dice.push_back(die);
  }

  void select(size_t first, const Selection& selection) {
    std::vector<size_t> ranked;
    for (size_t i = first; i < out_.dice.size(); ++i) {
      if (out_.dice[i].kept) ranked.push_back(i);
    }
    std::stable_sort(ranked.begin(), ranked.end(), [this](size_t a, size_t b) {
      return out_.dice[a].value > out_.dice[b].value;
    });
    if (!selection.highest) std::reverse(ranked.begin(), ranked.end());
    const size_t n = std::min(static_cast<size_t>(selection.count), ranked.size());
    for (size_t i = 0; i < ranked.size(); ++i) {
      if ((i < n) != selection.keep) out_.dice[ranked[i]].kept = false;
    }
  }

  DiceSource& source_;
  RollResult& out_;
  int32_t spare_ = DiceLimits::kDrawn;
};

void judge(RollResult& result, const CritRule& rule) {
  if (rule.sides <= 0) return;
  const Die* only = nullptr;
  for (const Die& die : result.dice) {
    if (!die.kept || die.sides != rule.sides) continue;
    if (only != nullptr) return;
    only = &die;
  }
  if (only == nullptr) return;
  result.natural = static_cast<int32_t>(only->value);
  if (only->value >= rule.hit_from) {
    result.crit = Crit::kHit;
  } else if (only->value <= rule.miss_to) {
    result.crit = Crit::kMiss;
  }
}

}  // namespace

std::string_view dialect_name(Dialect dialect) {
  return dialect == Dialect::kFoundry ? "foundry" : "bang";
}

bool parse_dialect(std::string_view text, Dialect& out) {
  if (text != "foundry" && text != "bang") return false;
  out = text == "foundry" ? Dialect::kFoundry : Dialect::kBang;
  return true;
}

std::string_view crit_name(Crit crit) {
  return crit == Crit::kHit ? "hit" : crit == Crit::kMiss ? "miss" : "";
}

bool Condition::holds(int64_t value) const {
  switch (comparison) {
    case Comparison::kNone:
      return false;
    case Comparison::kEqual:
      return value == target;
    case Comparison::kLess:
      return value < target;
    case Comparison::kLessEqual:
      return value <= target;
    case Comparison::kGreater:
      return value > target;
    case Comparison::kGreaterEqual:
      return value >= target;
  }
  return false;
}

std::string DiceExpr::text(Dialect dialect) const {
  std::vector<std::string> parts(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const DiceNode& node = nodes[i];
    const auto wrapped = [&](int32_t child, bool tighter) {
      const int inner = binding(nodes[static_cast<size_t>(child)].kind);
      const int outer = binding(node.kind);
      std::string& text = parts[static_cast<size_t>(child)];
      return inner < outer || (tighter && inner == outer) ? "(" + text + ")" : std::move(text);
    };
    switch (node.kind) {
      case DiceNode::Kind::kNumber:
        parts[i] = std::to_string(node.number);
        break;
      case DiceNode::Kind::kPool:
        parts[i] = pool_text(pools[static_cast<size_t>(node.pool)], dialect);
        break;
      case DiceNode::Kind::kNegate:
        parts[i] = "-" + wrapped(node.left, false);
        break;
      default:
        parts[i] = wrapped(node.left, false);
        parts[i] += operator_sign(node.kind);
        parts[i] += wrapped(node.right, true);
    }
  }
  return parts.empty() ? std::string() : std::move(parts.back());
}

Result<RollResult> roll(const DiceExpr& expr, DiceSource& source, const CritRule& crit) {
  RollResult result;
  Roller roller(expr, source, result);
  std::vector<int64_t> values;
  values.reserve(expr.nodes.size());
  for (const DiceNode& node : expr.nodes) {
    const auto child = [&values](int32_t index) {
      return index >= 0 && static_cast<size_t>(index) < values.size()
                 ? values[static_cast<size_t>(index)]
                 : 0;
    };
    const int64_t a = child(node.left);
    const int64_t b = child(node.right);
    int64_t value = 0;
    bool bad = false;
    switch (node.kind) {
      case DiceNode::Kind::kNumber:
        value = node.number;
        break;
      case DiceNode::Kind::kPool:
        bad = node.pool < 0 || static_cast<size_t>(node.pool) >= expr.pools.size();
        if (!bad) value = roller.pool_value(expr.pools[static_cast<size_t>(node.pool)]);
        break;
      case DiceNode::Kind::kNegate:
        bad = __builtin_sub_overflow(int64_t{0}, a, &value);
        break;
      case DiceNode::Kind::kAdd:
        bad = __builtin_add_overflow(a, b, &value);
        break;
      case DiceNode::Kind::kSubtract:
        bad = __builtin_sub_overflow(a, b, &value);
        break;
      case DiceNode::Kind::kMultiply:
        bad = __builtin_mul_overflow(a, b, &value);
        break;
      case DiceNode::Kind::kDivide:
        bad = b == 0 || (b == -1 && a == INT64_MIN);
        if (!bad) value = floor_divide(a, b);
        break;
    }
    if (bad) return fail(Code::kInternal, "a dice tree that parse_dice did not make");
    values.push_back(value);
  }
  result.total = values.empty() ? 0 : values.back();
  judge(result, crit);
  return result;
}

}  // namespace footlight::episode
