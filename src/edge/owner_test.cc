#include "edge/owner.h"

#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::Stage;
using rig::vote;

int64_t number(Code code) { return static_cast<int64_t>(code); }

size_t confirmed_of(const rig::TestConnection& connection) {
  size_t out = 0;
  for (const Json& ack : connection.of("ack")) out += ack["confirmed"].items().size();
  return out;
}

std::vector<Json> rejected_of(const rig::TestConnection& connection) {
  std::vector<Json> out;
  for (const Json& ack : connection.of("ack")) {
    for (const Json& each : ack["rejected"].items()) out.push_back(each);
  }
  return out;
}

// Nothing that came of an event is seen before the log says that it is durable.
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
  stage.run_ms(200);
  EXPECT_EQ(gil.last("mode")["mode"].as_string(), "live");
  size_t confirmed = 0;
  for (const auto* each : voters) confirmed += confirmed_of(*each);
  EXPECT_EQ(confirmed, 20u);
}

TEST(OwnerTally, IsAbsoluteAndComesAtTheTick) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  for (int i = 0; i < 5; ++i) {
    stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i + 1));
  }
  stage.run_ms(500);
  const size_t before = gil.of("tally").size();
  for (uint32_t n = 1; n <= 10; ++n) {
    for (int i = 0; i < 5; ++i) stage.send("v" + std::to_string(i), vote(n, "fork", 0, n));
    stage.run_ms(50);
  }
  stage.run_ms(200);
  const auto tallies = gil.of("tally");
  EXPECT_GE(tallies.size() - before, 5u);
  EXPECT_LE(tallies.size() - before, 7u) << "10 Hz for half a second, and what was left";
  EXPECT_EQ(tallies.back()["counts"].items()[0].as_int(), 5);
  EXPECT_EQ(tallies.back()["voters"].as_int(), 5);
  EXPECT_EQ(static_cast<uint64_t>(tallies.back()["log"].as_int()), stage.log.head().seq);
  int64_t last = -1;
  for (const Json& tally : tallies) {
    EXPECT_GT(tally["ver"].as_int(), last);
    last = tally["ver"].as_int();
  }
}

TEST(OwnerTally, AHiddenOneIsForTheDirectorsUntilThePollIsClosed) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("gil", ev(2, "poll.open", R"({"poll":"hush"})"));
  stage.settle();
  stage.send("ann", vote(1, "hush", 1));
  stage.run_ms(300);
  const auto of_hush = [](const rig::TestConnection& connection) {
    size_t out = 0;
    for (const Json& tally : connection.of("tally")) out += tally["poll"].as_string() == "hush";
    return out;
  };
  EXPECT_GT(of_hush(gil), 0u);
  EXPECT_EQ(of_hush(ann), 0u);
  stage.send("gil", ev(3, "poll.close", R"({"poll":"hush"})"));
  stage.run_ms(500);
  EXPECT_GT(of_hush(ann), 0u);
  EXPECT_TRUE(ann.last("tally")["final"].as_bool());
  EXPECT_EQ(ann.last("tally")["counts"].items()[1].as_int(), 1);
}

TEST(OwnerTally, WhoJoinsGetsThoseThatRunAtOnce) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 1));
  stage.run_ms(300);
  auto& ben = stage.join("ben", Role::kViewer, 2);
  EXPECT_EQ(ben.last("tally")["counts"].items()[1].as_int(), 1);
}

