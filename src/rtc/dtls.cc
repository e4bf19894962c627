#include "rtc/dtls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/assert.h"
#include "rtc/internal/dtls_timer.h"

namespace footlight::rtc {

// What stands behind the connection's BIO. A memory BIO would glue datagrams together; here each
// write is one datagram, and a read takes one whole.
struct DtlsTransport::Wire {
  ByteView incoming;
  std::deque<Bytes> outgoing;
  DtlsTimer timer;
  MonoUs now = 0;

  static Wire& of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }
  static int write(BIO* bio, const char* data, int size) {
    Wire& wire = of(bio);
    BIO_clear_retry_flags(bio);
    if (size > 0 && wire.outgoing.size() < kDtlsQueuedDatagrams) {
      const auto* bytes = reinterpret_cast<const uint8_t*>(data);
      wire.outgoing.emplace_back(bytes, bytes + size);
    }
    return size;  // dropped is sent: the network may lose it as well
  }
  static int read(BIO* bio, char* out, int size) {
    Wire& wire = of(bio);
    BIO_clear_retry_flags(bio);
    if (wire.incoming.empty() || size <= 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t taken = std::min(wire.incoming.size(), static_cast<size_t>(size));
    std::memcpy(out, wire.incoming.data(), taken);
    wire.incoming = {};
    return static_cast<int>(taken);
  }
  static long control(BIO* bio, int command, long, void* argument) {
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_DGRAM_QUERY_MTU:
      case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return static_cast<long>(kDtlsMtuBytes);
      case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
        of(bio).timer.on_set(static_cast<timeval*>(argument), of(bio).now);
        return 0;
      default:
        return 0;
    }
  }
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* fresh =
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "footlight datagrams");
      FL_ASSERT(fresh != nullptr, "out of memory");
      BIO_meth_set_write(fresh, write);
      BIO_meth_set_read(fresh, read);
      BIO_meth_set_ctrl(fresh, control);
      BIO_meth_set_create(fresh, [](BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
      });
      return fresh;
    }();
    return made;
  }
  static unsigned int duration(SSL* ssl, unsigned int previous_us) {
    return of(SSL_get_rbio(ssl))
        .timer.next_duration_us(previous_us, kDtlsFirstTimeoutUs, kDtlsLastTimeoutUs);
  }
};

DtlsTransport::DtlsTransport(DtlsOptions options)
    : options_(std::move(options)), wire_(std::make_unique<Wire>()) {}

Result<std::unique_ptr<DtlsTransport>> DtlsTransport::make(DtlsOptions options) {
  FL_ASSERT(options.identity != nullptr, "a DTLS transport needs an identity");
  ERR_clear_error();
  std::unique_ptr<DtlsTransport> made(new DtlsTransport(std::move(options)));
  made->ssl_ = SSL_new(made->options_.identity->context());
  BIO* bio = BIO_new(Wire::method());
  if (made->ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return fail(Code::kInternal, "OpenSSL makes no connection");
  }
  BIO_set_data(bio, made->wire_.get());
  SSL_set_bio(made->ssl_, bio, bio);
  SSL_set_mtu(made->ssl_, kDtlsMtuBytes);
  DTLS_set_link_mtu(made->ssl_, kDtlsMtuBytes);
  DTLS_set_timer_cb(made->ssl_, Wire::duration);
  if (made->options_.role == DtlsRole::kClient) {
    SSL_set_connect_state(made->ssl_);
  } else {
    SSL_set_accept_state(made->ssl_);
  }
  return made;
}

DtlsTransport::~DtlsTransport() { SSL_free(ssl_); }

void DtlsTransport::start(MonoUs now) {
  if (state_ != DtlsState::kWaiting) return;
  state_ = DtlsState::kHandshaking;
  handshake_deadline_us_ = now + kDtlsHandshakeTimeoutUs;
  drive(now);
  for (const Bytes& datagram : std::exchange(early_, {})) receive(datagram, now);
}

void DtlsTransport::receive(ByteView datagram, MonoUs now) {
  if (datagram.empty()) return;
  switch (state_) {
    case DtlsState::kWaiting:
      if (early_.size() < kDtlsEarlyDatagrams && datagram.size() <= 1500) {
        early_.emplace_back(datagram.begin(), datagram.end());
      }
      return;
    case DtlsState::kHandshaking:
      if (++handshake_datagrams_ > kDtlsHandshakeDatagrams) {
        return fail_with(Code::kDtlsFailed, "too many datagrams before the handshake was done");
      }
      break;
    case DtlsState::kConnected:
      break;
    case DtlsState::kClosed:
    case DtlsState::kFailed:
      return;
  }
  wire_->incoming = datagram;
  drive(now);
  wire_->incoming = {};
}

void DtlsTransport::drive(MonoUs now) {
  ERR_clear_error();
  wire_->now = now;
  if (state_ == DtlsState::kHandshaking) {
    const int done = SSL_do_handshake(ssl_);
    if (done == 1) {
      finish_handshake();
    } else if (SSL_get_error(ssl_, done) != SSL_ERROR_WANT_READ) {
      const unsigned long reason = ERR_peek_error();
      fail_with(Code::kDtlsFailed, reason != 0 ? ERR_reason_error_string(reason) : "");
    }
  }
  if (state_ == DtlsState::kConnected) {
    SSL_alloc_buffers(ssl_);  // OpenSSL answers alerts without looking whether it has any
    read_data();
  }
  wire_->timer.check(ssl_, now);
}

