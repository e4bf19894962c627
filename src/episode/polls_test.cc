// Polls, story, timers, start and end.
#include <gtest/gtest.h>

#include "core/json.h"
#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

using testing::Show;
constexpr auto kDirector = proto::ViewClass::kDirector;
constexpr auto kViewer = proto::ViewClass::kViewer;

class Story : public ::testing::Test {
 protected:
  void SetUp() override { show.start(); }
  Json entity(std::string_view collection, std::string_view id,
              proto::ViewClass view = kDirector) const {
    const Result<Json> json = Json::parse(show.entity(view, collection, id));
    return json ? *json : Json();
  }
  Json result(std::string_view poll) const { return entity("polls", poll)["result"]; }
  std::string scene() const { return entity("episode", "state")["scene"].as_string(); }
  void run_poll(std::string_view poll, std::initializer_list<uint32_t> masks) {
    ASSERT_EQ(show.code(show.gm, "poll.open", name(poll)), Code::kOk);
    uint64_t who = 500;
    for (const uint32_t mask : masks) {
      (void)show.vote({who++, proto::Role::kViewer, "v", {}}, poll, mask, 1);
    }
    ASSERT_EQ(show.code(show.gm, "poll.close", name(poll)), Code::kOk);
    show.tick(10);
  }
  static std::string name(std::string_view poll) {
    return R"({"poll":")" + std::string(poll) + R"("})";
  }
  Show show;
};

TEST_F(Story, StartEntersTheFirstScene) {
  EXPECT_EQ(scene(), "gate");
  EXPECT_EQ(entity("story", "1")["how"].as_string(), "start");
  EXPECT_EQ(show.code(show.producer, "episode.start"), Code::kEpisodeStarted);
}

TEST_F(Story, NothingMovesBeforeTheStart) {
  Show waiting;
  for (const auto& [kind, args] :
       {std::pair("scene.go", R"({"scene":"gate"})"),
        std::pair("story.choose", R"({"choice":"left"})"),
        std::pair("poll.open", R"({"poll":"fork"})"), std::pair("episode.end", "{}")}) {
    EXPECT_EQ(waiting.code(waiting.producer, kind, args), Code::kEpisodeNotStarted) << kind;
  }
  EXPECT_EQ(waiting.code(waiting.ann, "dice.roll", R"({"expr":"d20","nonce":"0011223344556677"})"),
            Code::kEpisodeNotStarted);
}

TEST_F(Story, AWinningOptionMovesTheStory) {
  run_poll("fork", {1, 1, 2});
  EXPECT_EQ(scene(), "crypt");
  EXPECT_EQ(entity("story", "2").dump(),
            R"({"n":2,"at_ms":1764000000010,"scene":"crypt","title":"The crypt","how":"poll",)"
            R"("poll":"fork","choice":"0"})");
  EXPECT_EQ(result("fork")["why"].as_string(), "votes");
  EXPECT_EQ(result("fork")["counts"].dump(), "[2,1]");
}

TEST_F(Story, AnOptionWithoutASceneLeavesTheStoryWhereItIs) {
  run_poll("fork", {2});
  EXPECT_EQ(scene(), "gate");
  EXPECT_EQ(result("fork")["winner"].as_int(-1), 1);
}

TEST_F(Story, ATieGoesToTheFirstOrToNobody) {
  run_poll("fork", {1, 2});
  EXPECT_EQ(result("fork")["winner"].as_int(-1), 0);
  EXPECT_EQ(result("fork")["why"].as_string(), "tie_break");
  run_poll("final", {1, 2});
  EXPECT_EQ(result("final")["winner"].type(), JsonType::kNull);
  EXPECT_EQ(result("final")["why"].as_string(), "tie_break");
}

TEST_F(Story, AMissedQuorumAndNoVotesGoToTheDefault) {
  run_poll("secret", {1, 1});
  EXPECT_EQ(result("secret")["winner"].as_int(-1), 1);
  EXPECT_EQ(result("secret")["why"].as_string(), "no_quorum");
  run_poll("final", {});
  EXPECT_EQ(result("final")["winner"].type(), JsonType::kNull);
  EXPECT_EQ(result("final")["why"].as_string(), "default");
}

