// The constants of docs/formats/event-log.md.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace footlight::log::internal {

inline constexpr int32_t kApplicationId = 0x464C4550;  // "FLEP"
inline constexpr int32_t kFormatVersion = 1;           // SQLite's user_version
inline constexpr size_t kMaxPayloadBytes = size_t{64} << 20;
inline constexpr size_t kMaxSecretBytes = size_t{1} << 20;
inline constexpr uint64_t kMaxSnapshotBytes = uint64_t{1} << 30;

// sqlite_schema must hold exactly these: a trigger or view slipped into a file is refused.
struct TableSpec {
  std::string_view name;
  std::string_view sql;
};
inline constexpr std::array<TableSpec, 3> kTables = {{
    {"meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"},
    {"records",
     "CREATE TABLE records(seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, "
     "payload BLOB NOT NULL, chain BLOB NOT NULL)"},
    {"secrets", "CREATE TABLE secrets(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"},
}};

// The WAL is copied into the file once it holds this many pages: about 2 MiB, a few milliseconds.
inline constexpr int kCheckpointPages = 512;
// What a long-lived reader made the WAL grow to is given back at the next restart of the WAL.
inline constexpr int64_t kWalKeepBytes = int64_t{8} << 20;
// Up to this size the whole file's structure is checked on open; the chain is checked always.
inline constexpr int64_t kQuickCheckBytes = int64_t{16} << 20;
// Records per read transaction: no reader holds the WAL back for longer.
inline constexpr int64_t kReadSlice = 512;

}  // namespace footlight::log::internal
