#include "world.h"

#include <algorithm>
#include <utility>

#include "core/json.h"
#include "edge/owner.h"
#include "show.h"
#include "world_impl.h"

namespace footlight::sim {
namespace {

// After the last fault everything must come to rest within this: the longest wait of a client (30
// s) twice, and some.
constexpr MonoUs kLivenessUs = 90 * kUsPerSecond;

View parse_view(const std::string& text) {
  View out;
  JsonReader in(text);
  std::string_view key;
  if (!in.enter_object()) return out;
  while (in.next_key(key)) {
    auto& entities = out[std::string(key)];
    if (!in.enter_object()) break;
    while (in.next_key(key)) {
      const std::string id(key);
      entities[id] = std::string(in.raw());
    }
  }
  return out;
}

std::string first_difference(View& mine, View& fresh) {
  for (auto* side : {&mine, &fresh}) {
    for (const auto& [collection, entities] : *side) {
      for (const auto& [id, entity] : entities) {
        const std::string& a = mine[collection][id];
        const std::string& b = fresh[collection][id];
        if (a != b) return collection + "/" + id + ": " + a + " is not " + b;
      }
    }
  }
  return "";
}

}  // namespace

void World::plan() {
  NodeOptions node;
  node.seed = random_.next();
  node.bug = options_.bug;
  node.edges = 1 + static_cast<int>(random_.below(3));
  for (int i = 0; i < node.edges; ++i) node.skew_ms.push_back(random_.between(-120, 120));
  node.sync_us = random_.between(300, 8'000);
  node.snapshot_every = static_cast<uint32_t>(random_.between(10, 80));
  if (random_.below(4) == 0) node.ring_deltas = static_cast<uint32_t>(random_.between(2, 20));
  if (random_.below(8) == 0) node.pending_max = 16;
  if (random_.below(4) == 0) node.queue_bytes = 12 * 1024;
  slow_links_ = random_.below(4) == 0;
  storms_ = random_.below(3) == 0;
  watches_late_ = random_.below(2) == 0;
  node.board_snapshot_updates = static_cast<uint32_t>(random_.between(5, 60));
  node_ = std::make_unique<Node>(scheduler_, node, ledger_);
  node_->on_crash = [this] { died(); };
  show_us_ = random_.between(5, 11) * kUsPerSecond;
  heal_us_ = show_us_ + 2 * kUsPerSecond;
  script_ = std::make_unique<Script>(scheduler_, random_.fork(), show_us_);
}

bool World::at_rest() {
  if (!node_->running() || node_->halted() || draining_ || !node_->owner()->idle()) return false;
  if (episode::next_deadline_ms(node_->owner()->state()) != INT64_MAX) return false;
  if (!std::ranges::all_of(board_clients_, [](const auto& each) { return each->idle(); })) {
    return false;
  }
  return std::ranges::all_of(clients_, [this](const auto& client) {
    if (client->stopped()) return true;
    return client->live() && client->idle() &&
           client->offset() >= ledger_.newest_offset(client->view_class());
  });
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

std::string World::who_waits() const {
  std::string out;
  for (const auto& client : clients_) {
    if (client->stopped() || (client->live() && client->idle())) continue;
    out += " " + client->describe();
  }
  for (const auto& client : board_clients_) {
    if (!client->idle()) out += " " + client->describe();
  }
  return out.empty() ? " the owner" : out;
}

// At rest, and still so a second later: what was sent last has arrived then, too. A token may end
// in between, so it is tried several times.
void World::settle() {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const bool rests = run_until(scheduler_.now_us() + kLivenessUs, true);
    if (!ledger_.fault().empty()) return;
    if (!rests) return ledger_.fail("it did not come to rest; waiting:" + who_waits());
    run_until(scheduler_.now_us() + kUsPerSecond, false);
    if (!ledger_.fault().empty() || at_rest()) return;
  }
  ledger_.fail("it does not stay at rest");
}

void World::compare_views(const episode::State& state) {
  for (auto& client : clients_) {
    if (client->stopped()) continue;
    View fresh = parse_view(episode::encode_view(state, client->view_class()));
    View mine = client->view();
    mine.erase("cast");  // is not of the state
    fresh.erase("cast");
    const std::string where = first_difference(mine, fresh);
    if (where.empty()) continue;
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
  board_ledger_.audit(**log, full->state, board_clients_);
  Sha256 hash;
  hash.update(ByteView((*log)->head().chain));
  hash.update(ByteView(live));
  for (auto& client : clients_) hash.update(ByteView(client->digest()));
  for (auto& client : board_clients_) hash.update(as_bytes(client->content()));
  result.hash = hash.finish();
}

RunResult World::run() {
  plan();
  add_people();
  plan_faults();
  start_node();
  script_->start();
  watch_halt();
  run_until(heal_us_, false);
  if (ledger_.fault().empty()) {
    heal();
    script_->end();
    for (auto& client : board_clients_) client->settle();
    settle();
  }
  RunResult result;
  if (ledger_.fault().empty()) finish(result);
  result.fault = ledger_.fault();
  result.steps = scheduler_.steps();
  for (auto& client : clients_) result.frames += client->frames();
  result.confirmed = ledger_.confirmed();
  result.rejected = ledger_.rejected();
  result.starts = node_->starts();
  result.virtual_ms = static_cast<uint64_t>(scheduler_.now_us() / kUsPerMs);
  return result;
}

RunResult run(const RunOptions& options) { return World(options).run(); }

}  // namespace footlight::sim
