// The two ends of a run that its clocks bring about: much time that is not made up for, and a wall
// clock that is set forward. The compositor runs in this process, on clocks that jump when told to.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "media/compose.h"
#include "proto/program_feed.h"

namespace footlight::testing {
namespace {

class CompositorClockTest : public ::testing::Test {
 protected:
  CompositorClockTest() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
    socket_ = pair[0];
    options_.socket = "fd:" + std::to_string(pair[1]);
    options_.encode.rungs = {{320, 180, 200}};
    options_.encode.preset = "ultrafast";
    options_.poster_s = options_.thumb_s = 0;
    const auto real = media::ComposeClocks::system();
    clocks_.mono_us = [this, real] { return real.mono_us() + mono_ahead_us_; };
    clocks_.wall_us = [this, real] { return real.wall_us() + wall_ahead_us_; };
    thread_ = std::thread([this] { done_ = media::compose(options_, clocks_); });
  }
  ~CompositorClockTest() override {
    if (socket_ >= 0) ::close(socket_);
    if (thread_.joinable()) thread_.join();
  }

  // Until `count` more statuses have come. False: the run has ended.
  bool hear(size_t count) {
    std::array<uint8_t, 64 * 1024> bytes;
    for (count += statuses_.size(); statuses_.size() < count;) {
      const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), 0);
      if (got <= 0) return false;
      reader_.push({bytes.data(), static_cast<size_t>(got)});
      for (auto frame = reader_.next(); frame && *frame; frame = reader_.next()) {
        const auto message = proto::decode_compositor(**frame);
        if (!message || !*message) return false;
        if (const auto* status = std::get_if<proto::FeedStatus>(&**message)) {
          statuses_.push_back(*status);
        } else if (const auto* part = std::get_if<proto::FeedPart>(&**message)) {
          if (part->rendition == 0) dates_us_.push_back(part->pdt_us);
        } else if (const auto* end = std::get_if<proto::FeedEnd>(&**message)) {
          end_ = *end;
        }
      }
    }
    return true;
  }
  // Reads to the end, which has to come. compose() has returned then.
  void expect_end(const std::string& words) {
    EXPECT_FALSE(hear(1'000)) << "it goes on";
    thread_.join();
    EXPECT_EQ(end_.code, static_cast<uint16_t>(Code::kCompositorEnded));
    EXPECT_NE(end_.reason.find(words), std::string::npos) << end_.reason;
    ASSERT_FALSE(done_);
    EXPECT_EQ(done_.error().code, Code::kCompositorEnded);
  }

  std::atomic<int64_t> mono_ahead_us_ = 0, wall_ahead_us_ = 0;
  std::vector<proto::FeedStatus> statuses_;
  std::vector<int64_t> dates_us_;  // of the rung's parts
  proto::FeedEnd end_;

 private:
  int socket_ = -1;
  proto::FeedReader reader_;
  media::ComposeOptions options_;
  media::ComposeClocks clocks_;
  Status done_;
  std::thread thread_;
};

TEST_F(CompositorClockTest, AWallClockThatIsSetForwardEndsTheRunAndOneThatIsSetBackMovesNoDate) {
  ASSERT_TRUE(hear(1)) << end_.reason;
  wall_ahead_us_ = -3'600 * kUsPerSecond;
  ASSERT_TRUE(hear(2)) << end_.reason;  // the first may have been on its way
  EXPECT_FALSE(dates_us_.empty());
  EXPECT_TRUE(std::ranges::is_sorted(dates_us_)) << "dates never go back";
  wall_ahead_us_ = 200 * kUsPerMs;
  ASSERT_TRUE(hear(2)) << "a little is borne: " << end_.reason;
  wall_ahead_us_ = 300 * kUsPerMs;
  expect_end("the wall clock was set forward by 300 ms");
}

TEST_F(CompositorClockTest, NineLostSecondsAreMadeUpForAndElevenEndTheRun) {
  const auto lose = [this](MonoUs lost) {
    wall_ahead_us_ += lost;
    mono_ahead_us_ += lost;
  };
  ASSERT_TRUE(hear(1)) << end_.reason;
  lose(9 * kUsPerSecond);
  ASSERT_TRUE(hear(3)) << end_.reason;
  EXPECT_LT(statuses_.back().behind_ms, 5'000u);
  EXPECT_GE(statuses_.back().slips, 1u);
  lose(11 * kUsPerSecond);
  expect_end("there is too little time to encode the program");
}

}  // namespace
}  // namespace footlight::testing
