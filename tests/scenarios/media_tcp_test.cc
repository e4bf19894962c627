// Media over TCP through a whole node, by clients that have no UDP: at the HTTP port, at a port of
// media's own, and what strangers get there.
#include "core/json.h"
#include "net/asio/shard.h"
#include "node_support.h"
#include "ops/media_crowd.h"

namespace footlight::edge {
namespace {

using testing::HasSubstr;

class MediaTcp : public NodeTest {
 protected:
  ops::MediaJoin join_of(const std::string& name, bool publishes) {
    ops::MediaJoin join;
    const auto role = publishes ? proto::Role::kPlayer : proto::Role::kViewer;
    join.call = {node_->url() + (publishes ? "/v1/whip/demo" : "/v1/whep/demo"),
                 token_of(name, role), true};
    join.publishes = publishes;
    join.tcp = true;
    return join;
  }
  // One publishes and one watches, over TCP alone, until a picture and a voice arrive.
  ops::CrowdReport talk() {
    auto crowd = *ops::MediaCrowd::start();
    crowd->join(join_of("ann", true));
    crowd->join(join_of("vera", false));
    ops::CrowdReport report;
    const MonoUs until = clock_.now_us() + 20 * kUsPerSecond;
    while (clock_.now_us() < until) {
      report = crowd->report();
      if (report.watched.voice.packets >= 20 && report.watched.video.frames >= 10) break;
    }
    crowd->close();
    return report;
  }
  // Until the metrics, which are counted each second, tell of so many connections for media.
  void await_connections(int count) {
    const std::string line = "\nfootlight_media_tcp_connections " + std::to_string(count) + "\n";
    const MonoUs until = clock_.now_us() + 10 * kUsPerSecond;
    while (call("GET", "/metrics").body.find(line) == std::string::npos) {
      ASSERT_LT(clock_.now_us(), until) << line;
    }
  }
  net::SystemClock clock_;
};

TEST_F(MediaTcp, AtTheHttpPortWhoeverHasNoUdpPublishesAndWatches) {
  start();
  const ops::CrowdReport report = talk();
  EXPECT_EQ(report.connected, 2u) << report.first_error;
  EXPECT_GE(report.watched.voice.packets, 20u);
  EXPECT_GE(report.watched.video.frames, 10u);
  EXPECT_EQ(report.watched.voice.lost(), 0u);
  EXPECT_EQ(call("GET", "/healthz").status, 200) << "HTTP is served beside it";
  EXPECT_EQ(complaints_, "");
}

TEST_F(MediaTcp, APortOfItsOwnServesAsWell) {
  NodeOptions made = options();
  made.config.media.address = "127.0.0.1";
  made.config.media.port = 0;
  made.config.server.address = "127.0.0.2";
  start(std::move(made));
  const ops::CrowdReport report = talk();
  EXPECT_EQ(report.connected, 2u) << report.first_error;
  EXPECT_GE(report.watched.video.frames, 10u);
}

TEST_F(MediaTcp, StrangersAreCutAndCostNobodyElse) {
  start();
  const MonoUs began = clock_.now_us();
  std::vector<std::unique_ptr<net::RawClient>> strangers;
  for (int i = 0; i < 300; ++i) {
    strangers.push_back(std::make_unique<net::RawClient>(node_->port()));
    strangers.back()->send(std::string_view("\x00\x64", 2));
    // The first has to have come first: of the others each thread brings its own.
    if (i == 0) await_connections(1);
  }
  net::RawClient liar(node_->port());
  liar.send(std::string_view("\x00\x01x\xff\xff", 5));  // a frame of 64 KB
  EXPECT_EQ(liar.read_to_end(), "");
  EXPECT_EQ(strangers.front()->read_to_end(), "") << "more strangers than may wait";
  EXPECT_LT(clock_.now_us() - began, 7 * kUsPerSecond) << "it was cut for its silence, after 10 s";
  EXPECT_EQ(talk().connected, 2u);
}

TEST_F(MediaTcp, SwitchedOffItIsNotOffered) {
  NodeOptions made = options();
  made.config.media.tcp = false;
  start(std::move(made));
  auto crowd = *ops::MediaCrowd::start();
  crowd->join(join_of("ann", true));
  const MonoUs until = clock_.now_us() + 10 * kUsPerSecond;
  while (crowd->joining() > 0 && clock_.now_us() < until) continue;
  EXPECT_THAT(crowd->report().first_error, HasSubstr("no candidate"));
  crowd->close();
  net::RawClient media(node_->port());
  media.send("\x01\x02\r\n\r\n");
  EXPECT_THAT(media.read_to_end(), HasSubstr(" 400 "));
}

}  // namespace
}  // namespace footlight::edge
