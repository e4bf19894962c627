#include "node.h"

#include <algorithm>
#include <utility>

#include "core/json.h"
#include "node_ports.h"
#include "show.h"

namespace footlight::sim {
namespace {

constexpr std::string_view kSecret = "the simulation's secret of some length";
constexpr const char* kPath = "/data/sim.episode";

// The planted bug kLoseSnapshotTail: what follows the snapshot is taken for read.
class TaillessLog final : public log::EventLog {
 public:
  explicit TaillessLog(log::EventLog& log) : log_(log) {}
  log::Head head() const override { return log_.head(); }
  uint64_t epoch() const override { return log_.epoch(); }
  Result<log::Head> append(std::span<const log::Record> batch) override {
    return log_.append(batch);
  }
  Status read(uint64_t after, const std::function<bool(const log::StoredRecord&)>& visit) override {
    // One block of ballots is enough to be lost.
    bool lost = after == 0;
    return log_.read(after, [&](const log::StoredRecord& record) {
      if (!lost && record.kind == log::RecordKind::kBallots) return lost = true;
      return visit(record);
    });
  }
  log::BoardStore* boards() override { return log_.boards(); }
  Status save_snapshot(const log::Snapshot& snapshot) override {
    return log_.save_snapshot(snapshot);
  }
  Result<std::optional<log::Snapshot>> load_snapshot() override { return log_.load_snapshot(); }
  Status put_secret(std::string_view name, ByteView value) override {
    return log_.put_secret(name, value);
  }
  Result<std::optional<Bytes>> get_secret(std::string_view name) override {
    return log_.get_secret(name);
  }

