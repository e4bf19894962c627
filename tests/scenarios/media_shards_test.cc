// Voice and video of two shows on the shards of a whole node, and of one show on all of them, over
// UDP and TCP: clients come to whichever shard the kernel gives them to.
#include <cstdlib>
#include <set>

#include "net/asio/datagrams.h"
#include "node_support.h"
#include "ops/media_crowd.h"

namespace footlight::edge {
namespace {

class MediaShardsNode : public NodeTest {
 protected:
  NodeOptions two_shows() {
    NodeOptions made = options();
    made.episodes.push_back({"other", kDefinition});
    return made;
  }
  ops::MediaJoin join_of(const std::string& episode, const std::string& name, bool publishes,
                         bool tcp) {
    ops::MediaJoin join;
    const auto role = publishes ? proto::Role::kPlayer : proto::Role::kViewer;
    join.call = {node_->url() + (publishes ? "/v1/whip/" : "/v1/whep/") + episode,
                 token_of(name, role, episode), true};
    join.publishes = publishes;
    join.tcp = tcp;
    return join;
  }
  // One publishes and `watchers` watch in each show, until every one of them has a voice and
  // pictures.
  ops::CrowdReport talk(size_t watchers, bool tcp, const std::function<void()>& meanwhile,
                        const std::vector<std::string>& shows = {"demo", "other"}) {
    auto crowd = *ops::MediaCrowd::start();
    for (const std::string& episode : shows) {
      crowd->join(join_of(episode, "ann", true, tcp));
      for (size_t i = 0; i < watchers; ++i) {
        crowd->join(join_of(episode, "viewer" + std::to_string(i), false, tcp));
      }
    }
    const size_t people = shows.size() * (watchers + 1);
    ops::CrowdReport report;
    const MonoUs until = clock_.now_us() + 30 * kUsPerSecond;
    while (clock_.now_us() < until) {
      report = crowd->report();
      const bool all = report.connected == people && crowd->joining() == 0;
      if (all && report.watched.voice.packets >= people * 100) break;
    }
    meanwhile();
    crowd->close();
    return report;
  }
  // Of /metrics; the sum over its labels.
  double metric(const std::string& name) {
    const std::string page = call("GET", "/metrics").body;
    double sum = 0;
    for (size_t at = page.find("\n" + name); at != page.npos; at = page.find("\n" + name, at + 1)) {
      const size_t after = at + 1 + name.size();
      if (page[after] != ' ' && page[after] != '{') continue;
      sum += std::strtod(page.c_str() + page.find(' ', after), nullptr);
    }
    return sum;
  }
  // Metrics are counted each second.
  void await(const std::string& name, double least) {
    const MonoUs until = clock_.now_us() + 10 * kUsPerSecond;
    while (metric(name) < least) ASSERT_LT(clock_.now_us(), until) << name;
  }
  void await_none(const std::string& name) {
    const MonoUs until = clock_.now_us() + 10 * kUsPerSecond;
    while (metric(name) > 0) ASSERT_LT(clock_.now_us(), until) << name;
  }
  net::SystemClock clock_;
};

TEST_F(MediaShardsNode, TwoShowsAreSeenOverUdpWhicheverShardReceives) {
  start(two_shows());
  const ops::CrowdReport report = talk(8, false, [&] {
    // Of 18 clients at two shards some come to the wrong one, but for one in 10^5 runs.
    await("footlight_media_handed_over_total", 100);
    EXPECT_EQ(metric("footlight_media_publishers"), 2);
    EXPECT_EQ(metric("footlight_media_watchers"), 16);
    EXPECT_GE(metric("footlight_media_handover_paths"), 1);
    const auto producer = bearer(token_of("boss", proto::Role::kProducer, "other"));
    const auto figures = Json::parse(call("GET", "/v1/episodes/other/media", "", producer).body);
    ASSERT_TRUE(figures);
    EXPECT_EQ((*figures)["sessions"].items().size(), 9u);
  });
  EXPECT_EQ(report.connected, 18u) << report.first_error;
  EXPECT_EQ(report.lost_sessions, 0u);
  EXPECT_EQ(report.watched.voice.lost(), 0u);
  await("footlight_media_strangers_total", 0);
  EXPECT_EQ(complaints_, "");
}

TEST_F(MediaShardsNode, OverTcpAConnectionGoesToTheShardOfItsSession) {
  start(two_shows());
  const ops::CrowdReport report =
      talk(4, true, [&] { await("footlight_media_tcp_connections", 10); });
  EXPECT_EQ(report.connected, 10u) << report.first_error;
  EXPECT_EQ(report.lost_sessions, 0u);
}

TEST_F(MediaShardsNode, OneShowIsServedByAllShards) {
  NodeOptions made = options();
  made.config.media.spread_after = 0;
  start(std::move(made));
  const auto talked = [&](bool tcp) {
    return talk(11, tcp,
                [&] {
                  await("footlight_media_watchers", 11);
                  await("footlight_media_copied_total", 100);
                  EXPECT_EQ(metric("footlight_media_publishers"), 1);
                  EXPECT_EQ(metric("footlight_media_tracks"), 2);
                  const auto producer = bearer(token_of("boss", proto::Role::kProducer, "demo"));
                  const auto figures =
                      Json::parse(call("GET", "/v1/episodes/demo/media", "", producer).body);
                  ASSERT_TRUE(figures);
                  std::set<int64_t> numbers;
                  for (const Json& each : (*figures)["sessions"].items()) {
                    numbers.insert(each["n"].as_int());
                    EXPECT_TRUE(each["connected"].as_bool());
                  }
                  EXPECT_EQ(numbers.size(), 12u);
                },
                {"demo"});
  };
  for (const bool tcp : {false, true}) {
    const ops::CrowdReport report = talked(tcp);
    EXPECT_EQ(report.connected, 12u) << report.first_error;
    EXPECT_EQ(report.lost_sessions, 0u);
    EXPECT_EQ(report.watched.voice.lost(), 0u);
    await_none("footlight_media_watchers");  // each has ended where it was
  }
  EXPECT_EQ(complaints_, "");
}

TEST_F(MediaShardsNode, AMediaPortThatAnotherNodeHasIsBusy) {
  net::UdpOptions any;
  any.bind = *net::parse_udp_address("127.0.0.1");
  const uint16_t port = (*net::UdpSocket::open(any))->port();  // free, now that it is closed
  NodeOptions first = options();
  first.config.media.port = port;
  start(std::move(first));
  NodeOptions second = options();
  second.config.data.dir = directory_ + "/second";
  second.config.media.port = port;
  second.config.media.tcp = false;
  const auto other = Node::start(std::move(second));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kPortBusy);
}

TEST_F(MediaShardsNode, TheLastToGoEndsTheDrainOfAllShards) {
  NodeOptions made = two_shows();
  made.config.media.drain_ms = 700;
  start(std::move(made));
  const ops::CrowdReport report = talk(2, false, [&] {
    const MonoUs began = clock_.now_us();
    node_->drain(100);  // they stay until media.drain_ms, and are cut
    EXPECT_GE(clock_.now_us() - began, 600 * kUsPerMs);
  });
  EXPECT_EQ(report.connected, 6u) << report.first_error;
}

}  // namespace
}  // namespace footlight::edge
