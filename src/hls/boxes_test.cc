#include "hls/boxes.h"

#include <gtest/gtest.h>

#include "hls/internal/test_feed.h"

namespace footlight::hls {
namespace {

TEST(HlsBoxes, AChunkTellsItsTimeAndHowLongItLasts) {
  const auto info = read_chunk(make_chunk(8192 * 7, 16, 512));
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->tfdt, 8192u * 7);
  EXPECT_EQ(info->duration, 8192u);
  EXPECT_EQ(info->samples, 16u);
}

TEST(HlsBoxes, AnInitSegmentTellsItsTimescale) {
  const auto info = read_init(*make_init(15'360));
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->timescale, 15'360u);
}

TEST(HlsBoxes, WhateverIsCutShortIsRefusedAtEveryByte) {
  const std::string chunk = make_chunk(5, 3, 7);
  for (size_t size = 0; size < chunk.size(); ++size) {
    EXPECT_FALSE(read_chunk(chunk.substr(0, size))) << size;
  }
  const std::string init = *make_init(1000);
  for (size_t size = 0; size < init.size(); ++size) {
    EXPECT_FALSE(read_init(init.substr(0, size))) << size;
  }
}

TEST(HlsBoxes, OnlyOneMoofWithItsMdatIsAUnit) {
  const std::string one = make_chunk(5, 3, 7);
  EXPECT_EQ(read_chunk(one + one).error().code, Code::kFeedBroken) << "two chunks";
  EXPECT_FALSE(read_chunk(make_box("mdat", "x") + one)) << "mdat first";
  EXPECT_FALSE(read_chunk(make_box("free", "") + one)) << "a box that has no place here";
  EXPECT_TRUE(read_chunk(make_box("styp", "cmfc") + make_box("prft", "12345678") + one));
  EXPECT_FALSE(read_chunk(*make_init(1000))) << "an init segment is no chunk";
  EXPECT_FALSE(read_init(*make_init(1000) + one)) << "a chunk is no init segment";
}

TEST(HlsBoxes, ARunThatClaimsMoreSamplesThanItHoldsIsRefused) {
  std::string chunk = make_chunk(5, 3, 7);
  const size_t trun = chunk.find("trun");
  chunk[trun + 4 + 2] = 0x01;  // flags: a duration for each sample, of which there is none
  EXPECT_FALSE(read_chunk(chunk));
}

TEST(HlsBoxes, AnEmsgIsAWholeBoxWithAnId3TagInside) {
  std::string out;
  Emsg emsg;
  emsg.scheme = kEmsgId3;
  emsg.timescale = 1000;
  emsg.presentation_time = 0x1'0000'0001;
  emsg.id = 7;
  const std::string tag = id3_private("owner", "data");
  emsg.data = tag;
  append_emsg(out, emsg);
  EXPECT_EQ(static_cast<unsigned char>(out[3]), out.size()) << "the size in front";
  EXPECT_EQ(out.substr(4, 4), "emsg");
  EXPECT_EQ(out[8], 1) << "version";
  EXPECT_TRUE(out.ends_with(tag));
  EXPECT_EQ(tag.substr(0, 3), "ID3");
  EXPECT_EQ(static_cast<size_t>(tag[9]), tag.size() - 10) << "size of the tag";
  EXPECT_TRUE(read_chunk(out + make_chunk(5, 3, 7))) << "and goes before a chunk";
}

}  // namespace
}  // namespace footlight::hls
