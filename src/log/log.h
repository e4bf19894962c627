// The event log of one episode: an append-only, hash-chained sequence of records in one SQLite
// file.
//
// What holds: a record is exposed only after the sync that made it durable; a failed write or sync
// stops the log for good (kLogHalted, kDiskFull) and is never retried; damage in the middle is
// refused (kLogCorrupt), never truncated. One owner writes, fenced by an epoch.
//
// Format: docs/formats/event-log.md.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/sha256.h"
#include "core/time.h"

namespace footlight::log {

enum class RecordKind : uint8_t {
  kGenesis = 1,  // seq 1: the definition, the commitment to the dice seed
  kEvent = 2,    // one event of the episode, JSON
  kBallots = 3,  // a block of ballots, binary
  kEpoch = 4,    // an owner took over: {"epoch":3}
};

struct Record {
  RecordKind kind = RecordKind::kEvent;
  WallMs at_ms = 0;
  Bytes payload;
};

struct StoredRecord {
  uint64_t seq = 0;  // 1, 2, 3 ... without gaps
  RecordKind kind = RecordKind::kEvent;
  WallMs at_ms = 0;
  ByteView payload;  // valid during the visit only
  Hash256 chain{};   // SHA-256(chain of seq-1 || seq u64le || kind u8 || at_ms u64le || payload)
};

struct Head {
  uint64_t seq = 0;  // 0: empty
  Hash256 chain{};   // all zero for an empty log
};

struct Snapshot {
  uint64_t seq = 0;  // state after this record
  Bytes state;
};

// Boards ------------------------------------------------------------------------------------------

inline constexpr size_t kMaxBoardUpdateBytes = size_t{16} << 20;
inline constexpr size_t kMaxBoardStateBytes = size_t{64} << 20;

// One edit of a board. The log knows nothing of its meaning.
struct BoardUpdate {
  std::string board;
  uint64_t n = 0;  // 1, 2, 3 ... per board, without gaps
  WallMs at_ms = 0;
  uint64_t who = 0;  // pseudonym of its author; 0: the server
  Bytes update;
};

// The board after update `n`, as one value. Takes the place of the updates up to it.
struct BoardSnapshot {
  std::string board;
  uint64_t n = 0;
  uint64_t generation = 0;
  WallMs at_ms = 0;
  Bytes state;
};

// A point of a board's history that can be shown.
struct BoardPoint {
  uint64_t n = 0;
  uint64_t seq = 0;  // the last record that was durable with it
  WallMs at_ms = 0;
  uint64_t bytes = 0;
  bool snapshot = false;  // else an update
};

// What a board is made of.
struct BoardFile {
  std::optional<BoardSnapshot> snapshot;
  std::vector<BoardUpdate> updates;   // those after it, in order
  std::vector<BoardPoint> snapshots;  // all that are kept, by n
  uint64_t seq = 0;                   // of the last of them
};

// The boards of the same file. Damage of one board (kBoardDamaged) costs that board alone.
class BoardStore {
 public:
  virtual ~BoardStore() = default;
  // As EventLog::append, with the edits of boards in the same transaction. Not both may be empty.
  // An edit stands at the seq that is the head after the records.
  virtual Result<Head> append(std::span<const Record> batch,
                              std::span<const BoardUpdate> updates) = 0;
  // One transaction: the snapshot is written, the updates it covers are deleted, and of the older
  // snapshots those in `drop` (by n). Durable on return; a failure halts the log.
  virtual Status compact(const BoardSnapshot& snapshot, std::span<const uint64_t> drop) = 0;
  // What makes the board as it was when record `at_seq` was the last; UINT64_MAX: as it is. An
  // empty file when it was not there yet. kBoardHistory when the updates up to there are compacted
  // away and no snapshot stands at or before it.
  virtual Result<BoardFile> load(std::string_view board, uint64_t at_seq) = 0;
  virtual Result<std::vector<BoardPoint>> points(std::string_view board) = 0;  // by n
  virtual Result<std::vector<std::string>> names() = 0;                        // sorted
};

// One thread at a time. The node calls it on its log thread, the simulation directly.
class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual Head head() const = 0;       // of durable records
  virtual uint64_t epoch() const = 0;  // this owner's, ≥ 1
  // All or nothing, durable on return. The new head; kLogHalted, kDiskFull, kLogFenced otherwise,
  // and from then on for every call. An empty batch is not allowed.
  virtual Result<Head> append(std::span<const Record> batch) = 0;
  // Visits records with seq > after, in order, checking chain and gaps; stops when the visitor
  // returns false.
  virtual Status read(uint64_t after, const std::function<bool(const StoredRecord&)>& visit) = 0;
  // Keeps this snapshot and the one before it. Failure does not halt the log.
  virtual Status save_snapshot(const Snapshot& snapshot) = 0;
  virtual Result<std::optional<Snapshot>> load_snapshot() = 0;  // newest whose checksum holds
  // Small values beside the chain, not exported: "dice_seed", "voter_key". Durable on return.
  virtual Status put_secret(std::string_view name, ByteView value) = 0;
  virtual Result<std::optional<Bytes>> get_secret(std::string_view name) = 0;
  // nullptr: this log keeps no boards (a file of version 1 that is only read).
  virtual BoardStore* boards() { return nullptr; }
};

struct OpenOptions {
  std::string path;
  bool read_only = false;  // no lock, no epoch record; append fails
  bool create = true;
  std::string vfs;    // SQLite VFS name; "" = the default
  WallMs now_ms = 0;  // stamped on the epoch record
};

// Opens or creates, checks format and the chain from the newest snapshot on (all of it when
// read_only), takes the writer's lock (kLogLocked when another process holds it) and, on a
// non-empty log, appends the epoch record.
Result<std::unique_ptr<EventLog>> open_event_log(const OpenOptions& options);

}  // namespace footlight::log
