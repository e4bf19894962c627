// Load on a whole node: what `footlight load` promises of runs at the same time.
#include <future>

#include "node_support.h"
#include "ops/load.h"

namespace footlight::edge {
namespace {

TEST_F(NodeTest, loads_that_run_at_once_add_up) {
  start();
  const auto one = [this] {
    ops::LoadOptions options;
    options.url = node_->url();
    options.connections = 20;
    options.votes_per_s = 200;
    options.seconds = 1;
    const std::atomic<bool> stop = false;
    return ops::run_load(
        options, [](const ops::Identity& who) { return token_of(who.sub, who.role); },
        [](const ops::Progress&) {}, stop);
  };
  auto other = std::async(std::launch::async, one);
  const auto first = one();
  const auto second = other.get();
  for (const auto& report : {first, second}) {
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->connections, 21u);
    EXPECT_EQ(report->lost_connections, 0u) << "one run took the sessions of the other";
    EXPECT_GT(report->ballots_confirmed, 0u);
    EXPECT_EQ(report->final_voters, 20u);
  }
}

TEST_F(NodeTest, a_load_that_cannot_begin_says_why_and_does_not_knock_again) {
  start();
  ops::LoadOptions options;
  options.url = node_->url();
  options.connections = 20;
  const std::atomic<bool> stop = false;
  const auto run = [&](const std::string& episode) {
    return ops::run_load(
        options, [&](const ops::Identity& who) { return token_of(who.sub, who.role, episode); },
        [](const ops::Progress&) {}, stop);
  };
  const auto unknown = run("nosuch");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kUnreachable);
  EXPECT_THAT(unknown.error().message(), testing::HasSubstr("4300"));
  EXPECT_THAT(call("GET", "/metrics").body,
              testing::HasSubstr("\nfootlight_sessions_refused_total 21\n"));
  options.connections = 1'000'000'000;
  const auto many = run("demo");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Code::kFileDescriptors);
}

}  // namespace
}  // namespace footlight::edge
