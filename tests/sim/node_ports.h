// The ports of the node's logic on virtual time, with the planted bugs in them.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "node.h"

namespace footlight::sim {

struct Node::EdgeSlot {
  size_t index = 0;
  bus::EdgeId id = 0;
  uint64_t life = 0;  // of this edge
  SimClock clock;
  std::unique_ptr<edge::Edge> edge;
  std::map<edge::ConnId, std::shared_ptr<Link>> links;
  std::map<edge::ConnId, uint64_t> cids;
  MonoUs armed_us = kNever;
  MonoUs stalled_until_us = 0;                                   // the bus
  MonoUs frozen_until_us = 0;                                    // the thread
  std::deque<std::move_only_function<void(EdgeSlot&)>> waiting;  // for the thread
  MonoUs last_to_owner_us = 0;
  MonoUs last_to_edge_us = 0;

  EdgeSlot(const Scheduler& scheduler, int64_t skew_ms) : clock(scheduler, skew_ms) {}
};

// Ordered per direction and edge, late by microseconds to milliseconds, sometimes stalled.
class Node::BusPort final : public bus::Bus {
 public:
  explicit BusPort(Node& node) : node_(node) {}
  void to_owner(const std::string& episode, bus::ToOwner message) override;
  void to_edge(bus::EdgeId edge, const std::string& episode, bus::ToEdge message) override;

 private:
  MonoUs arrival(EdgeSlot& slot, MonoUs& last_us);
  EdgeSlot* find(bus::EdgeId id);
  bool spoil(bus::ToOwner& message);                 // true: lost
  bool spoil(EdgeSlot& slot, bus::ToEdge& message);  // true: lost
  void spoil_tally(bus::Volatile& message);
  void post(EdgeSlot& slot, bus::ToEdge message);

  Node& node_;
  uint64_t joins_ = 0;
  std::set<std::pair<bus::EdgeId, bus::SessionId>> accepted_;
  std::map<uint32_t, std::vector<uint64_t>> increments_;  // by poll index
  std::map<uint32_t, WallMs> deadlines_;
  std::map<bus::EdgeId, std::vector<bus::Broadcast>> held_;
  uint64_t relays_ = 0;
  uint64_t broadcasts_ = 0;
  uint64_t confirmations_ = 0;
};

class Node::HookPort final : public edge::WebhookSink {
 public:
  explicit HookPort(Node& node) : node_(node) {}
  void post(edge::WebhookEvent event) override {
    node_.watch_.webhook(event, node_.log_->head().seq);
  }

 private:
  Node& node_;
};

// One append at a time, on a log thread of its own: it takes some time, and the process may die
// before, in the middle of, or after it.
class Node::LogPort final : public edge::LogPort {
 public:
  explicit LogPort(Node& node) : node_(node) {}
  void append(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards) override;
  void save_snapshot(log::Snapshot snapshot) override;
  void compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) override;
  void load_board(uint64_t ticket, std::string board, uint64_t at_seq) override;
  void board_points(uint64_t ticket, std::string board) override;

 private:
  // Jobs of the log's thread: each after the one before.
  void post(std::function<void(Node&)> job);
  void run(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards);
  void complete(Result<log::Head> head, MonoUs after_us);

  Node& node_;
  MonoUs last_us_ = 0;
  uint64_t edits_ = 0;
  log::Head promised_;  // of the planted bug: what was answered before it was done
};

}  // namespace footlight::sim
