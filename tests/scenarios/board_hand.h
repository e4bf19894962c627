// A Yjs client of a board in C++, as anyone may write one: y-websocket's protocol on a document of
// our engine, over real sockets, connecting again for as long as it lives.
//
// On the shard's thread; create it before the shard's start.
#pragma once
#include <memory>
#include <string>

#include "core/prng.h"
#include "crdt/doc.h"
#include "crdt/sync.h"
#include "net/asio/client.h"
#include "net/asio/shard.h"
#include "net/asio/system.h"

namespace footlight {

class BoardHand final : public net::WsClientApp, public net::Resident {
 public:
  struct Place {
    uint16_t port = 0;
    std::string episode;
    std::string board;
    std::string token;
  };
  BoardHand(net::Shard& shard, const Place& place, uint64_t client);
  ~BoardHand() override;  // after the shard has stopped, or after close()
  void close();

  crdt::Doc& doc() { return doc_; }
  bool synced() const { return synced_; }  // it has the server's answer on this connection
  // Operations of its own, by clock, that came back from the server and so are durable.
  uint64_t durable_clock() const { return durable_clock_; }
  uint16_t last_code() const { return last_code_; }  // of the last close

  void on_open(net::WsClient& socket) override;
  void on_message(net::WsClient&, std::string_view) override {}
  void on_binary(net::WsClient& socket, std::string_view bytes) override;
  void on_closed(net::WsClient& socket, const net::WsClosed& how) override;
  MonoUs on_turn_end(MonoUs now_us) override;

 private:
  void take(ByteView update);

  net::Shard& shard_;
  net::SystemClock clock_;
  crdt::Doc doc_;
  std::unique_ptr<net::WsClients> engine_;
  net::WsClient* socket_ = nullptr;
  MonoUs retry_us_ = 0;
  MonoUs renew_us_ = 0;
  uint64_t durable_clock_ = 0;
  uint16_t last_code_ = 0;
  bool synced_ = false;
};

}  // namespace footlight
