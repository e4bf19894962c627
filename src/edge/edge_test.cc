#include "edge/edge.h"

#include "edge/internal/session.h"
#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::code_of;
using rig::ev;
using rig::hello;
using rig::number;
using rig::Stage;
using rig::token;

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
  EXPECT_TRUE(ack["rejected"].items()[0]["message"].as_string().ends_with("(k)"));
  EXPECT_FALSE(ann.closed);
  stage.send("ann", "{");
  EXPECT_EQ(ann.closed, Code::kBadFrame) << "what is no JSON leaves the stream in doubt";
}

TEST(EdgeSession, HelloSaidAgainIsToldSoAndChangesNothing) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", hello(token("bob", Role::kPlayer), 2));
  stage.run_ms(30);
  EXPECT_EQ(code_of(ann.last("error")), number(Code::kHelloAgain));
  EXPECT_EQ(ann.of("welcome").size(), 1u);
  stage.send("ann", R"({"t":"ping","c":1})");
  EXPECT_EQ(ann.last("pong")["c"].as_int(), 1) << "the session goes on";
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

}  // namespace
}  // namespace footlight::edge
