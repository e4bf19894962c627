#include "edge/edge.h"
#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::Stage;
using rig::vote;

// A running poll and so many viewers, v0, v1, ...; `sends` between two turns, one a millisecond.
std::vector<rig::TestConnection*> crowd(Stage& stage, int viewers, uint32_t sends) {
  stage.edge_options.sweep_sends = sends;
  stage.start();
  stage.open_fork();
  std::vector<rig::TestConnection*> all;
  for (int i = 0; i < viewers; ++i) {
    all.push_back(&stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i)));
  }
  stage.run_ms(500);
  return all;
}

std::vector<int64_t> tallies_of(const rig::TestConnection& connection) {
  std::vector<int64_t> out;
  for (const Json& tally : connection.of("tally")) {
    out.push_back(tally["counts"].items()[0].as_int());
  }
  return out;
}

size_t place_of_last(const rig::TestConnection& connection, std::string_view kind) {
  const std::string start = "{\"t\":\"" + std::string(kind) + "\"";
  for (size_t i = connection.frames.size(); i-- > 0;) {
    if (connection.frames[i].starts_with(start)) return i + 1;
  }
  return 0;
}

size_t how_many_have(const std::vector<rig::TestConnection*>& all, int64_t count) {
  return static_cast<size_t>(std::ranges::count_if(all, [&](auto* each) {
    const auto tallies = tallies_of(*each);
    return !tallies.empty() && tallies.back() == count;
  }));
}

TEST(EdgeSweep, ATallyGoesToALargeAudienceInPiecesAndADeltaDoesNotWaitForIt) {
  Stage stage;
  const auto all = crowd(stage, 40, 4);
  stage.send("v0", vote(1, "fork", 0));
  for (int ms = 0; ms < 300 && how_many_have(all, 1) == 0; ++ms) stage.run_ms(1);
  EXPECT_GT(how_many_have(all, 1), 0u);
  EXPECT_LT(how_many_have(all, 1), 40u);
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.run_ms(40);
  EXPECT_EQ(how_many_have(all, 1), 40u);
  size_t overtaken = 0;
  for (auto* each : all) {
    EXPECT_GT(place_of_last(*each, "delta"), 0u);
    overtaken += place_of_last(*each, "delta") < place_of_last(*each, "tally");
  }
  EXPECT_GT(overtaken, 10u);
}

TEST(EdgeSweep, ANewerTallyReplacesTheOneThatIsUnderWayForAllItHasNotReached) {
  Stage stage;
  const auto all = crowd(stage, 60, 1);
  std::vector<size_t> before;
  for (auto* each : all) before.push_back(tallies_of(*each).size());
  stage.send("v0", vote(1, "fork", 0));
  stage.run_ms(20);
  const size_t with_the_old = how_many_have(all, 1);
  EXPECT_GT(with_the_old, 5u);
  stage.send("v1", vote(1, "fork", 0));
  stage.run_ms(60);
  EXPECT_GT(how_many_have(all, 2), 25u);
  stage.run_ms(150);
  EXPECT_EQ(how_many_have(all, 2), 60u);
  size_t two = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    auto got = tallies_of(*all[i]);
    got.erase(got.begin(), got.begin() + static_cast<ptrdiff_t>(before[i]));
    EXPECT_TRUE(got == std::vector<int64_t>{2} || got == (std::vector<int64_t>{1, 2}));
    two += got.size() == 2;
  }
  EXPECT_LT(two, 40u);
}

TEST(EdgeSweep, NobodyGetsATallySoonerThanATickAfterTheOneBefore) {
  Stage stage;
  const auto all = crowd(stage, 50, 8);
  std::vector<size_t> before;
  for (auto* each : all) before.push_back(tallies_of(*each).size());
  for (int i = 0; i < 200; ++i) {
    stage.send("v" + std::to_string(i % 50), vote(static_cast<uint64_t>(i / 50 + 1), "fork", 0,
                                                  static_cast<uint32_t>(i / 50 + 1)));
    stage.run_ms(5);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    const size_t got = tallies_of(*all[i]).size() - before[i];
    EXPECT_GE(got, 5u);
    EXPECT_LE(got, 11u);
  }
}

TEST(EdgeSweep, OutcomesOfVotesGoWithTheTallyInOneWrite) {
  Stage stage;
  const auto all = crowd(stage, 10, 256);
  stage.send("v3", vote(1, "fork", 0));
  stage.run_ms(10);
  EXPECT_EQ(rig::confirmed_of(*all[3]), 1u);
  EXPECT_EQ(all[3]->pairs, 1u);
  EXPECT_LT(place_of_last(*all[3], "ack"), place_of_last(*all[3], "tally"));
  stage.send("v3", vote(2, "fork", 1, 2));
  stage.run_ms(200);
  EXPECT_EQ(rig::confirmed_of(*all[3]), 2u);
  EXPECT_EQ(all[3]->pairs, 2u);
}

TEST(EdgeSweep, WhenMoreMaySeeATallyNobodyIsSentTheOlderOneAfterIt) {
  Stage stage;
  const auto all = crowd(stage, 3, 256);
  stage.send("gil", ev(2, "poll.open", R"({"poll":"hush"})"));
  stage.settle();
  for (uint32_t n = 1; n <= 3; ++n) {
    stage.send("v0", vote(n, "hush", 0, n));
    stage.run_ms(25);  // the director's tally waits for its moment
  }
  stage.send("gil", ev(3, "poll.close", R"({"poll":"hush"})"));
  stage.run_ms(500);
  int64_t last = -1;
  for (const Json& tally : stage.clients["gil"].connection.of("tally")) {
    if (tally["poll"].as_string() != "hush") continue;
    EXPECT_GT(tally["ver"].as_int(), last);
    last = tally["ver"].as_int();
  }
  EXPECT_EQ(all[0]->last("tally")["poll"].as_string(), "hush");
  EXPECT_TRUE(all[0]->last("tally")["final"].as_bool());
}

