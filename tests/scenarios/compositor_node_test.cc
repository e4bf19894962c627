// A whole node with its compositor and a synthetic cast on WebRTC: parts reach the sink, what the
// producer does is shown, and a compositor that is killed costs a discontinuity and nothing else.
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>

#include "node_support.h"
#include "ops/media_crowd.h"

namespace footlight::edge {
namespace {

using testing::HasSubstr;

class KeptSink final : public ProgramSink {
 public:
  struct Seen {
    std::vector<proto::FeedHello> hellos;
    std::vector<std::string> ends;  // of compositors
    uint64_t parts = 0, parts_of_this = 0, cues = 0, inits = 0, live_inputs = 0;
    bool over = false;
  };
  void on_hello(const proto::FeedHello& hello) override {
    note([&](Seen& seen) {
      seen.hellos.push_back(hello);
      seen.parts_of_this = 0;
    });
  }
  void on_init(const proto::FeedInit& init) override {
    note([&](Seen& seen) { seen.inits += init.bytes.empty() ? 0 : 1; });
  }
  void on_part(const proto::FeedPart& part) override {
    note([&](Seen& seen) {
      EXPECT_EQ(part.msn == 0 && part.part == 0 && part.rendition == 0,
                part.rendition == 0 && seen.parts_of_this == 0);
      ++seen.parts;
      if (part.rendition == 0) ++seen.parts_of_this;
    });
  }
  void on_cue_shown(const proto::FeedCueShown&, const proto::FeedSnapshot*) override {
    note([](Seen& seen) { ++seen.cues; });
  }
  void on_status(const proto::FeedStatus& status) override {
    note([&](Seen& seen) {
      seen.live_inputs = 0;
      for (const auto& each : status.inputs) {
        seen.live_inputs += each.state == proto::FeedInput::State::kLive ? 1 : 0;
      }
    });
  }
  void on_poster(const proto::FeedPoster&) override {}
  void on_discontinuity(const Error& why) override {
    note([&](Seen& seen) {
      seen.ends.push_back(why.message());
      seen.live_inputs = 0;
    });
  }
  void on_end(const Error&) override {
    note([](Seen& seen) { seen.over = true; });
  }
  bool wait(const std::function<bool(const Seen&)>& until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return until(seen_); });
  }
  Seen seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  template <class Change>
  void note(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change(seen_);
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  Seen seen_;
};

// The node owns its sink; the test keeps looking at this one.
class SharedSink final : public ProgramSink {
 public:
  explicit SharedSink(std::shared_ptr<KeptSink> to) : to_(std::move(to)) {}
  void on_hello(const proto::FeedHello& hello) override { to_->on_hello(hello); }
  void on_init(const proto::FeedInit& init) override { to_->on_init(init); }
  void on_part(const proto::FeedPart& part) override { to_->on_part(part); }
  void on_cue_shown(const proto::FeedCueShown& cue, const proto::FeedSnapshot* snapshot) override {
    to_->on_cue_shown(cue, snapshot);
  }
  void on_status(const proto::FeedStatus& status) override { to_->on_status(status); }
  void on_poster(const proto::FeedPoster& poster) override { to_->on_poster(poster); }
  void on_discontinuity(const Error& why) override { to_->on_discontinuity(why); }
  void on_end(const Error& why) override { to_->on_end(why); }

