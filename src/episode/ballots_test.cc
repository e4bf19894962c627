#include <gtest/gtest.h>

#include "core/json.h"
#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

using testing::Show;

class Ballots : public ::testing::Test {
 protected:
  void open(std::string_view poll) {
    ASSERT_EQ(show.code(show.gm, "poll.open", R"({"poll":")" + std::string(poll) + R"("})"),
              Code::kOk);
  }
  void SetUp() override { show.start(); }
  Actor voter(uint64_t n) const {
    return {1000 + n, proto::Role::kViewer, "v" + std::to_string(n), {}};
  }
  Show show;
};

TEST(Receipts, AreStable) {
  Ballot ballot;
  ballot.who = 0x0123456789ABCDEF;
  ballot.n = 2;
  ballot.choice_mask = 2;
  ballot.weight = 1;
  ballot.edge = 3;
  ballot.edge_ms = 1'764'000'000'123;
  EXPECT_EQ(to_hex(ballot_receipt(ballot, "fork")), "5d69a0a445b6beb92126614dde6daf3c");
  ballot.cid = 77;  // the outbox is no part of it
  ballot.i = 5;
  EXPECT_EQ(to_hex(ballot_receipt(ballot, "fork")), "5d69a0a445b6beb92126614dde6daf3c");
  ballot.flags = 1;
  EXPECT_NE(to_hex(ballot_receipt(ballot, "fork")), "5d69a0a445b6beb92126614dde6daf3c");
}

TEST(BallotBlocks, SurviveEncodingAndDecoding) {
  Prng prng(5);
  std::vector<Ballot> ballots;
  for (int i = 0; i < 1000; ++i) {
    Ballot ballot;
    ballot.who = prng.next();
    ballot.cid = prng.next();
    ballot.i = prng.next() >> prng.below(64);
    ballot.poll = static_cast<uint32_t>(prng.below(256));
    ballot.choice_mask = static_cast<uint32_t>(prng.next());
    ballot.n = static_cast<uint32_t>(prng.next());
    ballot.weight = static_cast<uint8_t>(prng.next());
    ballot.flags = static_cast<uint8_t>(prng.next());
    ballot.edge = static_cast<uint16_t>(prng.next());
    ballot.edge_ms = 1'764'000'000'000 + prng.between(-100'000, 100'000);
    ballots.push_back(ballot);
  }
  ballots[3].edge_ms = INT64_MIN;
  ballots[4].edge_ms = INT64_MAX;
  const Bytes block = encode_ballots(ballots);
  std::vector<Ballot> decoded;
  ASSERT_TRUE(decode_ballots(block, decoded));
  EXPECT_EQ(encode_ballots(decoded), block);
  EXPECT_EQ(decoded[3].edge_ms, INT64_MIN);
  EXPECT_EQ(decoded[999].cid, ballots[999].cid);
}

TEST(BallotBlocks, AreStable) {
  Ballot ballot;
  ballot.who = 0x0102030405060708;
  ballot.cid = 0x1112131415161718;
  ballot.i = 300;
  ballot.poll = 1;
  ballot.choice_mask = 2;
  ballot.n = 3;
  ballot.weight = 4;
  ballot.flags = 1;
  ballot.edge = 5;
  ballot.edge_ms = 1000;
  Ballot earlier = ballot;
  earlier.edge_ms = 999;
  EXPECT_EQ(to_hex(encode_ballots(std::vector{ballot, earlier})),
            "0102e803000000000000"
            "08070605040302011817161514131211ac0201020304010500"
            "08070605040302011817161514131211ac0201020304010501");
}

TEST(BallotBlocks, DamagedOnesAreRefusedWhole) {
  const std::vector<Ballot> three(3);
  const Bytes block = encode_ballots(three);
  std::vector<Ballot> out(1);
  for (size_t size = 0; size < block.size(); ++size) {
    EXPECT_EQ(decode_ballots(ByteView(block).first(size), out).error().code, Code::kLogCorrupt);
  }
  Bytes longer = block;
  longer.push_back(0);
  EXPECT_FALSE(decode_ballots(longer, out));
  Bytes later = block;
  later[0] = 2;
  EXPECT_FALSE(decode_ballots(later, out));
  EXPECT_EQ(out.size(), 1u);
}

