// Recursive descent over the grammar in docs/formats/dice.md. Bounds of every sub-expression are
// computed on the way up, so that whatever could overflow is refused here and never while rolling.
#include <algorithm>
#include <utility>

#include "episode/dice.h"

namespace footlight::episode {
namespace {

constexpr int kSelections = 4;

struct Bounds {
  int64_t low = 0;
  int64_t high = 0;
};

// What the parser knows of a node besides the node itself.
struct Term {
  int32_t node = -1;
  Bounds bounds;
  bool has_dice = false;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int32_t lowest_face(const Pool& pool) { return pool.sides == 0 ? -1 : 1; }
int32_t highest_face(const Pool& pool) { return pool.sides == 0 ? 1 : pool.sides; }

bool holds_for_every_face(const Condition& condition, const Pool& pool) {
  for (int32_t face = lowest_face(pool); face <= highest_face(pool); ++face) {
    if (!condition.holds(face)) return false;
  }
  return true;
}

int64_t kept_of(const Pool& pool, int64_t dice) {
  for (const Selection& selection : pool.selections) {
    const int64_t n = std::min<int64_t>(selection.count, dice);
    dice = selection.keep ? n : dice - n;
  }
  return dice;
}

Bounds pool_bounds(const Pool& pool) {
  const int64_t links = pool.explode == Chain::kOnce ? 1 : DiceLimits::kChain;
  const int64_t most = std::min<int64_t>(int64_t{pool.count} * (1 + links), DiceLimits::kDrawn);
  const bool chains = pool.explode != Chain::kNone;
  const int64_t listed = chains && pool.explode != Chain::kCompound ? most : pool.count;
  const int64_t few = kept_of(pool, pool.count);
  const int64_t many = kept_of(pool, listed);
  if (pool.success.comparison != Comparison::kNone) {
    const bool negative = pool.failure.comparison != Comparison::kNone;
    return {negative ? -many : 0, many};
  }
  const int64_t faces_high = pool.explode == Chain::kCompound ? most : many;
  if (pool.sides == 0) return {-(chains ? std::max(many, faces_high) : many), faces_high};
  return {std::min(few, many), faces_high * pool.sides};
}

class Parser {
 public:
  Parser(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {}

  Result<DiceExpr> parse() {
    if (text_.size() > static_cast<size_t>(DiceLimits::kTextBytes)) {
      return fail(Code::kDiceTooLarge, "the expression is longer than 200 bytes");
    }
    const Term root = sum(0);
    space();
    if (!failed_ && at_ < text_.size()) syntax("expected an operator or the end here");
    if (failed_) return std::unexpected(std::move(error_));
    expr_.lowest = root.bounds.low;
    expr_.highest = root.bounds.high;
    return std::move(expr_);
  }

 private:
  // Faults: the first one stays; the cursor jumps to the end so that every loop stops.
  void error(Code code, size_t at, std::string_view what) {
    if (!failed_) {
      error_ = Error{code, "column " + std::to_string(at + 1) + ": " + std::string(what), 0};
      failed_ = true;
    }
    at_ = text_.size();
  }
  void syntax(std::string_view what) { error(Code::kDiceSyntax, at_, what); }

  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  char peek(size_t ahead = 0) const {
    if (at_ + ahead >= text_.size()) return '\0';
    const char c = text_[at_ + ahead];
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  bool take(std::string_view word) {
    for (size_t i = 0; i < word.size(); ++i) {
      if (peek(i) != word[i]) return false;
    }
    at_ += word.size();
    return true;
  }

  int64_t number(int64_t most, std::string_view too_large) {
    const size_t start = at_;
    if (!is_digit(peek())) {
      syntax("expected a number here");
      return 0;
    }
    int64_t value = 0;
    while (is_digit(peek())) {
      value = value * 10 + (peek() - '0');
      ++at_;
      if (value > most) {
        error(Code::kDiceTooLarge, start, too_large);
        return 0;
      }
    }
    return value;
  }

  int32_t add_node(DiceNode node) {
    expr_.nodes.push_back(node);
    return static_cast<int32_t>(expr_.nodes.size() - 1);
  }

  Term sum(int depth);
  Term product(int depth);
  Term signed_atom(int depth);
  Term atom(int depth);
  Term pool(int64_t count, size_t start);
  Term finish_pool(Pool pool, size_t start);
  Term combine(DiceNode::Kind kind, const Term& left, const Term& right, size_t at);

  bool modifier(Pool& pool);
  bool selection(Pool& pool);
  bool advantage(Pool& pool);
  bool chain(Pool& pool);
  bool counting(Pool& pool);
  void add_selection(Pool& pool, Selection selection, size_t at);
  void set_reroll(Pool& pool, Chain chain, size_t at);
  void set_explode(Pool& pool, Chain chain, size_t at);
  Condition condition(const Pool& pool, int32_t otherwise, bool required);

  std::string_view text_;
  Dialect dialect_;
  size_t at_ = 0;
  bool failed_ = false;
  Error error_;
  DiceExpr expr_;
  int64_t dice_ = 0;
};

Term Parser::sum(int depth) {
  Term left = product(depth);
  for (space(); peek() == '+' || peek() == '-'; space()) {
    const size_t at = at_;
    const auto kind = peek() == '+' ? DiceNode::Kind::kAdd : DiceNode::Kind::kSubtract;
    ++at_;
    const Term right = product(depth);
    if (failed_) return {};
    left = combine(kind, left, right, at);
  }
  return left;
}

Term Parser::product(int depth) {
  Term left = signed_atom(depth);
  for (space(); peek() == '*' || peek() == '/'; space()) {
    const size_t at = at_;
    const auto kind = peek() == '*' ? DiceNode::Kind::kMultiply : DiceNode::Kind::kDivide;
    ++at_;
    const Term right = signed_atom(depth);
    if (failed_) return {};
    left = combine(kind, left, right, at);
  }
  return left;
}

Term Parser::signed_atom(int depth) {
  space();
  if (depth > DiceLimits::kDepth) {
    error(Code::kDiceTooLarge, at_, "nested deeper than 16");
    return {};
  }
  if (peek() == '+') {
    ++at_;
    return signed_atom(depth + 1);
  }
  if (peek() != '-') return atom(depth);
  ++at_;
  const Term inner = signed_atom(depth + 1);
  if (failed_) return {};
  const int32_t node = add_node({DiceNode::Kind::kNegate, 0, inner.node, -1, -1});
  return {node, {-inner.bounds.high, -inner.bounds.low}, inner.has_dice};
}

Term Parser::atom(int depth) {
  space();
  const size_t start = at_;
  if (peek() == '(') {
    ++at_;
    const Term inner = sum(depth + 1);
    space();
    if (failed_) return {};
    if (peek() != ')') {
      syntax("expected \")\" here");
      return {};
    }
    ++at_;
    return inner;
  }
  const bool high = take("adv");
  if (high || take("dis")) {
    Pool both;
    both.count = 2;
    both.selections.push_back({true, high, 1});
    return finish_pool(std::move(both), start);
  }
  if (is_digit(peek())) {
    const int64_t value = number(DiceLimits::kLiteral, "a number above 1000000");
    space();
    if (failed_) return {};
    if (peek() == 'd') return pool(value, start);
    return {add_node({DiceNode::Kind::kNumber, value, -1, -1, -1}), {value, value}, false};
  }
  if (peek() == 'd') return pool(1, start);
  syntax(at_ < text_.size() ? "expected a number, dice or \"(\" here"
                            : "the expression ends too early");
  return {};
}

Term Parser::pool(int64_t count, size_t start) {
  ++at_;  // the "d"
  space();
  Pool pool;
  if (count < 1) {
    error(Code::kDiceSyntax, start, "at least one die must be rolled");
  } else if (count > DiceLimits::kDice) {
    error(Code::kDiceTooLarge, start, "more than 100 dice");
  }
  if (failed_) return {};
  pool.count = static_cast<int32_t>(count);
  if (take("%")) {
    pool.sides = 100;
  } else if (take("f")) {
    pool.sides = 0;
  } else {
    const size_t at = at_;
    pool.sides = static_cast<int32_t>(number(DiceLimits::kSides, "more than 1000 sides"));
    if (!failed_ && pool.sides == 0) error(Code::kDiceSyntax, at, "a die has at least one side");
  }
  return finish_pool(std::move(pool), start);
}

Term Parser::finish_pool(Pool pool, size_t start) {
  while (!failed_ && modifier(pool)) {
  }
  if (failed_) return {};
  if (pool.failure.comparison != Comparison::kNone &&
      pool.success.comparison == Comparison::kNone) {
    error(Code::kDiceSyntax, start, "sf needs cs: failures are subtracted from successes");
    return {};
  }
  dice_ += pool.count;
  if (dice_ > DiceLimits::kDice) {
    error(Code::kDiceTooLarge, start, "more than 100 dice");
    return {};
  }
  const Bounds bounds = pool_bounds(pool);
  expr_.pools.push_back(std::move(pool));
  const auto index = static_cast<int32_t>(expr_.pools.size() - 1);
  return {add_node({DiceNode::Kind::kPool, 0, -1, -1, index}), bounds, true};
}

Term Parser::combine(DiceNode::Kind kind, const Term& left, const Term& right, size_t at) {
  Term out;
  out.has_dice = left.has_dice || right.has_dice;
  const Bounds& a = left.bounds;
  const Bounds& b = right.bounds;
  bool overflow = false;
  switch (kind) {
    case DiceNode::Kind::kAdd:
      out.bounds = {a.low + b.low, a.high + b.high};
      break;
    case DiceNode::Kind::kSubtract:
      out.bounds = {a.low - b.high, a.high - b.low};
      break;
    case DiceNode::Kind::kMultiply: {
      int64_t corners[4];
      overflow = __builtin_mul_overflow(a.low, b.low, &corners[0]) ||
                 __builtin_mul_overflow(a.low, b.high, &corners[1]) ||
                 __builtin_mul_overflow(a.high, b.low, &corners[2]) ||
                 __builtin_mul_overflow(a.high, b.high, &corners[3]);
      if (!overflow) {
        const auto [low, high] = std::minmax_element(corners, corners + 4);
        out.bounds = {*low, *high};
      }
      break;
    }
    default: {
      if (right.has_dice || b.low == 0) {
        error(Code::kDiceSyntax, at, "the divisor must be a number other than 0, without dice");
        return {};
      }
      const int64_t ends[2] = {floor_divide(a.low, b.low), floor_divide(a.high, b.low)};
      out.bounds = {std::min(ends[0], ends[1]), std::max(ends[0], ends[1])};
    }
  }
  if (overflow || out.bounds.low < -DiceLimits::kTotal || out.bounds.high > DiceLimits::kTotal) {
    error(Code::kDiceTooLarge, at, "the result could be larger than 1000000000000");
    return {};
  }
  out.node = add_node({kind, 0, left.node, right.node, -1});
  return out;
}

// One modifier of a pool; false when none stands here.
bool Parser::modifier(Pool& pool) {
  space();
  return advantage(pool) || chain(pool) || counting(pool) || selection(pool);
}

bool Parser::advantage(Pool& pool) {
  const size_t at = at_;
  const bool high = take("adv");
  if (!high && !take("dis")) return false;
  if (pool.count != 1 || pool.explode != Chain::kNone || !pool.selections.empty()) {
    error(Code::kDiceSyntax, at, "adv and dis belong to a single die");
    return true;
  }
  pool.count = 2;
  add_selection(pool, {true, high, 1}, at);
  return true;
}

bool Parser::selection(Pool& pool) {
  const size_t at = at_;
  Selection selection;
  bool need_count = false;
  if (take("kl")) {
    selection = {true, false, 1};
  } else if (take("kh") || take("k")) {
    selection = {true, true, 1};
  } else if (take("dh")) {
    selection = {false, true, 1};
  } else if (take("dl")) {
    selection = {false, false, 1};
  } else if (peek() == 'd') {
    ++at_;
    selection = {false, false, 1};
    need_count = true;
  } else {
    return false;
  }
  if (need_count || is_digit(peek())) {
    if (!is_digit(peek())) {
      syntax("expected dh, dl or the number of dice to drop");
      return true;
    }
    selection.count = static_cast<int32_t>(number(DiceLimits::kDice, "more than 100 dice"));
    if (!failed_ && selection.count == 0) {
      error(Code::kDiceSyntax, at, "at least one die must be kept or dropped");
    }
  }
  add_selection(pool, selection, at);
  return true;
}

void Parser::add_selection(Pool& pool, Selection selection, size_t at) {
  if (pool.selections.size() == kSelections) {
    error(Code::kDiceTooLarge, at, "more than 4 keep or drop modifiers");
    return;
  }
  pool.selections.push_back(selection);
}

bool Parser::chain(Pool& pool) {
  const size_t at = at_;
  const bool foundry = dialect_ == Dialect::kFoundry;
  if (take("rr")) {
    if (foundry) {
      set_reroll(pool, Chain::kAgain, at);
    } else {
      error(Code::kDiceSyntax, at, "rr is of the foundry dialect; in this one r rerolls again");
    }
  } else if (take("ro")) {
    if (foundry) {
      error(Code::kDiceSyntax, at, "ro is of the bang dialect; in this one r rerolls once");
    } else {
      set_reroll(pool, Chain::kOnce, at);
    }
  } else if (take("r")) {
    set_reroll(pool, foundry ? Chain::kOnce : Chain::kAgain, at);
  } else if (peek() == 'x') {
    ++at_;
    const bool once = take("o");
    if (!foundry) {
      error(Code::kDiceSyntax, at, "x is of the foundry dialect; in this one ! explodes");
    } else {
      set_explode(pool, once ? Chain::kOnce : Chain::kAgain, at);
    }
  } else if (peek() == '!') {
    ++at_;
    const bool compound = take("!");
    const bool once = !compound && take("o");
    if (foundry) {
      error(Code::kDiceSyntax, at, "! is of the bang dialect; in this one x explodes");
    } else {
      set_explode(pool, compound ? Chain::kCompound : once ? Chain::kOnce : Chain::kAgain, at);
    }
  } else {
    return false;
  }
  return true;
}

void Parser::set_reroll(Pool& pool, Chain chain, size_t at) {
  if (pool.reroll != Chain::kNone) return error(Code::kDiceSyntax, at, "a second reroll");
  pool.reroll = chain;
  pool.reroll_if = condition(pool, lowest_face(pool), false);
  if (!failed_ && chain == Chain::kAgain && holds_for_every_face(pool.reroll_if, pool)) {
    error(Code::kDiceTooLarge, at, "every face would be rerolled without end");
  }
}

void Parser::set_explode(Pool& pool, Chain chain, size_t at) {
  if (pool.explode != Chain::kNone) return error(Code::kDiceSyntax, at, "a second explosion");
  pool.explode = chain;
  pool.explode_if = condition(pool, highest_face(pool), false);
  if (!failed_ && chain != Chain::kOnce && holds_for_every_face(pool.explode_if, pool)) {
    error(Code::kDiceTooLarge, at, "every face would explode without end");
  }
}

bool Parser::counting(Pool& pool) {
  const size_t at = at_;
  const bool failure = take("sf");
  if (!failure && !take("cs") && !take("cf")) return false;
  Condition& slot = failure ? pool.failure : pool.success;
  if (slot.comparison != Comparison::kNone) {
    error(Code::kDiceSyntax, at, "a second count of the same kind");
    return true;
  }
  slot = condition(pool, 0, true);
  return true;
}

Condition Parser::condition(const Pool& pool, int32_t otherwise, bool required) {
  space();
  Condition out{Comparison::kEqual, otherwise};
  const size_t start = at_;
  if (take("<=")) {
    out.comparison = Comparison::kLessEqual;
  } else if (take(">=")) {
    out.comparison = Comparison::kGreaterEqual;
  } else if (take("<")) {
    out.comparison = Comparison::kLess;
  } else if (take(">")) {
    out.comparison = Comparison::kGreater;
  } else {
    take("=");
  }
  const bool compared = at_ != start;
  if (compared) space();
  const bool negative = compared && pool.sides == 0 && take("-");
  if (!compared && !is_digit(peek())) {
    if (required) syntax("expected a condition such as >=5 here");
    return out;
  }
  const int64_t target = number(DiceLimits::kLiteral, "a number above 1000000");
  out.target = static_cast<int32_t>(negative ? -target : target);
  return out;
}

}  // namespace

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Result<DiceExpr> parse_dice(std::string_view text, Dialect dialect) {
  return Parser(text, dialect).parse();
}

}  // namespace footlight::episode
