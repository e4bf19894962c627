// A server with an application of our own on loopback, and a raw client that can misbehave.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/asio/server.h"
#include "net/asio/shard.h"
#include "net/websocket.h"

namespace footlight::net {

// What a test may wait for: the application counts, the test waits for a count.
class Tally {
 public:
  void add(const std::string& what, uint64_t count = 1);
  uint64_t of(const std::string& what) const;
  // False after ten seconds without.
  bool wait(const std::string& what, uint64_t at_least) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::unordered_map<std::string, uint64_t> counts_;
};

// Requests: GET /hello; POST /echo; GET /later is answered by release_later() from another thread;
// GET /drop is not answered; GET /never is kept; GET /large has kLargeBytes; GET /events is an
// event stream. Messages are echoed, save: "close N" closes with N; "push N" sends N frames of
// kPushBytes, as fast as the peer reads; "all TEXT" goes to everyone on this shard.
class EchoApp final : public ServerApp {
 public:
  static constexpr size_t kLargeBytes = 8 * 1024 * 1024;
  static constexpr size_t kPushBytes = 64 * 1024;
  explicit EchoApp(Tally& tally) : tally_(tally) {}

  void on_request(HttpRequest request, Responder responder) override;
  std::optional<HttpResponse> refuse_upgrade(const HttpRequest& request) override;
  void on_open(Connection& connection, const HttpRequest& request) override;
  void on_message(Connection& connection, std::string_view text) override;
  void on_fault(Connection& connection, Code code) override;
  void on_writable(Connection& connection) override;
  void on_closed(Connection& connection) override;

  void release_later();  // any thread

 private:
  struct Peer {
    std::vector<std::shared_ptr<const std::string>> queue;
    size_t offset = 0;
  };
  void send(Connection& connection, std::shared_ptr<const std::string> frame);
  void pump(Connection& connection);

  Tally& tally_;
  std::unordered_map<Connection*, Peer> peers_;
  std::mutex mutex_;
  std::vector<Responder> later_;
  std::vector<Responder> never_;
};

// A self-signed certificate for 127.0.0.1 and localhost, written as PEM files.
void write_certificate(const std::string& name, const std::string& certificate_file,
                       const std::string& key_file);
// What a shell's command says.
std::string output_of(const std::string& command);

std::shared_ptr<const std::string> text_frame(std::string_view text);

// A listening server on an ephemeral port. `shards` threads.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, int shards = 1);
  ~TestServer();
  uint16_t port() const { return server_->port(); }
  Tally& tally() { return tally_; }
  EchoApp& app(size_t shard = 0) { return *apps_[shard]; }
  Server& server() { return *server_; }
  Shard& shard(size_t i = 0) { return *shards_[i]; }

 private:
  Tally tally_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<EchoApp>> apps_;
  std::unique_ptr<Server> server_;
};

// A TCP connection that sends exactly what it is told. Reads give up after ten seconds.
class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer_bytes = 0);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes);  // ignores a broken connection
  void end_sending();
  void close();
  // All that comes up to and including `mark`; what came before the end otherwise.
  std::string read_until(std::string_view mark);
  std::string read_exactly(size_t bytes);
  std::string read_to_end();
  bool is_reset() const { return reset_; }

  // One response with Content-Length: head and body.
  std::string read_response();
  // A WebSocket handshake on /v1/ws; the response head.
  std::string upgrade(std::string_view extra_headers = "",
                      std::string_view protocol = "footlight.v1");
  void send_text(std::string_view text);
  // The next frame from the server; kind kClose with code 0 at the end of the connection.
  struct Frame {
    WsOpcode kind = WsOpcode::kClose;
    uint16_t close_code = 0;
    std::string payload;
  };
  Frame read_frame();

 private:
  bool fill();
  int fd_ = -1;
  std::string buffer_;
  bool reset_ = false;
};

std::string client_frame(WsOpcode opcode, std::string_view payload);

}  // namespace footlight::net
