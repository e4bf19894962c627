#include "edge/owner.h"

#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::confirmed_of;
using rig::ev;
using rig::number;
using rig::rejected_of;
using rig::Stage;
using rig::vote;

TEST(OwnerHalt, AFailedAppendRejectsWhatWasAcceptedAndEverythingAfter) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(10, false);
  stage.log_port.fail(*stage.owner, Code::kDiskFull);
  stage.run_ms(40, false);
  EXPECT_EQ(gil.last("mode")["mode"].as_string(), "halted");
  EXPECT_EQ(gil.last("mode")["code"].as_int(), number(Code::kDiskFull));
  EXPECT_EQ(ann.last("mode")["mode"].as_string(), "halted");
  ASSERT_EQ(rejected_of(gil).size(), 1u);
  EXPECT_EQ(rejected_of(gil)[0]["code"].as_int(), number(Code::kDiskFull));
  EXPECT_GT(rejected_of(gil)[0]["retry_after_ms"].as_int(), 0) << "the client keeps it";
  ASSERT_EQ(rejected_of(ann).size(), 1u);
  EXPECT_EQ(gil.last("delta")["off"].as_int(), 4) << "of the poll's opening, not of the scene";

  const int appends = stage.log_port.appends;
  stage.send("gil", ev(3, "scene.go", R"({"scene":"gate"})"));
  stage.send("ann", vote(2, "fork", 1, 2));
  stage.run_ms(40, false);
  EXPECT_EQ(stage.log_port.appends, appends) << "the log is never tried again";
  EXPECT_EQ(rejected_of(gil).size(), 2u);
  EXPECT_EQ(rejected_of(ann).size(), 2u);
  EXPECT_TRUE(stage.owner->halted());
}

TEST(OwnerHalt, WhoJoinsAHaltedEpisodeSeesTheLastDurableView) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  auto& waiting = stage.open("wes");
  stage.send("wes", rig::hello(rig::token("wes", Role::kViewer), 9));
  stage.settle(false);
  stage.log_port.fail(*stage.owner, Code::kLogHalted);
  stage.settle(false);
  auto& later = stage.join("ann", Role::kViewer, 1);
  for (const auto* each : {&waiting, &later}) {
    const Json welcome = each->last("welcome");
    EXPECT_EQ(welcome["view"]["episode"]["state"]["scene"].as_string(), "gate");
    EXPECT_EQ(welcome["off"].as_int(), 4);
  }
  EXPECT_EQ(later.last("welcome")["mode"]["mode"].as_string(), "halted");
}

TEST(OwnerHalt, AnEdgeThatNobodyUsedMeanwhileWelcomesIntoAHaltedEpisodeToo) {
  Stage stage(2);
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1, 1);
  stage.hang_up("ann");
  stage.settle();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  stage.log_port.fail(*stage.owner, Code::kLogHalted);
  stage.settle(false);
  auto& ann = stage.join("ann", Role::kViewer, 1, 1);
  EXPECT_EQ(ann.last("welcome")["mode"]["mode"].as_string(), "halted");
}

TEST(OwnerHalt, WhatReachedTheDiskInTheFailedAppendIsConfirmedAfterTheRestart) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  ASSERT_TRUE(stage.log.append(stage.log_port.batch()));  // it did, only the answer was lost
  stage.log_port.fail(*stage.owner, Code::kLogHalted);
  stage.settle(false);
  stage.log.reopen();
  stage.start_owner();
  auto& gil = stage.join("gil", Role::kGm, 101);
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle();
  ASSERT_EQ(gil.last("ack")["confirmed"].items().size(), 1u);
  EXPECT_EQ(gil.last("ack")["confirmed"].items()[0]["log"].as_int(), 5);
}

TEST(OwnerHalt, AWebhookSaysSo) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  stage.log_port.fail(*stage.owner, Code::kLogFenced);
  ASSERT_FALSE(stage.webhooks.events.empty());
  EXPECT_EQ(stage.webhooks.events.back().type, "log.halted");
  EXPECT_EQ(stage.webhooks.events.back().data, R"({"code":4606})");
}

