// A file reached through a SQLite VFS, below SQLite: for the writer's lock, the check of the WAL
// before SQLite sees it, and the snapshots. Under the simulation it lives on the virtual disk.
#pragma once
#include <sqlite3.h>

#include <memory>
#include <span>
#include <string>

#include "core/bytes.h"
#include "core/result.h"

namespace footlight::log::internal {

class RawFile {
 public:
  enum class Kind : uint8_t { kMain, kWal, kBeside };
  enum class Mode : uint8_t { kRead, kWrite, kCreate };

  // `path` is the main file's; `suffix` "-wal" or a name of ours that starts with "-". Opening a
  // file that cannot be written in a writing mode fails.
  static Result<RawFile> open(sqlite3_vfs* vfs, const std::string& path, std::string_view suffix,
                              Kind kind, Mode mode);
  static bool exists(sqlite3_vfs* vfs, const std::string& path, std::string_view suffix);

  RawFile(RawFile&& other) noexcept = default;
  RawFile& operator=(RawFile&&) = delete;  // would free the old name before its file
  ~RawFile();

  // kDiskFull, else kIo.
  Result<uint64_t> size();
  Status read(uint64_t offset, std::span<uint8_t> out);  // all of it; past the end is kIo
  Status write(uint64_t offset, ByteView bytes);
  Status truncate(uint64_t size);
  Status sync();
  // SQLite's locks (https://www.sqlite.org/lockingv3.html). kLogLocked when another holds it.
  Status lock(int level);

 private:
  struct Deleter {
    void operator()(sqlite3_file* file) const;
  };
  struct NameDeleter {
    void operator()(const char* name) const;
  };
  RawFile() = default;
  Error error(int rc, std::string_view what) const;
  sqlite3_vfs* vfs_ = nullptr;
  // The VFS keeps a pointer to the name, so it goes after the file.
  std::unique_ptr<const char, NameDeleter> name_;
  std::unique_ptr<sqlite3_file, Deleter> file_;
};

}  // namespace footlight::log::internal
