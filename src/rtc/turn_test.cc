#include "rtc/turn.h"

#include <gtest/gtest.h>

#include <array>

namespace footlight::rtc {
namespace {

constexpr uint16_t kRealm = 0x0014, kNonce = 0x0015, kRelayed = 0x0016;

struct CountingEntropy final : Entropy {
  uint8_t next = 1;
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = next++;
  }
};

// A relay that knows the secret and answers as RFC 8656 says.
struct FakeRelay {
  std::string secret = "s3cret", realm = "example", nonce = "n1";
  uint16_t refuse = 0;  // this code instead of an allocation
  bool wrong_key = false;
  int allocations = 0, freed = 0;

  Bytes answer(ByteView question) {
    StunView view;
    EXPECT_TRUE(parse_stun(question, view));
    std::array<uint8_t, kStunMaxBytes> buffer;
    const auto error = [&](uint16_t code, bool challenge) {
      StunWriter writer(buffer, StunType::kAllocateError, view.transaction);
      writer.error(code);
      if (challenge) {
        writer.other(kRealm, as_bytes(realm));
        writer.other(kNonce, as_bytes(nonce));
      }
      const ByteView out = writer.finish();
      return Bytes(out.begin(), out.end());
    };
    if (view.username.empty()) return error(401, true);
    const size_t colon = view.username.find(':');
    const auto expires = std::stoll(std::string(view.username.substr(0, colon)));
    const auto own = turn_credentials(secret, view.username.substr(colon + 1), expires);
    if (as_text(*stun_attribute(view, kNonce)) != nonce) return error(438, true);
    if (!check_stun_integrity(view, key_of(own))) return error(401, true);
    if (view.type == StunType::kRefreshRequest) {
      ++freed;
      return {};
    }
    if (refuse) return error(refuse, false);
    ++allocations;
    StunWriter writer(buffer, StunType::kAllocateResponse, view.transaction);
    const std::array<uint8_t, 8> address{0,          1,    0x21 ^ 0x13, 0x12 ^ 0x88,
                                         0x21 ^ 192, 0x12, 0xA4 ^ 2,    0x42 ^ 1};
    writer.other(kRelayed, address);
    writer.integrity(wrong_key ? "nonsense" : key_of(own));
    const ByteView out = writer.finish();
    return Bytes(out.begin(), out.end());
  }
  std::string key_of(const TurnCredentials& of) const { return turn_key(of, realm); }
};

struct Probe : testing::Test {
  CountingEntropy entropy;
  FakeRelay relay;
  MonoUs now = 1'000'000;
  TurnProbe probe{turn_credentials("s3cret", "ann", 1'700'000'000), entropy};

  void run(int turns = 10) {
    Bytes question;
    for (int i = 0; i < turns && probe.next_datagram(question); ++i) {
      now += 5'000;
      const Bytes answer = relay.answer(question);
      if (!answer.empty()) probe.receive(answer, now);
    }
  }
};

TEST(TurnCredentialsTest, AreWhatTheSchemeSays) {
  // printf '1700000000:ann' | openssl dgst -sha1 -hmac s3cret -binary | base64
  const auto made = turn_credentials("s3cret", "ann", 1'700'000'000);
  EXPECT_EQ(made.username, "1700000000:ann");
  EXPECT_EQ(made.password, "9MJXTF8Z3v/cXBRbdulDh53bUrU=");
  // printf '1700000000:ann:example:PASSWORD' | md5sum
  EXPECT_EQ(to_hex(as_bytes(turn_key(made, "example"))), "a591ff9e4b6c8646fb98d5617e9f8229");
}

TEST_F(Probe, AnAllocationIsMadeAndGivenBack) {
  probe.start(now);
  run();
  ASSERT_TRUE(probe.done());
  EXPECT_TRUE(probe.verdict()) << probe.verdict().error().message();
  EXPECT_EQ(relay.allocations, 1);
  EXPECT_EQ(relay.freed, 1);
  EXPECT_EQ(probe.round_trip(), 5'000);
  ASSERT_TRUE(probe.relayed());
  EXPECT_EQ(to_string(*probe.relayed()), "192.0.2.1:5000");
}

TEST_F(Probe, AnotherSecretAFullRelayAndAForgedSuccessAreNotTaken) {
  relay.secret = "another";
  probe.start(now);
  run();
  EXPECT_EQ(probe.verdict().error().code, Code::kRelayRefused);
  EXPECT_NE(probe.verdict().error().detail.find("401"), std::string::npos);

  FakeRelay full;
  full.refuse = 486;
  relay = full;
  TurnProbe second(turn_credentials("s3cret", "ann", 1'700'000'000), entropy);
  second.start(now);
  Bytes question;
  while (second.next_datagram(question)) second.receive(relay.answer(question), now);
  EXPECT_NE(second.verdict().error().detail.find("full"), std::string::npos);

  FakeRelay forger;
  forger.wrong_key = true;
  relay = forger;
  TurnProbe third(turn_credentials("s3cret", "ann", 1'700'000'000), entropy);
  third.start(now);
  while (third.next_datagram(question)) third.receive(relay.answer(question), now);
  EXPECT_FALSE(third.done());
}

TEST_F(Probe, ANonceThatIsStaleIsTakenFreshOnce) {
  probe.start(now);
  Bytes question;
  ASSERT_TRUE(probe.next_datagram(question));
  probe.receive(relay.answer(question), now);
  relay.nonce = "n2";
  run();
  EXPECT_TRUE(probe.done() && probe.verdict());
}

TEST_F(Probe, SilenceIsAskedAgainAndThenGivenUp) {
  probe.start(now);
  const MonoUs began = now;
  int sent = 0;
  Bytes question;
  while (!probe.done()) {
    while (probe.next_datagram(question)) ++sent;
    ASSERT_NE(probe.deadline(), kNever);
    now = probe.deadline();
    probe.on_deadline(now);
  }
  EXPECT_EQ(sent, 3);
  EXPECT_EQ(now - began, TurnProbe::kPatience);
  EXPECT_EQ(probe.verdict().error().code, Code::kRelaySilent);
  EXPECT_EQ(probe.deadline(), kNever);
}

TEST_F(Probe, WhatDoesNotAnswerTheQuestionIsPassedOver) {
  probe.start(now);
  Bytes question;
  ASSERT_TRUE(probe.next_datagram(question));
  Bytes answer = relay.answer(question);
  Bytes other = answer;
  other[10] ^= 1;  // another transaction, and the fingerprint is wrong with it
  probe.receive(other, now);
  probe.receive(question, now);
  probe.receive({}, now);
  EXPECT_FALSE(probe.next_datagram(question));
  probe.receive(answer, now);
  run();
  EXPECT_TRUE(probe.done() && probe.verdict());
}

}  // namespace
}  // namespace footlight::rtc
