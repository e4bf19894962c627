// Dice expressions: "4d6kh3+2" becomes a syntax tree, a tree and a source of faces become a result.
//
// What holds: an expression that parses can always be rolled. Everything that could go wrong while
// rolling (overflow, a zero divisor, chains without end) is refused or bounded when it is parsed,
// so no outcome of the dice can make the server refuse the roll after it knows the faces.
//
// Grammar, meaning, caps and both dialects: docs/formats/dice.md. Pure, any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace footlight::episode {

enum class Dialect : uint8_t {
  kFoundry = 0,  // r = reroll once, rr = again and again, x explodes, xo explodes once
  kBang = 1,     // r = again and again, ro = once, ! explodes, !o once, !! compounds
};

std::string_view dialect_name(Dialect dialect);           // "foundry", "bang"
bool parse_dialect(std::string_view text, Dialect& out);  // false when neither

struct DiceLimits {
  static constexpr int kTextBytes = 200;
  static constexpr int kDepth = 16;  // nested parentheses and signs
  static constexpr int kDice = 100;  // dice written in the expression, all pools together
  static constexpr int kSides = 1000;
  static constexpr int kChain = 20;   // rerolls, and explosions, that one die may cause
  static constexpr int kDrawn = 200;  // faces drawn for one roll; then chains end early
  static constexpr int64_t kLiteral = 1'000'000;
  static constexpr int64_t kTotal = 1'000'000'000'000;  // bound on |value| of every sub-expression
};

enum class Comparison : uint8_t { kNone, kEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

struct Condition {
  Comparison comparison = Comparison::kNone;
  int32_t target = 0;
  bool holds(int64_t value) const;
};

// Keeps (or drops) the `count` highest or lowest of the dice that still count; ties: the earlier
// die counts as the higher.
struct Selection {
  bool keep = true;
  bool highest = true;
  int32_t count = 1;
};

enum class Chain : uint8_t { kNone, kOnce, kAgain, kCompound };

struct Pool {
  int32_t count = 1;
  int32_t sides = 20;           // 0: a fate die, faces -1, 0, 1
  Chain reroll = Chain::kNone;  // kOnce, kAgain
  Condition reroll_if;
  Chain explode = Chain::kNone;  // kOnce, kAgain, kCompound
  Condition explode_if;
  std::vector<Selection> selections;  // applied in order; at most 4
  Condition success;                  // kNone: the pool's value is the sum of its dice
  Condition failure;                  // a die for which it holds counts -1
};

struct DiceNode {
  enum class Kind : uint8_t { kNumber, kPool, kNegate, kAdd, kSubtract, kMultiply, kDivide };
  Kind kind = Kind::kNumber;
  int64_t number = 0;
  int32_t left = -1;  // index into DiceExpr::nodes; kNegate uses `left` only
  int32_t right = -1;
  int32_t pool = -1;  // index into DiceExpr::pools
};

struct DiceExpr {
  std::vector<DiceNode> nodes;  // children before parents; the last is the root
  std::vector<Pool> pools;      // in the order in which they are rolled
  int64_t lowest = 0;           // bounds of the total, not always reached
  int64_t highest = 0;

  // Normal form ("2D20 adv" → "2d20kh1"); parses to an equal tree in the same dialect. Compounding,
  // which Foundry does not have, is written "!!" in either.
  std::string text(Dialect dialect = Dialect::kFoundry) const;
};

// kDiceSyntax with "column N: ..." (1-based, bytes) in detail; kDiceTooLarge when a cap is passed.
Result<DiceExpr> parse_dice(std::string_view text, Dialect dialect);

// Division of the grammar: rounds towards minus infinity. b != 0; not (INT64_MIN, -1).
int64_t floor_divide(int64_t a, int64_t b);

// Where faces come from. `face(sides)`: uniform in [1, sides], 1 <= sides <= DiceLimits::kSides.
class DiceSource {
 public:
  virtual ~DiceSource() = default;
  virtual uint32_t face(uint32_t sides) = 0;
};

struct Die {
  int32_t sides = 0;      // 0: fate die
  int64_t value = 0;      // the face; -1..1 for a fate die; the sum for a compounded die
  bool kept = true;       // counts towards the total
  bool exploded = false;  // it caused another die
  bool rerolled = false;  // it was replaced by the next die, and is not kept
};

enum class Crit : uint8_t { kNone = 0, kHit = 1, kMiss = 2 };
std::string_view crit_name(Crit crit);  // "", "hit", "miss"

// A roll is critical when exactly one of its kept dice has `sides` sides, and that one's face is at
// least `hit_from` or at most `miss_to`. sides = 0 switches it off. From the episode's definition.
struct CritRule {
  int32_t sides = 20;
  int32_t hit_from = 20;
  int32_t miss_to = 1;
};

struct RollResult {
  std::vector<Die> dice;  // in the order drawn, at most DiceLimits::kDrawn
  int64_t total = 0;
  Crit crit = Crit::kNone;
  int32_t natural =
      0;  // face of the one kept die of CritRule::sides; 0 when there is not exactly one
  bool capped = false;  // a chain ended at a cap
};

// Cannot fail for an expression from parse_dice; kInternal for a tree that did not come from there.
Result<RollResult> roll(const DiceExpr& expr, DiceSource& source, const CritRule& crit = {});

}  // namespace footlight::episode
