#include "disk.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace footlight::sim {
namespace {

Bytes pattern(size_t bytes, uint8_t value) { return Bytes(bytes, value); }

void put(SimDisk& disk, DiskFile& file, uint64_t at, const Bytes& bytes) {
  ASSERT_EQ(disk.write(file, bytes.data(), bytes.size(), at), SQLITE_OK);
}

TEST(SimDisk, KeepsWhatWasSynced) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk(seed);
    auto file = disk.create("/a");
    put(disk, *file, 0, pattern(5000, 1));
    ASSERT_EQ(disk.sync(*file, true), SQLITE_OK);
    disk.lose_power();
    disk.start_process();
    ASSERT_NE(disk.find("/a"), nullptr);
    EXPECT_EQ(disk.find("/a")->cache, pattern(5000, 1));
  }
}

TEST(SimDisk, DropsTearsOrKeepsWhatWasNot) {
  int kept = 0;
  int dropped = 0;
  int torn = 0;
  int vanished = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SimDisk disk(seed);
    auto file = disk.create("/a");
    put(disk, *file, 0, pattern(4096, 1));
    ASSERT_EQ(disk.sync(*file, seed % 2 == 0), SQLITE_OK);
    put(disk, *file, 0, pattern(4096, 2));
    disk.lose_power();
    file = disk.find("/a");
    if (!file) {
      ++vanished;
      EXPECT_EQ(seed % 2, 1u) << "a name that was synced vanished";
      continue;
    }
    ASSERT_EQ(file->cache.size(), 4096u);
    const auto twos = std::count(file->cache.begin(), file->cache.end(), 2);
    EXPECT_EQ(twos % static_cast<long>(kSectorBytes), 0) << "a sector is whole";
    kept += twos == 4096;
    dropped += twos == 0;
    torn += twos != 0 && twos != 4096;
  }
  EXPECT_GT(kept, 10);
  EXPECT_GT(dropped, 10);
  EXPECT_GT(torn, 10);
  EXPECT_GT(vanished, 10);
}

TEST(SimDisk, AFailedSyncIsNotMadeGoodByALaterOne) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk(seed);
    auto file = disk.create("/a");
    put(disk, *file, 0, pattern(8192, 1));
    disk.faults.sync_error_ppm = 1'000'000;
    ASSERT_EQ(disk.sync(*file, true), SQLITE_IOERR_FSYNC);
    disk.faults.sync_error_ppm = 0;
    EXPECT_EQ(file->cache, pattern(8192, 1)) << "the cache still shows it";
    ASSERT_EQ(disk.sync(*file, true), SQLITE_OK);
    disk.lose_power();
    lost += disk.find("/a")->cache != pattern(8192, 1);
  }
  EXPECT_GT(lost, 40);
}

TEST(SimDisk, AProcessThatDiesLosesNothingOfTheCache) {
  SimDisk disk(1);
  auto file = disk.create("/a");
  put(disk, *file, 0, pattern(1000, 1));
  disk.kill_process();
  EXPECT_TRUE(disk.process_dead());
  disk.start_process();
  EXPECT_EQ(disk.find("/a")->cache, pattern(1000, 1));
}

TEST(SimDisk, AFullDiskTakesNoMoreAndSaysWhy) {
  SimDisk disk(1);
  disk.faults.capacity_bytes = 10'000;
  auto file = disk.create("/a");
  put(disk, *file, 0, pattern(9'000, 1));
  const auto more = pattern(2'000, 2);
  EXPECT_EQ(disk.write(*file, more.data(), more.size(), 9'000), SQLITE_FULL);
  EXPECT_EQ(disk.error(), ENOSPC);
  EXPECT_EQ(disk.write(*file, more.data(), more.size(), 0), SQLITE_OK) << "no growth";
}

TEST(SimDisk, ATruncationThatWasSyncedStays) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SimDisk disk(seed);
    auto file = disk.create("/a");
    put(disk, *file, 0, pattern(3000, 1));
    ASSERT_EQ(disk.sync(*file, true), SQLITE_OK);
    ASSERT_EQ(disk.truncate(*file, 100), SQLITE_OK);
    put(disk, *file, 2000, pattern(10, 2));
    ASSERT_EQ(disk.sync(*file, true), SQLITE_OK);
    disk.lose_power();
    Bytes expected = pattern(100, 1);
    expected.resize(2000, 0);
    expected.resize(2010, 2);
    EXPECT_EQ(disk.find("/a")->cache, expected);
  }
}

}  // namespace
}  // namespace footlight::sim
