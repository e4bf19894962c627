// The part of a server that lives on one shard: its connections, their deadlines, their end.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/prng.h"
#include "net/asio/internal/server_connection.h"
#include "net/asio/internal/shard_impl.h"
#include "net/asio/server.h"

namespace footlight::net {

class H2EventStream;

struct PeerSocket {
  int fd = -1;
  std::string ip;
};

class ServerShard final : public Resident {
 public:
  ServerShard(Shard& shard, ServerApp& app, const ServerOptions& options, ServerCounters& counters,
              uint64_t first_id);
  ~ServerShard();

  void adopt(PeerSocket peer);
  MonoUs on_turn_end(MonoUs now_us) override;

  Shard& shard() { return shard_; }
  ServerApp& app() { return app_; }
  const ServerOptions& options() const { return options_; }
  ServerCounters& counters() { return counters_; }
  Poller& poller() { return shard_.impl().poller; }
  std::span<char> buffer() { return shard_.impl().buffer; }
  MonoUs now_us() const { return shard_.impl().clock.now_us(); }
  MonoUs after_ms(uint32_t ms) const { return now_us() + ms * kUsPerMs; }
  std::string_view date();  // of now, as HTTP has it

  // `peer` is asked to flush at the end of this turn, once, however much is answered meanwhile.
  void flush_later(std::shared_ptr<HttpPeer> peer);
  uint64_t take_id() { return next_id_++; }
  // A stream of HTTP/2 that has ended: the application is told at the end of this turn.
  void retire(std::unique_ptr<H2EventStream> stream);

  HttpResponse error_response(const Error& error) const;

  // Of bodies being received. False when the shard holds as much as it may.
  bool add_body_bytes(uint64_t bytes);
  void drop_body_bytes(uint64_t bytes) { body_bytes_ -= bytes; }

 private:
  friend class ServerConnection;
  void finish(ServerConnection& connection);
  void set_deadline(ServerConnection& connection, MonoUs at_us);
  void remove(ServerConnection& connection);
  void settle_finished();
  void settle_retired();
  void sweep(MonoUs now_us);
  bool make_room();
  void turn_away(int fd);

  Shard& shard_;
  ServerApp& app_;
  const ServerOptions& options_;
  ServerCounters& counters_;
  uint64_t next_id_;
  std::vector<std::unique_ptr<ServerConnection>> all_;
  std::vector<ServerConnection*> timed_;  // those with a deadline
  std::vector<ServerConnection*> finished_;
  std::vector<std::shared_ptr<HttpPeer>> to_flush_;
  std::vector<std::unique_ptr<H2EventStream>> retired_;
  uint64_t body_bytes_ = 0;
  MonoUs next_sweep_us_ = kNever;
  int64_t date_s_ = -1;
  std::string date_;
  Prng random_;
};

}  // namespace footlight::net
