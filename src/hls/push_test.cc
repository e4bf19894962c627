#include "hls/push.h"

#include <gmock/gmock.h>

#include "hls/internal/test_feed.h"

namespace footlight::hls {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct ManualClock final : Clock {
  MonoUs now = 1;
  MonoUs now_us() const override { return now; }
  WallMs wall_ms() const override { return 1'800'000'000'000; }
};

Limits limits_for(bool parts) {
  Limits limits;
  limits.dvr_window_ms = 30'000;
  limits.plain = true;
  limits.plain_parts = parts;
  return limits;
}

// A stream and a place that takes what it is told to.
struct PushTest : testing::Test {
  void begin(PushOptions options = {}, const std::string& epoch = "e1") {
    if (!pusher) {
      options.clock = &clock;
      options.window_ms = 30'000;
      pusher = std::make_unique<Pusher>(options);
      parts = options.parts;
    }
    hello = make_hello(epoch);
    origin = std::make_unique<Origin>(hello, limits_for(parts));
    next = 0;
    pusher->begin(hello);
    for (uint32_t i = 0; i < 3; ++i) {
      (void)origin->on_init(i, make_init(hello.renditions[i].timescale));
    }
    take();
  }
  void take() {
    if (const auto changes = origin->take_changes()) pusher->take(*changes);
  }
  // `count` whole segments of each rendition.
  void segments(uint64_t count, size_t bytes = 64) {
    for (count *= 4; count > 0; --count, ++next) {
      for (uint32_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(origin->on_part(make_part(hello, i, next, 0, bytes)));
        take();
      }
    }
  }
  void carry(const PushJob& job, const Status& status = {}) {
    if (status && !job.remove) {
      files[job.name] = job.body.joined();
      order.push_back(job.name);
      about[job.name] = std::string(job.content_type) + " " + std::string(job.cache_control);
    }
    if (status && job.remove) files.erase(job.name), removed.push_back(job.name);
    pusher->done(job.id, status);
  }
  void carry_all() {
    while (auto job = pusher->next()) carry(*job);
  }
  // Every media file that a playlist of the place names is there.
  void check_names() {
    for (const auto& [name, text] : files) {
      if (!name.ends_with(".m3u8")) continue;
      const std::string folder = name.substr(0, name.rfind('/') + 1);
      size_t at = 0;
      bool gap = false;
      while (at < text.size()) {
        const std::string line = text.substr(at, text.find('\n', at) - at);
        at += line.size() + 1;
        if (line == "#EXT-X-GAP") gap = true;
        if (line.empty() || line.starts_with('#')) continue;
        EXPECT_TRUE(gap || files.contains(folder + line)) << name << " names " << line;
        gap = false;
      }
    }
  }

