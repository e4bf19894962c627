// DEPS: footlight_gate_openssl
// Key files: a JSON Web Key Set, and the same bytes as PEM.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/assert.h"
#include "gate/openssl/keys.h"

using namespace footlight;
using namespace footlight::gate;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Result<JwksFile> file = parse_jwks(input);
  if (file) {
    FL_ASSERT(file->keys.size() <= kMaxKeys, "key sets are bounded");
    for (const JsonWebKey& key : file->keys) {
      const auto verifier = verifier_from_jwk(key);
      if (!verifier) continue;
      FL_ASSERT((*verifier)->algorithm() == key.algorithm, "the algorithm belongs to the key");
      const Bytes signature(64, 0);
      FL_ASSERT(!(*verifier)->verify("a.b", signature), "zeros sign nothing");
    }
    KeySet keys;
    (void)add_jwks(keys, input);
  } else {
    FL_ASSERT(file.error().code == Code::kKeyFile, "a refused key file has its code");
  }
  (void)verifier_from_pem(input);
  (void)signer_from_pem(input);
  return 0;
}
