#include "vfs.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/assert.h"

namespace footlight::sim {
namespace {

struct Handle {
  SimDisk* disk = nullptr;
  std::shared_ptr<DiskFile> file;
  std::string name;
  uint64_t id = 0;
  uint64_t generation = 0;
  bool sync_directory = false;  // with the first sync: a journal or WAL
  bool delete_on_close = false;
  bool maps_memory = false;

  bool alive() const { return disk->alive(generation); }
};

struct File {
  sqlite3_file base;
  Handle* handle;
};

Handle& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file)->handle; }
SimDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<SimDisk*>(vfs->pAppData); }

int shm_unmap(sqlite3_file* file, int remove);

int file_close(sqlite3_file* file) {
  Handle& handle = of(file);
  if (handle.alive()) {
    handle.file->locks.erase(handle.id);
    if (handle.maps_memory) shm_unmap(file, 0);
    if (handle.delete_on_close) handle.disk->remove(handle.name, false);
  }
  delete &handle;
  return SQLITE_OK;
}

int file_read(sqlite3_file* file, void* out, int bytes, sqlite3_int64 offset) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_READ;
  return handle.disk->read(*handle.file, static_cast<uint8_t*>(out), static_cast<size_t>(bytes),
                           static_cast<uint64_t>(offset));
}

// SQLite's Unix VFS looks at the low 17 bits of a size only, so nobody may write more at once.
constexpr int kMostBytesAtOnce = 0x1FFFF;

int file_write(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_WRITE;
  FL_ASSERT(bytes <= kMostBytesAtOnce, "the real VFS would not write all of it");
  return handle.disk->write(*handle.file, static_cast<const uint8_t*>(data),
                            static_cast<size_t>(bytes), static_cast<uint64_t>(offset));
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_TRUNCATE;
  return handle.disk->truncate(*handle.file, static_cast<uint64_t>(size));
}

int file_sync(sqlite3_file* file, int) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_FSYNC;
  const int rc = handle.disk->sync(*handle.file, handle.sync_directory);
  if (rc == SQLITE_OK) handle.sync_directory = false;
  return rc;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(handle.file->cache.size());
  return SQLITE_OK;
}

int highest_of_others(const Handle& handle) {
  int highest = SQLITE_LOCK_NONE;
  for (const auto& [id, level] : handle.file->locks) {
    if (id != handle.id) highest = std::max(highest, level);
  }
  return highest;
}

int file_lock(sqlite3_file* file, int level) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_LOCK;
  const int others = highest_of_others(handle);
  const bool refused = level == SQLITE_LOCK_SHARED      ? others >= SQLITE_LOCK_PENDING
                       : level == SQLITE_LOCK_RESERVED  ? others >= SQLITE_LOCK_RESERVED
                       : level == SQLITE_LOCK_EXCLUSIVE ? others >= SQLITE_LOCK_SHARED
                                                        : false;
  if (refused) return SQLITE_BUSY;
  int& mine = handle.file->locks[handle.id];
  mine = std::max(mine, level);
  return SQLITE_OK;
}

int file_unlock(sqlite3_file* file, int level) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_UNLOCK;
  if (level == SQLITE_LOCK_NONE) {
    handle.file->locks.erase(handle.id);
  } else {
    handle.file->locks[handle.id] = level;
  }
  return SQLITE_OK;
}

int file_check_reserved(sqlite3_file* file, int* out) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_CHECKRESERVEDLOCK;
  const auto mine = handle.file->locks.find(handle.id);
  const int own = mine == handle.file->locks.end() ? SQLITE_LOCK_NONE : mine->second;
  *out = std::max(own, highest_of_others(handle)) >= SQLITE_LOCK_RESERVED;
  return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int file_sector_size(sqlite3_file*) { return 4096; }
// As Linux' own VFS says: a write harms no byte outside of it.
int file_characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int shm_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** out) {
  Handle& handle = of(file);
  *out = nullptr;
  if (!handle.alive() || bytes != static_cast<int>(SharedMemory::kRegionBytes)) {
    return SQLITE_IOERR_SHMMAP;
  }
  SharedMemory& memory = handle.disk->shared_memory(handle.name);
  handle.maps_memory = true;
  const auto index = static_cast<size_t>(region);
  if (index >= memory.regions.size() && extend == 0) return SQLITE_OK;
  while (memory.regions.size() <= index) {
    memory.regions.push_back(std::make_unique<std::array<uint8_t, SharedMemory::kRegionBytes>>());
  }
  *out = memory.regions[index]->data();
  return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  Handle& handle = of(file);
  if (!handle.alive()) return SQLITE_IOERR_SHMLOCK;
  SharedMemory& memory = handle.disk->shared_memory(handle.name);
  const auto first = static_cast<size_t>(offset);
  const auto last = first + static_cast<size_t>(count);
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    for (size_t i = first; i < last; ++i) {
      if (exclusive) {
        if (memory.exclusive[i] == handle.id) memory.exclusive[i] = 0;
      } else if (memory.shared[i] > 0) {
        --memory.shared[i];
      }
    }
    return SQLITE_OK;
  }
  for (size_t i = first; i < last; ++i) {
    if (memory.exclusive[i] != 0 && memory.exclusive[i] != handle.id) return SQLITE_BUSY;
    if (exclusive && memory.shared[i] > 0) return SQLITE_BUSY;
  }
  for (size_t i = first; i < last; ++i) {
    if (exclusive) {
      memory.exclusive[i] = handle.id;
    } else {
      ++memory.shared[i];
    }
  }
  return SQLITE_OK;
}

