#include "log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "log/internal/format.h"

namespace footlight::log {
namespace {

namespace fs = std::filesystem;

Record event(std::string_view text, WallMs at_ms = 1000) {
  const auto bytes = as_bytes(text);
  return {RecordKind::kEvent, at_ms, Bytes(bytes.begin(), bytes.end())};
}

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string dir = fs::temp_directory_path() / "footlight-log-XXXXXX";
    ASSERT_NE(mkdtemp(dir.data()), nullptr);
    dir_ = dir;
    path_ = dir_ / "show.episode";
  }
  void TearDown() override { fs::remove_all(dir_); }

  OpenOptions options() const {
    OpenOptions out;
    out.path = path_;
    out.now_ms = 77;
    return out;
  }
  std::unique_ptr<EventLog> open() {
    auto log = open_event_log(options());
    EXPECT_TRUE(log.has_value()) << log.error().message();
    return log ? std::move(*log) : nullptr;
  }
  std::unique_ptr<EventLog> open_read_only() {
    auto with = options();
    with.read_only = true;
    auto log = open_event_log(with);
    EXPECT_TRUE(log.has_value()) << log.error().message();
    return log ? std::move(*log) : nullptr;
  }
  Code open_code(bool read_only = false, bool create = true) {
    auto with = options();
    with.read_only = read_only;
    with.create = create;
    const auto log = open_event_log(with);
    return log ? Code::kOk : log.error().code;
  }
  // Appends `count` records "text N", `per_batch` at a time.
  static void fill(EventLog& log, int count, int per_batch = 1) {
    std::vector<Record> batch;
    for (int i = 0; i < count; ++i) {
      batch.push_back(event("text " + std::to_string(i) + std::string(100, 'x'), 1000 + i));
      if (static_cast<int>(batch.size()) == per_batch || i + 1 == count) {
        ASSERT_TRUE(log.append(batch).has_value());
        batch.clear();
      }
    }
  }
  // A copy of the files as a crash of the process would leave them.
  fs::path copy_files() {
    const fs::path to = dir_ / "copy";
    fs::create_directories(to);
    for (const auto& entry : fs::directory_iterator(dir_)) {
      const auto name = entry.path().filename().string();
      if (!entry.is_regular_file() || name.ends_with("-shm")) continue;
      fs::copy_file(entry.path(), to / name, fs::copy_options::overwrite_existing);
    }
    path_ = to / "show.episode";
    return to;
  }
  void sql(const char* statements) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, statements, nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(db);
  }
  static Bytes bytes_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
  }
  static void write_bytes(const fs::path& path, const Bytes& bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }

  fs::path dir_;
  fs::path path_;
};

// SQLite's Unix VFS drops a write of a multiple of 128 KiB; a WAL of 1 MiB and more is healed in
// pieces of such a size when the pieces are chosen badly.
TEST_F(LogTest, RecoversAWalOfMoreThanAMegabyteAfterACrash) {
  const auto log = open();
  const std::string large(64 * 1024, 'x');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(log->append(std::vector{event(large)}).has_value());
  copy_files();
  ASSERT_GT(fs::file_size(path_.string() + "-wal"), 1u << 20);
  const auto again = open();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->head().seq, 21u) << "20 events and the new owner's epoch";
}

TEST_F(LogTest, StartsEmptyInEpochOne) {
  const auto log = open();
  EXPECT_EQ(log->head().seq, 0u);
  EXPECT_EQ(log->head().chain, Hash256{});
  EXPECT_EQ(log->epoch(), 1u);
}

TEST_F(LogTest, GivesBackWhatWasAppendedWithTheChainOfTheHeader) {
  auto log = open();
  const std::vector<Record> batch = {{RecordKind::kGenesis, 5, {1, 2, 3}},
                                     {RecordKind::kBallots, -6, {}}};
  const auto head = log->append(batch);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->seq, 2u);

  Bytes first(32, 0);
  ByteWriter writer(first);
  writer.u64(1);
  writer.u8(1);
  writer.u64(5);
  writer.bytes(batch[0].payload);
  const auto chain_1 = sha256(first);
  Bytes second(chain_1.begin(), chain_1.end());
  ByteWriter again(second);
  again.u64(2);
  again.u8(3);
  again.u64(static_cast<uint64_t>(int64_t{-6}));
  EXPECT_EQ(head->chain, sha256(second));

  std::vector<uint64_t> seen;
  ASSERT_TRUE(log->read(0,
                        [&](const StoredRecord& record) {
                          seen.push_back(record.seq);
                          const auto& sent = batch[record.seq - 1];
                          EXPECT_EQ(record.kind, sent.kind);
                          EXPECT_EQ(record.at_ms, sent.at_ms);
                          EXPECT_TRUE(std::ranges::equal(record.payload, sent.payload));
                          return true;
                        })
                  .has_value());
  EXPECT_THAT(seen, ::testing::ElementsAre(1, 2));
}

