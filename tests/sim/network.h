// The virtual network between clients and edges. A link is one connection: two ordered reliable
// streams that are late, slow, stalled, or cut, and when cut lose everything in flight.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "core/prng.h"
#include "edge/ports.h"
#include "scheduler.h"

namespace footlight::sim {

class Link;

// The client's end.
class ClientEnd {
 public:
  virtual ~ClientEnd() = default;
  virtual void on_frame(std::string_view json) = 0;
  virtual void on_binary(std::string_view bytes) { (void)bytes; }
  virtual void on_gone(Code code) = 0;  // kOk: cut without a close frame
};

// The edge's end.
class EdgeEnd {
 public:
  virtual ~EdgeEnd() = default;
  virtual void link_frame(Link& link, std::string_view text) = 0;
  virtual void link_binary(Link& link, std::string_view bytes) = 0;
  virtual void link_writable(Link& link) = 0;
  virtual void link_closed(Link& link) = 0;  // may delete the link
};

struct LinkQuality {
  MonoUs latency_us = 20'000;
  MonoUs jitter_us = 5'000;
  uint64_t bytes_per_s = 2'000'000;  // down
  size_t buffer_bytes = 64 * 1024;   // taken by the transport and not yet gone
};

class Link final : public edge::ConnectionOut, public std::enable_shared_from_this<Link> {
 public:
  Link(Scheduler& scheduler, Prng random, LinkQuality quality, edge::ConnId id, ClientEnd& client,
       EdgeEnd& edge)
      : scheduler_(scheduler),
        random_(random),
        quality_(quality),
        id_(id),
        client_(&client),
        edge_(&edge) {}

  edge::ConnId id() const { return id_; }
  bool up() const { return up_; }
  LinkQuality& quality() { return quality_; }
  // What went wrong with how the edge used the connection; "" when nothing.
  const std::string& misuse() const { return misuse_; }

  // The client's side.
  void send(std::string text);
  void send_binary(std::string bytes);
  void hang_up();                        // the client closes: the edge learns of it
  void abandon() { client_ = nullptr; }  // the client hears nothing more from it

  // Faults.
  void stall(MonoUs until_us);
  // Everything in flight is lost. The client notices after `client_us`, the edge after `edge_us`;
  // kNever: only by its own timeouts.
  void cut(MonoUs client_us, MonoUs edge_us);
  void edge_died();

  // edge::ConnectionOut
  size_t write(const proto::FramePtr& frame, size_t offset) override;
  void close(Code code) override;

 private:
  MonoUs delay();
  void drain(MonoUs now_us);
  void wake_writer();
  void tell_client(Code code, MonoUs after_us);
  void tell_edge(MonoUs after_us);

  Scheduler& scheduler_;
  Prng random_;
  LinkQuality quality_;
  edge::ConnId id_;
  ClientEnd* client_;  // nullptr once it was told that the link is gone
  EdgeEnd* edge_;      // nullptr once it was told, or is dead
  bool up_ = true;
  bool closing_ = false;  // the edge closed it
  std::string misuse_;

  struct Chunk {
    MonoUs leaves_us;
    size_t bytes;
  };
  std::deque<Chunk> buffered_;
  size_t buffered_bytes_ = 0;
  bool blocked_ = false;
  bool wake_planned_ = false;
  MonoUs free_us_ = 0;       // when the last byte taken leaves
  MonoUs last_down_us_ = 0;  // arrival of the last frame at the client
  MonoUs last_up_us_ = 0;
  proto::FramePtr current_;  // begun and not finished
  size_t current_taken_ = 0;
};

}  // namespace footlight::sim
