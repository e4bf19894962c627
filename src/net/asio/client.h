// WebSocket clients by the thousand, for load, rehearsals and tests: one WsClients engine per
// shard, a few hundred bytes per connection, one read buffer for all of them. Connects are paced
// and spread over source addresses, because one address has only some 28,000 ports toward a server.
//
// All calls and callbacks on the shard's thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace footlight::net {

class Shard;

struct WsClientOptions {
  std::string host = "127.0.0.1";  // a textual IPv4 or IPv6 address, or a name (looked up once)
  uint16_t port = 0;
  bool tls = false;
  bool tls_verify = true;  // against the system's authorities and `host`
  std::string path = "/v1/ws";
  std::string subprotocol = "footlight.v1";
  std::string origin;  // sent when not empty
  // Addresses to connect from, used in turn; empty: the system chooses. See loopback_sources().
  std::vector<std::string> sources;
  uint32_t connects_per_s = 5'000;  // 0: as fast as max_opening allows
  uint32_t max_opening = 512;       // connects and handshakes under way at once
  uint32_t open_timeout_ms = 30'000;
  uint32_t max_message_bytes = 8 * 1024 * 1024;
  uint32_t max_unsent_bytes = 1024 * 1024;  // kept when the socket is full; beyond: closed
};

// "127.0.0.1", "127.0.0.2", ... enough for `connections` to one port of a server on loopback.
std::vector<std::string> loopback_sources(uint64_t connections);

// How a connection ended.
struct WsClosed {
  uint16_t code = 0;    // of the server's close frame; kWsCloseNone: it had none; 0: no close frame
  std::string reason;   // of the close frame, or why the connection could not be opened or broke
  int http_status = 0;  // of a refused upgrade
  bool opened = false;  // on_open was called
};

class WsClient;

class WsClientApp {
 public:
  virtual ~WsClientApp() = default;
  virtual void on_open(WsClient& client) = 0;
  virtual void on_message(WsClient& client, std::string_view text) = 0;
  virtual void on_binary(WsClient& client, std::string_view bytes) { (void)client, (void)bytes; }
  // The last call for `client`, also when it never opened or when close() was called. Never inline
  // from a call on the client.
  virtual void on_closed(WsClient& client, const WsClosed& how) = 0;
};

// Valid from WsClients::open until on_closed returns.
class WsClient {
 public:
  void* user = nullptr;  // the app's own; given to open()

  // One text message. False when not open, or when more than max_unsent_bytes would wait: the
  // connection is then dropped and on_closed follows.
  bool send(std::string_view text);
  bool send_binary(std::string_view bytes);  // one binary message; else the same
  void close(uint16_t code = 1000);  // in order: a close frame, then the server's, then the end
  void abort();                      // drops the connection as a crash would
  bool is_open() const;
  size_t unsent_bytes() const;
  MonoUs started_us() const;  // when the connect began, for measuring

  struct Impl;

 protected:
  WsClient() = default;
  ~WsClient() = default;
};

struct WsClientCounters {
  uint64_t waiting = 0;  // asked for, connect not begun
  uint64_t opening = 0;
  uint64_t open = 0;
  uint64_t opened = 0;  // ever
  uint64_t failed = 0;  // never opened
  uint64_t closed = 0;  // opened, then ended
  uint64_t messages_in = 0;
  uint64_t bytes_in = 0;
  uint64_t messages_out = 0;
  uint64_t bytes_out = 0;
};

class WsClients {
 public:
  struct Impl;
  // kUnreachable when the host's name cannot be resolved; kCertificate when TLS cannot be set up.
  // `shard` and `app` outlive the engine. Call before the shard's start, or on its thread.
  static Result<std::unique_ptr<WsClients>> create(Shard& shard, WsClientApp& app,
                                                   WsClientOptions options);
  explicit WsClients(std::unique_ptr<Impl> impl);
  ~WsClients();  // on the shard's thread, or when it has stopped; drops all connections silently

  // Begins one connection, in its turn. Never calls back inline.
  WsClient& open(void* user);
  const WsClientCounters& counters() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::net
