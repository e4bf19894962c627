#include "core/bytes.h"

#include <gtest/gtest.h>

#include "core/prng.h"

namespace footlight {
namespace {

TEST(Hex, round_trips_and_refuses_odd_or_foreign_digits) {
  Bytes out;
  EXPECT_TRUE(from_hex("00ff7A", out));
  EXPECT_EQ(to_hex(out), "00ff7a");
  EXPECT_FALSE(from_hex("0", out));
  EXPECT_FALSE(from_hex("0g", out));
  uint64_t value = 0;
  EXPECT_TRUE(parse_hex_u64(hex_u64(0xDEADBEEF01ULL), value));
  EXPECT_EQ(value, 0xDEADBEEF01ULL);
  EXPECT_FALSE(parse_hex_u64("", value));
  EXPECT_FALSE(parse_hex_u64("12345678901234567", value));
}

TEST(Base64Url, matches_rfc_4648_and_refuses_non_canonical_tails) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},           {"f", "Zg"},
                                                         {"fo", "Zm8"},      {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg"}, {"\xfb\xff", "-_8"}};
  Bytes out;
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64url(as_bytes(plain)), encoded);
    ASSERT_TRUE(from_base64url(encoded, out)) << encoded;
    EXPECT_EQ(as_text(out), plain);
  }
  EXPECT_FALSE(from_base64url("Zh", out)) << "bits beyond the last byte are not zero";
  EXPECT_FALSE(from_base64url("Zg==", out));
  EXPECT_FALSE(from_base64url("Z", out));
  EXPECT_FALSE(from_base64url("+/", out));
}

TEST(Utf8, accepts_what_rfc_3629_allows_and_nothing_else) {
  EXPECT_TRUE(is_valid_utf8("pl\xc3\xa4in \xe2\x82\xac \xf0\x9f\x8e\xb2"));
  EXPECT_FALSE(is_valid_utf8("\xc0\x80")) << "overlong";
  EXPECT_FALSE(is_valid_utf8("\xe0\x80\x80")) << "overlong";
  EXPECT_FALSE(is_valid_utf8("\xed\xa0\x80")) << "surrogate";
  EXPECT_FALSE(is_valid_utf8("\xf4\x90\x80\x80")) << "beyond U+10FFFF";
  EXPECT_FALSE(is_valid_utf8("\xe2\x82")) << "cut off";
  EXPECT_FALSE(is_valid_utf8("\x80"));
}

TEST(ByteReader, reads_what_the_writer_wrote) {
  Bytes bytes;
  ByteWriter out(bytes);
  Prng random(7);
  std::vector<uint64_t> values = {0, 127, 128, UINT64_MAX};
  for (int i = 0; i < 200; ++i) values.push_back(random.next() >> random.below(64));
  for (const uint64_t value : values) out.varint(value);
  out.u8(1), out.u16(2), out.u32(3), out.u64(4), out.text("five");
  ByteReader in(bytes);
  for (const uint64_t value : values) EXPECT_EQ(in.varint(), value);
  EXPECT_EQ(in.u8() + in.u16() + in.u32() + in.u64(), 10u);
  EXPECT_EQ(in.text(), "five");
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.remaining(), 0u);
}

TEST(ByteReader, fails_for_good_on_missing_bytes_and_overlong_varints) {
  const Bytes overlong(11, 0xFF);
  ByteReader varint(overlong);
  EXPECT_EQ(varint.varint(), 0u);
  EXPECT_FALSE(varint.ok());
  const Bytes three(3, 1);
  ByteReader in(three);
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0u) << "no reading on after a fault";
  const Bytes claims{0xFF, 0xFF, 0xFF, 0x7F, 'x'};
  ByteReader text(claims);
  EXPECT_EQ(text.text(), "");
  EXPECT_FALSE(text.ok());
}

TEST(Prng, is_the_published_xoshiro_and_below_is_in_range_and_even) {
  Prng a(1), b(1);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_EQ(Prng(0).next(), 0x99EC5F36CB75F2B4ULL) << "xoshiro256** seeded by SplitMix64(0)";
  int counts[6] = {};
  for (int i = 0; i < 60000; ++i) ++counts[a.below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

}  // namespace
}  // namespace footlight
