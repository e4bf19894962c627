#include "episode/internal/rule_expr.h"

#include <limits>
#include <utility>

#include "episode/internal/rule_names.h"

namespace footlight::episode::rule_expr {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || is_digit(c); }

struct Operator {
  std::string_view sign;
  Op op;
};

class Compiler {
 public:
  Compiler(std::string_view text, Sink& sink, Expr& out) : text_(text), sink_(sink), out_(out) {}

  bool compile() {
    if (text_.size() > static_cast<size_t>(RuleLimits::kExpressionBytes)) {
      fault(Code::kEpisodeLimit, 0, "the expression is longer than 500 bytes");
      return false;
    }
    disjunction(0);
    space();
    if (!failed_ && at_ < text_.size()) fault(at_, "expected an operator or the end here");
    return !failed_;
  }

 private:
  void fault(Code code, size_t at, std::string_view what) {
    if (!failed_) {
      sink_.issues.push_back(
          {code, sink_.path,
           "column " + std::to_string(at + 1) + " of the expression: " + std::string(what), false});
      failed_ = true;
    }
    at_ = text_.size();
  }
  void fault(size_t at, std::string_view what) { fault(Code::kEpisodeField, at, what); }

  char peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }
  bool take_sign(std::string_view sign) {
    if (text_.substr(at_, sign.size()) != sign) return false;
    at_ += sign.size();
    return true;
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    const char next = peek(word.size());
    if (is_name_char(next) || next == '.') return false;
    at_ += word.size();
    return true;
  }

  int32_t add(Node node) {
    out_.nodes.push_back(std::move(node));
    return static_cast<int32_t>(out_.nodes.size() - 1);
  }
  Type type(int32_t node) const { return out_.nodes[static_cast<size_t>(node)].type; }
  bool want(int32_t node, Type wanted, size_t at) {
    if (failed_) return false;
    if (type(node) == wanted) return true;
    fault(at, wanted == Type::kNumber ? "a number is needed here, this is a text"
                                      : "a text is needed here, this is a number");
    return false;
  }
  int32_t binary(Op op, int32_t a, int32_t b, size_t at) {
    if (!want(a, Type::kNumber, at) || !want(b, Type::kNumber, at)) return -1;
    return add({op, Type::kNumber, a, b, -1, 0, {}, {}});
  }

  int32_t disjunction(int depth);
  int32_t conjunction(int depth);
  int32_t negation(int depth);
  int32_t comparison(int depth);
  int32_t sum(int depth);
  int32_t product(int depth);
  int32_t unary(int depth);
  int32_t atom(int depth);
  int32_t number();
  int32_t string();
  int32_t name_or_call(int depth);
  int32_t call(std::string_view function, size_t start, int depth);
  int32_t compare(Op op, int32_t a, int32_t b, size_t at);
  std::string segment();

  std::string_view text_;
  Sink& sink_;
  Expr& out_;
  std::vector<std::pair<int32_t, RuleReference::Kind>> comparable_;
  size_t at_ = 0;
  bool failed_ = false;
};

int32_t Compiler::disjunction(int depth) {
  int32_t left = conjunction(depth);
  for (space(); take_word("or"); space()) {
    const size_t at = at_;
    left = binary(Op::kOr, left, conjunction(depth), at);
    if (failed_) return -1;
  }
  return left;
}

int32_t Compiler::conjunction(int depth) {
  int32_t left = negation(depth);
  for (space(); take_word("and"); space()) {
    const size_t at = at_;
    left = binary(Op::kAnd, left, negation(depth), at);
    if (failed_) return -1;
  }
  return left;
}

int32_t Compiler::negation(int depth) {
  space();
  const size_t at = at_;
  if (!take_word("not")) return comparison(depth);
  if (depth >= RuleLimits::kDepth) {
    fault(Code::kEpisodeLimit, at, "nested deeper than 16");
    return -1;
  }
  const int32_t inner = negation(depth + 1);
  return want(inner, Type::kNumber, at) ? add({Op::kNot, Type::kNumber, inner, -1, -1, 0, {}, {}})
                                        : -1;
}

