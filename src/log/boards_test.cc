#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>

#include "log/internal/format.h"
#include "log/log.h"

namespace footlight::log {
namespace {

namespace fs = std::filesystem;

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

BoardUpdate edit(uint64_t n, std::string_view text, std::string board = "table") {
  return {std::move(board), n, 1'000 + static_cast<WallMs>(n), 7, bytes_of(text)};
}

class BoardsTest : public ::testing::Test {
 protected:
  BoardsTest() {
    dir_ = fs::temp_directory_path() / ("footlight-boards-" + std::to_string(getpid()));
    fs::create_directories(dir_);
    path_ = dir_ / "a.episode";
  }
  ~BoardsTest() override { fs::remove_all(dir_); }
  std::unique_ptr<EventLog> open(bool read_only = false) {
    auto log = open_event_log({.path = path_.string(), .read_only = read_only});
    EXPECT_TRUE(log.has_value()) << log.error().message();
    return log ? std::move(*log) : nullptr;
  }
  // A log with one record.
  std::unique_ptr<EventLog> begun() {
    auto log = open();
    const Record genesis{RecordKind::kGenesis, 1, bytes_of("{}")};
    EXPECT_TRUE(log->append({&genesis, 1}).has_value());
    return log;
  }
  void sql(const std::string& text) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  static std::string joined(const BoardFile& file) {
    std::string out = file.snapshot ? std::string(as_text(file.snapshot->state)) + "|" : "";
    for (const BoardUpdate& each : file.updates) out += as_text(each.update);
    return out;
  }

  fs::path dir_;
  fs::path path_;
};

TEST_F(BoardsTest, EditsStandWithTheEventsOfTheirMomentAndComeBack) {
  auto log = begun();
  const Record event{RecordKind::kEvent, 2, bytes_of("{}")};
  const BoardUpdate first[] = {edit(1, "a"), edit(2, "b")};
  const auto head = log->boards()->append({&event, 1}, first);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->seq, 2u);
  const BoardUpdate alone[] = {edit(3, "c"), edit(1, "x", "notes")};
  EXPECT_EQ(log->boards()->append({}, alone)->seq, 2u) << "an edit is no record";
  log.reset();
  log = open();
  const auto file = log->boards()->load("table", UINT64_MAX);
  ASSERT_TRUE(file.has_value()) << file.error().message();
  EXPECT_EQ(joined(*file), "abc");
  EXPECT_EQ(file->seq, 2u);
  EXPECT_EQ(file->updates[0].who, 7u);
  EXPECT_EQ(joined(*log->boards()->load("notes", UINT64_MAX)), "x");
  EXPECT_EQ(joined(*log->boards()->load("other", UINT64_MAX)), "");
  EXPECT_EQ(*log->boards()->names(), (std::vector<std::string>{"notes", "table"}));
}

TEST_F(BoardsTest, CompactionTakesThePlaceOfWhatItCovers) {
  auto log = begun();
  const BoardUpdate edits[] = {edit(1, "a"), edit(2, "b"), edit(3, "c")};
  ASSERT_TRUE(log->boards()->append({}, edits));
  ASSERT_TRUE(log->boards()->compact({"table", 2, 9, 5, bytes_of("AB")}, {}));
  EXPECT_EQ(joined(*log->boards()->load("table", UINT64_MAX)), "AB|c");
  const BoardUpdate more[] = {edit(4, "d")};
  ASSERT_TRUE(log->boards()->append({}, more));
  ASSERT_TRUE(log->boards()->compact({"table", 4, 9, 6, bytes_of("ABCD")}, {}));
  log.reset();
  log = open(true);
  const auto file = log->boards()->load("table", UINT64_MAX);
  EXPECT_EQ(joined(*file), "ABCD|");
  EXPECT_EQ(file->snapshots.size(), 2u) << "older snapshots stay until they are dropped";
  log.reset();
  log = open();
  const uint64_t drop[] = {2};
  ASSERT_TRUE(log->boards()->compact({"table", 5, 9, 7, bytes_of("E")}, drop));
  EXPECT_EQ(log->boards()->load("table", UINT64_MAX)->snapshots.size(), 2u);
}

TEST_F(BoardsTest, ABoardIsShownAsItWasAtARecord) {
  auto log = begun();
  const auto step = [&](uint64_t n, std::string_view text) {
    const Record event{RecordKind::kEvent, 2, bytes_of("{}")};
    const BoardUpdate edits[] = {edit(n, text)};
    ASSERT_TRUE(log->boards()->append({&event, 1}, edits));
  };
  step(1, "a");  // record 2
  step(2, "b");  // record 3
  ASSERT_TRUE(log->boards()->compact({"table", 2, 9, 5, bytes_of("AB")}, {}));
  step(3, "c");  // record 4
  step(4, "d");  // record 5
  EXPECT_EQ(joined(*log->boards()->load("table", 5)), "AB|cd");
  EXPECT_EQ(joined(*log->boards()->load("table", 4)), "AB|c");
  EXPECT_EQ(joined(*log->boards()->load("table", 3)), "AB|");
  EXPECT_EQ(log->boards()->load("table", 2).error().code, Code::kBoardHistory)
      << "what was before the first snapshot is gone";
  const auto points = log->boards()->points("table");
  ASSERT_EQ(points->size(), 3u);
  EXPECT_TRUE(points->at(0).snapshot);
  EXPECT_EQ(points->at(2).seq, 5u);
}

TEST_F(BoardsTest, DamageCostsOneBoardAndNotTheEpisode) {
  auto log = begun();
  const BoardUpdate edits[] = {edit(1, "a"), edit(2, "b"), edit(1, "x", "notes")};
  ASSERT_TRUE(log->boards()->append({}, edits));
  log.reset();
  sql("UPDATE board_updates SET bytes = x'7A' WHERE board = 'table' AND n = 2");
  log = open();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->boards()->load("table", UINT64_MAX).error().code, Code::kBoardDamaged);
  EXPECT_EQ(joined(*log->boards()->load("notes", UINT64_MAX)), "x");
  log.reset();
  sql("DELETE FROM board_updates WHERE board = 'table' AND n = 1");
  log = open();
  EXPECT_EQ(log->boards()->load("table", UINT64_MAX).error().code, Code::kBoardDamaged);
}

TEST_F(BoardsTest, AFileOfVersionOneIsReadAsItIsAndGrowsTablesWhenItIsWritten) {
  begun().reset();
  sql("DROP TABLE board_updates; DROP TABLE board_snapshots; PRAGMA user_version = 1");
  auto log = open(true);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->boards(), nullptr);
  log.reset();
  log = open();
  ASSERT_NE(log, nullptr);
  ASSERT_NE(log->boards(), nullptr);
  const BoardUpdate edits[] = {edit(1, "a")};
  ASSERT_TRUE(log->boards()->append({}, edits));
  log.reset();
  log = open();
  EXPECT_EQ(joined(*log->boards()->load("table", UINT64_MAX)), "a");
}

}  // namespace
}  // namespace footlight::log
