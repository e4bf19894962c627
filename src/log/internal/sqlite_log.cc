#include "log/internal/sqlite_log.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "log/internal/chain.h"
#include "log/internal/format.h"

namespace footlight::log::internal {
namespace {

bool known_kind(int64_t kind) {
  return kind >= static_cast<int64_t>(RecordKind::kGenesis) &&
         kind <= static_cast<int64_t>(RecordKind::kEpoch);
}

std::unexpected<Error> corrupt_at(uint64_t seq, std::string_view why) {
  return fail(Code::kLogCorrupt, "record " + std::to_string(seq) + ": " + std::string(why));
}

// quick_check tells a page that could not be read in the same words as a damaged one, but for the
// number: a disk that fails for a moment has not damaged the log. Of a page in a list (the rest of
// a large record, free pages) it tells no number, and says this only when it could not be read.
bool tells_read_error(std::string_view text) {
  if (text.contains("failed to get page")) return true;
  constexpr std::string_view kMark = "error code=";
  const size_t at = text.find(kMark);
  if (at == std::string_view::npos) return false;
  int code = 0;
  for (const char c : text.substr(at + kMark.size())) {
    if (c < '0' || c > '9' || code > 100'000) break;
    code = code * 10 + (c - '0');
  }
  return (code & 0xFF) == SQLITE_IOERR;
}

int on_wal(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

SqliteLog::SqliteLog(OpenOptions options, sqlite3_vfs* vfs, std::string full_path)
    : options_(std::move(options)), path_(std::move(full_path)), snapshots_(vfs, path_) {}

SqliteLog::~SqliteLog() {
  if (db_.get() == nullptr) return;
  if (started_ && writable() && begin_fenced()) {
    // The floor lets the next opening notice that records at the end are gone.
    if (put_meta("floor", static_cast<int64_t>(head_.seq))) (void)commit();
  }
  // After a failed write nothing may be written again, and a damaged file stays as it was found;
  // closing would copy the WAL.
  if (!started_ || halted_) {
    sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  // SQLite's last connection copies the WAL into the file and deletes it, unless it sees a lock.
  lock_.reset();
}

Status SqliteLog::start(std::optional<RawFile> lock, Connection db) {
  if (lock) lock_.emplace(std::move(*lock));
  db_ = std::move(db);
  if (auto ok = configure(); !ok) return ok;
  if (auto ok = check_schema(); !ok) return ok;
  if (auto ok = check_structure(); !ok) return ok;
  if (auto ok = prepare(); !ok) return ok;
  if (auto ok = load_head(); !ok) return ok;
  if (auto ok = check_chain(); !ok) return ok;
  if (!options_.read_only) {
    if (auto ok = take_epoch(); !ok) return ok;
  }
  started_ = true;
  return {};
}

Status SqliteLog::configure() {
  sqlite3* db = db_.get();
  sqlite3_busy_timeout(db, 5000);  // waits only for a reader that recovers the WAL
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, static_cast<int>(kMaxPayloadBytes + 4096));
  if (auto ok = db_.run("PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY");
      !ok) {
    return ok;
  }
  if (options_.read_only) return db_.run("PRAGMA query_only=ON");
  // With FULL, and only then, SQLite syncs the WAL at each commit, before the commit returns.
  if (auto ok = db_.run("PRAGMA synchronous=FULL; PRAGMA secure_delete=ON"); !ok) return ok;
  const auto mode = db_.text("PRAGMA journal_mode=WAL");
  if (!mode) return std::unexpected(mode.error());
  const auto level = db_.integer("PRAGMA synchronous");
  if (!level) return std::unexpected(level.error());
  if (*mode != "wal" || *level != 2) {
    return fail(Code::kLogOpen, "SQLite refuses WAL with synchronous=FULL here");
  }
  const std::string limit = "PRAGMA journal_size_limit=" + std::to_string(kWalKeepBytes);
  if (const auto ok = db_.integer(limit.c_str()); !ok) return std::unexpected(ok.error());
  sqlite3_wal_hook(db, on_wal, &wal_pages_);  // takes the place of SQLite's own checkpoints
  return {};
}

Status SqliteLog::check_schema() {
  Statement schema;
  if (auto ok = schema.prepare(db_, "SELECT name, sql FROM sqlite_schema ORDER BY name"); !ok) {
    return ok;
  }
  Statement::Use use(schema);
  const auto version = db_.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  has_boards_ = *version != kVersionWithoutBoards;
  size_t count = has_boards_ ? 0 : kBoardTables;
  int rc = use.step();
  for (; rc == SQLITE_ROW; rc = use.step(), ++count) {
    if (count >= kTables.size() || use.text(0) != kTables[count].name ||
        use.text(1) != kTables[count].sql) {
      return fail(Code::kLogFormat, "unexpected object " + std::string(use.text(0)));
    }
  }
  if (rc != SQLITE_DONE) return std::unexpected(db_.open_error("schema"));
  if (count != kTables.size()) return fail(Code::kLogFormat, "a table is missing");
  return {};
}

Status SqliteLog::check_structure() {
  const auto pages = db_.integer("PRAGMA page_count");
  if (!pages) return std::unexpected(pages.error());
  const auto page_bytes = db_.integer("PRAGMA page_size");
  if (!page_bytes) return std::unexpected(page_bytes.error());
  if (!options_.read_only && *pages * *page_bytes > kQuickCheckBytes) return {};
  const auto result = db_.text("PRAGMA quick_check(1)");
  if (!result) return std::unexpected(result.error());
  if (*result == "ok") return {};
  return fail(tells_read_error(*result) ? Code::kLogOpen : Code::kLogCorrupt, *result);
}

Status SqliteLog::prepare() {
  const std::pair<Statement*, std::string_view> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&insert_,
       "INSERT INTO records(seq, kind, at_ms, payload, chain) VALUES(?1, ?2, ?3, ?4, ?5)"},
      {&slice_,
       "SELECT seq, kind, at_ms, payload, chain FROM records WHERE seq > ?1 ORDER BY seq LIMIT ?2"},
      {&chain_, "SELECT chain FROM records WHERE seq = ?1"},
      {&get_meta_, "SELECT value FROM meta WHERE name = ?1"},
      {&put_meta_, "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)"},
      {&get_secret_, "SELECT value FROM secrets WHERE name = ?1"},
      {&put_secret_, "INSERT OR REPLACE INTO secrets(name, value) VALUES(?1, ?2)"},
  };
  for (const auto& [statement, sql] : statements) {
    if (auto ok = statement->prepare(db_, sql); !ok) return ok;
  }
  return has_boards_ ? tables_.prepare(db_) : Status();
}

// A file of version 1 gets the boards' tables in the transaction that takes its epoch.
Status SqliteLog::add_board_tables() {
  std::string sql = "PRAGMA user_version=" + std::to_string(kFormatVersion);
  for (size_t i = 0; i < kBoardTables; ++i) sql.append(";").append(kTables[i].sql);
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return halt_after("tables of boards");
  }
  return {};
}

Result<std::optional<int64_t>> SqliteLog::get_meta(std::string_view name) {
  Statement::Use use(get_meta_);
  const int rc = use.bind(1, name).step();
  if (rc == SQLITE_DONE) return std::optional<int64_t>();
  if (rc != SQLITE_ROW) return std::unexpected(db_.read_error("meta"));
  if (use.type(0) != SQLITE_INTEGER || use.integer(0) < 0) {
    return fail(Code::kLogCorrupt, "meta " + std::string(name));
  }
  return std::optional<int64_t>(use.integer(0));
}

Status SqliteLog::put_meta(std::string_view name, int64_t value) {
  Statement::Use use(put_meta_);
  if (use.bind(1, name).bind(2, value).step() != SQLITE_DONE) return halt_after("meta");
  return {};
}

Result<Hash256> SqliteLog::chain_at(uint64_t seq) {
  if (seq == 0) return Hash256{};
  Statement::Use use(chain_);
  const int rc = use.bind(1, static_cast<int64_t>(seq)).step();
  if (rc == SQLITE_DONE) return corrupt_at(seq, "missing");
  if (rc != SQLITE_ROW) return std::unexpected(db_.read_error("chain"));
  Hash256 out{};
  const auto blob = use.blob(0);
  if (blob.size() != out.size()) return corrupt_at(seq, "its chain value is no hash");
  std::ranges::copy(blob, out.begin());
  return out;
}

Status SqliteLog::load_head() {
  const auto last = db_.integer("SELECT coalesce(max(seq), 0) FROM records");
  if (!last) return std::unexpected(last.error());
  const auto first = db_.integer("SELECT coalesce(min(seq), 1) FROM records");
  if (!first) return std::unexpected(first.error());
  if (*first != 1 || *last < 0) return corrupt_at(1, "missing");
  const auto floor = get_meta("floor");
  if (!floor) return std::unexpected(floor.error());
  if (floor->value_or(0) > *last) {
    return corrupt_at(static_cast<uint64_t>(floor->value_or(0)), "missing at the end");
  }
  const auto epoch = get_meta("epoch");
  if (!epoch) return std::unexpected(epoch.error());
  epoch_ = static_cast<uint64_t>(epoch->value_or(0));
  const auto chain = chain_at(static_cast<uint64_t>(*last));
  if (!chain) return std::unexpected(chain.error());
  head_ = {static_cast<uint64_t>(*last), *chain};
  return {};
}

Status SqliteLog::check_chain() {
  uint64_t from = 0;
  if (!options_.read_only) {
    auto snapshot = load_snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    if (*snapshot) from = (*snapshot)->seq;
  }
  return read(from, [](const StoredRecord&) { return true; });
}

Status SqliteLog::take_epoch() {
  const uint64_t next = epoch_ + 1;
  if (sqlite3_exec(db_.get(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(db_.open_error("begin"));
  }
  if (!has_boards_) {
    if (auto ok = add_board_tables(); !ok) return ok;
  }
  if (auto ok = put_meta("epoch", static_cast<int64_t>(next)); !ok) return ok;
  if (auto ok = put_meta("floor", static_cast<int64_t>(head_.seq)); !ok) return ok;
  Head head = head_;
  if (head.seq > 0) {
    const std::string json = "{\"epoch\":" + std::to_string(next) + "}";
    const auto bytes = as_bytes(json);
    const Record record{RecordKind::kEpoch, options_.now_ms, Bytes(bytes.begin(), bytes.end())};
    const auto inserted = insert({&record, 1});
    if (!inserted) return std::unexpected(inserted.error());
    head = *inserted;
  }
  if (auto ok = commit(); !ok) return ok;
  epoch_ = next;
  head_ = head;
  if (std::exchange(has_boards_, true)) return {};
  return tables_.prepare(db_);
}

Status SqliteLog::writable() const {
  if (halted_) return std::unexpected(*halted_);
  if (options_.read_only) return fail(Code::kLogReadOnly, "opened for reading");
  return {};
}

std::unexpected<Error> SqliteLog::halt(Error error) {
  if (!halted_) halted_ = error;
  // Rolling back writes nothing; it lets reads go on from the last durable state.
  if (sqlite3_get_autocommit(db_.get()) == 0) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return std::unexpected(std::move(error));
}

std::unexpected<Error> SqliteLog::halt_after(std::string_view what) {
  return halt(db_.write_error(what));
}

Status SqliteLog::begin_fenced() {
  {
    Statement::Use use(begin_);
    if (use.step() != SQLITE_DONE) return halt_after("begin");
  }
  const auto stored = get_meta("epoch");
  if (!stored) return halt({Code::kLogHalted, stored.error().detail});
  if (stored->value_or(0) != static_cast<int64_t>(epoch_)) {
    return halt({Code::kLogFenced, "epoch " + std::to_string(stored->value_or(0))});
  }
  return {};
}

Status SqliteLog::commit() {
  Statement::Use use(commit_);
  if (use.step() != SQLITE_DONE) return halt_after("commit");
  return {};
}

Result<Head> SqliteLog::insert(std::span<const Record> batch) {
  Head head = head_;
  for (const Record& record : batch) {
    FL_ASSERT(record.payload.size() <= kMaxPayloadBytes, "a record's payload is bounded");
    head.chain = chain_after(head.chain, head.seq + 1, record.kind, record.at_ms, record.payload);
    ++head.seq;
    Statement::Use use(insert_);
    use.bind(1, static_cast<int64_t>(head.seq)).bind(2, static_cast<int64_t>(record.kind));
    use.bind(3, record.at_ms).bind(4, ByteView(record.payload)).bind(5, ByteView(head.chain));
    if (use.step() != SQLITE_DONE) return halt_after("insert");
  }
  return head;
}

Result<Head> SqliteLog::append(std::span<const Record> batch) { return append(batch, {}); }

Result<Head> SqliteLog::append(std::span<const Record> batch,
                               std::span<const BoardUpdate> updates) {
  FL_ASSERT(!batch.empty() || !updates.empty(), "an append has at least one record");
  if (auto ok = writable(); !ok) return std::unexpected(ok.error());
  if (auto ok = begin_fenced(); !ok) return std::unexpected(ok.error());
  const auto head = insert(batch);
  if (!head) return head;
  for (const BoardUpdate& update : updates) {
    FL_ASSERT(update.update.size() <= kMaxBoardUpdateBytes, "an edit is bounded");
    if (!tables_.insert(update, head->seq)) return halt_after("board update");
  }
  if (auto ok = commit(); !ok) return std::unexpected(ok.error());
  head_ = *head;
  checkpoint_when_due();
  return head_;
}

void SqliteLog::checkpoint_when_due() {
  if (wal_pages_ < kCheckpointPages) return;
  int in_wal = 0;
  int copied = 0;
  const int rc =
      sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &copied);
  // What was appended is durable in the WAL; the failure shows at the next append. SQLITE_BUSY is
  // none: a reader recovers or copies.
  if (rc != SQLITE_OK && (rc & 0xFF) != SQLITE_BUSY) (void)halt_after("checkpoint");
}

Status SqliteLog::read_slice(Head& at, bool& more,
                             const std::function<bool(const StoredRecord&)>& visit) {
  Statement::Use use(slice_);
  use.bind(1, static_cast<int64_t>(at.seq)).bind(2, kReadSlice);
  int64_t count = 0;
  int rc = use.step();
  for (; rc == SQLITE_ROW; rc = use.step(), ++count) {
    StoredRecord record;
    record.seq = static_cast<uint64_t>(use.integer(0));
    const int64_t kind = use.integer(1);
    if (record.seq != at.seq + 1) return corrupt_at(at.seq + 1, "missing");
    if (!known_kind(kind)) return corrupt_at(record.seq, "unknown kind");
    record.kind = static_cast<RecordKind>(kind);
    record.at_ms = use.integer(2);
    record.payload = use.blob(3);
    record.chain = chain_after(at.chain, record.seq, record.kind, record.at_ms, record.payload);
    if (!std::ranges::equal(record.chain, use.blob(4))) {
      return corrupt_at(record.seq, "the chain does not hold");
    }
    at = {record.seq, record.chain};
    if (!visit(record)) {
      more = false;
      return {};
    }
  }
  if (rc != SQLITE_DONE) return std::unexpected(db_.read_error("read"));
  more = count == kReadSlice;
  return {};
}

Status SqliteLog::read(uint64_t after, const std::function<bool(const StoredRecord&)>& visit) {
  if (after > head_.seq) return {};
  const auto chain = chain_at(after);
  if (!chain) return std::unexpected(chain.error());
  Head at{after, *chain};
  for (bool more = true; more;) {
    if (auto ok = read_slice(at, more, visit); !ok) return ok;
  }
  return {};
}

Status SqliteLog::save_snapshot(const Snapshot& snapshot) {
  if (auto ok = writable(); !ok) return ok;
  if (snapshot.seq == 0 || snapshot.seq > head_.seq) {
    return fail(Code::kIo, "a snapshot of records that are not durable");
  }
  if (snapshot.state.size() > kMaxSnapshotBytes)
    return fail(Code::kIo, "the snapshot is too large");
  const auto chain = chain_at(snapshot.seq);
  if (!chain) return std::unexpected(chain.error());
  return snapshots_.save(snapshot.seq, *chain, snapshot.state);
}

Result<std::optional<Snapshot>> SqliteLog::load_snapshot() {
  for (auto& loaded : snapshots_.load()) {
    if (loaded.seq == 0 || loaded.seq > head_.seq) continue;
    const auto chain = chain_at(loaded.seq);
    if (!chain) return std::unexpected(chain.error());
    if (*chain == loaded.chain) return Snapshot{loaded.seq, std::move(loaded.state)};
  }
  return std::optional<Snapshot>();
}

Status SqliteLog::put_secret(std::string_view name, ByteView value) {
  FL_ASSERT(value.size() <= kMaxSecretBytes, "a secret is bounded");
  if (auto ok = writable(); !ok) return ok;
  if (auto ok = begin_fenced(); !ok) return ok;
  {
    Statement::Use use(put_secret_);
    if (use.bind(1, name).bind(2, value).step() != SQLITE_DONE) return halt_after("secret");
  }
  return commit();
}

Result<std::optional<Bytes>> SqliteLog::get_secret(std::string_view name) {
  Statement::Use use(get_secret_);
  const int rc = use.bind(1, name).step();
  if (rc == SQLITE_DONE) return std::optional<Bytes>();
  if (rc != SQLITE_ROW) return std::unexpected(db_.read_error("secret"));
  const auto blob = use.blob(0);
  return std::optional<Bytes>(Bytes(blob.begin(), blob.end()));
}

Status SqliteLog::compact(const BoardSnapshot& snapshot, std::span<const uint64_t> drop) {
  if (auto ok = writable(); !ok) return ok;
  FL_ASSERT(snapshot.state.size() <= kMaxBoardStateBytes, "a board is bounded");
  if (auto ok = begin_fenced(); !ok) return ok;
  const auto seq = tables_.seq_of(snapshot.board, snapshot.n);
  if (!seq) return halt({Code::kLogHalted, seq.error().detail});
  bool done = tables_.insert(snapshot, *seq) && tables_.drop_updates(snapshot.board, snapshot.n);
  for (const uint64_t n : drop) done = done && tables_.drop_snapshot(snapshot.board, n);
  if (!done) return halt_after("compaction");
  if (auto ok = commit(); !ok) return ok;
  checkpoint_when_due();
  return {};
}

Result<BoardFile> SqliteLog::load(std::string_view board, uint64_t at_seq) {
  return tables_.load(board, at_seq);
}

Result<std::vector<BoardPoint>> SqliteLog::points(std::string_view board) {
  return tables_.points(board);
}

Result<std::vector<std::string>> SqliteLog::names() { return tables_.names(); }

}  // namespace footlight::log::internal
