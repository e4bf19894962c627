#include "edge/edge.h"

#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::Stage;
using rig::vote;

TEST(EdgeFanout, ADeltaIsWrittenFromTheSameBytesToAllAndOncePerConnection) {
  Stage stage;
  stage.start();
  stage.open_fork();
  std::vector<rig::TestConnection*> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(&stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i)));
  }
  const std::vector<size_t> before = [&] {
    std::vector<size_t> out;
    for (auto* each : all) out.push_back(each->writes);
    return out;
  }();
  stage.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  stage.settle();
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]->writes, before[i] + 1);
    EXPECT_EQ(all[i]->frames.back(), all[0]->frames.back());
  }
}

TEST(EdgeFanout, ASlowConsumerIsToldAndCutAndTheOthersDoNotNotice) {
  Stage stage;
  stage.edge_options.queue_bytes = 4'000;
  stage.start();
  stage.open_fork();
  auto& slow = stage.join("slow", Role::kViewer, 1);
  auto& fine = stage.join("fine", Role::kViewer, 2);
  slow.room = 10;
  const std::string text(400, 'x');
  uint64_t i = 2;
  for (; i < 40 && !slow.closed && stage.edges[0]->metrics().slow_consumers == 0; ++i) {
    stage.send("gil", ev(i, "chat.say", R"({"text":")" + text + "\"}"));
    stage.run_ms(1'000);
  }
  EXPECT_EQ(stage.edges[0]->metrics().slow_consumers, 1u);
  EXPECT_LE(stage.edges[0]->metrics().queue_bytes, 6'000u);
  EXPECT_EQ(fine.of("delta").size(), i - 2);
  // It reads again: the frame that was begun, then bye.
  if (!slow.closed) {
    slow.room = SIZE_MAX;
    stage.edges[0]->on_writable(stage.clients["slow"].conn);
  }
  EXPECT_EQ(slow.closed, Code::kSlowConsumer);
}

TEST(EdgeFanout, ASlowConsumerThatNeverReadsAgainIsCutAfterTheLinger) {
  Stage stage;
  stage.edge_options.queue_bytes = 2'000;
  stage.start();
  stage.open_fork();
  auto& slow = stage.join("slow", Role::kViewer, 1);
  slow.room = 0;
  const std::string text(400, 'x');
  for (uint64_t i = 2; i < 30 && stage.edges[0]->metrics().slow_consumers == 0; ++i) {
    stage.send("gil", ev(i, "chat.say", R"({"text":")" + text + "\"}"));
    stage.run_ms(1'000);
  }
  EXPECT_FALSE(slow.closed);
  stage.run_ms(2'200);
  EXPECT_EQ(slow.closed, Code::kSlowConsumer);
  EXPECT_EQ(stage.edges[0]->metrics().queue_bytes, 0u);
}

TEST(EdgeFanout, WhoWasCutResumesWithoutAGap) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  const Json welcome = ann.last("welcome");
  stage.hang_up("ann");
  stage.settle();
  for (uint64_t i = 2; i < 5; ++i) {
    stage.send("gil", ev(i, "chat.say", R"({"text":"one"})"));
    stage.run_ms(1'100);
  }
  const proto::Resume resume{static_cast<uint64_t>(welcome["epoch"].as_int()),
                             static_cast<uint64_t>(welcome["off"].as_int())};
  auto& again = stage.join("ann", Role::kViewer, 1, 0, resume);
  const Json second = again.last("welcome");
  EXPECT_TRUE(second["resumed"].as_bool());
  EXPECT_EQ(second["view"].type(), JsonType::kNull);
  size_t chats = 0;
  int64_t last = 0;
  for (const Json& delta : again.of("delta")) {
    EXPECT_GE(delta["off"].as_int(), last);
    last = delta["off"].as_int();
    for (const Json& patch : delta["p"].items()) chats += patch.items()[0].as_string() == "chat";
  }
  EXPECT_EQ(chats, 3u);
}

TEST(EdgeFanout, ATallyThatWaitsIsOverwrittenByTheNewer) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& slow = stage.join("slow", Role::kViewer, 1);
  for (int i = 0; i < 5; ++i) stage.join("v" + std::to_string(i), Role::kViewer, 10u + i);
  const size_t tallies = slow.of("tally").size();
  slow.room = 0;
  for (int i = 0; i < 5; ++i) {
    stage.send("v" + std::to_string(i), vote(1, "fork", 0));
    stage.run_ms(300);
  }
  slow.room = SIZE_MAX;
  stage.edges[0]->on_writable(stage.clients["slow"].conn);
  const auto after = slow.of("tally");
  ASSERT_EQ(after.size(), tallies + 1);
  EXPECT_EQ(after.back()["counts"].items()[0].as_int(), 5);
}

TEST(EdgeFanout, FramesAreNeverMixedHoweverLittleTheTransportTakes) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  Prng prng(5);
  uint64_t i = 2;
  for (int step = 0; step < 400; ++step) {
    ann.room = prng.below(200);
    stage.edges[0]->on_writable(stage.clients["ann"].conn);
    if (step % 10 == 0) stage.send("gil", ev(i++, "chat.say", R"({"text":"words"})"));
    stage.run_ms(100);
    if (step % 50 == 0) stage.send("ann", R"({"t":"ping","c":1})");
    ASSERT_FALSE(ann.closed);
  }
  ann.room = SIZE_MAX;
  stage.edges[0]->on_writable(stage.clients["ann"].conn);
  EXPECT_EQ(ann.of("delta").size(), ann.frames.size() - ann.of("welcome").size() -
                                        ann.of("tally").size() - ann.of("pong").size() -
                                        ann.of("presence").size());
  EXPECT_EQ(stage.edges[0]->metrics().queued_connections, 0u);
  EXPECT_EQ(stage.edges[0]->metrics().queue_bytes, 0u);
}

TEST(EdgeDrain, EveryoneIsToldWithAdviceThatSpreadsThemAndNobodyIsLeft) {
  Stage stage;
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  auto& mute = stage.open("mute");
  stage.edges[0]->drain();
  EXPECT_EQ(ann.closed, Code::kDraining);
  EXPECT_EQ(mute.closed, Code::kDraining);
  const Json bye = ann.last("bye");
  EXPECT_TRUE(bye["reconnect"].as_bool());
  EXPECT_EQ(bye["after_ms"].items()[0].as_int(), 0);
  EXPECT_EQ(bye["after_ms"].items()[1].as_int(), 5'000);
  EXPECT_FALSE(stage.edges[0]->drained());
  stage.settle();
  EXPECT_TRUE(stage.edges[0]->drained());
}

TEST(EdgeDrain, OutcomesThatAreKnownAreToldBeforeTheBye) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", vote(1, "fork", 0, 1));
  stage.run_ms(8);
  stage.send("ann", vote(2, "fork", 1, 2));
  stage.run_ms(8);
  ASSERT_EQ(ann.of("ack").size(), 1u) << "the second waits for the next tally";
  stage.edges[0]->drain();
  EXPECT_EQ(ann.of("ack").size(), 2u);
  EXPECT_EQ(ann.closed, Code::kDraining);
}

}  // namespace
}  // namespace footlight::edge
