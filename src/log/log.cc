#include "log/log.h"

#include <sqlite3.h>

#include <array>
#include <optional>
#include <utility>

#include "log/internal/format.h"
#include "log/internal/raw_file.h"
#include "log/internal/sqlite.h"
#include "log/internal/sqlite_log.h"
#include "log/internal/wal.h"

namespace footlight::log {
namespace {

using internal::Connection;
using internal::RawFile;

enum class FileState : uint8_t {
  kNew,      // no file, or an empty one
  kOurs,     // an episode log in WAL mode
  kUnclear,  // SQLite must look: a crash while it was being made, or not ours
};

constexpr std::string_view kSqliteMagic("SQLite format 3\0", 16);

int32_t big32(const uint8_t* at) {
  return static_cast<int32_t>(uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 |
                              at[3]);
}

Error no_format(std::string_view why) { return {Code::kLogFormat, std::string(why)}; }

// Looks at SQLite's header (https://www.sqlite.org/fileformat2.html#the_database_header) without
// SQLite, so that nothing of a foreign file is touched.
Result<FileState> look(sqlite3_vfs* vfs, const std::string& path) {
  if (!RawFile::exists(vfs, path, "")) return FileState::kNew;
  auto file = RawFile::open(vfs, path, "", RawFile::Kind::kMain, RawFile::Mode::kRead);
  if (!file) return std::unexpected(file.error());
  const auto size = file->size();
  if (!size) return std::unexpected(size.error());
  if (*size == 0) return FileState::kNew;
  const bool journal = RawFile::exists(vfs, path, "-journal");
  std::array<uint8_t, 100> header{};
  if (*size < header.size()) {
    if (journal) return FileState::kUnclear;
    return std::unexpected(no_format("too short for a log"));
  }
  if (auto ok = file->read(0, header); !ok) return std::unexpected(ok.error());
  if (as_text(header).substr(0, kSqliteMagic.size()) != kSqliteMagic) {
    if (journal) return FileState::kUnclear;
    return std::unexpected(no_format("no SQLite file"));
  }
  const bool wal = header[18] == 2 && header[19] == 2;
  if (big32(&header[68]) != internal::kApplicationId) {
    if (journal && !wal) return FileState::kUnclear;
    return std::unexpected(no_format("another application's file"));
  }
  const int32_t version = big32(&header[60]);
  if (version != internal::kFormatVersion && version != internal::kVersionWithoutBoards) {
    return std::unexpected(no_format("format version " + std::to_string(version)));
  }
  return wal ? FileState::kOurs : FileState::kUnclear;
}

Status create_tables(Connection& db) {
  std::string sql = "PRAGMA application_id=" + std::to_string(internal::kApplicationId) +
                    ";PRAGMA user_version=" + std::to_string(internal::kFormatVersion) + ";";
  for (const auto& table : internal::kTables) sql.append(table.sql).append(";");
  sql += "COMMIT";
  return db.run(sql.c_str());
}

// SQLite reports a file it may not make only as one it cannot open.
bool directory_is_read_only(sqlite3_vfs* vfs, const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  int exists = 0;
  int writable = 0;
  vfs->xAccess(vfs, directory.c_str(), SQLITE_ACCESS_EXISTS, &exists);
  vfs->xAccess(vfs, directory.c_str(), SQLITE_ACCESS_READWRITE, &writable);
  return exists != 0 && writable == 0;
}

// Makes the tables in rollback mode and only then turns WAL on: the file's first page then names
// us from its first moment, and a crash leaves either nothing or a whole log.
Status make_log(const std::string& path, const char* vfs, bool create) {
  const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
  auto db = Connection::open(path, flags, vfs);
  if (!db) return std::unexpected(db.error());
  if (!db->writable()) return fail(Code::kLogReadOnly, path);
  sqlite3_busy_timeout(db->get(), 5000);
  // NORMAL: the journal of an empty file has nothing to order its syncs for.
  if (auto ok = db->run("PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY"); !ok) return ok;
  const auto pages = db->integer("PRAGMA page_count");
  if (!pages) return std::unexpected(pages.error());
  if (auto ok = db->run("BEGIN EXCLUSIVE"); !ok) return ok;
  const auto id = db->integer("PRAGMA application_id");
  if (!id) return std::unexpected(id.error());
  if (*id == internal::kApplicationId) {  // made by another process, or before a crash
    if (auto ok = db->run("COMMIT"); !ok) return ok;
  } else {
    if (*pages != 0) return std::unexpected(no_format("another application's file"));
    if (!create) return std::unexpected(no_format("the file is empty"));
    if (auto ok = create_tables(*db); !ok) return ok;
  }
  const auto mode = db->text("PRAGMA journal_mode=WAL");
  if (!mode) return std::unexpected(mode.error());
  if (*mode != "wal") return fail(Code::kLogOpen, "SQLite refuses WAL here");
  return {};
}

Result<std::string> full_path(sqlite3_vfs* vfs, const std::string& path) {
  std::string out(static_cast<size_t>(vfs->mxPathname) + 1, '\0');
  const int rc = vfs->xFullPathname(vfs, path.c_str(), static_cast<int>(out.size()), out.data());
  if (rc != SQLITE_OK && rc != SQLITE_OK_SYMLINK) return fail(Code::kLogOpen, path);
  out.resize(out.find('\0'));
  return out;
}

Result<RawFile> take_lock(sqlite3_vfs* vfs, const std::string& path) {
  // In WAL mode SQLite itself takes SHARED on the main file only, so RESERVED is free to mean
  // "this process writes", and readers go on.
  auto file = RawFile::open(vfs, path, "", RawFile::Kind::kMain, RawFile::Mode::kWrite);
  if (!file) return file;
  if (auto ok = file->lock(SQLITE_LOCK_SHARED); !ok) return std::unexpected(ok.error());
  if (auto ok = file->lock(SQLITE_LOCK_RESERVED); !ok) return std::unexpected(ok.error());
  return file;
}

Result<Connection> open_to_read(sqlite3_vfs* vfs, const std::string& path, const char* vfs_name) {
  auto db = Connection::open(path, SQLITE_OPEN_READONLY, vfs_name);
  if (!db) return db;
  if (sqlite3_exec(db->get(), "SELECT 1 FROM sqlite_schema", nullptr, nullptr, nullptr) ==
      SQLITE_OK) {
    return db;
  }
  const Error error = db->open_error("open");
  // A directory that cannot be written has no room for SQLite's shared memory. Without a WAL
  // nobody writes, and the file can be read as it stands.
  const bool blocked = error.code == Code::kLogReadOnly || error.code == Code::kLogOpen;
  if (!blocked || RawFile::exists(vfs, path, "-wal")) return std::unexpected(error);
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      uri.append("%").append(to_hex(as_bytes(std::string_view(&c, 1))));
    } else {
      uri.push_back(c);
    }
  }
  uri += "?immutable=1";
  return Connection::open(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, vfs_name);
}

}  // namespace

