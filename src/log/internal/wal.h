// SQLite's recovery of a WAL stops at the first bad frame and silently forgets what follows. That
// is right for the torn tail of the one transaction that was not yet synced when the machine died,
// and wrong for damage in the middle, where acknowledged transactions would vanish. So the WAL is
// read before SQLite sees it: damage is refused, a torn tail is cut off.
//
// Format: https://www.sqlite.org/fileformat2.html#walformat
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <string>

#include "core/bytes.h"
#include "core/result.h"

namespace footlight::log::internal {

inline constexpr size_t kWalHeaderBytes = 32;
inline constexpr size_t kWalFrameHeaderBytes = 24;

// Pure. Feed the header, then whole frames in order.
class WalScanner {
 public:
  // False when the header is none: then no frame can follow, as SQLite syncs the header before it
  // writes the first frame.
  bool header(ByteView bytes);
  size_t frame_bytes() const { return kWalFrameHeaderBytes + page_bytes_; }
  void frame(ByteView bytes);

  // Each transaction is synced before the next one is written, so only one can be torn, and it
  // ends with one commit frame. More commit frames at or after the first bad frame mean that
  // something synced has been damaged.
  bool damaged() const { return commits_after_bad_ >= 2; }
  // How many bytes of the file hold whole transactions; what follows was never acknowledged.
  uint64_t whole_bytes() const { return kWalHeaderBytes + whole_frames_ * frame_bytes(); }
  uint64_t frames() const { return frames_; }
  uint64_t first_bad() const { return first_bad_; }  // frame number from 0; only if there is one

 private:
  void checksum(ByteView bytes);
  bool big_endian_ = false;
  bool bad_ = false;
  size_t page_bytes_ = 0;
  uint32_t salt_[2] = {};
  uint32_t sum_[2] = {};
  uint64_t frames_ = 0;
  uint64_t whole_frames_ = 0;
  uint64_t first_bad_ = 0;
  uint32_t commits_after_bad_ = 0;
};

// Refuses a damaged WAL with kLogCorrupt. No WAL, or an empty one, is fine. A WAL that a live
// writer starts anew meanwhile is read again.
Status check_wal(sqlite3_vfs* vfs, const std::string& path);

// As check_wal, for the writer, which holds the lock: also cuts off the torn tail, then writes what
// is left over itself and syncs it. The writing matters after a failed sync: the kernel then
// counts pages as clean that never reached the disk, and only pages written anew will reach it.
Status heal_wal(sqlite3_vfs* vfs, const std::string& path);

}  // namespace footlight::log::internal
