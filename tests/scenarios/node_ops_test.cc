// A whole node and the operator's commands: load, doctor.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "node_support.h"
#include "ops/doctor.h"
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

TEST(Doctor, tells_a_port_that_is_taken_by_either_transport) {
  for (const auto transport : {ops::Transport::kTcp, ops::Transport::kUdp}) {
    const bool tcp = transport == ops::Transport::kTcp;
    const int holder = ::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(holder, reinterpret_cast<const sockaddr*>(&address), size), 0);
    if (tcp) ASSERT_EQ(::listen(holder, 1), 0);
    ::getsockname(holder, reinterpret_cast<sockaddr*>(&address), &size);
    const ops::Finding taken = ops::check_port(transport, ntohs(address.sin_port));
    EXPECT_EQ(taken.health, ops::Health::kBad) << taken.what;
    EXPECT_NE(taken.advice, "");
    ::close(holder);
    EXPECT_EQ(ops::check_port(transport, ntohs(address.sin_port)).health, ops::Health::kGood)
        << taken.what;
  }
}

}  // namespace
}  // namespace footlight::edge
