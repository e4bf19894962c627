#include "log/internal/board_tables.h"

#include <algorithm>
#include <array>

namespace footlight::log::internal {
namespace {

constexpr uint64_t kMostInteger = INT64_MAX;  // SQLite's

void put_u64(Sha256& sum, uint64_t value) {
  std::array<uint8_t, 8> bytes;
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
  sum.update(ByteView(bytes));
}

void put_bytes(Sha256& sum, ByteView bytes) {
  put_u64(sum, bytes.size());
  sum.update(bytes);
}

std::unexpected<Error> damaged(std::string_view board, uint64_t n, std::string_view why) {
  return fail(Code::kBoardDamaged,
              "board " + std::string(board) + ", " + std::to_string(n) + ": " + std::string(why));
}

}  // namespace

Hash256 board_update_sum(const BoardUpdate& update, uint64_t seq) {
  Sha256 sum;
  sum.update(as_bytes("FLBU"));
  put_bytes(sum, as_bytes(update.board));
  for (const uint64_t each : {update.n, seq, static_cast<uint64_t>(update.at_ms), update.who}) {
    put_u64(sum, each);
  }
  put_bytes(sum, update.update);
  return sum.finish();
}

Hash256 board_snapshot_sum(const BoardSnapshot& snapshot, uint64_t seq) {
  Sha256 sum;
  sum.update(as_bytes("FLBS"));
  put_bytes(sum, as_bytes(snapshot.board));
  for (const uint64_t each :
       {snapshot.n, snapshot.generation, seq, static_cast<uint64_t>(snapshot.at_ms)}) {
    put_u64(sum, each);
  }
  put_bytes(sum, snapshot.state);
  return sum.finish();
}

Status BoardTables::prepare(const Connection& db) {
  db_ = &db;
  const std::pair<Statement*, std::string_view> statements[] = {
      {&insert_update_,
       "INSERT INTO board_updates(board, n, seq, at_ms, who, bytes, sum) "
       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&insert_snapshot_,
       "INSERT OR REPLACE INTO board_snapshots(board, n, generation, seq, at_ms, state, sum) "
       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&drop_updates_, "DELETE FROM board_updates WHERE board = ?1 AND n <= ?2"},
      {&drop_snapshot_, "DELETE FROM board_snapshots WHERE board = ?1 AND n = ?2"},
      {&seq_,
       "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM board_updates WHERE board = ?1 AND n <= "
       "?2 UNION ALL SELECT seq FROM board_snapshots WHERE board = ?1 AND n <= ?2)"},
      {&snapshot_,
       "SELECT n, generation, seq, at_ms, state, sum FROM board_snapshots WHERE board = ?1 AND seq "
       "<= ?2 ORDER BY n DESC LIMIT 1"},
      {&updates_,
       "SELECT n, seq, at_ms, who, bytes, sum FROM board_updates WHERE board = ?1 AND n > ?2 AND "
       "seq <= ?3 ORDER BY n"},
      {&first_, "SELECT coalesce(min(n), 0) FROM board_snapshots WHERE board = ?1"},
      {&points_,
       "SELECT n, seq, at_ms, length(state), 1 FROM board_snapshots WHERE board = ?1 UNION ALL "
       "SELECT n, seq, at_ms, length(bytes), 0 FROM board_updates WHERE board = ?1 ORDER BY n"},
      {&names_,
       "SELECT board FROM board_updates UNION SELECT board FROM board_snapshots ORDER BY board"},
  };
  for (const auto& [statement, sql] : statements) {
    if (auto ok = statement->prepare(db, sql); !ok) return ok;
  }
  ready_ = true;
  return {};
}

bool BoardTables::insert(const BoardUpdate& update, uint64_t seq) {
  const Hash256 sum = board_update_sum(update, seq);
  Statement::Use use(insert_update_);
  use.bind(1, update.board).bind(2, static_cast<int64_t>(update.n));
  use.bind(3, static_cast<int64_t>(seq)).bind(4, update.at_ms);
  use.bind(5, static_cast<int64_t>(update.who));
  use.bind(6, ByteView(update.update)).bind(7, ByteView(sum));
  return use.step() == SQLITE_DONE;
}

bool BoardTables::insert(const BoardSnapshot& snapshot, uint64_t seq) {
  const Hash256 sum = board_snapshot_sum(snapshot, seq);
  Statement::Use use(insert_snapshot_);
  use.bind(1, snapshot.board).bind(2, static_cast<int64_t>(snapshot.n));
  use.bind(3, static_cast<int64_t>(snapshot.generation)).bind(4, static_cast<int64_t>(seq));
  use.bind(5, snapshot.at_ms).bind(6, ByteView(snapshot.state)).bind(7, ByteView(sum));
  return use.step() == SQLITE_DONE;
}

bool BoardTables::drop_updates(std::string_view board, uint64_t up_to_n) {
  Statement::Use use(drop_updates_);
  return use.bind(1, board).bind(2, static_cast<int64_t>(up_to_n)).step() == SQLITE_DONE;
}

bool BoardTables::drop_snapshot(std::string_view board, uint64_t n) {
  Statement::Use use(drop_snapshot_);
  return use.bind(1, board).bind(2, static_cast<int64_t>(n)).step() == SQLITE_DONE;
}

Result<uint64_t> BoardTables::seq_of(std::string_view board, uint64_t n) {
  Statement::Use use(seq_);
  if (use.bind(1, board).bind(2, static_cast<int64_t>(n)).step() != SQLITE_ROW) {
    return std::unexpected(db_->read_error("board seq"));
  }
  return static_cast<uint64_t>(use.integer(0));
}

Result<std::optional<BoardSnapshot>> BoardTables::newest_snapshot(std::string_view board,
                                                                  uint64_t at_seq, uint64_t& seq) {
  Statement::Use use(snapshot_);
  const auto at = static_cast<int64_t>(std::min(at_seq, kMostInteger));
  const int rc = use.bind(1, board).bind(2, at).step();
  if (rc == SQLITE_DONE) return std::optional<BoardSnapshot>();
  if (rc != SQLITE_ROW) return std::unexpected(db_->read_error("board snapshot"));
  BoardSnapshot out;
  out.board = board;
  out.n = static_cast<uint64_t>(use.integer(0));
  out.generation = static_cast<uint64_t>(use.integer(1));
  seq = static_cast<uint64_t>(use.integer(2));
  out.at_ms = use.integer(3);
  const ByteView state = use.blob(4);
  out.state.assign(state.begin(), state.end());
  if (!std::ranges::equal(board_snapshot_sum(out, seq), use.blob(5))) {
    return damaged(board, out.n, "the snapshot's checksum does not hold");
  }
  return out;
}

Result<BoardFile> BoardTables::load(std::string_view board, uint64_t at_seq) {
  BoardFile out;
  auto points_of = points(board);
  if (!points_of) return std::unexpected(points_of.error());
  for (const BoardPoint& point : *points_of) {
    if (point.snapshot) out.snapshots.push_back(point);
  }
  auto snapshot = newest_snapshot(board, at_seq, out.seq);
  if (!snapshot) return std::unexpected(snapshot.error());
  out.snapshot = std::move(*snapshot);
  uint64_t n = out.snapshot ? out.snapshot->n : 0;
  if (!out.snapshot) {
    Statement::Use use(first_);
    if (use.bind(1, board).step() != SQLITE_ROW) {
      return std::unexpected(db_->read_error("board snapshot"));
    }
    // Its beginning is compacted into a snapshot that came later.
    if (use.integer(0) != 0) return fail(Code::kBoardHistory, std::string(board));
  }
  Statement::Use use(updates_);
  const auto at = static_cast<int64_t>(std::min(at_seq, kMostInteger));
  use.bind(1, board).bind(2, static_cast<int64_t>(n)).bind(3, at);
  int rc = use.step();
  for (; rc == SQLITE_ROW; rc = use.step()) {
    BoardUpdate update;
    update.board = board;
    update.n = static_cast<uint64_t>(use.integer(0));
    // After an older snapshot the updates up to the next one are gone: it is as near as it gets.
    if (update.n != n + 1 && at_seq != UINT64_MAX) return out;
    if (update.n != n + 1) return damaged(board, n + 1, "missing");
    n = update.n;
    out.seq = static_cast<uint64_t>(use.integer(1));
    update.at_ms = use.integer(2);
    update.who = static_cast<uint64_t>(use.integer(3));
    const ByteView bytes = use.blob(4);
    update.update.assign(bytes.begin(), bytes.end());
    if (!std::ranges::equal(board_update_sum(update, out.seq), use.blob(5))) {
      return damaged(board, n, "the checksum does not hold");
    }
    out.updates.push_back(std::move(update));
  }
  if (rc != SQLITE_DONE) return std::unexpected(db_->read_error("board updates"));
  return out;
}

Result<std::vector<BoardPoint>> BoardTables::points(std::string_view board) {
  std::vector<BoardPoint> out;
  Statement::Use use(points_);
  use.bind(1, board);
  int rc = use.step();
  for (; rc == SQLITE_ROW; rc = use.step()) {
    out.push_back({static_cast<uint64_t>(use.integer(0)), static_cast<uint64_t>(use.integer(1)),
                   use.integer(2), static_cast<uint64_t>(use.integer(3)), use.integer(4) == 1});
  }
  if (rc != SQLITE_DONE) return std::unexpected(db_->read_error("board history"));
  return out;
}

Result<std::vector<std::string>> BoardTables::names() {
  std::vector<std::string> out;
  Statement::Use use(names_);
  int rc = use.step();
  for (; rc == SQLITE_ROW; rc = use.step()) out.emplace_back(use.text(0));
  if (rc != SQLITE_DONE) return std::unexpected(db_->read_error("boards"));
  return out;
}

}  // namespace footlight::log::internal
