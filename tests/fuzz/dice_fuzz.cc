// DEPS: footlight_core footlight_episode
// Dice expressions of a player. The first byte picks the dialect, the rest is the expression.
// Whatever parses must roll, within its bounds and caps, and its normal form must parse to the same
// tree.
#include <cstdint>
#include <string_view>

#include "core/assert.h"
#include "core/prng.h"
#include "episode/dice.h"

namespace {

class Random final : public footlight::episode::DiceSource {
 public:
  explicit Random(uint64_t seed) : prng_(seed) {}
  uint32_t face(uint32_t sides) override { return static_cast<uint32_t>(prng_.below(sides)) + 1; }

 private:
  footlight::Prng prng_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace footlight;
  using namespace footlight::episode;
  if (size == 0) return 0;
  const Dialect dialect = data[0] == 'b' ? Dialect::kBang : Dialect::kFoundry;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Result<DiceExpr> expr = parse_dice(text, dialect);
  if (!expr) {
    const Code code = expr.error().code;
    FL_ASSERT(code == Code::kDiceSyntax || code == Code::kDiceTooLarge, "a foreign code");
    return 0;
  }
  Random source(size);
  const Result<RollResult> result = roll(*expr, source);
  FL_ASSERT(result.has_value(), "an expression that parses can be rolled");
  FL_ASSERT(result->total >= expr->lowest && result->total <= expr->highest, "out of its bounds");
  FL_ASSERT(result->dice.size() <= static_cast<size_t>(DiceLimits::kDrawn), "too many dice");
  const std::string normal = expr->text(dialect);
  if (normal.size() <= static_cast<size_t>(DiceLimits::kTextBytes)) {
    const Result<DiceExpr> again = parse_dice(normal, dialect);
    FL_ASSERT(again && again->text(dialect) == normal, "the normal form is not stable");
  }
  return 0;
}
