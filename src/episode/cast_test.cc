// Characters, dice, rules.
#include <gtest/gtest.h>

#include "core/json.h"
#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

using testing::Show;
constexpr auto kDirector = proto::ViewClass::kDirector;
constexpr auto kPlayer = proto::ViewClass::kPlayer;
constexpr auto kViewer = proto::ViewClass::kViewer;

class Cast : public ::testing::Test {
 protected:
  void SetUp() override { show.start(); }
  Json character(std::string_view id) const {
    return *Json::parse(show.entity(kViewer, "characters", id));
  }
  int64_t hp(std::string_view id) const { return character(id)["hp"].as_int(-1); }
  Code roll(const Actor& actor, std::string_view extra = "", std::string_view expr = "d20") {
    return show.code(actor, "dice.roll",
                     R"({"expr":")" + std::string(expr) + R"(","nonce":")" + show.nonce() + R"(")" +
                         std::string(extra) + "}");
  }
  Show show;
};

TEST_F(Cast, TemporaryHitPointsTakeDamageFirst) {
  EXPECT_EQ(show.code(show.bob, "char.hp", R"({"char":"brom","delta":-5})"), Code::kOk);
  EXPECT_EQ(character("brom")["hp_temp"].as_int(), 0);
  EXPECT_EQ(hp("brom"), 13);
  EXPECT_EQ(show.code(show.bob, "char.hp", R"({"char":"brom","temp":4})"), Code::kOk);
  EXPECT_EQ(show.code(show.bob, "char.hp", R"({"char":"brom","delta":-1})"), Code::kOk);
  EXPECT_EQ(character("brom")["hp_temp"].as_int(), 3);
  EXPECT_EQ(hp("brom"), 13);
}

TEST_F(Cast, HitPointsStayBetweenZeroAndTheMaximum) {
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":99})");
  EXPECT_EQ(hp("aria"), 12);
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":-999999999})");
  EXPECT_EQ(hp("aria"), 0);
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","set":500})");
  EXPECT_EQ(hp("aria"), 12);
}

TEST_F(Cast, EveryChangeRaisesTheVersionAndAStaleOneIsRefused) {
  const int64_t ver = character("aria")["ver"].as_int();
  const std::string args = R"({"char":"aria","delta":-1,"ver":)" + std::to_string(ver) + "}";
  EXPECT_EQ(show.code(show.ann, "char.hp", args), Code::kOk);
  EXPECT_EQ(character("aria")["ver"].as_int(), ver + 1);
  EXPECT_EQ(show.code(show.ann, "char.hp", args), Code::kVersionConflict);
  EXPECT_EQ(
      show.code(show.ann, "char.cond", R"({"char":"aria","cond":"poisoned","on":true,"ver":1})"),
      Code::kVersionConflict);
}

TEST_F(Cast, ItemsAreGivenAndTaken) {
  EXPECT_EQ(show.code(show.ann, "char.item", R"({"char":"aria","item":"potion","delta":-2})"),
            Code::kOk);
  EXPECT_EQ(character("aria")["items"].find("potion"), nullptr);
  EXPECT_EQ(show.code(show.ann, "char.item", R"({"char":"aria","item":"potion","delta":-1})"),
            Code::kItemUnknown);
  EXPECT_EQ(show.code(show.ann, "char.item", R"({"char":"aria","item":"crown","delta":1})"),
            Code::kItemUnknown);
  EXPECT_EQ(show.code(show.gm, "char.item", R"({"char":"aria","item":"crown","delta":1})"),
            Code::kOk);
  EXPECT_EQ(character("aria")["items"]["crown"].dump(), R"({"name":"crown","n":1})");
  EXPECT_EQ(show.code(show.ann, "char.item", R"({"char":"aria","item":"crown","delta":1})"),
            Code::kOk);  // what one has, one may have more of
  EXPECT_EQ(show.code(show.gm, "char.item", R"({"char":"aria","item":"crown","delta":999999999})"),
            Code::kFieldOutOfRange);
}

TEST_F(Cast, ACharacterHoldsSoManyKindsOfItems) {
  int kinds = 1;
  while (show.code(show.gm, "char.item",
                   R"({"char":"aria","item":"i)" + std::to_string(kinds) + R"(","delta":1})") ==
         Code::kOk) {
    ++kinds;
  }
  EXPECT_EQ(kinds, 200);
  EXPECT_EQ(show.code(show.gm, "char.item", R"({"char":"aria","item":"more","delta":1})"),
            Code::kTooMany);
}

