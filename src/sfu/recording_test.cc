#include "sfu/recording.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "rtc/rtcp.h"
#include "rtc/rtp.h"
#include "sfu/room.h"

namespace footlight::sfu {
namespace {

constexpr uint8_t kVideo = 96, kAudio = 111;

// Keeps what is written; may hold it back, or fail.
class MemoryDisk final : public RecordDisk {
 public:
  void open(uint64_t file, std::string path) override { paths[file] = std::move(path); }
  void write(RecordChunk* chunk) override { waiting.push_back(chunk); }
  // The disk's turn: everything that waits, or so much of it.
  void work(RecordPool& pool, size_t most = SIZE_MAX) {
    for (; most > 0 && !waiting.empty(); --most) {
      RecordChunk* chunk = waiting.front();
      waiting.erase(waiting.begin());
      const bool fits = written + chunk->used <= capacity;
      if (fits) {
        Bytes& file = files[chunk->file];
        file.insert(file.end(), chunk->bytes.begin(), chunk->bytes.begin() + chunk->used);
        written += chunk->used;
      }
      closed += chunk->last ? 1 : 0;
      pool.written(chunk, fits ? Status() : fail(Code::kRecordDiskFull, "no space"));
    }
  }
  std::map<uint64_t, std::string> paths;
  std::map<uint64_t, Bytes> files;
  std::vector<RecordChunk*> waiting;
  size_t capacity = SIZE_MAX, written = 0, closed = 0;
};

class Nowhere final : public Sink {
 public:
  void send_rtp(ByteView, ByteView) override {}
  void send_rtcp(ByteView compound) override {
    rtc::RtcpReader reader(compound);
    rtc::RtcpPacket packet;
    while (reader.next(packet)) {
      plis += packet.type == rtc::RtcpType::kPayloadFeedback && packet.count == rtc::kPsfbPli;
    }
  }
  size_t plis = 0;
};

rtc::NegotiatedMedia line(const std::string& mid, bool audio,
                          std::vector<rtc::NegotiatedEncoding> encodings) {
  rtc::NegotiatedMedia media;
  media.mid = mid;
  media.kind = audio ? rtc::MediaKind::kAudio : rtc::MediaKind::kVideo;
  rtc::NegotiatedCodec codec;
  codec.codec = audio ? rtc::RtpCodec::kOpus : rtc::RtpCodec::kVp8;
  codec.payload_type = audio ? kAudio : kVideo;
  codec.clock_rate = audio ? 48'000 : 90'000;
  media.codecs = {codec};
  media.encodings = std::move(encodings);
  return media;
}

class RecordingTest : public testing::Test {
 protected:
  explicit RecordingTest(const RecordLimits& limits = {}) : pool_(disk_, limits) {
    member_ = *room_.join(sink_);
    voice_ = *room_.publish(member_, line("0", true, {{"", 1, 0}}), 100);
    picture_ = *room_.publish(member_, line("1", false, {{"l", 2, 0}, {"h", 3, 0}}), 100);
  }
  ~RecordingTest() override {
    if (recording_) recording_->stop({Code::kOk, {}, 0}, now_);
  }
  void start() {
    recording_.emplace(pool_, "demo.media/take", "take", 1'700'000'000'000, now_);
    RecordHeader about;
    about.episode = "demo";
    about.account = "00ab00ab00ab00ab";
    about.name = "Gale \"the GM\"";
    about.session = 7;
    room_.record(voice_, *recording_, about, now_);
    room_.record(picture_, *recording_, about, now_);
  }
  void give(uint32_t ssrc, uint16_t sequence, uint32_t timestamp, ByteView payload) {
    Packet* packet = packets_.take();
    ASSERT_NE(packet, nullptr);
    const uint8_t type = ssrc == 1 ? kAudio : kVideo;
    size_t size =
        rtc::write_rtp_head(packet->buffer, {true, false, type, sequence, timestamp, ssrc});
    std::ranges::copy(payload, packet->buffer.begin() + static_cast<ptrdiff_t>(size));
    size += payload.size();
    room_.on_rtp(member_, packet, std::span(packet->buffer).first(size), now_);
  }
  // So many milliseconds of a voice and of a picture in two encodings, 30 a second.
  void play(int frames) {
    for (int i = 0; i < frames; ++i, ++frame_) {
      now_ += 33'333;
      Bytes picture(900, 0x11);
      picture[0] = 0x10;                                        // S, partition 0
      picture[1] = frame_ % 60 == 0 ? uint8_t{0} : uint8_t{1};  // P: no key frame
      give(1, frame_, frame_ * 1600u, Bytes(80, static_cast<uint8_t>(frame_)));
      give(2, frame_, frame_ * 3000u, picture);
      give(3, frame_, frame_ * 3000u, picture);
      room_.flush(now_);
      room_.on_time(now_);
      recording_->on_time(now_);
      if (works_) disk_.work(pool_);
    }
  }
  void end(Error why = {Code::kOk, {}, 0}) {
    recording_->stop(why, now_);
    disk_.work(pool_);
  }

