#include "episode/rules.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "episode/internal/rule_set.h"

namespace footlight::episode {
namespace {

constexpr int64_t kMostHp = 1'000'000;
constexpr int64_t kMostAmount = 1'000'000'000;
constexpr int64_t kMostMultiplier = 100;
constexpr int64_t kMostSeconds = 86'400;
constexpr size_t kMostLabelBytes = 80;
constexpr size_t kMostFieldBytes = 200;
constexpr int64_t kRuleCost = 1;
constexpr int64_t kEffectCost = 10;

// Cuts at a character's start, so that valid UTF-8 stays valid.
void cut(std::string& text, size_t bytes) {
  if (text.size() <= bytes) return;
  while (bytes > 0 && (static_cast<uint8_t>(text[bytes]) & 0xC0) == 0x80) --bytes;
  text.resize(bytes);
}

class Runner {
 public:
  Runner(const RuleContext& context, Fuel& fuel) : context_(context), fuel_(fuel) {}

  Status rule(const CompiledRule& rule) {
    if (!fuel_.spend(kRuleCost)) return fail(Code::kRuleFuel, "rule " + rule.id);
    if (!rule.when.nodes.empty()) {
      const Result<RuleValue> holds = rule_expr::evaluate(rule.when, context_, fuel_);
      if (!holds) return named(rule, holds.error());
      if (holds->number == 0) return {};
    }
    for (const CompiledEffect& effect : rule.effects) {
      const Status status = this->effect(effect, rule);
      if (!status) return named(rule, status.error());
    }
    return {};
  }

  std::vector<Effect> take() { return std::move(effects_); }

 private:
  static Status named(const CompiledRule& rule, const Error& error) {
    return fail(error.code, "rule " + rule.id + (error.detail.empty() ? "" : ": " + error.detail));
  }

  Result<int64_t> number(const rule_expr::Expr& expr) {
    if (expr.nodes.empty()) return 0;
    const Result<RuleValue> value = rule_expr::evaluate(expr, context_, fuel_);
    if (!value) return std::unexpected(value.error());
    return value->number;
  }

  Result<std::string> text(const RuleTemplate& source) {
    std::string out;
    for (size_t i = 0; i < source.texts.size(); ++i) {
      out += source.texts[i];
      if (i >= source.exprs.size()) continue;
      const Result<RuleValue> value = rule_expr::evaluate(source.exprs[i], context_, fuel_);
      if (!value) return std::unexpected(value.error());
      out += value->is_text ? value->text : std::to_string(value->number);
      if (out.size() > static_cast<size_t>(RuleLimits::kTextBytes)) break;
    }
    cut(out, static_cast<size_t>(RuleLimits::kTextBytes));
    return out;
  }

  Result<std::vector<std::string>> targets(const CompiledEffect& effect) {
    using Target = CompiledEffect::Target;
    switch (effect.target) {
      case Target::kNone:
        return std::vector<std::string>{""};
      case Target::kAll:
        return context_.characters();
      case Target::kOne:
        return std::vector<std::string>{effect.target_id};
      case Target::kSubject:
        break;
      case Target::kExpr: {
        const Result<RuleValue> value = rule_expr::evaluate(effect.target_expr, context_, fuel_);
        if (!value) return std::unexpected(value.error());
        if (value->text.empty()) return std::vector<std::string>{};
        return std::vector<std::string>{value->text};
      }
    }
    // A roll without a character has nobody to act on.
    if (context_.subject().empty()) return std::vector<std::string>{};
    return std::vector<std::string>{std::string(context_.subject())};
  }

