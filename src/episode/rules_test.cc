#include "episode/rules.h"

#include <gtest/gtest.h>

#include <map>

#include "core/bytes.h"
#include "core/prng.h"

namespace footlight::episode {
namespace {

// A world of named values: "roll.total", "aria.hp", "vars.crit", "polls.fork.winner".
class World final : public RuleContext {
 public:
  std::string_view subject() const override { return subject_; }
  bool get(const RuleName& name, RuleValue& out) const override {
    std::string key;
    switch (name.scope) {
      case RuleName::Scope::kEvent:
        key = name.property;
        break;
      case RuleName::Scope::kCharacter:
        key = name.id + "." + name.property + (name.key.empty() ? "" : "." + name.key);
        break;
      case RuleName::Scope::kVar:
        key = "vars." + name.key;
        break;
      case RuleName::Scope::kPoll:
        key = "polls." + name.id + "." + name.property;
        break;
      case RuleName::Scope::kScene:
        key = "scenes." + name.id + "." + name.property;
        break;
      case RuleName::Scope::kEpisode:
        key = "episode." + name.property;
        break;
    }
    const auto found = values_.find(key);
    if (found == values_.end()) return false;
    out = found->second;
    return true;
  }
  std::vector<std::string> characters() const override { return {"aria", "bo-rin"}; }

  World& set(std::string name, int64_t number) {
    values_[std::move(name)] = RuleValue::of(number);
    return *this;
  }
  World& set(std::string name, std::string_view text) {
    values_[std::move(name)] = RuleValue::of(text);
    return *this;
  }
  World& on(std::string_view subject) {
    subject_ = std::string(subject);
    return *this;
  }

 private:
  std::string subject_;
  std::map<std::string, RuleValue> values_;
};

Json json(std::string_view text) {
  // Tests are easier to read with single quotes.
  std::string plain(text);
  for (char& c : plain) {
    if (c == '\'') c = '"';
    if (c == '`') c = '\'';
  }
  Result<Json> out = Json::parse(plain);
  EXPECT_TRUE(out.has_value()) << plain;
  return out ? std::move(*out) : Json();
}

RuleSet compiled(std::string_view text) {
  Issues issues;
  RuleSet out = compile_rules(json(text), "/rules", issues);
  for (const Issue& issue : issues) ADD_FAILURE() << issue.path << ": " << issue.message;
  return out;
}

Issues issues_of(std::string_view text) {
  Issues issues;
  compile_rules(json(text), "/rules", issues);
  return issues;
}

std::vector<Effect> effects_of(const RuleSet& rules, Trigger trigger, const World& world) {
  Fuel fuel;
  Result<std::vector<Effect>> effects = run(rules, trigger, world, fuel);
  EXPECT_TRUE(effects.has_value()) << (effects ? "" : effects.error().detail);
  return effects ? std::move(*effects) : std::vector<Effect>();
}

// The value of one expression, by way of a rule on `start` that sets a variable.
Result<int64_t> value_of(const std::string& expression, const World& world = {}) {
  Json rule = Json::object();
  rule.set("on", Json::string("start"));
  Json set = Json::object();
  set.set("var", Json::string("v"));
  set.set("value", Json::string("=" + expression));
  Json effect = Json::object();
  effect.set("set", std::move(set));
  rule.set("do", std::move(effect));
  Json list = Json::array();
  list.push(std::move(rule));
  Result<RuleSet> rules = compile_rules(list);
  if (!rules) return std::unexpected(rules.error());
  Fuel fuel;
  const Result<std::vector<Effect>> effects = run(*rules, Trigger::kStart, world, fuel);
  if (!effects) return std::unexpected(effects.error());
  return effects->front().amount;
}

std::string fault_of(const std::string& expression) {
  const Result<int64_t> value = value_of(expression);
  EXPECT_FALSE(value.has_value()) << expression;
  return value ? "" : value.error().detail;
}

TEST(Rules, ACriticalHitDoublesTheNextDamage) {
  const RuleSet rules = compiled(R"([
    {'id': 'crit', 'on': 'roll', 'when': 'roll.crit == `hit`', 'do': {'set': {'var': 'crit', 'value': 1}}},
    {'id': 'double', 'on': 'damage', 'when': 'vars.crit == 1',
     'do': [{'multiply_damage': 2}, {'set': {'var': 'crit', 'value': 0}}]}])");
  World roll;
  roll.set("roll.crit", "hit");
  const std::vector<Effect> first = effects_of(rules, Trigger::kRoll, roll);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].kind, EffectKind::kSetVar);
  EXPECT_EQ(first[0].name, "crit");
  EXPECT_EQ(first[0].amount, 1);
  EXPECT_EQ(first[0].rule, "crit");
  World damage;
  damage.on("bo-rin").set("vars.crit", 1).set("damage.amount", 7);
  const std::vector<Effect> second = effects_of(rules, Trigger::kDamage, damage);
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(adjusted_damage(7, second), 14);
  damage.set("vars.crit", 0);
  EXPECT_TRUE(effects_of(rules, Trigger::kDamage, damage).empty());
}

