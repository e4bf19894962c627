// The constants of docs/formats/event-log.md.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace footlight::log::internal {

inline constexpr int32_t kApplicationId = 0x464C4550;  // "FLEP"
inline constexpr int32_t kFormatVersion = 2;           // SQLite's user_version
inline constexpr int32_t kVersionWithoutBoards = 1;
inline constexpr size_t kMaxPayloadBytes = size_t{64} << 20;
inline constexpr size_t kMaxSecretBytes = size_t{1} << 20;
inline constexpr uint64_t kMaxSnapshotBytes = uint64_t{1} << 30;

// sqlite_schema must hold exactly these: a trigger or view slipped into a file is refused.
struct TableSpec {
  std::string_view name;
  std::string_view sql;
};
inline constexpr std::array<TableSpec, 5> kTables = {{
    {"board_snapshots",
     "CREATE TABLE board_snapshots(board TEXT NOT NULL, n INTEGER NOT NULL, generation INTEGER NOT "
     "NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, state BLOB NOT NULL, sum BLOB NOT NULL, "
     "PRIMARY KEY(board, n)) WITHOUT ROWID"},
    {"board_updates",
     "CREATE TABLE board_updates(board TEXT NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL, "
     "at_ms INTEGER NOT NULL, who INTEGER NOT NULL, bytes BLOB NOT NULL, sum BLOB NOT NULL, "
     "PRIMARY KEY(board, n)) WITHOUT ROWID"},
    {"meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"},
    {"records",
     "CREATE TABLE records(seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, "
     "payload BLOB NOT NULL, chain BLOB NOT NULL)"},
    {"secrets", "CREATE TABLE secrets(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"},
}};
// The first of kTables are those that version 1 does not have.
inline constexpr size_t kBoardTables = 2;

// The WAL is copied into the file once it holds this many pages: about 2 MiB, a few milliseconds.
inline constexpr int kCheckpointPages = 512;
// What a long-lived reader made the WAL grow to is given back at the next restart of the WAL.
inline constexpr int64_t kWalKeepBytes = int64_t{8} << 20;
// Up to this size the whole file's structure is checked on open; the chain is checked always.
inline constexpr int64_t kQuickCheckBytes = int64_t{16} << 20;
// Records per read transaction: no reader holds the WAL back for longer.
inline constexpr int64_t kReadSlice = 512;

}  // namespace footlight::log::internal
