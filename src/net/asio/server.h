// The server: HTTP/1.1, WebSocket and server-sent events over TCP or TLS, on shards.
//
// One shard accepts and hands each connection to the shard with the fewest; from then on a
// connection lives on that shard alone. It begins as HTTP (keep-alive, one request at a time, also
// when pipelined) and may become a Connection: a WebSocket by upgrade, or an event stream by the
// application's answer. A Connection holds no buffer while idle.
//
// One whose first byte says that it carries framed datagrams is handed on, so that media can share
// the one port that a firewall lets through.
//
// What a peer can take is bounded: header, body, time for each (slow senders and slow readers), and
// the number of connections; at the bound the connection that has been in HTTP for longest makes
// room, and when there is none the new one gets 503.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/chain.h"
#include "core/result.h"
#include "net/asio/framed.h"
#include "net/asio/shard.h"
#include "net/asio/tls.h"
#include "net/http.h"

namespace footlight::net {

struct HttpRequest {
  std::string method;
  std::string target;  // as sent
  std::string path;    // decoded, see Target
  HeaderList headers;
  std::string body;
  std::string peer_ip;  // textual, of the TCP peer
  bool tls = false;

  std::string_view query() const;                        // "" when there is none
  std::string_view header(std::string_view name) const;  // the first; "" when absent
};

struct HttpResponse {
  int status = 200;
  std::string content_type;
  HeaderList headers;
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // instead of body, sent without a copy
  std::shared_ptr<const Chain> chain;              // the same, in pieces
  // More of the head as it stands on the wire, each line with its end: what was written once for
  // many answers. Never from a peer's bytes.
  std::shared_ptr<const std::string> head_lines;
  bool close = false;  // ends the connection after this answer
};

// A WebSocket or an event stream. All calls on its shard's thread; valid until on_closed returns.
class Connection {
 public:
  void* user = nullptr;  // the application's own

  virtual uint64_t id() const = 0;  // never reused within a process
  virtual bool is_event_stream() const = 0;
  // WebSocket: `rest` is what is left of one whole unmasked frame. Takes what the socket takes now
  // and returns how much; after less than all, on_writable follows once there is room, and the rest
  // of that frame must be written before any other.
  virtual size_t write(std::string_view rest) = 0;
  // Two whole frames one after the other, with one call of the system: so much of both was taken.
  virtual size_t write_two(std::string_view first, std::string_view second) = 0;
  // Event stream: the same by whole messages, because an event has bytes around the message. After
  // kBlocked nothing was taken; after kBegun the same message must be given again until kDone.
  enum class Event : uint8_t { kBlocked, kBegun, kDone };
  virtual Event write_event(std::string_view message) = 0;
  // From now on binary messages of up to so many bytes are handed to ServerApp::on_binary; before
  // that each is a fault (kBadFrame).
  virtual void allow_binary(uint32_t max_bytes) = 0;
  // From now on text messages may have so many bytes instead of ServerOptions::max_message_bytes.
  virtual void allow_text(uint32_t max_bytes) = 0;
  // Sends the close frame (or the end of the stream) after what was written, and ends. When the
  // peer takes no more, or a frame is cut in the middle, just ends. on_closed follows, never
  // inline.
  void close(uint16_t code, std::string_view reason = {}) { end(code, reason); }

 protected:
  Connection() = default;
  ~Connection() = default;
  virtual void end(uint16_t code, std::string_view reason) = 0;
};

class HttpPeer;

// Answers one request, once. Dropped unanswered, it answers 500. May outlive the connection.
class Responder {
 public:
  // `stream` tells requests of one peer apart.
  Responder(Shard& shard, std::weak_ptr<HttpPeer> peer, uint32_t stream);
  Responder(Responder&& other) noexcept;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();
  void send(HttpResponse response);  // any thread
  // Expires when nobody is there any more to take the answer.
  std::weak_ptr<const void> asker() const;
  // Answers 200 with an event stream. Only inside on_request; on_open is not called for it, and
  // `user` may be set at once. nullptr when the connection broke meanwhile.
  Connection* open_event_stream(const HeaderList& headers);

