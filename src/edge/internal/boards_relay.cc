// What goes to everybody who has a board open: the durable edits of a moment merged into one
// message, and who is there. The cast soon, the audience at its tick, and what came meanwhile to
// whoever did not read.
#include <algorithm>
#include <numeric>
#include <utility>

#include "crdt/merge.h"
#include "crdt/sync.h"
#include "edge/internal/boards_impl.h"
#include "proto/messages.h"

namespace footlight::edge {
namespace {

constexpr proto::RoleSet kAudience = proto::RoleSet::of(proto::Role::kViewer);
constexpr proto::RoleSet kCast{static_cast<uint8_t>(proto::RoleSet::all().bits & ~kAudience.bits)};

constexpr size_t kMostVectors = 32;
constexpr MonoUs kVectorEveryUs = kUsPerSecond;

bool any(const std::vector<uint32_t>& on) {
  return std::ranges::any_of(on, [](uint32_t count) { return count != 0; });
}

SharedBytes merged(const std::vector<SharedBytes>& updates) {
  if (updates.size() == 1) {
    return std::make_shared<const Bytes>(crdt::update_message(*updates.front()));
  }
  std::vector<ByteView> views;
  for (const SharedBytes& each : updates) views.emplace_back(*each);
  const auto update = crdt::merge_updates(views, crdt::UpdateFormat::kV1);
  if (!update) return nullptr;
  return std::make_shared<const Bytes>(crdt::update_message(*update));
}

}  // namespace

MonoUs Boards::Impl::audience_tick_us(const Board& board) const {
  const BoardTimes& times = options.times;
  const uint64_t watching =
      std::accumulate(board.audience_on.begin(), board.audience_on.end(), uint64_t{0});
  const uint64_t paced_ms = watching * 1'000 / times.audience_sends_per_s;
  return static_cast<MonoUs>(std::max<uint64_t>(
             audience_tick_ms, std::min<uint64_t>(paced_ms, times.audience_slowest_ms))) *
         kUsPerMs;
}

void Boards::Impl::relay_soon(Board& board) {
  if (board.members.empty()) {
    board.cast_out.clear();
    board.audience_out.clear();
    board.cast_presence.clear();
    board.audience_presence.clear();
    board.oldest_us = kNever;
    return;
  }
  if (!any(board.audience_on)) {
    board.audience_out.clear();
    board.audience_presence.clear();
  } else if (board.audience_due_us == kNever &&
             (!board.audience_out.empty() || !board.audience_presence.empty())) {
    board.audience_due_us = std::max(now_us, board.audience_us + audience_tick_us(board));
  }
  if (board.cast_due_us == kNever && (!board.cast_out.empty() || !board.cast_presence.empty())) {
    board.cast_due_us =
        std::max(now_us, board.cast_us + static_cast<MonoUs>(options.times.cast_relay_us));
  }
}

// `on`: how many of these roles are on each edge.
void Boards::Impl::relay(Board& board, proto::RoleSet roles, const std::vector<uint32_t>& on,
                         std::vector<SharedBytes>& updates, std::vector<uint64_t>& presence,
                         uint64_t& relayed_n) {
  const uint64_t from = std::exchange(relayed_n, board.durable_n);
  const auto to_all = [&](const bus::BoardRelay& message) {
    ++counted.relays;
    for (uint32_t edge = 0; edge < on.size(); ++edge) {
      if (on[edge] != 0) options.port->board_to_edge(edge, message);
    }
  };
  if (!updates.empty()) {
    if (SharedBytes message = merged(updates)) {
      to_all({.board = board.handle, .roles = roles, .from = from, .message = std::move(message)});
    }
    updates.clear();
  }
  if (presence.empty()) return;
  std::ranges::sort(presence);
  const auto repeated = std::ranges::unique(presence);
  presence.erase(repeated.begin(), repeated.end());
  to_all({.board = board.handle,
          .roles = roles,
          .lossy = true,
          .message = std::make_shared<const Bytes>(
              crdt::awareness_message(board.awareness.encode(presence)))});
  presence.clear();
}

// Of awareness: nothing of the document is in question.
void Boards::Impl::complain(Board& board, BoardMember& member, const Error& error) {
  ++counted.refused;
  const std::string sentence = proto::peer_message(error);
  send_text(board, member,
            proto::encoded(
                proto::BoardNotice{.board = board.id, .code = error.code, .message = sentence}),
            error);
}

void Boards::Impl::awareness(Board& board, BoardMember& member, ByteView update) {
  if (member.refused) return;
  const auto entries = board.awareness.entries(update);
  if (!entries) return complain(board, member, entries.error());
  const auto may = [&](uint64_t client) {
    const auto theirs = board.presence.find(client);
    if (theirs != board.presence.end()) {
      return theirs->second.session == member.session || theirs->second.who == member.who;
    }
    const auto owner = board.owners.find(client);
    if (owner != board.owners.end()) return owner->second == member.who;
    if (client == member.client) return true;
    // A stock client's own id, before it has written anything. What it repeats of others comes
    // among several, or says that they are gone.
    return entries->size() == 1 && !entries->front().removal && client < kFirstServerClient;
  };
  std::vector<uint64_t> changed;
  if (auto ok = board.awareness.apply(update, now_us, may, changed); !ok) {
    return complain(board, member, ok.error());
  }
  if (changed.empty()) return;
  ++counted.awareness;
  for (const uint64_t client : changed) {
    board.presence[client] = {member.session, member.who};
    board.cast_presence.push_back(client);
    board.audience_presence.push_back(client);
  }
  relay_soon(board);
}

void Boards::Impl::take_vector(Board& board) {
  if (board.state != Board::State::kLoaded || now_us - board.vector_us < kVectorEveryUs) return;
  if (!board.vectors.empty() && board.vectors.back().first == board.n) return;
  board.vector_us = now_us;
  if (board.vectors.size() == kMostVectors) board.vectors.erase(board.vectors.begin());
  board.vectors.emplace_back(board.n, board.doc->encode_state_vector());
}

void Boards::Impl::behind(BoardSession session, const bus::BoardBehind& behind) {
  if (behind.board >= boards.size()) return;
  Board& board = *boards[behind.board];
  const auto found = board.members.find(session);
  if (found == board.members.end() || board.state != Board::State::kLoaded) return;
  // Of what was known when the session had everything; of all when that is too long ago.
  ByteView vector;
  for (const auto& [n, known] : board.vectors) {
    if (n <= behind.from) vector = known;
  }
  const auto update = board.doc->encode_state_as_update(crdt::UpdateFormat::kV1, vector);
  if (!update) return;
  ++counted.caught_up;
  send_present(board, found->second, crdt::update_message(*update));
}

// A message that may show edits that are not durable yet: then it goes out with them.
void Boards::Impl::send_present(Board& board, const BoardMember& member, Bytes message) {
  BoardBatch* batch = batch_in_the_way();
  if (batch == nullptr) return send(board, member, std::move(message));
  batch->answers.push_back(
      {board.handle, member.session, std::make_shared<const Bytes>(std::move(message))});
}

// Whoever's updates were not taken is asked for them.
void Boards::Impl::resync(Board& board) {
  board.resync_due_us = kNever;
  if (board.state != Board::State::kLoaded) return;
  for (auto& [session, member] : board.members) {
    if (member.resync_us > now_us) {
      board.resync_due_us = std::min(board.resync_due_us, member.resync_us);
      continue;
    }
    member.resync_us = kNever;
    member.resynced_us = now_us;
    if (!halted) send(board, member, crdt::step1_message(board.doc->encode_state_vector()));
  }
}

void Boards::Impl::time() {
  for (auto& each : boards) {
    Board& board = *each;
    if (board.cast_due_us <= now_us) {
      board.cast_due_us = kNever;
      board.cast_us = now_us;
      if (board.oldest_us != kNever) {
        counted.relay_us.record(static_cast<uint64_t>(now_us - board.oldest_us));
        board.oldest_us = kNever;
      }
      take_vector(board);
      relay(board, kCast, board.cast_on, board.cast_out, board.cast_presence, board.cast_n);
    }
    if (board.audience_due_us <= now_us) {
      board.audience_due_us = kNever;
      board.audience_us = now_us;
      take_vector(board);
      relay(board, kAudience, board.audience_on, board.audience_out, board.audience_presence,
            board.audience_n);
    }
    if (board.resync_due_us <= now_us) resync(board);
    if (board.mirror_due_us <= now_us) check_mirrors(board);
  }
  if (second_due_us <= now_us) second();
}

MonoUs Boards::Impl::next_due_us() const {
  MonoUs due_us = kNever;
  bool any = false;
  for (const auto& board : boards) {
    due_us = std::min({due_us, board->cast_due_us, board->audience_due_us, board->resync_due_us,
                       board->mirror_due_us});
    any = any || board->state == Board::State::kLoaded;
  }
  return any ? std::min(due_us, second_due_us) : due_us;
}

}  // namespace footlight::edge
