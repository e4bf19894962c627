// What lies beside a recording, and what a later life of the process makes of it.
#include "hls/recorded.h"

#include <gmock/gmock.h>

#include "hls/internal/test_feed.h"

namespace footlight::hls {
namespace {

using testing::HasSubstr;

struct MemoryStore final : SegmentStore {
  void put(const std::string& name, uint32_t, uint64_t, Chain bytes) override {
    files[name] = bytes.joined();
    order.push_back(name);
  }
  std::map<std::string, std::string> files;
  std::vector<std::string> order;
};

struct RecordedTest : testing::Test {
  RecordedTest() {
    limits.keep_all = true;
    stream = std::make_unique<TestStream>(limits, &store);
    stream->inits();
  }
  // A small picture at `s` seconds of the program.
  void thumb(double s, const std::string& jpeg) {
    ASSERT_TRUE(stream->origin.on_thumb(1'800'000'000'000 + static_cast<WallMs>(s * 1000),
                                        make_blob(jpeg)));
    stream->put();
  }
  void end() {
    stream->origin.on_end();
    stream->put();
  }
  Limits limits;
  MemoryStore store;
  std::unique_ptr<TestStream> stream;
};

TEST_F(RecordedTest, SmallPicturesAreServedAtOnceAndTheirTimesAfterTheEnd) {
  stream->run(20);
  thumb(1.25, "one");
  thumb(6.25, "two");
  EXPECT_EQ(stream->text("e1/t1.jpg"), "two");
  EXPECT_EQ(stream->get("e1/t1.jpg").cache_control, kForever);
  EXPECT_EQ(stream->get("e1/t2.jpg").status, 404);
  EXPECT_EQ(stream->get("thumbs.vtt").status, 404);
  end();
  EXPECT_EQ(stream->text("thumbs.vtt"),
            "WEBVTT\n\n00:00:00.000 --> 00:00:06.250\ne1/t0.jpg\n\n"
            "00:00:06.250 --> 00:00:10.666\ne1/t1.jpg\n");
}

TEST_F(RecordedTest, ThePicturesTimesAreThoseOfTheRecordingWhichHasNoBreaks) {
  stream->run(8);  // 4.27 s, then the encoder is away for a minute
  thumb(1, "before");
  ASSERT_TRUE(stream->origin.on_discontinuity());
  stream->put();
  stream->inits('b');
  for (uint64_t n = 0; n < 8; ++n) {
    for (uint32_t i = 0; i < 3; ++i) {
      PartUnit unit = make_part(stream->hello, i, n);
      unit.program_date_time_ms += 64'000;
      ASSERT_TRUE(stream->origin.on_part(std::move(unit)));
    }
  }
  thumb(65, "after");
  end();
  const std::string vtt = stream->text("thumbs.vtt");
  // The break is a gap of one part; a second into the new run follows it.
  EXPECT_THAT(vtt, HasSubstr("--> 00:00:05.799"));
  EXPECT_THAT(vtt, HasSubstr("e1/t1.jpg"));
}

TEST_F(RecordedTest, HoweverLongTheShowThePicturesAreBoundedAndReachOverAllOfIt) {
  stream->run(8);
  for (int i = 0; i < 5'000; ++i) thumb(i * 0.0008, "x");
  end();
  const std::string vtt = stream->text("thumbs.vtt");
  const auto count = std::count(vtt.begin(), vtt.end(), '>');
  EXPECT_GE(count, 900);
  EXPECT_LE(count, 2'000);
  EXPECT_EQ(stream->get("e1/t0.jpg").status, 200);
  EXPECT_EQ(stream->get("e1/t4999.jpg").status, 200);
  EXPECT_EQ(stream->get("e1/t1.jpg").status, 404);
}

TEST_F(RecordedTest, WhatLiesInTheStoreIsWholeAndSaysSoLast) {
  stream->run(16);
  ASSERT_TRUE(stream->origin.on_poster(make_blob("jpeg")));
  thumb(1, "small");
  end();
  EXPECT_EQ(store.order.back(), "recording.json");
  const auto recorded = parse_recorded(store.files["recording.json"]);
  ASSERT_TRUE(recorded);
  for (const std::string path :
       {"index.m3u8", "manifest.mpd", "poster.jpg", "thumbs.vtt", "e1/t0.jpg", "e1/v720.m3u8",
        "e1/a/vod.m3u8", "e1/v480/init-0.mp4", "e1/a/s3.m4s"}) {
    const Reply reply = recorded_reply(*recorded, *parse_request(path, ""));
    ASSERT_TRUE(reply.resource) << path;
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.resource->stored);
    ASSERT_TRUE(store.files.contains(reply.resource->store_name)) << path;
    EXPECT_EQ(reply.resource->store_name, path);
    if (stream->get(path).resource->stored) continue;
    EXPECT_EQ(store.files[path], stream->text(path)) << path;
  }
  const Reply audio = recorded_reply(*recorded, *parse_request("e1/a/s3.m4s", ""));
  EXPECT_THAT(audio.resource->head_lines, HasSubstr("Content-Type: audio/mp4\r\n"));
  EXPECT_EQ(audio.cache_control, kForever);
  for (const char* path : {"e2/v720.m3u8", "e1/v1080/s1.m4s", "e1/v720/s0.p0.m4s"}) {
    EXPECT_EQ(recorded_reply(*recorded, *parse_request(path, "")).status, 404) << path;
  }
}

TEST_F(RecordedTest, AStreamThatNeverPlayedLeavesNoRecording) {
  end();
  EXPECT_FALSE(store.files.contains("recording.json"));
  EXPECT_FALSE(store.files.contains("index.m3u8")) << "that of an earlier recording stays";
}

TEST(ParseRecordedTest, ABrokenFileIsNoRecording) {
  for (const char* text :
       {"", "{", "{}", R"({"v":2})", R"({"v":1,"epoch":"../x","renditions":[{"id":"v"}]})",
        R"({"v":1,"epoch":"e1","renditions":[]})",
        R"({"v":1,"epoch":"e1","renditions":[{"id":"a/b"}]})"}) {
    EXPECT_FALSE(parse_recorded(text)) << text;
  }
}

}  // namespace
}  // namespace footlight::hls
