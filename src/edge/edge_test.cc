#include "edge/edge.h"

#include "edge/internal/session.h"
#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::hello;
using rig::Stage;
using rig::token;
using rig::vote;

int64_t code_of(const Json& message) { return message["code"].as_int(); }
int64_t number(Code code) { return static_cast<int64_t>(code); }

TEST(EdgeJoin, AWelcomeHoldsTheViewOfTheRoleAndWhoOneIs) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  ASSERT_EQ(ann.frames.size(), 1u);
  const Json welcome = ann.last("welcome");
  EXPECT_EQ(welcome["edge"].as_string(), "edge-0");
  EXPECT_EQ(welcome["ep"].as_string(), "demo");
  EXPECT_EQ(welcome["role"].as_string(), "viewer");
  EXPECT_EQ(welcome["name"].as_string(), "ann");
  EXPECT_EQ(welcome["off"].as_int(), 1);
  EXPECT_FALSE(welcome["resumed"].as_bool());
  EXPECT_EQ(welcome["sid"].as_string().size(), 32u);
  EXPECT_EQ(welcome["view"]["episode"]["state"]["title"].as_string(), "The Bell");
  EXPECT_EQ(welcome["me"]["who"].as_string().size(), 16u);
  EXPECT_EQ(welcome["mode"]["mode"].as_string(), "live");
}

TEST(EdgeJoin, TheShellsSidIsUsed) {
  Stage stage;
  stage.start();
  auto& client = stage.clients["ann"];
  client.conn = 77;
  stage.edges[0]->on_open(77, {"192.0.2.7", true, "00112233445566778899aabbccddeeff"},
                          client.connection);
  stage.send("ann", hello(token("ann", Role::kViewer), 1));
  stage.settle();
  EXPECT_EQ(client.connection.last("welcome")["sid"].as_string(),
            "00112233445566778899aabbccddeeff");
}

struct BadHello {
  std::string frame;
  Code code;
};

