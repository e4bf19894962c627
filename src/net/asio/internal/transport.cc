#include "net/asio/internal/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/assert.h"
#include "net/asio/internal/openssl.h"

namespace footlight::net {
namespace {

constexpr size_t kRecordBytes = 16 * 1024;
// One record, its overhead, and answers of the handshake. A peer that makes OpenSSL answer more
// than that (key updates without end) and does not read is cut.
constexpr size_t kMaxUnsentBytes = 64 * 1024;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

IoResult outcome_of(ssize_t count) {
  if (count > 0) return {IoState::kDone, static_cast<size_t>(count)};
  if (count == 0) return {IoState::kEnd, 0};
  return {would_block() ? IoState::kBlocked : IoState::kFailed, 0};
}

}  // namespace

struct Transport::Tls {
  int fd = -1;
  bool failed = false;
  bool ended = false;
  SslPtr ssl;
  std::string unsent;

  // Everything OpenSSL writes is taken: sent, or kept in `unsent`.
  bool take(std::string_view bytes) {
    size_t sent = 0;
    if (unsent.empty()) {
      const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0 && !would_block()) return false;
      sent = count > 0 ? static_cast<size_t>(count) : 0;
    }
    if (sent == bytes.size()) return true;
    if (unsent.size() + bytes.size() > kMaxUnsentBytes) return false;
    unsent.append(bytes.substr(sent));
    return true;
  }

  static int bio_write(BIO* bio, const char* data, int size) {
    auto* tls = static_cast<Tls*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (tls->failed || !tls->take({data, static_cast<size_t>(size)})) {
      tls->failed = true;
      return -1;
    }
    return size;
  }

  static int bio_read(BIO* bio, char* data, int size) {
    auto* tls = static_cast<Tls*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::recv(tls->fd, data, static_cast<size_t>(size), 0);
    if (count < 0 && would_block()) BIO_set_retry_read(bio);
    if (count == 0) tls->ended = true;
    return static_cast<int>(count);
  }

  static long bio_control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return static_cast<Tls*>(BIO_get_data(bio))->ended ? 1 : 0;
    return 0;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "footlight");
      BIO_meth_set_write(method, bio_write);
      BIO_meth_set_read(method, bio_read);
      BIO_meth_set_ctrl(method, bio_control);
      BIO_meth_set_create(method, [](BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
      });
      return method;
    }();
    return made;
  }

  IoState state_of(int result) {
    if (failed) return IoState::kFailed;
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return IoState::kBlocked;
      case SSL_ERROR_ZERO_RETURN:
        return IoState::kEnd;
      default:
        failed = true;
        return IoState::kFailed;
    }
  }
};

Transport::Transport(int fd) : fd_(fd) {}
Transport::~Transport() { close(); }

void Transport::close() {
  tls_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int Transport::release() {
  FL_ASSERT(!tls_ || SSL_in_before(tls_->ssl.get()), "TLS has begun on this descriptor");
  tls_.reset();
  return std::exchange(fd_, -1);
}

bool Transport::start_tls(const SslContext& context, bool server) {
  auto tls = std::make_unique<Tls>();
  tls->fd = fd_;
  tls->ssl.reset(SSL_new(context.get()));
  BIO* bio = tls->ssl ? BIO_new(Tls::method()) : nullptr;
  if (bio == nullptr) return false;
  BIO_set_data(bio, tls.get());
  SSL_set_bio(tls->ssl.get(), bio, bio);
  if (server) {
    SSL_set_accept_state(tls->ssl.get());
  } else {
    SSL_set_connect_state(tls->ssl.get());
  }
  tls_ = std::move(tls);
  return true;
}

bool Transport::start_tls_server(const SslContext& context) { return start_tls(context, true); }

bool Transport::start_tls_client(const SslContext& context, const std::string& host) {
  if (!start_tls(context, false)) return false;
  if (host.empty()) return true;
  SSL* ssl = tls_->ssl.get();
  // An address is matched against the certificate's addresses, and has no place in SNI.
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1) return true;
  return SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

IoState Transport::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_->ssl.get());
  return result == 1 ? IoState::kDone : tls_->state_of(result);
}