 private:
  std::shared_ptr<KeptSink> to_;
};

TEST_F(NodeTest, the_cast_is_composed_and_a_killed_compositor_comes_back) {
  const auto sink = std::make_shared<KeptSink>();
  NodeOptions made = options();
  made.config.program.enabled = true;
  made.config.program.rungs = {"640x360@900", "426x240@400"};
  made.config.program.preset = "ultrafast";
  made.config.program.compositor = FOOTLIGHT_MEDIA;
  made.program_sinks = [sink](const std::string&) { return std::make_unique<SharedSink>(sink); };
  start(std::move(made));
  const auto producer = bearer(token_of("boss", proto::Role::kProducer));
  const std::string path = "/v1/episodes/demo/program";
  EXPECT_THAT(call("GET", path, "", producer).body, HasSubstr(R"("state":"off")"));
  EXPECT_EQ(call("POST", path + "/restart", "", producer).status, 404);

  auto crowd = ops::MediaCrowd::start();
  ASSERT_TRUE(crowd);
  const std::string whip = node_->url() + "/v1/whip/demo";
  (*crowd)->join({1, {whip, token_of("gm", proto::Role::kGm)}, true, 0});
  (*crowd)->join({2, {whip, token_of("ann", proto::Role::kPlayer)}, true, 1});
  ASSERT_TRUE(
      sink->wait([](const auto& seen) { return seen.live_inputs == 2 && seen.parts >= 9; }));
  EXPECT_EQ(sink->seen().inits, 3u);

  const uint64_t cues = sink->seen().cues;
  open_poll();
  ASSERT_TRUE(sink->wait([&](const auto& seen) { return seen.cues > cues; }));
  EXPECT_EQ(call("POST", path + "/layout", R"({"layout":"sideways"})", producer).status, 400);
  const auto player = bearer(token_of("ann", proto::Role::kPlayer));
  EXPECT_EQ(call("POST", path + "/layout", R"({"layout":"grid"})", player).status, 403);
  EXPECT_THAT(call("POST", path + "/layout", R"({"layout":"grid"})", producer).body,
              HasSubstr(R"("layout":"grid","chosen":true)"));

  const auto now = Json::parse(call("GET", path, "", producer).body);
  ASSERT_TRUE(now);
  const std::string who = (*now)["encoder"]["inputs"].items().at(0)["who"].as_string();
  const std::string gain = R"({"who":")" + who + R"(","gain_permille":)";
  EXPECT_THAT(call("POST", path + "/gain", gain + "250}", producer).body,
              HasSubstr(R"("gain_permille":250)"));
  EXPECT_EQ(call("POST", path + "/gain", gain + "4001}", producer).status, 400);
  EXPECT_EQ(call("POST", path + "/gain", R"({"who":"gm","gain_permille":1})", producer).status,
            400);
  EXPECT_EQ(call("POST", path + "/gain", gain + "250}", player).status, 403);
  std::ifstream kept(directory_ + "/data/demo.program.json");
  const std::string text{std::istreambuf_iterator<char>(kept), {}};
  EXPECT_EQ(text, R"({"layout":"grid","gains":{")" + who + R"(":250}})");

  ASSERT_EQ(::kill(static_cast<pid_t>(sink->seen().hellos.back().pid), SIGKILL), 0);
  ASSERT_TRUE(sink->wait([](const auto& seen) {
    return seen.hellos.size() == 2 && seen.live_inputs == 2 && seen.parts_of_this >= 3;
  })) << "the cast is there again";
  ASSERT_EQ(sink->seen().ends.size(), 1u);
  EXPECT_THAT(sink->seen().ends[0], HasSubstr("signal 9"));
  const std::string status = call("GET", path, "", producer).body;
  EXPECT_THAT(status, HasSubstr(R"("last_end":{"code":4813,)"));
  EXPECT_THAT(status, HasSubstr(R"("name":"ann","state":"live")"));

  EXPECT_EQ(call("POST", path + "/restart", "", producer).status, 200);
  ASSERT_TRUE(sink->wait([](const auto& seen) { return seen.hellos.size() == 3; }));
  const std::string commands = "/v1/episodes/demo/commands";
  EXPECT_EQ(call("POST", commands, R"({"k":"episode.end","a":{}})", producer).status, 200);
  EXPECT_TRUE(sink->wait([](const auto& seen) { return seen.over; }));
  (*crowd)->close();
}

TEST_F(NodeTest, a_node_without_programs_says_so) {
  start();
  const auto producer = bearer(token_of("boss", proto::Role::kProducer));
  const auto answer = call("GET", "/v1/episodes/demo/program", "", producer);
  EXPECT_EQ(answer.status, 200) << "a page that asks each second would log each error";
  EXPECT_THAT(answer.body, HasSubstr(R"("state":"off")"));
  const auto layout =
      call("POST", "/v1/episodes/demo/program/layout", R"({"layout":"grid"})", producer);
  EXPECT_EQ(layout.status, 404);
  EXPECT_EQ(code_of(layout), 4780);
}

}  // namespace
}  // namespace footlight::edge
