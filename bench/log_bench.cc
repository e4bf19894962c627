// DEPS: footlight_log
// Group commit of the event log: how many records a second, and how long one commit takes, by the
// size of the batch; reading with the chain checked; opening.
//
// The files lie in $FOOTLIGHT_BENCH_DIR, or the working directory: what is measured is that disk.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "log/log.h"

namespace {

namespace fs = std::filesystem;
using footlight::Bytes;
namespace flog = footlight::log;

class Directory {
 public:
  Directory() {
    const char* base = std::getenv("FOOTLIGHT_BENCH_DIR");
    std::string name = std::string(base == nullptr ? "." : base) + "/log-bench-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Directory() { fs::remove_all(path_); }
  std::string file() const { return path_ / "bench.episode"; }

 private:
  fs::path path_;
};

std::unique_ptr<flog::EventLog> open(const std::string& path) {
  flog::OpenOptions options;
  options.path = path;
  auto log = flog::open_event_log(options);
  if (!log) std::abort();
  return std::move(*log);
}

std::vector<flog::Record> batch(size_t count, size_t bytes) {
  flog::Record record;
  record.at_ms = 1'700'000'000'000;
  record.payload = Bytes(bytes, 0x5A);
  return std::vector<flog::Record>(count, record);
}

// Microseconds, in one run of all iterations.
void report(benchmark::State& state, std::vector<double>& us) {
  if (us.empty()) return;
  std::ranges::sort(us);
  const auto at = [&](double part) {
    return us[static_cast<size_t>(part * static_cast<double>(us.size() - 1))];
  };
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
  state.counters["max_us"] = us.back();
}

// `range(0)` records of 232 bytes in one append, as one commit with its sync.
void append(benchmark::State& state) {
  Directory directory;
  auto log = open(directory.file());
  const auto records = batch(static_cast<size_t>(state.range(0)), 232);
  std::vector<double> us;
  for (auto _ : state) {
    const auto from = std::chrono::steady_clock::now();
    if (!log->append(records)) std::abort();
    us.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  report(state, us);
}
BENCHMARK(append)->Arg(1)->Arg(16)->Arg(256)->Arg(1024)->Arg(4096)->UseRealTime()->MinTime(2.0);

// What the owner does: blocks of `range(0)` ballots of about 28 bytes, one block a commit.
void append_ballots(benchmark::State& state) {
  Directory directory;
  auto log = open(directory.file());
  const auto records = batch(1, static_cast<size_t>(state.range(0)) * 28);
  std::vector<double> us;
  for (auto _ : state) {
    const auto from = std::chrono::steady_clock::now();
    if (!log->append(records)) std::abort();
    us.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  report(state, us);
}
BENCHMARK(append_ballots)->Arg(16)->Arg(256)->Arg(1024)->Arg(4096)->UseRealTime()->MinTime(2.0);

// Records of 232 bytes, the chain checked.
void read(benchmark::State& state) {
  Directory directory;
  auto log = open(directory.file());
  const auto records = batch(4'096, 232);
  for (int i = 0; i < 25; ++i) (void)log->append(records);
  for (auto _ : state) {
    uint64_t bytes = 0;
    (void)log->read(0, [&](const flog::StoredRecord& record) {
      bytes += record.payload.size();
      return true;
    });
    benchmark::DoNotOptimize(bytes);
  }
  state.SetItemsProcessed(state.iterations() * 25 * 4'096);
}
BENCHMARK(read)->UseRealTime();

void open_empty(benchmark::State& state) {
  for (auto _ : state) {
    Directory directory;
    auto log = open(directory.file());
    benchmark::DoNotOptimize(log);
  }
}
BENCHMARK(open_empty)->UseRealTime()->Unit(benchmark::kMillisecond);

// 100,000 records without a snapshot: the whole chain is checked.
void open_full(benchmark::State& state) {
  Directory directory;
  {
    auto log = open(directory.file());
    const auto records = batch(4'000, 232);
    for (int i = 0; i < 25; ++i) (void)log->append(records);
  }
  for (auto _ : state) {
    auto log = open(directory.file());
    benchmark::DoNotOptimize(log);
  }
}
BENCHMARK(open_full)->UseRealTime()->Unit(benchmark::kMillisecond);

void save_snapshot(benchmark::State& state) {
  Directory directory;
  auto log = open(directory.file());
  (void)log->append(batch(1, 100));
  flog::Snapshot snapshot{1, Bytes(static_cast<size_t>(state.range(0)), 0x33)};
  for (auto _ : state) {
    if (!log->save_snapshot(snapshot)) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(save_snapshot)
    ->Arg(64 << 10)
    ->Arg(24 << 20)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
