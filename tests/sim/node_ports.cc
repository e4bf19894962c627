#include "node_ports.h"

#include <algorithm>
#include <utility>

#include "core/json.h"
#include "core/sha256.h"
#include "proto/messages.h"

namespace footlight::sim {

// The bus ------------------------------------------------------------------------------------

MonoUs Node::BusPort::arrival(EdgeSlot& slot, MonoUs& last_us) {
  Prng& random = node_.random_;
  MonoUs delay_us = 20 + static_cast<MonoUs>(random.below(400));
  if (random.below(200) == 0) delay_us += static_cast<MonoUs>(random.below(20'000));
  const MonoUs earliest_us = std::max(node_.scheduler_.now_us() + delay_us, slot.stalled_until_us);
  last_us = std::max(last_us + 1, earliest_us);
  return last_us;
}

Node::EdgeSlot* Node::BusPort::find(bus::EdgeId id) {
  for (auto& slot : node_.slots_) {
    if (slot->id == id && slot->edge) return slot.get();
  }
  return nullptr;
}

void Node::BusPort::to_owner(const std::string&, bus::ToOwner message) {
  const bus::EdgeId id = std::visit([](const auto& each) { return each.edge; }, message);
  EdgeSlot* slot = nullptr;
  for (auto& each : node_.slots_) {
    if (each->id == id) slot = each.get();
  }
  if (slot == nullptr || spoil(message)) return;
  MonoUs at_us = arrival(*slot, slot->last_to_owner_us);
  if (node_.options_.bug == Bug::kWatermarkAhead && std::holds_alternative<bus::Submit>(message)) {
    std::get<bus::Submit>(message).up_to_ms = 0;
    at_us += 150'000;
  }
  node_.scheduler_.at(at_us,
                      [&node = node_, life = node_.life_, message = std::move(message)]() mutable {
                        if (life != node.life_) return;
                        node.owner_->on_bus(std::move(message));
                        node.arm_owner();
                      });
}

void Node::BusPort::to_edge(bus::EdgeId id, const std::string&, bus::ToEdge message) {
  EdgeSlot* slot = find(id);
  if (slot == nullptr || spoil(*slot, message)) return;
  post(*slot, std::move(message));
}

void Node::BusPort::post(EdgeSlot& slot, bus::ToEdge message) {
  node_.scheduler_.at(arrival(slot, slot.last_to_edge_us),
                      [&node = node_, life = node_.life_, index = slot.index, edge_life = slot.life,
                       message = std::move(message)]() mutable {
                        if (life != node.life_) return;
                        EdgeSlot& to = *node.slots_[index];
                        if (to.life != edge_life) return;
                        node.on_edge_thread(
                            to, [&node, message = std::move(message)](EdgeSlot& on) mutable {
                              on.edge->on_bus("sim", std::move(message));
                              node.arm_edge(on);
                            });
                      });
}

// Planted bugs -------------------------------------------------------------------------------

bool Node::BusPort::spoil(bus::ToOwner& message) {
  const Bug bug = node_.options_.bug;
  if (auto* join = std::get_if<bus::Join>(&message)) {
    if (bug == Bug::kDropDedup) join->cid ^= ++joins_;
    if (bug == Bug::kIgnoreRights && join->actor.name == "bob") join->actor.role = proto::Role::kGm;
    return false;
  }
  if (auto* submit = std::get_if<bus::Submit>(&message)) {
    if (bug == Bug::kFreezePoll) submit->up_to_ms = 0;
    for (bus::BallotEntry& ballot : submit->ballots) {
      if (bug == Bug::kCountIncrements) {
        auto& counts = increments_[ballot.poll];
        counts.resize(32);
        for (size_t o = 0; o < 32; ++o) counts[o] += ballot.choice_mask >> o & 1;
      }
      if (bug == Bug::kAcceptLateVote) ballot.edge_ms -= 1'500;
      if (bug == Bug::kBuyTime) ballot.behind_ms = 9'000;
    }
    return false;
  }
  return bug == Bug::kFreezePoll && std::holds_alternative<bus::Watermark>(message);
}

void Node::BusPort::spoil_tally(bus::Volatile& message) {
  proto::ServerDecoder decoder;
  const auto decoded = decoder.decode(message.frame->json());
  const auto* tally = decoded ? std::get_if<proto::TallyUpdate>(&*decoded) : nullptr;
  if (tally == nullptr) return;
  proto::TallyUpdate out = *tally;
  std::vector<uint64_t> counts(tally->counts.begin(), tally->counts.end());
  const Bug bug = node_.options_.bug;
  if (bug == Bug::kLeakHiddenTally) message.roles = proto::RoleSet::all();
  if (bug == Bug::kCountIncrements) {
    auto& mine = increments_[message.slot - bus::kFirstPollSlot];
    mine.resize(32);
    std::copy_n(mine.begin(), counts.size(), counts.begin());
  }
  if (bug == Bug::kReviseFinal && tally->final && !counts.empty()) {
    counts[0] += node_.random_.below(3) == 0;
  }
  out.counts = counts;
  message.frame = proto::Frame::text(proto::encoded(out));
}

bool Node::BusPort::spoil(EdgeSlot& slot, bus::ToEdge& message) {
  const Bug bug = node_.options_.bug;
  if (bug == Bug::kNone) return false;
  if (std::holds_alternative<bus::BoardRelay>(message)) {
    return bug == Bug::kLoseBoardRelay && ++relays_ % 30 == 0;
  }
  if (auto* tally = std::get_if<bus::Volatile>(&message)) {
    if (tally->slot >= bus::kFirstPollSlot) spoil_tally(*tally);
    return false;
  }
  if (auto* joined = std::get_if<bus::Joined>(&message)) {
    if (bug == Bug::kForgetResumeDelta && joined->missed.size() > 1) {
      joined->missed.erase(joined->missed.begin());
    }
    return false;
  }
  if (auto* delta = std::get_if<bus::Broadcast>(&message)) {
    if (delta->offset == 0) return false;
    if (bug == Bug::kLeakDirectorDelta && ++broadcasts_ % 20 == 0) {
      delta->roles = proto::RoleSet::all();
    }
    if (bug == Bug::kLoseDelta) return ++broadcasts_ % 50 == 0;
    if (bug != Bug::kSwapDeltas) return false;
    auto& held = held_[slot.id];
    if (held.empty()) {
      if (++broadcasts_ % 10 != 0) return false;
      held.push_back(*delta);
      return true;
    }
    post(slot, *delta);
    post(slot, held.front());
    held.clear();
    return true;
  }
  auto* outcomes = std::get_if<bus::Outcomes>(&message);
  if (outcomes == nullptr) return false;
  for (const auto& each : outcomes->accepted) accepted_.emplace(slot.id, each.session);
  if (outcomes->confirmed.empty()) return false;
  const bool now = ++confirmations_ % 40 == 0;
  bus::Confirmation& last = outcomes->confirmed.back();
  if (bug == Bug::kLoseAck && now) outcomes->confirmed.pop_back();
  if (bug == Bug::kWrongReceipt && last.has_receipt && now) last.receipt[3] ^= 1;
  if (bug == Bug::kRejectAfterAccept && accepted_.contains({slot.id, last.session})) {
    outcomes->rejected.push_back({last.session, last.i, {Code::kPollClosed, {}, 0}});
    outcomes->confirmed.pop_back();
  }
  return false;
}

// The log ------------------------------------------------------------------------------------

// An action that outlives the process it was planned for must not touch this port: it asks the
// node, which outlives both.
void Node::LogPort::post(std::function<void(Node&)> job) {
  const MonoUs now_us = node_.scheduler_.now_us();
  last_us_ = std::max(last_us_ + 1, now_us + 30 + static_cast<MonoUs>(node_.random_.below(200)));
  node_.scheduler_.at(last_us_, [&node = node_, life = node_.life_, job = std::move(job)] {
    if (life == node.life_) job(node);
  });
}

void Node::LogPort::append(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards) {
  post([batch = std::move(batch), boards = std::move(boards)](Node& node) {
    node.log_port_->run(batch, boards);
  });
}

void Node::LogPort::compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) {
  const bool stale = node_.options_.bug == Bug::kStaleBoardSnapshot;
  if (stale) snapshot.n += 3;
  post([snapshot = std::move(snapshot), drop = std::move(drop)](Node& node) {
    const auto done = node.log_->boards()->compact(snapshot, drop);
    if (!done) node.watch_.node_note("compaction: " + done.error().message());
    if (node.disk_.process_dead() && node.on_crash) node.on_crash();
  });
}

void Node::LogPort::load_board(uint64_t ticket, std::string board, uint64_t at_seq) {
  post([ticket, board = std::move(board), at_seq](Node& node) {
    auto file = node.log_->boards()->load(board, at_seq);
    if (node.disk_.process_dead()) {
      if (node.on_crash) node.on_crash();
      return;
    }
    if (!file) node.watch_.node_note("board: " + file.error().message());
    node.owner_->on_board(ticket, std::move(file));
    node.arm_owner();
  });
}

void Node::LogPort::board_points(uint64_t ticket, std::string board) {
  post([ticket, board = std::move(board)](Node& node) {
    node.owner_->on_board_points(ticket, node.log_->boards()->points(board));
    node.arm_owner();
  });
}

void Node::LogPort::complete(Result<log::Head> head, MonoUs after_us) {
  node_.scheduler_.after(after_us,
                         [&node = node_, life = node_.life_, head = std::move(head)]() mutable {
                           if (life != node.life_) return;
                           node.owner_->on_appended(std::move(head));
                           node.arm_owner();
                         });
}

void Node::LogPort::run(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards) {
  Node& node = node_;
  const auto typical_us = static_cast<uint64_t>(node.options_.sync_us);
  auto sync_us = static_cast<MonoUs>(typical_us / 2 + node.random_.below(typical_us + 1));
  if (node.random_.below(150) == 0) sync_us += static_cast<MonoUs>(node.random_.below(200'000));
  node.disk_.wall_ms = node.clock_.wall_ms();
  if (node.options_.bug == Bug::kConfirmBeforeDurable) {
    // Answers at once; the append comes 300 ms later.
    if (promised_.seq == 0) promised_ = node.log_->head();
    promised_.seq += batch.size();
    complete(promised_, 1);
    node.scheduler_.after(300'000, [&node, life = node.life_, batch = std::move(batch)] {
      if (life == node.life_ && !batch.empty()) (void)node.log_->append(batch);
    });
    return;
  }
  if (node.options_.bug == Bug::kLoseBoardUpdate) {
    for (log::BoardUpdate& each : boards) {
      if (++edits_ % 40 == 0) each.update = {0, 0};  // the empty update in its place
    }
  }
  auto head =
      boards.empty() ? node.log_->append(batch) : node.log_->boards()->append(batch, boards);
  if (node.disk_.process_dead()) {
    if (node.on_crash) node.on_crash();  // this port is gone after it
    return;
  }
  if (!head) node.watch_.node_note("append: " + head.error().message());
  complete(std::move(head), sync_us);
}

void Node::LogPort::save_snapshot(log::Snapshot snapshot) {
  const bool stale = node_.options_.bug == Bug::kStaleSnapshot;
  node_.scheduler_.after(stale ? 100'000 : 50, [&node = node_, life = node_.life_, stale,
                                                snapshot = std::move(snapshot)]() mutable {
    if (life != node.life_) return;
    if (stale) snapshot.seq = node.log_->head().seq;
    (void)node.log_->save_snapshot(snapshot);
    if (node.disk_.process_dead() && node.on_crash) node.on_crash();
  });
}

}  // namespace footlight::sim