TEST(OwnerOverload, BeyondTheBoundEventsAreRefusedBeforeTheyAreAcceptedAndTheEdgesShed) {
  Stage stage;
  stage.owner_options.pending_max = 20;
  stage.edge_options.admission.exempt_loopback = true;
  stage.start();
  auto& gil = stage.open_fork();
  std::vector<rig::TestConnection*> voters;
  for (int i = 0; i < 40; ++i) {
    voters.push_back(
        &stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i + 1)));
  }
  for (int i = 0; i < 40; ++i) stage.send("v" + std::to_string(i), vote(1, "fork", 0));
  stage.run_ms(40, false);
  size_t overloaded = 0;
  for (const auto* each : voters) {
    for (const Json& rejected : rejected_of(*each)) {
      EXPECT_EQ(rejected["code"].as_int(), number(Code::kOverloaded));
      EXPECT_GT(rejected["retry_after_ms"].as_int(), 0);
      ++overloaded;
    }
  }
  EXPECT_EQ(overloaded, 20u);
  EXPECT_EQ(gil.last("mode")["mode"].as_string(), "degraded");
  stage.run_ms(150, false);
  const uint64_t shed = stage.edges[0]->metrics().shed;
  stage.send("v0", ev(2, "emote", R"({"e":"heart"})"));
  EXPECT_EQ(stage.edges[0]->metrics().shed, shed + 1) << "emotes go first";
  stage.run_ms(5'000);
  EXPECT_EQ(gil.last("mode")["mode"].as_string(), "live");
  size_t confirmed = 0;
  for (const auto* each : voters) confirmed += confirmed_of(*each);
  EXPECT_EQ(confirmed, 20u);
}

TEST(OwnerEdges, ASessionThatTheOwnerDoesNotKnowIsSentBackToJoin) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.log.reopen();
  stage.start_owner();  // the edge outlived its owner
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(10);
  EXPECT_EQ(ann.closed, Code::kUnknownSession);
  EXPECT_TRUE(ann.last("bye")["reconnect"].as_bool());
}

TEST(OwnerEdges, WhoOnlyWatchesAtAnEdgeThatWasTakenForDeadIsSentBackToJoinWhenItIsHeardAgain) {
  Stage stage(2);
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1, 1);
  for (int i = 0; i < 12'000; ++i) {
    stage.clock.us += kUsPerMs;
    stage.edges[0]->on_time();  // edge 1 hangs
    if (stage.owner->next_due_us() <= stage.clock.us) stage.owner->on_time();
    stage.settle();
  }
  EXPECT_FALSE(ann.closed);
  stage.run_ms(2'000);
  EXPECT_EQ(ann.closed, Code::kUnknownSession);
  EXPECT_FALSE(gil.closed);
}

TEST(OwnerEdges, AMachineThatStoodStillLosesNobody) {
  Stage stage(2);
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1, 1);
  stage.run_ms(100);
  stage.clock.us += 30 * kUsPerSecond;
  stage.owner->on_time();  // before any edge
  stage.run_ms(3'000);
  EXPECT_FALSE(ann.closed);
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  const size_t before = ann.of("delta").size();
  stage.run_ms(1'000);
  EXPECT_FALSE(gil.closed);
  EXPECT_GT(ann.of("delta").size(), before) << "she is told of what happens";
  EXPECT_EQ(stage.owner->metrics().fenced_edges, 0u);
}

TEST(OwnerEdges, AnEdgeThatDiedLeavesNobodyOnline) {
  Stage stage(2);
  stage.start();
  stage.open_fork();
  stage.join("pat", Role::kPlayer, 5, 1);
  stage.join("ann", Role::kViewer, 1, 1);
  for (int i = 0; i < 13'000; ++i) {
    stage.clock.us += kUsPerMs;
    stage.edges[0]->on_time();
    if (stage.owner->next_due_us() <= stage.clock.us) stage.owner->on_time();
    stage.settle();
  }
  EXPECT_EQ(stage.owner->metrics().sessions, 2u);
}

}  // namespace
}  // namespace footlight::edge
