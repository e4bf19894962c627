#include "core/json.h"

#include <gtest/gtest.h>

namespace footlight {
namespace {

Code parse_code(std::string_view text) {
  auto tree = Json::parse(text);
  return tree ? Code::kOk : tree.error().code;
}

TEST(Json, writes_back_what_it_read) {
  const std::string text =
      R"({"a":[1,-2,true,false,null,"x\"\\\né🎲"],"b":{"c":{}},"d":[],"e":1.5e3})";
  auto tree = Json::parse(text);
  ASSERT_TRUE(tree.has_value());
  EXPECT_EQ(tree->dump(), text);
  EXPECT_EQ((*tree)["a"].items()[1].as_int(), -2);
  EXPECT_FALSE((*tree)["e"].is_integer());
  EXPECT_EQ((*tree)["nothing"].type(), JsonType::kNull);
}

TEST(Json, refuses_what_rfc_8259_refuses) {
  for (const char* bad :
       {"",          "{",   "}",     "[1,]",     "{,}",     "{\"a\"}",     "{\"a\":}", "{\"a\":1,}",
        "[1 2]",     "01",  "1.",    ".5",       "1e",      "+1",          "-",        "tru",
        "nul",       "'a'", "\"a",   "\"\x01\"", "\"\\x\"", "\"\\u12g4\"", "[1]]",     "{\"a\":1}x",
        "[\"a\":1]", "NaN", "{1:2}", "\"\\"}) {
    EXPECT_EQ(parse_code(bad), Code::kBadFrame) << bad;
  }
}

TEST(Json, refuses_bad_utf8_and_lone_surrogates) {
  EXPECT_EQ(parse_code("\"\xff\""), Code::kBadUtf8);
  EXPECT_EQ(parse_code(R"("\ud800")"), Code::kBadUtf8);
  EXPECT_EQ(parse_code(R"("\ud800\u0041")"), Code::kBadUtf8);
  EXPECT_EQ(parse_code(R"("\udc00")"), Code::kBadUtf8);
  auto dice = Json::parse(R"("\ud83c\udfb2")");
  ASSERT_TRUE(dice.has_value());
  EXPECT_EQ(dice->as_string(), "\xf0\x9f\x8e\xb2");
}

TEST(Json, bounds_the_depth_by_a_code_of_its_own) {
  const std::string deep = std::string(33, '[') + std::string(33, ']');
  EXPECT_EQ(parse_code(deep), Code::kTooDeep);
  EXPECT_EQ(parse_code(deep.substr(1, 64)), Code::kOk);
  EXPECT_EQ(parse_code(std::string(1'000'000, '[')), Code::kTooDeep);
}

TEST(JsonReader, reads_integers_exactly_and_refuses_others) {
  const auto read = [](std::string_view text) {
    JsonReader in(text);
    const int64_t value = in.read_int();
    return std::pair(value, in.code());
  };
  EXPECT_EQ(read("9223372036854775807"), std::pair(INT64_MAX, Code::kOk));
  EXPECT_EQ(read("-9223372036854775808"), std::pair(INT64_MIN, Code::kOk));
  EXPECT_EQ(read("9223372036854775808").second, Code::kFieldOutOfRange);
  EXPECT_EQ(read("-9223372036854775809").second, Code::kFieldOutOfRange);
  EXPECT_EQ(read("1.0").second, Code::kMissingField);
  EXPECT_EQ(read("1e3").second, Code::kMissingField);
  EXPECT_EQ(read("\"1\"").second, Code::kMissingField);
}

TEST(JsonReader, walks_members_and_skips_what_it_does_not_know) {
  JsonReader in(R"( {"x" : {"deep":[1,{"y":2}]}, "n":7, "s":"a\tb"} )");
  std::string_view key;
  int64_t n = 0;
  std::string s;
  ASSERT_TRUE(in.enter_object());
  while (in.next_key(key)) {
    if (key == "n") {
      n = in.read_int();
    } else if (key == "s") {
      s = in.read_string();
    } else {
      EXPECT_EQ(in.raw(), R"({"deep":[1,{"y":2}]})");
    }
  }
  EXPECT_TRUE(in.finish());
  EXPECT_EQ(n, 7);
  EXPECT_EQ(s, "a\tb");
}

TEST(JsonReader, stays_failed_after_a_fault) {
  JsonReader in("[1,x,3]");
  ASSERT_TRUE(in.enter_array());
  ASSERT_TRUE(in.next_element());
  EXPECT_EQ(in.read_int(), 1);
  ASSERT_TRUE(in.next_element());
  EXPECT_EQ(in.read_int(), 0);
  EXPECT_FALSE(in.next_element());
  EXPECT_FALSE(in.finish());
}

TEST(JsonWriter, places_commas_and_escapes_control_characters) {
  std::string out;
  JsonWriter json(out);
  json.object()
      .field("a", 1)
      .field("b", "\x01\n\"")
      .key("c")
      .array()
      .value(true)
      .null()
      .end_array();
  json.key("d").raw("{}").field("e", INT64_MIN).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":"\u0001\n\"","c":[true,null],"d":{},"e":-9223372036854775808})");
  EXPECT_TRUE(Json::parse(out).has_value());
}

}  // namespace
}  // namespace footlight
