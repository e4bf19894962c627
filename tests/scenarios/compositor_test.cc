// `footlight-media compose` with the synthetic cast, read by ffmpeg as an independent reader: parts
// of one number cover the same time everywhere, whatever happens to the inputs; what is drawn is
// seen; what the node does not read is bounded.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "media/compose_link.h"
#include "tests/scenarios/compositor_rig.h"

namespace footlight::testing {
namespace {

using Kind = proto::FeedLayout::Kind;
using Line = CompositorRig::Line;
using Role = proto::FeedParticipant::Role;

constexpr int kWidth = 640, kHeight = 360;

class CompositorTest : public ::testing::Test {
 protected:
  CompositorTest() {
    char path[] = "/tmp/footlight-compose-XXXXXX";
    folder_ = mkdtemp(path);
  }
  ~CompositorTest() override { std::filesystem::remove_all(folder_); }

  // Small rungs: the tests share two cores with others.
  static std::vector<std::string> small() {
    return {"--rung",   "640x360@900", "--rung",     "426x240@400",
            "--preset", "ultrafast",   "--poster-s", "2"};
  }
  static std::string shell(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    char text[4'096];
    while (pipe && std::fgets(text, sizeof text, pipe)) out += text;
    if (pipe) ::pclose(pipe);
    return out;
  }
  std::string file_of(const CompositorRig::Stream& stream) {
    const std::string path = folder_ + "/" + stream.about.name + ".mp4";
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(stream.file.data()),
              static_cast<std::streamsize>(stream.file.size()));
    return path;
  }
  // The luma of frame `number` of the largest rung, as ffmpeg decodes it.
  std::vector<uint8_t> picture(const CompositorRig& rig, uint64_t number) {
    const std::string raw = folder_ + "/frame.gray";
    shell("ffmpeg -v error -y -i " + file_of(rig.streams[0]) + " -vf \"select=gte(t\\," +
          std::to_string((double(number) - 0.5) / 30) +
          ")\" -frames:v 1 -pix_fmt gray -f rawvideo " + raw);
    std::ifstream in(raw, std::ios::binary);
    std::vector<uint8_t> out{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(out.size(), static_cast<size_t>(kWidth * kHeight)) << "frame " << number;
    out.resize(static_cast<size_t>(kWidth * kHeight));
    return out;
  }
  // How much two pictures differ in a rectangle: the mean of the absolute difference.
  static double differ(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, int x, int y,
                       int w, int h) {
    double sum = 0;
    for (int row = y; row < y + h; ++row) {
      for (int column = x; column < x + w; ++column) {
        const auto at = static_cast<size_t>(row * kWidth + column);
        sum += std::abs(int{a[at]} - int{b[at]});
      }
    }
    return sum / (w * h);
  }
  // Everything that must hold of what came out, however the run was. Where a machine had no time,
  // some frames last longer.
  void check_streams(CompositorRig& rig) {
    ASSERT_EQ(rig.streams.size(), 3u);
    const auto streams = rig.streams;
    rig.run(1'500 * kUsPerMs);  // told each second: then everything that is looked at is told of
    ASSERT_FALSE(rig.statuses.empty());
    const bool held = rig.statuses.back().slips > 0;
    std::vector<int> pictures;
    for (const auto& stream : streams) {
      const bool video = stream.about.kind == proto::FeedMedia::kVideo;
      uint64_t number = 0, tfdt = 0;
      const double ticks = video ? 30'000 : 48'000;
      for (const auto& part : stream.parts) {
        EXPECT_NEAR(double(part.pdt_us - stream.parts[0].pdt_us), double(tfdt) / ticks * 1e6, 2.0)
            << "its date is that of its media time";
        EXPECT_EQ(part.msn * 4 + part.part, number++) << stream.about.name;
        EXPECT_EQ(part.tfdt, tfdt) << stream.about.name << " part " << number;
        EXPECT_EQ(part.duration, video ? 16'000u : 25'600u);
        EXPECT_EQ(part.independent, !video || part.part == 0);
        tfdt += part.duration;
      }
      const std::string path = file_of(stream);
      EXPECT_EQ(shell("ffmpeg -v error -i " + path + " -f null -"), "") << stream.about.name;
      // Every frame where it belongs; key frames: the first of each segment and no other.
      std::istringstream lines(
          shell("ffprobe -v error -show_entries packet=pts_time,flags -of csv=p=0 " + path));
      const int whole = static_cast<int>(stream.parts.size()) * (video ? 16 : 25);
      int frames = 0, next = 0;
      for (std::string line; std::getline(lines, line); ++frames, ++next) {
        const double each_s = video ? 1 / 30.0 : 1'024 / 48'000.0;
        if (video) {
          const int at = static_cast<int>(std::lround(std::atof(line.c_str()) / each_s));
          ASSERT_LE(at, (next + 15) / 16 * 16) << "a part without its first frame";
          ASSERT_GE(at, next);
          next = at;
        }
        ASSERT_NEAR(std::atof(line.c_str()), next * each_s, 0.001) << stream.about.name;
        const bool key = line.find(",K") != std::string::npos;
        EXPECT_EQ(key, !video || next % 64 == 0) << stream.about.name << next;
      }
      if (!held || !video) {
        EXPECT_EQ(frames, whole) << "frames left out without need";
      }
      if (video) pictures.push_back(frames);
    }
    if (streams[0].parts.size() == streams[1].parts.size()) {
      EXPECT_EQ(pictures[0], pictures[1]) << "the same frames in each rung";
    }
    const size_t parts = streams[0].parts.size();
    for (const auto& stream : streams) EXPECT_NEAR(double(stream.parts.size()), double(parts), 1.0);
  }

  std::string folder_;
};

TEST_F(CompositorTest, EveryRungAndTheSoundAreCutAlikeWhateverHappensToTheInputs) {
  CompositorRig rig(FOOTLIGHT_MEDIA, small());
  ASSERT_FALSE(rig.streams.empty());
  rig.seat(0, "Mira", Role::kGm, 0, 0);
  rig.seat(1, "Gale", Role::kPlayer, 1, 0);
  rig.seat(2, "Tarn", Role::kPlayer, 2, 0);
  rig.seat(3, "Voice", Role::kPlayer, 3, 0, 0);
  rig.run(2 * kUsPerSecond);
  rig.set_line(1, Line::kDead);         // killed
  rig.set_line(2, Line::kPictureDead);  // frozen, and still heard
  rig.run(3'600 * kUsPerMs);
  ASSERT_FALSE(rig.statuses.empty());
  // On a busy machine this sender itself is late at times.
  const auto state_of_first = [&] { return rig.statuses.back().inputs.at(0).state; };
  for (int i = 0; i < 20 && state_of_first() == proto::FeedInput::State::kLate; ++i) {
    rig.run(200 * kUsPerMs);
  }
  const auto inputs = rig.statuses.back().inputs;
  ASSERT_EQ(inputs.size(), 4u);
  EXPECT_EQ(inputs[0].state, proto::FeedInput::State::kLive);
  EXPECT_EQ(inputs[1].state, proto::FeedInput::State::kFrozen);
  EXPECT_EQ(inputs[2].state, proto::FeedInput::State::kFrozen);
  EXPECT_EQ(inputs[3].state, proto::FeedInput::State::kWaiting);
  rig.set_line(1, Line::kLossy);
  rig.unseat(2);
  rig.run(3 * kUsPerSecond);
  EXPECT_GT(rig.key_frames_asked, 0u) << "what was lost is asked for";
  EXPECT_GT(rig.statuses.back().inputs[1].lost, 0u);
  EXPECT_FALSE(rig.ended());
  EXPECT_GE(rig.streams[0].parts.size(), 13u) << "8 s are 15 parts: the output never stood still";
  check_streams(rig);
  // Each part comes out soon after its last frame.
  for (const auto& part : rig.streams[0].parts) {
    EXPECT_LT(part.arrived_wall_us - part.pdt_us, 2'500'000);
  }
  const std::string volume =
      shell("ffmpeg -hide_banner -i " + file_of(rig.streams[2]) + " -af volumedetect -f null -");
  const size_t mean = volume.find("mean_volume:");
  ASSERT_NE(mean, std::string::npos) << volume;
  EXPECT_GT(std::atof(volume.c_str() + mean + 12), -50.0) << "the cast is heard";
  EXPECT_TRUE(rig.poster.size() > 2'000 && rig.poster[0] == 0xFF && rig.poster[1] == 0xD8);
  EXPECT_TRUE(rig.thumb.size() > 500 && rig.thumb[0] == 0xFF && rig.thumb[1] == 0xD8);
  EXPECT_LT(rig.thumb.size(), rig.poster.size());
}

TEST_F(CompositorTest, ASnapshotIsInTheVeryFrameThatItsCueNamesAndLayoutsMoveThePictures) {
  CompositorRig rig(FOOTLIGHT_MEDIA, small());
  ASSERT_FALSE(rig.streams.empty());
  rig.seat(0, "Mira", Role::kGm, 0, 0);
  rig.seat(1, "Gale", Role::kPlayer, 1, 0);
  rig.run(1'500 * kUsPerMs);
  proto::FeedSnapshot snapshot;
  snapshot.number = 7;
  snapshot.poll = proto::FeedPoll{"Fight?", {{"Yes", 9}, {"No", 1}}, 10, 0, false};
  rig.send(snapshot);
  rig.run(700 * kUsPerMs);
  rig.send(proto::FeedLayout{Kind::kGrid, 255});
  rig.run(700 * kUsPerMs);
  rig.send(proto::FeedLayout{Kind::kSlate, 255});
  rig.run(2 * kUsPerSecond);
  ASSERT_EQ(rig.cues.size(), 1u);
  const auto& cue = rig.cues[0];
  EXPECT_EQ(cue.snapshot, 7u);
  EXPECT_EQ(cue.msn * 64 + cue.part * 16u, cue.frame / 16 * 16);
  const auto& part = rig.streams[0].parts.at(cue.frame / 16);
  EXPECT_NEAR(double(cue.pdt_us), double(part.pdt_us) + double(cue.frame % 16) * 1e6 / 30, 2.0);
  check_streams(rig);
  // Below the game master: there is nothing before, and a poll from the cue's frame on.
  const auto before = picture(rig, cue.frame - 1), at = picture(rig, cue.frame),
             after = picture(rig, cue.frame + 1);
  EXPECT_GT(differ(before, at, 20, 280, 380, 70), 8.0) << "the very frame";
  EXPECT_LT(differ(at, after, 20, 280, 380, 70), 3.0);
  const auto grid = picture(rig, cue.frame + 38),
             slate = picture(rig, rig.streams[0].parts.size() * 16 - 20);
  EXPECT_GT(differ(at, grid, 0, 0, kWidth, kHeight), 8.0);
  EXPECT_LT(differ(slate, std::vector<uint8_t>(slate.size(), slate[0]), 0, 0, kWidth, 60), 12.0)
      << "no picture of anybody";
}

TEST_F(CompositorTest, ANodeThatPausesMissesNothing) {
  CompositorRig rig(FOOTLIGHT_MEDIA, small());
  ASSERT_FALSE(rig.streams.empty());
  rig.seat(0, "Mira", Role::kGm, 0, 0);
  rig.run(kUsPerSecond);
  rig.stop_reading(true);
  rig.run(2 * kUsPerSecond);
  rig.stop_reading(false);
  rig.run(2 * kUsPerSecond);
  EXPECT_FALSE(rig.ended());
  check_streams(rig);  // two seconds fit its queue: nothing is missing
}

TEST(FeedLink, ANodeThatDoesNotReadCostsTheOldestPartsAndNoMemory) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  media::FeedLink link;
  ASSERT_TRUE(link.open("fd:" + std::to_string(pair[0])));
  constexpr uint64_t kParts = 64;
  for (uint64_t i = 0; i < kParts; ++i) {
    link.send_part({.msn = i}, Bytes(1 << 20, static_cast<uint8_t>(i)));
    ASSERT_TRUE(link.flush());
    ASSERT_LE(link.queued_bytes(), media::FeedLink::kMostBytes);
  }
  link.send(proto::FeedKeyFrame{5});
  EXPECT_GE(link.dropped(), kParts - 18);
  proto::FeedReader reader;
  std::vector<uint64_t> got;
  bool key = false;
  std::vector<uint8_t> bytes(1 << 20);
  while (!key) {
    ASSERT_TRUE(link.flush());
    const ssize_t size = ::recv(pair[1], bytes.data(), bytes.size(), 0);
    ASSERT_GT(size, 0);
    reader.push({bytes.data(), static_cast<size_t>(size)});
    while (true) {
      const auto frame = reader.next();
      ASSERT_TRUE(frame);
      if (!*frame) break;
      const auto message = proto::decode_compositor(**frame);
      ASSERT_TRUE(message && *message);
      key = std::holds_alternative<proto::FeedKeyFrame>(**message);
      const auto* part = std::get_if<proto::FeedPart>(&**message);
      if (!part) continue;
      EXPECT_EQ(part->bytes.size(), size_t{1} << 20) << "whole, though it was half sent";
      got.push_back(part->msn);
    }
  }
  EXPECT_EQ(got.size() + link.dropped(), kParts);
  EXPECT_EQ(got.front(), 0u) << "what was half sent is finished";
  EXPECT_EQ(got.back(), kParts - 1);
  EXPECT_TRUE(std::ranges::is_sorted(got));
  ::close(pair[1]);
}

// The lost time is made up for at once: what follows has its true date.
TEST_F(CompositorTest, AStoppedProcessLosesPicturesAndNoTime) {
  CompositorRig rig(FOOTLIGHT_MEDIA, small());
  ASSERT_FALSE(rig.streams.empty());
  rig.seat(0, "Mira", Role::kGm, 0, 0);
  rig.run(1'500 * kUsPerMs);
  for (const MonoUs stopped : {kUsPerSecond, 5 * kUsPerSecond}) {
    ASSERT_EQ(::kill(rig.pid(), SIGSTOP), 0);
    rig.run(stopped);
    ASSERT_EQ(::kill(rig.pid(), SIGCONT), 0);
    rig.run(1'700 * kUsPerMs);
    ASSERT_FALSE(rig.ended());
    EXPECT_GE(rig.statuses.back().slips, 1u);
    const auto& last = rig.streams[0].parts.back();
    EXPECT_GE(last.arrived_wall_us, last.pdt_us + 533'333) << "not before it has happened";
    EXPECT_LT(last.arrived_wall_us, last.pdt_us + 533'333 + 1'000'000);
    // What happens now is in a picture of now.
    const size_t before = rig.cues.size();
    const int64_t shown_us = CompositorRig::wall_now_us();
    rig.send(proto::FeedSnapshot{.number = 7 + before, .scene = "The gate"});
    rig.run(kUsPerSecond);
    ASSERT_EQ(rig.cues.size(), before + 1);
    EXPECT_GE(rig.cues.back().pdt_us, shown_us - 34'000) << "dates that lag are of the past";
    EXPECT_LT(rig.cues.back().pdt_us, shown_us + 1'000'000);
  }
  EXPECT_GT(rig.statuses.back().repeated_frames, 120u);
  check_streams(rig);
}

TEST_F(CompositorTest, WithoutTheNodeItEndsAndAWrongEncoderIsToldInItsWords) {
  auto rig = std::make_unique<CompositorRig>(FOOTLIGHT_MEDIA,
                                             std::vector<std::string>{"--encoder", "nonsense"});
  EXPECT_TRUE(rig->streams.empty());
  EXPECT_TRUE(rig->ended());
  EXPECT_EQ(rig->end_code, static_cast<uint16_t>(Code::kCompositorSetup));
  EXPECT_NE(shell(std::string(FOOTLIGHT_MEDIA) + " compose --rung 1x1@1").find("4802"),
            std::string::npos);
}

}  // namespace
}  // namespace footlight::testing
