// A connected stream socket, plain or TLS, that never waits. It owns the descriptor.
//
// TLS: what OpenSSL wrote and the kernel did not take is kept here (at most one record and some
// handshake bytes), so that a write counts as taken once it is encrypted, and SSL_write never has
// to be repeated with the same bytes. OpenSSL's own buffers are released while idle.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "net/asio/tls.h"

namespace footlight::net {

enum class IoState : uint8_t {
  kDone,     // took or gave bytes
  kBlocked,  // not now
  kEnd,      // the peer ended its side in order
  kFailed,   // the connection is broken
};

struct IoResult {
  IoState state = IoState::kBlocked;
  size_t bytes = 0;
};

class Transport {
 public:
  explicit Transport(int fd);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  int fd() const { return fd_; }
  bool is_tls() const { return tls_ != nullptr; }
  // False when OpenSSL has no memory. `host`: what the certificate must be for, "" for no check.
  bool start_tls_server(const SslContext& context);
  bool start_tls_client(const SslContext& context, const std::string& host);
  // kDone: the handshake is complete.
  IoState handshake();
  bool speaks_h2() const;         // what ALPN chose, after the handshake
  std::string tls_fault() const;  // why the handshake failed, for a person

  IoResult read(std::span<char> into);
  // Writes as much as is taken now. kDone with fewer bytes than given means that the rest blocks.
  IoResult write(std::string_view bytes);
  IoResult write(std::span<const std::string_view> parts);  // at most 4, as if they were one
  // Sends what an earlier write left encrypted. kDone: nothing is left.
  IoState flush();
  bool has_unsent() const;
  void shutdown_write();      // TLS close_notify where possible, then FIN
  void reset();               // the next close sends RST and drops what is unsent
  void close();               // idempotent
  int release();              // gives the descriptor away, before TLS began
  size_t heap_bytes() const;  // of ours, without OpenSSL's

 private:
  struct Tls;
  bool start_tls(const SslContext& context, bool server);
  IoResult write_tls(std::string_view bytes);

  int fd_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace footlight::net
