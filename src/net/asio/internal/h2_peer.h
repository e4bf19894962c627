// HTTP/2 on one connection: an H2Session between the transport and the application. Requests are
// answered as those of HTTP/1.1, many at once; what is answered in one turn goes out together.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>

#include "net/asio/internal/h2_session.h"
#include "net/asio/internal/http_peer.h"

namespace footlight::net {

class H2Peer;
class ServerConnection;
class ServerShard;

// An event stream that is one stream of HTTP/2.
class H2EventStream final : public Connection {
 public:
  H2EventStream(H2Peer& peer, uint64_t id, uint32_t stream)
      : peer_(&peer), id_(id), stream_(stream) {}

  uint64_t id() const override { return id_; }
  bool is_event_stream() const override { return true; }
  // Frames are for a WebSocket.
  size_t write(std::string_view) override { return 0; }
  size_t write_two(std::string_view, std::string_view) override { return 0; }
  Event write_event(std::string_view message) override;
  void allow_binary(uint32_t) override {}
  void allow_text(uint32_t) override {}
  void detach() { peer_ = nullptr; }

 private:
  void end(uint16_t code, std::string_view reason) override;
  H2Peer* peer_;  // nullptr once it has ended
  uint64_t id_;
  uint32_t stream_;
};

class H2Peer final : public HttpPeer, private H2App {
 public:
  H2Peer(ServerConnection& connection, std::string peer_ip);

  void start();
  void on_ready(uint32_t events) override;
  void on_timeout() override;
  void detach() override;
  bool is_idle() const override { return session_.streams() == 0; }
  void flush() override;
  void end_streams(ServerApp& app) override;
  void answer(uint32_t stream, HttpResponse response) override;
  Connection* open_event_stream(uint32_t stream, const HeaderList& headers) override;

  bool write_event(uint32_t stream, std::string_view message);
  void close_event_stream(uint32_t stream);

 private:
  // What the session tells.
  void on_request(uint32_t stream, HttpRequest request) override;
  bool count_bytes(int64_t more) override;
  HttpResponse error_response(const Error& error) override;
  void on_event_room(uint32_t stream) override;
  void on_event_end(uint32_t stream) override;
  void on_expired() override;
  std::string_view date() override;

  void read_on();
  bool send();
  bool send_all();
  void settle();
  void flush_soon();
  bool alive() const;

  ServerConnection* connection_;
  ServerShard& shard_;
  std::string peer_ip_;
  H2Session session_;
  std::unordered_map<uint32_t, std::unique_ptr<H2EventStream>> events_;
  std::string out_;  // frames on their way, from sent_ on
  size_t sent_ = 0;
  int64_t counted_bytes_ = 0;
  MonoUs idle_since_us_;
  MonoUs blocked_since_us_ = kNever;  // the socket takes no more
  uint32_t in_request_ = 0;           // the stream whose on_request is being called
  bool readable_ = true;
  bool flushing_soon_ = false;
  bool working_ = false;  // reading or writing: what is answered meanwhile goes out at the end
  bool broken_ = false;   // after a fault: only what the peer is to be told is sent
};

}  // namespace footlight::net
