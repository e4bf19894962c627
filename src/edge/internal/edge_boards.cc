// Boards at the edge: what sessions send is admitted and handed on, what the owner sends is written
// to those who have the board open, on each one's wire. The edge knows no document.
#include <algorithm>
#include <utility>

#include "crdt/sync.h"
#include "edge/internal/edge_impl.h"

namespace footlight::edge {
namespace {

bool has_update(crdt::MessageKind kind) {
  return kind == crdt::MessageKind::kStep2 || kind == crdt::MessageKind::kUpdate;
}

}  // namespace

const proto::FramePtr& BoardFrames::of(Wire wire) {
  proto::FramePtr& frame = frames_[static_cast<size_t>(wire)];
  if (frame) return frame;
  switch (wire) {
    case Wire::kBare:
      frame = proto::Frame::binary("", as_text(message_));
      break;
    case Wire::kNamed: {
      Bytes name;
      ByteWriter out(name);
      out.text(board_);
      frame = proto::Frame::binary(as_text(name), as_text(message_));
      break;
    }
    case Wire::kWebSocket:
      frame = proto::Frame::binary(as_text(crdt::board_frame(board_, {})), as_text(message_));
      break;
    case Wire::kEventStream:
      frame = proto::Frame::text(
          proto::encoded(proto::BoardNotice{.board = board_, .data = to_base64url(message_)}));
      break;
  }
  return frame;
}

// A stock client's token comes with its address; there is no hello.
void Edge::Impl::bare_hello(Session& session, const ConnectionInfo::Bare& bare) {
  auto claims = gate::verify_token(bare.token, *options.keys, wall() / 1000);
  if (!claims) return end(session, claims.error());
  if (claims->episode != bare.episode) return end(session, {Code::kTokenForeignEpisode, {}, 0});
  const auto found = episode_index.find(bare.episode);
  if (found == episode_index.end()) return end(session, {Code::kEpisodeUnknown, {}, 0});
  EpisodeSide& episode = *episodes[found->second];
  const uint64_t who = gate::pseudonym(episode.voter_key, claims->sub);
  const gate::Subject subject{&session.buckets, &episode.buckets, who, session.prefix,
                              claims->role};
  if (const auto verdict = admission.admit_join(subject, now_us_); !verdict.ok()) {
    return end(session, {verdict.code, {}, verdict.retry_after_ms});
  }
  session.who = who;
  session.role = claims->role;
  session.episode = found->second;
  session.token_ends_ms = (claims->expires_s + gate::kClockSkewS) * 1000;
  session.stage = Stage::kJoining;
  session.since_us = now_us_;
  session.boards = std::make_unique<SessionBoards>();
  session.boards->open.push_back({std::string(bare.board), kNoIndex});
  ++episode.joined;
  arm(session);
  session.out->allow_binary(proto::kMaxBoardFrameBytes);

  bus::Join join;
  join.edge = options.id;
  join.session = session.id;
  join.actor = {who, claims->role, std::move(claims->name), std::move(claims->characters)};
  join.cid = ~session.id;  // it has no outbox
  join.bare = true;
  options.bus->to_owner(episode.id, std::move(join));
}

void Edge::Impl::bare_joined(EpisodeSide& episode, Session& session) {
  session.stage = Stage::kLive;
  session.since_us = now_us_;
  session.pre.reset();
  ++counted.joined;
  arm(session);
  for (const OpenBoard& board : session.boards->open) {
    options.bus->to_owner(
        episode.id, bus::BoardOpen{.edge = options.id, .session = session.id, .board = board.id});
  }
}

void Edge::Impl::binary(ConnId conn, std::string_view bytes) {
  Session* session = find_conn(conn);
  if (session == nullptr || session->stage == Stage::kClosing) return;
  ++counted.frames_in;
  counted.bytes_in += bytes.size();
  if (session->wire == Wire::kNamed) return named_in(*session, bytes);
  if (session->wire == Wire::kBare && session->boards) {
    if (session->stage == Stage::kLive) session->since_us = now_us_;
    OpenBoard& board = session->boards->open[0];
    return board_message(*episodes[session->episode], *session, board, as_bytes(bytes));
  }
  if (session->stage != Stage::kLive) return end(*session, {Code::kBadFrame, {}, 0});
  session->since_us = now_us_;
  const auto frame = crdt::read_board_frame(as_bytes(bytes));
  if (!frame) {
    ++counted.bad_frames;
    if (admit_control(*session)) send_error(*session, frame.error());
    return;
  }
  board_in(*session, frame->board, frame->message);
}

void Edge::Impl::board_open(Session& session, const proto::BoardOpen& open) {
  if (session.stage != Stage::kLive) return;
  if (!session.boards) session.boards = std::make_unique<SessionBoards>();
  auto& boards = session.boards->open;
  const auto known = std::ranges::find(boards, open.board, &OpenBoard::id);
  if (known == boards.end()) {
    if (boards.size() >= SessionBoards::kMost) {
      return send_error(session, {Code::kBoardTooMany, {}, 0});
    }
    boards.push_back({std::string(open.board), kNoIndex});
  }
  EpisodeSide& episode = *episodes[session.episode];
  options.bus->to_owner(episode.id, bus::BoardOpen{.edge = options.id,
                                                   .session = session.id,
                                                   .board = std::string(open.board),
                                                   .client = open.client,
                                                   .generation = open.generation});
}

void Edge::Impl::board_close(Session& session, std::string_view board) {
  if (!session.boards) return;
  auto& boards = session.boards->open;
  const auto known = std::ranges::find(boards, board, &OpenBoard::id);
  if (known == boards.end()) return;
  EpisodeSide& episode = *episodes[session.episode];
  const uint32_t handle = known->handle;
  boards.erase(known);
  if (handle == kNoIndex) return;  // the answer to its opening finds nobody
  forget_board(episode, session, handle);
  options.bus->to_owner(episode.id, bus::BoardClose{options.id, session.id, handle});
}

void Edge::Impl::board_data(Session& session, const proto::BoardData& data) {
  Bytes message;
  if (!from_base64url(data.data, message)) {
    if (admit_control(session)) send_error(session, {Code::kBoardMalformed, "d: base64url", 0});
    return;
  }
  board_in(session, data.board, message);
}

void Edge::Impl::board_in(Session& session, std::string_view board, ByteView message) {
  if (session.boards && session.stage == Stage::kLive) {
    auto& boards = session.boards->open;
    const auto known = std::ranges::find(boards, board, &OpenBoard::id);
    if (known != boards.end() && known->handle != kNoIndex) {
      return board_message(*episodes[session.episode], session, *known, message);
    }
  }
  if (admit_control(session)) {
    send_error(session, {Code::kBoardNotOpen, std::string(board.substr(0, 64)), 0});
  }
}

void Edge::Impl::board_message(EpisodeSide& episode, Session& session, OpenBoard& board,
                               ByteView message) {
  bus::BoardMessage out;
  out.edge = options.id;
  out.session = session.id;
  out.board = board.handle;
  const auto read = crdt::read_message(message);
  const crdt::MessageKind kind = read ? read->kind : crdt::MessageKind::kUpdate;
  const bool asks = !has_update(kind) && kind != crdt::MessageKind::kAwareness;
  if (asks) {  // costs the owner an answer; a few are enough
    if (kind == crdt::MessageKind::kOther || !admit_control(session)) return;
  } else {
    const bool update = has_update(kind);
    const gate::Subject subject{&session.buckets, &episode.buckets, session.who, session.prefix,
                                session.role};
    const auto verdict = admission.admit(
        update ? gate::EventClass::kBoard : gate::EventClass::kPresence, subject, 1, now_us_);
    if (verdict.cut) return end(session, {verdict.code, {}, verdict.retry_after_ms});
    if (!verdict.ok()) {
      ++counted.shed;
      if (!update) return;  // another state will follow
      out.refused = {verdict.code, {}, verdict.retry_after_ms};
    }
  }
  if (board.handle == kNoIndex) {
    SessionBoards& boards = *session.boards;
    if (boards.early.size() >= SessionBoards::kEarlyMessages ||
        boards.early_bytes + message.size() > SessionBoards::kEarlyBytes) {
      return;
    }
    boards.early_bytes += message.size();
    boards.early.push_back({board.id, {message.begin(), message.end()}});
    return;
  }
  if (out.refused.code == Code::kOk) out.message.assign(message.begin(), message.end());
  options.bus->to_owner(episode.id, std::move(out));
}

void Edge::Impl::board_opened(EpisodeSide& episode, const bus::BoardOpened& opened) {
  Session* session = find(opened.session);
  const bool here = session != nullptr && session->stage == Stage::kLive && session->boards;
  if (!here) return;
  auto& boards = session->boards->open;
  const auto known = std::ranges::find(boards, opened.board, &OpenBoard::id);
  if (opened.error.code != Code::kOk) {
    if (session->wire == Wire::kBare) return end(*session, opened.error);
    if (known != boards.end()) boards.erase(known);
    if (session->wire == Wire::kNamed) return named_denied(*session, opened.board, opened.error);
    return deliver(*session, proto::Frame::text(opened.text));
  }
  if (known == boards.end()) {  // closed before it was open
    options.bus->to_owner(episode.id, bus::BoardClose{options.id, session->id, opened.handle});
    return;
  }
  known->acked = 0;
  if (known->handle == kNoIndex) {
    known->handle = opened.handle;
    if (episode.boards.size() <= opened.handle) episode.boards.resize(opened.handle + 1);
    BoardSide& side = episode.boards[opened.handle];
    side.id = opened.board;
    side.members.push_back(
        {bus::slot_of(session->id), proto::RoleSet::of(session->role), session->wire});
  }
  if (!is_stock(session->wire)) return deliver(*session, proto::Frame::text(opened.text));
  if (session->wire == Wire::kNamed) named_answer(*session, opened);
  if (session->stage != Stage::kLive) return;  // it did not take the answer
  SessionBoards& kept = *session->boards;
  std::erase_if(kept.early, [&](SessionBoards::Early& early) {
    if (early.board != opened.board) return false;
    kept.early_bytes -= early.message.size();
    options.bus->to_owner(episode.id, bus::BoardMessage{.edge = options.id,
                                                        .session = session->id,
                                                        .board = opened.handle,
                                                        .message = std::move(early.message)});
    return true;
  });
}

void Edge::Impl::board_send(EpisodeSide& episode, const bus::BoardSend& send) {
  Session* session = find(send.session);
  if (session == nullptr || session->stage != Stage::kLive) return;
  if (send.board >= episode.boards.size()) return;
  if (send.message) {
    BoardFrames frames(episode.boards[send.board].id, *send.message);
    return deliver(*session, frames.of(session->wire));
  }
  if (!is_stock(session->wire)) return deliver(*session, proto::Frame::text(send.text));
  if (send.ack != 0 && session->wire == Wire::kNamed) return named_ack(*session, send);
  if (send.refusal.code == Code::kBoardRenewed && session->wire == Wire::kNamed) {
    return named_void(*session, send);
  }
  if (send.refusal.code != Code::kOk) end(*session, send.refusal);
}

// Backwards, because a slow consumer that is cut leaves the list by swapping in the last.
void Edge::Impl::board_relay(EpisodeSide& episode, const bus::BoardRelay& relay) {
  if (relay.board >= episode.boards.size()) return;
  BoardSide& side = episode.boards[relay.board];
  BoardFrames frames(side.id, *relay.message);
  for (size_t i = side.members.size(); i-- > 0;) {
    BoardSide::Member& member = side.members[i];
    if ((member.role.bits & relay.roles.bits) == 0) continue;
    Session& session = sessions[member.slot];
    if (relay.lossy) {
      deliver_slot(session, bus::kFirstBoardSlot + relay.board, frames.of(member.wire));
      continue;
    }
    if (session.queue) leave_out(member, session, relay);
    if (!member.behind) deliver(session, frames.of(member.wire));
  }
}

// A session for which much waits gets no more of the board than it will read: what it lacks is
// said in one message once it has read the rest.
void Edge::Impl::leave_out(BoardSide::Member& member, Session& session,
                           const bus::BoardRelay& relay) {
  const size_t more = session.queue->reliable_bytes() + relay.message->size();
  if (member.behind || more <= options.queue_bytes / 2) return;
  member.behind = true;
  member.from = relay.from;
}

void Edge::Impl::catch_up(Session& session) {
  EpisodeSide& episode = *episodes[session.episode];
  for (const OpenBoard& board : session.boards->open) {
    if (board.handle >= episode.boards.size()) continue;
    auto& members = episode.boards[board.handle].members;
    const auto mine =
        std::ranges::find(members, bus::slot_of(session.id), &BoardSide::Member::slot);
    if (mine == members.end() || !mine->behind) continue;
    mine->behind = false;
    options.bus->to_owner(episode.id,
                          bus::BoardBehind{options.id, session.id, board.handle, mine->from});
  }
}

// On the overwrite lane.
void Edge::Impl::deliver_slot(Session& session, uint32_t slot, const proto::FramePtr& frame) {
  if (!session.queue) return deliver(session, frame);
  const size_t before = session.queue->total_bytes();
  session.queue->put(slot, frame);
  count_queue(before, session.queue->total_bytes());
}

void Edge::Impl::forget_board(EpisodeSide& episode, Session& session, uint32_t handle) {
  if (handle >= episode.boards.size()) return;
  auto& members = episode.boards[handle].members;
  const auto mine = std::ranges::find(members, bus::slot_of(session.id), &BoardSide::Member::slot);
  if (mine == members.end()) return;
  *mine = members.back();
  members.pop_back();
}

// The owner learns of it by the session's Leave.
void Edge::Impl::leave_boards(Session& session) {
  if (!session.boards) return;
  EpisodeSide& episode = *episodes[session.episode];
  for (const OpenBoard& board : session.boards->open) {
    if (board.handle != kNoIndex) forget_board(episode, session, board.handle);
  }
  session.boards.reset();
}

}  // namespace footlight::edge