TEST(EdgeJoin, ABadHelloIsRefusedWithItsCodeAndClosedWithIt) {
  const std::vector<BadHello> cases = {
      {hello("nonsense", 1), Code::kTokenMalformed},
      {hello(token("ann", Role::kViewer, 1'000'000'000), 1), Code::kTokenExpired},
      {hello(token("ann", Role::kViewer, 2'000'000'000, "other"), 1), Code::kEpisodeUnknown},
      {hello(token("ann", Role::kViewer) + "x", 1), Code::kTokenBadSignature},
      {R"({"t":"ping","c":1})", Code::kHelloExpected},
      {"garbage", Code::kBadFrame},
      {R"({"t":"hello","v":9})", Code::kUnknownVersion},
      {R"({"t":"what"})", Code::kUnknownType},
  };
  for (const BadHello& each : cases) {
    Stage stage;
    stage.start();
    auto& connection = stage.open("ann");
    stage.send("ann", each.frame);
    ASSERT_TRUE(connection.closed) << each.frame;
    const Json bye = connection.last("bye");
    EXPECT_EQ(code_of(bye), number(*connection.closed)) << each.frame;
    if (each.code == Code::kTokenBadSignature) {
      EXPECT_GE(code_of(bye), 4100);
      EXPECT_LT(code_of(bye), 4105);
    } else {
      EXPECT_EQ(code_of(bye), number(each.code)) << each.frame;
    }
    EXPECT_FALSE(bye["reconnect"].as_bool()) << each.frame;
  }
}

TEST(EdgeJoin, WithoutHelloAConnectionEndsAfterFiveSeconds) {
  Stage stage;
  stage.start();
  auto& connection = stage.open("ann");
  stage.run_ms(4'990);
  EXPECT_FALSE(connection.closed);
  stage.run_ms(200);
  EXPECT_EQ(connection.closed, Code::kHelloTimeout);
}

TEST(EdgeJoin, AFullServerAndADrainingOneSendNewConnectionsAwayWithAdvice) {
  Stage stage;
  stage.edge_options.max_sessions = 1;
  stage.start();
  stage.join("ann", Role::kViewer, 1);
  auto& second = stage.open("ben");
  EXPECT_EQ(second.closed, Code::kServerFull);
  EXPECT_TRUE(second.last("bye")["reconnect"].as_bool());
  stage.edges[0]->drain();
  auto& third = stage.open("cat");
  EXPECT_EQ(third.closed, Code::kDraining);
}

TEST(EdgeJoin, AnOwnerThatDoesNotAnswerCostsTenSecondsNotForEver) {
  Stage stage;
  stage.start();
  auto& ann = stage.open("ann");
  stage.send("ann", hello(token("ann", Role::kViewer), 1));
  stage.bus.owner_box.clear();  // the owner never hears of it
  for (int i = 0; i < 105; ++i) {
    stage.clock.us += 100 * kUsPerMs;
    stage.edges[0]->on_time();
  }
  EXPECT_EQ(ann.closed, Code::kInternal);
  EXPECT_TRUE(ann.last("bye")["reconnect"].as_bool());
}

TEST(EdgeSession, PingGivesBackTheNumberAndTheServersTime) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", R"({"t":"ping","c":123456})");
  const Json pong = ann.last("pong");
  EXPECT_EQ(pong["c"].as_int(), 123456);
  EXPECT_EQ(pong["s"].as_int(), stage.clock.wall_ms());
}

TEST(EdgeSession, SilenceFor45SecondsEndsIt) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  auto& ben = stage.join("ben", Role::kViewer, 2);
  for (int i = 0; i < 6; ++i) {
    stage.run_ms(10'000);
    stage.send("ben", R"({"t":"ping","c":1})");
  }
  EXPECT_EQ(ann.closed, Code::kIdle);
  EXPECT_FALSE(ben.closed);
}

TEST(EdgeSession, AnExpiredTokenEndsItUnlessItWasRefreshed) {
  Stage stage;
  stage.start();
  const int64_t now_s = stage.clock.wall_ms() / 1000;
  auto& ann = stage.open("ann");
  stage.send("ann", hello(token("ann", Role::kViewer, now_s + 5), 1));
  auto& ben = stage.open("ben");
  stage.send("ben", hello(token("ben", Role::kViewer, now_s + 5), 2));
  stage.settle();
  stage.send("ben", R"({"t":"token","token":")" + token("ben", Role::kViewer, now_s + 500) + "\"}");
  for (int i = 0; i < 4; ++i) {
    stage.run_ms(9'000);
    if (!ann.closed) stage.send("ann", R"({"t":"ping","c":1})");
    stage.send("ben", R"({"t":"ping","c":1})");
  }
  EXPECT_EQ(ann.closed, Code::kTokenExpired);
  EXPECT_TRUE(ann.last("bye")["reconnect"].as_bool());
  EXPECT_FALSE(ben.closed);
  EXPECT_TRUE(ben.of("error").empty());
}

TEST(EdgeSession, ARefreshedTokenMustKeepAccountEpisodeAndRole) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", R"({"t":"token","token":")" + token("ben", Role::kViewer) + "\"}");
  EXPECT_EQ(code_of(ann.last("error")), number(Code::kTokenChanged));
  stage.send("ann", R"({"t":"token","token":")" + token("ann", Role::kGm) + "\"}");
  EXPECT_EQ(ann.of("error").size(), 2u);
  EXPECT_FALSE(ann.closed);
}

TEST(EdgeSession, TheSameClientAgainReplacesTheFirst) {
  Stage stage(2);
  stage.start();
  auto& first = stage.join("ann", Role::kViewer, 7, 0);
  auto& second = stage.join("ann/2", Role::kViewer, 7, 1);
  EXPECT_EQ(first.closed, Code::kSessionReplaced);
  EXPECT_FALSE(first.last("bye")["reconnect"].as_bool());
  EXPECT_FALSE(second.closed);
  auto& other_client = stage.join("ann/3", Role::kViewer, 8, 0);
  EXPECT_FALSE(second.closed) << "another client of the same account is not the same client";
  EXPECT_FALSE(other_client.closed);
}

TEST(EdgeSession, BadInputCostsAnErrorAndTheSessionGoesOn) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", R"({"t":"what"})");
  EXPECT_EQ(code_of(ann.last("error")), number(Code::kUnknownType));
  stage.send("ann", ev(1, "no.such"));
  stage.run_ms(30);
  const Json ack = ann.last("ack");
  ASSERT_EQ(ack["rejected"].items().size(), 1u);
  EXPECT_EQ(code_of(ack["rejected"].items()[0]), number(Code::kUnknownCommand));
  EXPECT_FALSE(ann.closed);
  stage.send("ann", "{");
  EXPECT_EQ(ann.closed, Code::kBadFrame) << "what is no JSON leaves the stream in doubt";
}

TEST(EdgeSession, AFaultOfTheTransportEndsItWithItsCode) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.edges[0]->on_fault(stage.clients["ann"].conn, Code::kFrameTooLarge);
  EXPECT_EQ(ann.closed, Code::kFrameTooLarge);
}

TEST(EdgeSession, GarbageWithoutEndGetsTheConnectionCut) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  for (int i = 0; i < 5'000 && !ann.closed; ++i) stage.send("ann", R"({"t":"what"})");
  ASSERT_TRUE(ann.closed);
  EXPECT_LT(ann.of("error").size(), 100u) << "an answer to each would be work for an attacker";
}

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
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.open("ann");
  stage.send("ann", hello(token("ann", Role::kViewer), 1));
  stage.send("ann", vote(1, "fork", 0));
  stage.send("ann", ev(2, "no.such"));
  stage.run_ms(60);
  ASSERT_GE(ann.frames.size(), 2u);
  EXPECT_EQ((*Json::parse(ann.frames[0]))["t"].as_string(), "welcome");
  size_t confirmed = 0;
  size_t rejected = 0;
  for (const Json& ack : ann.of("ack")) {
    confirmed += ack["confirmed"].items().size();
    rejected += ack["rejected"].items().size();
  }
  EXPECT_EQ(confirmed, 1u);
  EXPECT_EQ(rejected, 1u);
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

TEST(EdgeAcks, TheCastIsAnsweredAtOnceTheAudienceAtTheTick) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  EXPECT_EQ(gil.last("ack")["confirmed"].items().size(), 1u) << "no time passed";
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(7);
  EXPECT_TRUE(ann.of("ack").empty());
  stage.run_ms(30);
  ASSERT_EQ(ann.of("ack").size(), 1u);
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

TEST(EdgeFanout, ADeltaIsWrittenFromTheSameBytesToAllAndOncePerConnection) {
  Stage stage;
  stage.start();
  stage.open_fork();
  std::vector<rig::TestConnection*> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(&stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i)));
  }
  const std::vector<size_t> before = [&] {
    std::vector<size_t> out;
    for (auto* each : all) out.push_back(each->writes);
    return out;
  }();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle();
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]->writes, before[i] + 1);
    EXPECT_EQ(all[i]->frames.back(), all[0]->frames.back());
  }
}

