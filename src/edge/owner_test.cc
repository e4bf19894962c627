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

TEST(OwnerRelease, NothingOfABatchIsSeenBeforeItIsDurable) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  const size_t gil_frames = gil.frames.size();
  const size_t ann_frames = ann.frames.size();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  stage.run_ms(10, false);
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(300, false);
  ASSERT_TRUE(stage.log_port.in_flight());
  for (const auto* each : {&gil, &ann}) {
    const auto from = each == &gil ? gil_frames : ann_frames;
    for (size_t i = from; i < each->frames.size(); ++i) {
      const Json frame = *Json::parse(each->frames[i]);
      const std::string& t = frame["t"].as_string();
      EXPECT_NE(t, "delta");
      EXPECT_NE(t, "tally");
      EXPECT_TRUE(frame["confirmed"].items().empty());
    }
  }
  stage.run_ms(150);
  EXPECT_EQ(gil.last("delta")["off"].as_int(), 5);
  EXPECT_EQ(ann.last("tally")["counts"].items()[0].as_int(), 1);
  EXPECT_EQ(confirmed_of(ann), 1u);
}

TEST(OwnerRelease, AWelcomeDuringAnAppendWaitsForItAndShowsWhatItMade) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  auto& ann = stage.open("ann");
  stage.send("ann", rig::hello(rig::token("ann", Role::kViewer), 1));
  stage.settle(false);
  EXPECT_TRUE(ann.frames.empty());
  stage.settle();
  const Json welcome = ann.last("welcome");
  EXPECT_EQ(welcome["off"].as_int(), 5);
  EXPECT_EQ(welcome["view"]["episode"]["state"]["scene"].as_string(), "crypt");
}

TEST(OwnerRelease, MeOfAWelcomeHoldsOnlyDurableBallots) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 1));
  stage.run_ms(10, false);
  ASSERT_TRUE(stage.log_port.in_flight());
  auto& other = stage.open("ann/2");
  stage.send("ann/2", rig::hello(rig::token("ann", Role::kViewer), 2));
  stage.settle(false);
  EXPECT_TRUE(other.frames.empty());
  stage.settle();
  const Json me = other.last("welcome")["me"];
  EXPECT_EQ(me["ballots"]["fork"]["choice"].items()[0].as_int(), 1);
  EXPECT_GT(me["ballots"]["fork"]["log"].as_int(), 0);
}

TEST(OwnerRelease, AWelcomeThatRidesWithACollectingBatchShowsAllOfIt) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 0, 1));
  stage.run_ms(2, false);
  ASSERT_FALSE(stage.log_port.in_flight()) << "it waits for company";
  auto& other = stage.open("ann/2");
  stage.send("ann/2", rig::hello(rig::token("ann", Role::kViewer), 2));
  stage.settle(false);
  EXPECT_TRUE(other.frames.empty());
  stage.send("ann", vote(2, "fork", 1, 2));
  stage.run_ms(10);
  const Json me = other.last("welcome")["me"];
  EXPECT_EQ(me["ballots"]["fork"]["n"].as_int(), 2);
  EXPECT_EQ(other.last("welcome")["off"].as_int(), me["ballots"]["fork"]["log"].as_int());
}

TEST(OwnerRelease, TheReceiptOfABallotIsFoundInTheLog) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 1));
  stage.run_ms(40);
  const Json confirmed = ann.last("ack")["confirmed"].items()[0];
  const auto& record = stage.log.at(static_cast<size_t>(confirmed["log"].as_int()) - 1);
  std::vector<episode::Ballot> ballots;
  ASSERT_TRUE(episode::decode_ballots(record.payload, ballots));
  EXPECT_EQ(to_hex(episode::ballot_receipt(ballots[0], "fork")), confirmed["hash"].as_string());
}

TEST(OwnerRelease, TheCausesOfADeltaAreNamed) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle();
  const Json cause = gil.last("delta")["cause"];
  EXPECT_EQ(cause["cid"].as_string(), hex_u64(101));
  EXPECT_EQ(cause["i"].as_int(), 2);
}

TEST(OwnerBatch, WhatComesDuringAnAppendGoesIntoOneNextBatch) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.send("gil", ev(2, "chat.say", R"({"text":"one"})"));
  stage.settle(false);
  const int appends = stage.log_port.appends;
  for (uint64_t i = 3; i < 8; ++i) stage.send("gil", ev(i, "scene.go", R"({"scene":"gate"})"));
  stage.settle(false);
  EXPECT_EQ(stage.log_port.appends, appends);
  stage.log_port.complete(*stage.owner);
  EXPECT_EQ(stage.log_port.appends, appends + 1);
  EXPECT_EQ(stage.log_port.batch().size(), 5u);
}

TEST(OwnerBatch, BallotsAloneWaitAtMostFiveMillisecondsForCompany) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.join("ben", Role::kViewer, 2);
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(2, false);
  EXPECT_FALSE(stage.log_port.in_flight());
  stage.send("ben", vote(1, "fork", 1));
  stage.run_ms(5, false);
  ASSERT_TRUE(stage.log_port.in_flight());
  ASSERT_EQ(stage.log_port.batch().size(), 1u) << "one block holds both";
  std::vector<episode::Ballot> ballots;
  ASSERT_TRUE(episode::decode_ballots(stage.log_port.batch()[0].payload, ballots));
  EXPECT_EQ(ballots.size(), 2u);
}

