#include "edge/edge.h"

#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::code_of;
using rig::confirmed_of;
using rig::ev;
using rig::hello;
using rig::number;
using rig::rejected_of;
using rig::Stage;
using rig::token;
using rig::vote;

TEST(EdgeEvents, RightsAndFormAreJudgedHere) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  const uint64_t foreign = 0x123;
  stage.send("ann", ev(1, "poll.open", R"({"poll":"fork"})"));
  stage.send("ann",
             ev(2, "poll.vote",
                R"({"poll":"fork","choice":[0],"n":1,"voter":")" + hex_u64(foreign) + "\"}"));
  stage.send("ann", vote(3, "nowhere", 0));
  stage.send("ann", ev(4, "chat.say", R"({"text":""})"));
  stage.run_ms(30);
  const Json ack = ann.last("ack");
  const auto& rejected = ack["rejected"].items();
  ASSERT_EQ(rejected.size(), 4u) << "one ack tells all";
  EXPECT_EQ(code_of(rejected[0]), number(Code::kForbidden));
  EXPECT_EQ(code_of(rejected[1]), number(Code::kForeignVoter));
  EXPECT_EQ(code_of(rejected[2]), number(Code::kPollUnknown));
  EXPECT_GE(code_of(rejected[3]), 4000);
}

TEST(EdgeEvents, ATokenThatGrantsCaptionsLetsAViewerSayThemUntilAFreshOneDoesNot) {
  Stage stage;
  stage.start();
  stage.open_fork();
  const auto say = [](uint64_t i) {
    return ev(i, "caption.say", R"({"text":"Ring it.","lang":"en"})");
  };
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", say(1));
  auto& cap = stage.open("cap");
  stage.send("cap", hello(rig::captioner_token("cap"), 2));
  stage.settle();
  stage.send("cap", say(1));
  stage.send("cap", ev(2, "poll.close", R"({"poll":"fork"})"));
  stage.run_ms(200);
  ASSERT_EQ(rejected_of(ann).size(), 1u);
  EXPECT_EQ(code_of(rejected_of(ann)[0]), number(Code::kForbidden));
  EXPECT_EQ(confirmed_of(cap), 1u);
  ASSERT_EQ(rejected_of(cap).size(), 1u);
  EXPECT_EQ(code_of(rejected_of(cap)[0]), number(Code::kForbidden));
  EXPECT_EQ(ann.last("delta")["p"].items()[0].items()[0].as_string(), "captions");

  stage.send("cap", R"({"t":"token","token":")" + token("cap", Role::kViewer) + "\"}");
  stage.send("cap", say(3));
  stage.run_ms(30);
  EXPECT_EQ(rejected_of(cap).size(), 2u);
}

TEST(EdgeEvents, CaptionsAreAsFastAsChatAtMost) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  for (uint64_t i = 2; i < 12; ++i) {
    stage.send("gil", ev(i, "caption.say", R"({"text":"Ring it.","lang":"en"})"));
  }
  stage.run_ms(200);
  ASSERT_EQ(rejected_of(gil).size(), 5u);
  EXPECT_EQ(code_of(rejected_of(gil)[0]), number(Code::kRateConnection));
  EXPECT_GT(rejected_of(gil)[0]["retry_after_ms"].as_int(), 0);
}

TEST(EdgeEvents, WhoVotesFasterThanPeopleDoIsToldWhenToComeBackAndFlagged) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  for (uint32_t n = 1; n <= 40; ++n) stage.send("ann", vote(n, "fork", 0, n));
  stage.run_ms(30);
  size_t refused = 0;
  for (const Json& ack : ann.of("ack")) {
    for (const Json& each : ack["rejected"].items()) {
      ++refused;
      EXPECT_GE(code_of(each), 4200);
      EXPECT_LT(code_of(each), 4300);
      EXPECT_GT(each["retry_after_ms"].as_int(), 0);
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_LT(refused, 40u);
  stage.run_ms(5'000);
  stage.send("ann", vote(41, "fork", 1, 41));
  stage.run_ms(30);
  std::vector<episode::Ballot> ballots;
  ASSERT_TRUE(episode::decode_ballots(stage.log.at(stage.log.size() - 1).payload, ballots));
  EXPECT_EQ(ballots.back().n, 41u);
  EXPECT_EQ(ballots.back().flags, 1);
}

TEST(EdgeEvents, EventsOfOneSessionKeepTheirOrderAcrossKinds) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 0, 1));
  stage.send("ann", ev(2, "chat.say", R"({"text":"hi"})"));
  stage.send("ann", vote(3, "fork", 1, 2));
  stage.clock.us += 3'000;
  stage.edges[0]->on_time();
  ASSERT_TRUE(std::holds_alternative<bus::Submit>(stage.bus.owner_box.front()));
  const auto& submit = std::get<bus::Submit>(stage.bus.owner_box.front());
  ASSERT_EQ(submit.ballots.size(), 2u);
  ASSERT_EQ(submit.commands.size(), 1u);
  EXPECT_EQ(submit.commands[0].ballots_before, 1u);
}

