#include "cli/signing.h"

#include <gtest/gtest.h>

#include "net/asio/shard.h"

namespace footlight::cli {
namespace {

Code code_of(const SigningOptions& options) {
  const auto made = token_source(options, "demo");
  return made ? Code::kOk : made.error().code;
}

TEST(Signing, TheDevelopmentKeySignsWhatServeDevAccepts) {
  const auto made = token_source({.dev = true}, "demo");
  ASSERT_TRUE(made);
  gate::KeySet keys;
  ASSERT_TRUE(keys.add(kDevKid, gate::hs256_verifier(kDevSecret)));
  const std::string token = (*made)({.sub = "ann", .role = proto::Role::kPlayer});
  const auto claims = gate::verify_token(token, keys, net::SystemClock().wall_ms() / 1000);
  ASSERT_TRUE(claims) << claims.error().message();
  EXPECT_EQ(claims->sub, "ann");
}

TEST(Signing, TheDevelopmentKeyIsNotMixedWithAnother) {
  EXPECT_EQ(code_of({.dev = true, .algorithm = "HS256"}), Code::kOk) << "which it is";
  EXPECT_EQ(code_of({.dev = true, .algorithm = "EdDSA"}), Code::kUsage);
  EXPECT_EQ(code_of({.dev = true, .key_file = "/some/key"}), Code::kUsage);
  EXPECT_EQ(code_of({.dev = true, .kid = "k1"}), Code::kUsage);
  EXPECT_EQ(code_of({}), Code::kUsage) << "no key at all";
}

}  // namespace
}  // namespace footlight::cli