TEST_F(LogTest, KeepsRecordsAndCountsEpochsAcrossReopening) {
  Head head;
  {
    auto log = open();
    fill(*log, 2000, 300);
    head = log->head();
  }
  EXPECT_FALSE(fs::exists(path_.string() + "-wal")) << "a clean close leaves one file";
  auto log = open();
  EXPECT_EQ(log->epoch(), 2u);
  EXPECT_EQ(log->head().seq, head.seq + 1);
  std::string last;
  ASSERT_TRUE(log->read(head.seq,
                        [&](const StoredRecord& record) {
                          EXPECT_EQ(record.kind, RecordKind::kEpoch);
                          EXPECT_EQ(record.at_ms, 77);
                          last = as_text(record.payload);
                          return true;
                        })
                  .has_value());
  EXPECT_EQ(last, R"({"epoch":2})");
  log.reset();
  EXPECT_EQ(open()->epoch(), 3u);
}

TEST_F(LogTest, ReadsFromAnyPointAndStopsWhenTold) {
  auto log = open();
  fill(*log, 1500, 100);
  uint64_t expected = 1001;
  ASSERT_TRUE(log->read(1000,
                        [&](const StoredRecord& record) {
                          EXPECT_EQ(record.seq, expected++);
                          return record.seq < 1400;
                        })
                  .has_value());
  EXPECT_EQ(expected, 1401u);
  bool any = false;
  const auto visit = [&](const StoredRecord&) { return any = true; };
  EXPECT_TRUE(log->read(1500, visit).has_value());
  EXPECT_TRUE(log->read(UINT64_MAX, visit).has_value());
  EXPECT_FALSE(any);
}

TEST_F(LogTest, SurvivesTheProcessDyingAfterACommit) {
  auto log = open();
  fill(*log, 50, 5);
  const auto head = log->head();
  copy_files();
  const auto other = open();
  EXPECT_EQ(other->head().seq, head.seq + 1);
  EXPECT_EQ(other->epoch(), 2u);
}

TEST_F(LogTest, RefusesASecondWriterInThisAndInOtherProcesses) {
  auto log = open();
  fill(*log, 3);
  EXPECT_EQ(open_code(), Code::kLogLocked);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(open_code() == Code::kLogLocked ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(log->append(std::vector{event("still ours")}).has_value());
  log.reset();
  EXPECT_EQ(open_code(), Code::kOk);
}

TEST_F(LogTest, LetsAReaderSeeALiveLogAndWriteNothing) {
  auto log = open();
  fill(*log, 10);
  auto reader = open_read_only();
  EXPECT_EQ(reader->head().seq, 10u);
  EXPECT_EQ(reader->epoch(), 1u);
  const auto refused = reader->append(std::vector{event("no")});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kLogReadOnly);
  EXPECT_EQ(reader->put_secret("a", {}).error().code, Code::kLogReadOnly);
  EXPECT_EQ(reader->save_snapshot({1, {}}).error().code, Code::kLogReadOnly);
  EXPECT_TRUE(log->append(std::vector{event("goes on")}).has_value());
  uint64_t seen = 0;
  EXPECT_TRUE(reader->read(0, [&](const StoredRecord& r) { return (seen = r.seq) != 0; }));
  EXPECT_EQ(seen, 11u);
}

TEST_F(LogTest, StopsForGoodWhenAnotherOwnerTookTheEpoch) {
  auto log = open();
  fill(*log, 2);
  sql("UPDATE meta SET value = 9 WHERE name = 'epoch'");
  const auto fenced = log->append(std::vector{event("stale")});
  ASSERT_FALSE(fenced.has_value());
  EXPECT_EQ(fenced.error().code, Code::kLogFenced);
  sql("UPDATE meta SET value = 1 WHERE name = 'epoch'");
  EXPECT_EQ(log->append(std::vector{event("stale")}).error().code, Code::kLogFenced);
  EXPECT_EQ(log->put_secret("a", {}).error().code, Code::kLogFenced);
  uint64_t seen = 0;
  EXPECT_TRUE(log->read(0, [&](const StoredRecord& r) { return (seen = r.seq) != 0; }));
  EXPECT_EQ(seen, 2u) << "reads go on, and the stale record is not there";
}