 private:
  Shard* shard_;  // nullptr once it has answered
  std::weak_ptr<HttpPeer> peer_;
  uint32_t stream_;
};

// What the application makes of it: one object per shard, called on that shard's thread.
class ServerApp {
 public:
  virtual ~ServerApp() = default;
  virtual void on_request(HttpRequest request, Responder responder) = 0;
  // Before a WebSocket is granted whose handshake is in order; an answer refuses it.
  virtual std::optional<HttpResponse> refuse_upgrade(const HttpRequest&) { return std::nullopt; }
  virtual void on_open(Connection& connection, const HttpRequest& request) = 0;
  virtual void on_message(Connection& connection, std::string_view text) = 0;  // WebSocket only
  virtual void on_binary(Connection&, std::string_view) {}  // after Connection::allow_binary
  // The peer broke the rules (kBadWebSocket, kFrameTooLarge, kBadUtf8; kBadFrame for a binary
  // message). Nothing more is read; the application says what it has to say and calls close.
  virtual void on_fault(Connection& connection, Code code) = 0;
  virtual void on_writable(Connection& connection) = 0;
  // The last call. Connections that are open when the server is destroyed get it then, on that
  // thread.
  virtual void on_closed(Connection& connection) = 0;
};

struct ServerOptions {
  std::string address = "127.0.0.1";  // textual IPv4 or IPv6; "::" is both
  uint16_t port = 0;                  // 0: the system chooses
  std::shared_ptr<TlsServer> tls;     // nullptr: plain
  std::string websocket_path = "/v1/ws";
  std::string subprotocol = "footlight.v1";
  std::string bare_prefix;  // WebSockets at addresses that begin so need no subprotocol; "": none
  // Origins that may open a WebSocket; "*" allows any. A request without Origin (no browser) and
  // one of the same origin always may.
  std::vector<std::string> allowed_origins;
  uint32_t max_message_bytes = 16 * 1024;
  uint32_t max_header_bytes = 16 * 1024;
  uint32_t max_body_bytes = 256 * 1024;
  uint64_t max_buffered_body_bytes = 64 * 1024 * 1024;  // of all requests under way, per shard
  uint32_t max_connections = 50'000;
  uint32_t max_streams = 256;           // requests under way on one connection of HTTP/2
  uint32_t header_timeout_ms = 10'000;  // handshake of TLS and a request's header, each
  uint32_t body_timeout_ms = 20'000;
  uint32_t keep_alive_ms = 30'000;
  uint32_t answer_timeout_ms = 30'000;  // the application's time to answer; then 504
  uint32_t write_timeout_ms = 30'000;
  uint32_t linger_ms = 2'000;  // for the peer to take our last bytes after a close
  uint32_t event_stream_comment_ms = 15'000;
  uint32_t send_buffer_bytes = 0;  // SO_SNDBUF; 0: the system's
  // Takes connections that begin framed (net/asio/framed.h), before TLS; any shard's thread. They
  // count as connections until they end. Empty: they are bad requests.
  std::function<void(FramedSocket)> framed;
  // The answer to a fault; the default has the error's number and sentence as JSON.
  HttpResponse (*error_response)(const Error&) = nullptr;
};

struct ServerCounters : std::enable_shared_from_this<ServerCounters> {
  std::atomic<uint64_t> connections{0};  // now
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> turned_away{0};  // 503 at max_connections
  std::atomic<uint64_t> evicted{0};      // in HTTP for longest, to make room
  std::atomic<uint64_t> framed{0};       // handed over as framed
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> upgrades{0};
  std::atomic<uint64_t> timeouts{0};
  std::atomic<uint64_t> bad_requests{0};
};

class Server {
 public:
  struct Impl;
  // One app per shard. kPortBusy, kIo, kFileDescriptors. Begins to accept once the shards run.
  // Everything given outlives the server; destroy the server after the shards have stopped.
  static Result<std::unique_ptr<Server>> listen(ServerOptions options,
                                                std::span<Shard* const> shards,
                                                std::span<ServerApp* const> apps);
  explicit Server(std::unique_ptr<Impl> impl);
  ~Server();

  uint16_t port() const;
  void stop_accepting();  // any thread; closes the listening socket
  const ServerCounters& counters() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::net