TEST_F(Cast, ConditionsAreThoseOfTheFile) {
  EXPECT_EQ(show.code(show.ann, "char.cond", R"({"char":"aria","cond":"poisoned","on":true})"),
            Code::kOk);
  EXPECT_EQ(character("aria")["conditions"].dump(), R"(["poisoned"])");
  EXPECT_EQ(show.code(show.ann, "char.cond", R"({"char":"aria","cond":"bored","on":true})"),
            Code::kConditionUnknown);
}

TEST_F(Cast, FieldsKeepTheirType) {
  EXPECT_EQ(show.code(show.ann, "char.field", R"({"char":"aria","field":"level","value":4})"),
            Code::kOk);
  EXPECT_EQ(show.code(show.ann, "char.field", R"({"char":"aria","field":"class","value":"Bard"})"),
            Code::kOk);
  EXPECT_EQ(character("aria")["fields"].dump(), R"({"class":"Bard","level":4})");
  EXPECT_EQ(show.code(show.ann, "char.field", R"({"char":"aria","field":"level","value":"x"})"),
            Code::kMissingField);
  EXPECT_EQ(show.code(show.ann, "char.field", R"({"char":"aria","field":"age","value":1})"),
            Code::kFieldUnknown);
  EXPECT_EQ(
      show.code(show.ann, "char.field", R"({"char":"aria","field":"level","value":1000000001})"),
      Code::kFieldOutOfRange);
}

TEST_F(Cast, ForeignAndUnknownCharactersAreRefused) {
  for (const auto& [kind, rest] :
       {std::pair("char.hp", R"("delta":-1)"), std::pair("char.item", R"("item":"rope","delta":1)"),
        std::pair("char.cond", R"("cond":"down","on":true)"),
        std::pair("char.field", R"("field":"level","value":1)")}) {
    const auto args = [&](std::string_view id) {
      return R"({"char":")" + std::string(id) + R"(",)" + rest + "}";
    };
    EXPECT_EQ(show.code(show.bob, kind, args("aria")), Code::kCharacterForeign) << kind;
    EXPECT_EQ(show.code(show.gm, kind, args("nobody")), Code::kCharacterUnknown) << kind;
    EXPECT_EQ(show.code(show.viewer, kind, args("aria")), Code::kForbidden) << kind;
  }
  EXPECT_EQ(roll(show.bob, R"(,"char":"aria")"), Code::kCharacterForeign);
  EXPECT_EQ(roll(show.gm, R"(,"char":"nobody")"), Code::kCharacterUnknown);
}

TEST_F(Cast, RollsFollowFromTheSeedAndTheNonce) {
  ASSERT_EQ(roll(show.ann, R"(,"char":"aria","reason":"climb")", "4d6kh3+2"), Code::kOk);
  const Result<Json> shown = Json::parse(show.entity(kViewer, "rolls", "1"));
  ASSERT_TRUE(shown);
  FairDice faces(show.secrets.dice_seed, "bell", 1, (*shown)["nonce"].as_string());
  const Result<RollResult> expected =
      episode::roll(*parse_dice("4d6kh3+2", Dialect::kFoundry), faces, {});
  ASSERT_TRUE(expected);
  EXPECT_EQ((*shown)["total"].as_int(), expected->total);
  EXPECT_EQ((*shown)["hash"].as_string(), to_hex(faces.fingerprint()));
  EXPECT_EQ((*shown)["dice"].items().size(), 4u);
  EXPECT_EQ((*shown)["who"].as_string(), hex_u64(show.ann.who));
}

TEST_F(Cast, NoncesAreGoodForOneRoll) {
  const char* args = R"({"expr":"d20","nonce":"00112233445566778899aabbccddeeff"})";
  EXPECT_EQ(show.code(show.ann, "dice.roll", args), Code::kOk);
  EXPECT_EQ(show.code(show.bob, "dice.roll", args), Code::kDiceNonce);
  EXPECT_EQ(show.code(show.bob, "dice.roll", R"({"expr":"d20","nonce":"0011"})"), Code::kDiceNonce);
  Result<State> again = State::from_snapshot(show.state.snapshot());
  ASSERT_TRUE(again);
  show.state = std::move(*again);
  EXPECT_EQ(show.code(show.bob, "dice.roll", args), Code::kDiceNonce);
}

TEST_F(Cast, BadExpressionsAreRefused) {
  EXPECT_EQ(roll(show.ann, "", "2d"), Code::kDiceSyntax);
  EXPECT_EQ(roll(show.ann, "", "999d6"), Code::kDiceTooLarge);
  EXPECT_EQ(show.entity(kDirector, "rolls", "1"), "");
}

TEST_F(Cast, SecretRollsAreForTheDirectorsAlone) {
  EXPECT_EQ(roll(show.ann, R"(,"secret":true)"), Code::kForbidden);
  EXPECT_EQ(roll(show.gm, R"(,"secret":true)"), Code::kOk);
  EXPECT_EQ(show.entity(kViewer, "rolls", "1"), "");
  EXPECT_EQ(show.entity(kPlayer, "rolls", "1"), "");
  EXPECT_NE(show.entity(kDirector, "rolls", "1"), "");
  EXPECT_EQ(encode_view(show.state, kPlayer).find("dice\":["), std::string::npos);
}

