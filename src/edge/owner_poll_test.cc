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

TEST(OwnerTally, HoldsOnlyBallotsThatAreDurable) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.run_ms(300);
  const size_t before = gil.of("tally").size();
  stage.send("ann", vote(1, "fork", 0));
  stage.run_ms(500, false);
  ASSERT_TRUE(stage.log_port.in_flight());
  EXPECT_EQ(gil.of("tally").size(), before);
  auto& late = stage.join("ben", Role::kViewer, 2);  // answered when the ballot is durable
  EXPECT_EQ(late.of("tally").size(), 1u) << "the one that runs";
  stage.run_ms(150);
  EXPECT_EQ(gil.last("tally")["voters"].as_int(), 1);
  EXPECT_EQ(late.last("tally")["voters"].as_int(), 1);
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

}  // namespace
}  // namespace footlight::edge