TEST(OwnerPoll, ClosesByItsDeadlineWithEveryBallotThatAnEdgeReceivedInTime) {
  Stage stage(2);
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1, 1);
  stage.send("gil", ev(2, "poll.open", R"({"poll":"timed"})"));
  stage.settle();
  stage.run_ms(4'990);
  stage.send("ann", vote(1, "timed", 0));
  // Edge 1 is slow: nothing of it reaches the owner for a second.
  std::deque<bus::ToOwner> held;
  for (int i = 0; i < 1'000; ++i) {
    stage.clock.us += kUsPerMs;
    stage.edges[1]->on_time();
    std::erase_if(stage.bus.owner_box, [&](bus::ToOwner& message) {
      const bool late = std::visit([](const auto& each) { return each.edge; }, message) == 1;
      if (late) held.push_back(std::move(message));
      return late;
    });
    stage.edges[0]->on_time();
    if (stage.owner->next_due_us() <= stage.clock.us) stage.owner->on_time();
    std::deque<bus::ToOwner> rest;
    rest.swap(stage.bus.owner_box);
    for (auto& message : rest) stage.owner->on_bus(std::move(message));
    stage.settle();
  }
  EXPECT_FALSE(gil.last("tally")["final"].as_bool()) << "an edge has not said that it has sent all";
  for (auto& message : held) stage.owner->on_bus(std::move(message));
  stage.settle();
  stage.run_ms(300);
  const Json tally = gil.last("tally");
  EXPECT_EQ(tally["poll"].as_string(), "timed");
  EXPECT_TRUE(tally["final"].as_bool());
  EXPECT_EQ(tally["counts"].items()[0].as_int(), 1);
  EXPECT_EQ(confirmed_of(ann), 1u);
}

TEST(OwnerPoll, AnEdgeThatIsSilentForTwoSecondsIsNotWaitedFor) {
  Stage stage(2);
  stage.start();
  auto& gil = stage.open_fork();
  stage.join("ann", Role::kViewer, 1, 1);
  stage.send("gil", ev(2, "poll.open", R"({"poll":"timed"})"));
  stage.settle();
  for (int i = 0; i < 8'000; ++i) {
    stage.clock.us += kUsPerMs;
    stage.edges[0]->on_time();  // edge 1 is dead
    if (stage.owner->next_due_us() <= stage.clock.us) stage.owner->on_time();
    stage.settle();
  }
  EXPECT_TRUE(gil.last("tally")["final"].as_bool());
  EXPECT_EQ(stage.owner->metrics().fenced_edges, 1u);
}

TEST(OwnerPoll, AVoteAfterTheDeadlineIsRefusedThoughThePollIsStillClosing) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("gil", ev(2, "poll.open", R"({"poll":"timed"})"));
  stage.run_ms(5'005);
  stage.send("ann", vote(1, "timed", 0));
  stage.run_ms(100);
  ASSERT_EQ(rejected_of(ann).size(), 1u);
  EXPECT_EQ(rejected_of(ann)[0]["code"].as_int(), number(Code::kPollClosed));
}

TEST(OwnerPoll, TheWinningOptionMovesTheStoryAndTheWebhookTellsTheResult) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.open_fork();
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(50);
  stage.send("gil", ev(2, "poll.close", R"({"poll":"fork"})"));
  stage.run_ms(500);
  std::string scene;
  for (const Json& delta : ann.of("delta")) {
    for (const Json& patch : delta["p"].items()) {
      if (patch.items()[0].as_string() == "episode") scene = patch.items()[2]["scene"].as_string();
    }
  }
  EXPECT_EQ(scene, "crypt");
  std::vector<std::string> types;
  for (const auto& event : stage.webhooks.events) types.push_back(event.type);
  EXPECT_EQ(types, (std::vector<std::string>{"episode.started", "poll.opened", "poll.closed"}));
  const Json data = *Json::parse(stage.webhooks.events.back().data);
  EXPECT_EQ(data["winner"].as_int(), 0);
  EXPECT_GT(data["chain_log"].as_int(), 0) << "anchored in the durable log";
}

TEST(OwnerPoll, OneMadeWhileTheShowRunsCanBeVotedInAtOnce) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("gil", ev(2, "poll.create", R"({"poll":"new","title":"?","options":["x","y"]})"));
  stage.send("gil", ev(3, "poll.open", R"({"poll":"new"})"));
  stage.settle();
  stage.send("ann", vote(1, "new", 1));
  stage.run_ms(200);
  EXPECT_EQ(confirmed_of(ann), 1u);
  EXPECT_EQ(ann.last("tally")["poll"].as_string(), "new");
}