TEST(OwnerBatch, BallotsAndEventsStandInTheLogInTheOrderTheyWereDecided) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 0, 1));
  stage.send("ann", ev(2, "chat.say", R"({"text":"hi"})"));
  stage.send("ann", vote(3, "fork", 1, 2));
  stage.run_ms(8, false);
  ASSERT_TRUE(stage.log_port.in_flight());
  const auto& batch = stage.log_port.batch();
  ASSERT_EQ(batch.size(), 3u);
  EXPECT_EQ(batch[0].kind, log::RecordKind::kBallots);
  EXPECT_EQ(batch[1].kind, log::RecordKind::kEvent);
  EXPECT_EQ(batch[2].kind, log::RecordKind::kBallots);
}

TEST(OwnerBatch, ReplayingTheLogGivesTheStateOfTheOwner) {
  Stage stage;
  stage.owner_options.snapshot_every = 40;
  stage.start();
  stage.open_fork();
  Prng prng(3);
  for (int i = 0; i < 12; ++i) {
    stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i + 1));
  }
  for (uint32_t n = 1; n <= 12; ++n) {
    for (int i = 0; i < 12; ++i) {
      if (prng.below(3) == 0) continue;
      stage.send("v" + std::to_string(i), vote(n, "fork", static_cast<int>(prng.below(2)), n));
    }
    stage.send("gil", ev(n + 1, "char.hp", R"({"char":"aria","delta":-1})"));
    stage.run_ms(400);
  }
  ASSERT_GT(stage.owner->metrics().snapshots, 0u);
  const Hash256 live = stage.owner->state().hash();
  stage.log.reopen();
  RecoverOptions options;
  options.episode = rig::kEpisode;
  options.entropy = &stage.entropy;
  auto recovered = recover(stage.log, options);
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_GT(recovered->snapshot_seq, 0u);
  EXPECT_EQ(recovered->state.hash(), live);
}

TEST(OwnerDedup, AnEventSentAgainIsAnsweredAsTheFirstTimeAndChangesNothing) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-3})"));
  stage.send("ann", vote(1, "fork", 1));
  stage.run_ms(40);
  const Json first_command = gil.last("ack")["confirmed"].items()[0];
  const Json first_ballot = ann.last("ack")["confirmed"].items()[0];
  const size_t size = stage.log.size();
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-3})"));
  stage.send("ann", vote(1, "fork", 1));
  stage.run_ms(40);
  EXPECT_EQ(stage.log.size(), size);
  EXPECT_EQ(gil.last("ack")["confirmed"].items()[0].dump(), first_command.dump());
  EXPECT_EQ(ann.last("ack")["confirmed"].items()[0].dump(), first_ballot.dump());
}

TEST(OwnerDedup, AnEventSentAgainWhileTheFirstIsOnItsWayIsConfirmedWithIt) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-3})"));
  stage.settle(false);
  const size_t before = confirmed_of(gil);
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-3})"));
  stage.settle(false);
  EXPECT_EQ(confirmed_of(gil), before);
  stage.settle();
  EXPECT_EQ(confirmed_of(gil), before + 2) << "once for each sending";
}

TEST(OwnerDedup, AnotherBodyUnderAUsedIdIsRefused) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-3})"));
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-4})"));
  stage.settle();
  ASSERT_EQ(rejected_of(gil).size(), 1u);
  EXPECT_EQ(rejected_of(gil)[0]["code"].as_int(), number(Code::kEventIdReused));
}

TEST(OwnerDedup, ADedupedEventSurvivesARestart) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-3})"));
  stage.settle();
  const Json first = gil.last("ack")["confirmed"].items()[0];
  stage.log.reopen();
  stage.start_owner();
  auto& again = stage.join("gil", Role::kGm, 101);
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-3})"));
  stage.settle();
  EXPECT_EQ(again.last("ack")["confirmed"].items()[0]["log"].as_int(), first["log"].as_int());
  EXPECT_EQ(again.last("welcome")["me"]["last_i"].as_int(), 2);
}

TEST(OwnerAccepted, IsToldOnlyWhenTheLogIsSlowAndOnce) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  for (const Json& ack : gil.of("ack")) EXPECT_TRUE(ack["accepted"].items().empty());
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle(false);
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(200, false);
  size_t accepted = 0;
  for (const Json& ack : gil.of("ack")) accepted += ack["accepted"].items().size();
  EXPECT_EQ(accepted, 1u);
  accepted = 0;
  for (const Json& ack : ann.of("ack")) accepted += ack["accepted"].items().size();
  EXPECT_EQ(accepted, 1u) << "also what waits behind the append";
  stage.run_ms(60);
  EXPECT_EQ(confirmed_of(ann), 1u);
}

TEST(OwnerDrain, TellsTheModeAndGoesOn) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  stage.owner->drain();
  stage.settle();
  EXPECT_EQ(gil.last("mode")["mode"].as_string(), "draining");
  stage.send("gil", ev(2, "char.hp", R"({"char":"aria","delta":-1})"));
  stage.settle();
  EXPECT_EQ(gil.last("ack")["confirmed"].items().size(), 1u);
  EXPECT_TRUE(stage.owner->idle());
}

}  // namespace
}  // namespace footlight::edge