  ManualClock clock;
  Hello hello;
  std::unique_ptr<Origin> origin;
  std::unique_ptr<Pusher> pusher;
  bool parts = false;
  uint64_t next = 0;
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> about;
  std::vector<std::string> order, removed;
};

TEST_F(PushTest, APlayerFindsAllOfItThere) {
  begin();
  segments(3);
  carry_all();
  EXPECT_THAT(files["index.m3u8"], HasSubstr("e1/v720.m3u8"));
  const std::string list = files["e1/v720.m3u8"];
  EXPECT_THAT(list, AllOf(HasSubstr("\nv720/s2.m4s\n"), Not(HasSubstr("SERVER-CONTROL"))));
  EXPECT_THAT(list, AllOf(Not(HasSubstr("CAN-BLOCK-RELOAD")), Not(HasSubstr("PRELOAD-HINT"))))
      << "a file cannot wait";
  EXPECT_THAT(list, Not(HasSubstr("EXT-X-PART")));
  EXPECT_EQ(files["e1/v720/init-0.mp4"], *make_init(15'360));
  EXPECT_FALSE(files.contains("e1/v720/s0.p0.m4s"));
  EXPECT_TRUE(files.contains("manifest.mpd"));
  EXPECT_EQ(about["e1/v720/s0.m4s"], "video/mp4 public, max-age=31536000, immutable");
  EXPECT_EQ(about["e1/v720.m3u8"], "application/vnd.apple.mpegurl public, max-age=1");
  check_names();
  const PushCounters counters = pusher->counters();
  EXPECT_EQ(counters.files, order.size());
  EXPECT_EQ(counters.waiting, 0u);
  EXPECT_EQ(counters.waiting_bytes, 0u);
}

TEST_F(PushTest, PartsGoWhereTheyAreWanted) {
  begin({.parts = true});
  segments(2);
  carry_all();
  EXPECT_TRUE(files.contains("e1/a/s1.p3.m4s"));
  EXPECT_THAT(files["e1/a.m3u8"],
              AllOf(HasSubstr("URI=\"a/s1.p3.m4s\""), HasSubstr("PART-HOLD-BACK="),
                    Not(HasSubstr("CAN-BLOCK-RELOAD")), Not(HasSubstr("RENDITION-REPORT"))));
}

TEST_F(PushTest, APlaylistNeverNamesWhatIsNotThereYetInWhateverOrderTheJobsEnd) {
  begin({.max_carried = 4});
  Prng prng(7);
  std::vector<PushJob> carried;
  for (int round = 0; round < 60; ++round) {
    if (round % 3 == 0) segments(1);
    while (auto job = pusher->next()) {
      for (const PushJob& other : carried) EXPECT_NE(other.name, job->name) << "one at a time";
      carried.push_back(std::move(*job));
    }
    EXPECT_LE(carried.size(), 4u);
    for (uint64_t n = prng.below(carried.size() + 1); n > 0; --n) {
      const size_t at = prng.below(carried.size());
      const PushJob job = std::move(carried[at]);
      carried.erase(carried.begin() + static_cast<long>(at));
      carry(job);
      check_names();
    }
  }
  EXPECT_TRUE(files.contains("index.m3u8"));
}

TEST_F(PushTest, APlaceTooSlowForEveryVersionStillGetsOneNowAndThen) {
  begin({.max_carried = 1});
  segments(2);
  std::string seen;
  int versions = 0;
  for (int round = 0; round < 40; ++round) {
    segments(1);
    for (int i = 0; i < 3; ++i) {
      if (auto job = pusher->next()) carry(*job);
    }
    if (std::exchange(seen, files["e1/v720.m3u8"]) != seen) ++versions;
    check_names();
  }
  EXPECT_GE(versions, 3);
}

TEST_F(PushTest, AFailingPlaceIsLeftAloneLongerEachTimeAndThenAskedByOneJob) {
  begin();
  segments(1);
  const Status down = fail(Code::kPushFailed, "down");
  std::vector<PushJob> carried;
  while (auto job = pusher->next()) carried.push_back(std::move(*job));
  ASSERT_EQ(carried.size(), 4u);
  for (const PushJob& job : carried) carry(job, down);
  EXPECT_FALSE(pusher->next());
  MonoUs longest = 0;
  for (int i = 0; i < 8; ++i) {
    const MonoUs due = pusher->next_due_us();
    ASSERT_NE(due, kNever);
    longest = std::max(longest, due - clock.now);
    clock.now = due;
    const auto job = pusher->next();
    ASSERT_TRUE(job);
    EXPECT_FALSE(pusher->next()) << "one alone";
    carry(*job, down);
  }
  EXPECT_GE(longest, 7'500'000);
  EXPECT_LE(longest, 15'000'000);
  EXPECT_TRUE(pusher->counters().failing);
  EXPECT_EQ(pusher->counters().error.detail, "down");
  clock.now = pusher->next_due_us();
  carry_all();
  EXPECT_FALSE(pusher->counters().failing);
  EXPECT_EQ(pusher->counters().left_out, 0u);
  check_names();
}

TEST_F(PushTest, WhatIsTooMuchIsLeftOutTheOldestFirstAndPlaylistsSaySo) {
  begin({.max_waiting_bytes = 400'000});
  segments(6, 10'000);  // 720 KB while the place takes nothing
  EXPECT_LE(pusher->counters().waiting_bytes, 400'000u);
  EXPECT_GT(pusher->counters().left_out, 0u);
  EXPECT_EQ(pusher->counters().error.code, Code::kPushBehind);
  carry_all();
  EXPECT_THAT(files["e1/v720.m3u8"], HasSubstr("#EXT-X-GAP\n#EXTINF:2.13333,\nv720/s0.m4s\n"));
  EXPECT_THAT(files["e1/v720.m3u8"], Not(HasSubstr("GAP\n#EXTINF:2.13333,\nv720/s5.m4s")));
  check_names();
}

TEST_F(PushTest, OneFileThatIsAlwaysRefusedIsLeftOutAndHoldsUpNoOther) {
  begin();
  segments(2);
  int refused = 0;
  for (int i = 0; i < 1'000; ++i) {
    if (i % 100 == 0) segments(1);  // as it comes: one in two seconds
    if (auto job = pusher->next()) {
      const bool bad = job->name == "e1/v480/s0.m4s";
      refused += bad;
      carry(*job, bad ? Status(fail(Code::kPushFailed, "400")) : Status());
    } else {
      clock.now += 20'000;
    }
  }
  EXPECT_EQ(refused, 12);
  EXPECT_TRUE(files.contains("e1/v480.m3u8"));
  EXPECT_THAT(files["e1/v480.m3u8"], HasSubstr("#EXT-X-GAP"));
  EXPECT_THAT(files["e1/v720.m3u8"], HasSubstr("v720/s8.m4s"));
}

TEST_F(PushTest, TheRecordingIsThereAfterTheEnd) {
  begin();
  segments(20);
  origin->on_end();
  take();
  carry_all();
  EXPECT_THAT(files["index.m3u8"], HasSubstr("e1/v720/vod.m3u8"));
  EXPECT_THAT(files["e1/v720/vod.m3u8"], HasSubstr("\ns0.m4s\n"));
  EXPECT_THAT(files["manifest.mpd"], HasSubstr("type=\"static\""));
  EXPECT_EQ(about["index.m3u8"], "application/vnd.apple.mpegurl public, max-age=10");
  EXPECT_TRUE(files.contains("e1/v720/s0.m4s")) << "nothing is removed unless it is wanted";
  check_names();
}

TEST_F(PushTest, WhatHasLeftTheWindowIsRemovedAfterAWhile) {
  begin({.remove = true});
  segments(20);  // 42 s of a window of 30 s
  carry_all();
  EXPECT_TRUE(removed.empty()) << "who has an old playlist still finds it";
  EXPECT_TRUE(files.contains("e1/v720/s0.m4s"));
  clock.now += 61 * kUsPerSecond;
  carry_all();
  EXPECT_FALSE(files.contains("e1/v720/s0.m4s"));
  EXPECT_TRUE(files.contains("e1/v720/s19.m4s"));
  EXPECT_EQ(pusher->counters().removed, removed.size());
  check_names();
  origin->on_end();
  take();
  carry_all();
  EXPECT_THAT(files["index.m3u8"], HasSubstr("e1/v720.m3u8")) << "there is no recording";
  EXPECT_THAT(files["e1/v720.m3u8"], HasSubstr("#EXT-X-ENDLIST"));
  EXPECT_THAT(files["manifest.mpd"], Not(HasSubstr("t=\"0\""))) << "the window alone";
  check_names();
}

TEST_F(PushTest, OfAnEpochThatIsOverNothingStaysWhereItIsRemoved) {
  begin({.remove = true});
  segments(3);
  carry_all();
  begin({}, "e2");
  segments(3);
  carry_all();
  clock.now += 61 * kUsPerSecond;
  carry_all();
  for (const auto& [name, text] : files) EXPECT_FALSE(name.starts_with("e1/")) << name;
  EXPECT_THAT(files["index.m3u8"], HasSubstr("e2/"));
}

TEST_F(PushTest, WhatAnEarlierLifeLeftGoesAfterAWhileOnceANewStreamIsThere) {
  const std::vector<std::string> left = {"e0/v720/s7.m4s", "e0/v720.m3u8", "e1/v720/s0.m4s"};
  const auto begin_with = [&](bool remove) {
    pusher.reset();
    files.clear();
    for (const std::string& name : left) files[name] = "old";
    PushOptions options{.clock = &clock, .remove = remove, .window_ms = 30'000};
    pusher = std::make_unique<Pusher>(options);
    pusher->left_before(left);
    clock.now += 3'600 * kUsPerSecond;
    EXPECT_FALSE(pusher->next()) << "who is in the middle of it goes on";
    begin();
    segments(2);
    clock.now += 59 * kUsPerSecond;
    carry_all();
    EXPECT_TRUE(files.contains("e0/v720/s7.m4s"));
    clock.now += 2 * kUsPerSecond;
    carry_all();
    EXPECT_TRUE(files.contains("e1/v720/s0.m4s")) << "of this life";
  };
  begin_with(true);
  for (const auto& [name, text] : files) EXPECT_FALSE(name.starts_with("e0/")) << name;
  begin_with(false);
  EXPECT_TRUE(files.contains("e0/v720/s7.m4s")) << "kept where nothing is to be removed";
}

TEST(MarkGapsTest, AMissingPartIsAGapOfItsOwn) {
  const std::string list =
      "#EXTM3U\n#EXT-X-PART:DURATION=0.5,URI=\"v/s1.p0.m4s\",INDEPENDENT=YES\n"
      "#EXT-X-PART:DURATION=0.5,URI=\"v/s1.p1.m4s\",GAP=YES\n"
      "#EXT-X-PROGRAM-DATE-TIME:x\n#EXTINF:2.0,\nv/s1.m4s\n#EXTINF:2.0,\nv/s2.m4s\n";
  EXPECT_EQ(mark_gaps(list, "e/", {}), list);
  EXPECT_EQ(mark_gaps(list, "e/", {"e/v/s1.p0.m4s", "e/v/s1.p1.m4s", "e/v/s1.m4s"}),
            "#EXTM3U\n#EXT-X-PART:DURATION=0.5,URI=\"v/s1.p0.m4s\",INDEPENDENT=YES,GAP=YES\n"
            "#EXT-X-PART:DURATION=0.5,URI=\"v/s1.p1.m4s\",GAP=YES\n"
            "#EXT-X-PROGRAM-DATE-TIME:x\n#EXT-X-GAP\n#EXTINF:2.0,\nv/s1.m4s\n#EXTINF:2.0,\n"
            "v/s2.m4s\n");
}

}  // namespace
}  // namespace footlight::hls