bool Transport::speaks_h2() const {
  if (!tls_) return false;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_->ssl.get(), &name, &size);
  return std::string_view(reinterpret_cast<const char*>(name), size) == "h2";
}

std::string Transport::tls_fault() const {
  if (!tls_) return "";
  const long verify = SSL_get_verify_result(tls_->ssl.get());
  if (verify != X509_V_OK) return X509_verify_cert_error_string(verify);
  return openssl_fault();
}

IoResult Transport::read(std::span<char> into) {
  if (fd_ < 0) return {IoState::kFailed, 0};
  if (!tls_) return outcome_of(::recv(fd_, into.data(), into.size(), 0));
  ERR_clear_error();
  size_t total = 0;
  while (total < into.size()) {
    size_t count = 0;
    const int result =
        SSL_read_ex(tls_->ssl.get(), into.data() + total, into.size() - total, &count);
    if (result != 1) {
      const IoState state = tls_->state_of(result);
      return total > 0 ? IoResult{IoState::kDone, total} : IoResult{state, 0};
    }
    total += count;
  }
  return {IoState::kDone, total};
}

IoResult Transport::write_tls(std::string_view bytes) {
  size_t total = 0;
  while (total < bytes.size() && tls_->unsent.empty()) {
    ERR_clear_error();
    size_t count = 0;
    const size_t size = std::min(kRecordBytes, bytes.size() - total);
    const int result = SSL_write_ex(tls_->ssl.get(), bytes.data() + total, size, &count);
    if (result != 1) {
      const IoState state = tls_->state_of(result);
      if (state != IoState::kBlocked) return {IoState::kFailed, 0};
      break;
    }
    total += count;
  }
  return {total > 0 ? IoState::kDone : IoState::kBlocked, total};
}

IoResult Transport::write(std::string_view bytes) {
  if (fd_ < 0) return {IoState::kFailed, 0};
  if (bytes.empty()) return {IoState::kDone, 0};
  if (!tls_) return outcome_of(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  if (const IoState state = flush(); state != IoState::kDone) return {state, 0};
  return write_tls(bytes);
}

IoResult Transport::write(std::span<const std::string_view> parts) {
  std::array<iovec, 4> pieces;
  FL_ASSERT(parts.size() <= pieces.size(), "a gathered write has at most 4 parts");
  if (fd_ < 0) return {IoState::kFailed, 0};
  if (tls_) {
    size_t total = 0;
    std::string_view first;
    for (const auto part : parts) {
      total += part.size();
      if (first.empty()) first = part;
    }
    if (total > kRecordBytes) return write(first);
    // Encryption copies anyway, and one record costs less than three.
    std::string joined;
    for (const auto part : parts) joined.append(part);
    return write(joined);
  }
  msghdr message{};
  for (size_t i = 0; i < parts.size(); ++i) {
    pieces[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
  }
  message.msg_iov = pieces.data();
  message.msg_iovlen = parts.size();
  return outcome_of(::sendmsg(fd_, &message, MSG_NOSIGNAL));
}

IoState Transport::flush() {
  if (!tls_ || tls_->unsent.empty()) return IoState::kDone;
  std::string& unsent = tls_->unsent;
  const ssize_t count = ::send(fd_, unsent.data(), unsent.size(), MSG_NOSIGNAL);
  if (count < 0) return would_block() ? IoState::kBlocked : IoState::kFailed;
  if (static_cast<size_t>(count) < unsent.size()) {
    unsent.erase(0, static_cast<size_t>(count));
    return IoState::kBlocked;
  }
  std::string().swap(unsent);
  return IoState::kDone;
}

bool Transport::has_unsent() const { return tls_ && !tls_->unsent.empty(); }

size_t Transport::heap_bytes() const { return tls_ ? sizeof(Tls) + tls_->unsent.capacity() : 0; }

void Transport::shutdown_write() {
  if (fd_ < 0) return;
  if (tls_ && !tls_->failed && SSL_is_init_finished(tls_->ssl.get())) {
    ERR_clear_error();
    SSL_shutdown(tls_->ssl.get());
    ERR_clear_error();
  }
  // Ciphertext that did not fit would be cut by FIN; then the peer sees a truncation, as it should.
  ::shutdown(fd_, SHUT_WR);
}

void Transport::reset() {
  if (fd_ < 0) return;
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace footlight::net
