// EdDSA (Ed25519) and ES256 (ECDSA, P-256, SHA-256) for tokens, by OpenSSL 3. Takes texts, not
// files: who reads the file is the shell's business. Key file formats: a PEM public key
// (SubjectPublicKeyInfo, what `openssl pkey -pubout` writes), or a JSON Web Key Set (gate/jwks.h).
//
// Verifiers may be used from any thread at once. OpenSSL's errors become kKeyFile; nothing throws.
#pragma once
#include <memory>
#include <string_view>

#include "gate/jwks.h"
#include "gate/token.h"

namespace footlight::gate {

// kKeyFile unless the PEM holds one Ed25519 or P-256 public key. The algorithm follows from the
// key.
Result<std::unique_ptr<SignatureVerifier>> verifier_from_pem(std::string_view pem);
// kKeyFile, also when the point is not on the curve.
Result<std::unique_ptr<SignatureVerifier>> verifier_from_jwk(const JsonWebKey& key);

// Adds every key of a JWKS file to `keys`; the kids that were passed over are returned. On an error
// `keys` may hold some of them: discard it.
Result<std::vector<std::string>> add_jwks(KeySet& keys, std::string_view json);

// An unencrypted PKCS #8 (or SEC 1) private key: for `footlight token` and tests.
Result<std::unique_ptr<SignatureSigner>> signer_from_pem(std::string_view pem);

}  // namespace footlight::gate
