#include "episode/definition.h"

#include <gtest/gtest.h>

#include "episode/episode.h"
#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

std::string with(std::string_view members) {
  return R"({"footlight":1,"title":"T")" + std::string(members) + "}";
}

// The first fault of a definition, as "code pointer".
std::string fault(std::string_view members) {
  const Result<Json> json = Json::parse(with(members));
  EXPECT_TRUE(json) << members;
  Issues issues;
  (void)check_definition(*json, issues);
  if (issues.empty()) return "none";
  return std::to_string(static_cast<int>(issues[0].code)) + " " + issues[0].path;
}

TEST(Definition, ReadsAWholeShow) {
  const Result<Definition> show = parse_definition(testing::kShowDefinition);
  ASSERT_TRUE(show) << show.error().message();
  EXPECT_EQ(show->id, "bell");
  EXPECT_EQ(show->start, "gate");
  EXPECT_EQ(show->characters[1].hp, 15);
  EXPECT_EQ(show->characters[0].portrait, "/assets/aria.png");
  EXPECT_EQ(show->polls[0].options[0].to, "crypt");
  EXPECT_EQ(show->polls[0].weights, (std::array<uint8_t, 4>{1, 3, 0, 0}));
  EXPECT_EQ(show->polls[1].max, 2u);
  EXPECT_EQ(show->polls[2].default_option, 1);
  EXPECT_EQ(show->characters_of("ann"), std::vector<std::string>{"aria"});
  EXPECT_TRUE(show->characters_of("").empty());
  EXPECT_EQ(show->owner_name(show->characters[0]), "Ann");
}

TEST(Definition, ATitleIsEnough) {
  const Result<Definition> show = parse_definition(with(""));
  ASSERT_TRUE(show) << show.error().message();
  EXPECT_EQ(show->start, "");
  EXPECT_EQ(show->crit.hit_from, 20);
}

TEST(Definition, NamesThePlaceOfEveryFault) {
  const std::pair<const char*, const char*> kFaults[] = {
      {R"(,"titel":"x")", "4711 /titel"},
      {R"(,"id":"Bell")", "4711 /id"},
      {R"(,"start":"gate")", "4712 /start"},
      {R"(,"cast":[])", "4711 /cast"},
      {R"(,"cast":{"a":{"role":"king"}})", "4711 /cast/a/role"},
      {R"(,"cast":{"a~/b":{"name":""}})", "4711 /cast/a~0~1b/name"},
      {R"(,"items":{"a b":"x"})", "4711 /items/a b"},
      {R"(,"conditions":["a","a"])", "4711 /conditions/1"},
      {R"(,"characters":{"c":{}})", "4711 /characters/c"},
      {R"(,"characters":{"all":{"name":"x"}})", "4711 /characters/all"},
      {R"(,"characters":{"c":{"name":"x","owner":"ann"}})", "4712 /characters/c/owner"},
      {R"(,"characters":{"c":{"name":"x","hp":5,"hp_max":4}})", "4711 /characters/c/hp"},
      {R"(,"characters":{"c":{"name":"x","hp_max":1.5}})", "4711 /characters/c/hp_max"},
      {R"(,"characters":{"c":{"name":"x","hp_max":1000001}})", "4711 /characters/c/hp_max"},
      {R"(,"characters":{"c":{"name":"x","items":{"egg":1}}})", "4712 /characters/c/items/egg"},
      {R"(,"characters":{"c":{"name":"x","conditions":["z"]}})", "4712 /characters/c/conditions/0"},
      {R"(,"characters":{"c":{"name":"x","fields":{"f":[]}}})", "4711 /characters/c/fields/f"},
      {R"(,"characters":{"c":{"name":"x","portrait":"p"}})", "4712 /characters/c/portrait"},
      {R"(,"scenes":{"s":{"title":"x","choices":{"c":{"label":"y","to":"z"}}}})",
       "4712 /scenes/s/choices/c/to"},
      {R"(,"scenes":{"s":{"title":"x","polls":["p"]}})", "4712 /scenes/s/polls/0"},
      {R"(,"polls":{"p":{"title":"x","options":["a"]}})", "4711 /polls/p/options"},
      {R"(,"polls":{"p":{"title":"x"}})", "4711 /polls/p"},
      {R"(,"polls":{"p":{"title":"x","options":["a",{"label":"b","to":"s"}]}})",
       "4712 /polls/p/options/1/to"},
      {R"(,"polls":{"p":{"title":"x","options":["a","b"],"max":2}})", "4711 /polls/p/max"},
      {R"(,"polls":{"p":{"title":"x","options":["a","b"],"default":2}})", "4711 /polls/p/default"},
      {R"(,"polls":{"p":{"title":"x","options":["a","b"],"tie_break":"default"}})",
       "4711 /polls/p/tie_break"},
      {R"(,"polls":{"p":{"title":"x","options":["a","b"],"weights":{"viewer":0,"player":0}}})",
       "4711 /polls/p/weights"},
      {R"(,"polls":{"p":{"title":"x","options":["a","b"],"weights":{"viewer":101}}})",
       "4711 /polls/p/weights/viewer"},
      {R"(,"dice":{"dialect":"roll20"})", "4711 /dice/dialect"},
      {R"(,"dice":{"crit":{"hit_from":1,"miss_to":1}})", "4711 /dice/crit/miss_to"},
      {R"(,"chat":{"slow_seconds":-1})", "4711 /chat/slow_seconds"},
      {R"(,"vars":{"v":"x"})", "4711 /vars/v"},
      {R"(,"timers":{"t":{"label":"x"}})", "4711 /timers/t"},
      {R"(,"cues":[{"label":"x","k":"poll.vote"}])", "4711 /cues/0/k"},
      {R"(,"cues":[{"label":"x","k":"poll.open","a":{}}])", "4711 /cues/0/a"},
      {R"(,"cues":[{"label":"x","k":"poll.open","a":{"poll":"p"}}])", "4712 /cues/0/a/poll"},
      {R"(,"assets":{"a":{"url":"javascript:x"}})", "4711 /assets/a/url"},
      {R"(,"rules":[{"on":"hp","do":{"goto":"nowhere"}}])", "4712 /rules/0/do/goto"},
  };
  for (const auto& [members, expected] : kFaults) EXPECT_EQ(fault(members), expected) << members;
}

