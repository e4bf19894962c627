// SQLite's C interface behind owners: a connection, prepared statements, and its result codes as
// ours.
#pragma once
#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/result.h"

namespace footlight::log::internal {

bool is_full(int rc, int system_errno);       // SQLITE_FULL, ENOSPC, EDQUOT
bool is_read_only(int rc, int system_errno);  // SQLITE_READONLY, EROFS, EACCES, EPERM

class Connection {
 public:
  // `flags` as sqlite3_open_v2, `name` a path or URI. The extended result codes are on.
  static Result<Connection> open(const std::string& name, int flags, const char* vfs);
  Connection() = default;

  sqlite3* get() const { return db_.get(); }
  bool writable() const { return sqlite3_db_readonly(db_.get(), "main") == 0; }
  Status run(const char* sql);               // statements without results; error as of opening
  Result<int64_t> integer(const char* sql);  // first column of the first row
  Result<std::string> text(const char* sql);
  // The last failure as ours, by what was being done.
  Error open_error(std::string_view what) const;   // kLogFormat, kLogCorrupt, kLogLocked,
                                                   // kLogReadOnly, kDiskFull, kLogOpen
  Error write_error(std::string_view what) const;  // kDiskFull, kLogHalted
  Error read_error(std::string_view what) const;   // kLogCorrupt, kIo

 private:
  struct Closer {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::string detail(std::string_view what) const;
  std::unique_ptr<sqlite3, Closer> db_;
};

// Bind, step, reset: `Use` resets at the end of the scope, so that no statement holds a read
// transaction open by accident.
class Statement {
 public:
  Statement() = default;
  Status prepare(const Connection& db, std::string_view sql);

  class Use {
   public:
    explicit Use(Statement& statement) : stmt_(statement.stmt_.get()) {}
    ~Use() {
      sqlite3_reset(stmt_);
      sqlite3_clear_bindings(stmt_);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    Use& bind(int index, int64_t value) {
      sqlite3_bind_int64(stmt_, index, value);
      return *this;
    }
    Use& bind(int index, std::string_view text) {
      sqlite3_bind_text64(stmt_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
      return *this;
    }
    Use& bind(int index, ByteView blob) {  // a null pointer would bind NULL, not an empty blob
      static constexpr uint8_t kNone = 0;
      sqlite3_bind_blob64(stmt_, index, blob.empty() ? &kNone : blob.data(), blob.size(),
                          SQLITE_STATIC);
      return *this;
    }
    int step() { return sqlite3_step(stmt_); }  // SQLITE_ROW, SQLITE_DONE, or a failure
    void rewind() { sqlite3_reset(stmt_); }
    int64_t integer(int column) { return sqlite3_column_int64(stmt_, column); }
    int type(int column) { return sqlite3_column_type(stmt_, column); }
    ByteView blob(int column) {  // valid until the next step
      const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(stmt_, column));
      return {data, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
    }
    std::string_view text(int column) {
      const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
      return data == nullptr
                 ? std::string_view()
                 : std::string_view(data, static_cast<size_t>(sqlite3_column_bytes(stmt_, column)));
    }

   private:
    sqlite3_stmt* stmt_;
  };

 private:
  struct Finalizer {
    void operator()(sqlite3_stmt* stmt) const { sqlite3_finalize(stmt); }
  };
  std::unique_ptr<sqlite3_stmt, Finalizer> stmt_;
};

}  // namespace footlight::log::internal
