// The two newest snapshots, in two files beside the log ("-snap0", "-snap1"), written in turn: the
// newest whole one is never overwritten, and a snapshot of some MiB does not pass through the WAL.
// They can be deleted at any time; replay makes the state anew.
//
// Layout: docs/formats/event-log.md, "Snapshots".
#pragma once
#include <sqlite3.h>

#include <array>
#include <optional>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "core/sha256.h"

namespace footlight::log::internal {

inline constexpr size_t kSnapshotHeaderBytes = 88;

struct SnapshotHeader {
  uint64_t seq = 0;
  Hash256 chain{};  // of record `seq`: binds the snapshot to this history
  uint64_t state_bytes = 0;
  Hash256 sum{};  // SHA-256(first 56 bytes of the header || state)
};

Bytes encode_snapshot_header(uint64_t seq, const Hash256& chain, ByteView state);
// nullopt when it is none, or claims more than `file_bytes` or kMaxSnapshotBytes.
std::optional<SnapshotHeader> decode_snapshot_header(ByteView bytes, uint64_t file_bytes);
bool snapshot_sum_holds(ByteView header, ByteView state);

class SnapshotFiles {
 public:
  struct Loaded {
    uint64_t seq = 0;
    Hash256 chain{};
    Bytes state;
  };
  SnapshotFiles(sqlite3_vfs* vfs, std::string path) : vfs_(vfs), path_(std::move(path)) {}

  // What holds its checksum, newest first. A file that cannot be read counts as none.
  std::vector<Loaded> load() const;
  // Overwrites the older or broken one. kDiskFull, kLogReadOnly, kIo: the newer one still stands.
  Status save(uint64_t seq, const Hash256& chain, ByteView state);

 private:
  std::optional<Loaded> load_slot(int slot) const;
  int slot_to_overwrite();
  sqlite3_vfs* vfs_;
  std::string path_;
  std::optional<int> next_;  // the slot to overwrite, once known
};

}  // namespace footlight::log::internal
