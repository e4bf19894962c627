#include <gtest/gtest.h>

#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

using testing::random_action;
using testing::Show;

Show busy_show(uint64_t seed) {
  Show show;
  show.start();
  Prng prng(seed);
  for (int i = 0; i < 300; ++i) random_action(show, prng);
  return show;
}

TEST(Snapshots, AreTheSameBytesForTheSameState) {
  const Show a = busy_show(1);
  const Show b = busy_show(1);
  EXPECT_EQ(a.state.snapshot(), b.state.snapshot());
  EXPECT_NE(a.state.hash(), busy_show(2).state.hash());
}

TEST(Snapshots, DoNotDependOnTheOrderInWhichVotersCame) {
  const auto vote_all = [](bool backwards) {
    Show show;
    show.start();
    (void)show.send(show.gm, "poll.open", R"({"poll":"fork"})");
    for (uint64_t i = 0; i < 3000; ++i) {
      Ballot ballot;
      ballot.who = backwards ? 3000 - i : i + 1;
      ballot.choice_mask = 1;
      ballot.n = 1;
      ballot.weight = 1;
      ballot.edge_ms = show.now_ms;
      EXPECT_TRUE(apply_ballot(show.state, ballot, 9));
    }
    return show.state.hash();
  };
  EXPECT_EQ(vote_all(false), vote_all(true));
}

TEST(Snapshots, CutAnywhereAreRefused) {
  const Bytes good = busy_show(3).state.snapshot();
  for (size_t size = 0; size < good.size(); size += 1 + size / 64) {
    EXPECT_FALSE(State::from_snapshot(ByteView(good).first(size))) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(State::from_snapshot(longer));
}

TEST(Snapshots, OfAnotherVersionAreNotTaken) {
  Bytes other = busy_show(3).state.snapshot();
  other[16] = '2';
  EXPECT_EQ(State::from_snapshot(other).error().code, Code::kLogFormat);
}

// A flipped bit is refused, or gives the state that those very bytes describe.
TEST(Snapshots, WithAFlippedBitAreRefusedOrCanonical) {
  const Bytes good = busy_show(4).state.snapshot();
  Prng prng(4);
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    Bytes bad = good;
    bad[prng.below(bad.size())] ^= static_cast<uint8_t>(1u << prng.below(8));
    const Result<State> state = State::from_snapshot(bad);
    if (!state) {
      ++refused;
    } else {
      EXPECT_EQ(state->snapshot(), bad);
      (void)encode_view(*state, proto::ViewClass::kDirector);
    }
  }
  EXPECT_GT(refused, 500);
}

// Golden: a change of the format, of what an event does or of the hash shows here, and needs a new
// version of docs/formats/snapshot.md.
TEST(Snapshots, AreStable) {
  Show show;
  show.start();
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork"})");
  (void)show.vote(show.viewer, "fork", 1, 1);
  (void)show.vote(show.ann, "fork", 2, 1);
  (void)show.send(show.ann, "dice.roll", R"({"expr":"2d20kh1","nonce":"00112233445566ff"})");
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":-12})");
  (void)show.send(show.viewer, "chat.say", R"({"text":"héllo"})");
  (void)show.send(show.gm, "mod.mute", R"({"who":"0000000000000064","seconds":60})");
  show.tick(60'000);
  EXPECT_EQ(to_hex(show.state.hash()),
            "493671a629f49c40b01c8a5d03444c2356816e8a4971139a03207690a81369a6");
}

}  // namespace
}  // namespace footlight::episode