void shm_barrier(sqlite3_file*) {}

int shm_unmap(sqlite3_file* file, int remove) {
  Handle& handle = of(file);
  handle.maps_memory = false;
  if (handle.alive() && remove != 0) handle.disk->drop_shared_memory(handle.name);
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {2,
                                         file_close,
                                         file_read,
                                         file_write,
                                         file_truncate,
                                         file_sync,
                                         file_size,
                                         file_lock,
                                         file_unlock,
                                         file_check_reserved,
                                         file_control,
                                         file_sector_size,
                                         file_characteristics,
                                         shm_map,
                                         shm_lock,
                                         shm_barrier,
                                         shm_unmap,
                                         nullptr,
                                         nullptr};

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
  SimDisk& disk = disk_of(vfs);
  out->pMethods = nullptr;
  if (disk.process_dead()) return SQLITE_CANTOPEN;
  const std::string path = name != nullptr ? name : "temp-" + std::to_string(disk.next_handle());
  auto file = disk.find(path);
  if (!file) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    file = disk.create(path);
    if (!file) return SQLITE_CANTOPEN;
  } else if (disk.faults.read_only && (flags & SQLITE_OPEN_READWRITE) != 0) {
    flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
  }
  auto handle = std::make_unique<Handle>();
  handle->disk = &disk;
  handle->file = std::move(file);
  handle->name = path;
  handle->id = disk.next_handle();
  handle->generation = disk.generation();
  // SQLite's Unix VFS syncs the directory of one that was there as well: who made it may have died
  // before its first sync.
  handle->sync_directory = (flags & SQLITE_OPEN_CREATE) != 0 &&
                           (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  handle->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  reinterpret_cast<File*>(out)->handle = handle.release();
  out->pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  SimDisk& disk = disk_of(vfs);
  if (disk.process_dead()) return SQLITE_IOERR_DELETE;
  return disk.remove(name, sync_directory != 0);
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  SimDisk& disk = disk_of(vfs);
  if (disk.process_dead()) return SQLITE_IOERR_ACCESS;
  const std::string_view path(name);
  const auto file = disk.find(name);
  const bool directory = path.ends_with('/');
  // SQLite's own VFS counts an empty file as none.
  const bool there = directory || (file && !file->cache.empty());
  *out = flags == SQLITE_ACCESS_READWRITE ? (directory || file) && !disk.faults.read_only : there;
  return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int bytes, char* out) {
  std::string path(name);
  if (!path.starts_with('/')) path.insert(0, "/");
  if (path.size() + 1 > static_cast<size_t>(bytes)) return SQLITE_CANTOPEN;
  std::memcpy(out, path.c_str(), path.size() + 1);
  return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs* vfs, int bytes, char* out) {
  Prng random = disk_of(vfs).random().fork();
  for (int i = 0; i < bytes; ++i) out[i] = static_cast<char>(random.next());
  return bytes;
}

int vfs_sleep(sqlite3_vfs*, int micros) { return micros; }

int vfs_time_ms(sqlite3_vfs* vfs, sqlite3_int64* out) {
  constexpr sqlite3_int64 kJulianMsAtUnixEpoch = 210'866'760'000'000;
  *out = kJulianMsAtUnixEpoch + disk_of(vfs).wall_ms;
  return SQLITE_OK;
}

int vfs_time(sqlite3_vfs* vfs, double* out) {
  sqlite3_int64 ms = 0;
  vfs_time_ms(vfs, &ms);
  *out = static_cast<double>(ms) / 86'400'000.0;
  return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs* vfs, int, char*) { return disk_of(vfs).error(); }

}  // namespace

SimVfs::SimVfs(SimDisk& disk) {
  static int number = 0;
  name_ = "footlight-sim-" + std::to_string(++number);
  sqlite3_initialize();
  vfs_.iVersion = 2;
  vfs_.szOsFile = sizeof(File);
  vfs_.mxPathname = 512;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = &disk;
  vfs_.xOpen = vfs_open;
  vfs_.xDelete = vfs_delete;
  vfs_.xAccess = vfs_access;
  vfs_.xFullPathname = vfs_full_path;
  vfs_.xRandomness = vfs_randomness;
  vfs_.xSleep = vfs_sleep;
  vfs_.xCurrentTime = vfs_time;
  vfs_.xGetLastError = vfs_last_error;
  vfs_.xCurrentTimeInt64 = vfs_time_ms;
  sqlite3_vfs_register(&vfs_, 1);
  sqlite3_randomness(0, nullptr);  // seeded anew, from this VFS
}

SimVfs::~SimVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace footlight::sim
