#include "log/internal/sqlite.h"

#include <cerrno>

namespace footlight::log::internal {

bool is_full(int rc, int system_errno) {
  return (rc & 0xFF) == SQLITE_FULL ||
         ((rc & 0xFF) == SQLITE_IOERR && (system_errno == ENOSPC || system_errno == EDQUOT));
}

bool is_read_only(int rc, int system_errno) {
  return (rc & 0xFF) == SQLITE_READONLY || system_errno == EROFS || system_errno == EACCES ||
         system_errno == EPERM;
}

Result<Connection> Connection::open(const std::string& name, int flags, const char* vfs) {
  Connection out;
  sqlite3* db = nullptr;
  const int rc = sqlite3_open_v2(name.c_str(), &db, flags | SQLITE_OPEN_EXRESCODE, vfs);
  out.db_.reset(db);
  if (db == nullptr) return fail(Code::kLogOpen, "out of memory");
  if (rc != SQLITE_OK) return std::unexpected(out.open_error("open"));
  return out;
}

// `what` may be a statement: its first words say which.
std::string Connection::detail(std::string_view what) const {
  constexpr size_t kMostBytes = 40;
  std::string out(what.substr(0, kMostBytes));
  if (what.size() > kMostBytes) out += "...";
  return out.append(": ").append(sqlite3_errmsg(db_.get()));
}

Error Connection::open_error(std::string_view what) const {
  const int rc = sqlite3_extended_errcode(db_.get());
  const int system = sqlite3_system_errno(db_.get());
  Code code = Code::kLogOpen;
  switch (rc & 0xFF) {
    case SQLITE_NOTADB:
      code = Code::kLogFormat;
      break;
    case SQLITE_CORRUPT:
      code = Code::kLogCorrupt;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      code = Code::kLogLocked;
      break;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      if (is_read_only(rc, system)) code = Code::kLogReadOnly;
      break;
    default:
      if (is_full(rc, system)) code = Code::kDiskFull;
      break;
  }
  return {code, detail(what)};
}

Error Connection::write_error(std::string_view what) const {
  const bool full = is_full(sqlite3_extended_errcode(db_.get()), sqlite3_system_errno(db_.get()));
  return {full ? Code::kDiskFull : Code::kLogHalted, detail(what)};
}

Error Connection::read_error(std::string_view what) const {
  const int rc = sqlite3_errcode(db_.get()) & 0xFF;
  const bool damaged = rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
  return {damaged ? Code::kLogCorrupt : Code::kIo, detail(what)};
}

Status Connection::run(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(open_error(sql));
  }
  return {};
}

Result<int64_t> Connection::integer(const char* sql) {
  Statement statement;
  if (auto ok = statement.prepare(*this, sql); !ok) return std::unexpected(ok.error());
  Statement::Use use(statement);
  if (use.step() != SQLITE_ROW) return std::unexpected(open_error(sql));
  return use.integer(0);
}

Result<std::string> Connection::text(const char* sql) {
  Statement statement;
  if (auto ok = statement.prepare(*this, sql); !ok) return std::unexpected(ok.error());
  Statement::Use use(statement);
  if (use.step() != SQLITE_ROW) return std::unexpected(open_error(sql));
  return std::string(use.text(0));
}

Status Statement::prepare(const Connection& db, std::string_view sql) {
  sqlite3_stmt* stmt = nullptr;
  const int rc = sqlite3_prepare_v3(db.get(), sql.data(), static_cast<int>(sql.size()),
                                    SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
  stmt_.reset(stmt);
  if (rc != SQLITE_OK) return std::unexpected(db.open_error(sql));
  return {};
}

}  // namespace footlight::log::internal
