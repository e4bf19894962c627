// The event log on a disk that tears, fails and fills up.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "disk.h"
#include "log/log.h"
#include "vfs.h"

namespace footlight::sim {
namespace {

using log::Head;
using log::Record;
using log::RecordKind;

constexpr const char* kPath = "/data/show.episode";

struct Rig {
  explicit Rig(uint64_t seed) : random(seed), disk(random.next()), vfs(disk) {}

  Result<std::unique_ptr<log::EventLog>> open(bool read_only = false) {
    log::OpenOptions options;
    options.path = kPath;
    options.vfs = vfs.name();
    options.read_only = read_only;
    return log::open_event_log(options);
  }
  std::vector<Record> batch() {
    std::vector<Record> out(1 + random.below(4));
    for (Record& record : out) {
      const size_t bytes = random.below(6) == 0 ? random.below(20'000) : random.below(200);
      record.kind = RecordKind::kEvent;
      record.at_ms = static_cast<WallMs>(random.below(1000));
      record.payload = Bytes(bytes, static_cast<uint8_t>(random.next()));
    }
    return out;
  }
  void crash(bool power) {
    if (power) {
      disk.lose_power();
    } else {
      disk.kill_process();
    }
  }

  Prng random;
  SimDisk disk;
  SimVfs vfs;
};

// What the log must hold: everything acknowledged; of the batch under way when it ended all or
// nothing.
class Model {
 public:
  void acknowledge(const Head& before, const std::vector<Record>& batch, const Head& head) {
    ASSERT_EQ(head.seq, before.seq + batch.size());
    for (size_t i = 0; i < batch.size(); ++i) records_[before.seq + 1 + i] = batch[i];
    acknowledged_ = head;
    in_flight_.clear();
  }
  void lost_sight_of(const Head& before, std::vector<Record> batch) {
    in_flight_ = std::move(batch);
    in_flight_at_ = before.seq;
  }
  // After reopening: takes over what turned out to be there.
  void check(log::EventLog& log) {
    const Head head = log.head();
    ASSERT_GE(head.seq, acknowledged_.seq);
    uint64_t extra = 0;
    uint64_t next = 1;
    const auto status = log.read(0, [&](const log::StoredRecord& stored) {
      EXPECT_EQ(stored.seq, next++);
      if (stored.seq == acknowledged_.seq) {
        EXPECT_EQ(stored.chain, acknowledged_.chain);
      }
      if (stored.kind == RecordKind::kEpoch) return true;
      const bool flown = stored.seq > acknowledged_.seq;
      if (flown) {
        const uint64_t index = stored.seq - in_flight_at_ - 1;
        EXPECT_LT(index, in_flight_.size()) << "a record nobody sent";
        if (index >= in_flight_.size()) return false;
        records_[stored.seq] = in_flight_[index];
        ++extra;
      }
      const Record& sent = records_[stored.seq];
      EXPECT_EQ(stored.at_ms, sent.at_ms);
      EXPECT_TRUE(std::ranges::equal(stored.payload, sent.payload)) << stored.seq;
      return true;
    });
    ASSERT_TRUE(status.has_value()) << status.error().message();
    EXPECT_EQ(next, head.seq + 1);
    EXPECT_TRUE(extra == 0 || extra == in_flight_.size()) << "half a batch";
    acknowledged_ = head;
    in_flight_.clear();
  }

