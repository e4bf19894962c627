// The golden vectors (golden/admission.json, by wasm/golden_test.cc) give exact verdicts; these
// tests are about crowds.
#include "gate/admission.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace footlight::gate {
namespace {

constexpr MonoUs kSecond = kUsPerSecond;

struct Person {
  ConnectionBuckets buckets;
  uint64_t who = 0;
};

Subject subject_of(Person& person, EpisodeBuckets& episode, const IpPrefix& prefix,
                   proto::Role role = proto::Role::kViewer) {
  return {.connection = &person.buckets,
          .episode = &episode,
          .who = person.who,
          .prefix = prefix,
          .role = role};
}

IpPrefix ip(std::string_view text) { return *parse_ip_prefix(text); }

TEST(Admission, AHundredThousandTokensFromOnePrefixAreOnePrefix) {
  const AdmissionLimits limits;
  Admission admission(limits, 1);
  EpisodeBuckets episode;
  const IpPrefix attacker = ip("198.51.100.7");
  std::vector<Person> accounts(100'000);
  int64_t admitted = 0;
  for (int second = 0; second < 3; ++second) {
    for (size_t i = 0; i < accounts.size(); ++i) {
      accounts[i].who = 1 + i;
      const auto now = second * kSecond + static_cast<MonoUs>(i) * kSecond / 100'000;
      const Verdict verdict =
          admission.admit(EventClass::kVote, subject_of(accounts[i], episode, attacker), 1, now);
      admitted += verdict.ok() ? 1 : 0;
      if (!verdict.ok()) {
        ASSERT_EQ(verdict.code, Code::kRatePrefix);
        ASSERT_GT(verdict.retry_after_ms, 0u);
      }
    }
  }
  const int64_t allowed =
      limits.vote.prefix.burst + 3 * kNsPerSecond / limits.vote.prefix.interval_ns;
  EXPECT_LE(admitted, allowed);
  EXPECT_GE(admitted, allowed - 10);
  Person neighbour{.who = 0xbeef};  // costs nobody else
  EXPECT_TRUE(admission
                  .admit(EventClass::kVote, subject_of(neighbour, episode, ip("198.51.101.7")), 1,
                         3 * kSecond)
                  .ok());
}

TEST(Admission, MillionsOfPrefixesNeedNoMoreMemoryAndGetNoMoreEach) {
  AdmissionLimits limits;
  limits.table_sets = 1 << 10;
  Admission admission(limits, 1);
  uint64_t admitted = 0;
  const uint64_t prefixes = 2'000'000;
  for (uint64_t i = 0; i < prefixes; ++i) {
    const IpPrefix prefix{.bits = (0x20010db800000000ULL + i) << 8, .v6 = true};
    admitted += admission.admit_connection(prefix, static_cast<MonoUs>(i)).ok() ? 1u : 0u;
  }
  // One connection each, at 1M/s for two seconds: each bucket is full again after 5 ms, so nearly
  // all fit.
  EXPECT_GT(admitted, prefixes * 9 / 10);
}

TEST(Admission, AFlashCrowdIsLetInAtItsRateAndSpreadOut) {
  AdmissionLimits limits;
  limits.join.episode = Rate::per_second(1'000, 2'000);
  Admission admission(limits, 1);
  EpisodeBuckets episode;
  struct Viewer {
    Person person;
    MonoUs back_us = 0;
    int refusals = 0;
  };
  std::vector<Viewer> crowd(20'000);
  for (size_t i = 0; i < crowd.size(); ++i) {
    crowd[i].person.who = 1 + i;
    crowd[i].back_us = static_cast<MonoUs>(i) * 25;  // all within half a second
  }
  std::vector<Viewer*> waiting;
  for (Viewer& viewer : crowd) waiting.push_back(&viewer);
  std::vector<int64_t> joined_in_second(60, 0);
  const auto later = [](const Viewer* a, const Viewer* b) { return a->back_us > b->back_us; };
  std::make_heap(waiting.begin(), waiting.end(), later);
  while (!waiting.empty()) {
    std::pop_heap(waiting.begin(), waiting.end(), later);
    Viewer* viewer = waiting.back();
    waiting.pop_back();
    const MonoUs now = viewer->back_us;
    const Verdict verdict =
        admission.admit_join(subject_of(viewer->person, episode, ip("192.0.2.1")), now);
    if (verdict.ok()) {
      ++joined_in_second[static_cast<size_t>(now / kSecond)];
      continue;
    }
    ASSERT_EQ(verdict.code, Code::kJoinPaced);
    ASSERT_LT(++viewer->refusals, 4) << "who keeps the time given gets in";
    viewer->back_us = now + verdict.retry_after_ms * kUsPerMs;
    waiting.push_back(viewer);
    std::push_heap(waiting.begin(), waiting.end(), later);
  }
  EXPECT_LE(joined_in_second[0], 3'001);  // burst and one second's worth
  for (size_t s = 1; s < 18; ++s) {
    EXPECT_NEAR(static_cast<double>(joined_in_second[s]), 1'000.0, 60.0) << s;
  }
}

TEST(Admission, EveryRefusalSaysWhenToComeBack) {
  AdmissionLimits limits;
  limits.max_retry_after_ms = 5'000;
  Admission admission(limits, 9);
  EpisodeBuckets episode;
  Prng prng(4);
  std::vector<Person> people(50);
  for (size_t i = 0; i < people.size(); ++i) people[i].who = 1 + i;
  int refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto event = static_cast<EventClass>(prng.below(kEventClassCount));
    const auto role = static_cast<proto::Role>(prng.below(4));
    Person& person = people[prng.below(people.size())];
    const Verdict verdict =
        admission.admit(event, subject_of(person, episode, ip("192.0.2.1"), role),
                        static_cast<uint32_t>(1 + prng.below(10)), i * 10);
    if (verdict.ok()) {
      EXPECT_EQ(verdict.retry_after_ms, 0u);
      EXPECT_FALSE(verdict.cut);
      continue;
    }
    ++refused;
    ASSERT_GT(verdict.retry_after_ms, 0u);
    ASSERT_LE(verdict.retry_after_ms, 5'000u);
  }
  EXPECT_GT(refused, 1'000);
}

TEST(Admission, ARefusalChargesNoSharedBucket) {
  AdmissionLimits limits;
  limits.vote = {.connection = Rate::per_second(1, 1),
                 .voter = Rate::unlimited(),
                 .prefix = Rate::per_second(1, 3),
                 .episode = Rate::per_second(1, 3)};
  Admission admission(limits, 1);
  EpisodeBuckets episode;
  Person greedy{.who = 1}, modest{.who = 2};
  const auto vote = [&](Person& person) {
    return admission.admit(EventClass::kVote, subject_of(person, episode, ip("192.0.2.1")), 1, 0);
  };
  EXPECT_TRUE(vote(greedy).ok());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(vote(greedy).code, Code::kRateConnection);
  EXPECT_TRUE(vote(modest).ok());
}

TEST(Admission, AnEventsClassFollowsFromItsKind) {
  EXPECT_EQ(event_class(proto::Kind::kPollVote), EventClass::kVote);
  EXPECT_EQ(event_class(proto::Kind::kEmote), EventClass::kEmote);
  EXPECT_EQ(event_class(proto::Kind::kChatSay), EventClass::kChat);
  EXPECT_EQ(event_class(proto::Kind::kCaptionSay), EventClass::kChat);
  EXPECT_EQ(event_class(proto::Kind::kCaptionTakeBack), EventClass::kChat);
  EXPECT_EQ(event_class(proto::Kind::kDiceRoll), EventClass::kCommand);
  EXPECT_EQ(event_class(proto::Kind::kEpisodeEnd), EventClass::kCommand);
  EXPECT_EQ(event_class(proto::Kind::kUnknown), EventClass::kControl);
}

TEST(Admission, TheSameSeedGivesTheSameVerdicts) {
  AdmissionLimits limits;
  limits.join.prefix = Rate::per_second(1, 1);
  Admission a(limits, 5), b(limits, 5);
  for (int i = 0; i < 100; ++i) {
    const Verdict x = a.admit_connection(ip("192.0.2.1"), i);
    const Verdict y = b.admit_connection(ip("192.0.2.1"), i);
    EXPECT_EQ(x.code, y.code);
    EXPECT_EQ(x.retry_after_ms, y.retry_after_ms);
  }
}

}  // namespace
}  // namespace footlight::gate
