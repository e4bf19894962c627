// What must hold whatever happens, tried with random shows from a seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/json.h"
#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

using testing::random_action;
using testing::Show;

constexpr proto::ViewClass kViews[] = {proto::ViewClass::kViewer, proto::ViewClass::kPlayer,
                                       proto::ViewClass::kDirector};
constexpr uint64_t kSeeds = 24;
constexpr int kActions = 250;

class RandomShow : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    if (GetParam() % 8 != 0) show.start();
  }
  void act(int actions) {
    for (int i = 0; i < actions; ++i) random_action(show, prng);
  }
  Show show;
  Prng prng{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomShow, ::testing::Range<uint64_t>(0, kSeeds));

TEST_P(RandomShow, ReplayGivesTheIdenticalHash) {
  act(kActions);
  EXPECT_EQ(show.replay().hash(), show.state.hash());
  EXPECT_GT(show.records.size(), 3u);
}

TEST_P(RandomShow, SnapshotAndTailGiveTheStateOfAFullReplay) {
  act(kActions / 2);
  const Bytes middle = show.state.snapshot();
  const size_t replayed = show.records.size();
  act(kActions / 2);
  Result<State> state = State::from_snapshot(middle);
  ASSERT_TRUE(state) << state.error().message();
  for (size_t i = replayed; i < show.records.size(); ++i) {
    const auto& record = show.records[i];
    if (const Event* event = std::get_if<Event>(&record.what)) {
      ASSERT_TRUE(apply(*state, *event, record.log, nullptr));
    } else {
      ASSERT_TRUE(apply_ballot(*state, std::get<Ballot>(record.what), record.log));
    }
  }
  EXPECT_EQ(state->hash(), show.state.hash());
}

TEST_P(RandomShow, SnapshotsAreCanonicalAtEveryPoint) {
  for (int i = 0; i < 10; ++i) {
    act(kActions / 10);
    const Bytes bytes = show.state.snapshot();
    const Result<State> again = State::from_snapshot(bytes);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->snapshot(), bytes);
    EXPECT_EQ(show.replay().snapshot(), bytes);
  }
}

TEST_P(RandomShow, EveryTallyIsTheSumOfTheRegistersAndOfTheBallots) {
  act(kActions);
  std::vector<Ballot> ballots;
  for (const auto& record : show.records) {
    if (const Ballot* ballot = std::get_if<Ballot>(&record.what)) ballots.push_back(*ballot);
  }
  for (const Tally& tally : tallies(show.state, proto::ViewClass::kDirector)) {
    const auto poll = static_cast<uint32_t>(poll_index(show.state, tally.poll));
    const Count kept{tally.counts, tally.voters};
    EXPECT_EQ(recount(show.state, poll), kept);
    EXPECT_EQ(recount(ballots, poll, tally.counts.size()), kept);
  }
}

TEST(RandomShows, ReachEveryKindOfEvent) {
  std::set<std::string> kinds;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Show show;
    show.start();
    Prng prng(seed);
    for (int i = 0; i < kActions; ++i) random_action(show, prng);
    for (const auto& record : show.records) {
      const Event* event = std::get_if<Event>(&record.what);
      if (event == nullptr) continue;
      const Result<Json> json = Json::parse(event->json);
      ASSERT_TRUE(json);
      kinds.insert((*json)["k"].as_string());
    }
  }
  EXPECT_EQ(kinds.size(), 25u);
}

using Entities = std::map<std::pair<std::string, std::string>, std::string>;

Entities entities_of(const State& state, proto::ViewClass view) {
  const Result<Json> json = Json::parse(encode_view(state, view));
  EXPECT_TRUE(json);
  Entities out;
  for (const auto& [collection, members] : json->members()) {
    for (const auto& [id, entity] : members.members()) out[{collection, id}] = entity.dump();
  }
  return out;
}

TEST_P(RandomShow, ChangedNamesEveryEntityThatDiffersForAnyClass) {
  act(static_cast<int>(prng.below(kActions)));
  std::array<Entities, 3> before;
  for (size_t v = 0; v < 3; ++v) before[v] = entities_of(show.state, kViews[v]);
  for (int i = 0; i < kActions / 4; ++i) {
    show.changed.clear();
    random_action(show, prng);
    std::set<std::pair<std::string, std::string>> named;
    for (const EntityRef& ref : show.changed) named.emplace(ref.collection, ref.id);
    for (size_t v = 0; v < 3; ++v) {
      const Entities after = entities_of(show.state, kViews[v]);
      Entities all = before[v];
      all.insert(after.begin(), after.end());
      for (const auto& [key, unused] : all) {
        const auto was = before[v].find(key);
        const auto is = after.find(key);
        const bool same = was != before[v].end() && is != after.end() && was->second == is->second;
        EXPECT_TRUE(same || named.contains(key)) << key.first << " " << key.second;
      }
      before[v] = after;
    }
  }
}

