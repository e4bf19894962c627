// DEPS: footlight_gate
// The token as a stranger sends it, and, since no fuzzer guesses a signature, the input once more
// as a header and as a payload of a token that is signed rightly.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/assert.h"
#include "core/bytes.h"
#include "core/sha256.h"
#include "gate/token.h"

using namespace footlight;
using namespace footlight::gate;

namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr int64_t kNow = 1'767'225'600;

std::string signed_token(std::string_view header, std::string_view payload) {
  const std::string input = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(payload));
  return input + "." + to_base64url(hmac_sha256(as_bytes(kSecret), as_bytes(input)));
}

void check(const Result<Claims>& claims, const KeySet& keys) {
  if (!claims) {
    const int code = static_cast<int>(claims.error().code);
    FL_ASSERT(code >= 4100 && code < 4200, "a refused token has a code of its range");
    return;
  }
  FL_ASSERT(!claims->sub.empty() && claims->sub.size() <= 128, "sub is bounded");
  FL_ASSERT(!claims->name.empty() && claims->name.size() <= 64, "name is bounded");
  FL_ASSERT(is_valid_utf8(claims->name), "name is UTF-8");
  FL_ASSERT(claims->characters.size() <= kMaxCharacters, "chars are bounded");
  FL_ASSERT(claims->expires_s + kClockSkewS > kNow, "no expired token passes");
  const Result<std::string> minted = mint_token(*claims, "k1", *hs256_signer(kSecret));
  if (!minted) return;  // longer than a token may be once written in full
  const Result<Claims> back = verify_token(*minted, keys, kNow);
  FL_ASSERT(back && back->sub == claims->sub && back->characters == claims->characters,
            "what was read can be minted and read again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const KeySet* const keys = [] {
    auto* set = new KeySet();
    FL_ASSERT(set->add_hs256("k1", kSecret).has_value(), "the secret is long enough");
    return set;
  }();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check(verify_token(input, *keys, kNow), *keys);
  check(verify_token(signed_token(R"({"alg":"HS256","kid":"k1"})", input), *keys, kNow), *keys);
  check(verify_token(signed_token(input, R"({"sub":"a","ep":"d","role":"gm","exp":1767229200})"),
                     *keys, kNow),
        *keys);
  return 0;
}
