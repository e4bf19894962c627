// The process under test: one owner, its log on the virtual disk, some edges. It is started, killed
// and started again; what runs inside are the very objects that the server runs.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bugs.h"
#include "disk.h"
#include "edge/edge.h"
#include "edge/owner.h"
#include "gate/token.h"
#include "log/log.h"
#include "network.h"
#include "scheduler.h"
#include "vfs.h"

namespace footlight::sim {

class SeedEntropy final : public Entropy {
 public:
  explicit SeedEntropy(uint64_t seed) : random_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(random_.next());
  }

 private:
  Prng random_;
};

struct NodeOptions {
  uint64_t seed = 0;
  int edges = 2;
  Bug bug = Bug::kNone;
  std::vector<int64_t> skew_ms;  // wall clocks of the edges, against the owner's
  MonoUs sync_us = 2'000;        // a commit's usual time
  uint32_t snapshot_every = 40;
  uint32_t ring_deltas = 2'048;
  uint32_t pending_max = 131'072;
  uint32_t queue_bytes = 256 * 1024;
  uint32_t board_snapshot_updates = 40;
};

// Told of what happens inside; the checkers listen.
class NodeWatch {
 public:
  virtual ~NodeWatch() = default;
  // A frame reached an edge at this wall time of the edge's clock.
  virtual void frame_arrived(uint64_t cid, WallMs edge_ms, std::string_view text) = 0;
  virtual void node_violation(std::string what) = 0;
  virtual void node_note(std::string what) = 0;  // for --verbose
  virtual void webhook(const edge::WebhookEvent& event, uint64_t durable_seq) = 0;
};

class Node final : public EdgeEnd {
 public:
  Node(Scheduler& scheduler, NodeOptions options, NodeWatch& watch);
  ~Node() override;

  // kOk when it runs; else why the log did not open. Later tries are the caller's.
  Code start();
  bool running() const { return owner_ != nullptr; }
  bool halted() const { return owner_ != nullptr && owner_->halted(); }
  // The process dies now; with power, what was not synced is lost.
  void crash(bool power);
  std::function<void()> on_crash;  // it died by itself, in the middle of a disk operation

  std::shared_ptr<Link> dial(ClientEnd& client, uint64_t cid, const std::string& ip,
                             const LinkQuality& quality);
  void call_api(const edge::ApiCall& call, edge::ApiReply reply);
  // As on SIGTERM: everyone is told; close() ends it, once closable() or when patience ends.
  void drain();
  bool closable() const;
  void close();
  // An edge's thread does not run until then.
  void freeze_edge(size_t index, MonoUs until_us);
  // One edge alone dies, and another takes its place under a new id.
  void crash_edge(size_t index);
  size_t edge_count() const { return slots_.size(); }
  void stall_bus(size_t edge, MonoUs until_us);
  void step_clock(size_t edge, int64_t by_ms);
  void slow_disk(MonoUs sync_us) { options_.sync_us = sync_us; }
  void cut_links(uint32_t percent, MonoUs client_us_max, MonoUs edge_us_max);

  SimDisk& disk() { return disk_; }
  edge::Owner* owner() { return owner_.get(); }
  const gate::SignatureSigner& signer() const { return *signer_; }
  SimClock& clock() { return clock_; }
  log::OpenOptions log_options() const;
  uint64_t starts() const { return starts_; }
  const std::array<uint8_t, 32>& voter_key() const { return voter_key_; }

  // EdgeEnd
  void link_frame(Link& link, std::string_view text) override;
  void link_binary(Link& link, std::string_view bytes) override;
  void link_writable(Link& link) override;
  void link_closed(Link& link) override;

 private:
  class BusPort;
  class LogPort;
  class HookPort;
  struct EdgeSlot;

  EdgeSlot* slot_of(const Link& link);
  void start_edge(size_t index);
  void arm_edge(EdgeSlot& slot);
  void arm_owner();
  // Runs it on the edge's thread, if that edge still lives: now, or when the thread runs again.
  void on_edge_thread(EdgeSlot& slot, std::move_only_function<void(EdgeSlot&)> action);
  void thaw(EdgeSlot& slot);
  void kill_objects();
  Result<edge::Recovered> recover_log();

  Scheduler& scheduler_;
  NodeOptions options_;
  NodeWatch& watch_;
  Prng random_;
  SimDisk disk_;
  SimVfs vfs_;
  SimClock clock_;
  SeedEntropy entropy_;
  std::unique_ptr<gate::SignatureSigner> signer_;
  std::shared_ptr<const gate::KeySet> keys_;

  uint64_t life_ = 0;  // of the process; what was planned for an earlier one does not happen
  uint64_t starts_ = 0;
  uint64_t next_conn_ = 1;
  uint16_t next_edge_id_ = 0;
  std::array<uint8_t, 32> voter_key_{};
  std::unique_ptr<log::EventLog> log_;
  std::unique_ptr<BusPort> bus_;
  std::unique_ptr<LogPort> log_port_;
  std::unique_ptr<HookPort> hooks_;
  std::unique_ptr<edge::Owner> owner_;
  MonoUs owner_armed_us_ = kNever;
  std::vector<std::unique_ptr<EdgeSlot>> slots_;
};

// Replays everything: what the snapshots say is not asked.
class WithoutSnapshot final : public log::EventLog {
 public:
  explicit WithoutSnapshot(log::EventLog& log) : log_(log) {}
  log::Head head() const override { return log_.head(); }
  uint64_t epoch() const override { return log_.epoch(); }
  Result<log::Head> append(std::span<const log::Record> batch) override {
    return log_.append(batch);
  }
  Status read(uint64_t after, const std::function<bool(const log::StoredRecord&)>& visit) override {
    return log_.read(after, visit);
  }
  log::BoardStore* boards() override { return log_.boards(); }
  Status save_snapshot(const log::Snapshot&) override { return {}; }
  Result<std::optional<log::Snapshot>> load_snapshot() override {
    return std::optional<log::Snapshot>();
  }
  Status put_secret(std::string_view name, ByteView value) override {
    return log_.put_secret(name, value);
  }
  Result<std::optional<Bytes>> get_secret(std::string_view name) override {
    return log_.get_secret(name);
  }

 private:
  log::EventLog& log_;
};

}  // namespace footlight::sim
