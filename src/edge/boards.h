// The boards of one episode, as its owner keeps them: documents that many edit at once (src/crdt),
// each edit judged before it is applied, made durable with the events of the same moment, and shown
// to others only then.
//
// A part of the Owner, on its thread; it is fed like the owner and speaks through BoardPort.
//   - open, message, close, leave: what sessions do.
//   - has_writes, seal, released, failed: the way of its edits with the owner's batches.
//   - loaded: what the log had of a board that was asked for with BoardPort::load.
//   - view_changed: the durable view moved; mirrored fields and `$state` follow.
//
// Bounds: boards by the episode file; members by the owner's sessions; a document, an update, a
// state of awareness by BoardLimits. Nothing that cannot be integrated is kept.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bus/messages.h"
#include "core/time.h"
#include "edge/metrics.h"
#include "episode/episode.h"
#include "log/log.h"
#include "proto/role.h"

namespace footlight::edge {

struct BoardLimits {
  uint32_t update_bytes = 256 * 1024;
  uint32_t doc_bytes = 4 * 1024 * 1024;  // of the document encoded, v2
  uint32_t awareness_bytes = 4'096;
  uint32_t boards_per_session = 8;
};

struct BoardTimes {
  uint32_t cast_relay_us = 16'000;  // edits gather so long for the cast
  // What an audience is shown of a board costs no more sends than this: many who watch get bigger
  // steps, not below four a second.
  uint32_t audience_sends_per_s = 2'000;
  uint32_t audience_slowest_ms = 250;
  // An edit goes to the log at once, and to it no sooner than so long after those before it; where
  // many have the board open each relay costs much, and so does each commit beside it.
  uint32_t write_every_us = 16'000;
  uint32_t write_every_crowded_us = 33'000;
  uint32_t crowd = 64;         // so many sessions of a board are many
  uint32_t reassert_ms = 500;  // an optimistic copy may differ from the log so long
  uint32_t idle_ms = 30'000;   // a board nobody has open is unloaded then
  uint32_t snapshot_updates = 2'000;
  uint32_t snapshot_bytes = 1024 * 1024;
  uint32_t snapshot_every_ms = 300'000;  // while it is edited: points to go back to
};

class BoardPort {
 public:
  virtual ~BoardPort() = default;
  virtual void board_to_edge(uint32_t edge, bus::ToEdge message) = 0;  // edge: the owner's index
  // Answered by Boards::loaded with the same ticket, never inline.
  virtual void load_board(uint64_t ticket, const std::string& board, uint64_t at_seq) = 0;
  virtual void board_points(uint64_t ticket, const std::string& board) = 0;
  // After every append handed over so far.
  virtual void compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) = 0;
  // The durable entity of the director's view, as JSON; "" when there is none.
  virtual std::string_view board_entity(std::string_view collection, std::string_view id) = 0;
  // All entities of a class's durable view: collection, id, JSON.
  virtual void board_view(
      proto::ViewClass which,
      const std::function<void(std::string_view, std::string_view, std::string_view)>& visit) = 0;
};

struct BoardsOptions {
  const episode::Definition* definition = nullptr;  // outlives it
  BoardPort* port = nullptr;
  std::array<uint8_t, 32> key{};  // the episode's voter key: generations and client ids come of it
  uint64_t epoch = 0;
  uint32_t edges = 0;  // indices of edges are below
  BoardLimits limits;
  BoardTimes times;
};

// Session ids are unique per edge only.
struct BoardSession {
  uint32_t edge = 0;  // the owner's index
  bus::SessionId id = 0;
  friend bool operator==(const BoardSession&, const BoardSession&) = default;
};
struct BoardSessionHash {
  size_t operator()(const BoardSession& key) const {
    return (key.id ^ (uint64_t{key.edge} << 48)) * 0x9E3779B97F4A7C15ULL;
  }
};

// Who edits.
struct BoardPerson {
  BoardSession session;
  const episode::Actor* actor = nullptr;
};

// An answer of the producer's API: JSON, or why not.
using BoardReply = std::function<void(Result<std::string>)>;

class Boards {
 public:
  struct Impl;
  explicit Boards(BoardsOptions options);
  ~Boards();

  void open(const BoardPerson& person, const bus::BoardOpen& open, MonoUs now_us);
  void close(BoardSession session, uint32_t board);
  void leave(BoardSession session);
  void message(const BoardPerson& person, bus::BoardMessage& message, MonoUs now_us,
               WallMs wall_ms);
  void behind(BoardSession session, const bus::BoardBehind& behind, MonoUs now_us);

  // Edits wait for the log, until write_due_us(); seal() hands them over.
  bool has_writes() const;
  MonoUs write_due_us() const;
  std::vector<log::BoardUpdate> seal(MonoUs now_us, WallMs wall_ms);
  // After the append was handed to the log: what became due with it.
  void sealed(WallMs wall_ms);
  void released(MonoUs now_us, uint64_t durable_seq);  // what seal() gave last is durable
  void failed(const Error& error);                     // ... never will be; nothing more is taken

  void loaded(uint64_t ticket, Result<log::BoardFile> file, MonoUs now_us, WallMs wall_ms);
  void points(uint64_t ticket, Result<std::vector<log::BoardPoint>> points);

  // The durable view of a class has these entities anew (JSON; "" is gone).
  void view_changed(proto::ViewClass which, std::string_view collection, std::string_view id,
                    std::string_view json, MonoUs now_us);

  MonoUs time(MonoUs now_us, WallMs wall_ms);
  MonoUs next_due_us() const;
  void set_audience_tick(uint32_t tick_ms);

  // The producer's API.
  std::string list_json() const;
  void content(std::string_view board, uint64_t at_seq, BoardReply reply);
  void history(std::string_view board, BoardReply reply);
  void restore(std::string_view board, uint64_t at_seq, BoardReply reply);
  // The board begins anew, with its content or empty: what was deleted or written over is no longer
  // carried along. Another generation; what clients made on the old one is lost to them.
  void renew(std::string_view board, bool empty, BoardReply reply);

  const BoardMetrics& metrics() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::edge