TEST(EdgeEvents, WhatTheCastDoesIsForwardedAtOnceAndTheAudienceWaitsTwoMilliseconds) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  EXPECT_EQ(stage.bus.owner_box.size(), 1u);
  stage.settle();
  stage.send("ann", vote(1, "fork", 0));
  EXPECT_TRUE(stage.bus.owner_box.empty());
  EXPECT_LE(stage.edges[0]->next_due_us(), stage.clock.us + 2'000);
}

TEST(EdgeEvents, WhatASessionSentIsForwardedBeforeItsLeaving) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 0));
  stage.hang_up("ann");
  ASSERT_GE(stage.bus.owner_box.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<bus::Submit>(stage.bus.owner_box[0]));
  EXPECT_TRUE(std::holds_alternative<bus::Leave>(stage.bus.owner_box[1]));
}

TEST(EdgeEvents, EventsSentRightAfterHelloAreAnsweredAfterTheWelcome) {
  for (const Role role : {Role::kViewer, Role::kPlayer}) {
    Stage stage;
    stage.start();
    stage.open_fork();
    auto& ann = stage.open("ann");
    stage.send("ann", hello(token("ann", role), 1));
    stage.send("ann", vote(1, "fork", 0));
    stage.send("ann", ev(2, "no.such"));
    stage.run_ms(60);
    ASSERT_GE(ann.frames.size(), 2u);
    EXPECT_EQ((*Json::parse(ann.frames[0]))["t"].as_string(), "welcome");
    EXPECT_EQ(confirmed_of(ann), 1u);
    EXPECT_EQ(rejected_of(ann).size(), 1u);
  }
}

TEST(EdgeEvents, EmotesOfAllEdgesAreSummedAndReachEveryone) {
  Stage stage(2);
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1, 0);
  auto& ben = stage.join("ben", Role::kViewer, 2, 1);
  stage.send("ann", ev(1, "emote", R"({"e":"heart","n":3})"));
  stage.send("ben", ev(1, "emote", R"({"e":"heart"})"));
  stage.send("ben", ev(2, "emote", R"({"e":"laugh"})"));
  stage.run_ms(250);
  for (auto* each : {&ann, &ben}) {
    int64_t hearts = 0;
    for (const Json& emotes : each->of("emotes")) hearts += emotes["c"]["heart"].as_int();
    EXPECT_EQ(hearts, 4);
    EXPECT_TRUE(each->of("ack").empty()) << "emotes are never acknowledged";
  }
}

TEST(EdgeEvents, AReactionIsSeenWithinItsBudget) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  for (int i = 1; i <= 20; ++i) {
    const size_t before = ann.of("emotes").size();
    stage.send("ann", ev(static_cast<uint64_t>(i), "emote", R"({"e":"heart"})"));
    stage.run_ms(220);
    EXPECT_GT(ann.of("emotes").size(), before);
    stage.run_ms(37 * i);
  }
}

TEST(EdgeEvents, AnUnknownEmoteIsAnError) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", ev(1, "emote", R"({"e":"boo"})"));
  EXPECT_EQ(code_of(ann.last("error")), number(Code::kEmoteUnknown));
}

TEST(EdgeAcks, CommandsAreToldOnceDurableAndVotesAtTheTick) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  EXPECT_EQ(gil.last("ack")["confirmed"].items().size(), 1u) << "no time passed";
  stage.send("ann", ev(1, "chat.say", R"({"text":"hi"})"));
  stage.run_ms(7);
  ASSERT_EQ(ann.of("ack").size(), 1u) << "waited for the batch of the log alone";
  stage.send("ann", vote(2, "fork", 0));
  stage.run_ms(37);
  ASSERT_EQ(ann.of("ack").size(), 2u);
  EXPECT_EQ(ann.last("ack")["confirmed"].items()[0]["hash"].as_string().size(), 32u);
}

TEST(EdgeAcks, ManyOutcomesOfASessionTravelInOneFrame) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  for (uint32_t n = 1; n <= 10; ++n) stage.send("ann", vote(n, "fork", 0, n));
  stage.run_ms(40);
  ASSERT_EQ(ann.of("ack").size(), 1u);
  EXPECT_EQ(ann.last("ack")["confirmed"].items().size(), 10u);
}

TEST(EdgeLoad, AThreadThatIsLateShedsTheLeastImportantFirstAndRecovers) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  for (int i = 0; i < 3; ++i) {
    stage.clock.us += 400 * kUsPerMs;  // nobody called on_time for so long
    stage.edges[0]->on_time();
  }
  stage.run_ms(200);
  EXPECT_EQ(ann.last("mode")["mode"].as_string(), "degraded");
  stage.send("ann", ev(1, "emote", R"({"e":"heart"})"));
  EXPECT_EQ(stage.edges[0]->metrics().shed, 1u);
  stage.run_ms(6'000);
  EXPECT_EQ(ann.last("mode")["mode"].as_string(), "live");
}

}  // namespace
}  // namespace footlight::edge
