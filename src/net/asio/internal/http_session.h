// HTTP/1.1 on one connection, as a state machine: the first byte, the handshake of TLS, request,
// answer, again, until the connection ends, becomes a stream, or is handed to HTTP/2.
//
// It does what it can in one go and returns; readiness, an answer or the deadline brings it back.
// A socket that gave less than was asked for is not read again before it says that there is more.
// While an answer is awaited the connection holds no buffer and nothing is read.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/asio/internal/body_rest.h"
#include "net/asio/internal/http_peer.h"
#include "net/asio/internal/http_reader.h"

namespace footlight::net {

class ServerConnection;
class ServerShard;

class HttpSession final : public HttpPeer {
 public:
  HttpSession(ServerConnection& connection, std::string peer_ip);

  void start();
  void on_ready(uint32_t events) override;
  void on_timeout() override;
  void detach() override;
  bool is_idle() const override { return stage_ <= Stage::kReading; }
  void answer(uint32_t stream, HttpResponse response) override;
  Connection* open_event_stream(uint32_t stream, const HeaderList& headers) override;

 private:
  enum class Stage : uint8_t { kFirstByte, kHandshake, kReading, kAnswering, kWriting };
  enum class After : uint8_t { kNext, kEnd, kBody, kWebSocket };  // what follows what is written

  void go(int requests);
  // One stage each. True: go on with the stage that is now; false: wait.
  bool look_at_first_byte();
  bool shake_hands();
  bool read_on();
  bool take_answer();
  bool write_on();

  bool judge(Result<bool> whole);
  bool read_request_on();
  bool begin_request();
  bool serve(HttpRequest request);
  bool upgrade(HttpRequest request);
  bool refuse(const Error& error, int status = 0);
  bool respond(HttpResponse response, bool head_only);
  bool write(After after);
  bool written();
  void become_websocket();
  bool count_body_bytes();
  bool alive() const;  // the connection is there and still in HTTP

  ServerConnection* connection_;
  ServerShard& shard_;
  std::string peer_ip_;
  HttpReader reader_;
  std::optional<HttpResponse> answer_;  // given, or being written
  std::string head_;                    // being written
  BodyRest rest_;
  std::unique_ptr<HttpRequest> upgrading_;
  size_t counted_body_bytes_ = 0;
  int requests_left_ = 0;  // of this go; then it is the others' turn
  Stage stage_ = Stage::kReading;
  After after_ = After::kNext;
  bool readable_ = false;   // the socket may have something
  bool hung_up_ = false;    // the peer's end was signalled: read until it is reached
  bool looked_ = false;     // what is left of earlier bytes was looked at
  bool had_begun_ = false;  // of the request being read
  bool had_header_ = false;
  bool head_only_ = false;
  bool keep_alive_ = false;
  bool in_request_ = false;  // on_request is being called
};

}  // namespace footlight::net
