// The golden vectors (golden/tokens.json, by wasm/golden_test.cc) judge tokens; these tests are
// about keys and minting.
#include "gate/token.h"

#include <gtest/gtest.h>

namespace footlight::gate {
namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kOther = "fedcba9876543210fedcba9876543210";

Claims ann() {
  Claims claims;
  claims.sub = "ann";
  claims.episode = "demo";
  claims.role = proto::Role::kPlayer;
  claims.name = "Ann \"A\" 🎲";
  claims.characters = {"aria", "bo"};
  claims.expires_s = 2000;
  claims.not_before_s = 900;
  claims.issued_s = 950;
  return claims;
}

Code code_of(const Result<Claims>& result) { return result ? Code::kOk : result.error().code; }

TEST(Token, WhatIsMintedVerifiesWithEveryClaim) {
  KeySet keys;
  ASSERT_TRUE(keys.add_hs256("k1", kSecret));
  const auto token = mint_token(ann(), "k1", *hs256_signer(kSecret));
  ASSERT_TRUE(token);
  const auto claims = verify_token(*token, keys, 1000);
  ASSERT_TRUE(claims) << claims.error().message();
  EXPECT_EQ(claims->sub, "ann");
  EXPECT_EQ(claims->episode, "demo");
  EXPECT_EQ(claims->role, proto::Role::kPlayer);
  EXPECT_EQ(claims->name, "Ann \"A\" 🎲");
  EXPECT_EQ(claims->characters, (std::vector<std::string>{"aria", "bo"}));
  EXPECT_EQ(claims->expires_s, 2000);
  EXPECT_EQ(claims->not_before_s, 900);
  EXPECT_EQ(claims->issued_s, 950);
}

TEST(Token, WhatItSaysOfMediaNarrowsOrWidensTheRole) {
  KeySet keys;
  ASSERT_TRUE(keys.add_hs256("k1", kSecret));
  const auto grants = [&](auto change) {
    Claims claims = ann();
    change(claims);
    const auto token = mint_token(claims, "k1", *hs256_signer(kSecret));
    const auto read = verify_token(*token, keys, 1000);
    EXPECT_TRUE(read);
    return media_grants(*read).bits;
  };
  using Grants = MediaGrants;
  constexpr uint8_t kAll = Grants::kPublish | Grants::kWatch;
  EXPECT_EQ(grants([](Claims&) {}), kAll);
  EXPECT_EQ(grants([](Claims& c) { c.role = proto::Role::kViewer; }), Grants::kWatch);
  EXPECT_EQ(grants([](Claims& c) { c.publish = false; }), Grants::kWatch);
  EXPECT_EQ(grants([](Claims& c) { c.subscribe = false; }), Grants::kPublish);
  EXPECT_EQ(grants([](Claims& c) { c.tracks = Grants::kAudio; }), Grants::kAudio | Grants::kWatch);
  EXPECT_EQ(grants([](Claims& c) { c.tracks = 0; }), Grants::kWatch);
  EXPECT_EQ(grants([](Claims& c) {
              c.role = proto::Role::kViewer;
              c.publish = true;
              c.tracks = Grants::kVideo;
            }),
            Grants::kVideo | Grants::kWatch);
}

TEST(Token, MintingRefusesWhatVerifyingWouldRefuse) {
  const auto signer = hs256_signer(kSecret);
  const auto refused = [&](auto change) {
    Claims claims = ann();
    change(claims);
    const auto token = mint_token(claims, "k1", *signer);
    return !token && token.error().code == Code::kTokenClaims;
  };
  EXPECT_TRUE(refused([](Claims& c) { c.sub.clear(); }));
  EXPECT_TRUE(refused([](Claims& c) { c.sub.assign(129, 's'); }));
  EXPECT_TRUE(refused([](Claims& c) { c.sub = "\xff"; }));
  EXPECT_TRUE(refused([](Claims& c) { c.episode = "Demo"; }));
  EXPECT_TRUE(refused([](Claims& c) { c.name.assign(65, 'n'); }));
  EXPECT_TRUE(refused([](Claims& c) { c.characters.assign(17, "c"); }));
  EXPECT_TRUE(refused([](Claims& c) { c.expires_s = 0; }));
  EXPECT_TRUE(refused([](Claims& c) { c.expires_s = INT64_MAX; }));
}

TEST(KeySet, RotationOverlapsAndThenEnds) {
  const auto old_token = mint_token(ann(), "2025", *hs256_signer(kOther));
  const auto new_token = mint_token(ann(), "2026", *hs256_signer(kSecret));
  KeySet keys;
  ASSERT_TRUE(keys.add_hs256("2025", kOther, /*not_after_s=*/1500));
  ASSERT_TRUE(keys.add_hs256("2026", kSecret));
  EXPECT_EQ(code_of(verify_token(*old_token, keys, 1500)), Code::kOk);
  EXPECT_EQ(code_of(verify_token(*new_token, keys, 1500)), Code::kOk);
  EXPECT_EQ(code_of(verify_token(*old_token, keys, 1501)), Code::kTokenUnknownKey);
  EXPECT_EQ(code_of(verify_token(*new_token, keys, 1501)), Code::kOk);
}

TEST(KeySet, ATokenWithoutKidIsForTheOnlyKeyOrTheNamelessOne) {
  const auto token = mint_token(ann(), "", *hs256_signer(kSecret));
  KeySet one;
  ASSERT_TRUE(one.add_hs256("k1", kSecret));
  EXPECT_EQ(code_of(verify_token(*token, one, 1000)), Code::kOk);
  KeySet two;
  ASSERT_TRUE(two.add_hs256("k1", kSecret));
  ASSERT_TRUE(two.add_hs256("k2", kOther));
  EXPECT_EQ(code_of(verify_token(*token, two, 1000)), Code::kTokenUnknownKey);
  ASSERT_TRUE(two.add_hs256("", kSecret));
  EXPECT_EQ(code_of(verify_token(*token, two, 1000)), Code::kOk);
}

TEST(KeySet, RefusesWeakSecretsTwinsAndTooManyKeys) {
  KeySet keys;
  const Status weak = keys.add_hs256("w", kSecret.substr(1));
  ASSERT_FALSE(weak);
  EXPECT_EQ(weak.error().code, Code::kKeyFile);
  ASSERT_TRUE(keys.add_hs256("k", kSecret));
  EXPECT_FALSE(keys.add_hs256("k", kOther));
  EXPECT_FALSE(keys.add_hs256(std::string(129, 'k'), kSecret));
  for (size_t i = keys.size(); i < kMaxKeys; ++i) {
    ASSERT_TRUE(keys.add_hs256(std::to_string(i), kSecret));
  }
  EXPECT_FALSE(keys.add_hs256("one more", kSecret));
}

TEST(KeySet, WithoutKeysNoTokenIsGood) {
  const auto token = mint_token(ann(), "", *hs256_signer(""));
  EXPECT_EQ(code_of(verify_token(*token, KeySet(), 1000)), Code::kTokenUnknownKey);
}

TEST(Token, ASessionOutlivesItsTokenByTheSkewOnly) {
  const Claims claims = ann();
  EXPECT_FALSE(has_expired(claims, 2029));
  EXPECT_TRUE(has_expired(claims, 2030));
}

TEST(Token, AForeignEpisodeIsRefused) {
  EXPECT_TRUE(check_episode(ann(), "demo"));
  const Status foreign = check_episode(ann(), "demo2");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::kTokenForeignEpisode);
}

TEST(Pseudonym, TellsEpisodesAndAccountsApart) {
  const Bytes key_a(32, 1), key_b(32, 2);
  EXPECT_EQ(pseudonym(key_a, "ann"), pseudonym(key_a, "ann"));
  EXPECT_NE(pseudonym(key_a, "ann"), pseudonym(key_a, "bo"));
  EXPECT_NE(pseudonym(key_a, "ann"), pseudonym(key_b, "ann"));
}

}  // namespace
}  // namespace footlight::gate
