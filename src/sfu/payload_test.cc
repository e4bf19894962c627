#include "sfu/payload.h"

#include <gtest/gtest.h>

#include <array>

namespace footlight::sfu {
namespace {

Bytes hex(std::string_view text) {
  Bytes bytes;
  EXPECT_TRUE(from_hex(text, bytes));
  return bytes;
}

TEST(Vp8, TheDescriptorIsReadInItsShortAndLongForms) {
  Vp8Descriptor descriptor;
  const Bytes bare = hex("1000");  // start of partition 0, a key frame
  ASSERT_TRUE(read_vp8(bare, descriptor));
  EXPECT_EQ(descriptor.bytes, 1);
  EXPECT_TRUE(descriptor.key_frame);
  EXPECT_FALSE(descriptor.has_picture_id);

  const Bytes seven =
      hex("90"
          "f0"
          "05"
          "09"
          "a3"
          "01");
  ASSERT_TRUE(read_vp8(seven, descriptor));
  EXPECT_EQ(descriptor.bytes, 5);
  EXPECT_FALSE(descriptor.long_picture_id);
  EXPECT_EQ(descriptor.picture_id, 5);
  EXPECT_EQ(descriptor.tl0, 9);
  EXPECT_EQ(descriptor.temporal, 2);
  EXPECT_TRUE(descriptor.layer_sync);
  EXPECT_EQ(descriptor.key_index, 3);
  EXPECT_FALSE(descriptor.key_frame);

  const Bytes fifteen =
      hex("90"
          "80"
          "8123"
          "00");
  ASSERT_TRUE(read_vp8(fifteen, descriptor));
  EXPECT_TRUE(descriptor.long_picture_id);
  EXPECT_EQ(descriptor.picture_id, 0x123);
}

TEST(Vp8, EveryCutOfADescriptorIsRefusedOrWithoutAKeyFrame) {
  const Bytes whole =
      hex("90"
          "f0"
          "8123"
          "09"
          "a3");
  for (size_t size = 0; size < whole.size(); ++size) {
    Vp8Descriptor descriptor;
    EXPECT_FALSE(read_vp8(ByteView(whole).first(size), descriptor)) << size;
  }
}

TEST(Vp8, NumbersAreWrittenInTheFormTheyCameIn) {
  std::array<uint8_t, kVp8MaxDescriptorBytes> out;
  Vp8Descriptor descriptor;
  const Bytes seven =
      hex("90"
          "f0"
          "05"
          "09"
          "a3"
          "01");
  ASSERT_TRUE(read_vp8(seven, descriptor));
  write_vp8(out, seven, descriptor, {0x1FF, 77, 40});
  EXPECT_EQ(to_hex(ByteView(out).first(5)), "90f07f4da8");  // 7 bits, TID kept, 5-bit KEYIDX
  const Bytes fifteen =
      hex("90"
          "80"
          "8123"
          "00");
  ASSERT_TRUE(read_vp8(fifteen, descriptor));
  write_vp8(out, fifteen, descriptor, {0x8005, 0, 0});
  EXPECT_EQ(to_hex(ByteView(out).first(4)), "90808005");
}

TEST(Vp9, LayersAndKeyFramesAreToldFromTheDescriptor) {
  // I, L, B set; 15-bit picture id; TID 1, U, SID 0.
  PayloadInfo info =
      read_vp9(hex("a8"
                   "8001"
                   "30"
                   "05"));
  EXPECT_TRUE(info.frame_start);
  EXPECT_TRUE(info.key_frame);
  EXPECT_EQ(info.temporal, 1);
  EXPECT_TRUE(info.switching_point);
  info =
      read_vp9(hex("ec"
                   "01"
                   "44"
                   "05"));  // P: predicted; B and E; TID 2, SID 2
  EXPECT_FALSE(info.key_frame);
  EXPECT_TRUE(info.frame_end);
  EXPECT_EQ(info.spatial, 2);
  EXPECT_FALSE(read_vp9({}).key_frame);
  EXPECT_FALSE(read_vp9(hex("a8")).key_frame);
}

TEST(H264, AKeyFrameIsFoundAloneInAnAggregateAndInAFragment) {
  EXPECT_TRUE(read_h264(hex("65aa")).key_frame);  // IDR
  EXPECT_TRUE(read_h264(hex("67aa")).key_frame);  // SPS
  EXPECT_FALSE(read_h264(hex("41aa")).key_frame);
  EXPECT_TRUE(read_h264(hex("78"
                            "0002"
                            "67aa"
                            "0002"
                            "68bb"))
                  .key_frame);
  EXPECT_FALSE(read_h264(hex("78"
                             "0002"
                             "41aa"))
                   .key_frame);
  EXPECT_TRUE(read_h264(hex("7c85")).key_frame);   // FU-A, start of an IDR
  EXPECT_FALSE(read_h264(hex("7c05")).key_frame);  // its middle
  EXPECT_FALSE(read_h264(hex("78"
                             "ffff"
                             "41"))
                   .key_frame);  // a length beyond the end
}

TEST(Av1, TheFirstPacketOfASequenceIsAKeyFrame) {
  EXPECT_TRUE(read_av1(hex("18aa")).key_frame);
  EXPECT_FALSE(read_av1(hex("10aa")).key_frame);
  EXPECT_FALSE(read_av1(hex("90aa")).frame_start);
}

// Bits to bytes, for structures written out by hand.
Bytes bits(std::string_view text) {
  Bytes bytes;
  size_t count = 0;
  for (const char c : text) {
    if (c != '0' && c != '1') continue;
    if (count % 8 == 0) bytes.push_back(0);
    bytes.back() |= static_cast<uint8_t>((c - '0') << (7 - count % 8));
    ++count;
  }
  return bytes;
}

// L1T2: two templates, two decode targets, one chain.
const char* const kL1T2 =
    "1 1 000000 0000000000000101"  // start, end, template 0, frame 5
    "1 0 0 0 0"                    // a structure, nothing custom
    "000000 00001"                 // offset 0, two targets
    "01 11"                        // next template: one temporal layer up; then the end
    "11 11"                        // template 0: required by both
    "00 01"                        // template 1: not in target 0, discardable in target 1
    "0"
    "1 0000 0"   // frame differences: none; one of 1
    "10"         // ns(3) of one chain
    "0000 0001"  // chain differences
    "0";         // no resolutions

TEST(DependencyDescriptor, AStructureNamesLayersAndWhoNeedsThem) {
  DependencyReader reader;
  EXPECT_FALSE(reader.read(hex("c00005")));  // nothing is known before a structure came
  const auto key = reader.read(bits(kL1T2));
  ASSERT_TRUE(key);
  EXPECT_TRUE(key->structure);
  EXPECT_EQ(key->number, 5);
  EXPECT_EQ(key->decode_targets, 3u);
  ASSERT_EQ(reader.target_count(), 2u);
  EXPECT_EQ(reader.target_temporal(0), 0);
  EXPECT_EQ(reader.target_temporal(1), 1);
  EXPECT_EQ(reader.target_for(0, 0), 0u);
  EXPECT_EQ(reader.target_for(0, 3), 1u);
  const auto upper = reader.read(hex("c10006"));  // template 1
  ASSERT_TRUE(upper);
  EXPECT_EQ(upper->temporal, 1);
  EXPECT_EQ(upper->decode_targets, 2u);
  EXPECT_FALSE(reader.read(hex("c20007")));  // a template that the structure has not
}

TEST(DependencyDescriptor, ACutStructureIsRefusedAndLeavesNone) {
  const Bytes whole = bits(kL1T2);
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    DependencyReader reader;
    EXPECT_FALSE(reader.read(ByteView(whole).first(size))) << size;
  }
}

}  // namespace
}  // namespace footlight::sfu