int32_t Compiler::comparison(int depth) {
  static constexpr Operator kOperators[] = {{"==", Op::kEqual},     {"!=", Op::kNotEqual},
                                            {"<=", Op::kLessEqual}, {">=", Op::kGreaterEqual},
                                            {"<", Op::kLess},       {">", Op::kGreater}};
  const int32_t left = sum(depth);
  space();
  const size_t at = at_;
  for (const Operator& candidate : kOperators) {
    if (!take_sign(candidate.sign)) continue;
    const int32_t right = sum(depth);
    return failed_ ? -1 : compare(candidate.op, left, right, at);
  }
  if (!failed_ && peek() == '=') fault(at, "write == to compare");
  return left;
}

int32_t Compiler::compare(Op op, int32_t a, int32_t b, size_t at) {
  if (type(a) != type(b)) {
    fault(at, "a number is compared with a text");
    return -1;
  }
  if (type(a) == Type::kText && op != Op::kEqual && op != Op::kNotEqual) {
    fault(at, "texts can be compared with == and != only");
    return -1;
  }
  for (const auto& [node, kind] : comparable_) {
    if (node != a && node != b) continue;
    const Node& other = out_.nodes[static_cast<size_t>(node == a ? b : a)];
    if (other.op == Op::kText && !other.text.empty()) {
      sink_.references.push_back({kind, other.text, sink_.path});
    }
  }
  return add({op, Type::kNumber, a, b, -1, 0, {}, {}});
}

int32_t Compiler::sum(int depth) {
  int32_t left = product(depth);
  for (space(); peek() == '+' || peek() == '-'; space()) {
    const size_t at = at_;
    const Op op = peek() == '+' ? Op::kAdd : Op::kSubtract;
    ++at_;
    left = binary(op, left, product(depth), at);
    if (failed_) return -1;
  }
  return left;
}

int32_t Compiler::product(int depth) {
  int32_t left = unary(depth);
  for (space(); peek() == '*' || peek() == '/' || peek() == '%'; space()) {
    const size_t at = at_;
    const Op op = peek() == '*' ? Op::kMultiply : peek() == '/' ? Op::kDivide : Op::kModulo;
    ++at_;
    left = binary(op, left, unary(depth), at);
    if (failed_) return -1;
  }
  return left;
}

int32_t Compiler::unary(int depth) {
  space();
  const size_t at = at_;
  if (peek() != '-') return atom(depth);
  if (depth >= RuleLimits::kDepth) {
    fault(Code::kEpisodeLimit, at, "nested deeper than 16");
    return -1;
  }
  ++at_;
  const int32_t inner = unary(depth + 1);
  return want(inner, Type::kNumber, at)
             ? add({Op::kNegate, Type::kNumber, inner, -1, -1, 0, {}, {}})
             : -1;
}

int32_t Compiler::atom(int depth) {
  space();
  if (depth >= RuleLimits::kDepth) {
    fault(Code::kEpisodeLimit, at_, "nested deeper than 16");
    return -1;
  }
  if (peek() == '(') {
    ++at_;
    const int32_t inner = disjunction(depth + 1);
    space();
    if (!failed_ && !take_sign(")")) fault(at_, "expected \")\" here");
    return inner;
  }
  if (is_digit(peek())) return number();
  if (peek() == '"' || peek() == '\'') return string();
  if (is_name_start(peek())) return name_or_call(depth);
  fault(at_, at_ < text_.size() ? "expected a number, a text, a name or \"(\" here"
                                : "the expression ends too early");
  return -1;
}

int32_t Compiler::number() {
  const size_t start = at_;
  int64_t value = 0;
  while (is_digit(peek())) {
    const int64_t digit = peek() - '0';
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value)) {
      fault(start, "the number is too large");
      return -1;
    }
    ++at_;
  }
  if (is_name_start(peek()) || peek() == '.') {
    fault(at_, peek() == '.' ? "whole numbers only" : "expected an operator here");
    return -1;
  }
  return add({Op::kNumber, Type::kNumber, -1, -1, -1, value, {}, {}});
}