TEST(Rules, AtZeroHitPointsTheCharacterIsDown) {
  const RuleSet rules = compiled(R"([
    {'on': 'hp', 'when': 'hp.after == 0 and not char.condition.down',
     'do': [{'add_condition': 'down'}, {'say': '{char.name} falls, {hp.before} HP to {hp.after}.'}]}])");
  World world;
  world.on("aria").set("hp.after", 0).set("hp.before", 4).set("aria.condition.down", 0);
  world.set("aria.name", "Aria");
  const std::vector<Effect> effects = effects_of(rules, Trigger::kHp, world);
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].kind, EffectKind::kAddCondition);
  EXPECT_EQ(effects[0].target, "aria");
  EXPECT_EQ(effects[0].name, "down");
  EXPECT_EQ(effects[1].text, "Aria falls, 4 HP to 0.");
  EXPECT_EQ(effects[1].rule, "rule-1");
  world.set("aria.condition.down", 1);
  EXPECT_TRUE(effects_of(rules, Trigger::kHp, world).empty());
}

TEST(Rules, AClosedPollGivesAnItemToAll) {
  const RuleSet rules = compiled(R"([
    {'on': 'poll_closed', 'when': 'poll.id == `gift` and poll.winner == 1',
     'do': {'give': {'char': 'all', 'item': 'lantern', 'n': '= max(1, poll.voters / 100)'}}}])");
  World world;
  world.set("poll.id", "gift").set("poll.winner", 1).set("poll.voters", 250);
  const std::vector<Effect> effects = effects_of(rules, Trigger::kPollClosed, world);
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].target, "aria");
  EXPECT_EQ(effects[1].target, "bo-rin");
  EXPECT_EQ(effects[1].amount, 2);
  ASSERT_EQ(rules.references().size(), 2u);
  EXPECT_EQ(rules.references()[0].kind, RuleReference::Kind::kPoll);
  EXPECT_EQ(rules.references()[0].id, "gift");
  EXPECT_EQ(rules.references()[1].path, "/rules/0/do/give/item");
}

