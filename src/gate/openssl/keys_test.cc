#include "gate/openssl/keys.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/json.h"

namespace footlight::gate {
namespace {

Json golden() {
  std::ifstream in(std::string(FOOTLIGHT_SOURCE_DIR) + "/src/gate/golden/tokens_public.json");
  std::stringstream text;
  text << in.rdbuf();
  const Result<Json> parsed = Json::parse(text.str());
  EXPECT_TRUE(parsed);
  return parsed.value_or(Json());
}

Claims ann() {
  Claims claims;
  claims.sub = "ann";
  claims.episode = "demo";
  claims.role = proto::Role::kPlayer;
  claims.characters = {"aria"};
  claims.expires_s = 2000;
  return claims;
}

TEST(OpensslKeys, GoldenTokensGiveTheirRoleOrTheirCode) {
  const Json file = golden();
  KeySet keys;
  const auto skipped = add_jwks(keys, file["jwks"].dump());
  ASSERT_TRUE(skipped) << skipped.error().message();
  EXPECT_EQ(skipped->size(), file["skipped"].items().size());
  for (const Json& token : file["cases"].items()) {
    SCOPED_TRACE(token["name"].as_string());
    const auto claims = verify_token(token["token"].as_string(), keys,
                                     token["now_s"].as_int(file["now_s"].as_int()));
    const int64_t code = claims ? 0 : static_cast<int64_t>(claims.error().code);
    EXPECT_EQ(code, token["code"].as_int());
    if (claims) {
      EXPECT_EQ(claims->sub, token["claims"]["sub"].as_string());
    }
  }
}

TEST(OpensslKeys, APemKeyEqualsTheSameKeyInASet) {
  const Json file = golden();
  auto verifier = verifier_from_pem(file["pem"].as_string());
  ASSERT_TRUE(verifier) << verifier.error().message();
  KeySet keys;
  ASSERT_TRUE(keys.add("ed1", std::move(*verifier)));
  const Json& first = file["cases"].items()[0];
  EXPECT_TRUE(verify_token(first["token"].as_string(), keys, file["now_s"].as_int()));
}

TEST(OpensslKeys, WhatOneSignsTheOtherVerifies) {
  const Json file = golden();
  for (const std::string kid : {"ed1", "ec1"}) {
    auto signer = signer_from_pem(file["private_keys"][kid].as_string());
    ASSERT_TRUE(signer) << signer.error().message();
    KeySet keys;
    ASSERT_TRUE(add_jwks(keys, file["jwks"].dump()));
    for (int i = 0; i < 50; ++i) {  // R or S with leading zero bytes come up by chance
      Claims claims = ann();
      claims.sub += std::to_string(i);
      const auto token = mint_token(claims, kid, **signer);
      ASSERT_TRUE(token) << token.error().message();
      const auto back = verify_token(*token, keys, 1000);
      ASSERT_TRUE(back) << back.error().message();
      EXPECT_EQ(back->sub, claims.sub);
      EXPECT_EQ(back->characters, claims.characters);
    }
  }
}

TEST(OpensslKeys, OnlyEd25519AndP256PublicKeysAreTaken) {
  const Json keys = golden()["private_keys"];
  EXPECT_TRUE(verifier_from_pem(keys["ec1_public"].as_string()));
  for (const std::string& pem :
       {keys["rsa1_public"].as_string(), keys["p384_public"].as_string(), keys["ed1"].as_string(),
        std::string(), std::string("-----BEGIN PUBLIC KEY-----\nAAAA\n"),
        std::string(1 << 20, 'x')}) {
    const auto key = verifier_from_pem(pem);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Code::kKeyFile);
  }
  EXPECT_FALSE(signer_from_pem(keys["ec1_public"].as_string()));
  EXPECT_FALSE(signer_from_pem("nonsense"));
}

TEST(OpensslKeys, APointOffTheCurveIsRefused) {
  JsonWebKey key{.kid = "k", .algorithm = Algorithm::kEs256, .material = Bytes(64, 1)};
  const auto verifier = verifier_from_jwk(key);
  ASSERT_FALSE(verifier);
  EXPECT_EQ(verifier.error().code, Code::kKeyFile);
}

// RFC 8037 appendix A.4 and A.5: the key and signature of the standard itself.
TEST(OpensslKeys, TheSignatureOfRfc8037Verifies) {
  JsonWebKey key{.kid = "", .algorithm = Algorithm::kEdDsa};
  ASSERT_TRUE(from_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", key.material));
  const auto verifier = verifier_from_jwk(key);
  ASSERT_TRUE(verifier);
  Bytes signature;
  ASSERT_TRUE(from_base64url(
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
      signature));
  EXPECT_TRUE(
      (*verifier)->verify("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", signature));
  signature[0] ^= 1;
  EXPECT_FALSE(
      (*verifier)->verify("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", signature));
}

// RFC 7515 appendix A.3.
TEST(OpensslKeys, TheSignatureOfRfc7515Verifies) {
  const auto file = parse_jwks(
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",)"
      R"("d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]})");
  ASSERT_TRUE(file);
  const auto verifier = verifier_from_jwk(file->keys.at(0));
  ASSERT_TRUE(verifier);
  Bytes signature;
  ASSERT_TRUE(from_base64url(
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
      signature));
  EXPECT_TRUE((*verifier)->verify(
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ",
      signature));
}

}  // namespace
}  // namespace footlight::gate
