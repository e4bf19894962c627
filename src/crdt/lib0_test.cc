#include "crdt/lib0.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "crdt/columns.h"
#include "crdt/internal/yjs_fixtures.h"
#include "crdt/utf16.h"

// Bytes in these tests were written by lib0 0.2.120.
namespace footlight::crdt {
namespace {

using fixtures::hex;

std::string coded(uint64_t value) {
  Encoder out;
  out.var_uint(value);
  return to_hex(out.view());
}

std::string coded(SignedInt value) {
  Encoder out;
  out.var_int(value);
  return to_hex(out.view());
}

TEST(Lib0, UnsignedIntegersAreThoseOfLib0) {
  const std::pair<uint64_t, std::string_view> cases[] = {
      {0, "00"},
      {1, "01"},
      {127, "7f"},
      {128, "8001"},
      {300, "ac02"},
      {uint64_t{1} << 31, "8080808008"},
      {uint64_t{1} << 32, "8080808010"},
      {kMaxInteger, "ffffffffffffff0f"},
  };
  for (const auto& [value, bytes] : cases) {
    EXPECT_EQ(coded(value), bytes);
    const Bytes in = hex(bytes);
    Decoder decoder{ByteView(in)};
    EXPECT_EQ(decoder.var_uint(), value);
    EXPECT_TRUE(decoder.ok() && decoder.at_end());
  }
}

TEST(Lib0, SignedIntegersKeepMinusZero) {
  const std::pair<SignedInt, std::string_view> cases[] = {
      {{0, false}, "00"},
      {{0, true}, "40"},
      {{1, false}, "01"},
      {{1, true}, "41"},
      {{63, false}, "3f"},
      {{64, false}, "8001"},
      {{64, true}, "c001"},
      {{8191, false}, "bf7f"},
      {{8192, true}, "c08001"},
      {{uint64_t{1} << 31, false}, "8080808010"},
      {{kMaxInteger, true}, "ffffffffffffff1f"},
  };
  for (const auto& [value, bytes] : cases) {
    EXPECT_EQ(coded(value), bytes);
    const Bytes in = hex(bytes);
    Decoder decoder{ByteView(in)};
    const SignedInt read = decoder.var_int();
    EXPECT_EQ(read.magnitude, value.magnitude);
    EXPECT_EQ(read.negative, value.negative);
    EXPECT_TRUE(decoder.ok() && decoder.at_end());
  }
}

TEST(Lib0, IntegersBeyondTheSafeRangeAreRefused) {
  for (const std::string_view bytes :
       {"8080808080808010", "ffffffffffffffff7f", "8080808080808080808001"}) {
    const Bytes in = hex(bytes);
    Decoder decoder{ByteView(in)};
    EXPECT_EQ(decoder.var_uint(), 0u) << bytes;
    EXPECT_EQ(decoder.fault(), Fault::kRange) << bytes;
  }
  const Bytes in = hex("ffffffffffffffffff01");
  Decoder decoder{ByteView(in)};
  decoder.var_int();
  EXPECT_EQ(decoder.fault(), Fault::kRange);
}

TEST(Lib0, ARunOutInputFaultsAndStaysSo) {
  const Bytes in = hex("05616263");
  Decoder decoder{ByteView(in)};
  EXPECT_TRUE(decoder.var_bytes().empty());
  EXPECT_EQ(decoder.fault(), Fault::kTruncated);
  EXPECT_EQ(decoder.u8(), 0);
  EXPECT_EQ(decoder.var_uint(), 0u);
  EXPECT_EQ(decoder.f64(), 0.0);
  EXPECT_EQ(decoder.remaining(), 0u);
  EXPECT_EQ(decoder.fault(), Fault::kTruncated);
}

TEST(Lib0, AClaimOfAGigabyteReadsNothing) {
  const Bytes in = hex("808080800461");
  Decoder decoder{ByteView(in)};
  EXPECT_TRUE(decoder.var_text().empty());
  EXPECT_EQ(decoder.fault(), Fault::kTruncated);
}

TEST(Lib0, TextIsCheckedAndFloatsAreBigEndian) {
  Encoder out;
  out.var_text("aé漢😀");
  EXPECT_EQ(to_hex(out.view()), "0a61c3a9e6bca2f09f9880");
  Decoder text(out.view());
  EXPECT_EQ(text.var_text(), "aé漢😀");

  const Bytes bad = hex("02c328");
  Decoder wrong{ByteView(bad)};
  wrong.var_text();
  EXPECT_EQ(wrong.fault(), Fault::kUtf8);

  Encoder floats;
  floats.f32(1.5f);
  floats.f64(0.1);
  floats.u64(10);
  EXPECT_EQ(to_hex(floats.view()), "3fc000003fb999999999999a000000000000000a");
  Decoder in(floats.view());
  EXPECT_EQ(in.f32(), 1.5f);
  EXPECT_EQ(in.f64(), 0.1);
  EXPECT_EQ(in.u64(), 10u);
}

template <class Column, class Values>
std::string column(const Values& values) {
  Column out;
  for (const auto value : values) out.write(value);
  if constexpr (requires { out.finish(); }) out.finish();
  return to_hex(out.view());
}

template <class Column>
std::vector<uint64_t> read_column(std::string_view bytes, size_t count) {
  const Bytes in = hex(bytes);
  Column column{ByteView(in)};
  std::vector<uint64_t> values;
  for (size_t i = 0; i < count; ++i) values.push_back(column.read());
  EXPECT_EQ(column.fault(), Fault::kNone);
  return values;
}

using Values = std::vector<uint64_t>;

TEST(Columns, AreThoseOfLib0) {
  const Values runs{1, 2, 3, 3, 3, 0, 0, 7};
  EXPECT_EQ(column<UintOptRleEncoder>(runs), "01024301400007");
  EXPECT_EQ(read_column<UintOptRleDecoder>("01024301400007", 8), runs);
  const Values zeros{0, 0, 0, kMaxInteger};
  EXPECT_EQ(column<UintOptRleEncoder>(zeros), "4001bfffffffffffff1f");
  EXPECT_EQ(read_column<UintOptRleDecoder>("4001bfffffffffffff1f", 4), zeros);
  const Values rising{7, 8, 9, 10, 1, 1, 3};
  EXPECT_EQ(column<IncUintOptRleEncoder>(rising), "4702010103");
  EXPECT_EQ(read_column<IncUintOptRleDecoder>("4702010103", 7), rising);
  const Values clocks{3, 1100, 1101, 1050, 0, 1, 2, 3, 3, 3};
  EXPECT_EQ(column<IntDiffOptRleEncoder>(clocks), "06922202e601f42003010100");
  EXPECT_EQ(read_column<IntDiffOptRleDecoder>("06922202e601f42003010100", 10), clocks);
  const Values bytes{5, 5, 5, 7, 7, 1, 1};
  EXPECT_EQ(column<RleEncoder>(bytes), "0502070101");
  EXPECT_EQ(read_column<RleDecoder>("0502070101", 7), bytes);
}

TEST(Columns, WhatIsWrittenIsRead) {
  // A fixed generator: the same columns on every run.
  uint64_t state = 1;
  const auto next = [&] { return state = state * 6364136223846793005u + 1442695040888963407u; };
  for (int round = 0; round < 200; ++round) {
    Values values;
    Values small;
    for (int i = 0; i < 60; ++i) {
      const uint64_t bits = next() >> 33;
      if (!values.empty() && bits % 3 != 0) {
        values.push_back(bits % 3 == 1 ? values.back() : std::min(values.back() + 1, kMaxInteger));
      } else {
        values.push_back(next() >> (11 + bits % 52));
      }
      small.push_back(values.back() % 4);
    }
    EXPECT_EQ(read_column<UintOptRleDecoder>(column<UintOptRleEncoder>(values), 60), values);
    EXPECT_EQ(read_column<IncUintOptRleDecoder>(column<IncUintOptRleEncoder>(values), 60), values);
    EXPECT_EQ(read_column<IntDiffOptRleDecoder>(column<IntDiffOptRleEncoder>(values), 60), values);
    EXPECT_EQ(read_column<RleDecoder>(column<RleEncoder>(small), 60), small);
  }
}

TEST(Columns, AnEmptyOrCutColumnFaultsAndYieldsZeros) {
  for (const std::string_view bytes : {"", "c0", "4180"}) {
    const Bytes in = hex(bytes);
    UintOptRleDecoder uints{ByteView(in)};
    IntDiffOptRleDecoder diffs{ByteView(in)};
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(uints.read(), 0u);
      EXPECT_EQ(diffs.read(), 0u);
    }
    EXPECT_EQ(uints.fault(), Fault::kTruncated) << bytes;
    EXPECT_EQ(diffs.fault(), Fault::kTruncated) << bytes;
  }
  RleDecoder none;
  EXPECT_EQ(none.read(), 0);
  EXPECT_EQ(none.fault(), Fault::kTruncated);
}

TEST(Columns, DifferencesNeverLeaveTheRange) {
  const Bytes below = hex("42");  // minus one, once
  IntDiffOptRleDecoder down{ByteView(below)};
  EXPECT_EQ(down.read(), 0u);
  EXPECT_EQ(down.fault(), Fault::kRange);
  const Bytes above = hex("bfffffffffffff1fff7f");  // nearly 2^52 upwards, many times
  IntDiffOptRleDecoder up{ByteView(above)};
  for (int i = 0; i < 8; ++i) EXPECT_LE(up.read(), kMaxInteger);
  EXPECT_EQ(up.fault(), Fault::kRange);
}

TEST(Utf16, MeasuresAndCutsAsJavaScriptCounts) {
  uint64_t units = 0;
  EXPECT_TRUE(measure_utf8("", units));
  EXPECT_EQ(units, 0u);
  const std::string_view text = "aé漢😀, and some more ASCII that spans words 😀😀";
  EXPECT_TRUE(measure_utf8(text, units));
  EXPECT_EQ(units, 48u);
  EXPECT_EQ(utf16_length(text), 48u);

  const std::string_view short_text = "aé漢😀b";
  const std::pair<size_t, bool> cuts[] = {{0, false}, {1, false},  {3, false}, {6, false},
                                          {6, true},  {10, false}, {11, false}};
  for (uint64_t at = 0; at < std::size(cuts); ++at) {
    const Utf8Cut cut = utf8_cut(short_text, at);
    EXPECT_EQ(cut.at, cuts[at].first) << at;
    EXPECT_EQ(cut.split, cuts[at].second) << at;
    EXPECT_EQ(cut.missing, 0u);
  }
  EXPECT_EQ(utf8_cut(short_text, 9).missing, 3u);
  EXPECT_EQ(utf8_cut(short_text, 9).at, short_text.size());
}

TEST(Utf16, RefusesWhatIsNoUtf8) {
  uint64_t units = 0;
  for (const std::string_view bytes :
       {"80", "c080", "c1bf", "e0809f", "eda080", "edbfbf", "f0808080", "f4908080", "f8888080",
        "c3", "e6bc", "f09f98", "616263646566676880", "ff"}) {
    const Bytes in = hex(bytes);
    EXPECT_FALSE(measure_utf8(as_text(in), units)) << bytes;
    EXPECT_FALSE(is_valid_utf8(as_text(in))) << bytes;
  }
}

TEST(Utf16, AgreesWithTheCoreOnEverySingleAndDoubleByte) {
  uint64_t units = 0;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const char text[] = {'x', static_cast<char>(a), static_cast<char>(b), '\x80'};
      for (size_t size = 2; size <= 4; ++size) {
        const std::string_view view(text, size);
        ASSERT_EQ(measure_utf8(view, units), is_valid_utf8(view)) << a << " " << b;
      }
    }
  }
}

}  // namespace
}  // namespace footlight::crdt