TEST_F(LogTest, RefusesWhatIsNoLogAndLeavesItAlone) {
  for (const std::string& content :
       {std::string("xy"), std::string(50, 'a'), std::string(5000, 'b'), std::string(8192, '\0')}) {
    write_bytes(path_, Bytes(content.begin(), content.end()));
    EXPECT_EQ(open_code(), Code::kLogFormat) << content.size();
    EXPECT_EQ(open_code(true), Code::kLogFormat) << content.size();
    EXPECT_EQ(bytes_of(path_), Bytes(content.begin(), content.end()));
  }
  fs::remove(path_);
  sql("CREATE TABLE theirs(a); INSERT INTO theirs VALUES(1)");
  const auto before = bytes_of(path_);
  EXPECT_EQ(open_code(), Code::kLogFormat);
  EXPECT_EQ(open_code(true), Code::kLogFormat);
  EXPECT_EQ(bytes_of(path_), before);
}

TEST_F(LogTest, RefusesALaterFormatAndForeignTriggers) {
  fill(*open(), 3);
  sql("CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM meta; END");
  EXPECT_EQ(open_code(), Code::kLogFormat);
  sql("DROP TRIGGER t");
  EXPECT_EQ(open_code(), Code::kOk);
  sql("PRAGMA user_version = 3");
  EXPECT_EQ(open_code(), Code::kLogFormat);
}

TEST_F(LogTest, NamesAMissingFileAndAnEmptyOne) {
  EXPECT_EQ(open_code(true), Code::kLogOpen);
  EXPECT_EQ(open_code(false, false), Code::kLogOpen);
  write_bytes(path_, {});
  EXPECT_EQ(open_code(true), Code::kLogOpen);
  EXPECT_EQ(open_code(false, false), Code::kLogOpen);
  EXPECT_EQ(open_code(), Code::kOk);
  path_ = dir_ / "no" / "such" / "directory.episode";
  EXPECT_EQ(open_code(), Code::kLogOpen);
}

