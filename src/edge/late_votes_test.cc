// Viewers who see the program late: how much longer they may vote, and who waits for them.
#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::Stage;
using rig::vote;

class LateVotesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    stage.start();
    stage.open_fork();
    stage.join("ann", Role::kViewer, 1);
    stage.join("ben", Role::kViewer, 2);
  }
  // For so long, with a cue of `name` each second.
  void watch(const std::string& name, int64_t behind_ms, int64_t ms) {
    for (; ms > 0; ms -= 1'000) {
      report(name, stage.cue(behind_ms));
      stage.run_ms(std::min<int64_t>(ms, 1'000));
    }
  }
  void report(const std::string& name, const std::string& cue) {
    stage.send(name, R"({"t":"watch","mode":"llhls","cue":")" + cue + "\"}");
  }
  void open_timed() {
    stage.send("gil", ev(2, "poll.open", R"({"poll":"timed"})"));  // for 5 s
    stage.settle();
  }
  const rig::TestConnection& of(const std::string& name) {
    return stage.clients.at(name).connection;
  }
  std::string state() {
    for (const episode::Tally& tally :
         episode::tallies(stage.owner->state(), proto::ViewClass::kDirector)) {
      if (tally.poll == "timed") return std::string(tally.state);
    }
    return "";
  }
  // 0: not refused.
  int64_t refused(const std::string& name) {
    const auto all = rig::rejected_of(of(name));
    return all.empty() ? 0 : rig::code_of(all.back());
  }
  Stage stage;
};

TEST_F(LateVotesTest, WhoSeesTheProgramTwoSecondsLateMayVoteTwoSecondsLonger) {
  watch("ann", 2'000, 5'000);
  open_timed();
  watch("ann", 2'000, 5'500);
  EXPECT_EQ(state(), "closing");
  stage.send("ben", vote(1, "timed", 0));
  stage.send("ann", vote(1, "timed", 1));
  stage.run_ms(100);
  EXPECT_EQ(refused("ben"), rig::number(Code::kPollClosed));
  EXPECT_EQ(refused("ann"), 0);
  stage.run_ms(1'000);
  EXPECT_EQ(state(), "closing") << "ann may still change her mind";
  stage.run_ms(1'000);
  EXPECT_EQ(state(), "closed");
  const Json view = stage.poll_view("timed");
  EXPECT_EQ(view["result"]["voters"].as_int(), 1);
  EXPECT_EQ(view["result"]["late"].as_int(), 1);
}

TEST_F(LateVotesTest, WithNobodyBehindAPollWaitsForNobody) {
  watch("ann", 0, 3'000);
  open_timed();
  stage.run_ms(5'300);
  EXPECT_EQ(state(), "closed");
}

TEST_F(LateVotesTest, ThePollsAllowanceIsTheMost) {
  watch("ann", 9'000, 12'000);
  open_timed();
  watch("ann", 9'000, 7'900);
  EXPECT_EQ(state(), "closing");
  stage.run_ms(400);
  EXPECT_EQ(state(), "closed") << "after three seconds, as the file does not say otherwise";
  stage.send("ann", vote(1, "timed", 1));
  stage.run_ms(100);
  EXPECT_EQ(refused("ann"), rig::number(Code::kPollClosed));
}

TEST_F(LateVotesTest, ACueAfterTheDeadlineBuysNothing) {
  open_timed();
  watch("ben", 2'000, 5'050);
  report("ann", stage.cue(2'500));
  stage.run_ms(100);
  stage.send("ann", vote(1, "timed", 1));
  stage.run_ms(100);
  EXPECT_EQ(refused("ann"), rig::number(Code::kPollClosed));
}

TEST_F(LateVotesTest, AForgedCueIsToldAndIsNone) {
  std::string cue = stage.cue(2'000);
  cue[3] = cue[3] == 'A' ? 'B' : 'A';
  report("ann", cue);
  EXPECT_EQ(of("ann").last("error")["code"].as_int(), rig::number(Code::kCueForged));
  open_timed();
  for (int i = 0; i < 6; ++i) {
    report("ann", cue);
    stage.run_ms(900);
  }
  EXPECT_EQ(state(), "closed");
  EXPECT_GE(stage.edges[0]->metrics().forged_cues, 7u);
}

TEST_F(LateVotesTest, TheCastHasNoAllowance) {
  for (int i = 0; i < 5; ++i) {
    report("gil", stage.cue(2'000));
    stage.run_ms(1'000);
  }
  open_timed();
  stage.run_ms(5'300);
  EXPECT_EQ(state(), "closed");
}

TEST_F(LateVotesTest, WhoLeavesIsNotWaitedFor) {
  watch("ann", 2'500, 4'000);
  open_timed();
  stage.run_ms(5'200);
  EXPECT_EQ(state(), "closing");
  stage.hang_up("ann");
  stage.run_ms(300);
  EXPECT_EQ(state(), "closed");
}

TEST_F(LateVotesTest, HowViewersWatchIsToldToTheProducer) {
  watch("ann", 2'000, 1'000);
  stage.send("ben", R"({"t":"watch","mode":"rtc"})");
  stage.run_ms(2'100);
  const Json slo = of("pia").last("slo");
  EXPECT_EQ(slo["watching"]["llhls"].as_int(), 1);
  EXPECT_EQ(slo["watching"]["rtc"].as_int(), 1);
  stage.hang_up("ann");
  stage.run_ms(2'100);
  EXPECT_EQ(of("pia").last("slo")["watching"]["llhls"].as_int(), 0);
}

}  // namespace
}  // namespace footlight::edge
