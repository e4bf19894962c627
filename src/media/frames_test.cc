#include "media/frames.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace footlight::media {
namespace {

class Frames : public testing::Test {
 protected:
  void codec(rtc::RtpCodec codec) {
    header_.codec = codec;
    header_.clock_rate = header_.audio() ? 48'000 : 90'000;
  }
  // A packet as it came; it is read when all are there.
  void give(uint16_t sequence, uint32_t timestamp, bool marker, Bytes payload, uint8_t type = 96) {
    Bytes& bytes = packets_.emplace_back(12 + payload.size());
    rtc::write_rtp_head(bytes, {marker, false, type, sequence, timestamp, 7});
    std::ranges::copy(payload, bytes.begin() + 12);
  }
  std::vector<Frame> read() {
    FrameBuilder builder(header_, 1000);
    ReorderBuffer order;
    std::vector<Frame> out;
    for (const Bytes& bytes : packets_) {
      rtc::RtpView packet;
      EXPECT_TRUE(rtc::parse_rtp(bytes, packet));
      order.push(packet, 5);
    }
    while (const auto item = order.pop(true)) {
      builder.push(*item);
      while (auto frame = builder.next()) out.push_back(std::move(*frame));
    }
    counts_ = builder.counts();
    return out;
  }
  // A VP8 frame of three packets from `sequence` on.
  void picture(uint16_t sequence, uint32_t timestamp, bool key, uint16_t without = 0) {
    for (uint16_t i = 0; i < 3; ++i) {
      if (without && sequence + i == without) continue;
      const uint8_t start = i == 0 ? 0x10 : 0x00;
      const uint8_t head = i == 0 ? (key ? 0x00 : 0x01) : static_cast<uint8_t>(0xA0 + i);
      give(static_cast<uint16_t>(sequence + i), timestamp, i == 2, {start, head, 9});
    }
  }
  sfu::RecordHeader header_;
  std::deque<Bytes> packets_;
  FrameCounts counts_;
};

TEST_F(Frames, APictureOfManyPacketsIsOneFrameWithoutDescriptors) {
  codec(rtc::RtpCodec::kVp8);
  picture(65'534, 1000, true);  // over the wrap of sequences
  picture(1, 4000, false);
  const auto frames = read();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(frames[0].key);
  EXPECT_EQ(frames[0].bytes, (Bytes{0x00, 9, 0xA1, 9, 0xA2, 9}));
  EXPECT_FALSE(frames[1].key);
  EXPECT_EQ(frames[1].timestamp - frames[0].timestamp, 3000);
}

TEST_F(Frames, WhatCameLateFindsItsPlaceAndWhatCameTwiceCountsOnce) {
  codec(rtc::RtpCodec::kVp8);
  picture(10, 1000, true, 11);
  picture(13, 4000, false);
  picture(10, 1000, true, 10);  // 11 comes late, 12 once more
  EXPECT_EQ(read().size(), 2u);
  EXPECT_EQ(counts_.lost, 0u);
  EXPECT_EQ(counts_.dropped, 0u);
}

TEST_F(Frames, AfterALossNothingIsShownBeforeTheNextWholeKeyFrame) {
  codec(rtc::RtpCodec::kVp8);
  picture(10, 1000, true);
  picture(13, 4000, false, 14);
  picture(16, 7000, false);
  picture(19, 10'000, true, 21);  // a key frame, but torn
  picture(22, 13'000, false);
  picture(25, 16'000, true);
  picture(28, 19'000, false);
  const auto frames = read();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[1].timestamp - frames[0].timestamp, 15'000);
  EXPECT_EQ(counts_.lost, 2u);
  EXPECT_EQ(counts_.dropped, 4u);
}

TEST_F(Frames, WhatRedRepeatsFillsAGapOnceAndNothingElse) {
  codec(rtc::RtpCodec::kOpus);
  header_.red_payload_type = 63;
  // Each packet repeats the two before: 1,920 and 960 ticks earlier, in a byte each.
  const auto red = [](uint8_t n) {
    return Bytes{0xEF,
                 0x1E,
                 0,
                 1,
                 0xEF,
                 0x0F,
                 0,
                 1,
                 111,
                 static_cast<uint8_t>(n - 2),
                 static_cast<uint8_t>(n - 1),
                 n};
  };
  const auto packet = [&](uint8_t n) { give(n, 1000 + 960u * n, false, red(n), 63); };
  packet(5);  // what was before the first is not asked for
  packet(6);
  packet(8);   // one is missing
  packet(11);  // two are
  packet(15);  // three: the first of them is not repeated by anybody
  const auto frames = read();
  Bytes heard;
  for (const Frame& frame : frames) {
    heard.push_back(frame.bytes.at(0));
    EXPECT_EQ(frame.timestamp - frames[0].timestamp, 960 * (frame.bytes[0] - 5));
  }
  EXPECT_EQ(heard, (Bytes{5, 6, 7, 8, 9, 10, 11, 13, 14, 15}));
  EXPECT_EQ(counts_.lost, 6u);
  EXPECT_EQ(counts_.repaired, 5u);
}

TEST_F(Frames, AVoiceGoesOnAfterALossAndOfRedThePrimaryBlockIsTaken) {
  codec(rtc::RtpCodec::kOpus);
  header_.red_payload_type = 63;
  give(1, 1000, false, {0xAA});
  give(3, 2920, false, {0x80 | 111, 0, 0, 1, 111, 0xBB, 0xCC}, 63);
  give(4, 3880, false, {0xDD});
  const auto frames = read();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[1].bytes, Bytes{0xCC});
  EXPECT_TRUE(frames[1].key);
  EXPECT_EQ(counts_.lost, 1u);
}

TEST_F(Frames, Vp9DescriptorsOfEveryFormAreUndone) {
  codec(rtc::RtpCodec::kVp9);
  // I (15 bits), L with TL0PICIDX, B, E, V: two spatial sizes and one picture of a group.
  give(1, 1000, false,
       {0x80 | 0x20 | 0x08 | 0x02, 0x81, 0x02, 0x00, 0x07, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0x04, 1,
        0xEE});
  give(2, 1000, true, {0x80 | 0x20 | 0x04, 0x81, 0x02, 0x00, 0x07, 0xEF});
  // Flexible, predicted: two reference indices.
  give(3, 4000, true, {0x80 | 0x40 | 0x10 | 0x08 | 0x04, 0x05, 0x03, 0x04, 0xF0});
  const auto frames = read();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(frames[0].key);
  EXPECT_EQ(frames[0].bytes, (Bytes{0xEE, 0xEF}));
  EXPECT_EQ(frames[1].bytes, Bytes{0xF0});
}

TEST_F(Frames, H264BecomesNalUnitsWithStartCodes) {
  codec(rtc::RtpCodec::kH264);
  give(1, 1000, false, {24, 0, 2, 0x67, 1, 0, 2, 0x68, 2});  // STAP-A: SPS, PPS
  give(2, 1000, false, {0x7C, 0x85, 3});                     // FU-A: IDR begins
  give(3, 1000, true, {0x7C, 0x45, 4});                      // ... and ends
  give(4, 4000, true, {0x41, 5});
  const auto frames = read();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(frames[0].key);
  EXPECT_EQ(frames[0].bytes,
            (Bytes{0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3, 4}));
  EXPECT_EQ(frames[1].bytes, (Bytes{0, 0, 0, 1, 0x41, 5}));
}

TEST_F(Frames, Av1ObusInPiecesBecomeATemporalUnitWithSizes) {
  codec(rtc::RtpCodec::kAv1);
  // N, two elements: a whole sequence header with its size before it, the beginning of a frame.
  give(1, 1000, false, {0x40 | 0x20 | 0x08, 2, 0x08, 0x77, 0x30, 0x01});
  give(2, 1000, true, {0x80 | 0x10, 0x02, 0x03});
  // One element alone, with an extension and a size of its own.
  give(3, 4000, true, {0x10, 0x34, 0x00, 0x05});
  const auto frames = read();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(frames[0].key);
  EXPECT_EQ(frames[0].bytes, (Bytes{0x12, 0, 0x0A, 1, 0x77, 0x32, 3, 0x01, 0x02, 0x03}));
  EXPECT_EQ(frames[1].bytes, (Bytes{0x12, 0, 0x36, 0, 1, 0x05}));
}

TEST_F(Frames, APieceWithoutItsBeginningBreaksTheFrame) {
  codec(rtc::RtpCodec::kAv1);
  give(1, 1000, true, {0x80 | 0x10 | 0x08, 0x02});
  EXPECT_TRUE(read().empty());
  EXPECT_EQ(counts_.dropped, 1u);
}

}  // namespace
}  // namespace footlight::media