Result<std::unique_ptr<EventLog>> open_event_log(const OpenOptions& options) {
  const char* vfs_name = options.vfs.empty() ? nullptr : options.vfs.c_str();
  sqlite3_vfs* vfs = sqlite3_vfs_find(vfs_name);
  if (vfs == nullptr) return fail(Code::kLogOpen, "no such VFS: " + options.vfs);
  const auto path = full_path(vfs, options.path);
  if (!path) return std::unexpected(path.error());
  const auto state = look(vfs, *path);
  if (!state) return std::unexpected(state.error());
  if (*state == FileState::kNew && (options.read_only || !options.create)) {
    return fail(Code::kLogOpen, "no log at " + options.path);
  }
  auto out = std::make_unique<internal::SqliteLog>(options, vfs, *path);
  if (options.read_only) {
    if (auto ok = internal::check_wal(vfs, *path); !ok) return std::unexpected(ok.error());
    auto db = open_to_read(vfs, *path, vfs_name);
    if (!db) return std::unexpected(db.error());
    if (auto ok = out->start({}, std::move(*db)); !ok) return std::unexpected(ok.error());
    return out;
  }
  if (*state != FileState::kOurs) {
    if (auto ok = make_log(*path, vfs_name, options.create); !ok) {
      if (ok.error().code == Code::kLogOpen && directory_is_read_only(vfs, *path)) {
        return fail(Code::kLogReadOnly, options.path);
      }
      return std::unexpected(ok.error());
    }
  }
  auto lock = take_lock(vfs, *path);
  if (!lock) return std::unexpected(lock.error());
  if (auto ok = internal::heal_wal(vfs, *path); !ok) return std::unexpected(ok.error());
  auto db = Connection::open(*path, SQLITE_OPEN_READWRITE, vfs_name);
  if (!db) return std::unexpected(db.error());
  if (!db->writable()) return fail(Code::kLogReadOnly, *path);
  if (auto ok = out->start(std::move(*lock), std::move(*db)); !ok) {
    return std::unexpected(ok.error());
  }
  return out;
}

}  // namespace footlight::log
