// A board that begins anew. A document carries all that was ever deleted or written over; at its
// limit of size nothing but this makes room. The new document is made of the content alone, as one
// edit of the server. A copy of the old one can never meet it: merged, it would bring back or
// double what is there. So the ids of all who wrote before are retired, and whoever comes with one
// of them, in a state vector or an edit, is told to begin anew as well (kBoardRenewed).
//
// It is stored as a snapshot behind which the old updates are deleted, in one transaction, and read
// back from there before anyone sees it.
#include <algorithm>
#include <utility>

#include "core/json.h"
#include "core/sha256.h"
#include "crdt/state_vector.h"
#include "edge/internal/board_content.h"
#include "edge/internal/boards_impl.h"
#include "proto/messages.h"

namespace footlight::edge {
namespace {

// Whoever wrote in the document is of before from now on.
BoardOwners all_retired(const Board& board) {
  BoardOwners owners;
  for (const auto& [client, who] : board.owners) owners.emplace(client, kRetired);
  const crdt::StateVector has = board.doc->state_vector();
  for (const auto& [client, clock] : has.entries()) owners.emplace(client, kRetired);
  return owners;
}

// Of the one before, so that it is never met again.
uint64_t next_generation(uint64_t generation, uint64_t n) {
  Bytes text;
  ByteWriter out(text);
  out.u64(generation);
  out.u64(n);
  return ByteReader(sha256(text)).u64() >> 16;
}

}  // namespace

void Boards::Impl::renew(std::string_view id, bool empty, BoardReply reply) {
  Board* board = find(id, proto::Role::kProducer);
  if (board == nullptr) return reply(fail(Code::kBoardUnknown, std::string(id)));
  if (board->def == nullptr) return reply(fail(Code::kBoardReadOnly, std::string(id)));
  if (halted) return reply(std::unexpected(*halted));
  renewals.push_back({board->handle, empty, std::move(reply)});
  renew_waiting();
}

// The snapshot must stand behind every edit it holds: so not while one is yet to be handed over.
void Boards::Impl::renew_waiting() {
  if (renewals.empty() || !collecting.updates.empty()) return;
  for (BoardRenewal& each : std::exchange(renewals, {})) {
    when_loaded(*boards[each.board], [this, renewal = std::move(each)](Board& ready) {
      if (ready.state != Board::State::kLoaded) {
        return renewal.reply(std::unexpected(halted ? *halted : ready.damage));
      }
      if (collecting.updates.empty()) return renew(ready, renewal.empty, renewal.reply);
      renewals.push_back(renewal);
    });
  }
}

void Boards::Impl::renew(Board& board, bool empty, BoardReply reply) {
  const BoardOwners retired = all_retired(board);
  crdt::Doc made({.client = server_client(retired)});
  if (!empty) make_equal(made, *board.doc);
  log::BoardSnapshot snapshot;
  snapshot.board = board.stored;
  snapshot.n = board.n + 1;
  snapshot.generation = next_generation(board.generation, board.n);
  snapshot.at_ms = wall_ms;
  snapshot.state = encode_board_state(made, retired);
  ++counted.renewals;
  const uint64_t wanted = snapshot.generation;
  options.port->compact_board(std::move(snapshot), thin_snapshots(board));
  unload(board);
  when_loaded(board, [this, wanted, reply = std::move(reply)](Board& ready) {
    if (halted) return reply(std::unexpected(*halted));
    if (ready.state != Board::State::kLoaded) return reply(std::unexpected(ready.damage));
    if (ready.generation != wanted) return reply(fail(Code::kInternal, "the log did not take it"));
    std::string text;
    JsonWriter out(text);
    out.object().field("board", std::string_view(ready.id)).field("n", ready.n);
    out.field("gen", ready.generation);
    out.field("bytes", static_cast<uint64_t>(ready.base_bytes)).end_object();
    reply(std::move(text));
  });
}

// A copy of a generation that is over names ids of it; so does what is made on it.
bool Boards::Impl::is_of_before(const Board& board, uint64_t client) const {
  const auto owner = board.owners.find(client);
  return owner != board.owners.end() && owner->second == kRetired;
}

bool Boards::Impl::is_copy_of_before(const Board& board, ByteView state_vector) const {
  const auto has = crdt::StateVector::decode(state_vector);
  return has && std::ranges::any_of(has->entries(), [&](const auto& each) {
           return is_of_before(board, each.client);
         });
}

// Whoever has it open begins anew: those who know of generations open it again, a stock client's
// connection ends with the code. What they still send is of before.
void Boards::Impl::began_anew(Board& board) {
  for (auto& [session, member] : board.members) {
    member.refused = true;
    member.resync_us = kNever;
    member.client = fresh_client(board);
    send_text(board, member,
              proto::encoded(proto::BoardNotice{.board = board.id,
                                                .client = member.client,
                                                .generation = board.generation,
                                                .reset = true}),
              {Code::kBoardRenewed, {}, 0});
  }
}

void Boards::renew(std::string_view board, bool empty, BoardReply reply) {
  impl_->renew(board, empty, std::move(reply));
}

}  // namespace footlight::edge