 private:
  std::map<uint64_t, Record> records_;
  Head acknowledged_;
  std::vector<Record> in_flight_;
  uint64_t in_flight_at_ = 0;
};

// Appends until the log fails or `batches` are in; whether it still works.
bool append_some(Rig& rig, Model& model, log::EventLog& log, uint64_t batches) {
  for (uint64_t i = 0; i < batches; ++i) {
    const Head before = log.head();
    auto batch = rig.batch();
    const auto head = log.append(batch);
    if (!head) {
      model.lost_sight_of(before, std::move(batch));
      EXPECT_EQ(log.head().seq, before.seq) << "what failed is not shown";
      return false;
    }
    model.acknowledge(before, batch, *head);
    if (rig.random.below(20) == 0) (void)log.save_snapshot({head->seq, Bytes(2000, 7)});
    if (rig.random.below(50) == 0) (void)log.put_secret("key", Bytes(32, 1));
  }
  return true;
}

TEST(LogOnABadDisk, LosesNothingAcknowledgedAndNothingByHalfWhenItCrashes) {
  int crashes = 0;
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rig rig(seed);
    Model model;
    for (int life = 0; life < 6; ++life) {
      rig.disk.start_process();
      if (rig.random.below(4) != 0) {
        rig.disk.crash_after(1 + rig.random.below(rig.random.below(3) == 0 ? 20 : 300));
      }
      auto log = rig.open();
      if (!log) {
        ASSERT_TRUE(rig.disk.process_dead()) << log.error().message();
        rig.crash(rig.random.below(2) == 0);
        ++crashes;
        continue;
      }
      model.check(**log);
      const bool alive = append_some(rig, model, **log, rig.random.below(120));
      EXPECT_TRUE(alive || rig.disk.process_dead()) << "only the crash stops it here";
      if (rig.random.below(2) == 0) log->reset();  // it may die while it closes, too
      if (rig.disk.process_dead() || rig.random.below(2) == 0) {
        rig.crash(rig.random.below(3) != 0);
        ++crashes;
      }
      log->reset();
      if (rig.disk.process_dead()) rig.crash(rig.random.below(3) != 0);
      if (HasFailure()) return;
    }
    rig.disk.start_process();
    auto log = rig.open();
    ASSERT_TRUE(log.has_value()) << log.error().message();
    model.check(**log);
    if (HasFailure()) return;
  }
  EXPECT_GT(crashes, 500);
}

TEST(LogOnABadDisk, StopsForGoodAfterAFailedSyncOrWriteAndReadsGoOn) {
  int halted = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rig rig(seed);
    Model model;
    auto log = rig.open();
    ASSERT_TRUE(log.has_value());
    ASSERT_TRUE(append_some(rig, model, **log, 20));
    const bool sync = rig.random.below(2) == 0;
    (sync ? rig.disk.faults.sync_error_ppm : rig.disk.faults.write_error_ppm) = 100'000;
    const bool alive = append_some(rig, model, **log, 60);
    rig.disk.faults = {};
    if (alive) continue;
    ++halted;
    const auto syncs = rig.disk.counters.syncs;
    const auto writes = rig.disk.counters.writes;
    const auto again = (*log)->append(rig.batch());
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code, Code::kLogHalted);
    EXPECT_FALSE((*log)->put_secret("a", {}).has_value());
    EXPECT_FALSE((*log)->save_snapshot({1, {}}).has_value());
    uint64_t seen = 0;
    EXPECT_TRUE((*log)->read(0, [&](const auto& r) { return (seen = r.seq) != 0; }).has_value());
    EXPECT_EQ(seen, (*log)->head().seq);
    log->reset();
    EXPECT_EQ(rig.disk.counters.syncs, syncs) << "the sync was retried";
    EXPECT_EQ(rig.disk.counters.writes, writes) << "something was written after the failure";
    rig.crash(rig.random.below(2) == 0);
    rig.disk.start_process();
    log = rig.open();
    ASSERT_TRUE(log.has_value()) << log.error().message();
    model.check(**log);
    // What the failed sync left in the cache must not be what later records stand on.
    ASSERT_TRUE(append_some(rig, model, **log, 10));
    rig.crash(true);
    log->reset();
    rig.disk.start_process();
    log = rig.open();
    ASSERT_TRUE(log.has_value()) << log.error().message();
    model.check(**log);
    if (HasFailure()) return;
  }
  EXPECT_GT(halted, 100);
}

TEST(LogOnABadDisk, SaysThatTheDiskIsFullAndGoesOnOnceThereIsRoom) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rig rig(seed);
    Model model;
    auto log = rig.open();
    ASSERT_TRUE(log.has_value());
    ASSERT_TRUE(append_some(rig, model, **log, 20));
    rig.disk.faults.capacity_bytes = rig.disk.used_bytes() + rig.random.below(60'000);
    Code code = Code::kOk;
    for (int i = 0; i < 1000 && code == Code::kOk; ++i) {
      const Head before = (*log)->head();
      auto batch = rig.batch();
      const auto head = (*log)->append(batch);
      if (head) {
        model.acknowledge(before, batch, *head);
      } else {
        code = head.error().code;
        model.lost_sight_of(before, batch);
      }
    }
    EXPECT_EQ(code, Code::kDiskFull);
    uint64_t seen = 0;
    EXPECT_TRUE((*log)->read(0, [&](const auto& r) { return (seen = r.seq) != 0; }).has_value());
    EXPECT_EQ(seen, (*log)->head().seq);
    rig.disk.faults = {};
    EXPECT_EQ((*log)->append(rig.batch()).error().code, Code::kDiskFull);
    log->reset();
    log = rig.open();
    ASSERT_TRUE(log.has_value()) << log.error().message();
    model.check(**log);
    ASSERT_TRUE(append_some(rig, model, **log, 5));
    if (HasFailure()) return;
  }
}

