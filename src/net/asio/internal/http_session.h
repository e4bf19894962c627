// The HTTP phase of one connection, as a coroutine: handshake of TLS, request, answer, again, until
// the connection ends or becomes a stream. The connection may die at any wait; the coroutine then
// finds itself detached and returns.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/asio/internal/boost.h"
#include "net/asio/internal/http_reader.h"
#include "net/asio/server.h"

namespace footlight::net {

class ServerConnection;
class ServerShard;

class HttpSession final : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(ServerConnection& connection, std::string peer_ip);

  void start();
  void on_ready(uint32_t events);
  void on_timeout();
  void detach();  // the connection is gone
  bool is_reading() const { return stage_ == Stage::kReading; }

  // From the Responder, on the shard's thread.
  void answer(HttpResponse response);
  Connection* open_event_stream(const HeaderList& headers);

 private:
  enum class Stage : uint8_t { kReading, kAnswering, kWriting };
  enum class Wake : uint8_t { kGo, kTimeout, kGone };
  enum class Want : uint8_t { kNothing, kReadable, kWritable, kAnswer };
  struct Rest;
  template <class T = void>
  using Task = boost::asio::awaitable<T>;

  Task<> run();
  Task<> look_at_first_byte();
  Task<bool> handshake();
  Task<std::optional<HttpRequest>> read_request();
  Task<bool> read_more();
  Task<> refuse(Error error, int status = 0);
  Task<bool> serve(HttpRequest request);
  Task<bool> upgrade(HttpRequest request);
  Task<bool> write_response(HttpResponse response, bool head_only);
  Task<bool> write_all(std::string_view head, std::string_view body, const Chain* chain = nullptr);
  bool count_body_bytes();
  Task<Wake> wait(Want want);
  void wake(Wake how);
  bool alive() const;  // the connection is there and still in HTTP

  ServerConnection* connection_;
  ServerShard& shard_;
  std::string peer_ip_;
  HttpReader reader_;
  Result<bool> read_ = false;  // what the reader said last
  std::optional<HttpResponse> answer_;
  std::move_only_function<void(Wake)> waiter_;
  size_t counted_body_bytes_ = 0;
  Want want_ = Want::kNothing;
  Stage stage_ = Stage::kReading;
  bool keep_alive_ = false;
  bool timed_out_ = false;
  bool in_request_ = false;  // on_request is being called
};

struct Responder::Impl {
  Shard& shard;
  std::weak_ptr<HttpSession> session;
};

}  // namespace footlight::net
