// Tokens for the commands that play people: signed with the development key, or with a key of the
// operator's.
#pragma once
#include <string>

#include "cli/arguments.h"
#include "core/result.h"
#include "gate/token.h"
#include "ops/show.h"

namespace footlight::cli {

// The key of `serve --dev`, known to everyone: never accepted without --dev.
inline constexpr const char* kDevKid = "dev";
inline constexpr const char* kDevSecret = "footlight-development-key-known-to-everyone";

inline constexpr const char* kHs256 = "HS256";

struct SigningOptions {
  bool dev = false;
  std::string kid;
  std::string key_file;  // HS256: the secret; EdDSA, ES256: a private key in PEM
  std::string algorithm = kHs256;
  int64_t hours = 24;  // until the token expires
};

// Signs tokens for one episode; what they say of media is `media`'s (publish, subscribe, tracks).
// kKeyFile when the key cannot be used; kUsage without a key, or when `dev` and another are named.
Result<ops::TokenSource> token_source(const SigningOptions& options, const std::string& episode,
                                      const gate::Claims& media = {});
void add_signing_options(Command& command, SigningOptions& options);

}  // namespace footlight::cli