TEST_F(Ballots, CountByTheWeightOfTheRole) {
  open("fork");
  EXPECT_EQ(show.vote_code(voter(1), "fork", 0b01, 1), Code::kOk);
  EXPECT_EQ(show.vote_code(show.ann, "fork", 0b10, 1), Code::kOk);
  EXPECT_EQ(show.tally("fork").counts, (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(show.tally("fork").voters, 2u);
  EXPECT_EQ(show.vote_code(show.gm, "fork", 0b01, 1), Code::kNotEligible);
}

TEST_F(Ballots, AChangeMovesTheWeightAndAWithdrawalTakesIt) {
  open("fork");
  (void)show.vote(show.ann, "fork", 0b01, 1);
  (void)show.vote(show.ann, "fork", 0b10, 2);
  EXPECT_EQ(show.tally("fork").counts, (std::vector<uint64_t>{0, 3}));
  (void)show.vote(show.ann, "fork", 0, 3);
  EXPECT_EQ(show.tally("fork").counts, (std::vector<uint64_t>{0, 0}));
  EXPECT_EQ(show.tally("fork").voters, 0u);
}

TEST_F(Ballots, AResendIsAnsweredWithTheFirstRecordEvenAfterTheClose) {
  open("fork");
  (void)show.vote(show.ann, "fork", 0b01, 1);
  const uint64_t log = show.records.back().log;
  show.now_ms += 5;
  const auto again = show.vote(show.ann, "fork", 0b01, 1);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->log, log);
  show.tick(61'000);
  ASSERT_TRUE(show.tally("fork").final);
  const auto late = show.vote(show.ann, "fork", 0b01, 1);
  ASSERT_TRUE(late);
  EXPECT_EQ(late->log, log);
}

TEST_F(Ballots, AnEarlierNumberIsSuperseded) {
  open("fork");
  (void)show.vote(show.ann, "fork", 0b10, 2);
  EXPECT_EQ(show.vote_code(show.ann, "fork", 0b01, 1), Code::kVoteSuperseded);
  EXPECT_EQ(show.tally("fork").counts[1], 3u);
}

TEST_F(Ballots, OfTwoDevicesWithOneNumberTheFirstStandsAndNoResendTakesAVoteBack) {
  open("fork");
  (void)show.vote(show.ann, "fork", 0b01, 1);
  show.now_ms += 100;
  EXPECT_EQ(show.vote_code(show.ann, "fork", 0b10, 1), Code::kVoteSuperseded);
  EXPECT_EQ(show.vote_code(show.ann, "fork", 0b10, 2), Code::kOk);
  show.now_ms += 100;
  EXPECT_EQ(show.vote_code(show.ann, "fork", 0b01, 1), Code::kVoteSuperseded);
  EXPECT_EQ(show.tally("fork").counts, (std::vector<uint64_t>{0, 3}));
}

// Before, the later of them came into force: a log of those days is read as it was written.
TEST_F(Ballots, OfALogBallotsWithOneNumberAreOrderedByEdgeTimeThenEdge) {
  open("fork");
  Ballot first;
  first.who = 55;
  first.poll = static_cast<uint32_t>(poll_index(show.state, "fork"));
  first.choice_mask = 0b01;
  first.n = 1;
  first.weight = 1;
  first.edge = 4;
  first.edge_ms = show.now_ms + 10;
  uint64_t log = show.records.back().log;
  const auto counts_after = [&](const Ballot& ballot) {
    EXPECT_TRUE(apply_ballot(show.state, ballot, ++log));
    return show.tally("fork").counts;
  };
  EXPECT_EQ(counts_after(first), (std::vector<uint64_t>{1, 0}));
  Ballot other = first;
  other.choice_mask = 0b10;
  other.edge = 3;
  EXPECT_EQ(counts_after(other), (std::vector<uint64_t>{1, 0}));
  other.edge = 5;
  EXPECT_EQ(counts_after(other), (std::vector<uint64_t>{0, 1}));
  other.choice_mask = 0b01;
  other.edge = 0;
  other.edge_ms += 1;
  EXPECT_EQ(counts_after(other), (std::vector<uint64_t>{1, 0}));
}

TEST_F(Ballots, FinalVotesStand) {
  open("final");
  EXPECT_EQ(show.vote_code(show.viewer, "final", 0b01, 1), Code::kOk);
  EXPECT_EQ(show.vote_code(show.viewer, "final", 0b10, 2), Code::kVoteFinal);
  EXPECT_EQ(show.vote_code(show.viewer, "final", 0b01, 1), Code::kOk);
}

TEST_F(Ballots, ChoicesAreChecked) {
  open("many");
  EXPECT_EQ(show.vote_code(show.viewer, "many", 0b10000, 1), Code::kOptionUnknown);
  EXPECT_EQ(show.vote_code(show.viewer, "many", 0b0111, 1), Code::kTooManyChoices);
  EXPECT_EQ(show.vote_code(show.viewer, "many", 0b0011, 0), Code::kFieldOutOfRange);
  EXPECT_EQ(show.vote_code(show.viewer, "many", 0b0011, 1), Code::kOk);
  EXPECT_EQ(show.vote_code(show.viewer, "nothing", 1, 1), Code::kPollUnknown);
}

TEST_F(Ballots, CountOnlyWhileThePollIsOpen) {
  EXPECT_EQ(show.vote_code(show.viewer, "fork", 1, 1), Code::kPollNotOpen);
  Show waiting;
  EXPECT_EQ(waiting.vote_code(waiting.viewer, "fork", 1, 1), Code::kEpisodeNotStarted);
  open("fork");
  show.tick(61'000);
  EXPECT_EQ(show.vote_code(show.viewer, "fork", 1, 1), Code::kPollClosed);
}

TEST_F(Ballots, TheDeadlineIsJudgedByTheEdgesReceipt) {
  open("fork");
  const WallMs deadline = show.now_ms + 60'000;
  show.hold_watermark = true;
  show.tick(60'500);
  EXPECT_EQ(show.tally("fork").state, "closing");
  Ballot ballot;
  ballot.who = 55;
  ballot.poll = static_cast<uint32_t>(poll_index(show.state, "fork"));
  ballot.choice_mask = 1;
  ballot.n = 1;
  ballot.edge_ms = deadline;
  EXPECT_TRUE(show.cast(ballot, proto::Role::kViewer));
  ballot.who = 56;
  ballot.edge_ms = deadline + 1;
  EXPECT_EQ(show.cast(ballot, proto::Role::kViewer).error().code, Code::kPollClosed);
}

TEST_F(Ballots, TheBannedHaveNoneButThoseTheyHad) {
  open("fork");
  EXPECT_EQ(show.vote_code(show.ann, "fork", 1, 1), Code::kOk);
  ASSERT_EQ(show.code(show.gm, "mod.ban", R"({"who":")" + hex_u64(show.ann.who) + R"("})"),
            Code::kOk);
  EXPECT_EQ(show.vote_code(show.ann, "fork", 1, 1), Code::kOk);  // sent again
  EXPECT_EQ(show.vote_code(show.ann, "fork", 2, 2), Code::kBanned);
  ASSERT_EQ(show.code(show.gm, "mod.ban", R"({"who":")" + hex_u64(show.viewer.who) + R"("})"),
            Code::kOk);
  EXPECT_EQ(show.vote_code(show.viewer, "fork", 1, 1), Code::kBanned);
}

TEST_F(Ballots, AnEdgeWhoseClockIsBehindTheOpeningStillCounts) {
  open("fork");
  Ballot ballot;
  ballot.who = 55;
  ballot.choice_mask = 1;
  ballot.n = 1;
  ballot.edge_ms = show.now_ms - 10'000;
  ASSERT_TRUE(decide_ballot(show.state, ballot, proto::Role::kViewer));
  EXPECT_EQ(ballot.edge_ms, show.now_ms);  // so that the register can tell the receipt again
}

TEST_F(Ballots, OnesThatDoNotFitTheStateAreNotApplied) {
  open("many");
  Ballot ballot;
  ballot.who = 5;
  ballot.poll = static_cast<uint32_t>(poll_index(show.state, "many"));
  ballot.choice_mask = 1;
  ballot.n = 1;
  const Hash256 before = show.state.hash();
  const auto refused = [&](auto change) {
    Ballot bad = ballot;
    change(bad);
    return !apply_ballot(show.state, bad, 50);
  };
  EXPECT_TRUE(refused([](Ballot& b) { b.poll = 99; }));
  EXPECT_TRUE(refused([](Ballot& b) { b.poll = 0; }));  // not open
  EXPECT_TRUE(refused([](Ballot& b) { b.choice_mask = 16; }));
  EXPECT_TRUE(refused([](Ballot& b) { b.choice_mask = 7; }));
  EXPECT_TRUE(refused([](Ballot& b) { b.n = 0; }));
  EXPECT_TRUE(refused([](Ballot& b) { b.weight = 0; }));
  EXPECT_FALSE(apply_ballot(show.state, ballot, uint64_t{1} << 48));
  EXPECT_EQ(show.state.hash(), before);
}

TEST_F(Ballots, AResultThatIsNotTheirSumIsACorruptLog) {
  open("fork");
  (void)show.vote(show.viewer, "fork", 1, 1);
  const auto closed = [](std::string_view counts, int voters, int winner, std::string_view why) {
    return Event{1'764'000'000'000,
                 R"({"k":"poll.closed","d":{"poll":"fork","counts":)" + std::string(counts) +
                     R"(,"voters":)" + std::to_string(voters) + R"(,"winner":)" +
                     std::to_string(winner) + R"(,"why":")" + std::string(why) + R"(","chain":")" +
                     std::string(64, '0') + R"(","chain_log":0}})"};
  };
  const Hash256 before = show.state.hash();
  for (const Event& event : {closed("[2,0]", 1, 0, "votes"), closed("[1,0]", 2, 0, "votes"),
                             closed("[1,0,0]", 1, 0, "votes"), closed("[1,0]", 1, 1, "votes"),
                             closed("[1,0]", 1, 0, "default")}) {
    EXPECT_EQ(apply(show.state, event, 1000, nullptr).error().code, Code::kLogCorrupt);
  }
  EXPECT_EQ(show.state.hash(), before);
  EXPECT_TRUE(apply(show.state, closed("[1,0]", 1, 0, "votes"), 1000, nullptr));
}

TEST_F(Ballots, MeTellsTheReceiptOfTheBallotInForce) {
  open("many");
  (void)show.vote(show.viewer, "many", 0b01, 1);
  (void)show.vote(show.viewer, "many", 0b1010, 2);
  const auto& record = show.records.back();
  const Result<Json> me = Json::parse(encode_me(show.state, show.viewer, 7));
  ASSERT_TRUE(me);
  const Json& mine = (*me)["ballots"]["many"];
  EXPECT_EQ(mine["choice"].dump(), "[1,3]");
  EXPECT_EQ(mine["n"].as_int(), 2);
  EXPECT_EQ(mine["log"].as_int(), static_cast<int64_t>(record.log));
  EXPECT_EQ(mine["hash"].as_string(),
            to_hex(ballot_receipt(std::get<Ballot>(record.what), "many")));
}

TEST_F(Ballots, ARecountMayLeaveOutTheFlagged) {
  open("fork");
  std::vector<Ballot> ballots;
  for (uint64_t who = 0; who < 10; ++who) {
    Ballot ballot;
    ballot.who = who;
    ballot.choice_mask = who < 4 ? 1 : 2;
    ballot.n = 1;
    ballot.flags = who % 2;
    ballots.push_back(ballot);
  }
  EXPECT_EQ(recount(ballots, 0, 2), (Count{{4, 6}, 10}));
  EXPECT_EQ(recount(ballots, 0, 2, Flagged::kLeftOut), (Count{{2, 3}, 5}));
  EXPECT_EQ(recount(ballots, 1, 2), (Count{{0, 0}, 0}));
}

TEST_F(Ballots, EveryChangeOfATallyHasAHigherVersion) {
  open("fork");
  uint32_t last = show.tally("fork").version;
  for (uint32_t n = 1; n < 5; ++n) {
    (void)show.vote(show.viewer, "fork", n % 3, n);
    EXPECT_GT(show.tally("fork").version, last);
    last = show.tally("fork").version;
  }
  show.tick(61'000);
  EXPECT_GT(show.tally("fork").version, last);
}

}  // namespace
}  // namespace footlight::episode