TEST_F(Cast, TheViewKeepsTheLastFiftyRolls) {
  for (int i = 0; i < 51; ++i) ASSERT_EQ(roll(show.ann), Code::kOk);
  EXPECT_EQ(show.entity(kViewer, "rolls", "1"), "");
  EXPECT_NE(show.entity(kViewer, "rolls", "51"), "");
  EXPECT_EQ(show.changed[0].id, "1");  // told that it is gone
}

TEST_F(Cast, ARuleTakesAndGivesBackTheConditionAtZeroHitPoints) {
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":-12})");
  EXPECT_EQ(character("aria")["conditions"].dump(), R"(["down"])");
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":1})");
  EXPECT_EQ(character("aria")["conditions"].dump(), "[]");
}

TEST_F(Cast, ACriticalHitDoublesTheNextDamageOnce) {
  std::string crit;
  for (int i = 0; i < 200 && crit != "hit"; ++i) {
    ASSERT_EQ(roll(show.ann), Code::kOk);
    const std::string last = std::to_string(i + 1);
    crit = (*Json::parse(show.entity(kDirector, "rolls", last)))["crit"].as_string();
  }
  ASSERT_EQ(crit, "hit");
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":-3})");
  EXPECT_EQ(hp("aria"), 6);
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":-3})");
  EXPECT_EQ(hp("aria"), 3);
}

TEST_F(Cast, AClosedPollGivesAnItemToAllAndSaysSo) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"many"})");
  (void)show.vote(show.viewer, "many", 1, 1);
  (void)show.send(show.gm, "poll.close", R"({"poll":"many"})");
  show.tick(1);
  EXPECT_EQ(character("aria")["items"]["rope"]["n"].as_int(), 1);
  EXPECT_EQ(character("brom")["items"]["rope"]["n"].as_int(), 1);
  const Json said = *Json::parse(show.entity(kViewer, "chat", "1"));
  EXPECT_EQ(said["text"].as_string(), "Rope for all!");
  EXPECT_EQ(said["role"].as_string(), "system");
  EXPECT_EQ(show.replay().hash(), show.state.hash());
}

constexpr std::string_view kLoopingRules = R"({"footlight":1,"title":"Loop",
  "vars":{"n":0},"scenes":{"a":{"title":"A"}},
  "characters":{"c":{"name":"C","hp_max":1000,"hp":500}},
  "polls":{"p":{"title":"P","options":["x","y"],"seconds":5}},
  "timers":{"t":{"label":"T","seconds":5}},
  "rules":[{"id":"loop","on":"hp","do":[{"heal":1},{"damage":1}]},
           {"id":"overflow","on":"scene","do":{"set":{"var":"n","value":"= 9223372036854775807 + vars.n + 1"}}},
           {"id":"spin","on":"poll_closed","do":{"damage":{"char":"c","amount":1}}}]})";

TEST(RulesOfAShow, ThatNeverEndRefuseTheCommandWhole) {
  Show show(kLoopingRules);
  show.start();
  const size_t before = show.records.size();
  const Hash256 hash = show.state.hash();
  EXPECT_EQ(show.code(show.gm, "char.hp", R"({"char":"c","delta":-1})"), Code::kRuleFuel);
  EXPECT_EQ(show.records.size(), before);
  EXPECT_EQ(show.state.hash(), hash);
}

TEST(RulesOfAShow, ThatFailRefuseTheCommandWhole) {
  Show show(kLoopingRules);
  EXPECT_EQ(show.code(show.producer, "episode.start"), Code::kRuleError);
  EXPECT_TRUE(show.records.empty());
}

TEST(RulesOfAShow, ThatFailKeepNoPollOpen) {
  std::string definition(kLoopingRules);
  const std::string overflow = "= 9223372036854775807 + vars.n + 1";
  definition.replace(definition.find(overflow), overflow.size(), "= 1");
  Show show(definition);
  show.start();
  ASSERT_EQ(show.code(show.gm, "poll.open", R"({"poll":"p"})"), Code::kOk);
  ASSERT_EQ(show.code(show.gm, "timer.start", R"({"id":"t","seconds":5})"), Code::kOk);
  show.tick(5'000);
  EXPECT_TRUE(show.tally("p").final);
  EXPECT_EQ(show.entity(kViewer, "timers", "t"), "");
  EXPECT_EQ(next_deadline_ms(show.state), INT64_MAX);
}

}  // namespace
}  // namespace footlight::episode
