#include "rtc/ice.h"

#include <gtest/gtest.h>

#include <array>

#include "core/prng.h"

namespace footlight::rtc {
namespace {

class SeededEntropy : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next());
  }

 private:
  Prng prng_{7};
};

struct Check {
  std::string ufrag, password;
  std::string remote = "peer";
  bool nominate = false;
  bool controlled = false;
};

class IceTest : public testing::Test {
 protected:
  Path path(uint16_t port) const { return {Address::v4(192, 0, 2, 1, port), 0, false}; }
  Check check_for(IceSession session) {
    return {agent_.local(session).ufrag, agent_.local(session).password};
  }
  IceOutcome send(const Path& path, const Check& check, MonoUs now = 0) {
    StunWriter writer(question_, StunType::kBindingRequest, {1, 2, 3});
    writer.username(check.ufrag + ":" + check.remote);
    writer.priority(1);
    check.controlled ? writer.controlled(1) : writer.controlling(1);
    if (check.nominate) writer.use_candidate();
    writer.integrity(check.password);
    asked_ = writer.finish();
    return agent_.on_stun(path, asked_, now, reply_);
  }
  uint16_t error_of(const IceOutcome& outcome) {
    StunView view;
    if (outcome.reply.empty() || !parse_stun(outcome.reply, view)) return 0;
    return view.error_code;
  }

  SeededEntropy entropy_;
  IceLite agent_{entropy_, 3};
  std::array<uint8_t, 600> question_;
  std::array<uint8_t, IceLite::kReplyBytes> reply_;
  ByteView asked_;
};

TEST_F(IceTest, AValidCheckIsAnsweredAndItsPathBelongsToTheSession) {
  const IceSession session = *agent_.open(0);
  EXPECT_EQ(agent_.selected(session), nullptr);
  EXPECT_FALSE(agent_.session_of(path(1)));
  const IceOutcome outcome = send(path(1), check_for(session));
  EXPECT_EQ(outcome.session, session);
  EXPECT_TRUE(outcome.selected_changed);
  StunView view;
  ASSERT_TRUE(parse_stun(outcome.reply, view));
  EXPECT_EQ(view.type, StunType::kBindingResponse);
  EXPECT_EQ(*view.mapped, path(1).remote);
  EXPECT_TRUE(check_stun_integrity(view, agent_.local(session).password));
  EXPECT_EQ(agent_.session_of(path(1)), session);
  EXPECT_EQ(*agent_.selected(session), path(1));
}

TEST_F(IceTest, SessionsBehindOnePortAreToldApartByTheirFragment) {
  const IceSession first = *agent_.open(0), second = *agent_.open(0);
  EXPECT_EQ(send(path(1), check_for(first)).session, first);
  EXPECT_EQ(send(path(2), check_for(second)).session, second);
  EXPECT_EQ(agent_.session_of(path(1)), first);
  EXPECT_EQ(agent_.session_of(path(2)), second);
  // An address that another peer got later goes with the later one.
  EXPECT_EQ(send(path(1), check_for(second)).session, second);
  EXPECT_EQ(agent_.session_of(path(1)), second);
  EXPECT_EQ(agent_.selected(first), nullptr);
}

TEST_F(IceTest, StrangersGetNoSessionAndNoLargerAnswer) {
  const IceSession session = *agent_.open(0);
  agent_.set_remote_ufrag(session, "peer");
  Check wrong_password = check_for(session);
  wrong_password.password = "wrong-password-wrong-password";
  Check wrong_name = check_for(session);
  wrong_name.ufrag = "nobody12";
  Check wrong_peer = check_for(session);
  wrong_peer.remote = "else";
  for (const auto& check : {wrong_password, wrong_name, wrong_peer}) {
    const IceOutcome outcome = send(path(1), check);
    EXPECT_FALSE(outcome.session);
    EXPECT_EQ(error_of(outcome), 401);
    EXPECT_LE(outcome.reply.size(), asked_.size());
  }
  EXPECT_FALSE(agent_.session_of(path(1)));
  EXPECT_EQ(agent_.stats().bad_credentials, 2u);

  // The smallest request there can be.
  StunWriter writer(question_, StunType::kBindingRequest, {});
  const ByteView bare = writer.finish();
  EXPECT_TRUE(agent_.on_stun(path(1), bare, 0, reply_).reply.empty());
}

TEST_F(IceTest, NoAnswerIsLargerThanItsQuestionEvenOverIpv6) {
  const IceSession session = *agent_.open(0);
  Path path6{{}, 0, false};
  path6.remote.v6 = true;
  path6.remote.port = 9;
  const IceOutcome outcome = send(path6, check_for(session));
  EXPECT_FALSE(outcome.reply.empty());
  EXPECT_LE(outcome.reply.size(), asked_.size());
}

TEST_F(IceTest, ANominationMovesTheSelectedPath) {
  const IceSession session = *agent_.open(0);
  Check check = check_for(session);
  send(path(1), check);
  EXPECT_FALSE(send(path(2), check).selected_changed);
  check.nominate = true;
  EXPECT_TRUE(send(path(2), check).selected_changed);
  EXPECT_EQ(*agent_.selected(session), path(2));
  EXPECT_FALSE(send(path(2), check).selected_changed);
}

TEST_F(IceTest, APeerThatWouldBeControlledToldOfTheConflict) {
  const IceSession session = *agent_.open(0);
  Check check = check_for(session);
  check.controlled = true;
  const IceOutcome outcome = send(path(1), check);
  EXPECT_FALSE(outcome.session);
  EXPECT_EQ(error_of(outcome), 487);
}