TEST_P(RandomShow, SingleEntitiesAndTheWholeViewAgree) {
  act(kActions);
  for (const proto::ViewClass view : kViews) {
    for (const auto& [key, entity] : entities_of(show.state, view)) {
      EXPECT_EQ(encode_entity(show.state, view, key.first, key.second), entity);
    }
  }
}

TEST_P(RandomShow, NothingHiddenReachesAClassWithoutTheRight) {
  for (int i = 0; i < kActions / 2; ++i) {
    random_action(show, prng);
    for (const proto::ViewClass view : {proto::ViewClass::kViewer, proto::ViewClass::kPlayer}) {
      for (const Tally& tally : tallies(show.state, view)) {
        EXPECT_TRUE(tally.poll != "secret" || tally.final);
        EXPECT_NE(tally.state, "ready");
      }
      const Result<Json> json = Json::parse(encode_view(show.state, view));
      ASSERT_TRUE(json);
      EXPECT_EQ(json->find("moderation"), nullptr);
      EXPECT_EQ(json->find("cues"), nullptr);
      EXPECT_EQ(json->find("log"), nullptr);
      for (const auto& [id, roll] : (*json)["rolls"].members()) {
        EXPECT_FALSE(roll["secret"].as_bool());
      }
      for (const auto& [id, scene] : (*json)["scenes"].members()) {
        EXPECT_TRUE(scene["visited"].as_bool());
        for (const Json& choice : scene["choices"].items()) EXPECT_EQ(choice.find("to"), nullptr);
        for (const Json& poll : scene["polls"].items()) {
          EXPECT_NE((*json)["polls"].find(poll.as_string()), nullptr);
        }
      }
      for (const auto& [id, poll] : (*json)["polls"].members()) {
        EXPECT_NE(poll["state"].as_string(), "ready");
        EXPECT_EQ(poll["result"].type() == JsonType::kNull, poll["state"].as_string() != "closed");
      }
    }
  }
}

// One poll, ballots of many voters from several edges, each number of a voter once; every history
// of deliveries that has each ballot at least once ends in the same tally.
class BallotOrder : public ::testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, BallotOrder, ::testing::Range<uint64_t>(0, 30));

TEST_P(BallotOrder, DuplicatedAndReorderedBallotsGiveTheSameTally) {
  Prng prng(GetParam());
  Show reference;
  reference.start();
  (void)reference.send(reference.gm, "poll.open", R"({"poll":"many"})");
  std::vector<Ballot> ballots;
  for (int i = 0; i < 400; ++i) {
    Ballot ballot;
    ballot.who = prng.next() % 60;
    ballot.poll = static_cast<uint32_t>(poll_index(reference.state, "many"));
    const uint32_t two = 1u << prng.below(4) | 1u << prng.below(4);
    ballot.choice_mask = prng.below(6) == 0 ? 0 : two;
    ballot.n = static_cast<uint32_t>(1 + prng.below(12));
    ballot.edge = static_cast<uint16_t>(prng.below(3));
    ballot.edge_ms = reference.now_ms + static_cast<int64_t>(prng.below(500));
    const bool taken = std::ranges::any_of(ballots, [&](const Ballot& other) {
      return other.who == ballot.who && other.n == ballot.n;
    });
    if (!taken) ballots.push_back(ballot);
  }
  reference.now_ms += 1000;
  for (const Ballot& ballot : ballots) (void)reference.cast(ballot, proto::Role::kViewer);
  const Tally expected = reference.tally("many");

  Show shuffled;
  shuffled.start();
  (void)shuffled.send(shuffled.gm, "poll.open", R"({"poll":"many"})");
  shuffled.now_ms += 1000;
  std::vector<Ballot> deliveries = ballots;
  deliveries.insert(deliveries.end(), ballots.begin(), ballots.end());
  for (size_t i = deliveries.size(); i > 1; --i) {
    std::swap(deliveries[i - 1], deliveries[prng.below(i)]);
  }
  for (const Ballot& ballot : deliveries) (void)shuffled.cast(ballot, proto::Role::kViewer);
  const Tally got = shuffled.tally("many");
  EXPECT_EQ(got.counts, expected.counts);
  EXPECT_EQ(got.voters, expected.voters);
  EXPECT_GT(got.voters, 0u);
}

TEST_P(BallotOrder, ApplyingABlockTwiceChangesNothing) {
  Prng prng(GetParam());
  Show show;
  for (int i = 0; i < 150; ++i) random_action(show, prng);
  const Hash256 before = show.state.hash();
  for (const auto& record : show.records) {
    const Ballot* ballot = std::get_if<Ballot>(&record.what);
    if (ballot == nullptr) continue;
    const std::string_view id = poll_id(show.state, ballot->poll);
    if (show.tally(id).final) continue;
    EXPECT_TRUE(apply_ballot(show.state, *ballot, record.log));
  }
  EXPECT_EQ(show.state.hash(), before);
}

}  // namespace
}  // namespace footlight::episode
