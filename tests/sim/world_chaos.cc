#include <cstdlib>
#include <utility>

#include "world_impl.h"

namespace footlight::sim {
namespace {

constexpr MonoUs kMs = kUsPerMs;
constexpr MonoUs kSecond = kUsPerSecond;

enum Fault : uint64_t {
  kPowerLost,
  kProcessKilled,
  kDiesWriting,
  kDiesWritingSoon,
  kSyncsFail,
  kWritesFail,
  kReadsFail,
  kDiskFull,
  kEdgeDies,
  kLinksCut,
  kLinksCutTwice,
  kBusStalls,
  kEdgeFreezes,
  kClockSteps,
  kDiskSlow,
  kDrained,
  kFaults,
};

}  // namespace

// What goes wrong is chosen by the seed: some runs are calm, some have one kind of trouble, some
// all.
void World::plan_faults() {
  const auto when = [this] {
    return static_cast<MonoUs>(random_.below(static_cast<uint64_t>(show_us_)));
  };
  const uint64_t mood = random_.below(6);
  const uint64_t count = mood == 0 ? 0 : random_.below(7);
  const uint64_t only = random_.below(kFaults);
  for (uint64_t i = 0; i < count; ++i) {
    // Trouble with the network alone lets the checker of deadlines be strict.
    constexpr uint64_t kNetwork[] = {kLinksCut, kLinksCutTwice, kClockSteps, kDiskSlow};
    const uint64_t kind = mood == 1   ? only
                          : mood == 2 ? kNetwork[random_.below(std::size(kNetwork))]
                                      : random_.below(kFaults);
    scheduler_.at(when(), [this, kind] { fault(kind); });
  }
  if (storms_) scheduler_.after(kSecond, [this] { storm_at_close(); });
}

void World::fault(uint64_t kind) {
  DiskFaults& disk = node_->disk().faults;
  const size_t edge = random_.below(3);
  if (kind != kLinksCut && kind != kLinksCutTwice && kind != kClockSteps && kind != kDiskSlow) {
    ledger_.excuse_late_votes();
  }
  switch (kind) {
    case kPowerLost:
      return crash(true);
    case kProcessKilled:
      return crash(false);
    case kDiesWriting:
    case kDiesWritingSoon:
      return node_->disk().crash_after(1 + random_.below(kind == kDiesWriting ? 80 : 6));
    case kSyncsFail:
      disk.sync_error_ppm = static_cast<uint32_t>(random_.between(20'000, 500'000));
      return;
    case kWritesFail:
      disk.write_error_ppm = static_cast<uint32_t>(random_.between(5'000, 200'000));
      return;
    case kReadsFail:
      disk.read_error_ppm = static_cast<uint32_t>(random_.between(5'000, 100'000));
      return;
    case kDiskFull:
      disk.capacity_bytes = node_->disk().used_bytes() + random_.below(20'000);
      return;
    case kEdgeDies:
      return node_->crash_edge(edge);
    case kLinksCutTwice:
      scheduler_.after(random_.between(20, 400) * kMs, [this] { fault(kLinksCut); });
      [[fallthrough]];
    case kLinksCut:
      return node_->cut_links(static_cast<uint32_t>(random_.below(101)), 2 * kSecond, 10 * kSecond);
    case kBusStalls:
      return node_->stall_bus(edge, scheduler_.now_us() + random_.between(100, 4'000) * kMs);
    case kEdgeFreezes:
      return node_->freeze_edge(edge, scheduler_.now_us() + random_.between(50, 3'000) * kMs);
    case kClockSteps: {
      const int64_t by_ms = random_.between(-300, 300);
      ledger_.allow_clock_error_ms(std::abs(by_ms));
      return node_->step_clock(edge, by_ms);
    }
    case kDiskSlow:
      return node_->slow_disk(random_.between(20, 300) * kMs);
    default:
      return drain_and_restart();
  }
}

// Everyone, or nearly, loses the connection just as a poll closes; sometimes the process dies too.
void World::storm_at_close() {
  if (scheduler_.now_us() > show_us_) return;
  scheduler_.after(60 * kMs, [this] { storm_at_close(); });
  if (!node_->running() || node_->halted()) return;
  const WallMs deadline_ms = episode::next_deadline_ms(node_->owner()->state());
  if (deadline_ms == INT64_MAX || deadline_ms == stormed_deadline_ms_) return;
  const int64_t left_ms = deadline_ms - node_->clock().wall_ms();
  if (left_ms > 400) return;
  stormed_deadline_ms_ = deadline_ms;
  ledger_.note("storm");
  const bool dies = random_.below(4) == 0;
  if (dies) ledger_.excuse_late_votes();
  scheduler_.after(random_.between(0, std::max<int64_t>(1, left_ms + 60)) * kMs, [this, dies] {
    node_->cut_links(60 + static_cast<uint32_t>(random_.below(41)), 300 * kMs, kSecond);
    if (dies) crash(random_.below(2) == 0);
  });
}

void World::repair_disk() {
  DiskFaults& faults = node_->disk().faults;
  const DiskFaults before = faults;
  faults = {};
  faults.skip_sync = before.skip_sync;
  faults.believe_second_sync = before.believe_second_sync;
}

void World::start_node() {
  restart_planned_ = false;
  const Code code = node_->start();
  if (code == Code::kOk) {
    ledger_.note("started, epoch " + std::to_string(node_->owner()->metrics().epoch));
    return;
  }
  if (code == Code::kLogCorrupt || code == Code::kLogFormat) {
    return ledger_.fail("after a crash the log does not open: " + std::string(code_name(code)));
  }
  // It died while it opened, or the disk still fails: the operator comes back.
  crash(random_.below(2) == 0);
}

void World::died() {
  ledger_.note("died in the middle of a disk operation");
  crash(random_.below(2) == 0);
}

void World::restart_after(MonoUs delay_us) {
  if (restart_planned_) return;
  restart_planned_ = true;
  scheduler_.after(delay_us, [this] {
    // Whoever restarts it has seen to the disk, most of the time.
    if (healed_ || random_.below(4) != 0) repair_disk();
    start_node();
  });
}

void World::crash(bool power) {
  ledger_.excuse_late_votes();
  draining_ = false;
  node_->crash(power);
  restart_after(random_.between(50, 1'500) * kMs);
}

// A rolling update: everyone is told, what was accepted is committed, then it starts anew.
void World::drain_and_restart() {
  if (draining_ || !node_->running()) return;
  draining_ = true;
  node_->drain();
  close_when_drained(scheduler_.now_us() + 5 * kSecond);
}

void World::close_when_drained(MonoUs patience_until_us) {
  scheduler_.after(50 * kMs, [this, patience_until_us] {
    if (!draining_) return;  // it died meanwhile
    const bool late = scheduler_.now_us() >= patience_until_us;
    if (!late && !node_->closable()) return close_when_drained(patience_until_us);
    draining_ = false;
    if (late && !node_->owner()->idle()) return crash(false);
    node_->close();
    if (node_->disk().process_dead()) return crash(random_.below(2) == 0);
    restart_after(random_.between(20, 500) * kMs);
  });
}

// A halted episode accepts nothing until an operator restarts it.
void World::watch_halt() {
  if (node_->halted() && !restart_planned_) {
    ledger_.note("halted; the operator restarts it");
    crash(random_.below(3) == 0);
  }
  scheduler_.after(random_.between(500, 1'500) * kMs, [this] { watch_halt(); });
}

void World::heal() {
  healed_ = true;
  ledger_.note("healed");
  repair_disk();
  node_->slow_disk(kMs);
  for (auto& client : clients_) {
    if (client->link() == nullptr) continue;
    client->link()->quality().bytes_per_s = 1'000'000;
    client->link()->quality().buffer_bytes = 64 * 1024;
  }
}

}  // namespace footlight::sim