TEST_F(IceTest, ARestartKeepsTheOldCredentialsUntilTheNewOnesAreUsed) {
  const IceSession session = *agent_.open(0);
  const Check old = check_for(session);
  send(path(1), old);
  agent_.restart(session);
  const Check fresh = check_for(session);
  EXPECT_NE(old.ufrag, fresh.ufrag);
  EXPECT_EQ(send(path(1), old).session, session);
  EXPECT_EQ(*agent_.selected(session), path(1));
  Check nominated = fresh;
  nominated.nominate = true;
  EXPECT_EQ(send(path(2), nominated).session, session);
  EXPECT_EQ(*agent_.selected(session), path(2));
  EXPECT_FALSE(send(path(1), old).session);
}

TEST_F(IceTest, ASecondRestartBeforeTheFirstWasUsedKeepsWhatIsInUse) {
  const IceSession session = *agent_.open(0);
  const Check in_use = check_for(session);
  agent_.restart(session);
  const Check unused = check_for(session);
  agent_.restart(session);
  EXPECT_EQ(send(path(1), in_use).session, session);
  EXPECT_FALSE(send(path(1), unused).session);
  EXPECT_EQ(send(path(1), check_for(session)).session, session);
}

TEST_F(IceTest, ASessionThatHearsNothingLosesConsentAndEveryCheckRenewsIt) {
  const IceSession silent = *agent_.open(0), alive = *agent_.open(0);
  const Check check = check_for(alive);
  std::vector<IceSession> lost;
  for (MonoUs now = 0; now < 100 * kUsPerSecond; now += 5 * kUsPerSecond) {
    send(path(1), check, now);
    if (agent_.deadline() <= now) agent_.expire(now, lost);
    EXPECT_GT(agent_.deadline(), now);
  }
  EXPECT_EQ(lost, std::vector<IceSession>{silent});
  EXPECT_EQ(agent_.session_of(path(1)), alive);
  agent_.expire(200 * kUsPerSecond, lost);
  EXPECT_EQ(lost.back(), alive);
  EXPECT_FALSE(agent_.session_of(path(1)));
  EXPECT_EQ(agent_.deadline(), kNever);
}

TEST_F(IceTest, PathsAndSessionsAreBounded) {
  const IceSession session = *agent_.open(0);
  Check check = check_for(session);
  for (uint16_t port = 1; port <= 20; ++port) send(path(port), check, port);
  size_t known = 0;
  for (uint16_t port = 1; port <= 20; ++port) known += agent_.session_of(path(port)).has_value();
  EXPECT_EQ(known, IceLite::kMaxPaths);
  EXPECT_TRUE(agent_.session_of(path(1)));  // the selected one stays
  ASSERT_TRUE(agent_.open(0));
  ASSERT_TRUE(agent_.open(0));
  EXPECT_EQ(agent_.open(0).error().code, Code::kServerFull);
  agent_.close(session);
  EXPECT_FALSE(agent_.session_of(path(1)));
  EXPECT_TRUE(agent_.open(0));
}

TEST_F(IceTest, ALostConnectionHandsOverToAnotherPath) {
  const IceSession session = *agent_.open(0);
  const Path tcp{Address::v4(192, 0, 2, 1, 9), 4, true};
  Check check = check_for(session);
  send(tcp, check);
  send(path(1), check);
  EXPECT_EQ(*agent_.selected(session), tcp);
  agent_.forget_path(tcp);
  EXPECT_EQ(*agent_.selected(session), path(1));
  EXPECT_FALSE(agent_.session_of(tcp));
}

TEST(IceTcp, FramesComeOutTheSameHoweverTheStreamIsCut) {
  Bytes stream;
  std::vector<Bytes> frames;
  for (const size_t size : {1, 0, 300, 4096, 7}) {
    stream.push_back(static_cast<uint8_t>(size >> 8));
    stream.push_back(static_cast<uint8_t>(size));
    const Bytes body(size, static_cast<uint8_t>(size % 251));
    stream.insert(stream.end(), body.begin(), body.end());
    if (size) frames.push_back(body);
  }
  for (const size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{1000}, stream.size()}) {
    IceTcpReader reader;
    std::vector<Bytes> got;
    for (size_t at = 0; at < stream.size(); at += step) {
      ByteView in = ByteView(stream).subspan(at, std::min(step, stream.size() - at));
      ByteView frame;
      for (;;) {
        const auto more = reader.next(in, frame);
        ASSERT_TRUE(more);
        if (!*more) break;
        got.emplace_back(frame.begin(), frame.end());
      }
      EXPECT_TRUE(in.empty());
    }
    EXPECT_EQ(got, frames) << step;
  }
}

TEST(IceTcp, AFrameOverTheBoundEndsTheStream) {
  for (const size_t step : {1, 2}) {
    IceTcpReader reader;
    const Bytes stream{0x10, 0x01};
    Code code = Code::kOk;
    for (size_t at = 0; at < stream.size(); at += step) {
      ByteView in = ByteView(stream).subspan(at, step), frame;
      const auto more = reader.next(in, frame);
      if (!more) code = more.error().code;
    }
    EXPECT_EQ(code, Code::kIceFrame);
    ByteView in(stream), frame;
    EXPECT_FALSE(reader.next(in, frame));
  }
}

}  // namespace
}  // namespace footlight::rtc
