#include "hls/address.h"

#include <gtest/gtest.h>

namespace footlight::hls {
namespace {

TEST(HlsAddress, EachFileHasOneSpelling) {
  EXPECT_EQ(parse_request("index.m3u8", "")->what, What::kIndex);
  EXPECT_EQ(parse_request("manifest.mpd", "")->what, What::kManifest);
  EXPECT_EQ(parse_request("poster.jpg", "")->what, What::kPoster);
  EXPECT_EQ(parse_request("thumbs.vtt", "")->what, What::kThumbs);
  const auto thumb = parse_request("e1/t7.jpg", "");
  ASSERT_TRUE(thumb);
  EXPECT_EQ(thumb->what, What::kThumb);
  EXPECT_EQ(thumb->number, 7u);
  const std::string path = "e1/v720/" + part_name(12, 3);
  const auto part = parse_request(path, "");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->what, What::kPart);
  EXPECT_EQ(part->epoch, "e1");
  EXPECT_EQ(part->rendition, "v720");
  EXPECT_EQ(part->number, 12u);
  EXPECT_EQ(part->part, 3u);
  EXPECT_EQ(parse_request("e1/v720/s0.m4s", "")->what, What::kSegment);
  EXPECT_EQ(parse_request("e1/v720/init-0.mp4", "")->what, What::kInit);
  EXPECT_EQ(parse_request("e1/v720/vod.m3u8", "")->what, What::kVod);
  EXPECT_EQ(parse_request("e1/v720.m3u8", "")->what, What::kPlaylist);
}

TEST(HlsAddress, PathTricksAndOtherSpellingsAreNoAddress) {
  for (const char* path : {"",
                           "index.m3u8/",
                           "/index.m3u8",
                           "e1",
                           "e1/",
                           "e1//s0.m4s",
                           "e1/v720/s00.m4s",
                           "e1/v720/s01.m4s",
                           "e1/v720/s-1.m4s",
                           "e1/v720/s+1.m4s",
                           "e1/v720/s1.p.m4s",
                           "e1/v720/s1.p01.m4s",
                           "e1/v720/s99999999999999999999.m4s",
                           "e1/v720/../s0.m4s",
                           "e1/../v720.m3u8",
                           "E1/v720.m3u8",
                           "e1/V720.m3u8",
                           "e1/.m3u8",
                           "e1/t07.jpg",
                           "e1/t.jpg",
                           "e1/poster.jpg",
                           "e1/v720/s1.p1.m4s/x",
                           "e1/v720/init-.mp4",
                           "e1/v720/s1.p4294967296.m4s",
                           "e1/v720/s0.m4s ",
                           "e1/v7 20.m3u8"}) {
    const auto request = parse_request(path, "");
    ASSERT_FALSE(request) << path;
    EXPECT_EQ(request.error().code, Code::kProgramUnknown) << path;
  }
}

TEST(HlsAddress, DirectivesAreReadStrictly) {
  const auto all = parse_request("e1/v.m3u8", "_HLS_msn=7&_HLS_part=2&_HLS_skip=YES&other=1");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->wait_msn, 7u);
  EXPECT_EQ(all->wait_part, 2u);
  EXPECT_TRUE(all->skip);
  EXPECT_TRUE(parse_request("e1/v.m3u8", "_HLS_skip=v2")->skip);
  for (const char* query :
       {"_HLS_part=2", "_HLS_msn=", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=1&_HLS_msn=1",
        "_HLS_skip=NO", "_HLS_msn=1&_HLS_part=", "_HLS_msn=99999999999999999999", "_HLS_msn=01"}) {
    const auto request = parse_request("e1/v.m3u8", query);
    ASSERT_FALSE(request) << query;
    EXPECT_EQ(request.error().code, Code::kProgramDirective) << query;
  }
}

TEST(HlsAddress, OnlyALivePlaylistReadsItsQuery) {
  EXPECT_TRUE(parse_request("index.m3u8", "_HLS_part=x"));
  EXPECT_TRUE(parse_request("e1/v/s0.m4s", "token=1"));
}

}  // namespace
}  // namespace footlight::hls