TEST(Rules, EveryEffectCompilesAndComesOutAsWritten) {
  const RuleSet rules = compiled(R"([{'id': 'all', 'on': 'damage', 'do': [
    {'damage': {'char': 'aria', 'amount': 3}}, {'heal': 2}, {'set_hp': 5}, {'temp_hp': 4},
    {'give': 'torch'}, {'take': {'item': 'torch', 'n': 2}}, {'add_condition': 'wet'},
    {'remove_condition': {'char': 'aria', 'condition': 'wet'}},
    {'set_field': {'field': 'motto', 'value': 'On!'}}, {'set_field': {'field': 'luck', 'value': '= 1 + 1'}},
    {'set': {'var': 'v', 'value': -3}}, {'goto': 'crypt'}, {'open_poll': {'poll': 'fork', 'seconds': 9}},
    {'close_poll': 'fork'}, {'start_timer': {'id': 't', 'seconds': 30, 'label': 'Run {char.name}'}},
    {'start_timer': 'bell'}, {'stop_timer': 't'}, {'say': 'Hi {{you}}'}, {'multiply_damage': 3}, {'set_damage': 1}]}])");
  World world;
  world.on("bo-rin").set("bo-rin.name", "Bo");
  const std::vector<Effect> e = effects_of(rules, Trigger::kDamage, world);
  ASSERT_EQ(e.size(), 20u);
  using K = EffectKind;
  EXPECT_EQ(e[0], (Effect{K::kDamage, "aria", "", 3, {}, "", "all"}));
  EXPECT_EQ(e[1], (Effect{K::kHeal, "bo-rin", "", 2, {}, "", "all"}));
  EXPECT_EQ(e[2], (Effect{K::kSetHp, "bo-rin", "", 5, {}, "", "all"}));
  EXPECT_EQ(e[3], (Effect{K::kTempHp, "bo-rin", "", 4, {}, "", "all"}));
  EXPECT_EQ(e[4], (Effect{K::kGive, "bo-rin", "torch", 1, {}, "", "all"}));
  EXPECT_EQ(e[5], (Effect{K::kTake, "bo-rin", "torch", 2, {}, "", "all"}));
  EXPECT_EQ(e[6], (Effect{K::kAddCondition, "bo-rin", "wet", 0, {}, "", "all"}));
  EXPECT_EQ(e[7], (Effect{K::kRemoveCondition, "aria", "wet", 0, {}, "", "all"}));
  EXPECT_EQ(e[8], (Effect{K::kSetField, "bo-rin", "motto", 0, RuleValue::of("On!"), "", "all"}));
  EXPECT_EQ(e[9], (Effect{K::kSetField, "bo-rin", "luck", 0, RuleValue::of(2), "", "all"}));
  EXPECT_EQ(e[10], (Effect{K::kSetVar, "", "v", -3, {}, "", "all"}));
  EXPECT_EQ(e[11], (Effect{K::kGoto, "", "crypt", 0, {}, "", "all"}));
  EXPECT_EQ(e[12], (Effect{K::kOpenPoll, "", "fork", 9, {}, "", "all"}));
  EXPECT_EQ(e[13], (Effect{K::kClosePoll, "", "fork", 0, {}, "", "all"}));
  EXPECT_EQ(e[14], (Effect{K::kStartTimer, "", "t", 30, {}, "Run Bo", "all"}));
  EXPECT_EQ(e[15], (Effect{K::kStartTimer, "", "bell", 0, {}, "", "all"}));
  EXPECT_EQ(e[16], (Effect{K::kStopTimer, "", "t", 0, {}, "", "all"}));
  EXPECT_EQ(e[17], (Effect{K::kSay, "", "", 0, {}, "Hi {you}", "all"}));
  EXPECT_EQ(e[18], (Effect{K::kMultiplyDamage, "", "", 3, {}, "", "all"}));
  EXPECT_EQ(e[19], (Effect{K::kSetDamage, "", "", 1, {}, "", "all"}));
}

TEST(Rules, RulesRunInFileOrderAndOnlyOnTheirTrigger) {
  const RuleSet rules = compiled(R"([
    {'id': 'b', 'on': 'timer', 'do': {'say': 'one'}}, {'id': 'x', 'on': 'start', 'do': {'say': 'no'}},
    {'id': 'a', 'on': 'timer', 'do': [{'say': 'two'}, {'say': 'three'}]}])");
  const std::vector<Effect> effects = effects_of(rules, Trigger::kTimer, World());
  ASSERT_EQ(effects.size(), 3u);
  EXPECT_EQ(effects[0].text + effects[1].text + effects[2].text, "onetwothree");
  EXPECT_TRUE(rules.has(Trigger::kStart));
  EXPECT_FALSE(rules.has(Trigger::kRoll));
  EXPECT_EQ(rules.size(), 3u);
}

TEST(Rules, ARollWithoutCharacterActsOnNobodyAndReadsZero) {
  const RuleSet rules = compiled(R"([
    {'on': 'roll', 'when': 'char.hp == 0 and char.name == ``', 'do': [{'heal': 5}, {'say': 'ok'}]}])");
  const std::vector<Effect> effects = effects_of(rules, Trigger::kRoll, World());
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].kind, EffectKind::kSay);
}

TEST(Rules, EffectsThatWouldDoNothingAreLeftOutAndAmountsSaturate) {
  const RuleSet rules = compiled(R"([{'on': 'hp', 'do': [
    {'damage': 0}, {'heal': -4}, {'give': {'item': 'x', 'n': 0}}, {'damage': 9000000000000},
    {'set_hp': -7}, {'set': {'var': 'v', 'value': 9000000000000}}]}])");
  const std::vector<Effect> e = effects_of(rules, Trigger::kHp, World().on("aria"));
  ASSERT_EQ(e.size(), 3u);
  EXPECT_EQ(e[0].amount, 1'000'000);
  EXPECT_EQ(e[1].amount, 0);
  EXPECT_EQ(e[2].amount, 1'000'000'000);
}