  // False: the effect would do nothing and is left out.
  static bool settle(Effect& effect) {
    switch (effect.kind) {
      case EffectKind::kDamage:
      case EffectKind::kHeal:
        effect.amount = std::min(effect.amount, kMostHp);
        return effect.amount > 0;
      case EffectKind::kGive:
      case EffectKind::kTake:
        effect.amount = std::min(effect.amount, kMostAmount);
        return effect.amount > 0;
      case EffectKind::kSetVar:
        effect.amount = std::clamp(effect.amount, -kMostAmount, kMostAmount);
        return true;
      case EffectKind::kSetField:
        effect.value.number = std::clamp(effect.value.number, -kMostAmount, kMostAmount);
        cut(effect.value.text, kMostFieldBytes);
        return true;
      case EffectKind::kSetHp:
      case EffectKind::kTempHp:
      case EffectKind::kSetDamage:
        effect.amount = std::clamp<int64_t>(effect.amount, 0, kMostHp);
        return true;
      case EffectKind::kMultiplyDamage:
        effect.amount = std::clamp<int64_t>(effect.amount, 0, kMostMultiplier);
        return true;
      case EffectKind::kOpenPoll:
        effect.amount = std::clamp<int64_t>(effect.amount, 0, kMostSeconds);
        return true;
      case EffectKind::kStartTimer:
        effect.amount = std::clamp<int64_t>(effect.amount, 0, kMostSeconds);
        cut(effect.text, kMostLabelBytes);
        return true;
      case EffectKind::kSay:
        return !effect.text.empty();
      default:
        return true;
    }
  }

  Status effect(const CompiledEffect& source, const CompiledRule& rule) {
    const Result<std::vector<std::string>> characters = targets(source);
    if (!characters) return std::unexpected(characters.error());
    Effect made;
    made.kind = source.kind;
    made.name = source.name;
    made.rule = rule.id;
    const Result<int64_t> amount = number(source.amount);
    if (!amount) return std::unexpected(amount.error());
    made.amount = *amount;
    Result<std::string> shown = text(source.text);
    if (!shown) return std::unexpected(shown.error());
    made.text = std::move(*shown);
    if (!source.value.nodes.empty()) {
      Result<RuleValue> value = rule_expr::evaluate(source.value, context_, fuel_);
      if (!value) return std::unexpected(value.error());
      made.value = std::move(*value);
    }
    if (!settle(made)) return {};
    for (const std::string& character : *characters) {
      if (!fuel_.spend(kEffectCost)) return fail(Code::kRuleFuel);
      if (effects_.size() == static_cast<size_t>(RuleLimits::kEmitted)) {
        return fail(Code::kRuleFuel, "more than 256 effects of one event");
      }
      made.target = character;
      effects_.push_back(made);
    }
    return {};
  }

  const RuleContext& context_;
  Fuel& fuel_;
  std::vector<Effect> effects_;
};

}  // namespace

std::string_view trigger_name(Trigger trigger) {
  static constexpr std::string_view kNames[kTriggerCount] = {
      "start", "roll",        "damage",      "hp",    "item", "condition",
      "field", "poll_opened", "poll_closed", "scene", "timer"};
  return kNames[static_cast<size_t>(trigger)];
}

std::string_view reference_kind_name(RuleReference::Kind kind) {
  static constexpr std::string_view kNames[] = {"character", "item", "condition", "field",
                                                "variable",  "poll", "scene",     "timer"};
  return kNames[static_cast<size_t>(kind)];
}

RuleSet::RuleSet() : impl_(std::make_unique<Impl>()) {}
RuleSet::~RuleSet() = default;
RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;

size_t RuleSet::size() const { return impl_->rules.size(); }

bool RuleSet::has(Trigger trigger) const {
  return !impl_->by_trigger[static_cast<size_t>(trigger)].empty();
}

const std::vector<RuleReference>& RuleSet::references() const { return impl_->references; }

Result<std::vector<Effect>> run(const RuleSet& rules, Trigger trigger, const RuleContext& context,
                                Fuel& fuel) {
  const RuleSet::Impl& impl = rules.impl();
  Runner runner(context, fuel);
  for (const size_t index : impl.by_trigger[static_cast<size_t>(trigger)]) {
    const Status status = runner.rule(impl.rules[index]);
    if (!status) return std::unexpected(status.error());
  }
  return runner.take();
}

int64_t adjusted_damage(int64_t amount, std::span<const Effect> effects) {
  amount = std::clamp<int64_t>(amount, 0, kMostHp);
  for (const Effect& effect : effects) {
    if (effect.kind == EffectKind::kSetDamage) amount = effect.amount;
    if (effect.kind == EffectKind::kMultiplyDamage) amount *= effect.amount;
    amount = std::clamp<int64_t>(amount, 0, kMostHp);
  }
  return amount;
}

}  // namespace footlight::episode
