// Recordings, figures and the end of media, from the offer to the disk: without a socket and with a
// disk in memory.
#include <algorithm>
#include <map>

#include "core/json.h"
#include "media_rig.h"
#include "sfu/record_file.h"

namespace footlight::edge {
namespace {

class MemoryDisk final : public sfu::RecordDisk {
 public:
  void open(uint64_t file, std::string path) override { paths[file] = std::move(path); }
  void write(sfu::RecordChunk* chunk) override { waiting.push_back(chunk); }
  void work(sfu::RecordPool& pool) {
    for (sfu::RecordChunk* chunk : waiting) {
      Bytes& file = files[chunk->file];
      const Status status = full ? fail(Code::kRecordDiskFull, "no space") : Status();
      if (!full) {
        file.insert(file.end(), chunk->bytes.begin(), chunk->bytes.begin() + chunk->used);
      }
      pool.written(chunk, status);
    }
    waiting.clear();
  }
  std::map<uint64_t, std::string> paths;
  std::map<uint64_t, Bytes> files;
  std::vector<sfu::RecordChunk*> waiting;
  bool full = false;
};

class StandingClock final : public Clock {
 public:
  MonoUs now_us() const override { return 0; }
  WallMs wall_ms() const override { return 1'764'148'514'042; }  // 2025-11-26T09:15:14.042Z
};

struct Recorded : MediaTest {
  Recorded() : MediaTest(with_disk(false)) {}
  explicit Recorded(bool all) : MediaTest(with_disk(all)) {}
  static MediaOptions with_disk(bool all) {
    MediaOptions made = options();
    made.record_disk = &disk_;
    made.clock = &clock_;
    made.record_all = all;
    return made;
  }
  void play_and_write(int frames) {
    play(frames);
    disk_.work(*media_.records());
    media_.on_time(now_);
  }
  Json state() const { return *Json::parse(media_.recording_json("demo")); }
  bool told(uint64_t session, std::string_view text) {
    return std::ranges::any_of(media_.told(), [&](const MediaTold& each) {
      const bool mine = std::ranges::find(each.sessions, session) != each.sessions.end();
      return mine && each.text == text && !each.lossy;
    });
  }
  void see(Person& one, uint64_t session) {
    one.request.owner = {0, session};
    media_.ask({one.request, MediaAsk::Open{9, one.client->offer()}}, now_);
  }
  // They outlive Media: the fixture's base is destroyed after them, so they are static.
  static inline MemoryDisk disk_;
  static inline StandingClock clock_;
  void SetUp() override { disk_ = MemoryDisk(); }
  void TearDown() override {
    media_.end_all(now_);
    disk_.work(*media_.records());
  }
};
struct AllRecorded : Recorded {
  AllRecorded() : Recorded(true) {}
};

constexpr std::string_view kOn = R"({"t":"media.room","recording":true})";
constexpr std::string_view kOff = R"({"t":"media.room","recording":false})";

TEST_F(Recorded, WhatIsPublishedFromTheStartToTheEndIsOnTheDiskAndPeopleAreTold) {
  joined(MediaUse::kPublish, "gm", 200);
  see(person(MediaUse::kWatch, "ann"), 1);
  play(10);
  EXPECT_FALSE(state()["recording"].as_bool());
  ASSERT_TRUE(media_.record("demo", true, now_));
  ASSERT_TRUE(media_.record("demo", true, now_)) << "it is so already";
  play_and_write(30);
  EXPECT_TRUE(told(1, kOn));
  see(person(MediaUse::kWatch, "late"), 2);
  EXPECT_TRUE(told(2, kOn));
  joined(MediaUse::kPublish, "bob", 100);  // who comes meanwhile is recorded too
  play_and_write(30);
  EXPECT_EQ(state()["files"].as_int(), 4);
  EXPECT_GT(state()["written_bytes"].as_int(), 50'000);
  ASSERT_TRUE(media_.record("demo", false, now_));
  play_and_write(10);
  EXPECT_TRUE(told(1, kOff));
  EXPECT_EQ(disk_.paths.at(1).substr(0, 38), "demo.media/20251126T091514.042Z/0001-a");
  size_t packets = 0;
  for (const auto& [file, bytes] : disk_.files) {
    auto reader = *sfu::RecordReader::open(bytes);
    EXPECT_TRUE(reader.end());
    EXPECT_EQ(reader.header().episode, "demo");
    EXPECT_EQ(reader.header().name, file <= 2 ? "gm" : "bob");
    sfu::Record record;
    while (reader.next(record)) packets += record.type == sfu::RecordType::kRtp;
  }
  EXPECT_EQ(packets, 5u * 60 + 5u * 30) << "a voice and four packets of a picture a frame";
  EXPECT_EQ(state()["packets"].as_int(), 450);
  EXPECT_EQ(state()["dropped"].as_int(), 0);
}

TEST_F(Recorded, AFullDiskEndsTheRecordingAndNothingElse) {
  joined(MediaUse::kPublish, "gm", 200);
  Person& viewer = joined(MediaUse::kWatch, "ann");
  ASSERT_TRUE(media_.record("demo", true, now_));
  play_and_write(30);
  disk_.full = true;
  play_and_write(40);
  EXPECT_FALSE(state()["recording"].as_bool());
  EXPECT_EQ(state()["error"]["code"].as_int(), static_cast<int64_t>(Code::kRecordDiskFull));
  EXPECT_EQ(media_.stats().recordings_failed, 1u);
  const uint64_t frames = viewer.client->of(1).frames;
  play(30);
  EXPECT_GE(viewer.client->of(1).frames, frames + 28) << "the call goes on";
  disk_.full = false;
  ASSERT_TRUE(media_.record("demo", true, now_)) << "and another recording may begin";
  play_and_write(10);
  EXPECT_TRUE(state()["recording"].as_bool());
  EXPECT_TRUE(state()["error"].members().empty());
}

TEST_F(AllRecorded, AnEpisodeIsRecordedFromItsFirstTrackOnOverLeavingAndComing) {
  EXPECT_FALSE(state()["recording"].as_bool());
  Person& gm = joined(MediaUse::kPublish, "gm", 200);
  play_and_write(30);
  EXPECT_TRUE(state()["recording"].as_bool());
  ASSERT_TRUE(media_.close("demo", MediaUse::kPublish, gm.answer.id, now_));
  disk_.work(*media_.records());
  EXPECT_TRUE(sfu::RecordReader::open(disk_.files.at(1))->end());
  joined(MediaUse::kPublish, "gm", 200);
  play_and_write(5);
  EXPECT_EQ(state()["files"].as_int(), 4);
  EXPECT_EQ(media_.stats().recordings, 1u);
}

TEST_F(Recorded, FiguresTellOfEverySessionAndTrackAndNotHowToEndThem) {
  Person& gm = joined(MediaUse::kPublish, "gm", 200);
  Person& viewer = joined(MediaUse::kWatch, "ann");
  play(90);
  const std::string text = media_.figures_json("demo", now_);
  for (const Person* each : {&gm, &viewer}) EXPECT_FALSE(text.contains(each->answer.id));
  const Json figures = *Json::parse(text);
  ASSERT_EQ(figures["sessions"].items().size(), 2u);
  const Json& publishes = figures["sessions"].items()[0];
  EXPECT_EQ(publishes["use"].as_string(), "publish");
  EXPECT_TRUE(publishes["connected"].as_bool());
  ASSERT_EQ(publishes["tracks"].items().size(), 2u);
  const Json& picture = publishes["tracks"].items()[1]["encodings"].items()[0];
  EXPECT_EQ(publishes["tracks"].items()[1]["codec"].as_string(), "vp8");
  EXPECT_EQ(picture["packets"].as_int(), 90 * 4);
  EXPECT_NEAR(static_cast<double>(picture["bps"].as_int()), 30 * 4 * 1'050 * 8, 150'000);
  EXPECT_EQ(picture["lost"].as_int(), 0);
  const Json& watches = figures["sessions"].items()[1];
  EXPECT_GT(watches["estimate_bps"].as_int(), 100'000);
  EXPECT_NEAR(static_cast<double>(watches["bps_out"].as_int()), 1'000'000, 250'000);
  const Json& place = watches["places"].items()[1];
  EXPECT_EQ(place["kind"].as_string(), "video");
  EXPECT_EQ(place["layer"].as_int(), 0);
  EXPECT_GT(place["packets"].as_int(), 300);
  const MediaStats stats = media_.stats();
  EXPECT_EQ(stats.streams_in, 2u);
  EXPECT_EQ(stats.streams_out, 2u);
  EXPECT_GT(stats.bps_in, 500'000);
  EXPECT_EQ(media_.figures_json("other", now_),
            R"({"sessions":[],"recording":{"recording":false}})");
}

TEST_F(Recorded, WhileItDrainsNobodyComesThoseWhoAreHereGoOnAndTheEndIsSaid) {
  joined(MediaUse::kPublish, "gm", 200);
  Person& viewer = joined(MediaUse::kWatch, "ann");
  media_.drain();
  Person& late = person(MediaUse::kWatch, "late");
  const auto refused = open(late);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDraining);
  EXPECT_GT(refused.error().retry_after_ms, 0u);
  const uint64_t frames = viewer.client->of(1).frames;
  play(30);
  EXPECT_GE(viewer.client->of(1).frames, frames + 20);
  ASSERT_TRUE(media_.record("demo", true, now_));
  media_.end_all(now_);
  exchange();
  EXPECT_TRUE(viewer.client->closed());
  EXPECT_EQ(media_.stats().sessions, 0u);
  EXPECT_FALSE(state()["recording"].as_bool());
}

TEST_F(MediaTest, WithoutADiskNothingIsRecorded) {
  EXPECT_EQ(media_.record("demo", true, now_).error().code, Code::kMediaOff);
}

}  // namespace
}  // namespace footlight::edge