TEST(Rules, ATargetMayBeComputed) {
  const RuleSet rules = compiled(
      R"([{'on': 'roll', 'do': {'damage': {'char': '= roll.reason', 'amount': '= roll.total * 2'}}}])");
  World world;
  world.set("roll.reason", "bo-rin").set("roll.total", 6);
  const std::vector<Effect> effects = effects_of(rules, Trigger::kRoll, world);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].target, "bo-rin");
  EXPECT_EQ(effects[0].amount, 12);
  EXPECT_TRUE(effects_of(rules, Trigger::kRoll, world.set("roll.reason", "")).empty());
}

TEST(Rules, LongTextIsCutBetweenCharacters) {
  const RuleSet rules = compiled(R"([{'on': 'roll', 'do': {'say': 'x{roll.reason}'}}])");
  std::string reason;
  for (int i = 0; i < 300; ++i) reason += "é";
  World world;
  world.set("roll.reason", reason);
  const std::string text = effects_of(rules, Trigger::kRoll, world).at(0).text;
  EXPECT_EQ(text.size(), 499u);
  EXPECT_TRUE(is_valid_utf8(text));
}

TEST(RuleExpressions, FollowTheUsualPrecedence) {
  EXPECT_EQ(value_of("1 + 2 * 3"), 7);
  EXPECT_EQ(value_of("(1 + 2) * 3"), 9);
  EXPECT_EQ(value_of("10 - 4 - 3"), 3);
  EXPECT_EQ(value_of("-7 / 2"), -4);
  EXPECT_EQ(value_of("-7 % 2"), 1);
  EXPECT_EQ(value_of("7 % -2"), -1);
  EXPECT_EQ(value_of("1 + 1 == 2 and 3 < 4 or false"), 1);
  EXPECT_EQ(value_of("not 1 == 2"), 1);
  EXPECT_EQ(value_of("not not 5"), 1);
  EXPECT_EQ(value_of("true + true"), 2);
  EXPECT_EQ(value_of("2 >= 2 and 2 <= 2 and 1 != 2 and 3 > 2"), 1);
  EXPECT_EQ(value_of("min(4, 2, 3) * 10 + max(1, 5)"), 25);
  EXPECT_EQ(value_of("abs(-4) + if(1 > 2, 10, 20)"), 24);
  EXPECT_EQ(value_of("contains('goblin king', \"king\")"), 1);
  EXPECT_EQ(value_of("'a' == 'a' and 'a' != 'b'"), 1);
}

TEST(RuleExpressions, ReadEveryKindOfName) {
  World world;
  world.set("aria.hp", 3)
      .set("bo-rin.item.torch", 2)
      .set("vars.v", 5)
      .set("aria.text.motto", "On!");
  world.set("polls.fork.winner", 1).set("scenes.gate.visited", 1).set("episode.scene", "gate");
  EXPECT_EQ(value_of("characters.aria.hp + characters.bo-rin.item.torch", world), 5);
  EXPECT_EQ(value_of("vars.v - 1", world), 4);
  EXPECT_EQ(value_of("polls.fork.winner + scenes.gate.visited", world), 2);
  EXPECT_EQ(value_of("episode.scene == 'gate' and characters.aria.text.motto == 'On!'", world), 1);
}

TEST(RuleExpressions, AndOrAndIfEvaluateOnlyWhatTheyNeed) {
  EXPECT_EQ(value_of("false and 1 / 0"), 0);
  EXPECT_EQ(value_of("true or 1 / 0"), 1);
  EXPECT_EQ(value_of("if(true, 1, 1 / 0)"), 1);
}

TEST(RuleExpressions, ArithmeticThatCannotBeIsARuleError) {
  World world;
  world.set("vars.v", INT64_MAX).set("vars.w", INT64_MIN);
  for (const char* text : {"1 / 0", "1 % 0", "vars.v + 1", "vars.v * 2", "-vars.w", "vars.w - 1",
                           "vars.w / -1", "abs(vars.w)", "vars.unknown"}) {
    const Result<int64_t> value = value_of(text, world);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().code, Code::kRuleError) << text;
    EXPECT_TRUE(value.error().detail.starts_with("rule rule-1: ")) << value.error().detail;
  }
  EXPECT_EQ(value_of("vars.w % -1", world), 0);
}

