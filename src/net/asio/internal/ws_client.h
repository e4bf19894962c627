// One WebSocket client connection and the engine it belongs to.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/prng.h"
#include "net/asio/client.h"
#include "net/asio/internal/address.h"
#include "net/asio/internal/http_answer_reader.h"
#include "net/asio/internal/shard_impl.h"
#include "net/asio/internal/transport.h"
#include "net/websocket.h"

namespace footlight::net {

struct WsClient::Impl final : WsClient, Pollable {
  enum class Phase : uint8_t { kWaiting, kConnecting, kTls, kUpgrading, kOpen, kClosing, kDead };

  explicit Impl(WsClients::Impl& engine);

  void on_ready(uint32_t events) override;
  void connect();
  bool send_message(WsOpcode opcode, std::string_view payload);
  void close_with(uint16_t code);
  // Ends it; on_closed follows at the turn's end.
  void die(std::string reason);

  void advance();  // as far as the opening goes without waiting
  void begin_upgrade();
  void read_answer();
  void read_frames();
  bool decode(std::span<char> in);
  bool handle(const WsEvent& event);
  bool write(std::string_view bytes);
  void flush();

  struct Opening {
    explicit Opening(size_t max_body_bytes) : reader(max_body_bytes) {}
    std::string key;
    HttpAnswerReader reader;
  };

  WsClients::Impl& engine;
  std::optional<Transport> transport;
  WsDecoder decoder;
  std::unique_ptr<Opening> opening;
  std::unique_ptr<std::string> unsent;
  std::unique_ptr<WsClosed> how;
  MonoUs started_us = 0;
  uint32_t slot = 0;
  Phase phase = Phase::kWaiting;
  bool opened = false;
  bool hung_up = false;
};

struct WsClients::Impl final : Resident {
  using Client = WsClient::Impl;

  Impl(Shard& shard, WsClientApp& app, WsClientOptions options, SocketAddress address);
  ~Impl() override;

  MonoUs on_turn_end(MonoUs now_us) override;
  void begin_connects(MonoUs now_us);
  void sweep(MonoUs now_us);
  void settle_finished();
  void opening_ended(Client& client);
  const SocketAddress* next_source();
  WsMask mask() { return {static_cast<uint32_t>(random.next())}; }

  Shard& shard;
  WsClientApp& app;
  WsClientOptions options;
  SocketAddress address;
  SslContext tls;
  std::vector<SocketAddress> sources;
  size_t next_source_index = 0;
  std::string host_header;
  std::vector<std::unique_ptr<Client>> all;
  std::vector<Client*> waiting;  // in turn, from `waiting_at` on
  size_t waiting_at = 0;
  std::vector<Client*> timed;  // opening or closing
  std::vector<Client*> finished;
  WsClientCounters counters;
  MonoUs next_connect_us = 0;
  MonoUs next_sweep_us = kNever;
  std::string scratch;
  Prng random;
};

}  // namespace footlight::net