TEST(OwnerView, NobodyIsShownWhatIsNotForTheirRole) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("gil",
             ev(2, "dice.roll", R"({"expr":"1d20","nonce":"00112233445566778899","secret":true})"));
  stage.settle();
  bool director_sees = false;
  for (const Json& delta : gil.of("delta")) {
    for (const Json& patch : delta["p"].items()) {
      director_sees = director_sees || patch.items()[0].as_string() == "rolls";
    }
  }
  EXPECT_TRUE(director_sees);
  for (const std::string& frame : ann.frames) {
    EXPECT_EQ(frame.find("\"rolls\",\"1\""), std::string::npos) << frame;
    EXPECT_EQ(frame.find("\"cues\""), std::string::npos);
    EXPECT_EQ(frame.find("\"moderation\""), std::string::npos);
  }
}

TEST(OwnerView, AFreshViewEqualsTheOldOneWithItsDeltas) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  for (uint64_t i = 2; i < 30; ++i) {
    stage.send("gil", ev(i, i % 3 == 0 ? "char.hp" : "chat.say",
                         i % 3 == 0 ? R"({"char":"aria","delta":-1})" : R"({"text":"words"})"));
    stage.run_ms(1'100);
  }
  // Every entity of the view, from the welcome on.
  std::map<std::string, std::map<std::string, std::string>> built;
  const Json view = gil.last("welcome")["view"];
  for (const auto& [collection, entities] : view.members()) {
    for (const auto& [id, entity] : entities.members()) built[collection][id] = entity.dump();
  }
  for (const Json& delta : gil.of("delta")) {
    for (const Json& patch : delta["p"].items()) {
      const std::string& collection = patch.items()[0].as_string();
      const std::string& id = patch.items()[1].as_string();
      if (patch.items()[2].type() == JsonType::kNull) {
        built[collection].erase(id);
      } else {
        built[collection][id] = patch.items()[2].dump();
      }
    }
  }
  auto& other = stage.join("geo", Role::kGm, 55);
  built["cast"].clear();
  size_t compared = 0;
  const Json fresh = other.last("welcome");
  for (const auto& [collection, entities] : fresh["view"].members()) {
    if (collection == "cast") continue;
    for (const auto& [id, entity] : entities.members()) {
      EXPECT_EQ(built[collection][id], entity.dump()) << collection << " " << id;
      built[collection].erase(id);
      ++compared;
    }
    EXPECT_TRUE(built[collection].empty()) << collection;
  }
  EXPECT_GT(compared, 20u);
}

TEST(OwnerResume, OverARestartByTheOffsetOfTheLog) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  const auto off = static_cast<uint64_t>(gil.last("delta")["off"].as_int());
  stage.log.reopen();
  stage.start_owner();
  auto& again = stage.join("gil/2", Role::kGm, 101, 0, proto::Resume{1, off});
  EXPECT_TRUE(again.last("welcome")["resumed"].as_bool()) << "nothing changed since";
  EXPECT_EQ(again.last("welcome")["epoch"].as_int(), 2);
  auto& older = stage.join("old", Role::kGm, 300, 0, proto::Resume{1, off - 1});
  EXPECT_FALSE(older.last("welcome")["resumed"].as_bool()) << "the deltas are gone, a view is not";
  EXPECT_EQ(older.last("welcome")["view"].type(), JsonType::kObject);
}

TEST(OwnerResume, AnOffsetFromBeyondTheLogOrALaterEpochGetsAFreshView) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ahead = stage.join("a", Role::kViewer, 1, 0, proto::Resume{1, 999});
  EXPECT_FALSE(ahead.last("welcome")["resumed"].as_bool());
  auto& later = stage.join("b", Role::kViewer, 2, 0, proto::Resume{7, 2});
  EXPECT_FALSE(later.last("welcome")["resumed"].as_bool());
}

