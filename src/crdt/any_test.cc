#include "crdt/any.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "crdt/internal/yjs_fixtures.h"

// Bytes were written by lib0 0.2.120, JSON text by JSON.stringify of node 20.
namespace footlight::crdt {
namespace {

using fixtures::hex;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string coded(const Any& value) {
  Encoder out;
  value.encode(out);
  return to_hex(out.view());
}

struct Read {
  Any value;
  Fault fault = Fault::kNone;
  bool canonical = false;
};

// Reads and skips; both must agree.
Read read(ByteView bytes) {
  Decoder in(bytes);
  Read result{read_any(in), in.fault(), false};
  Decoder skipped(bytes);
  result.canonical = skip_any(skipped);
  EXPECT_EQ(skipped.fault(), result.fault);
  EXPECT_EQ(skipped.remaining(), in.remaining());
  if (result.fault == Fault::kNone) {
    Encoder again;
    result.value.encode(again);
    const ByteView taken = bytes.first(bytes.size() - in.remaining());
    EXPECT_EQ(result.canonical, to_hex(again.view()) == to_hex(taken)) << to_hex(bytes);
  }
  return result;
}
Read read(std::string_view bytes) { return read(ByteView(hex(bytes))); }

TEST(Any, IsEncodedAsLib0Does) {
  const std::pair<Any, std::string_view> cases[] = {
      {Any(), "7f"},
      {Any::Null{}, "7e"},
      {true, "78"},
      {false, "79"},
      {0, "7d00"},
      {-0.0, "7d40"},
      {5, "7d05"},
      {-70, "7dc601"},
      {2147483647, "7dbfffffff0f"},
      {2147483648.0, "7c4f000000"},
      {-2147483648.0, "7ccf000000"},
      {1.5, "7c3fc00000"},
      {0.1, "7b3fb999999999999a"},
      {kInfinity, "7c7f800000"},
      {-kInfinity, "7cff800000"},
      {9007199254740992.0, "7c5a000000"},
      {1e300, "7b7e37e43c8800759c"},
      {"ä", "7702c3a4"},
      {Bytes{1, 2}, "74020102"},
      {AnyArray{1, "a"}, "75027d01770161"},
      {AnyObject{{"1", AnyObject{}}, {"2", 2}, {"b", 1}}, "76030131760001327d0201627d01"},
      {Any::BigInt{10}, "7a000000000000000a"},
      {Any::BigInt{-1}, "7affffffffffffffff"},
  };
  for (const auto& [value, bytes] : cases) {
    EXPECT_EQ(coded(value), bytes);
    const Read back = read(bytes);
    EXPECT_TRUE(back.value == value) << bytes;
    EXPECT_TRUE(back.canonical) << bytes;
  }
  EXPECT_EQ(coded(std::nan("")), "7b7ff8000000000000");
  EXPECT_TRUE(std::isnan(*read("7b7ff8000000000000").value.number()));
}

TEST(Any, OtherSpellingsBecomeTheCanonicalOne) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"7c40400000", "7d03"},                     // float32 3
      {"7b3ff8000000000000", "7c3fc00000"},       // float64 1.5
      {"7b0000000000000000", "7d00"},             // float64 0
      {"7d8080808010", "7c4f000000"},             // integer 2^31
      {"7d8500", "7d05"},                         // an integer longer than need be
      {"77810061", "770161"},                     // a length longer than need be
      {"7602016278013179", "76020131790162 78"},  // keys out of order
      {"76020162780162 79", "7601016279"},        // a key twice: the last value, the first place
      {"760209"
       "5f5f70726f746f5f5f"
       "7d01"
       "016178",
       "7601016178"},  // __proto__ is no key
      {"750176020162780131 79", "75017602013179016278"},
  };
  for (const auto& [spelled, canonical] : cases) {
    std::string from(spelled);
    std::string to(canonical);
    std::erase(from, ' ');
    std::erase(to, ' ');
    const Read back = read(from);
    EXPECT_EQ(back.fault, Fault::kNone) << from;
    EXPECT_FALSE(back.canonical) << from;
    EXPECT_EQ(coded(back.value), to);
  }
}

TEST(Any, ManyKeysAreOrderedToo) {
  AnyObject object;
  for (int i = 40; i > 0; --i) object.emplace_back("k" + std::to_string(i), i);
  Encoder out;
  Any(object).encode(out);
  EXPECT_TRUE(read(out.view()).canonical);
  object.emplace_back("k7", 70);
  out.clear();
  Any(object).encode(out);
  const Read back = read(out.view());
  EXPECT_FALSE(back.canonical);
  EXPECT_EQ(back.value.object()->size(), 40u);
  EXPECT_EQ(*back.value.find("k7")->number(), 70);
}

TEST(Any, BadBytesAreRefused) {
  const std::pair<std::string_view, Fault> cases[] = {
      {"", Fault::kTruncated},
      {"73", Fault::kTag},
      {"80", Fault::kTag},
      {"7b00", Fault::kTruncated},
      {"7702c328", Fault::kUtf8},
      {"75ffffff7f7e", Fault::kTruncated},  // 2^28 elements in one byte
      {"76ffffff7f7e", Fault::kTruncated},
      {"7dffffffffffffff3f", Fault::kRange},  // an integer above 2^53 - 1
      {"7501", Fault::kTruncated},
  };
  for (const auto& [bytes, fault] : cases) EXPECT_EQ(read(bytes).fault, fault) << bytes;
}