TEST(LogOnABadDisk, ANewLogOnAFullDiskSaysSoAndNotWhatItWouldHaveWritten) {
  Rig rig(1);
  rig.disk.faults.capacity_bytes = 4'096;
  const auto log = rig.open();
  ASSERT_FALSE(log.has_value());
  EXPECT_EQ(log.error().code, Code::kDiskFull);
  EXPECT_LT(log.error().detail.size(), 100u) << log.error().detail;
}

TEST(LogOnABadDisk, ACommitSyncsTheWalBeforeItReturns) {
  Rig rig(1);
  auto log = rig.open();
  ASSERT_TRUE(log.has_value());
  for (int i = 0; i < 20; ++i) {
    const auto before = rig.disk.counters.syncs;
    ASSERT_TRUE((*log)->append(std::vector<Record>{{RecordKind::kEvent, 1, {1}}}).has_value());
    EXPECT_GE(rig.disk.counters.syncs, before + 1);
    EXPECT_TRUE(rig.disk.find(std::string(kPath) + "-wal")->dirty.empty());
  }
}

TEST(LogOnABadDisk, TheTestsNoticeADiskThatDoesNotSync) {
  int noticed = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Rig rig(seed);
    rig.disk.faults.skip_sync = true;
    auto log = rig.open();
    ASSERT_TRUE(log.has_value());
    for (int i = 0; i < 5; ++i) ASSERT_TRUE((*log)->append(rig.batch()).has_value());
    const auto seq = (*log)->head().seq;
    rig.crash(true);
    log->reset();
    rig.disk.start_process();
    rig.disk.faults = {};
    log = rig.open();
    noticed += !log || (*log)->head().seq < seq;
  }
  EXPECT_GT(noticed, 15);
}

TEST(LogOnABadDisk, RefusesAFlippedBitInWhatWasSyncedOrShowsAllOfIt) {
  int refused = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rig rig(seed);
    Model model;
    auto log = rig.open();
    ASSERT_TRUE(log.has_value());
    ASSERT_TRUE(append_some(rig, model, **log, 30));
    const Head head = (*log)->head();
    rig.crash(true);
    log->reset();
    rig.disk.start_process();
    const std::string name = std::string(kPath) + (rig.random.below(2) == 0 ? "" : "-wal");
    const auto size = rig.disk.find(name)->cache.size();
    // The very last transaction may look like one that was never synced.
    rig.disk.flip_bit(name, rig.random.below(size - std::min<size_t>(size / 3, 100'000)),
                      static_cast<int>(rig.random.below(8)));
    log = rig.open();
    if (!log) {
      ++refused;
      EXPECT_TRUE(log.error().code == Code::kLogCorrupt || log.error().code == Code::kLogFormat ||
                  log.error().code == Code::kLogOpen)
          << log.error().message();
      continue;
    }
    EXPECT_GE((*log)->head().seq, head.seq);
    model.check(**log);
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, 80);
}

TEST(LogOnABadDisk, IsNotCalledDamagedWhereItCannotBeRead) {
  int refused = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rig rig(seed);
    Model model;
    auto log = rig.open();
    ASSERT_TRUE(log.has_value());
    ASSERT_TRUE(append_some(rig, model, **log, 30));
    log->reset();
    rig.disk.faults.read_error_ppm = 50'000;
    log = rig.open();
    if (!log) {
      ++refused;
      EXPECT_TRUE(log.error().code == Code::kLogOpen || log.error().code == Code::kIo)
          << log.error().message();
    } else {
      log->reset();
    }
    rig.disk.faults.read_error_ppm = 0;
    log = rig.open();
    ASSERT_TRUE(log.has_value()) << log.error().message();
    model.check(**log);
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, 100);
}

TEST(LogOnABadDisk, SaysReadOnlyOnAReadOnlyDisk) {
  Rig rig(1);
  rig.disk.faults.read_only = true;
  EXPECT_EQ(rig.open().error().code, Code::kLogReadOnly);
  rig.disk.faults.read_only = false;
  ASSERT_TRUE(rig.open().has_value());
  rig.disk.faults.read_only = true;
  EXPECT_EQ(rig.open().error().code, Code::kLogReadOnly);
}

}  // namespace
}  // namespace footlight::sim