TEST_F(Story, AQuorumThatIsMetDecides) {
  run_poll("secret", {1, 1, 2});
  EXPECT_EQ(result("secret")["winner"].as_int(-1), 0);
}

TEST_F(Story, TheResultNamesTheChainOfTheDurableLog) {
  show.secrets.chain_head.fill(0xAB);
  show.secrets.chain_log = 3;
  run_poll("fork", {1});
  EXPECT_EQ(result("fork")["chain"].as_string().substr(0, 4), "abab");
  EXPECT_EQ(result("fork")["log"].as_int() + 1, static_cast<int64_t>(show.records.back().log));
}

TEST_F(Story, APollClosesWithItsDeadlineAndWaitsForTheWatermark) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork","seconds":5})");
  EXPECT_EQ(next_deadline_ms(show.state), show.now_ms + 5000);
  show.hold_watermark = true;
  show.tick(4'999);
  EXPECT_EQ(show.tally("fork").state, "open");
  show.tick(1);
  EXPECT_EQ(show.tally("fork").state, "closing");
  EXPECT_FALSE(show.tally("fork").final);
  show.tick(1'000);
  EXPECT_EQ(show.tally("fork").state, "closing");
  show.hold_watermark = false;
  show.tick(0);
  EXPECT_EQ(show.tally("fork").state, "closed");
  EXPECT_TRUE(show.tally("fork").final);
  EXPECT_EQ(next_deadline_ms(show.state), INT64_MAX);
}

TEST_F(Story, WhoSeesTheProgramLateMayVoteSoMuchLonger) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork","seconds":5})");
  show.hold_watermark = true;
  show.tick(5'000);
  Ballot ballot;
  ballot.who = show.viewer.who;
  ballot.poll = static_cast<uint32_t>(poll_index(show.state, "fork"));
  ballot.choice_mask = 1;
  ballot.n = 1;
  ballot.edge_ms = show.now_ms + 2'000;
  EXPECT_FALSE(show.cast(ballot, proto::Role::kViewer, 1'999).has_value());
  EXPECT_TRUE(show.cast(ballot, proto::Role::kViewer, 2'000).has_value());
  ballot.n = 2;
  ballot.edge_ms = show.now_ms + 3'001;
  EXPECT_FALSE(show.cast(ballot, proto::Role::kViewer, 9'000).has_value()) << "3 s are the most";
  const Result<State> again = State::from_snapshot(show.state.snapshot());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->hash(), show.state.hash());
  show.now_ms += 3'000;
  show.watermark_ms = show.now_ms;
  show.hold_watermark = false;
  show.tick(0);
  EXPECT_EQ(result("fork")["late"].as_int(), 1);
  EXPECT_EQ(result("fork")["voters"].as_int(), 1);
}

TEST_F(Story, APollIsNotFinalBeforeThoseBehindHadTheirTime) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork","seconds":5})");
  const WallMs deadline = show.now_ms + 5'000;
  const auto events = [&](WallMs received, WallMs shown) {
    return decide_time(show.state, received, {received, shown}, show.secrets).size();
  };
  show.hold_watermark = true;
  show.tick(5'000);
  EXPECT_EQ(events(deadline + 1'000, deadline - 1), 0u);
  EXPECT_EQ(events(deadline + 2'999, deadline - 1), 0u);
  EXPECT_GT(events(deadline + 3'000, deadline - 1), 0u) << "the allowance is the most";
  EXPECT_GT(events(deadline + 1'000, deadline), 0u);
}

TEST_F(Story, AFinalTallyNeverChanges) {
  run_poll("fork", {1});
  const Tally before = show.tally("fork");
  EXPECT_EQ(show.vote_code(show.viewer, "fork", 2, 1), Code::kPollClosed);
  EXPECT_EQ(show.tally("fork").version, before.version);
  EXPECT_EQ(show.code(show.gm, "poll.close", name("fork")), Code::kPollClosed);
  EXPECT_EQ(show.code(show.gm, "poll.open", name("fork")), Code::kPollClosed);
}

TEST_F(Story, OpeningAndClosingOutOfTurnIsRefused) {
  EXPECT_EQ(show.code(show.gm, "poll.close", name("fork")), Code::kPollNotOpen);
  EXPECT_EQ(show.code(show.gm, "poll.open", name("none")), Code::kPollUnknown);
  EXPECT_EQ(show.code(show.gm, "poll.close", name("none")), Code::kPollUnknown);
  EXPECT_EQ(show.code(show.gm, "poll.open", name("fork")), Code::kOk);
  EXPECT_EQ(show.code(show.gm, "poll.open", name("fork")), Code::kPollAlreadyOpen);
  EXPECT_EQ(show.code(show.gm, "poll.close", name("fork")), Code::kOk);
  EXPECT_EQ(show.code(show.gm, "poll.close", name("fork")), Code::kOk);  // closing: nothing to do
}

TEST_F(Story, APollMadeLiveWorksLikeAnother) {
  const char* create =
      R"({"poll":"live","title":"Now?","options":["yes","no","both"],"kind":"multiple","seconds":9})";
  EXPECT_EQ(show.code(show.gm, "poll.create", create), Code::kOk);
  EXPECT_EQ(poll_index(show.state, "live"), 4);
  EXPECT_EQ(poll_id(show.state, 4), "live");
  EXPECT_EQ(poll_id(show.state, 5), "");
  EXPECT_EQ(show.code(show.gm, "poll.create", create), Code::kFieldOutOfRange);
  EXPECT_EQ(show.code(show.gm, "poll.open", name("live")), Code::kOk);
  EXPECT_EQ(show.vote_code(show.viewer, "live", 0b111, 1), Code::kOk);
  show.tick(9'000);
  EXPECT_EQ(result("live")["counts"].dump(), "[1,1,1]");
  EXPECT_EQ(show.replay().hash(), show.state.hash());
}

TEST_F(Story, AnEpisodeHoldsSoManyPollsAndTimers) {
  int polls = 4;
  while (true) {
    const std::string args =
        R"({"poll":"p)" + std::to_string(polls) + R"(","title":"x","options":["a","b"]})";
    const Code code = show.code(show.gm, "poll.create", args);
    if (code != Code::kOk) {
      EXPECT_EQ(code, Code::kTooMany);
      break;
    }
    ++polls;
  }
  EXPECT_EQ(polls, 256);
  int timers = 0;
  while (show.code(show.gm, "timer.start",
                   R"({"id":"t)" + std::to_string(timers) + R"(","seconds":9})") == Code::kOk) {
    ++timers;
  }
  EXPECT_EQ(timers, 64);
  EXPECT_EQ(show.code(show.gm, "timer.start", R"({"id":"t0","seconds":5})"), Code::kOk);
}

TEST_F(Story, ScenesAndChoicesMustExist) {
  EXPECT_EQ(show.code(show.gm, "scene.go", R"({"scene":"moon"})"), Code::kSceneUnknown);
  EXPECT_EQ(show.code(show.gm, "story.choose", R"({"choice":"up"})"), Code::kChoiceUnknown);
  EXPECT_EQ(show.code(show.gm, "story.choose", R"({"choice":"left"})"), Code::kOk);
  EXPECT_EQ(scene(), "crypt");
  EXPECT_EQ(entity("story", "2")["how"].as_string(), "choice");
  EXPECT_EQ(show.code(show.gm, "story.choose", R"({"choice":"left"})"), Code::kChoiceUnknown);
}

TEST_F(Story, TimersRunOutAndStop) {
  EXPECT_EQ(show.code(show.gm, "timer.start", R"({"id":"torch","seconds":30})"), Code::kOk);
  EXPECT_EQ(entity("timers", "torch", kViewer)["label"].as_string(), "Torch");
  EXPECT_EQ(next_deadline_ms(show.state), show.now_ms + 30'000);
  EXPECT_EQ(show.code(show.gm, "timer.start", R"({"id":"x","seconds":3,"label":"X"})"), Code::kOk);
  EXPECT_EQ(show.code(show.gm, "timer.stop", R"({"id":"x"})"), Code::kOk);
  EXPECT_EQ(show.code(show.gm, "timer.stop", R"({"id":"x"})"), Code::kTimerUnknown);
  show.tick(30'000);
  EXPECT_EQ(show.entity(kViewer, "timers", "torch"), "");
  EXPECT_EQ(scene(), "tower");  // a rule of the file
  EXPECT_EQ(entity("story", "2")["how"].as_string(), "rule");
}

TEST_F(Story, TimersRunOutWhileAPollWaitsForItsWatermark) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork","seconds":5})");
  (void)show.send(show.gm, "timer.start", R"({"id":"torch","seconds":6})");
  show.hold_watermark = true;
  show.tick(5'000);
  show.tick(1'000);
  EXPECT_EQ(show.entity(kViewer, "timers", "torch"), "");
  EXPECT_EQ(show.tally("fork").state, "closing");
}

TEST_F(Story, TheSlateIsShownToAll) {
  EXPECT_EQ(show.code(show.producer, "slate", R"({"on":true,"text":"Back soon"})"), Code::kOk);
  EXPECT_EQ(entity("episode", "state", kViewer)["slate"].dump(),
            R"({"on":true,"text":"Back soon"})");
  EXPECT_EQ(show.code(show.gm, "slate", R"({"on":false})"), Code::kForbidden);
}

TEST_F(Story, CuesAreDoneInTheirOrder) {
  const auto done = [&](const char* n) { return entity("cues", n)["done"].as_bool(); };
  (void)show.send(show.gm, "poll.open", R"({"poll":"many"})");
  EXPECT_FALSE(done("1"));
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork","seconds":7})");
  EXPECT_TRUE(done("1"));
  EXPECT_FALSE(done("3"));  // the same command: one cue at a time
  (void)show.send(show.producer, "scene.go", R"({"scene":"tower"})");
  EXPECT_TRUE(done("2"));
}

TEST_F(Story, TheEndClosesPollsRevealsTheSeedAndTakesNothingMore) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork"})");
  (void)show.send(show.gm, "timer.start", R"({"id":"torch","seconds":30})");
  (void)show.vote(show.viewer, "fork", 1, 1);
  EXPECT_EQ(entity("episode", "state", kViewer)["seed"].type(), JsonType::kNull);
  EXPECT_FALSE(has_ended(show.state));
  EXPECT_EQ(show.code(show.producer, "episode.end"), Code::kOk);
  EXPECT_TRUE(has_ended(show.state));
  EXPECT_EQ(scene(), "gate");  // the result counts, but moves no story any more
  EXPECT_EQ(result("fork")["winner"].as_int(-1), 0);
  EXPECT_EQ(entity("episode", "state", kViewer)["seed"].as_string(),
            to_hex(show.secrets.dice_seed));
  EXPECT_EQ(entity("episode", "state")["state"].as_string(), "ended");
  EXPECT_EQ(next_deadline_ms(show.state), INT64_MAX);
  EXPECT_EQ(show.code(show.producer, "episode.end"), Code::kEpisodeEnded);
  EXPECT_EQ(show.code(show.gm, "chat.say", R"({"text":"x"})"), Code::kEpisodeEnded);
  EXPECT_EQ(show.code(show.viewer, "emote", R"({"e":"heart"})"), Code::kEpisodeEnded);
  EXPECT_EQ(show.vote_code(show.viewer, "fork", 2, 2), Code::kPollClosed);
  EXPECT_EQ(show.replay().hash(), show.state.hash());
}

TEST_F(Story, AForeignSeedIsNeverUsedNorRevealed) {
  show.secrets.dice_seed[0] ^= 1;
  EXPECT_EQ(show.code(show.producer, "episode.end"), Code::kInternal);
  EXPECT_EQ(show.code(show.ann, "dice.roll", R"({"expr":"d20","nonce":"0011223344556677"})"),
            Code::kInternal);
}

TEST_F(Story, ThePathKeepsItsLastThousandSteps) {
  for (int i = 0; i < 1005; ++i) {
    (void)show.send(show.gm, "scene.go",
                    i % 2 == 0 ? R"({"scene":"crypt"})" : R"({"scene":"gate"})");
  }
  EXPECT_EQ(show.entity(kViewer, "story", "6"), "");
  EXPECT_NE(show.entity(kViewer, "story", "7"), "");
  EXPECT_NE(show.entity(kViewer, "story", "1006"), "");
}

}  // namespace
}  // namespace footlight::episode
