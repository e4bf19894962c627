// One accepted connection, in all its phases. Lives on one shard; owned by ServerShard.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/asio/internal/poller.h"
#include "net/asio/internal/transport.h"
#include "net/asio/server.h"
#include "net/websocket.h"

namespace footlight::net {

class HttpPeer;
class ServerShard;

class ServerConnection final : public Connection, public Pollable {
 public:
  enum class Phase : uint8_t {
    kHttp,
    kWebSocket,
    kEventStream,
    kClosing,    // closed by either side; our last bytes wait for room
    kLingering,  // all is sent; waiting for the peer to end, so that nothing is lost to a reset
    kDead,
  };

  ServerConnection(ServerShard& shard, uint64_t id, int fd);
  ~ServerConnection();

  void on_ready(uint32_t events) override;
  void on_deadline(MonoUs now_us);

  // What Connection promises.
  uint64_t id() const override { return id_; }
  bool is_event_stream() const override { return phase_ == Phase::kEventStream; }
  size_t write(std::string_view rest) override;
  size_t write_two(std::string_view first, std::string_view second) override;
  Event write_event(std::string_view message) override;
  void allow_binary(uint32_t max_bytes) override {
    takes_binary_ = true;
    decoder_.set_max_binary_bytes(max_bytes);
  }
  void allow_text(uint32_t max_bytes) override { decoder_.set_max_text_bytes(max_bytes); }

  // From the HTTP phase.
  void become_websocket();
  void read_first_frames(std::string& rest);  // what came with the request, then the socket
  void become_event_stream(std::string_view head);
  void release_http();              // the HTTP session is over
  void finish_http(bool in_order);  // shuts down in order, or drops
  void hand_on();                   // to ServerOptions::framed
  void become_http2(std::string peer_ip);

  void die();  // the transport is of no more use; the object goes at the turn's end
  void set_deadline(MonoUs at_us);

  Phase phase() const { return phase_; }
  Transport& transport() { return transport_; }
  ServerShard& shard() { return shard_; }

 private:
  friend class ServerShard;
  void end(uint16_t code, std::string_view reason) override;
  bool is_stream() const { return phase_ == Phase::kWebSocket || phase_ == Phase::kEventStream; }
  void read_frames();
  bool decode(std::span<char> in);
  bool handle(const WsEvent& event);
  void fault(Code code);
  void read_and_drop();
  void on_room();
  bool send_control();
  bool may_write_frame();
  size_t frame_written(IoResult sent, size_t wanted, bool within);
  void begin_closing();
  void try_linger();

  ServerShard& shard_;
  Transport transport_;
  const uint64_t id_;
  std::shared_ptr<HttpPeer> http_;
  WsDecoder decoder_;
  // Bytes of ours (pongs, the close frame, a response head) that the socket did not take yet. They
  // go out between two frames of the application.
  std::unique_ptr<std::string> control_;
  MonoUs deadline_us_ = kNever;
  size_t event_sent_ = 0;  // bytes of the event that was begun
  static constexpr uint32_t kNoSlot = UINT32_MAX;
  uint32_t slot_ = kNoSlot;        // in ServerShard::all_
  uint32_t timed_slot_ = kNoSlot;  // in ServerShard::timed_
  Phase phase_ = Phase::kHttp;
  bool mid_frame_ = false;
  bool wants_room_ = false;  // the application waits for on_writable
  bool announced_ = false;   // the application knows it: on_closed is owed
  bool takes_binary_ = false;
  bool faulted_ = false;   // the peer broke the rules: nothing more is taken from it
  bool hung_up_ = false;   // the peer's end was signalled: read until it is reached
  bool finished_ = false;  // in ServerShard::finished_
};

}  // namespace footlight::net
