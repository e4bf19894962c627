#include "edge/api.h"

#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::Stage;

ApiAnswer call(Stage& stage, ApiRoute route, std::string body = {}) {
  std::optional<ApiAnswer> out;
  stage.owner->api({route, 0xfeed, "the producer", std::move(body), {}},
                   [&out](ApiAnswer answer) { out = std::move(answer); });
  stage.settle();
  EXPECT_TRUE(out) << "the reply is called once";
  return out.value_or(ApiAnswer{});
}

TEST(ApiRoutes, MatchByMethodAndPath) {
  const auto figures = match_api("GET", "/v1/episodes/demo/figures");
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->info->route, ApiRoute::kFigures);
  EXPECT_EQ(figures->episode, "demo");
  EXPECT_TRUE(figures->info->needs_producer);
  EXPECT_EQ(match_api("HEAD", "/v1/episodes")->info->route, ApiRoute::kEpisodes);
  EXPECT_EQ(match_api("POST", "/v1/episodes/demo/commands")->info->route, ApiRoute::kCommands);
}

TEST(ApiRoutes, WhatIsNotThereIsToldApartFromTheWrongMethod) {
  for (const std::string_view path :
       {"/", "/v1/episodes/", "/v1/episodes/Demo", "/v1/episodes/a/b/figures",
        "/v1/episodes/demo/nothing", "/v1/episodes/demo/figures/"}) {
    EXPECT_EQ(match_api("GET", path).error().code, Code::kNotFound) << path;
  }
  EXPECT_EQ(match_api("DELETE", "/v1/episodes/demo").error().code, Code::kMethodNotAllowed);
  EXPECT_EQ(match_api("GET", "/v1/episodes/demo/kick").error().code, Code::kMethodNotAllowed);
}

TEST(ApiRoutes, EachIsInTheDocumentWithItsMethodAndItsRight) {
  const auto document = Json::parse(openapi_json());
  ASSERT_TRUE(document);
  for (const ApiRouteInfo& info : api_routes()) {
    const std::string method = info.method == "GET" ? "get" : "post";
    const Json* operation = (*document)["paths"][info.pattern].find(method);
    ASSERT_NE(operation, nullptr) << info.pattern;
    EXPECT_EQ((*operation)["security"].items().size(), info.needs_producer ? 1u : 0u)
        << info.pattern;
  }
  size_t documented = 0;
  for (const auto& [path, item] : (*document)["paths"].members()) {
    if (!path.starts_with("/v1/episodes") && path != "/v1/openapi.json") continue;
    for (const auto& [method, operation] : item.members()) documented += method != "parameters";
  }
  EXPECT_EQ(documented, api_routes().size()) << "and nothing is documented that is not there";
}

TEST(Api, ACommandIsAnsweredWhenItIsDurable) {
  Stage stage;
  stage.start();
  std::optional<ApiAnswer> answer;
  stage.owner->api({ApiRoute::kCommands, 0xfeed, "p", R"({"k":"episode.start"})", {}},
                   [&answer](ApiAnswer given) { answer = std::move(given); });
  stage.settle(false);
  EXPECT_FALSE(answer);
  stage.settle();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ((*Json::parse(answer->body))["log"].as_int(), 2);
}

TEST(Api, WhoIsHereToSayCaptionsMaySayThemAlone) {
  Stage stage;
  stage.start();
  const auto as_viewer = [&](std::string body) {
    std::optional<ApiAnswer> out;
    ApiCall call{ApiRoute::kCommands, 0xfeed, "Cap", std::move(body), {}};
    call.role = Role::kViewer;
    stage.owner->api(call, [&out](ApiAnswer answer) { out = std::move(answer); });
    stage.settle();
    return out.value_or(ApiAnswer{}).status;
  };
  const std::string caption = R"({"k":"caption.say","a":{"text":"Ring it.","lang":"en"}})";
  EXPECT_EQ(as_viewer(caption), 200);
  EXPECT_EQ(call(stage, ApiRoute::kCommands, caption).status, 200);
  for (const char* other : {R"({"k":"episode.start"})", R"({"k":"chat.say","a":{"text":"hi"}})"}) {
    EXPECT_EQ(as_viewer(other), 403) << other;
  }
  EXPECT_EQ(as_viewer(R"({"k":"caption.take_back","a":{"caption":"2"}})"), 200);
  EXPECT_EQ(as_viewer(R"({"k":"caption.take_back","a":{"caption":"2"}})"), 404);
  EXPECT_EQ(as_viewer(R"({"k":"caption.say","a":{"text":"","lang":"en"}})"), 422);
  EXPECT_EQ(as_viewer(R"({"k":"caption.say","a":{"text":"x","lang":"en","at_ms":5}})"), 422);
  const auto who = std::string(as_text(stage.log.at(stage.log.size() - 3).payload));
  EXPECT_NE(who.find(R"("name":"Cap","role":"viewer")"), std::string::npos) << who;
}

