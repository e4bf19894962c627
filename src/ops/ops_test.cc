#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "ops/doctor.h"
#include "ops/show.h"

namespace footlight::ops {
namespace {

struct Sent final : Wire {
  std::multimap<uint32_t, std::string> frames;
  std::vector<uint32_t> reopened;
  void send(uint32_t client, std::string_view text) override { frames.emplace(client, text); }
  void reopen(uint32_t client, uint32_t) override { reopened.push_back(client); }
};

std::string token_of(const Identity& who) { return "token-of-" + who.sub; }

std::string welcome(std::string_view view) {
  proto::Welcome message;
  message.epoch = 1;
  message.offset = 1;
  message.view = view;
  message.me = "{}";
  message.sid = "s";
  message.edge = "e";
  message.episode = "demo";
  message.name = "n";
  message.build = "b";
  return proto::encoded(message);
}

constexpr std::string_view kView =
    R"({"episode":{"state":{"state":"live","emotes":["heart"]}},"polls":{},"cues":{},"characters":{}})";

TEST(FrameType, tells_frames_apart_by_their_first_bytes) {
  EXPECT_EQ(frame_type(R"({"t":"tally","poll":"x"})"), FrameType::kTally);
  EXPECT_EQ(frame_type(proto::encoded(proto::Ack{})), FrameType::kAck);
  EXPECT_EQ(frame_type(R"({"t":"something"})"), FrameType::kOther);
  EXPECT_EQ(frame_type(""), FrameType::kOther);
}

TEST(Client, resends_all_that_is_pending_in_order_in_frames_of_at_most_64) {
  Client client("t", proto::Role::kViewer, 7);
  for (int i = 0; i < 130; ++i) client.add(proto::Kind::kChatSay, R"({"text":"x"})", i);
  PendingEvent event;
  EXPECT_TRUE(client.take(1, event));
  EXPECT_FALSE(client.take(1, event)) << "confirmed twice";
  proto::ClientDecoder decoder;
  uint64_t expected = 2;
  for (const std::string& frame : client.resend()) {
    auto message = decoder.decode(frame);
    ASSERT_TRUE(message.has_value());
    for (const auto& sent : std::get<proto::EventBatch>(*message).events)
      EXPECT_EQ(sent.i, expected++);
  }
  EXPECT_EQ(expected, 131u);
}

class ShowTest : public ::testing::Test {
 protected:
  ShowTest() : show_({.cast = 1, .audience = 3, .seconds = 5}, token_of, wire_) {
    for (uint32_t k = 0; k < show_.clients(); ++k) {
      show_.on_open(k, 1000);
      show_.on_text(k, welcome(kView), 2000);
    }
  }
  Sent wire_;
  Show show_;
};

TEST_F(ShowTest, measures_a_command_from_click_to_confirmed) {
  wire_.frames.clear();
  MonoUs now_us = 10'000;
  while (wire_.frames.count(1) == 0) show_.on_time(now_us += 10'000);
  show_.on_text(1, R"({"t":"ack","confirmed":[{"i":1,"log":5}]})", now_us + 7'000);
  const Report report = show_.report(now_us);
  const auto& command = report.classes[2];
  ASSERT_EQ(command.budget.name, "command");
  EXPECT_EQ(command.us.count(), 1u);
  EXPECT_EQ(command.us.max(), 7'000u);
  EXPECT_FALSE(report.holds()) << "a class without samples holds nothing";
}

TEST_F(ShowTest, gives_up_with_the_reason_when_a_token_is_refused) {
  show_.on_closed(0, 4102, 5000);
  EXPECT_TRUE(show_.done());
  EXPECT_NE(show_.failure().find("4102"), std::string::npos);
}

TEST_F(ShowTest, connects_again_and_sends_the_outbox_when_a_connection_breaks) {
  MonoUs now_us = 10'000;
  wire_.frames.clear();
  while (wire_.frames.count(1) == 0) show_.on_time(now_us += 10'000);
  const std::string first = wire_.frames.find(1)->second;
  show_.on_closed(1, 0, now_us);
  ASSERT_EQ(wire_.reopened, std::vector<uint32_t>{1});
  wire_.frames.clear();
  show_.on_open(1, now_us);
  show_.on_text(1, welcome(kView), now_us);
  ASSERT_EQ(wire_.frames.count(1), 2u);
  EXPECT_NE(wire_.frames.find(1)->second.find("hello"), std::string::npos);
  EXPECT_EQ(std::next(wire_.frames.find(1))->second, first);
}

TEST_F(ShowTest, sends_again_no_sooner_than_the_server_said) {
  MonoUs now_us = 10'000;
  wire_.frames.clear();
  while (wire_.frames.count(1) == 0) show_.on_time(now_us += 10'000);
  const std::string first = wire_.frames.find(1)->second;
  const std::string refusal =
      R"({"t":"ack","rejected":[{"i":1,"code":4201,"message":"","retry_after_ms":300}]})";
  wire_.frames.clear();
  show_.on_text(1, refusal, now_us);
  show_.on_time(now_us + 299'000);
  const auto times = [&] {
    const auto [from, to] = wire_.frames.equal_range(1);
    return std::count_if(from, to, [&](const auto& frame) { return frame.second == first; });
  };
  EXPECT_EQ(times(), 0) << "the refused event was sent again at once";
  show_.on_time(now_us + 300'000);
  EXPECT_EQ(times(), 1);
}

TEST_F(ShowTest, tells_the_server_what_was_measured_for_the_console) {
  MonoUs now_us = 10'000;
  wire_.frames.clear();
  while (wire_.frames.count(1) == 0) show_.on_time(now_us += 10'000);
  show_.on_text(1, R"({"t":"ack","confirmed":[{"i":1,"log":5}]})", now_us + 7'000);
  wire_.frames.clear();
  for (int tick = 0; tick < 200; ++tick) show_.on_time(now_us += 10'000);
  const std::string expected = R"({"t":"lat","m":[["command",7]]})";
  const auto [from, to] = wire_.frames.equal_range(0);
  EXPECT_EQ(std::count_if(from, to, [&](const auto& frame) { return frame.second == expected; }),
            1);
}

TEST_F(ShowTest, gives_up_with_the_reason_when_the_episode_is_halted) {
  show_.on_text(2, R"({"t":"mode","mode":"halted","code":4604,"message":"The disk is full."})",
                5000);
  EXPECT_TRUE(show_.done());
  EXPECT_NE(show_.failure().find("4604 The disk is full."), std::string::npos);
}

TEST(Report, breaks_when_a_promise_or_a_budget_does) {
  Report report;
  for (const Budget& budget : budgets()) report.of(budget.name).us.record(1000);
  EXPECT_TRUE(report.holds());
  report.promises.push_back({"events confirmed", 10, 9});
  EXPECT_FALSE(report.holds());
  report.promises.clear();
  report.of("reconcile").us.record(2'500'000);
  EXPECT_FALSE(report.holds()) << "never over 2 s";
}

TEST(Doctor, says_what_to_do_about_too_few_descriptors_and_a_bad_certificate) {
  const Finding few = check_descriptors(1'000'000'000);
  EXPECT_EQ(few.health, Health::kBad);
  EXPECT_NE(few.advice.find("ulimit"), std::string::npos);
  EXPECT_EQ(check_certificate("/dev/null", 0).health, Health::kBad);
}

TEST(Doctor, tells_a_data_directory_that_cannot_be_written) {
  EXPECT_EQ(check_disk_sync("/dev/null").health, Health::kBad);
  const Finding later = check_disk_sync(testing::TempDir() + "nowhere/at/all");
  EXPECT_EQ(later.health, Health::kWarning);
  EXPECT_NE(later.found.find("syncs"), std::string::npos) << "the disk it will be on was not tried";
  const Finding never = check_disk_sync("/proc/self/nowhere");
  EXPECT_EQ(never.health, Health::kBad) << "serve could not make it";
  EXPECT_NE(never.advice.find("/proc/self"), std::string::npos);
}

}  // namespace
}  // namespace footlight::ops