int32_t Compiler::string() {
  const size_t start = at_;
  const char quote = peek();
  const size_t end = text_.find(quote, start + 1);
  if (end == std::string_view::npos) {
    fault(start, "the text has no closing quote");
    return -1;
  }
  at_ = end + 1;
  std::string value(text_.substr(start + 1, end - start - 1));
  return add({Op::kText, Type::kText, -1, -1, -1, 0, std::move(value), {}});
}

// One part of a dotted name. A "-" belongs to it when a letter or digit follows at once, as in ids.
std::string Compiler::segment() {
  const size_t start = at_;
  while (is_name_char(peek()) || (at_ > start && peek() == '-' && is_name_char(peek(1)))) ++at_;
  return std::string(text_.substr(start, at_ - start));
}

int32_t Compiler::name_or_call(int depth) {
  const size_t start = at_;
  if (take_word("true")) return add({Op::kNumber, Type::kNumber, -1, -1, -1, 1, {}, {}});
  if (take_word("false")) return add({Op::kNumber, Type::kNumber, -1, -1, -1, 0, {}, {}});
  std::vector<std::string> segments{segment()};
  while (peek() == '.') {
    ++at_;
    segments.push_back(segment());
    if (segments.back().empty()) {
      fault(at_, "a name is missing behind the dot");
      return -1;
    }
  }
  space();
  if (segments.size() == 1 && peek() == '(') return call(segments[0], start, depth);
  ResolvedName resolved;
  std::string why;
  if (!resolve(segments, sink_, resolved, why)) {
    if (segments.back().find('-') != std::string::npos) why += " (put spaces around a minus)";
    fault(start, why);
    return -1;
  }
  const int32_t node = add({Op::kName, resolved.type, -1, -1, -1, 0, {}, std::move(resolved.name)});
  if (resolved.compares_with) comparable_.emplace_back(node, *resolved.compares_with);
  return node;
}

int32_t Compiler::call(std::string_view function, size_t start, int depth) {
  constexpr size_t kMostArguments = 8;
  ++at_;  // "("
  std::vector<int32_t> arguments;
  do {
    arguments.push_back(disjunction(depth + 1));
    space();
  } while (!failed_ && arguments.size() < kMostArguments && take_sign(","));
  if (failed_) return -1;
  if (!take_sign(")")) {
    fault(at_, "expected \",\" or \")\" here");
    return -1;
  }
  const size_t count = arguments.size();
  if ((function == "min" || function == "max") && count >= 2) {
    int32_t folded = arguments[0];
    for (size_t i = 1; i < count && !failed_; ++i) {
      folded = binary(function == "min" ? Op::kMin : Op::kMax, folded, arguments[i], start);
    }
    return folded;
  }
  if (function == "abs" && count == 1) {
    if (!want(arguments[0], Type::kNumber, start)) return -1;
    return add({Op::kAbs, Type::kNumber, arguments[0], -1, -1, 0, {}, {}});
  }
  if (function == "if" && count == 3) {
    if (!want(arguments[0], Type::kNumber, start)) return -1;
    if (type(arguments[1]) != type(arguments[2])) {
      fault(start, "both outcomes of if() must be numbers, or both texts");
      return -1;
    }
    return add({Op::kIf, type(arguments[1]), arguments[0], arguments[1], arguments[2], 0, {}, {}});
  }
  if (function == "contains" && count == 2) {
    if (!want(arguments[0], Type::kText, start) || !want(arguments[1], Type::kText, start)) {
      return -1;
    }
    return add({Op::kContains, Type::kNumber, arguments[0], arguments[1], -1, 0, {}, {}});
  }
  fault(start,
        "the functions are min(a, b, ...), max(a, b, ...), abs(a), if(condition, a, b) and "
        "contains(text, part)");
  return -1;
}

}  // namespace

bool compile(std::string_view text, Sink& sink, Expr& out) {
  out.nodes.clear();
  return Compiler(text, sink, out).compile();
}

}  // namespace footlight::episode::rule_expr
