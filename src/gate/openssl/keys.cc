#include "gate/openssl/keys.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <array>
#include <string>

namespace footlight::gate {
namespace {

constexpr size_t kMaxPemBytes = 16 * 1024;
constexpr int kHalfBytes = 32;  // R and S of a P-256 signature
constexpr size_t kSignatureBytes = 64;

template <auto free_function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

// OpenSSL's queue of errors is per thread: what we leave in it would be blamed on the next caller.
std::unexpected<Error> key_error(std::string detail) {
  ERR_clear_error();
  return fail(Code::kKeyFile, std::move(detail));
}

std::optional<Algorithm> algorithm_of(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return Algorithm::kEdDsa;
  if (EVP_PKEY_is_a(key, "EC") != 1) return std::nullopt;
  std::array<char, 64> group{};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) return std::nullopt;
  const std::string_view name(group.data(), size);
  if (name != "prime256v1" && name != "P-256") return std::nullopt;
  return Algorithm::kEs256;
}

const EVP_MD* digest_of(Algorithm algorithm) {
  return algorithm == Algorithm::kEs256 ? EVP_sha256() : nullptr;
}

// JWS has R || S (RFC 7518 section 3.4), OpenSSL wants the DER of RFC 3279.
Bytes der_of(ByteView raw) {
  EcdsaPtr signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw.data(), kHalfBytes, nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + kHalfBytes, kHalfBytes, nullptr);
  if (!signature || r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  Bytes out;
  if (size > 0) out.assign(der, der + size);
  OPENSSL_free(der);
  return out;
}

Result<Bytes> raw_of(const Bytes& der) {
  const unsigned char* at = der.data();
  const EcdsaPtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  Bytes raw(kSignatureBytes);
  if (!signature ||
      BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), kHalfBytes) != kHalfBytes ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + kHalfBytes, kHalfBytes) !=
          kHalfBytes) {
    return key_error("the signature cannot be converted");
  }
  return raw;
}

class KeyVerifier final : public SignatureVerifier {
 public:
  KeyVerifier(KeyPtr key, Algorithm algorithm) : key_(std::move(key)), algorithm_(algorithm) {}
  Algorithm algorithm() const override { return algorithm_; }

  bool verify(std::string_view signing_input, ByteView signature) const override {
    if (signature.size() != kSignatureBytes) return false;
    Bytes der;
    if (algorithm_ == Algorithm::kEs256) {
      der = der_of(signature);
      signature = der;
    }
    const DigestContextPtr context(EVP_MD_CTX_new());
    const ByteView input = as_bytes(signing_input);
    const bool good = context &&
                      EVP_DigestVerifyInit(context.get(), nullptr, digest_of(algorithm_), nullptr,
                                           key_.get()) == 1 &&
                      EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                       input.data(), input.size()) == 1;
    if (!good) ERR_clear_error();
    return good;
  }

 private:
  KeyPtr key_;
  Algorithm algorithm_;
};

class KeySigner final : public SignatureSigner {
 public:
  KeySigner(KeyPtr key, Algorithm algorithm) : key_(std::move(key)), algorithm_(algorithm) {}
  Algorithm algorithm() const override { return algorithm_; }

  Result<Bytes> sign(std::string_view signing_input) const override {
    const DigestContextPtr context(EVP_MD_CTX_new());
    const ByteView input = as_bytes(signing_input);
    Bytes signature(128);
    size_t size = signature.size();
    if (!context ||
        EVP_DigestSignInit(context.get(), nullptr, digest_of(algorithm_), nullptr, key_.get()) !=
            1 ||
        EVP_DigestSign(context.get(), signature.data(), &size, input.data(), input.size()) != 1) {
      return key_error("the key cannot sign");
    }
    signature.resize(size);
    if (algorithm_ == Algorithm::kEs256) return raw_of(signature);
    return signature;
  }

 private:
  KeyPtr key_;
  Algorithm algorithm_;
};

// Without a callback OpenSSL would ask the terminal for the passphrase of an encrypted key.
int no_passphrase(char*, int, int, void*) { return -1; }

BioPtr bio_of(std::string_view text) {
  if (text.size() > kMaxPemBytes) return nullptr;
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

template <class Of, class Interface>
Result<std::unique_ptr<Interface>> wrap(KeyPtr key) {
  if (!key) return key_error("not a PEM key of the expected sort, or it is encrypted");
  const std::optional<Algorithm> algorithm = algorithm_of(key.get());
  if (!algorithm) return key_error("only Ed25519 and P-256 keys are used for tokens");
  return std::make_unique<Of>(std::move(key), *algorithm);
}

KeyPtr p256_key(ByteView x_and_y) {
  Bytes point = {POINT_CONVERSION_UNCOMPRESSED};
  point.insert(point.end(), x_and_y.begin(), x_and_y.end());
  std::array<char, 11> group = {"prime256v1"};
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY,
                        const_cast<OSSL_PARAM*>(params)) != 1) {
    return nullptr;
  }
  KeyPtr owned(key);
  const KeyContextPtr check(EVP_PKEY_CTX_new(key, nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return owned;
}

}  // namespace

Result<std::unique_ptr<SignatureVerifier>> verifier_from_pem(std::string_view pem) {
  const BioPtr bio = bio_of(pem);
  KeyPtr key(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  return wrap<KeyVerifier, SignatureVerifier>(std::move(key));
}

Result<std::unique_ptr<SignatureSigner>> signer_from_pem(std::string_view pem) {
  const BioPtr bio = bio_of(pem);
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  return wrap<KeySigner, SignatureSigner>(std::move(key));
}

Result<std::unique_ptr<SignatureVerifier>> verifier_from_jwk(const JsonWebKey& key) {
  KeyPtr made;
  switch (key.algorithm) {
    case Algorithm::kHs256:
      return hs256_verifier(as_text(key.material));
    case Algorithm::kEdDsa:
      made.reset(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.material.data(),
                                             key.material.size()));
      break;
    case Algorithm::kEs256:
      made = p256_key(key.material);
      break;
  }
  if (!made) return key_error("key \"" + key.kid + "\" is not a point of its curve");
  return std::make_unique<KeyVerifier>(std::move(made), key.algorithm);
}

Result<std::vector<std::string>> add_jwks(KeySet& keys, std::string_view json) {
  Result<JwksFile> file = parse_jwks(json);
  if (!file) return std::unexpected(file.error());
  for (const JsonWebKey& key : file->keys) {
    Result<std::unique_ptr<SignatureVerifier>> verifier = verifier_from_jwk(key);
    if (!verifier) return std::unexpected(verifier.error());
    const Status added = keys.add(key.kid, std::move(*verifier), key.not_after_s);
    if (!added) return std::unexpected(added.error());
  }
  return std::move(file->skipped);
}

}  // namespace footlight::gate