void DtlsTransport::read_data() {
  std::array<uint8_t, 16'384> buffer;  // a record has up to 2^14 bytes
  for (;;) {
    ERR_clear_error();
    const int size = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
    if (size > 0) {
      if (data_.size() < kDtlsQueuedDatagrams) {
        data_.emplace_back(buffer.begin(), buffer.begin() + size);
      }
      continue;
    }
    const int why = SSL_get_error(ssl_, size);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return;
    if (why == SSL_ERROR_ZERO_RETURN) {
      state_ = DtlsState::kClosed;
      return;
    }
    return fail_with(Code::kDtlsFailed, "the peer sent a fatal alert or broke the protocol");
  }
}

bool DtlsTransport::peer_is_expected() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return false;
  return std::ranges::any_of(options_.peer_fingerprints, [&](const DtlsFingerprint& expected) {
    const EVP_MD* digest = expected.algorithm == "sha-256"   ? EVP_sha256()
                           : expected.algorithm == "sha-384" ? EVP_sha384()
                           : expected.algorithm == "sha-512" ? EVP_sha512()
                                                             : nullptr;
    std::array<uint8_t, EVP_MAX_MD_SIZE> actual;
    unsigned int size = 0;
    return digest != nullptr && X509_digest(certificate, digest, actual.data(), &size) == 1 &&
           expected.digest.size() == size &&
           CRYPTO_memcmp(expected.digest.data(), actual.data(), size) == 0;
  });
}

void DtlsTransport::finish_handshake() {
  handshake_deadline_us_ = kNever;
  if (!peer_is_expected()) {
    SSL_shutdown(ssl_);
    return fail_with(Code::kDtlsFingerprint, {});
  }
  state_ = DtlsState::kConnected;
}

void DtlsTransport::fail_with(Code code, std::string detail) {
  state_ = DtlsState::kFailed;
  error_ = {code, std::move(detail)};
  handshake_deadline_us_ = kNever;
  ERR_clear_error();
}

MonoUs DtlsTransport::deadline_us() const {
  if (state_ != DtlsState::kHandshaking && state_ != DtlsState::kConnected) return kNever;
  return std::min(handshake_deadline_us_, wire_->timer.deadline_us());
}

void DtlsTransport::on_deadline(MonoUs now) {
  if (now < deadline_us()) return;
  if (state_ == DtlsState::kHandshaking && now >= handshake_deadline_us_) {
    return fail_with(Code::kDtlsTimeout, {});
  }
  if (now < wire_->timer.deadline_us()) return;
  ERR_clear_error();
  wire_->now = now;
  wire_->timer.expire();
  if (DTLSv1_handle_timeout(ssl_) < 0) {
    return fail_with(Code::kDtlsTimeout, "the peer did not answer");
  }
  wire_->timer.check(ssl_, now);
}

bool DtlsTransport::next_datagram(Bytes& out) {
  if (wire_->outgoing.empty()) return false;
  out = std::move(wire_->outgoing.front());
  wire_->outgoing.pop_front();
  return true;
}

bool DtlsTransport::next_data(Bytes& out) {
  if (data_.empty()) return false;
  out = std::move(data_.front());
  data_.pop_front();
  return true;
}

Status DtlsTransport::send(ByteView data, MonoUs now) {
  if (state_ != DtlsState::kConnected) return fail(Code::kDtlsClosed);
  if (data.empty() || data.size() > kDtlsMaxDataBytes) return fail(Code::kChannelMessageSize);
  ERR_clear_error();
  wire_->now = now;
  SSL_alloc_buffers(ssl_);
  if (SSL_write(ssl_, data.data(), static_cast<int>(data.size())) <= 0) {
    fail_with(Code::kDtlsFailed, "OpenSSL refuses to encrypt");
    return std::unexpected(error_);
  }
  return {};
}

void DtlsTransport::release_buffers() {
  if (state_ == DtlsState::kConnected) SSL_free_buffers(ssl_);
}

void DtlsTransport::close(MonoUs now) {
  if (state_ == DtlsState::kConnected) {
    ERR_clear_error();
    wire_->now = now;
    SSL_alloc_buffers(ssl_);
    SSL_shutdown(ssl_);
  }
  if (state_ != DtlsState::kFailed) state_ = DtlsState::kClosed;
  handshake_deadline_us_ = kNever;
}

// RFC 5764 section 4.2: both keys, then both salts, the client's first.
std::optional<DtlsSrtpKeys> DtlsTransport::srtp_keys() const {
  if (state_ != DtlsState::kConnected) return std::nullopt;
  const SRTP_PROTECTION_PROFILE* chosen = SSL_get_selected_srtp_profile(ssl_);
  if (chosen == nullptr) return std::nullopt;
  const auto profile = static_cast<SrtpProfile>(chosen->id);
  const SrtpSizes sizes = srtp_sizes(profile);
  constexpr std::string_view kLabel = "EXTRACTOR-dtls_srtp";
  Bytes material(2 * (sizes.key_bytes + sizes.salt_bytes));
  if (material.empty() ||
      SSL_export_keying_material(ssl_, material.data(), material.size(), kLabel.data(),
                                 kLabel.size(), nullptr, 0, 0) != 1) {
    return std::nullopt;
  }
  auto at = material.begin();
  const auto take = [&](size_t size) {
    at += static_cast<ptrdiff_t>(size);
    return Bytes(at - static_cast<ptrdiff_t>(size), at);
  };
  SrtpMasterKey client{profile, take(sizes.key_bytes), {}};
  SrtpMasterKey server{profile, take(sizes.key_bytes), {}};
  client.salt = take(sizes.salt_bytes);
  server.salt = take(sizes.salt_bytes);
  OPENSSL_cleanse(material.data(), material.size());
  if (options_.role == DtlsRole::kClient) return DtlsSrtpKeys{std::move(client), std::move(server)};
  return DtlsSrtpKeys{std::move(server), std::move(client)};
}

}  // namespace footlight::rtc
