#include "world.h"

#include <algorithm>
#include <utility>

#include "edge/owner.h"
#include "script.h"
#include "show.h"

namespace footlight::sim {
namespace {

constexpr MonoUs kMs = kUsPerMs;
constexpr MonoUs kSecond = kUsPerSecond;
// After the last fault everything must come to rest within this: the longest wait of a client (30
// s) twice, and some.
constexpr MonoUs kLivenessUs = 90 * kSecond;

class World {
 public:
  explicit World(const RunOptions& options)
      : options_(options), random_(options.seed), ledger_(scheduler_, options.verbose) {}
  RunResult run();

 private:
  void plan();
  void plan_fault(MonoUs at_us);
  void start_node();
  void died();
  void crash(bool power);
  void watch_halt();
  void add_clients();
  Client& add_client(const std::string& account, proto::Role role,
                     std::vector<std::string> characters);
  void reconnect_during_close();
  void heal();
  bool at_rest();
  bool run_until(MonoUs until_us, bool stop_at_rest);
  void finish(RunResult& result);
  void compare_views(const episode::State& state);

  RunOptions options_;
  Scheduler scheduler_;
  Prng random_;
  Ledger ledger_;
  std::unique_ptr<Node> node_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<Script> script_;
  MonoUs heal_us_ = 0;
  bool restart_planned_ = false;
  bool healed_ = false;
  bool slow_seed_ = false;
};

// What goes wrong is chosen by the seed: some runs are calm, some have one kind of trouble, some
// all.
void World::plan() {
  NodeOptions node;
  node.seed = random_.next();
  node.bug = options_.bug;
  node.edges = 1 + static_cast<int>(random_.below(3));
  for (int i = 0; i < node.edges; ++i) node.skew_ms.push_back(random_.between(-120, 120));
  node.sync_us = random_.between(300, 8'000);
  node.snapshot_every = static_cast<uint32_t>(random_.between(10, 80));
  if (random_.below(4) == 0) node.ring_deltas = static_cast<uint32_t>(random_.between(2, 20));
  if (random_.below(8) == 0) node.pending_max = 4;
  if (random_.below(4) == 0) node.queue_bytes = 12 * 1024;
  slow_seed_ = random_.below(4) == 0;
  node_ = std::make_unique<Node>(scheduler_, node, ledger_);
  node_->on_crash = [this] { died(); };

  const MonoUs show_us = random_.between(5, 11) * kSecond;
  heal_us_ = show_us + 2 * kSecond;
  const uint64_t faults = random_.below(5) == 0 ? 0 : random_.below(7);
  for (uint64_t i = 0; i < faults; ++i) {
    plan_fault(static_cast<MonoUs>(random_.below(static_cast<uint64_t>(show_us))));
  }
  script_ = std::make_unique<Script>(scheduler_, random_.fork(), show_us);
}

void World::plan_fault(MonoUs at_us) {
  const uint64_t kind = random_.below(12);
  scheduler_.at(at_us, [this, kind] {
    switch (kind) {
      case 0:
        return crash(true);
      case 1:
        return crash(false);
      case 2:
      case 3:
        node_->disk().crash_after(1 + random_.below(60));
        return;
      case 4:
        node_->disk().faults.sync_error_ppm = 200'000;
        return;
      case 5:
        node_->disk().faults.write_error_ppm = 100'000;
        return;
      case 6:
        node_->disk().faults.capacity_bytes = node_->disk().used_bytes() + random_.below(20'000);
        return;
      case 7:
        return node_->crash_edge(random_.below(node_->edge_count() + 1));
      case 8:
        return node_->cut_links(static_cast<uint32_t>(random_.below(101)), 2 * kSecond,
                                10 * kSecond);
      case 9: {
        const MonoUs until_us = scheduler_.now_us() + random_.between(100, 4'000) * kMs;
        return node_->stall_bus(random_.below(3), until_us);
      }
      case 10: {
        const int64_t by_ms = random_.between(-300, 300);
        ledger_.allow_clock_error_ms(std::abs(by_ms));
        return node_->step_clock(random_.below(3), by_ms);
      }
      default:
        return node_->slow_disk(random_.between(20, 300) * kMs);
    }
  });
}

void World::start_node() {
  restart_planned_ = false;
  const Code code = node_->start();
  if (code == Code::kOk) {
    ledger_.note("started, epoch " + std::to_string(node_->owner()->metrics().epoch));
    return;
  }
  if (code == Code::kLogCorrupt || code == Code::kLogFormat) {
    ledger_.fail("after a crash the log does not open: " + std::string(code_name(code)));
    return;
  }
  // It died while it opened, or the disk still fails: the operator comes back.
  crash(random_.below(2) == 0);
}

void World::died() {
  ledger_.note("died in the middle of a disk operation");
  crash(random_.below(2) == 0);
}

void World::crash(bool power) {
  node_->crash(power);
  if (restart_planned_) return;
  restart_planned_ = true;
  scheduler_.after(random_.between(50, 1'500) * kMs, [this] {
    // Whoever restarts it has seen to the disk, most of the time.
    if (healed_ || random_.below(4) != 0) {
      const DiskFaults before = node_->disk().faults;
      node_->disk().faults = {};
      node_->disk().faults.skip_sync = before.skip_sync;
      node_->disk().faults.believe_second_sync = before.believe_second_sync;
    }
    start_node();
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

Client& World::add_client(const std::string& account, proto::Role role,
                          std::vector<std::string> characters) {
  ClientSpec spec;
  spec.account = account;
  spec.role = role;
  spec.cid = random_.next();
  spec.ip = "10.0." + std::to_string(random_.below(4)) + "." + std::to_string(random_.below(250));
  gate::Claims claims;
  claims.sub = account;
  claims.episode = kEpisode;
  claims.role = role;
  claims.name = account;
  claims.characters = characters;
  claims.expires_s = SimClock::kEpochMs / 1000 + 100'000;
  spec.characters = std::move(characters);
  spec.token = gate::mint_token(claims, "k", node_->signer()).value();
  LinkQuality quality;
  quality.latency_us = random_.between(1, 120) * kMs;
  quality.jitter_us = random_.between(0, 40) * kMs;
  if (slow_seed_ && random_.below(3) == 0) {
    quality.bytes_per_s = static_cast<uint64_t>(random_.between(300, 4'000));
    quality.buffer_bytes = static_cast<size_t>(random_.between(500, 4'000));
  }
  auto dial = [this, quality](Client& client) {
    LinkQuality now = quality;
    if (healed_) {
      now.bytes_per_s = 1'000'000;
      now.buffer_bytes = 64 * 1024;
    }
    return node_->dial(client, client.spec().cid, client.spec().ip, now);
  };
  clients_.push_back(
      std::make_unique<Client>(scheduler_, random_.fork(), std::move(spec), ledger_, dial));
  Client& client = *clients_.back();
  scheduler_.after(random_.between(0, 600) * kMs, [&client] { client.start(); });
  return client;
}

void World::add_clients() {
  script_->add(add_client("pia", proto::Role::kProducer, {}));
  script_->add(add_client("gil", proto::Role::kGm, {}));
  script_->add(add_client("ann", proto::Role::kPlayer, {"aria"}));
  script_->add(add_client("ben", proto::Role::kPlayer, {"bo"}));
  const uint64_t viewers = 3 + random_.below(6);
  for (uint64_t i = 0; i < viewers; ++i) {
    script_->add(add_client("viewer-" + std::to_string(i), proto::Role::kViewer, {}));
  }
  // One voter on two devices.
  script_->add(add_client("viewer-0", proto::Role::kViewer, {}));
}

void World::heal() {
  healed_ = true;
  ledger_.note("healed");
  DiskFaults& faults = node_->disk().faults;
  const DiskFaults before = faults;
  faults = {};
  faults.skip_sync = before.skip_sync;
  faults.believe_second_sync = before.believe_second_sync;
  node_->slow_disk(1'000);
  for (auto& client : clients_) {
    if (client->link() == nullptr) continue;
    client->link()->quality().bytes_per_s = 1'000'000;
    client->link()->quality().buffer_bytes = 64 * 1024;
  }
}

bool World::at_rest() {
  if (!node_->running() || node_->halted() || !node_->owner()->idle()) return false;
  if (episode::next_deadline_ms(node_->owner()->state()) != INT64_MAX) return false;
  uint64_t offset = node_->owner()->durable_head().seq;
  for (auto& client : clients_) {
    if (client->stopped()) continue;
    if (!client->live() || !client->idle()) return false;
    if (client->offset() < ledger_.newest_offset(client->view_class())) return false;
  }
  return offset > 0;
}

bool World::run_until(MonoUs until_us, bool stop_at_rest) {
  uint64_t next_check = scheduler_.steps();
  while (ledger_.fault().empty() && scheduler_.step(until_us)) {
    if (!stop_at_rest || scheduler_.steps() < next_check) continue;
    next_check = scheduler_.steps() + 50;
    if (at_rest()) return true;
  }
  return stop_at_rest && at_rest();
}

void World::compare_views(const episode::State& state) {
  for (auto& client : clients_) {
    if (client->stopped()) continue;
    View fresh;
    const std::string text = episode::encode_view(state, client->view_class());
    JsonReader in(text);
    std::string_view key;
    if (in.enter_object()) {
      while (in.next_key(key)) {
        auto& entities = fresh[std::string(key)];
        if (!in.enter_object()) break;
        while (in.next_key(key)) {
          const std::string id(key);
          entities[id] = std::string(in.raw());
        }
      }
    }
    View mine = client->view();
    mine.erase("cast");
    fresh.erase("cast");
    std::erase_if(mine, [](const auto& each) { return each.second.empty(); });
    std::erase_if(fresh, [](const auto& each) { return each.second.empty(); });
    if (mine == fresh) continue;
    std::string where;
    for (const auto& [collection, entities] : fresh) {
      for (const auto& [id, entity] : entities) {
        if (mine[collection][id] != entity && where.empty()) {
          where = collection + "/" + id + ": " + mine[collection][id] + " is not " + entity;
        }
      }
    }
    ledger_.fail("the view of " + client->spec().account + " is not a fresh one: " + where);
  }
}

void World::finish(RunResult& result) {
  const Hash256 live = node_->owner()->state().hash();
  compare_views(node_->owner()->state());
  const auto voter_key = node_->voter_key();
  node_->crash(true);
  node_->disk().start_process();
  auto log = log::open_event_log(node_->log_options());
  if (!log) return ledger_.fail("at the end the log does not open: " + log.error().message());
  result.records = (*log)->head().seq;
  SeedEntropy entropy(1);
  edge::RecoverOptions options;
  options.episode = kEpisode;
  options.definition = kDefinition;
  options.entropy = &entropy;
  const auto quick = edge::recover(**log, options);
  WithoutSnapshot plain(**log);
  const auto full = edge::recover(plain, options);
  if (!quick || !full) {
    return ledger_.fail("at the end the log does not replay: " +
                        (quick ? full : quick).error().message());
  }
  if (full->state.hash() != live) ledger_.fail("replay does not give the live state");
  if (quick->state.hash() != live) ledger_.fail("replay from the snapshot gives another state");
  ledger_.audit(**log, voter_key, full->state);
  Sha256 hash;
  hash.update(ByteView((*log)->head().chain));
  hash.update(ByteView(live));
  for (auto& client : clients_) hash.update(ByteView(client->digest()));
  result.hash = hash.finish();
}

RunResult World::run() {
  plan();
  add_clients();
  start_node();
  script_->start();
  watch_halt();
  bool fine = ledger_.fault().empty();
  if (fine) run_until(heal_us_, false);
  if (ledger_.fault().empty()) {
    heal();
    script_->end();
    if (!run_until(heal_us_ + kLivenessUs, true) && ledger_.fault().empty()) {
      std::string who;
      for (auto& client : clients_) {
        if (client->stopped() || (client->live() && client->idle())) continue;
        who += " " + client->describe();
      }
      ledger_.fail("it did not come to rest; waiting:" + (who.empty() ? " the owner" : who));
    }
  }
  // What was sent last arrives, and tallies and deltas settle.
  run_until(scheduler_.now_us() + kSecond, false);
  RunResult result;
  if (ledger_.fault().empty() && !at_rest()) run_until(scheduler_.now_us() + kLivenessUs, true);
  if (ledger_.fault().empty()) finish(result);
  result.fault = ledger_.fault();
  result.steps = scheduler_.steps();
  for (auto& client : clients_) result.frames += client->frames();
  result.confirmed = ledger_.confirmed();
  result.rejected = ledger_.rejected();
  result.starts = node_->starts();
  result.virtual_ms = static_cast<uint64_t>(scheduler_.now_us() / kMs);
  return result;
}

}  // namespace

RunResult run(const RunOptions& options) { return World(options).run(); }

}  // namespace footlight::sim