 private:
  log::EventLog& log_;
};

}  // namespace

Node::Node(Scheduler& scheduler, NodeOptions options, NodeWatch& watch)
    : scheduler_(scheduler),
      options_(std::move(options)),
      watch_(watch),
      random_(options_.seed),
      disk_(random_.next()),
      vfs_(disk_),
      clock_(scheduler),
      entropy_(random_.next()),
      signer_(gate::hs256_signer(kSecret)) {
  auto keys = std::make_shared<gate::KeySet>();
  (void)keys->add_hs256("k", kSecret);
  keys_ = std::move(keys);
  disk_.faults.skip_sync = options_.bug == Bug::kSkipFsync;
  disk_.faults.believe_second_sync = options_.bug == Bug::kRetrySync;
}

Node::~Node() { kill_objects(); }

log::OpenOptions Node::log_options() const {
  log::OpenOptions options;
  options.path = kPath;
  options.vfs = vfs_.name();
  options.now_ms = clock_.wall_ms();
  return options;
}

Result<edge::Recovered> Node::recover_log() {
  edge::RecoverOptions options;
  options.episode = kEpisode;
  options.definition = kDefinition;
  options.entropy = &entropy_;
  options.now_ms = clock_.wall_ms();
  if (options_.bug != Bug::kLoseSnapshotTail) return edge::recover(*log_, options);
  TaillessLog tailless(*log_);
  return edge::recover(tailless, options);
}

Code Node::start() {
  disk_.start_process();
  disk_.wall_ms = clock_.wall_ms();
  if (options_.bug == Bug::kForgetLog && starts_ > 0) {
    disk_.remove(std::string(kPath) + "-wal", true);
  }
  auto log = log::open_event_log(log_options());
  if (!log) {
    watch_.node_note("open: " + log.error().message());
    return disk_.process_dead() ? Code::kIo : log.error().code;
  }
  log_ = std::move(*log);
  auto recovered = recover_log();
  if (!recovered) {
    watch_.node_note("recover: " + recovered.error().message());
    const Code code = recovered.error().code;
    log_.reset();
    return disk_.process_dead() ? Code::kIo : code;
  }
  ++life_;
  ++starts_;
  voter_key_ = recovered->voter_key;
  bus_ = std::make_unique<BusPort>(*this);
  log_port_ = std::make_unique<LogPort>(*this);
  hooks_ = std::make_unique<HookPort>(*this);
  edge::OwnerOptions options;
  options.episode = kEpisode;
  options.clock = &clock_;
  options.bus = bus_.get();
  options.log = log_port_.get();
  options.webhooks = hooks_.get();
  options.snapshot_every = options_.snapshot_every;
  options.ring_deltas = options_.ring_deltas;
  options.pending_max = options_.pending_max;
  options.board_times.snapshot_updates = options_.board_snapshot_updates;
  options.board_times.snapshot_every_ms = 4'000;
  options.board_times.idle_ms = 2'000;
  if (options_.bug == Bug::kNeverReassert) options.board_times.reassert_ms = 1'000'000'000;
  next_edge_id_ = 0;
  for (uint16_t id = 0; id < 64; ++id) options.edges.push_back({id, "edge-" + std::to_string(id)});
  owner_ = edge::make_owner(std::move(options), std::move(*recovered));
  slots_.clear();
  for (size_t i = 0; i < static_cast<size_t>(options_.edges); ++i) {
    slots_.push_back(std::make_unique<EdgeSlot>(scheduler_, options_.skew_ms[i]));
    start_edge(i);
  }
  arm_owner();
  return Code::kOk;
}

void Node::start_edge(size_t index) {
  EdgeSlot& slot = *slots_[index];
  slot.index = index;
  slot.id = next_edge_id_++;
  ++slot.life;
  slot.armed_us = kNever;
  edge::EdgeOptions options;
  options.id = slot.id;
  options.name = "edge-" + std::to_string(slot.id);
  options.clock = &slot.clock;
  options.entropy = &entropy_;
  options.bus = bus_.get();
  options.episodes = {{std::string(kEpisode), voter_key_}};
  options.keys = keys_;
  options.admission.table_sets = 1u << 8;
  options.sweep_sends = 3;  // fewer than clients, so that turns come between
  options.queue_bytes = options_.queue_bytes;
  slot.edge = edge::make_edge(std::move(options));
  arm_edge(slot);
}

void Node::kill_objects() {
  ++life_;
  owner_.reset();
  owner_armed_us_ = kNever;
  for (auto& slot : slots_) {
    auto links = std::move(slot->links);
    for (auto& [id, link] : links) link->edge_died();
  }
  slots_.clear();
  log_.reset();
  log_port_.reset();
  hooks_.reset();
  bus_.reset();
}

void Node::call_api(const edge::ApiCall& call, edge::ApiReply reply) {
  owner_->api(call, std::move(reply));
  arm_owner();
}

void Node::drain() {
  watch_.node_note("drains");
  owner_->drain();
  arm_owner();
  for (auto& slot : slots_) {
    slot->edge->drain();
    arm_edge(*slot);
  }
}

bool Node::closable() const {
  return owner_->idle() &&
         std::ranges::all_of(slots_, [](const auto& slot) { return slot->edge->drained(); });
}

void Node::close() {
  watch_.node_note("closes");
  kill_objects();
}

void Node::freeze_edge(size_t index, MonoUs until_us) {
  if (index < slots_.size()) slots_[index]->frozen_until_us = until_us;
}

void Node::on_edge_thread(EdgeSlot& slot, std::move_only_function<void(EdgeSlot&)> action) {
  if (slot.waiting.empty() && slot.frozen_until_us <= scheduler_.now_us()) return action(slot);
  slot.waiting.push_back(std::move(action));
  if (slot.waiting.size() == 1) thaw(slot);
}

void Node::thaw(EdgeSlot& slot) {
  const MonoUs at_us = std::max(slot.frozen_until_us, scheduler_.now_us());
  scheduler_.at(at_us, [this, life = life_, index = slot.index, edge_life = slot.life] {
    if (life != life_ || slots_[index]->life != edge_life) return;
    EdgeSlot& on = *slots_[index];
    if (on.frozen_until_us > scheduler_.now_us()) return thaw(on);
    // What is added meanwhile comes after what waits.
    for (size_t i = 0; i < on.waiting.size(); ++i) {
      auto next = std::move(on.waiting[i]);
      next(on);
    }
    on.waiting.clear();
  });
}

void Node::crash(bool power) {
  watch_.node_note(power ? "power lost" : "process killed");
  if (power) {
    disk_.lose_power();
  } else {
    disk_.kill_process();
  }
  kill_objects();
}

void Node::crash_edge(size_t index) {
  if (index >= slots_.size() || next_edge_id_ >= 64) return;
  EdgeSlot& slot = *slots_[index];
  watch_.node_note("edge " + std::to_string(slot.id) + " dies");
  auto links = std::move(slot.links);
  slot.links.clear();
  slot.cids.clear();
  for (auto& [id, link] : links) link->edge_died();
  slot.waiting.clear();
  slot.edge.reset();
  slot.stalled_until_us = slot.frozen_until_us = 0;
  start_edge(index);
}

void Node::stall_bus(size_t edge, MonoUs until_us) {
  if (edge < slots_.size()) slots_[edge]->stalled_until_us = until_us;
}

void Node::step_clock(size_t edge, int64_t by_ms) {
  if (edge < slots_.size()) slots_[edge]->clock.step(by_ms);
}

void Node::cut_links(uint32_t percent, MonoUs client_us_max, MonoUs edge_us_max) {
  for (auto& slot : slots_) {
    // Telling an edge that a link is closed removes it from the map: later, never inline.
    for (auto& [id, link] : slot->links) {
      if (random_.below(100) >= percent) continue;
      link->cut(static_cast<MonoUs>(random_.below(static_cast<uint64_t>(client_us_max) + 1)),
                1 + static_cast<MonoUs>(random_.below(static_cast<uint64_t>(edge_us_max) + 1)));
    }
  }
}

std::shared_ptr<Link> Node::dial(ClientEnd& client, uint64_t cid, const std::string& ip,
                                 const LinkQuality& quality) {
  if (!running()) return nullptr;
  EdgeSlot& slot = *slots_[random_.below(slots_.size())];
  const edge::ConnId id = next_conn_++;
  auto link = std::make_shared<Link>(scheduler_, random_.fork(), quality, id, client, *this);
  slot.links.emplace(id, link);
  slot.cids.emplace(id, cid);
  on_edge_thread(slot, [this, link, ip](EdgeSlot& on) {
    edge::ConnectionInfo info;
    info.ip = ip;
    on.edge->on_open(link->id(), info, *link);
    arm_edge(on);
  });
  return link;
}

Node::EdgeSlot* Node::slot_of(const Link& link) {
  for (auto& slot : slots_) {
    if (slot->links.contains(link.id())) return slot.get();
  }
  return nullptr;
}

void Node::link_frame(Link& link, std::string_view text) {
  EdgeSlot* slot = slot_of(link);
  if (slot == nullptr) return;
  on_edge_thread(*slot, [this, id = link.id(), text = std::string(text)](EdgeSlot& on) {
    const auto cid = on.cids.find(id);
    if (cid == on.cids.end()) return;
    watch_.frame_arrived(cid->second, on.clock.wall_ms(), text);
    if (options_.bug == Bug::kIgnoreCues && text.starts_with(R"({"t":"watch")")) return;
    on.edge->on_frame(id, text);
    arm_edge(on);
  });
}

void Node::link_binary(Link& link, std::string_view bytes) {
  EdgeSlot* slot = slot_of(link);
  if (slot == nullptr) return;
  on_edge_thread(*slot, [this, id = link.id(), bytes = std::string(bytes)](EdgeSlot& on) {
    if (!on.cids.contains(id)) return;
    on.edge->on_binary(id, bytes);
    arm_edge(on);
  });
}

void Node::link_writable(Link& link) {
  EdgeSlot* slot = slot_of(link);
  if (slot == nullptr) return;
  on_edge_thread(*slot, [this, id = link.id()](EdgeSlot& on) {
    on.edge->on_writable(id);
    arm_edge(on);
  });
}

void Node::link_closed(Link& link) {
  EdgeSlot* slot = slot_of(link);
  if (slot == nullptr) return;
  on_edge_thread(*slot, [this, id = link.id()](EdgeSlot& on) {
    const auto found = on.links.find(id);
    if (found == on.links.end()) return;
    if (!found->second->misuse().empty()) watch_.node_violation(found->second->misuse());
    on.edge->on_close(id);
    on.cids.erase(id);
    on.links.erase(id);
    arm_edge(on);
  });
}

void Node::arm_edge(EdgeSlot& slot) {
  const MonoUs due_us = slot.edge->next_due_us();
  if (due_us >= slot.armed_us) return;
  slot.armed_us = due_us;
  scheduler_.at(std::max(due_us, slot.frozen_until_us),
                [this, life = life_, index = slot.index, edge_life = slot.life, due_us] {
                  if (life != life_ || slots_[index]->life != edge_life) return;
                  EdgeSlot& due = *slots_[index];
                  if (due.armed_us != due_us) return;
                  on_edge_thread(due, [this](EdgeSlot& on) {
                    on.armed_us = kNever;
                    on.edge->on_time();
                    arm_edge(on);
                  });
                });
}

void Node::arm_owner() {
  const MonoUs due_us = owner_->next_due_us();
  if (due_us >= owner_armed_us_) return;
  owner_armed_us_ = due_us;
  scheduler_.at(due_us, [this, life = life_, due_us] {
    if (life != life_ || owner_armed_us_ != due_us) return;
    owner_armed_us_ = kNever;
    owner_->on_time();
    arm_owner();
  });
}

}  // namespace footlight::sim