TEST(OwnerResume, WhenTheRingIsSpentAFreshViewIsSent) {
  Stage stage;
  stage.owner_options.ring_deltas = 4;
  stage.start();
  auto& gil = stage.open_fork();
  const auto off = static_cast<uint64_t>(gil.last("delta")["off"].as_int());
  for (uint64_t i = 2; i < 12; ++i) {
    stage.send("gil", ev(i, "char.hp", R"({"char":"aria","delta":-1})"));
    stage.settle();
  }
  auto& old = stage.join("a", Role::kGm, 1, 0, proto::Resume{1, off});
  EXPECT_FALSE(old.last("welcome")["resumed"].as_bool());
  const auto head = stage.log.head().seq;
  auto& recent = stage.join("b", Role::kGm, 2, 0, proto::Resume{1, head - 2});
  EXPECT_TRUE(recent.last("welcome")["resumed"].as_bool());
}

TEST(OwnerCast, ComesAndGoesInTheViewAndIsKnownToWhoResumes) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  const auto off = static_cast<uint64_t>(gil.last("delta")["off"].as_int());
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.join("pat", Role::kPlayer, 5);
  const auto online = [](const rig::TestConnection& connection, std::string_view name) {
    std::optional<bool> out;
    for (const Json& delta : connection.of("delta")) {
      for (const Json& patch : delta["p"].items()) {
        if (patch.items()[0].as_string() != "cast") continue;
        const Json& entity = patch.items()[2];
        if (entity["name"].as_string() == name) out = entity["online"].as_bool();
      }
    }
    return out;
  };
  EXPECT_EQ(online(ann, "pat"), true);
  stage.hang_up("pat");
  stage.settle();
  EXPECT_EQ(online(ann, "pat"), false);
  auto& back = stage.join("ben", Role::kViewer, 9, 0, proto::Resume{1, off});
  ASSERT_TRUE(back.last("welcome")["resumed"].as_bool());
  EXPECT_EQ(online(back, "pat"), false);
  EXPECT_EQ(online(back, "gil"), true);
}

TEST(OwnerPresence, IsCountedByEdgeAboutOnceASecond) {
  Stage stage(2);
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1, 0);
  stage.join("ben", Role::kViewer, 2, 1);
  stage.join("gil", Role::kGm, 3, 1);
  stage.run_ms(1'300);
  EXPECT_EQ(ann.last("presence")["audience"].as_int(), 2);
  ASSERT_EQ(ann.last("presence")["edges"].items().size(), 2u);
  const size_t told = ann.of("presence").size();
  stage.run_ms(3'000);
  EXPECT_EQ(ann.of("presence").size(), told) << "only when it changed";
  stage.hang_up("ben");
  stage.run_ms(1'300);
  EXPECT_EQ(ann.last("presence")["audience"].as_int(), 1);
}

TEST(OwnerSlo, GoesToProducersOnlyWithWhatClientsMeasured) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", R"({"t":"lat","m":[["vote",84],["vote",300],["rtt",3]]})");
  stage.run_ms(2'200);
  EXPECT_TRUE(gil.of("slo").empty());
  EXPECT_TRUE(ann.of("slo").empty());
  const Json slo = stage.clients["pia"].connection.last("slo");
  const Json& vote_class = slo["m"].items()[0];
  EXPECT_EQ(vote_class["class"].as_string(), "vote");
  EXPECT_EQ(vote_class["budget_ms"].as_int(), 250);
  EXPECT_EQ(vote_class["n"].as_int(), 2);
  EXPECT_EQ(vote_class["max"].as_int(), 300);
  EXPECT_FALSE(vote_class["holds"].as_bool());
  EXPECT_EQ(slo["log"]["seq"].as_int(), 4);
  EXPECT_EQ(slo["edges"].items()[0]["sessions"].as_int(), 3);
}

TEST(OwnerModeration, ABanEndsThePersonsSessionsAndKeepsThemOut) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  const std::string who = ann.last("welcome")["me"]["who"].as_string();
  stage.send("gil", ev(2, "mod.ban", R"({"who":")" + who + "\"}"));
  stage.settle();
  EXPECT_EQ(ann.closed, Code::kBanned);
  auto& again = stage.join("ann", Role::kViewer, 2);
  EXPECT_EQ(again.closed, Code::kBanned);
  EXPECT_FALSE(again.last("bye")["reconnect"].as_bool());
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
