#include "log/internal/raw_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "log/internal/sqlite.h"

namespace footlight::log::internal {
namespace {

// SQLite's Unix VFS looks at the low 17 bits of a size only: 128 KiB would be written as nothing
// and told as a full disk.
constexpr size_t kPieceBytes = size_t{64} << 10;

int open_flags(RawFile::Kind kind, RawFile::Mode mode) {
  int flags = 0;
  switch (kind) {
    case RawFile::Kind::kMain:
      flags = SQLITE_OPEN_MAIN_DB;
      break;
    case RawFile::Kind::kWal:
      flags = SQLITE_OPEN_WAL;
      break;
    case RawFile::Kind::kBeside:
      // A journal's kind makes the VFS sync the directory with the first sync of a new file.
      flags = SQLITE_OPEN_MAIN_JOURNAL;
      break;
  }
  switch (mode) {
    case RawFile::Mode::kRead:
      return flags | SQLITE_OPEN_READONLY;
    case RawFile::Mode::kWrite:
      return flags | SQLITE_OPEN_READWRITE;
    case RawFile::Mode::kCreate:
      return flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  }
  return flags;
}

}  // namespace

void RawFile::Deleter::operator()(sqlite3_file* file) const {
  if (file->pMethods != nullptr) file->pMethods->xClose(file);
  std::free(file);
}

void RawFile::NameDeleter::operator()(const char* name) const { sqlite3_free_filename(name); }

RawFile::~RawFile() = default;

bool RawFile::exists(sqlite3_vfs* vfs, const std::string& path, std::string_view suffix) {
  const std::string name = path + std::string(suffix);
  int result = 0;
  return vfs->xAccess(vfs, name.c_str(), SQLITE_ACCESS_EXISTS, &result) == SQLITE_OK && result != 0;
}

Result<RawFile> RawFile::open(sqlite3_vfs* vfs, const std::string& path, std::string_view suffix,
                              Kind kind, Mode mode) {
  RawFile out;
  out.vfs_ = vfs;
  const std::string beside = path + std::string(suffix);
  const bool main = kind == Kind::kMain;
  const char* name = sqlite3_create_filename(path.c_str(), main ? "" : beside.c_str(),
                                             main ? "" : beside.c_str(), 0, nullptr);
  if (name == nullptr) return fail(Code::kIo, "out of memory");
  out.name_.reset(name);
  const char* file_name = main ? name : sqlite3_filename_wal(name);
  auto* file = static_cast<sqlite3_file*>(std::calloc(1, static_cast<size_t>(vfs->szOsFile)));
  if (file == nullptr) return fail(Code::kIo, "out of memory");
  int got = 0;
  const int rc = vfs->xOpen(vfs, file_name, file, open_flags(kind, mode), &got);
  out.file_.reset(file);
  if (rc != SQLITE_OK) return std::unexpected(out.error(rc, beside));
  if (mode != Mode::kRead && (got & SQLITE_OPEN_READONLY) != 0) {
    return fail(Code::kLogReadOnly, beside);
  }
  return out;
}

Error RawFile::error(int rc, std::string_view what) const {
  const int system = vfs_->xGetLastError != nullptr ? vfs_->xGetLastError(vfs_, 0, nullptr) : 0;
  std::string detail(what);
  detail.append(": ").append(sqlite3_errstr(rc));
  if (is_full(rc, system)) return {Code::kDiskFull, std::move(detail)};
  if ((rc & 0xFF) == SQLITE_CANTOPEN || (rc & 0xFF) == SQLITE_READONLY) {
    return {is_read_only(rc, system) ? Code::kLogReadOnly : Code::kLogOpen, std::move(detail)};
  }
  return {Code::kIo, std::move(detail)};
}

Result<uint64_t> RawFile::size() {
  sqlite3_int64 size = 0;
  const int rc = file_->pMethods->xFileSize(file_.get(), &size);
  if (rc != SQLITE_OK) return std::unexpected(error(rc, "size"));
  return static_cast<uint64_t>(size);
}

Status RawFile::read(uint64_t offset, std::span<uint8_t> out) {
  for (size_t at = 0; at < out.size(); at += kPieceBytes) {
    const auto piece = out.subspan(at, std::min(kPieceBytes, out.size() - at));
    const int rc = file_->pMethods->xRead(file_.get(), piece.data(), static_cast<int>(piece.size()),
                                          static_cast<sqlite3_int64>(offset + at));
    if (rc != SQLITE_OK) return std::unexpected(error(rc, "read"));
  }
  return {};
}

Status RawFile::write(uint64_t offset, ByteView bytes) {
  for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    const auto piece = bytes.subspan(at, std::min(kPieceBytes, bytes.size() - at));
    const int rc =
        file_->pMethods->xWrite(file_.get(), piece.data(), static_cast<int>(piece.size()),
                                static_cast<sqlite3_int64>(offset + at));
    if (rc != SQLITE_OK) return std::unexpected(error(rc, "write"));
  }
  return {};
}

Status RawFile::truncate(uint64_t size) {
  const int rc = file_->pMethods->xTruncate(file_.get(), static_cast<sqlite3_int64>(size));
  if (rc != SQLITE_OK) return std::unexpected(error(rc, "truncate"));
  return {};
}

Status RawFile::sync() {
  const int rc = file_->pMethods->xSync(file_.get(), SQLITE_SYNC_NORMAL);
  if (rc != SQLITE_OK) return std::unexpected(error(rc, "sync"));
  return {};
}

Status RawFile::lock(int level) {
  const int rc = file_->pMethods->xLock(file_.get(), level);
  if ((rc & 0xFF) == SQLITE_BUSY) return fail(Code::kLogLocked);
  if (rc != SQLITE_OK) return std::unexpected(error(rc, "lock"));
  return {};
}

}  // namespace footlight::log::internal