  MemoryDisk disk_;
  RecordPool pool_;
  PacketPool packets_{8192};
  Room room_{packets_};
  Nowhere sink_;
  MemberId member_ = 0;
  TrackId voice_ = 0, picture_ = 0;
  std::optional<Recording> recording_;
  MonoUs now_ = 50'000'000;
  uint16_t frame_ = 0;
  bool works_ = true;
};

struct FewChunks : RecordingTest {
  FewChunks() : RecordingTest({.chunks = 6}) {}
};
struct SmallRecording : RecordingTest {
  SmallRecording() : RecordingTest({.bytes = 100'000}) {}
};

size_t count(RecordReader reader, RecordType type) {
  size_t found = 0;
  Record record;
  while (reader.next(record)) found += record.type == type;
  return found;
}

TEST_F(RecordingTest, EveryEncodingIsAFileOfItsPacketsAsTheyCame) {
  start();
  play(90);
  end();
  ASSERT_EQ(disk_.files.size(), 3u);
  EXPECT_EQ(disk_.closed, 3u);
  EXPECT_EQ(disk_.paths.at(1), "demo.media/take/0001-audio-00ab00ab00ab00ab.flrec");
  EXPECT_EQ(disk_.paths.at(3), "demo.media/take/0003-video-00ab00ab00ab00ab-1.flrec");
  auto reader = *RecordReader::open(disk_.files.at(1));
  EXPECT_EQ(reader.header().name, "Gale \"the GM\"");
  EXPECT_EQ(reader.header().session, 7u);
  EXPECT_EQ(reader.header().began_ms, 1'700'000'000'000);
  EXPECT_EQ(reader.header().codec, rtc::RtpCodec::kOpus);
  Record record;
  for (uint16_t i = 0; i < 90; ++i) {
    ASSERT_TRUE(reader.next(record));
    rtc::RtpView packet;
    ASSERT_TRUE(rtc::parse_rtp(record.body, packet));
    EXPECT_EQ(packet.sequence, i);
    EXPECT_EQ(record.time_us, (i + 1) * 33'333u);
    EXPECT_EQ(packet.payload()[0], static_cast<uint8_t>(i));
  }
  auto high = *RecordReader::open(disk_.files.at(3));
  EXPECT_EQ(high.header().rid, "h");
  EXPECT_EQ(high.header().encoding, 1u);
  ASSERT_TRUE(high.next(record));
  EXPECT_TRUE(record.key_frame());
  EXPECT_EQ(recording_->stats().dropped, 0u);
  EXPECT_EQ(recording_->stats().written_bytes, disk_.written);
}

TEST_F(RecordingTest, TheIndexNamesKeyFramesAndSecondsAndIsTheSameAfterACrash) {
  start();
  play(60 * 150);  // more than one block of it
  end();
  for (const uint64_t file : {uint64_t{1}, uint64_t{2}}) {
    Bytes& bytes = disk_.files.at(file);
    auto reader = *RecordReader::open(bytes);
    ASSERT_TRUE(reader.end());
    const auto index = reader.index();
    EXPECT_NEAR(static_cast<double>(index.size()), file == 1 ? 300 : 150, 12);
    for (const RecordIndexEntry& entry : index) {
      reader.seek(entry.offset);
      Record record;
      ASSERT_TRUE(reader.next(record));
      EXPECT_EQ(record.type, RecordType::kRtp);
      EXPECT_EQ(record.time_us, entry.time_us);
      EXPECT_TRUE(file == 1 || record.key_frame());
    }
    EXPECT_GT(reader.offset_of(100'000'000), index[40].offset);
    bytes.resize(bytes.size() - 5);
    auto crashed = *RecordReader::open(bytes);
    EXPECT_FALSE(crashed.end());
    EXPECT_NEAR(static_cast<double>(crashed.index().size()), static_cast<double>(index.size()), 4);
    EXPECT_EQ(count(crashed, RecordType::kRtp), 60 * 150u);
  }
}

TEST_F(RecordingTest, AFileCutAnywhereIsReadUpToItsLastWholeRecord) {
  start();
  play(10);
  end();
  const Bytes whole = disk_.files.at(2);
  size_t before = 0;
  for (size_t size = 0; size <= whole.size(); size += 7) {
    const auto reader = RecordReader::open(ByteView(whole).first(size));
    if (!reader) continue;
    const size_t packets = count(*reader, RecordType::kRtp);
    EXPECT_GE(packets, before);
    EXPECT_LE(packets - before, 1u);
    before = packets;
  }
  EXPECT_EQ(before, 10u);
}

TEST_F(RecordingTest, ReportsOfThePublisherAreKept) {
  start();
  play(1);
  std::array<uint8_t, 256> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.sender_report({3, 0x1234'5678'9ABC'DEF0, 77, 5, 4000}, {});
  room_.on_rtcp(member_, writer.bytes(), now_);
  end();
  auto reader = *RecordReader::open(disk_.files.at(3));
  Record record;
  while (reader.next(record) && record.type != RecordType::kReport) {
  }
  const auto report = read_report(record);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->ntp, 0x1234'5678'9ABC'DEF0u);
  EXPECT_EQ(report->rtp_timestamp, 77u);
  EXPECT_EQ(count(*RecordReader::open(disk_.files.at(2)), RecordType::kReport), 0u);
}

TEST_F(FewChunks, ADiskThatIsTooSlowCostsPacketsOfTheRecordingAndNoMemory) {
  start();
  works_ = false;
  play(300);
  EXPECT_GT(recording_->stats().dropped, 100u);
  EXPECT_EQ(recording_->trouble().code, Code::kOk);
  EXPECT_LE(disk_.waiting.size(), 6u);
  works_ = true;
  disk_.work(pool_);
  const uint64_t dropped = recording_->stats().dropped;
  play(60);
  EXPECT_EQ(recording_->stats().dropped, dropped) << "it goes on when the disk does";
  end();
  uint64_t told = 0;
  for (const auto& [file, bytes] : disk_.files) {
    auto reader = RecordReader::open(bytes);
    ASSERT_TRUE(reader) << reader.error().message();
    ASSERT_TRUE(reader->end());
    told += reader->end()->dropped;
  }
  EXPECT_EQ(told, dropped);
}

TEST_F(FewChunks, AFileIsClosedEvenWhenEverythingIsStillOnItsWay) {
  start();
  works_ = false;
  play(300);
  recording_->stop({Code::kOk, {}, 0}, now_);
  EXPECT_LE(disk_.waiting.size(), 6u + 3u);
  disk_.work(pool_);
  EXPECT_EQ(disk_.closed, 3u);
  for (const auto& [file, bytes] : disk_.files) EXPECT_TRUE(RecordReader::open(bytes)->end());
}

TEST_F(RecordingTest, AFullDiskIsToldAndTheRoomGoesOn) {
  start();
  disk_.capacity = 60'000;
  play(60);
  EXPECT_EQ(recording_->trouble().code, Code::kRecordDiskFull);
  const uint64_t packets = room_.stats().packets_in;
  end(recording_->trouble());
  play(5);
  EXPECT_EQ(room_.stats().packets_in, packets + 15);
  EXPECT_EQ(room_.track(voice_)->recording, nullptr);
  EXPECT_LE(disk_.written, 60'000u);
}

TEST_F(SmallRecording, ARecordingThatIsLargeEnoughEndsWhole) {
  start();
  play(120);
  EXPECT_EQ(recording_->trouble().code, Code::kRecordLimit);
  end(recording_->trouble());
  EXPECT_LE(disk_.written, 100'000u + 3 * 2048);
  for (const auto& [file, bytes] : disk_.files) {
    const auto reader = *RecordReader::open(bytes);
    ASSERT_TRUE(reader.end());
    EXPECT_EQ(reader.end()->why, Code::kRecordLimit);
  }
}

TEST_F(RecordingTest, ATrackThatGoesEndsItsFilesAndItsPublisherIsAskedForKeyFrames) {
  start();
  const size_t before = sink_.plis;
  play(1);
  room_.unpublish(voice_);
  disk_.work(pool_);
  EXPECT_EQ(disk_.closed, 1u);
  play(30);
  EXPECT_GE(sink_.plis, before);
  end();
  EXPECT_EQ(disk_.closed, 3u);
}

TEST_F(RecordingTest, NoKeyFrameForTenSecondsIsAskedForOnce) {
  start();
  play(1);  // frame 0 is one
  const size_t before = sink_.plis;
  for (int i = 0; i < 1'900; ++i) {
    now_ += 5'000;
    room_.on_time(now_);
  }
  EXPECT_EQ(sink_.plis, before);
  for (int i = 0; i < 120; ++i) {
    now_ += 5'000;
    room_.on_time(now_);
  }
  EXPECT_EQ(sink_.plis, before + 2) << "of each encoding";
  end();
}

TEST(RecordFile, WhatIsNoRecordingIsRefused) {
  RecordHeader header;
  header.name = std::string(100'000, 'x');
  const std::string good = record_preamble(header);
  EXPECT_LT(good.size(), kMaxRecordHeaderBytes);
  EXPECT_TRUE(RecordReader::open(as_bytes(good)));
  std::string version = good;
  version[5] = 2;
  for (const std::string& bad :
       {std::string(), std::string("FLREC"), version, good.substr(0, good.size() - 1),
        std::string(kRecordMagic) + std::string("\x02\0\0\0{}", 6)}) {
    const auto reader = RecordReader::open(as_bytes(bad));
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, Code::kRecordFormat);
  }
}

}  // namespace
}  // namespace footlight::sfu
