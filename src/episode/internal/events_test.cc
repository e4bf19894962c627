#include "episode/internal/events.h"

#include <gtest/gtest.h>

namespace footlight::episode {
namespace {

template <size_t kIndex = 0, class F>
void for_each_kind(F&& f) {
  if constexpr (kIndex < std::variant_size_v<Fact>) {
    f(Fact(std::in_place_index<kIndex>));
    for_each_kind<kIndex + 1>(f);
  }
}

TEST(Events, EveryKindSurvivesEncodingAndDecoding) {
  for_each_kind([](const Fact& fact) {
    TypedEvent event;
    event.at_ms = 5;
    event.fact = fact;
    const std::string json = encode_event(event);
    const Result<TypedEvent> decoded = decode_event({5, json});
    ASSERT_TRUE(decoded) << json << " " << decoded.error().message();
    EXPECT_EQ(decoded->fact.index(), fact.index());
    EXPECT_EQ(encode_event(*decoded), json);
  });
}

TEST(Events, KeepWhoDidItAndItsId) {
  TypedEvent event;
  event.origin = {0x0123456789ABCDEF,
                  "Ann \"the\" bold",
                  proto::Role::kPlayer,
                  7,
                  17,
                  99,
                  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                  "rule-1"};
  event.fact = ChatSaid{3, "a\nb"};
  const std::string json = encode_event(event);
  EXPECT_EQ(json,
            R"({"k":"chat.said","who":"0123456789abcdef","name":"Ann \"the\" bold",)"
            R"("role":"player","cid":"0000000000000007","i":17,"body":"0000000000000063",)"
            R"("tp":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","rule":"rule-1",)"
            R"("d":{"id":3,"text":"a\nb"}})");
  const Result<TypedEvent> decoded = decode_event({0, json});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(encode_event(*decoded), json);
}

TEST(Events, MalformedOnesAreRefused) {
  for (const std::string_view json :
       {"", "{}", "[]", R"({"k":"chat.said"})", R"({"d":{},"k":"nothing"})",
        R"({"k":"no.such","d":{}})", R"({"k":"chat.said","d":{"id":1}})",
        R"({"k":"chat.said","d":{"id":-1,"text":""}})",
        R"({"k":"chat.said","d":{"id":1,"id":1,"text":""}})", R"({"k":"nothing","d":{},"d":{}})",
        R"({"k":"nothing","k":"nothing","d":{}})", R"({"k":"nothing","who":"12","d":{}})",
        R"({"k":"nothing","role":"king","d":{}})",
        R"({"k":"scene.entered","d":{"scene":"a","how":"magic"}})",
        R"({"k":"episode.ended","d":{"seed":"00","chain":"","chain_log":0}})",
        R"({"k":"nothing","d":{}} x)"}) {
    const Result<TypedEvent> decoded = decode_event({0, std::string(json)});
    ASSERT_FALSE(decoded) << json;
    EXPECT_EQ(decoded.error().code, Code::kLogCorrupt);
  }
}

TEST(Events, UnknownMembersAreIgnored) {
  EXPECT_TRUE(decode_event({0, R"({"k":"nothing","later":[1],"d":{"more":{}}})"}));
}

}  // namespace
}  // namespace footlight::episode
