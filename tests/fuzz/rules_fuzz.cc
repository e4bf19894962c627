// DEPS: footlight_core footlight_episode
// Rules of an episode file, as JSON: {"rules":[...]} or a bare expression. What compiles runs
// within its fuel, twice to the same effects.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/assert.h"
#include "core/json.h"
#include "episode/rules.h"

namespace {

using namespace footlight;
using namespace footlight::episode;

// Everything there is, and of awkward size.
class Anything final : public RuleContext {
 public:
  std::string_view subject() const override { return "aria"; }
  bool get(const RuleName& name, RuleValue& out) const override {
    const std::string& p = name.property;
    const bool text = p == "id" || p == "name" || p == "text" || p == "option" || p == "scene" ||
                      p.ends_with(".id") || p.ends_with(".crit") || p.ends_with(".expr") ||
                      p.ends_with(".reason") || p.ends_with(".by") || p.ends_with(".text") ||
                      p.ends_with(".option") || p.ends_with(".why") || p.ends_with(".from") ||
                      p.ends_with(".how");
    out = text ? RuleValue::of(std::string(200, 'x')) : RuleValue::of(INT64_MAX - 1);
    return true;
  }
  std::vector<std::string> characters() const override {
    return std::vector<std::string>(64, "someone");
  }
};

void run_all(const RuleSet& rules) {
  const Anything world;
  for (int i = 0; i < kTriggerCount; ++i) {
    const auto trigger = static_cast<Trigger>(i);
    Fuel first;
    Fuel second;
    const Result<std::vector<Effect>> one = run(rules, trigger, world, first);
    const Result<std::vector<Effect>> two = run(rules, trigger, world, second);
    FL_ASSERT(one.has_value() == two.has_value() && first.left == second.left, "not the same");
    FL_ASSERT(first.left >= 0, "fuel below nothing");
    if (one) {
      FL_ASSERT(*one == *two, "not the same effects");
      FL_ASSERT(one->size() <= static_cast<size_t>(RuleLimits::kEmitted), "too many effects");
      FL_ASSERT(adjusted_damage(7, *one) >= 0, "damage below nothing");
    } else {
      const Code code = one.error().code;
      FL_ASSERT(code == Code::kRuleFuel || code == Code::kRuleError, "a foreign code");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Json rules;
  if (Result<Json> json = Json::parse(text)) {
    rules = (*json)["rules"];
  } else {
    Json rule = Json::object();
    rule.set("on", Json::string("damage"));
    rule.set("when", Json::string(std::string(text)));
    Json effect = Json::object();
    effect.set("say", Json::string(std::string(text)));
    rule.set("do", std::move(effect));
    rules = Json::array();
    rules.push(std::move(rule));
  }
  Issues issues;
  const RuleSet set = compile_rules(rules, "/rules", issues);
  for (const Issue& issue : issues) FL_ASSERT(!issue.message.empty(), "a fault without a sentence");
  run_all(set);
  return 0;
}
