#include "media/timeline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "media/take.h"

namespace footlight::media {
namespace {

// What one publisher sends: it says when each packet was captured, on a clock that is wrong.
struct Source {
  uint64_t session = 1;
  bool audio = true;
  int64_t clock_off_us = 0;  // of the publisher's clock against the node's
  double drift = 0;          // of the device that stamps, against the publisher's clock
  uint32_t first_timestamp = 0xFFFF'0000;  // it wraps soon
  int64_t way_us = 20'000;                 // shortest
  bool reports = true;
  int seconds = 60;
  uint8_t encoding = 0, encodings = 1;
  int64_t starts_us = 0;
  size_t packet_bytes = 20;
};

uint64_t ntp_of(int64_t us) {
  const auto seconds = static_cast<uint64_t>(us / 1'000'000);
  const auto part = static_cast<uint64_t>(us % 1'000'000);
  return seconds << 32 | (part << 32) / 1'000'000;
}

Bytes record(const Source& source) {
  sfu::RecordHeader header;
  header.session = source.session;
  header.mid = source.audio ? "0" : "1";
  header.codec = source.audio ? rtc::RtpCodec::kOpus : rtc::RtpCodec::kVp8;
  header.clock_rate = source.audio ? 48'000 : 90'000;
  header.encoding = source.encoding;
  header.encodings = source.encodings;
  const std::string preamble = sfu::record_preamble(header);
  Bytes out(preamble.begin(), preamble.end());
  const auto add = [&out](auto write) {
    uint8_t buffer[512];
    const size_t size = write(std::span(buffer));
    out.insert(out.end(), buffer, buffer + size);
  };
  const int64_t step = source.audio ? 20'000 : 33'333;
  uint16_t sequence = 0;
  for (int64_t at = source.starts_us; at < source.starts_us + source.seconds * 1'000'000LL;
       at += step, ++sequence) {
    const double ticks = static_cast<double>(at) * header.clock_rate / 1e6 * (1 + source.drift);
    const auto timestamp = source.first_timestamp + static_cast<uint32_t>(std::llround(ticks));
    const int64_t jitter = sequence * 7919 % 30'000;  // of the way; now and then none
    const auto arrived = static_cast<uint64_t>(at + source.way_us + jitter);
    Bytes packet(source.packet_bytes);
    rtc::write_rtp_head(packet, {true, false, 96, sequence, timestamp, 5});
    packet[12] = 0x10;
    packet[13] = sequence == 0 ? 0 : 1;
    add([&](std::span<uint8_t> to) {
      return sfu::write_rtp_record(to, arrived, sequence == 0, packet);
    });
    if (source.reports && sequence % 50 == 25) {
      const int64_t publisher = 3'900'000'000'000'000 + at + source.clock_off_us;
      add([&](std::span<uint8_t> to) {
        return sfu::write_report_record(to, arrived, {5, ntp_of(publisher), timestamp, 1, 1});
      });
    }
  }
  return out;
}

class TakeTest : public testing::Test {
 protected:
  TakeTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) / ("take-" + std::string(test->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~TakeTest() override { std::filesystem::remove_all(folder_); }
  void put(const std::string& name, const Bytes& bytes) {
    std::ofstream out(folder_ / name, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  // The greatest error of the frames' times against when they were captured; the shortest way is a
  // constant that nobody can know.
  static int64_t error_of(TakeStream& stream, const Source& source) {
    int64_t worst = 0, at = source.starts_us;
    while (const auto frame = stream.next()) {
      worst = std::max(worst, std::abs(stream.time_of(*frame) - at - source.way_us));
      at += source.audio ? 20'000 : 33'333;
    }
    EXPECT_GE(at, source.starts_us + source.seconds * 1'000'000LL);
    return worst;
  }
  std::filesystem::path folder_;
};

TEST_F(TakeTest, VoiceAndPictureOfAPublisherAreInStepWhateverTheirClocksSay) {
  const Source voice{.clock_off_us = -7'200'000'000, .drift = 100e-6};
  Source picture{.audio = false, .clock_off_us = -7'200'000'000, .first_timestamp = 5};
  put("1.flrec", record(voice));
  put("2.flrec", record(picture));
  auto take = load_take(folder_.string());
  ASSERT_TRUE(take);
  ASSERT_EQ(take->streams.size(), 2u);
  EXPECT_LE(error_of(*take->streams[0], voice), 1'500);
  EXPECT_LE(error_of(*take->streams[1], picture), 1'500);
}

TEST_F(TakeTest, PublishersAreLaidOnTheNodesClockAndNotComparedByTheirOwn) {
  const Source ann{.session = 1, .clock_off_us = 90'000'000};
  const Source bob{.session = 2, .clock_off_us = -3'000'000, .starts_us = 10'000'000};
  put("1.flrec", record(ann));
  put("2.flrec", record(bob));
  auto take = load_take(folder_.string());
  ASSERT_TRUE(take);
  EXPECT_LE(error_of(*take->streams[0], ann), 1'500);
  EXPECT_LE(error_of(*take->streams[1], bob), 1'500);
}

TEST_F(TakeTest, WithoutReportsAStreamIsLaidByItsArrival) {
  const Source voice{.reports = false};
  const Source picture{.audio = false, .reports = false};
  put("1.flrec", record(voice));
  put("2.flrec", record(picture));
  auto take = load_take(folder_.string());
  ASSERT_TRUE(take);
  EXPECT_LE(error_of(*take->streams[0], voice), 1'500);
  EXPECT_LE(error_of(*take->streams[1], picture), 1'500);
}

TEST_F(TakeTest, TheHighestEncodingThatLastedIsTaken) {
  const auto encoding = [](uint8_t number, int seconds) {
    return Source{.audio = false, .seconds = seconds, .encoding = number, .encodings = 3};
  };
  put("1.flrec", record(encoding(0, 60)));
  put("2.flrec", record(encoding(1, 58)));
  put("3.flrec", record(encoding(2, 20)));
  auto take = load_take(folder_.string());
  ASSERT_TRUE(take);
  std::vector<bool> skipped;
  for (const auto& stream : take->streams) skipped.push_back(stream->skipped);
  EXPECT_EQ(skipped, (std::vector<bool>{true, false, true}));
}

TEST_F(TakeTest, WhereRatesAreClearlyApartTheyTellTheBetterEncoding) {
  // OBS numbers its encodings from the largest down.
  const auto encoding = [](uint8_t number, size_t bytes) {
    return Source{.audio = false, .encoding = number, .encodings = 3, .packet_bytes = bytes};
  };
  put("1.flrec", record(encoding(0, 300)));
  put("2.flrec", record(encoding(1, 200)));
  put("3.flrec", record(encoding(2, 100)));
  auto take = load_take(folder_.string());
  ASSERT_TRUE(take);
  std::vector<bool> skipped;
  for (const auto& stream : take->streams) skipped.push_back(stream->skipped);
  EXPECT_EQ(skipped, (std::vector<bool>{false, true, true}));
}

TEST_F(TakeTest, WhatCannotBeReadIsNamedAndTheRestIsTaken) {
  put("1.flrec", record({}));
  put("2.flrec", {1, 2, 3});
  put("3.flrec", {});
  auto take = load_take(folder_.string());
  ASSERT_TRUE(take);
  EXPECT_EQ(take->streams.size(), 1u);
  EXPECT_EQ(take->unreadable.size(), 2u);
  EXPECT_EQ(load_take(folder_.string() + "/none").error().code, Code::kRecordEmpty);
}

TEST_F(TakeTest, AnEpisodeNamesItsLastRecording) {
  const auto media = folder_ / "demo.media";
  for (const char* name :
       {"20260101T000000.000Z", "20260102T000000.000Z", "20260103T000000.000Z"}) {
    std::filesystem::create_directories(media / name);
  }
  put("demo.media/20260102T000000.000Z/1.flrec", record({}));
  const std::string last = (media / "20260102T000000.000Z").string();
  EXPECT_EQ(find_take(media.string()).value(), last);
  EXPECT_EQ(find_take((folder_ / "demo.episode").string()).value(), last);
  EXPECT_EQ(find_take((folder_ / "demo").string()).value(), last);
  EXPECT_EQ(find_take(last).value(), last);
  EXPECT_EQ(find_take((folder_ / "other").string()).error().code, Code::kRecordEmpty);
}

}  // namespace
}  // namespace footlight::media
