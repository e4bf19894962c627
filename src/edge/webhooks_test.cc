#include "edge/webhooks.h"

#include "edge/internal/test_rig.h"

namespace footlight::edge {
namespace {

struct Fixture {
  rig::TestClock clock;
  rig::TestEntropy entropy;
  WebhookOptions options;

  Fixture() {
    options.clock = &clock;
    options.entropy = &entropy;
    options.endpoints = {{"https://a.example/hook", Bytes(24, 7), {}}};
  }
};

WebhookEvent closed(uint64_t log) {
  return {"poll.closed", "demo", log, 1'764'000'000'123, R"({"poll":"fork"})"};
}

// The example of the Standard Webhooks specification's reference libraries.
TEST(WebhookSignature, IsThatOfStandardWebhooks) {
  Bytes secret;
  // base64 of whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
  ASSERT_TRUE(from_hex("31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0", secret));
  EXPECT_EQ(webhook_signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                              R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Webhooks, ADeliveryIsSignedAndNamesItsEvent) {
  Fixture f;
  Webhooks hooks(f.options);
  hooks.post(closed(12));
  const auto request = hooks.next();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->url, "https://a.example/hook");
  std::map<std::string, std::string> headers(request->headers.begin(), request->headers.end());
  EXPECT_EQ(headers["webhook-id"], "demo.12.poll.closed");
  EXPECT_EQ(headers["webhook-timestamp"], std::to_string(f.clock.wall_ms() / 1000));
  EXPECT_EQ(headers["webhook-signature"],
            webhook_signature(Bytes(24, 7), headers["webhook-id"], f.clock.wall_ms() / 1000,
                              request->body));
  EXPECT_EQ(request->body,
            R"({"type":"poll.closed","timestamp_ms":1764000000123,"episode":"demo","log":12,)"
            R"("data":{"poll":"fork"}})");
  EXPECT_FALSE(hooks.next()) << "it is on its way";
  hooks.on_result(request->delivery, 204, 0);
  EXPECT_EQ(hooks.counters().delivered, 1u);
  EXPECT_EQ(hooks.counters().waiting, 0u);
  EXPECT_EQ(hooks.next_due_us(), kNever);
}

TEST(Webhooks, AFailureIsTriedAgainLaterAndLaterThenCountedAsDead) {
  Fixture f;
  f.options.attempts_max = 6;
  Webhooks hooks(f.options);
  hooks.post(closed(1));
  for (uint32_t attempt = 1; attempt <= 6; ++attempt) {
    f.clock.us = std::max(f.clock.us, hooks.next_due_us());
    const auto request = hooks.next();
    ASSERT_TRUE(request) << attempt;
    hooks.on_result(request->delivery, attempt % 2 == 0 ? 500 : 0, 0);
    if (attempt == 6) break;
    const MonoUs wait_us = hooks.next_due_us() - f.clock.us;
    EXPECT_GE(wait_us, 0);
    EXPECT_LE(wait_us, (1'000 << (attempt - 1)) * kUsPerMs);
  }
  EXPECT_EQ(hooks.counters().failed, 6u);
  EXPECT_EQ(hooks.counters().dead, 1u);
  EXPECT_EQ(hooks.counters().waiting, 0u);
}

TEST(Webhooks, TheReceiversRetryAfterIsKept) {
  Fixture f;
  Webhooks hooks(f.options);
  hooks.post(closed(1));
  hooks.on_result(hooks.next()->delivery, 429, 120);
  EXPECT_GE(hooks.next_due_us() - f.clock.us, 120 * kUsPerSecond);
}

TEST(Webhooks, GoneMeansNeverAgain) {
  Fixture f;
  Webhooks hooks(f.options);
  hooks.post(closed(1));
  hooks.on_result(hooks.next()->delivery, 410, 0);
  EXPECT_EQ(hooks.counters().dead, 1u);
  EXPECT_EQ(hooks.next_due_us(), kNever);
}

TEST(Webhooks, AnEndpointGetsOnlyTheTypesItAskedFor) {
  Fixture f;
  f.options.endpoints = {{"https://a.example/", Bytes(24, 7), {"episode.ended"}},
                         {"https://b.example/", Bytes(24, 8), {"poll.closed"}}};
  Webhooks hooks(f.options);
  hooks.post(closed(1));
  const auto request = hooks.next();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->url, "https://b.example/");
  EXPECT_FALSE(hooks.next());
}

TEST(Webhooks, TheQueueIsBoundedAndTheOldestGivesWay) {
  Fixture f;
  f.options.queue_max = 3;
  Webhooks hooks(f.options);
  for (uint64_t i = 1; i <= 5; ++i) hooks.post(closed(i));
  EXPECT_EQ(hooks.counters().waiting, 3u);
  EXPECT_EQ(hooks.counters().dead, 2u);
  EXPECT_NE(hooks.next()->body.find("\"log\":3"), std::string::npos);
}

TEST(Webhooks, AtMostSoManyAreOnTheirWayAtOnce) {
  Fixture f;
  f.options.in_flight_max = 2;
  Webhooks hooks(f.options);
  for (uint64_t i = 1; i <= 3; ++i) hooks.post(closed(i));
  const auto first = hooks.next();
  ASSERT_TRUE(first);
  ASSERT_TRUE(hooks.next());
  EXPECT_FALSE(hooks.next());
  hooks.on_result(first->delivery, 200, 0);
  EXPECT_TRUE(hooks.next());
}

TEST(Webhooks, AnAttemptWhoseResultIsNeverReportedIsTriedAgain) {
  Fixture f;
  Webhooks hooks(f.options);
  hooks.post(closed(1));
  const auto first = hooks.next();
  f.clock.us += 61 * kUsPerSecond;
  (void)hooks.next();  // notices
  f.clock.us = std::max(f.clock.us, hooks.next_due_us());
  const auto second = hooks.next();
  hooks.on_result(first->delivery, 0, 0);
  EXPECT_GE(hooks.counters().failed, 1u);
  EXPECT_TRUE(second || hooks.counters().waiting == 1);
}

}  // namespace
}  // namespace footlight::edge