TEST_F(LogTest, SaysReadOnlyWhenTheDirectoryCannotBeWritten) {
  fill(*open(), 3);
  fs::permissions(path_, fs::perms(0644));
  fs::permissions(dir_, fs::perms(0555));
  const auto as_nobody = [&](auto check) {
    const pid_t child = fork();
    if (child == 0) {
      if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
      _exit(check() ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
  };
  EXPECT_TRUE(as_nobody([&] { return open_code() == Code::kLogReadOnly; }));
  EXPECT_TRUE(as_nobody([&] { return open_code(true) == Code::kOk; })) << "it can still be read";
  const auto there = path_;
  path_ = dir_ / "other.episode";
  EXPECT_TRUE(as_nobody([&] { return open_code() == Code::kLogReadOnly; }));
  path_ = there;
  fs::permissions(dir_, fs::perms(0755));
}

TEST_F(LogTest, RefusesAGapAndABrokenChain) {
  for (const char* damage :
       {"DELETE FROM records WHERE seq = 5", "DELETE FROM records WHERE seq = 1",
        "DELETE FROM records WHERE seq = 21",  // the epoch record below the floor
        "UPDATE records SET payload = x'00' WHERE seq = 7",
        "UPDATE records SET at_ms = at_ms + 1 WHERE seq = 7",
        "UPDATE records SET kind = 3 WHERE seq = 7", "UPDATE records SET kind = 9 WHERE seq = 7",
        "UPDATE records SET chain = x'00' WHERE seq = 20"}) {
    fs::remove(path_);
    fill(*open(), 20);
    open();
    sql(damage);
    const auto before = bytes_of(path_);
    EXPECT_EQ(open_code(), Code::kLogCorrupt) << damage;
    EXPECT_EQ(open_code(true), Code::kLogCorrupt) << damage;
    EXPECT_EQ(bytes_of(path_), before) << damage;
  }
}

TEST_F(LogTest, RefusesADamagedPage) {
  fill(*open(), 400, 100);
  const auto good = bytes_of(path_);
  ASSERT_GT(good.size(), size_t{40'000});
  int refused = 0;
  for (size_t page = 1; page < good.size() / 4096; ++page) {
    auto bad = good;
    for (size_t i = 0; i < 64; ++i) bad[page * 4096 + i] ^= 0xA5;
    write_bytes(path_, bad);
    const Code code = open_code();
    EXPECT_TRUE(code == Code::kLogCorrupt || code == Code::kOk) << page << code_name(code);
    refused += code == Code::kLogCorrupt;
  }
  EXPECT_GE(refused, static_cast<int>(good.size() / 4096) - 2)
      << "all but the pages of the empty tables";
}

TEST_F(LogTest, RefusesDamageInTheMiddleOfTheWal) {
  auto log = open();
  fill(*log, 20);
  copy_files();
  const fs::path wal = path_.string() + "-wal";
  const auto file = bytes_of(path_);
  const auto good = bytes_of(wal);
  ASSERT_GT(good.size(), size_t{20 * 4096});
  for (const size_t at : {size_t{40}, size_t{3000}, size_t{5} * 4120 + 32 + 500, size_t{0}}) {
    auto bad = good;
    bad[at] ^= 1;
    write_bytes(wal, bad);
    write_bytes(path_, file);
    EXPECT_EQ(open_code(), Code::kLogCorrupt) << at;
    EXPECT_EQ(open_code(true), Code::kLogCorrupt) << at;
    EXPECT_EQ(bytes_of(wal), bad) << "nothing was truncated";
  }
}

TEST_F(LogTest, ForgetsOnlyTheTornTailOfTheLastTransaction) {
  auto log = open();
  fill(*log, 20);
  copy_files();
  const fs::path wal = path_.string() + "-wal";
  auto torn = bytes_of(wal);
  torn[torn.size() - 100] ^= 1;
  write_bytes(wal, torn);
  auto other = open();
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->head().seq, 20u) << "19 whole records and the epoch's";
}

TEST_F(LogTest, KeepsTwoSnapshotsAndFallsBackToTheOlder) {
  auto log = open();
  fill(*log, 30);
  EXPECT_EQ(log->load_snapshot().value(), std::nullopt);
  ASSERT_TRUE(log->save_snapshot({10, Bytes(10'000, 1)}).has_value());
  ASSERT_TRUE(log->save_snapshot({20, Bytes(20'000, 2)}).has_value());
  ASSERT_TRUE(log->save_snapshot({30, Bytes(5'000, 3)}).has_value());
  log.reset();
  log = open();
  auto loaded = log->load_snapshot().value();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->seq, 30u);
  EXPECT_EQ(loaded->state, Bytes(5'000, 3));
  log.reset();
  for (const char* suffix : {"-snap0", "-snap1"}) {
    const fs::path file = path_.string() + suffix;
    const auto good = bytes_of(file);
    auto bad = good;
    bad[good.size() / 2] ^= 1;
    write_bytes(file, bad);
    loaded = open()->load_snapshot().value();
    ASSERT_TRUE(loaded.has_value());
    EXPECT_EQ(loaded->seq, good[88] == 3 ? 20u : 30u);
    write_bytes(file, good);
  }
}

TEST_F(LogTest, KeepsASnapshotOfManyMegabytes) {
  Bytes state(5 * 1024 * 1024 + 3);
  for (size_t i = 0; i < state.size(); ++i) state[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  {
    auto log = open();
    fill(*log, 1);
    ASSERT_TRUE(log->save_snapshot({1, state}).has_value());
  }
  const auto loaded = open()->load_snapshot().value();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->state, state);
}

TEST_F(LogTest, IgnoresASnapshotOfAnotherHistory) {
  {
    auto log = open();
    fill(*log, 10);
    ASSERT_TRUE(log->save_snapshot({10, {1}}).has_value());
  }
  fs::remove(path_);
  auto log = open();
  EXPECT_EQ(log->load_snapshot().value(), std::nullopt);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(log->append(std::vector{event("other")}));
  EXPECT_EQ(log->load_snapshot().value(), std::nullopt);
}

TEST_F(LogTest, RefusesASnapshotOfWhatIsNotDurable) {
  auto log = open();
  fill(*log, 3);
  EXPECT_FALSE(log->save_snapshot({4, {1}}).has_value());
  EXPECT_FALSE(log->save_snapshot({0, {1}}).has_value());
  EXPECT_TRUE(log->append(std::vector{event("the log goes on")}).has_value());
}

TEST_F(LogTest, KeepsSecretsBesideTheChain) {
  auto log = open();
  EXPECT_EQ(log->get_secret("dice_seed").value(), std::nullopt);
  ASSERT_TRUE(log->put_secret("dice_seed", Bytes{1, 2, 3}).has_value());
  ASSERT_TRUE(log->put_secret("empty", {}).has_value());
  ASSERT_TRUE(log->put_secret("dice_seed", Bytes{4}).has_value());
  EXPECT_EQ(log->head().seq, 0u);
  log.reset();
  log = open();
  EXPECT_EQ(log->get_secret("dice_seed").value(), (Bytes{4}));
  EXPECT_EQ(log->get_secret("empty").value(), Bytes{});
}

TEST_F(LogTest, TheWalStaysBoundedUnderLoad) {
  auto log = open();
  const std::vector<Record> ten(10, event(std::string(3000, 'x')));
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(log->append(ten).has_value());
  EXPECT_LT(fs::file_size(path_.string() + "-wal"),
            static_cast<uintmax_t>(3 * internal::kCheckpointPages * 4120));
  EXPECT_GT(fs::file_size(path_), uintmax_t{3000} * 3000 / 2);
}

}  // namespace
}  // namespace footlight::log