TEST(EdgeFanout, ASlowConsumerIsToldAndCutAndTheOthersDoNotNotice) {
  Stage stage;
  stage.edge_options.queue_bytes = 4'000;
  stage.start();
  stage.open_fork();
  auto& slow = stage.join("slow", Role::kViewer, 1);
  auto& fine = stage.join("fine", Role::kViewer, 2);
  slow.room = 10;
  const std::string text(400, 'x');
  uint64_t i = 2;
  for (; i < 40 && !slow.closed && stage.edges[0]->metrics().slow_consumers == 0; ++i) {
    stage.send("gil", ev(i, "chat.say", R"({"text":")" + text + "\"}"));
    stage.run_ms(1'000);
  }
  EXPECT_EQ(stage.edges[0]->metrics().slow_consumers, 1u);
  EXPECT_LE(stage.edges[0]->metrics().queue_bytes, 6'000u);
  EXPECT_EQ(fine.of("delta").size(), i - 2);
  // It reads again: the frame that was begun, then bye.
  if (!slow.closed) {
    slow.room = SIZE_MAX;
    stage.edges[0]->on_writable(stage.clients["slow"].conn);
  }
  EXPECT_EQ(slow.closed, Code::kSlowConsumer);
}

TEST(EdgeFanout, ASlowConsumerThatNeverReadsAgainIsCutAfterTheLinger) {
  Stage stage;
  stage.edge_options.queue_bytes = 2'000;
  stage.start();
  stage.open_fork();
  auto& slow = stage.join("slow", Role::kViewer, 1);
  slow.room = 0;
  const std::string text(400, 'x');
  for (uint64_t i = 2; i < 30 && stage.edges[0]->metrics().slow_consumers == 0; ++i) {
    stage.send("gil", ev(i, "chat.say", R"({"text":")" + text + "\"}"));
    stage.run_ms(1'000);
  }
  EXPECT_FALSE(slow.closed);
  stage.run_ms(2'200);
  EXPECT_EQ(slow.closed, Code::kSlowConsumer);
  EXPECT_EQ(stage.edges[0]->metrics().queue_bytes, 0u);
}

TEST(EdgeFanout, WhoWasCutResumesWithoutAGap) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  const Json welcome = ann.last("welcome");
  stage.hang_up("ann");
  stage.settle();
  for (uint64_t i = 2; i < 5; ++i) {
    stage.send("gil", ev(i, "chat.say", R"({"text":"one"})"));
    stage.run_ms(1'100);
  }
  const proto::Resume resume{static_cast<uint64_t>(welcome["epoch"].as_int()),
                             static_cast<uint64_t>(welcome["off"].as_int())};
  auto& again = stage.join("ann", Role::kViewer, 1, 0, resume);
  const Json second = again.last("welcome");
  EXPECT_TRUE(second["resumed"].as_bool());
  EXPECT_EQ(second["view"].type(), JsonType::kNull);
  size_t chats = 0;
  int64_t last = 0;
  for (const Json& delta : again.of("delta")) {
    EXPECT_GE(delta["off"].as_int(), last);
    last = delta["off"].as_int();
    for (const Json& patch : delta["p"].items()) chats += patch.items()[0].as_string() == "chat";
  }
  EXPECT_EQ(chats, 3u);
}

TEST(EdgeFanout, ATallyThatWaitsIsOverwrittenByTheNewer) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& slow = stage.join("slow", Role::kViewer, 1);
  for (int i = 0; i < 5; ++i) stage.join("v" + std::to_string(i), Role::kViewer, 10u + i);
  const size_t tallies = slow.of("tally").size();
  slow.room = 0;
  for (int i = 0; i < 5; ++i) {
    stage.send("v" + std::to_string(i), vote(1, "fork", 0));
    stage.run_ms(300);
  }
  slow.room = SIZE_MAX;
  stage.edges[0]->on_writable(stage.clients["slow"].conn);
  const auto after = slow.of("tally");
  ASSERT_EQ(after.size(), tallies + 1);
  EXPECT_EQ(after.back()["counts"].items()[0].as_int(), 5);
}

TEST(EdgeFanout, FramesAreNeverMixedHoweverLittleTheTransportTakes) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  Prng prng(5);
  uint64_t i = 2;
  for (int step = 0; step < 400; ++step) {
    ann.room = prng.below(200);
    stage.edges[0]->on_writable(stage.clients["ann"].conn);
    if (step % 10 == 0) stage.send("gil", ev(i++, "chat.say", R"({"text":"words"})"));
    stage.run_ms(100);
    if (step % 50 == 0) stage.send("ann", R"({"t":"ping","c":1})");
    ASSERT_FALSE(ann.closed);
  }
  ann.room = SIZE_MAX;
  stage.edges[0]->on_writable(stage.clients["ann"].conn);
  EXPECT_EQ(ann.of("delta").size(), ann.frames.size() - ann.of("welcome").size() -
                                        ann.of("tally").size() - ann.of("pong").size() -
                                        ann.of("presence").size());
  EXPECT_EQ(stage.edges[0]->metrics().queued_connections, 0u);
  EXPECT_EQ(stage.edges[0]->metrics().queue_bytes, 0u);
}

