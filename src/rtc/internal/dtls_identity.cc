#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>

#include "rtc/dtls.h"

namespace footlight::rtc {
namespace {

constexpr long kSecondsPerDay = 86'400;
constexpr long kValidDays = 90;
// A peer's certificate, and any other handshake message, may have this size.
constexpr long kMaxHandshakeMessageBytes = 16'384;
constexpr const char* kSrtpProfiles =
    "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
// Ours is an ECDSA certificate; a server we call may have an RSA one. Forward secrecy and AEAD
// only.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateFree {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, CertificateFree>;

Certificate self_signed(EVP_PKEY* key, Entropy& entropy, WallMs now) {
  Certificate certificate(X509_new());
  if (!certificate) return nullptr;
  std::array<uint8_t, 8> serial;
  entropy.fill(serial);
  uint64_t number = 0;
  for (const uint8_t byte : serial) number = number << 8 | byte;
  const time_t seconds = static_cast<time_t>(now / 1000);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const bool filled =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
      ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), number >> 1) == 1 &&
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds - kSecondsPerDay) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds + kValidDays * kSecondsPerDay) !=
          nullptr &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>("footlight"), -1, -1,
                                 0) == 1 &&
      X509_set_issuer_name(certificate.get(), name) == 1 &&
      X509_set_pubkey(certificate.get(), key) == 1 &&
      X509_sign(certificate.get(), key, EVP_sha256()) > 0;
  return filled ? std::move(certificate) : nullptr;
}

// The fingerprint in the session description stands for a chain of trust, and is checked when the
// handshake is done (RFC 8827 section 5.6.4); that the peer holds the key, OpenSSL checks itself.
int accept_for_now(X509_STORE_CTX*, void*) { return 1; }

bool configure(SSL_CTX* context, X509* certificate, EVP_PKEY* key) {
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, accept_for_now, nullptr);
  SSL_CTX_set_max_cert_list(context, kMaxHandshakeMessageBytes);
  return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, kCiphers) == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
         SSL_CTX_use_certificate(context, certificate) == 1 &&
         SSL_CTX_use_PrivateKey(context, key) == 1 &&
         SSL_CTX_set_tlsext_use_srtp(context, kSrtpProfiles) == 0;
}

}  // namespace

Result<std::shared_ptr<const DtlsIdentity>> DtlsIdentity::make(Entropy& entropy, WallMs now) {
  ERR_clear_error();
  const std::unique_ptr<EVP_PKEY, KeyFree> key(EVP_EC_gen("P-256"));
  const Certificate certificate = key ? self_signed(key.get(), entropy, now) : nullptr;
  if (!certificate) return fail(Code::kInternal, "OpenSSL makes no certificate");
  std::shared_ptr<DtlsIdentity> identity(new DtlsIdentity);
  identity->context_ = SSL_CTX_new(DTLS_method());
  if (identity->context_ == nullptr ||
      !configure(identity->context_, certificate.get(), key.get())) {
    return fail(Code::kInternal, "OpenSSL refuses the DTLS settings");
  }
  identity->fingerprint_ = {"sha-256", Bytes(EVP_MAX_MD_SIZE)};
  unsigned int size = 0;
  if (X509_digest(certificate.get(), EVP_sha256(), identity->fingerprint_.digest.data(), &size) !=
      1) {
    return fail(Code::kInternal, "OpenSSL makes no fingerprint");
  }
  identity->fingerprint_.digest.resize(size);
  return std::shared_ptr<const DtlsIdentity>(std::move(identity));
}

DtlsIdentity::~DtlsIdentity() { SSL_CTX_free(context_); }

}  // namespace footlight::rtc
