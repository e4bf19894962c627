// JSON Web Key Sets (RFC 7517) with the keys of our three algorithms: Ed25519 (RFC 8037), P-256 and
// octets (RFC 7518 section 6). Pure: makes keys of bytes; gate/openssl makes verifiers of them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "gate/token.h"

namespace footlight::gate {

inline constexpr size_t kMaxJwksBytes = 64 * 1024;

struct JsonWebKey {
  std::string kid;
  Algorithm algorithm = Algorithm::kHs256;
  Bytes material;           // HS256: the secret; EdDSA: the 32 bytes of x; ES256: x || y, 64 bytes
  int64_t not_after_s = 0;  // our member `not_after`, Unix seconds; 0 never
};

struct JwksFile {
  std::vector<JsonWebKey> keys;
  std::vector<std::string> skipped;  // kids of keys that are for other uses or algorithms
};

// kKeyFile: not a key set, more than kMaxKeys keys, a kid twice, or a key of ours that is malformed
// (never skipped: a typing error must not silently lock everybody out). Private members are
// ignored.
Result<JwksFile> parse_jwks(std::string_view json);

}  // namespace footlight::gate
