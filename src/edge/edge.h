// One shard of an edge: the sessions of some connections. Holds no truth; may die at any instant.
//
// What holds: a frame to many is encoded once and never copied per recipient; a connection that
// does not read costs at most EdgeOptions::queue_bytes and is then told (4901) and cut; what a
// session sent is forwarded in the order of receipt; a session gets deltas in order, without a gap
// from the offset of its welcome on.
//
// One thread. Calls the ports inline, is called back by the shell with on_*.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bus/messages.h"
#include "core/prng.h"
#include "edge/media_port.h"
#include "edge/metrics.h"
#include "edge/ports.h"
#include "gate/admission.h"
#include "gate/token.h"

namespace footlight::edge {

class RelaySource;  // relays.h

struct ConnectionInfo {
  std::string_view ip;        // textual IPv4 or IPv6 address of the peer
  bool event_stream = false;  // server-sent events instead of WebSocket
  // The session's unguessable name, 32 hex digits, when the shell must know it (POSTs of an event
  // stream name it); "" lets the edge make one.
  std::string_view sid;
  // A stock client: it speaks of boards alone, in binary frames, and knows no JSON. Of one board as
  // y-websocket does, or, with "" for the board, of several as Hocuspocus' provider does, which
  // sends its token for each.
  struct Bare {
    std::string_view episode;
    std::string_view board;
    std::string_view token;
  };
  const Bare* bare = nullptr;
  // A data channel: its hello must be of the account whose media session it is in (`who` of
  // media_port.h); 0: any may say it.
  uint64_t who = 0;
};

struct EdgeEpisode {
  std::string id;
  std::array<uint8_t, 32> voter_key{};  // Recovered::voter_key: makes `who` of an account
};

struct EdgeOptions {
  bus::EdgeId id = 0;
  std::string name = "edge-0";  // in welcome, presence and slo
  std::string build;            // in welcome; the overlay reloads when it changes
  // The ports outlive the edge.
  const Clock* clock = nullptr;
  Entropy* entropy = nullptr;
  bus::Bus* bus = nullptr;
  MediaPort* media = nullptr;           // null: this node carries none
  const RelaySource* relays = nullptr;  // null: there are none
  std::vector<EdgeEpisode> episodes;
  std::shared_ptr<const gate::KeySet> keys;  // immutable; Edge::set_keys swaps it
  gate::AdmissionLimits admission;

  uint32_t tick_ms = 100;  // told in welcome; the owner's tick
  uint32_t hello_timeout_ms = 5'000;
  uint32_t idle_ms = 45'000;
  uint32_t flush_us = 2'000;        // the oldest audience event waits at most so long for company
  uint32_t flush_events = 512;      // ... or for so many
  uint32_t ack_tick_ms = 25;        // outcomes of votes wait for one another at most so long
  uint32_t ack_tick_busy_ms = 100;  // ... and so long when more than ack_busy sessions wait
  uint32_t ack_busy_sessions = 1'000;
  uint32_t ack_ride_ms = 120;         // ... and so long where a tally will take them along
  uint32_t sweep_sends = 256;         // of what goes to many, between two turns
  uint32_t sweep_us = 2'000;          // ... and no longer than about so long
  uint32_t emote_ms = 50;             // emotes gather here so long, then at the owner
  uint32_t watermark_ms = 100;        // an idle edge's; <= 250
  uint32_t queue_bytes = 256 * 1024;  // waiting per connection
  uint32_t linger_ms = 2'000;         // a connection that was told bye and does not read
  uint32_t max_sessions = 100'000;
  uint32_t drain_spread_ms = 5'000;  // reconnect advice of drain(): 0..spread
};

class Edge {
 public:
  struct Impl;
  explicit Edge(std::unique_ptr<Impl> impl);
  ~Edge();

  void on_open(ConnId conn, const ConnectionInfo& info, ConnectionOut& out);
  void on_frame(ConnId conn, std::string_view text);    // one whole text message
  void on_binary(ConnId conn, std::string_view bytes);  // one whole binary message
  // The transport's own fault of the peer (a binary frame, broken framing, a frame too large): bye
  // with the code, then close.
  void on_fault(ConnId conn, Code code);
  void on_writable(ConnId conn);
  void on_close(ConnId conn);  // the transport is gone
  void on_bus(const std::string& episode, bus::ToEdge message);
  void on_media(const MediaTold& told);  // what is for sessions that are gone is dropped
  // Does what is due and returns when to be called next (kNever: nothing is due). Any on_* call may
  // bring that nearer: the shell asks next_due_us() after each.
  MonoUs on_time();
  MonoUs next_due_us() const;
  // bye to everyone with jittered advice; refuses new ones. drained() once the last is gone.
  void drain();
  bool drained() const;
  void set_keys(std::shared_ptr<const gate::KeySet> keys);  // from the next check on
  void set_episodes(std::vector<EdgeEpisode> episodes);     // adds those that are not known yet

  const EdgeMetrics& metrics() const;

 private:
  std::unique_ptr<Impl> impl_;
};

std::unique_ptr<Edge> make_edge(EdgeOptions options);

}  // namespace footlight::edge