TEST(RuleExpressions, FaultsNameTheColumn) {
  const auto names = [](const std::string& text, std::string_view part) {
    const std::string detail = fault_of(text);
    EXPECT_NE(detail.find(part), std::string::npos) << text << " → " << detail;
  };
  names("1 +", "column 4 of the expression: the expression ends too early");
  names("1 1", "column 3 of the expression: expected an operator");
  names("1 = 1", "column 3 of the expression: write ==");
  names("(1", "column 3 of the expression: expected \")\"");
  names("1.5", "column 2 of the expression: whole numbers only");
  names("12x", "column 3 of the expression: expected an operator");
  names("'a", "column 1 of the expression: the text has no closing quote");
  names("'a' + 1", "a number is needed here");
  names("'a' < 'b'", "== and != only");
  names("1 == 'a'", "a number is compared with a text");
  names("if(1, 2, 'a')", "both outcomes");
  names("sqrt(2)", "column 1 of the expression: the functions are");
  names("99999999999999999999", "too large");
  names("char.hp", "there is no \"char\" on start");
  names("characters.aria.hq", "has no property \"hq\"");
  names("characters.aria.item", "needs one name");
  names("roll.total", "\"roll.total\" has no value on start");
  names("nonsense", "unknown name \"nonsense\"");
  names("characters.aria.hp-1", "put spaces around a minus");
  names("vars.", "a name is missing behind the dot");
  names("vars", "vars.NAME");
  names("1 ~ 2", "column 3");
  names("", "column 1 of the expression: the expression ends too early");
  names(std::string(17, '(') + "1" + std::string(17, ')'), "nested deeper than 16");
  names(std::string(17, '-') + "1", "nested deeper than 16");
  names("1" + std::string(500, ' '), "longer than 500 bytes");
}

TEST(Rules, AllFaultsAreReportedWithTheirPlaces) {
  const Issues issues = issues_of(R"([
    {'on': 'rol', 'do': {'say': 'x'}},
    {'on': 'start', 'whem': '1', 'do': [{'hael': 3}, {'heal': 3}, {'say': '{1 +}'}, {'say': 5}]},
    {'on': 'start', 'do': []},
    {'on': 'start'}, {'do': {'say': 'x'}}, 7,
    {'id': 'bad id', 'on': 'start', 'do': {'multiply_damage': 2}},
    {'on': 'hp', 'when': '`x`', 'do': [{'heal': 'much'}, {'give': {'item': 'a', 'count': 2}}, {'set': 3},
      {'set_field': {'field': 'f'}}, {'heal': {'char': 'no one', 'amount': '= `x`'}}, {'goto': 'the crypt'}]}])");
  const std::vector<std::string> expected{"/rules/0/on",
                                          "/rules/1/whem",
                                          "/rules/1/do/0/hael",
                                          "/rules/1/do/1/heal",
                                          "/rules/1/do/2/say",
                                          "/rules/1/do/3/say",
                                          "/rules/2/do",
                                          "/rules/3",
                                          "/rules/4",
                                          "/rules/5",
                                          "/rules/6/id",
                                          "/rules/6/do/multiply_damage",
                                          "/rules/7/when",
                                          "/rules/7/do/0/heal",
                                          "/rules/7/do/1/give/count",
                                          "/rules/7/do/2/set",
                                          "/rules/7/do/3/set_field",
                                          "/rules/7/do/4/heal/char",
                                          "/rules/7/do/4/heal/amount",
                                          "/rules/7/do/5/goto"};
  std::vector<std::string> found;
  for (const Issue& issue : issues) {
    found.push_back(issue.path);
    EXPECT_EQ(issue.code, Code::kEpisodeField);
    EXPECT_FALSE(issue.message.empty());
  }
  EXPECT_EQ(found, expected);
  EXPECT_TRUE(issues[1].at_key && issues[2].at_key);
}

TEST(Rules, LimitsAreRefusedWithTheirCode) {
  const auto code = [](const Json& rules) {
    const Result<RuleSet> set = compile_rules(rules);
    return set ? Code::kOk : set.error().code;
  };
  const auto many = [](const char* item, int count) {
    std::string text = "[";
    for (int i = 0; i < count; ++i) text += (i > 0 ? "," : "") + std::string(item);
    return json(text + "]");
  };
  const char* rule = "{'on': 'start', 'do': {'say': 'x'}}";
  EXPECT_EQ(code(many(rule, 200)), Code::kOk);
  EXPECT_EQ(code(many(rule, 201)), Code::kEpisodeLimit);
  const auto with_effects = [&many](int count) {
    Json one = Json::object();
    one.set("on", Json::string("start"));
    one.set("do", many("{'say': 'x'}", count));
    Json list = Json::array();
    list.push(std::move(one));
    return list;
  };
  EXPECT_EQ(code(with_effects(32)), Code::kOk);
  EXPECT_EQ(code(with_effects(33)), Code::kEpisodeLimit);
  EXPECT_EQ(code(Json()), Code::kOk) << "no rules";
  EXPECT_EQ(code(json("{}")), Code::kEpisodeField);
  EXPECT_EQ(code(json("[{'id': 'a', 'on': 'start', 'do': {'say': 'x'}},"
                      " {'id': 'a', 'on': 'start', 'do': {'say': 'x'}}]")),
            Code::kEpisodeField)
      << "an id used twice";
}