TEST(Api, ACommandWithAnIdChangesNothingTheSecondTime) {
  Stage stage;
  stage.start();
  call(stage, ApiRoute::kCommands, R"({"k":"episode.start"})");
  const std::string body =
      R"({"k":"char.hp","a":{"char":"aria","delta":-2},"cid":"00000000000000aa","i":1})";
  const auto first = call(stage, ApiRoute::kCommands, body);
  const size_t size = stage.log.size();
  const auto second = call(stage, ApiRoute::kCommands, body);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(stage.log.size(), size);
}

TEST(Api, BadCommandsAreRefusedWithACodeAndAStatus) {
  Stage stage;
  stage.start();
  const std::pair<std::string, Code> cases[] = {
      {"", Code::kBadFrame},
      {"{}", Code::kMissingField},
      {R"({"k":"no.such"})", Code::kUnknownCommand},
      {R"({"k":"poll.vote","a":{"poll":"fork","choice":[0],"n":1}})", Code::kForbidden},
      {R"({"k":"poll.open","a":{}})", Code::kMissingField},
      {R"({"k":"poll.open","a":{"poll":"nowhere"}})", Code::kPollUnknown},
      {R"({"k":"episode.start","cid":"aa"})", Code::kMissingField},
      {R"({"k":"episode.start","i":4,"cid":"zz"})", Code::kFieldOutOfRange},
  };
  for (const auto& [body, code] : cases) {
    const auto answer = call(stage, ApiRoute::kCommands, body);
    EXPECT_GE(answer.status, 400) << body;
    const auto json = Json::parse(answer.body);
    ASSERT_TRUE(json) << body;
    const auto got = (*json)["code"].as_int();
    // What comes before the episode starts may say that first.
    if (code == Code::kPollUnknown && got == static_cast<int>(Code::kEpisodeNotStarted)) continue;
    EXPECT_EQ(got, static_cast<int>(code)) << body << answer.body;
  }
}

TEST(Api, AHaltedEpisodeAnswersCommandsWith503AndStillReads) {
  Stage stage;
  stage.start();
  std::optional<ApiAnswer> answer;
  stage.owner->api({ApiRoute::kCommands, 0xfeed, "p", R"({"k":"episode.start"})", {}},
                   [&answer](ApiAnswer given) { answer = std::move(given); });
  stage.log_port.fail(*stage.owner, Code::kDiskFull);
  ASSERT_TRUE(answer);
  EXPECT_GE(answer->status, 500);
  EXPECT_GE(call(stage, ApiRoute::kCommands, R"({"k":"episode.start"})").status, 500);
  const auto summary = call(stage, ApiRoute::kEpisode);
  EXPECT_EQ(summary.status, 200);
  EXPECT_EQ((*Json::parse(summary.body))["mode"].as_string(), "halted");
}

TEST(Api, SummaryFiguresAndPollsAreWhatIsDurable) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("ann", rig::vote(1, "fork", 1));
  stage.run_ms(1'500);
  const Json summary = *Json::parse(call(stage, ApiRoute::kEpisode).body);
  EXPECT_EQ(summary["title"].as_string(), "The Bell");
  EXPECT_EQ(summary["state"].as_string(), "live");
  EXPECT_EQ(summary["audience"].as_int(), 1);
  const Json figures = *Json::parse(call(stage, ApiRoute::kFigures).body);
  EXPECT_EQ(figures["totals"]["ballots"].as_int(), 1);
  EXPECT_EQ(figures["log"]["seq"].as_int(), static_cast<int64_t>(stage.log.head().seq));
  EXPECT_EQ(figures["people"]["cast_online"].as_int(), 2);
  EXPECT_EQ(figures["slo"]["m"].items().size(), 5u);
  const Json polls = *Json::parse(call(stage, ApiRoute::kPolls).body);
  EXPECT_EQ(polls["polls"]["fork"]["state"].as_string(), "open");
  EXPECT_EQ(polls["tallies"]["fork"]["counts"].items()[1].as_int(), 1);
}

TEST(Api, AKickEndsThePersonsSessionsAndLetsThemBackIn) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  const std::string who = ann.last("welcome")["me"]["who"].as_string();
  const auto answer = call(stage, ApiRoute::kKick, R"({"who":")" + who + "\"}");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"sessions":1})");
  EXPECT_EQ(ann.closed, Code::kKicked);
  EXPECT_FALSE(stage.join("ann", Role::kViewer, 1).closed);
  EXPECT_GE(call(stage, ApiRoute::kKick, R"({"who":"00000000000000ff"})").status, 400);
  EXPECT_GE(call(stage, ApiRoute::kKick, R"({"whom":1})").status, 400);
}

TEST(Api, TheListHoldsEveryEpisode) {
  const std::vector<EpisodeSummary> both = {{"a", "A", "live", "live", 3},
                                            {"b", "B \"x\"", "waiting", "live", 0}};
  const Json json = *Json::parse(api_episodes(both).body);
  ASSERT_EQ(json["episodes"].items().size(), 2u);
  EXPECT_EQ(json["episodes"].items()[1]["title"].as_string(), "B \"x\"");
}

}  // namespace
}  // namespace footlight::edge
