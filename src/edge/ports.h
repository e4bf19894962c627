// The seam between the node's logic and what runs it. `Edge` and `Owner` are single-threaded state
// machines: they are fed frames, bus messages, log completions and the time, and call these ports.
// The node implements the ports on sockets, threads and SQLite (edge/node.*); the simulation
// implements them on virtual time, and drives the very same objects.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "log/log.h"
#include "proto/frame.h"

namespace footlight::edge {

using ConnId = uint64_t;  // given by the shell, never reused within a process

// One connection's way out. Called on the edge's thread only.
class ConnectionOut {
 public:
  virtual ~ConnectionOut() = default;
  // Takes as much as the transport accepts now without waiting. `frame` wire bytes from `offset`
  // on; returns the number of bytes taken (0 when it would block). After taking less than all, the
  // shell calls Edge::on_writable once there is room.
  virtual size_t write(const proto::FramePtr& frame, size_t offset) = 0;
  // Two whole frames, one after the other, in one go where the transport can: a write to a socket
  // costs far more than the bytes in it. Returns the number of bytes taken of both.
  virtual size_t write_two(const proto::FramePtr& first, const proto::FramePtr& second) {
    const size_t taken = write(first, 0);
    return taken < first->wire().size() ? taken : taken + write(second, 0);
  }
  // From now on Edge::on_binary is called for binary messages of up to so many bytes; before that
  // one is a fault.
  virtual void allow_binary(uint32_t max_bytes) { (void)max_bytes; }
  // From now on text messages may have so many bytes; what is in them decides (proto/messages.h).
  virtual void allow_text(uint32_t max_bytes) { (void)max_bytes; }
  // Sends the close (WebSocket close frame with `code`, 1000 for kOk, or the end of the event
  // stream) after what was written and drops the connection; the shell then calls Edge::on_close,
  // never inline. Until then the object stays, and is not written to again.
  virtual void close(Code code) = 0;
};

// The owner's way to its log. At most one append is in flight. The completion comes back through
// Owner::on_appended, never inline.
class LogPort {
 public:
  virtual ~LogPort() = default;
  virtual void append(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards) = 0;
  virtual void save_snapshot(log::Snapshot snapshot) = 0;  // completion not reported
  // The log's boards (log::BoardStore), in the order of the calls, appends included. A compaction's
  // completion is not reported; what was asked for comes back through Owner::on_board and
  // on_board_points with the same ticket, never inline.
  virtual void compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) = 0;
  virtual void load_board(uint64_t ticket, std::string board, uint64_t at_seq) = 0;
  virtual void board_points(uint64_t ticket, std::string board) = 0;
};

// What a webhook tells, as the owner sees it become durable (docs/webhooks.md).
struct WebhookEvent {
  std::string type;  // "poll.closed"
  std::string episode;
  uint64_t log = 0;  // with type and episode: the event's identity
  WallMs at_ms = 0;
  std::string data;  // JSON object
};

// Called on the owner's thread; must not wait. Webhooks (webhooks.h) behind a queue in the node.
class WebhookSink {
 public:
  virtual ~WebhookSink() = default;
  virtual void post(WebhookEvent event) = 0;
};

}  // namespace footlight::edge
