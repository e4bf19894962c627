#include "net/asio/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>

#include "net/asio/internal/openssl.h"

namespace footlight::net {
namespace {

constexpr std::string_view kHttp11 = "\x08http/1.1";
constexpr std::string_view kHttp2 = "\x02h2\x08http/1.1";  // what the server likes better first

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void* ours) {
  const auto& names = *static_cast<const std::string_view*>(ours);
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(names.data()),
                            static_cast<unsigned>(names.size()), in, in_size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SslContext make_context(const SSL_METHOD* method) {
  SslContext context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) return nullptr;
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection holds no record buffers; a read takes as many records as there are.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  return context;
}

Result<SslContext> load_context(const std::string& certificate_file, const std::string& key_file,
                                bool http2) {
  ERR_clear_error();
  SslContext context = make_context(TLS_server_method());
  if (!context) return fail(Code::kCertificate, openssl_fault());
  SSL_CTX* ctx = context.get();
  if (SSL_CTX_use_certificate_chain_file(ctx, certificate_file.c_str()) != 1) {
    return fail(Code::kCertificate, certificate_file + ": " + openssl_fault());
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(Code::kCertificate, key_file + ": " + openssl_fault());
  }
  if (SSL_CTX_check_private_key(ctx) != 1) {
    return fail(Code::kCertificate, key_file + " is not the key of " + certificate_file);
  }
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_alpn_select_cb(ctx, select_protocol,
                             const_cast<std::string_view*>(http2 ? &kHttp2 : &kHttp11));
  return context;
}

WallMs wall_ms_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return static_cast<WallMs>(timegm(&parts)) * 1000;
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* list = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type == GEN_DNS) {
      const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
      names.emplace_back(text, static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN];
      const ASN1_OCTET_STRING* address = name->d.iPAddress;
      const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
      if (inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof text) != nullptr) {
        names.emplace_back(text);
      }
    }
  }
  GENERAL_NAMES_free(list);
  return names;
}

}  // namespace

std::string openssl_fault() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0) return errno != 0 ? std::strerror(errno) : "unknown";
  // Errors of the system library carry errno as their reason.
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

Result<std::shared_ptr<TlsServer>> TlsServer::load(std::string certificate_file,
                                                   std::string key_file, bool http2) {
  std::shared_ptr<TlsServer> server(new TlsServer());
  server->certificate_file_ = std::move(certificate_file);
  server->key_file_ = std::move(key_file);
  server->http2_ = http2;
  if (auto status = server->reload(); !status) return std::unexpected(status.error());
  return server;
}

Status TlsServer::reload() {
  auto context = load_context(certificate_file_, key_file_, http2_);
  if (!context) return std::unexpected(context.error());
  const std::lock_guard lock(mutex_);
  context_ = std::move(*context);
  return {};
}

SslContext TlsServer::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

Result<SslContext> make_tls_client_context(bool verify) {
  ERR_clear_error();
  SslContext context = make_context(TLS_client_method());
  if (!context) return fail(Code::kCertificate, openssl_fault());
  if (verify) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_set_default_verify_paths(context.get()) != 1) {
      return fail(Code::kCertificate, "the system's authorities: " + openssl_fault());
    }
  }
  return context;
}

Result<CertificateInfo> read_certificate(const std::string& file) {
  ERR_clear_error();
  const BioPtr bio(BIO_new_file(file.c_str(), "r"));
  const X509Ptr certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)
                                : nullptr);
  if (!certificate) return fail(Code::kCertificate, file + ": " + openssl_fault());
  CertificateInfo info;
  char subject[256];
  X509_NAME_oneline(X509_get_subject_name(certificate.get()), subject, sizeof subject);
  info.subject = subject;
  info.names = names_of(certificate.get());
  info.not_before_ms = wall_ms_of(X509_get0_notBefore(certificate.get()));
  info.not_after_ms = wall_ms_of(X509_get0_notAfter(certificate.get()));
  return info;
}

}  // namespace footlight::net