TEST(Rules, FuelEndsAnExpensiveEpisodeTheSameWayEveryTime) {
  const RuleSet rules = compiled(R"([
    {'id': 'first', 'on': 'start', 'do': {'say': 'x'}}, {'id': 'second', 'on': 'start', 'when': '1 + 1 == 2', 'do': {'say': 'y'}}])");
  Fuel fuel{1 + 10 + 1 + 5 + 10};
  ASSERT_TRUE(run(rules, Trigger::kStart, World(), fuel).has_value());
  EXPECT_EQ(fuel.left, 0);
  Fuel less{1 + 10 + 1 + 5 + 9};
  const Result<std::vector<Effect>> refused = run(rules, Trigger::kStart, World(), less);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kRuleFuel);
  EXPECT_EQ(refused.error().detail, "rule second");
}

TEST(Rules, OneTriggerYieldsAtMost256Effects) {
  std::string text = "[";
  for (int rule = 0; rule < 9; ++rule) {
    text += std::string(rule > 0 ? "," : "") + "{'on': 'start', 'do': [";
    for (int i = 0; i < 32; ++i) text += std::string(i > 0 ? "," : "") + "{'say': 'x'}";
    text += "]}";
  }
  const RuleSet rules = compiled(text + "]");
  Fuel fuel;
  const Result<std::vector<Effect>> refused = run(rules, Trigger::kStart, World(), fuel);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kRuleFuel);
}

TEST(Rules, DamageIsAdjustedInOrderAndBounded) {
  const auto effect = [](EffectKind kind, int64_t amount) {
    Effect out;
    out.kind = kind;
    out.amount = amount;
    return out;
  };
  const Effect twice = effect(EffectKind::kMultiplyDamage, 2);
  const Effect three = effect(EffectKind::kSetDamage, 3);
  EXPECT_EQ(adjusted_damage(5, std::vector<Effect>{twice, twice}), 20);
  EXPECT_EQ(adjusted_damage(5, std::vector<Effect>{twice, three}), 3);
  EXPECT_EQ(adjusted_damage(5, std::vector<Effect>{three, twice}), 6);
  EXPECT_EQ(
      adjusted_damage(INT64_MAX, std::vector<Effect>{effect(EffectKind::kMultiplyDamage, 100)}),
      1'000'000);
  EXPECT_EQ(adjusted_damage(-5, {}), 0);
}

// Random programs from pieces of the language: they compile or report, they run or fail with a
// code, and the same run gives the same effects.
TEST(RuleExpressions, WhateverCompilesRunsTheSameTwice) {
  constexpr std::string_view kPieces[] = {"1",
                                          "0",
                                          "7",
                                          "(",
                                          ")",
                                          "+",
                                          "-",
                                          "*",
                                          "/",
                                          "%",
                                          "==",
                                          "!=",
                                          "<",
                                          ">=",
                                          " and ",
                                          " or ",
                                          "not ",
                                          "'a'",
                                          "vars.v",
                                          "char.hp",
                                          "characters.aria.hp",
                                          "min(",
                                          "if(",
                                          ",",
                                          "true",
                                          "contains(",
                                          "abs(",
                                          "episode.scene",
                                          "polls.fork.option"};
  World world;
  world.set("vars.v", 3).set("aria.hp", 9).set("episode.scene", "gate");
  Prng prng(11);
  int ran = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string text;
    for (uint64_t n = prng.between(1, 8); n > 0; --n)
      text += kPieces[prng.below(std::size(kPieces))];
    const Result<int64_t> value = value_of(text, world);
    if (!value) {
      const Code code = value.error().code;
      ASSERT_TRUE(code == Code::kEpisodeField || code == Code::kRuleError) << text;
      continue;
    }
    ++ran;
    ASSERT_EQ(value_of(text, world), *value) << text;
  }
  EXPECT_GT(ran, 1000);
}

}  // namespace
}  // namespace footlight::episode
