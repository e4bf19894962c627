// Stock clients that speak of several boards over one connection, as Hocuspocus' provider does:
// each message comes after the name of its board, the token is a message too, and what became
// durable is counted back. All else is y-websocket's.
#include <algorithm>

#include "crdt/lib0.h"
#include "edge/internal/edge_impl.h"

namespace footlight::edge {
namespace {

// Types of messages; 0, 1 and 3 are y-websocket's. And the kinds of an authentication.
enum class Named : uint64_t { kAuth = 2, kQuery = 3, kClose = 7, kSyncStatus = 8 };
enum class Auth : uint64_t { kToken = 0, kDenied = 1, kGranted = 2 };

crdt::Encoder begun(std::string_view board, Named type) {
  crdt::Encoder out;
  out.var_text(board);
  out.var_uint(static_cast<uint64_t>(type));
  return out;
}

proto::FramePtr auth_frame(std::string_view board, Auth kind, std::string_view text) {
  crdt::Encoder out = begun(board, Named::kAuth);
  out.var_uint(static_cast<uint64_t>(kind));
  out.var_text(text);
  return proto::Frame::binary("", as_text(out.view()));
}

}  // namespace

void Edge::Impl::named_open(Session& session, std::string_view episode) {
  session.pre->episode = episode;
  session.boards = std::make_unique<SessionBoards>();
  session.out->allow_binary(proto::kMaxBoardFrameBytes);
}

void Edge::Impl::named_in(Session& session, std::string_view bytes) {
  if (bytes.size() == 1) return;  // an answer to a ping, which has no name
  if (session.stage == Stage::kLive) session.since_us = now_us_;
  crdt::Decoder in(as_bytes(bytes));
  const std::string_view board = in.var_text();
  const ByteView message = as_bytes(bytes.substr(bytes.size() - in.remaining()));
  const uint64_t type = in.var_uint();
  if (!in.ok() || board.empty() || board.size() > proto::kMaxBoardIdBytes) {
    ++counted.bad_frames;
    return end(session, {Code::kBadFrame, {}, 0});
  }
  if (type == static_cast<uint64_t>(Named::kAuth)) {
    const uint64_t kind = in.var_uint();
    const std::string_view token = in.var_text();  // and the client's version, of no concern
    if (!in.ok() || kind != static_cast<uint64_t>(Auth::kToken)) return;
    return named_auth(session, board, token);
  }
  if (!session.boards) return;
  if (type == static_cast<uint64_t>(Named::kClose)) {
    if (session.stage == Stage::kLive) board_close(session, board);
    return;
  }
  if (type > static_cast<uint64_t>(Named::kQuery)) return;
  auto& boards = session.boards->open;
  const auto known = std::ranges::find(boards, board, &OpenBoard::id);
  // Before its token, or after its closing, a board is nobody's.
  if (known == boards.end() || session.stage == Stage::kHello) return;
  board_message(*episodes[session.episode], session, *known, message);
}

// The first token makes the session; others must be of the same person.
void Edge::Impl::named_auth(Session& session, std::string_view board, std::string_view token) {
  if (session.stage == Stage::kHello) {
    const std::string episode = session.pre->episode;
    return bare_hello(session, {episode, board, token});
  }
  if (!admit_control(session)) return;
  const auto claims = gate::verify_token(token, *options.keys, wall() / 1000);
  if (!claims) return named_denied(session, board, claims.error());
  const EpisodeSide& episode = *episodes[session.episode];
  if (claims->episode != episode.id || claims->role != session.role ||
      gate::pseudonym(episode.voter_key, claims->sub) != session.who) {
    return named_denied(session, board, {Code::kTokenChanged, {}, 0});
  }
  session.token_ends_ms = (claims->expires_s + gate::kClockSkewS) * 1000;
  arm(session);
  auto& boards = session.boards->open;
  if (std::ranges::find(boards, board, &OpenBoard::id) == boards.end()) {
    if (boards.size() >= SessionBoards::kMost) {
      return named_denied(session, board, {Code::kBoardTooMany, {}, 0});
    }
    boards.push_back({std::string(board), kNoIndex});
  }
  if (session.stage != Stage::kLive) return;  // asked for when the session has joined
  options.bus->to_owner(
      episode.id,
      bus::BoardOpen{.edge = options.id, .session = session.id, .board = std::string(board)});
}

void Edge::Impl::named_answer(Session& session, const bus::BoardOpened& opened) {
  deliver(session,
          auth_frame(opened.board, Auth::kGranted, opened.edits ? "read-write" : "readonly"));
}

void Edge::Impl::named_denied(Session& session, std::string_view board, const Error& error) {
  deliver(session, auth_frame(board, Auth::kDenied, proto::peer_message(error)));
}

// Its copy of one board is void, and stays so until it comes with an empty document: its other
// boards go on.
void Edge::Impl::named_void(Session& session, const bus::BoardSend& send) {
  const auto known = std::ranges::find(session.boards->open, send.board, &OpenBoard::handle);
  if (known == session.boards->open.end()) return;
  const std::string board = known->id;
  board_close(session, board);
  named_denied(session, board, send.refusal);
}

// One message for each update that is durable: the provider counts them down.
void Edge::Impl::named_ack(Session& session, const bus::BoardSend& send) {
  const auto known = std::ranges::find(session.boards->open, send.board, &OpenBoard::handle);
  if (known == session.boards->open.end()) return;
  crdt::Encoder out = begun(known->id, Named::kSyncStatus);
  out.var_int(int64_t{1});
  const proto::FramePtr frame = proto::Frame::binary("", as_text(out.view()));
  uint64_t more = send.ack - std::min(send.ack, known->acked);
  known->acked = send.ack;
  for (; more > 0 && session.stage == Stage::kLive; --more) deliver(session, frame);
}

}  // namespace footlight::edge
