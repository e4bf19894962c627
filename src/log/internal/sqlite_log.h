// The event log on SQLite. What is written goes through one connection; every commit syncs the WAL.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "log/internal/board_tables.h"
#include "log/internal/raw_file.h"
#include "log/internal/snapshots.h"
#include "log/internal/sqlite.h"
#include "log/log.h"

namespace footlight::log::internal {

class SqliteLog final : public EventLog, public BoardStore {
 public:
  SqliteLog(OpenOptions options, sqlite3_vfs* vfs, std::string full_path);
  ~SqliteLog() override;

  // Called once, by open_event_log. `lock` is held until the log closes.
  Status start(std::optional<RawFile> lock, Connection db);

  Head head() const override { return head_; }
  uint64_t epoch() const override { return epoch_; }
  Result<Head> append(std::span<const Record> batch) override;
  Status read(uint64_t after, const std::function<bool(const StoredRecord&)>& visit) override;
  Status save_snapshot(const Snapshot& snapshot) override;
  Result<std::optional<Snapshot>> load_snapshot() override;
  Status put_secret(std::string_view name, ByteView value) override;
  Result<std::optional<Bytes>> get_secret(std::string_view name) override;
  BoardStore* boards() override { return tables_.ready() ? this : nullptr; }

  // BoardStore
  Result<Head> append(std::span<const Record> batch, std::span<const BoardUpdate> updates) override;
  Status compact(const BoardSnapshot& snapshot, std::span<const uint64_t> drop) override;
  Result<BoardFile> load(std::string_view board, uint64_t at_seq) override;
  Result<std::vector<BoardPoint>> points(std::string_view board) override;
  Result<std::vector<std::string>> names() override;

 private:
  Status configure();
  Status check_schema();
  Status check_structure();
  Status load_head();
  Status check_chain();
  Status prepare();
  Status take_epoch();
  Status add_board_tables();
  Status writable() const;
  std::unexpected<Error> halt(Error error);
  std::unexpected<Error> halt_after(std::string_view what);
  Status begin_fenced();
  Status commit();
  Result<Head> insert(std::span<const Record> batch);
  Status put_meta(std::string_view name, int64_t value);
  Result<std::optional<int64_t>> get_meta(std::string_view name);
  Result<Hash256> chain_at(uint64_t seq);
  Status read_slice(Head& at, bool& more, const std::function<bool(const StoredRecord&)>& visit);
  void checkpoint_when_due();

  OpenOptions options_;
  std::string path_;
  SnapshotFiles snapshots_;
  std::optional<RawFile> lock_;
  Connection db_;
  Statement begin_, commit_, insert_, slice_, chain_, get_meta_, put_meta_, get_secret_,
      put_secret_;
  BoardTables tables_;
  bool has_boards_ = false;  // the file has their tables
  Head head_;
  uint64_t epoch_ = 0;
  int wal_pages_ = 0;
  bool started_ = false;
  std::optional<Error> halted_;
};

}  // namespace footlight::log::internal
