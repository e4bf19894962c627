// One shard of an edge: the sessions of some connections. Holds no truth; may die at any instant.
//
// One thread. Calls the ports inline, is called back by the shell with on_*.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bus/messages.h"
#include "edge/ports.h"

namespace footlight::edge {

struct ConnectionInfo {
  std::string_view ip;          // textual IPv4 or IPv6 address of the peer
  bool event_stream = false;    // server-sent events instead of WebSocket
};

class Edge {
 public:
  struct Impl;
  explicit Edge(std::unique_ptr<Impl> impl);
  ~Edge();

  void on_open(ConnId conn, const ConnectionInfo& info, ConnectionOut& out);
  void on_frame(ConnId conn, std::string_view text);  // one whole text message
  void on_writable(ConnId conn);
  void on_close(ConnId conn);                          // the transport is gone
  void on_bus(const std::string& episode, bus::ToEdge message);
  // Does what is due and returns when to be called next (kNever: nothing is due). Any on_* call may bring that
  // nearer: the shell asks next_due_us() after each.
  MonoUs on_time();
  MonoUs next_due_us() const;
  void drain();                                        // bye to everyone with jittered advice; refuses new ones

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::edge