TEST(Any, DepthIsBounded) {
  const auto nested = [](int depth) {
    Bytes bytes;
    for (int i = 0; i < depth; ++i) bytes.insert(bytes.end(), {0x75, 0x01});
    bytes.push_back(0x7e);
    return bytes;
  };
  EXPECT_EQ(read(ByteView(nested(kMaxDepth))).fault, Fault::kNone);
  EXPECT_EQ(read(ByteView(nested(kMaxDepth + 1))).fault, Fault::kDepth);
  EXPECT_EQ(read(ByteView(nested(20'000))).fault, Fault::kDepth);

  bool canonical = false;
  const auto json = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(check_json(json(kMaxDepth), canonical), Fault::kNone);
  EXPECT_EQ(check_json(json(20'000), canonical), Fault::kDepth);
  EXPECT_EQ(parse_json(json(20'000)).error(), Fault::kDepth);
}

TEST(Json, NumbersPrintAsInJavaScript) {
  const std::pair<double, std::string_view> cases[] = {
      {1e21, "1e+21"},
      {1e-7, "1e-7"},
      {1e-6, "0.000001"},
      {123456789012345680000.0, "123456789012345680000"},
      {1.5e300, "1.5e+300"},
      {5e-324, "5e-324"},
      {-0.0, "0"},
      {100, "100"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1e20, "100000000000000000000"},
      {-1234.5, "-1234.5"},
      {kInfinity, "null"},
  };
  for (const auto& [number, text] : cases) EXPECT_EQ(Any(number).to_json(), text);
}

TEST(Json, ValuesPrintAsStringifyDoes) {
  const Any value = AnyObject{{"a", AnyArray{1, Any(), "x\"\\\b\f\n\r\t\x01\x7f é😀"}},
                              {"none", Any()},
                              {"b", Bytes{7, 8}},
                              {"n", Any::Null{}}};
  EXPECT_EQ(value.to_json(),
            "{\"a\":[1,null,\"x\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f é😀\"],\"b\":{\"0\":7,\"1\":8},"
            "\"n\":null}");
}

TEST(Json, TextIsCanonicalExactlyWhenItPrintsAsItStands) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"true", "true"},
      {" [ 1 , 2 ] ", "[1,2]"},
      {"{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}"},
      {"{\"b\":1,\"2\":0,\"1\":0}", "{\"1\":0,\"2\":0,\"b\":1}"},
      {"{\"b\":1,\"b\":2}", "{\"b\":2}"},
      {"1.0", "1"},
      {"1e3", "1000"},
      {"-0", "0"},
      {"1e999", "null"},
      {"-1e-999", "0"},
      {"12345678901234567890", "12345678901234567000"},
      {"0.1", "0.1"},
      {"\"\\u00e9\\/\\ud83d\\ude00\"", "\"é/😀\""},
      {"\"\\u0001\"", "\"\\u0001\""},
      {"\"\\u001F\"", "\"\\u001f\""},
      {"\"\\n\"", "\"\\n\""},
      {"\"\\u000a\"", "\"\\n\""},
      {"[]", "[]"},
      {"{}", "{}"},
  };
  for (const auto& [text, printed] : cases) {
    bool canonical = false;
    EXPECT_EQ(check_json(text, canonical), Fault::kNone) << text;
    EXPECT_EQ(canonical, text == printed) << text;
    const auto value = parse_json(text);
    ASSERT_TRUE(value.has_value()) << text;
    EXPECT_EQ(value->to_json(), printed);
  }
  bool canonical = false;
  EXPECT_EQ(check_json("\"\\ud800\"", canonical), Fault::kNone);
  EXPECT_TRUE(canonical);  // a lone surrogate stays an escape
  EXPECT_EQ(*parse_json("\"\\ud800\"")->string(), "\uFFFD");
}

TEST(Json, BadTextIsRefused) {
  for (const std::string_view text :
       {"",   " ",       "undefined", "tru",    "truex", "01",    "1.",      ".5",
        "+1", "-",       "1e",        "[1,]",   "[1 2]", "{a:1}", "{\"a\"}", "{\"a\":1,}",
        "\"", "\"\\x\"", "\"\\u12\"", "\"\n\"", "[",     "{",     "1 2",     "NaN"}) {
    bool canonical = false;
    EXPECT_EQ(check_json(text, canonical), Fault::kJson) << text;
    EXPECT_EQ(parse_json(text).error(), Fault::kJson) << text;
  }
  bool canonical = false;
  EXPECT_EQ(check_json("\"\xff\"", canonical), Fault::kUtf8);
}

TEST(Json, SpaceAroundAValueIsNotPartOfIt) {
  for (const std::string_view text : {"\"x\"\n", " \"x\"", " \"x\" "}) {
    Encoder any;
    append_any_of_json(any, text);
    EXPECT_EQ(to_hex(any.view()), "770178") << text;
  }
}

TEST(Json, BothSpellingsSayTheSame) {
  for (const std::string_view text :
       {"true", "false", "null", "\"é\"", "\"a\\nb\"", "7", "-7", "1.5", "1e+21",
        "[1,{\"k\":[null]}]", "{\"1\":0,\"b\":\"x\"}"}) {
    Encoder any;
    append_any_of_json(any, text);
    EXPECT_EQ(to_hex(any.view()), coded(*parse_json(text))) << text;
    std::string back;
    append_json_of_any(back, any.view());
    EXPECT_EQ(back, text);
  }
}

}  // namespace
}  // namespace footlight::crdt