TEST(EdgeSweep, WhatWaitsInASlotDoesNotFollowTheNewerThatCameWithAJoin) {
  Stage stage;
  const auto all = crowd(stage, 2, 256);
  stage.send("v0", vote(1, "fork", 0));
  stage.run_ms(500);
  ASSERT_EQ(tallies_of(*all[1]).back(), 1);
  // Of before the vote; an edge is not told of it while it has no sessions.
  const bus::Volatile older{proto::RoleSet::all(), bus::kFirstPollSlot,
                            proto::Frame::text(R"({"t":"tally","poll":"fork","counts":[0,0]})"),
                            100};
  for (int i = 0; i < 2; ++i) stage.edges[0]->on_bus(std::string(rig::kEpisode), older);
  const auto& late = stage.join("late", Role::kViewer, 7);
  stage.run_ms(500);
  EXPECT_EQ(tallies_of(late), std::vector<int64_t>(tallies_of(late).size(), 1));
  EXPECT_GT(tallies_of(late).size(), 0u);
}

TEST(EdgeSweep, OutcomesDoNotWaitForATallyThatIsNotForTheirRole) {
  Stage stage;
  const auto all = crowd(stage, 3, 256);
  stage.send("gil", ev(2, "poll.open", R"({"poll":"hush"})"));
  stage.settle();
  stage.send("v0", vote(1, "hush", 0));
  stage.run_ms(10);
  stage.send("v0", vote(2, "hush", 1, 2));
  stage.run_ms(45);
  EXPECT_EQ(rig::confirmed_of(*all[0]), 2u);
}

TEST(EdgeSweep, APairThatIsTakenInPartIsFinishedInOrder) {
  Stage stage;
  const auto all = crowd(stage, 1, 256);
  for (uint32_t n = 1; n <= 200; ++n) {
    all[0]->room = n;  // within the outcomes, between the two, within the tally
    stage.send("v0", vote(n, "fork", 0, n));
    stage.run_ms(700);
    all[0]->room = SIZE_MAX;
    stage.edges[0]->on_writable(stage.clients["v0"].conn);
    ASSERT_EQ(rig::confirmed_of(*all[0]), n);
  }
}

// The audience changes all the time while deltas and tallies are on their way.
TEST(EdgeSweep, EachDeltaReachesEachOnceAndInOrderWhoeverComesAndLeaves) {
  Stage stage;
  stage.edge_options.sweep_sends = 12;
  stage.start();
  stage.open_fork();
  const auto& witness = stage.join("witness", Role::kViewer, 1);
  Prng prng(11);
  constexpr std::string_view crypt = R"({"scene":"crypt"})";
  constexpr std::string_view gate = R"({"scene":"gate"})";
  std::vector<std::string> here;
  uint64_t next = 2;
  uint64_t i = 2;
  for (int step = 0; step < 3'000; ++step) {
    const uint64_t dice = prng.below(100);
    if (dice < 12) {
      here.push_back("v" + std::to_string(next));
      stage.join(here.back(), Role::kViewer, next++);
    } else if (dice < 20 && here.size() > 10) {
      const size_t who = prng.below(here.size());
      stage.hang_up(here[who]);
      here.erase(here.begin() + static_cast<ptrdiff_t>(who));
    } else if (dice < 24) {
      stage.send("gil", ev(i, "scene.go", i % 2 == 0 ? crypt : gate));
      ++i;
    } else if (dice < 60 && !here.empty()) {
      const auto n = static_cast<uint32_t>(step + 1);
      stage.send(here[prng.below(here.size())], vote(n, "fork", step % 2, n));
    }
    stage.run_ms(1);
  }
  stage.run_ms(1'000);
  const auto offsets = [](const rig::TestConnection& connection) {
    std::vector<int64_t> out;
    for (const Json& delta : connection.of("delta")) out.push_back(delta["off"].as_int());
    return out;
  };
  const auto all = offsets(witness);
  EXPECT_GT(all.size(), 100u);
  EXPECT_GT(here.size(), 60u);
  for (const std::string& name : here) {
    const auto& connection = stage.clients[name].connection;
    const int64_t from = connection.last("welcome")["off"].as_int();
    std::vector<int64_t> wanted;
    std::ranges::copy_if(all, std::back_inserter(wanted), [&](int64_t off) { return off > from; });
    EXPECT_EQ(offsets(connection), wanted);
    EXPECT_EQ(connection.last("tally").dump(), witness.last("tally").dump());
  }
}

TEST(EdgeSweep, AnAudienceTooLargeForTheRateOfItsTalliesGetsFewerAndTheNewest) {
  Stage stage;
  stage.edge_options.sweep_sends =
      1;  // one a millisecond here: 300 for everyone, and a tally each 100
  stage.start();
  stage.open_fork();
  std::vector<rig::TestConnection*> all;
  for (int i = 0; i < 300; ++i) {
    all.push_back(&stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i)));
  }
  for (int i = 0; i < 20; ++i) {
    stage.send("v" + std::to_string(i), vote(1, "fork", 0));
    stage.run_ms(100);
  }
  stage.run_ms(1'000);
  for (auto* each : all) {
    const auto tallies = each->of("tally");
    ASSERT_FALSE(tallies.empty());
    EXPECT_EQ(tallies.back()["counts"].items()[0].as_int(), 20);
    EXPECT_LT(tallies.size(), 12u);
  }
}

}  // namespace
}  // namespace footlight::edge
