#include "gate/jwks.h"

#include <gtest/gtest.h>

namespace footlight::gate {
namespace {

constexpr std::string_view kX = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

std::string set_of(const std::string& keys) { return "{\"keys\":[" + keys + "]}"; }
std::string ed_key(const std::string& kid, const std::string& more = "") {
  return "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"" + kid + "\",\"x\":\"" + std::string(kX) +
         "\"" + more + "}";
}

TEST(Jwks, ReadsTheThreeSortsOfKeys) {
  const std::string x(kX);
  const auto file = parse_jwks(
      set_of(ed_key("a", ",\"not_after\":1767225600") + R"(,{"kty":"oct","kid":"b","k":")" + x +
             R"("},{"kty":"EC","crv":"P-256","kid":"c","alg":"ES256","x":")" + x + R"(","y":")" +
             x + "\"}"));
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_EQ(file->keys.size(), 3u);
  EXPECT_EQ(file->keys[0].algorithm, Algorithm::kEdDsa);
  EXPECT_EQ(file->keys[0].not_after_s, 1767225600);
  EXPECT_EQ(file->keys[1].algorithm, Algorithm::kHs256);
  EXPECT_EQ(file->keys[1].material.size(), 32u);
  EXPECT_EQ(file->keys[2].algorithm, Algorithm::kEs256);
  EXPECT_EQ(file->keys[2].material.size(), 64u);
  EXPECT_EQ(file->keys[2].material[31], 31);
}

TEST(Jwks, PassesOverKeysThatServeOthers) {
  const auto file = parse_jwks(set_of(R"({"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"},)" +
                                      ed_key("enc", ",\"use\":\"enc\"") + "," +
                                      ed_key("x", ",\"alg\":\"ECDH-ES\"") + "," + ed_key("good")));
  ASSERT_TRUE(file);
  ASSERT_EQ(file->keys.size(), 1u);
  EXPECT_EQ(file->keys[0].kid, "good");
  EXPECT_EQ(file->skipped, (std::vector<std::string>{"r", "enc", "x"}));
}

TEST(Jwks, AMalformedKeyOfOursFailsTheWholeFile) {
  std::string many = ed_key("0");
  for (int i = 1; i < 65; ++i) many += "," + ed_key(std::to_string(i));
  const std::string bad[] = {
      "",
      "[]",
      "{}",
      R"({"keys":{}})",
      R"({"keys":[5]})",
      set_of(R"({"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"})"),
      set_of(R"({"kty":"OKP","crv":"Ed25519","kid":"a"})"),
      set_of(R"({"kty":"EC","crv":"P-256","kid":"a","x":")" + std::string(kX) + "\"}"),
      set_of(R"({"kty":"oct","kid":"a","k":"c2hvcnQ"})"),
      set_of(R"({"kty":"oct","kid":"a","k":"!!"})"),
      set_of(ed_key("a", ",\"not_after\":\"soon\"")),
      set_of(ed_key("a", ",\"not_after\":0")),
      set_of(ed_key("a") + "," + ed_key("a")),
      set_of(many),
      std::string(65 * 1024, ' '),
  };
  for (const std::string& json : bad) {
    const auto file = parse_jwks(json);
    ASSERT_FALSE(file) << json.substr(0, 100);
    EXPECT_EQ(file.error().code, Code::kKeyFile);
  }
}

}  // namespace
}  // namespace footlight::gate