TEST(Definition, TooMuchOfSomethingIsALimit) {
  const auto many = [](std::string_view key, int count, std::string_view value) {
    std::string out = R"(,")" + std::string(key) + R"(":{)";
    for (int i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      out += '"' + std::string("n") + std::to_string(i) + "\":" + std::string(value);
    }
    return out + "}";
  };
  EXPECT_EQ(fault(many("cast", 65, "{}")), "4713 /cast");
  EXPECT_EQ(fault(many("characters", 65, R"({"name":"x"})")), "4713 /characters");
  EXPECT_EQ(fault(many("scenes", 501, R"({"title":"x"})")), "4713 /scenes");
  EXPECT_EQ(fault(many("polls", 201, "{}")), "4713 /polls");
  EXPECT_EQ(fault(many("scenes", 500, R"({"title":"x"})")), "none");
  EXPECT_EQ(fault(R"(,"description":")" + std::string(8001, 'x') + R"(")"), "4713 /description");
  const std::string large = with(R"(,"x":")" + std::string(1024 * 1024, 'x') + R"(")");
  EXPECT_EQ(parse_definition(large).error().code, Code::kEpisodeLimit);
}

TEST(Definition, FindsAllFaultsAtOnce) {
  const Result<Json> json = Json::parse(R"({"titel":"x","start":"s","emotes":[1]})");
  Issues issues;
  (void)check_definition(*json, issues);
  EXPECT_EQ(issues.size(), 5u);
}

TEST(Definition, RefusesWhatIsNoJson) {
  EXPECT_EQ(parse_definition("title: x").error().code, Code::kEpisodeSyntax);
  EXPECT_EQ(parse_definition("[]").error().code, Code::kEpisodeField);
}

TEST(Genesis, NeedsAGoodIdAndAGoodDefinition) {
  EXPECT_EQ(make_genesis(with(""), "Bad Id", {}, 0).error().code, Code::kEpisodeField);
  EXPECT_EQ(make_genesis("{}", "ok", {}, 0).error().code, Code::kEpisodeField);
  const Result<Bytes> good = make_genesis(with(""), "ok", {}, 0);
  ASSERT_TRUE(good);
  EXPECT_TRUE(State::from_genesis(*good));
}

TEST(Genesis, DamagedOnesAreRefused) {
  const Bytes good = *make_genesis(with(""), "ok", {}, 0);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(State::from_genesis(ByteView(good).first(size)));
  }
  std::string later(as_text(good));
  later.replace(later.find("\"v\":1"), 5, "\"v\":2");
  EXPECT_EQ(State::from_genesis(as_bytes(later)).error().code, Code::kLogFormat);
}

}  // namespace
}  // namespace footlight::episode
