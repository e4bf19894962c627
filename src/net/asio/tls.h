// TLS 1.2 and 1.3 by OpenSSL: certificate and key of a server, replaced while it runs.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"

struct ssl_ctx_st;

namespace footlight::net {

using SslContext = std::shared_ptr<ssl_ctx_st>;

class TlsServer {
 public:
  // PEM files: the certificate with its chain, and its key. kCertificate says what is wrong.
  // `http2`: who offers HTTP/2 (ALPN "h2") gets it.
  static Result<std::shared_ptr<TlsServer>> load(std::string certificate_file, std::string key_file,
                                                 bool http2 = true);
  // Reads the files again. On a fault the old certificate stays in use. Connections keep the
  // certificate they began with. Any thread.
  Status reload();
  SslContext context() const;  // any thread

 private:
  TlsServer() = default;
  std::string certificate_file_;
  std::string key_file_;
  bool http2_ = true;
  mutable std::mutex mutex_;
  SslContext context_;
};

// For clients: the system's authorities.
Result<SslContext> make_tls_client_context(bool verify);

struct CertificateInfo {
  std::string subject;
  std::vector<std::string> names;  // DNS names and addresses it is for
  WallMs not_before_ms = 0;
  WallMs not_after_ms = 0;
};
Result<CertificateInfo> read_certificate(const std::string& file);  // kCertificate

}  // namespace footlight::net