TEST(EdgeDrain, EveryoneIsToldWithAdviceThatSpreadsThemAndNobodyIsLeft) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  auto& mute = stage.open("mute");
  stage.edges[0]->drain();
  EXPECT_EQ(ann.closed, Code::kDraining);
  EXPECT_EQ(mute.closed, Code::kDraining);
  const Json bye = ann.last("bye");
  EXPECT_TRUE(bye["reconnect"].as_bool());
  EXPECT_EQ(bye["after_ms"].items()[0].as_int(), 0);
  EXPECT_EQ(bye["after_ms"].items()[1].as_int(), 5'000);
  EXPECT_FALSE(stage.edges[0]->drained());
  stage.settle();
  EXPECT_TRUE(stage.edges[0]->drained());
}

TEST(EdgeDrain, OutcomesThatAreKnownAreToldBeforeTheBye) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(8);
  ASSERT_TRUE(ann.of("ack").empty());
  stage.edges[0]->drain();
  EXPECT_EQ(ann.of("ack").size(), 1u);
  EXPECT_EQ(ann.closed, Code::kDraining);
}

TEST(EdgeMemory, AnIdleSessionHoldsLessThanAThirdOfAKilobyteAndNoQueue) {
  // Twice for the growth of the tables; the wheel holds one entry, the index two.
  EXPECT_LT(2 * (sizeof(Session) + sizeof(LiveEntry)), 700u);
  Stage stage;
  stage.start();
  for (int i = 0; i < 100; ++i) {
    stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i));
  }
  EXPECT_EQ(stage.edges[0]->metrics().queued_connections, 0u);
  EXPECT_EQ(stage.edges[0]->metrics().sessions, 100u);
}

TEST(EdgeLoad, AThreadThatIsLateShedsTheLeastImportantFirstAndRecovers) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.clock.us += 300 * kUsPerMs;  // nobody called on_time for so long
  stage.edges[0]->on_time();
  stage.run_ms(200);
  EXPECT_EQ(ann.last("mode")["mode"].as_string(), "degraded");
  stage.send("ann", ev(1, "emote", R"({"e":"heart"})"));
  EXPECT_EQ(stage.edges[0]->metrics().shed, 1u);
  stage.run_ms(6'000);
  EXPECT_EQ(ann.last("mode")["mode"].as_string(), "live");
}

}  // namespace
}  // namespace footlight::edge
