// Edits on their way to the log, documents on their way from it, snapshots in between.
#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "edge/internal/boards_impl.h"
#include "proto/messages.h"

namespace footlight::edge {
namespace {

constexpr size_t kLeastRowsToTidy = 64;  // when a board is unloaded

}  // namespace

// What shows the present state must wait until that is durable.
BoardBatch* Boards::Impl::batch_in_the_way() {
  if (!collecting.updates.empty()) return &collecting;
  return in_flight ? &*in_flight : nullptr;
}

// Board::emitted is what the last transaction changed.
void Boards::Impl::write(Board& board, uint64_t who, MonoUs received_us) {
  if (board.emitted.empty()) return;
  auto shared = std::make_shared<const Bytes>(std::exchange(board.emitted, Bytes{}));
  log::BoardUpdate row;
  row.board = board.stored;
  row.n = ++board.n;
  row.at_ms = wall_ms;
  row.who = who;
  row.update = *shared;
  board.grown_bytes += row.update.size();
  board.row_bytes += row.update.size();
  ++board.rows;
  if (collecting.updates.empty()) collecting.first_us = now_us;
  collecting.updates.push_back(std::move(row));
  collecting.writes.push_back({board.handle, board.n, std::move(shared), received_us});
}

void Boards::Impl::ack(Board& board, const BoardMember& member) {
  const BoardAck ack{board.handle, member.session, member.received};
  BoardBatch* batch = batch_in_the_way();
  if (batch == nullptr) return send_ack(ack);
  for (BoardAck& each : batch->acks) {
    if (each.session != ack.session || each.board != ack.board) continue;
    each.n = ack.n;
    return;
  }
  batch->acks.push_back(ack);
}

void Boards::Impl::send_ack(const BoardAck& ack) {
  Board& board = *boards[ack.board];
  const auto found = board.members.find(ack.session);
  if (found == board.members.end() || found->second.refused) return;
  bus::BoardSend out{.session = ack.session.id, .board = ack.board};
  out.text = proto::encoded(proto::BoardNotice{.board = board.id, .ack = ack.n, .has_ack = true});
  out.ack = ack.n;
  options.port->board_to_edge(ack.session.edge, std::move(out));
}

void Boards::Impl::released(uint64_t seq) {
  durable_seq = seq;
  if (!in_flight) return;
  BoardBatch batch = std::move(*in_flight);
  in_flight.reset();
  for (BoardWrite& each : batch.writes) {
    Board& board = *boards[each.board];
    ++counted.updates;
    counted.update_bytes += each.update->size();
    board.durable_n = std::max(board.durable_n, each.n);
    if (board.members.empty()) continue;
    board.oldest_us = std::min(board.oldest_us, each.received_us);
    board.audience_out.push_back(each.update);  // relay_soon() knows whether for anybody
    board.cast_out.push_back(std::move(each.update));
    relay_soon(board);
  }
  for (BoardAnswer& each : batch.answers) {
    const auto& members = boards[each.board]->members;
    if (!members.contains(each.session)) continue;
    bus::BoardSend send{.session = each.session.id, .board = each.board};
    send.message = std::move(each.message);
    options.port->board_to_edge(each.session.edge, std::move(send));
  }
  for (const BoardAck& each : batch.acks) send_ack(each);
  for (auto& [reply, text] : batch.replies) reply(std::move(text));
}

// Documents run ahead of a log that failed: they are given up, and read anew for whoever looks.
void Boards::Impl::failed(const Error& error) {
  halted = error;
  for (BoardBatch* batch : {in_flight ? &*in_flight : nullptr, &collecting}) {
    if (batch == nullptr) continue;
    for (auto& [reply, text] : batch->replies) reply(std::unexpected(error));
  }
  in_flight.reset();
  collecting = BoardBatch{};
  for (auto& board : boards) {
    if (board->state == Board::State::kLoaded) unload(*board);
    if (!board->members.empty()) need(*board);
  }
}

void Boards::Impl::need(Board& board) {
  if (board.state != Board::State::kUnloaded) return;
  board.state = Board::State::kLoading;
  ++counted.loads;
  const uint64_t ticket = next_ticket++;
  loads.emplace(ticket, [this, handle = board.handle](Result<log::BoardFile> file) {
    take_document(*boards[handle], std::move(file));
  });
  options.port->load_board(ticket, board.stored, UINT64_MAX);
}

void Boards::Impl::take_document(Board& board, Result<log::BoardFile> file) {
  Result<LoadedBoard> made = file ? load_board(*file) : std::unexpected(file.error());
  if (!made) {
    board.state = Board::State::kDamaged;
    board.damage = made.error();
    for (const BoardJoin& join : std::exchange(board.joins, {})) refuse_open(join, board.damage);
    for (auto& then : std::exchange(waiting[board.handle], {})) then(board);
    return;
  }
  board.state = Board::State::kLoaded;
  ++counted.boards;
  board.doc = std::move(made->doc);
  board.owners = std::move(made->owners);
  board.n = made->n;
  const uint64_t before = board.generation;
  if (made->generation != 0) board.generation = made->generation;
  board.vectors.clear();
  board.durable_n = board.cast_n = board.audience_n = board.n;
  board.base_bytes = made->snapshot_bytes;
  board.grown_bytes = board.row_bytes = made->update_bytes;
  board.rows = made->updates;
  board.snapshot_ms = file->snapshot ? file->snapshot->at_ms : wall_ms;
  board.snapshots.clear();
  for (const log::BoardPoint& point : file->snapshots) {
    board.snapshots.emplace_back(point.n, point.at_ms);
  }
  board.idle_us = now_us;
  board.doc->on_update(crdt::UpdateFormat::kV1, [&board](const crdt::UpdateEvent& event) {
    board.emitted.assign(event.update.begin(), event.update.end());
  });
  if (board.def == nullptr && !halted) fill_state(board);
  for (BoardMirrorState& mirror : board.mirrors) mirror.due_us = now_us;
  if (!board.mirrors.empty()) board.mirror_due_us = now_us;
  if (board.generation != before) began_anew(board);
  for (const BoardJoin& join : std::exchange(board.joins, {})) admit(board, join);
  for (auto& then : std::exchange(waiting[board.handle], {})) then(board);
}

bool Boards::Impl::compaction_due(const Board& board) const {
  if (board.state != Board::State::kLoaded || halted || !collecting.updates.empty()) return false;
  if (board.rows >= options.times.snapshot_updates) return true;
  if (board.row_bytes >= options.times.snapshot_bytes && board.row_bytes >= board.base_bytes) {
    return true;
  }
  return board.rows >= kLeastRowsToTidy &&
         wall_ms - board.snapshot_ms >= options.times.snapshot_every_ms;
}

// The snapshots to give up when one is added now.
std::vector<uint64_t> Boards::Impl::thin_snapshots(Board& board) {
  std::vector<WallMs> times;
  for (const auto& [n, at_ms] : board.snapshots) times.push_back(at_ms);
  std::vector<uint64_t> drop;
  for (const size_t index : snapshots_to_drop(times, wall_ms)) {
    drop.push_back(board.snapshots[index].first);
  }
  std::erase_if(board.snapshots, [&](const auto& each) {
    return std::ranges::find(drop, each.first) != drop.end();
  });
  return drop;
}

// Called when all of the document has been handed to the log: the snapshot comes behind it there.
void Boards::Impl::compact(Board& board) {
  log::BoardSnapshot snapshot;
  snapshot.board = board.stored;
  snapshot.n = board.n;
  snapshot.generation = board.generation;
  snapshot.at_ms = wall_ms;
  snapshot.state = encode_board_state(*board.doc, board.owners);
  board.base_bytes = snapshot.state.size();
  board.grown_bytes = board.row_bytes = board.rows = 0;
  board.snapshot_ms = wall_ms;
  std::vector<uint64_t> drop = thin_snapshots(board);
  board.snapshots.emplace_back(snapshot.n, wall_ms);
  ++counted.compactions;
  options.port->compact_board(std::move(snapshot), std::move(drop));
}

void Boards::Impl::unload(Board& board) {
  board.doc.reset();
  board.emitted = {};
  BoardOwners().swap(board.owners);
  board.vectors.clear();
  board.snapshots.clear();
  board.state = Board::State::kUnloaded;
  board.cast_out.clear();
  board.audience_out.clear();
  board.mirror_due_us = kNever;
  --counted.boards;
  ++counted.unloads;
}

void Boards::Impl::second() {
  second_due_us = now_us + kUsPerSecond;
  uint64_t memory_bytes = 0;
  const bool quiet = collecting.updates.empty() && !in_flight;
  for (auto& board : boards) {
    if (board->state != Board::State::kLoaded) continue;
    std::vector<uint64_t> gone;
    board->awareness.expire(now_us, gone);
    for (const uint64_t client : gone) {
      board->presence.erase(client);
      board->cast_presence.push_back(client);
      board->audience_presence.push_back(client);
    }
    if (!gone.empty()) relay_soon(*board);
    const bool idle = board->members.empty() && board->joins.empty() &&
                      now_us - board->idle_us >= options.times.idle_ms * kUsPerMs;
    if (!idle || !quiet) {
      memory_bytes += board->doc->stats().memory_bytes;
      continue;
    }
    if (board->rows >= kLeastRowsToTidy && !halted) compact(*board);
    unload(*board);
  }
  counted.memory_bytes = memory_bytes;
}

}  // namespace footlight::edge
