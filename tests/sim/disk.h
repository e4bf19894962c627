// A disk in memory that keeps only what it promised to keep.
//
// Each file has what the operating system shows (the cache) and what survives a loss of power. A
// sync makes the one the other. Until then a loss of power keeps or drops each 512-byte sector by
// itself, each change of size, and each made or deleted name. A failed sync leaves the pages clean
// and not on the disk, as Linux does: a later sync that succeeds does not bring them back.
//
// A process that dies loses its handles and locks and nothing else; `lose_power` loses the rest.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/prng.h"
#include "core/time.h"

namespace footlight::sim {

inline constexpr size_t kSectorBytes = 512;

struct DiskFile {
  Bytes cache;
  Bytes durable;
  std::vector<uint32_t> dirty;      // sectors, in the order of their first write since the sync
  std::vector<uint8_t> dirty_map;   // by sector
  uint64_t low_bytes = UINT64_MAX;  // the smallest size since the sync
  // SQLite's five lock states, by handle.
  std::map<uint64_t, int> locks;

  void mark(uint64_t offset, size_t bytes);
};

// The shared memory of a WAL, which dies with the processes that map it.
struct SharedMemory {
  static constexpr size_t kRegionBytes = 32 * 1024;
  static constexpr int kLocks = 8;
  std::vector<std::unique_ptr<std::array<uint8_t, kRegionBytes>>> regions;
  std::array<int, kLocks> shared{};
  std::array<uint64_t, kLocks> exclusive{};  // handle; 0: none
};

struct DiskFaults {
  uint32_t write_error_ppm = 0;  // EIO
  uint32_t sync_error_ppm = 0;
  uint32_t read_error_ppm = 0;
  uint64_t capacity_bytes = UINT64_MAX;  // of all files; beyond: ENOSPC
  bool read_only = false;
  // Planted bugs: a sync that says yes and does nothing; one that fails, is tried again and
  // believed.
  bool skip_sync = false;
  bool believe_second_sync = false;
};

struct DiskCounters {
  uint64_t writes = 0;
  uint64_t written_bytes = 0;
  uint64_t syncs = 0;
  uint64_t failed_syncs = 0;
  uint64_t failed_writes = 0;
};

class SimDisk {
 public:
  explicit SimDisk(uint64_t seed) : random_(seed) {}

  DiskFaults faults;
  DiskCounters counters;
  WallMs wall_ms = 0;  // what SQLite is told

  // The process dies in the middle of its `operations`-th write, sync, truncation, making or
  // deleting of a file from now on.
  void crash_after(uint64_t operations) { crash_in_ = operations; }
  bool process_dead() const { return dead_; }
  void kill_process();   // now
  void lose_power();     // kills it too
  void start_process();  // after one of them: handles opened from now on work

  // For the VFS. Results are SQLite's codes; `errno_value` says more.
  uint64_t generation() const { return generation_; }
  bool alive(uint64_t generation) const { return !dead_ && generation == generation_; }
  int error() const { return errno_; }
  std::shared_ptr<DiskFile> find(const std::string& name) const;
  std::shared_ptr<DiskFile> create(const std::string& name);
  int remove(const std::string& name, bool sync_directory);
  int read(DiskFile& file, uint8_t* out, size_t bytes, uint64_t offset);
  int write(DiskFile& file, const uint8_t* data, size_t bytes, uint64_t offset);
  int truncate(DiskFile& file, uint64_t bytes);
  int sync(DiskFile& file, bool directory_too);
  SharedMemory& shared_memory(const std::string& name) { return shared_[name]; }
  void drop_shared_memory(const std::string& name) { shared_.erase(name); }
  uint64_t next_handle() { return ++handles_; }
  Prng& random() { return random_; }

  // For tests: damage what is stored, on the disk and in the cache.
  void flip_bit(const std::string& name, uint64_t byte, int bit);
  std::vector<std::string> names() const;
  uint64_t used_bytes() const;

 private:
  bool dies_here();
  bool chance(uint32_t ppm) { return ppm != 0 && random_.chance_per_million(ppm); }
  int fail_with(int code, int errno_value);
  void persist(DiskFile& file, uint32_t sector);
  void persist_some(DiskFile& file, uint32_t keep_ppm);
  void tear(DiskFile& file);
  void settle(DiskFile& file);

  using Directory = std::map<std::string, std::shared_ptr<DiskFile>>;
  Directory entries_;
  Directory durable_entries_;
  std::map<std::string, SharedMemory> shared_;
  Prng random_;
  std::optional<uint64_t> crash_in_;
  bool dead_ = false;
  uint64_t generation_ = 1;
  uint64_t handles_ = 0;
  int errno_ = 0;
};

}  // namespace footlight::sim
