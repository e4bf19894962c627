// What is written to connections, and how a session ends. Only a connection that does not take all
// of a frame gets a queue, and only queues hold a reference to the frame.
#include "edge/internal/edge_impl.h"

namespace footlight::edge {
namespace {

struct Advice {
  bool reconnect = false;
  uint32_t low_ms = 0;
  uint32_t high_ms = 0;
};

Advice advice(const Error& error, bool in_session, uint32_t drain_spread_ms) {
  switch (error.code) {
    case Code::kDraining:
      return {true, 0, drain_spread_ms};
    case Code::kSlowConsumer:
    case Code::kHelloTimeout:
      return {true, 500, 2'000};
    case Code::kIdle:
    case Code::kUnknownSession:
      return {true, 0, 1'000};
    case Code::kTokenExpired:  // in a session: come back with a fresh one
      return {in_session, 0, 1'000};
    case Code::kServerFull:
      return {true, 2'000, 10'000};
    case Code::kInternal:
      return {true, 1'000, 5'000};
    default:
      // A refusal by admission: its place in the queue, and as long again to spread.
      if (error.retry_after_ms > 0) {
        return {true, error.retry_after_ms, 2 * error.retry_after_ms};
      }
      return {};
  }
}

}  // namespace

proto::FramePtr Edge::Impl::bye_frame(const Error& error, bool in_session) {
  const Advice advised = advice(error, in_session, options.drain_spread_ms);
  const std::string text = proto::peer_message(error);
  proto::ServerBye bye;
  bye.code = error.code;
  bye.message = text;
  bye.reconnect = advised.reconnect;
  bye.after_low_ms = advised.low_ms;
  bye.after_high_ms = advised.high_ms;
  return proto::Frame::text(proto::encoded(bye));
}

void Edge::Impl::count_queue(size_t before, size_t after) {
  counted.queue_bytes += after;
  counted.queue_bytes -= before;
}

// The transport took `taken` bytes of the frame and no more.
void Edge::Impl::back_up(Session& session, const proto::FramePtr& frame, size_t taken) {
  session.queue = std::make_unique<OutQueue>();
  session.queue->start(frame, taken);
  ++counted.queued_connections;
  count_queue(0, session.queue->total_bytes());
  if (session.live_index != kNoIndex) {
    episodes[session.episode]->live[session.live_index].backed_up = true;
  }
}

void Edge::Impl::enqueue(Session& session, const proto::FramePtr& frame) {
  const size_t before = session.queue->total_bytes();
  if (!session.queue->push(frame, options.queue_bytes)) {
    ++counted.slow_consumers;
    return end(session, {Code::kSlowConsumer, {}, 0});
  }
  count_queue(before, session.queue->total_bytes());
}

void Edge::Impl::deliver(Session& session, const proto::FramePtr& frame) {
  ++counted.deliveries;
  if (session.episode != kNoIndex) ++episodes[session.episode]->deliveries;
  if (session.queue) return enqueue(session, frame);
  const size_t taken = session.out->write(frame, 0);
  counted.bytes_out += taken;
  if (taken < frame->wire().size()) back_up(session, frame, taken);
}

void Edge::Impl::pump(Session& session) {
  if (!session.queue) return;
  OutQueue& queue = *session.queue;
  const size_t before = queue.total_bytes();
  size_t offset = 0;
  while (const proto::FramePtr* frame = queue.front(offset)) {
    const size_t wanted = (*frame)->wire().size() - offset;
    const size_t taken = session.out->write(*frame, offset);
    counted.bytes_out += taken;
    queue.taken(taken);
    if (taken < wanted) break;
  }
  count_queue(before, queue.total_bytes());
  if (!queue.empty()) return;
  session.queue.reset();
  --counted.queued_connections;
  if (session.live_index != kNoIndex) {
    episodes[session.episode]->live[session.live_index].backed_up = false;
  }
  if (session.boards && session.stage == Stage::kLive) catch_up(session);
}

void Edge::Impl::writable(Session& session) {
  if (session.closed) return;
  pump(session);
  if (session.stage == Stage::kClosing && !session.queue) close_now(session);
}

void Edge::Impl::send_error(Session& session, const Error& error) {
  std::string text;
  const proto::ErrorNotice notice = proto::error_notice(error, text);
  scratch.clear();
  proto::encode(scratch, notice);
  deliver(session, proto::Frame::text(scratch));
}

void Edge::Impl::leave(Session& session) {
  if (session.episode == kNoIndex) return;
  EpisodeSide& episode = *episodes[session.episode];
  leave_boards(session);
  if (session.live_index != kNoIndex) {
    drop_live(episode, session.live_index);
    session.live_index = kNoIndex;
    if (session.role == proto::Role::kViewer) {
      --episode.audience;
      count_watching(episode, session, -1);
    }
    --counted.sessions_by_role[static_cast<size_t>(session.role)];
  }
  if (session.last_flush == episode.flush) flush(episode);  // its events before its leaving
  options.bus->to_owner(episode.id, bus::Leave{options.id, session.id});
  --episode.joined;
  if (episode.joined == 0) {
    options.bus->to_owner(episode.id, bus::Watermark{options.id, wall() - 1, 0, 0});
  }
  session.episode = kNoIndex;
}

void Edge::Impl::end(Session& session, const Error& error) {
  if (session.stage == Stage::kClosing) return;
  end_with(session, error.code, bye_frame(error, session.stage == Stage::kLive));
}

void Edge::Impl::end_with(Session& session, Code code, const proto::FramePtr& bye) {
  if (session.stage == Stage::kClosing) return;
  if (session.stage != Stage::kLive) ++counted.refused;
  leave(session);
  release_acks(session);
  session.stage = Stage::kClosing;
  session.since_us = now_us_;
  session.close_code = code;
  session.pre.reset();
  if (is_stock(session.wire)) {  // the code of the close says it all
    if (session.queue) session.queue->drop_waiting();
    return close_now(session);
  }
  if (session.queue) {
    const size_t before = session.queue->total_bytes();
    session.queue->drop_waiting();
    session.queue->push(bye, SIZE_MAX);
    count_queue(before, session.queue->total_bytes());
    pump(session);
  } else {
    deliver(session, bye);
  }
  if (!session.queue) return close_now(session);
  arm(session);
}

void Edge::Impl::close_now(Session& session) {
  if (session.closed) return;
  session.closed = true;
  session.out->close(session.close_code);
}

void Edge::Impl::kick(EpisodeSide& episode, const bus::Kick& kick) {
  if (kick.session != 0) {
    if (Session* session = find(kick.session)) end(*session, kick.error);
    return;
  }
  if (options.media) {  // whatever carries it: also what was opened without a session
    MediaRequest from;
    from.episode = episode.id;
    from.who = kick.who;
    options.media->ask({std::move(from), MediaAsk::Kick{kick.error}});
  }
  // Also those that are still joining are not in `live`.
  for (Session& session : sessions) {
    if (session.stage != Stage::kJoining && session.stage != Stage::kLive) continue;
    if (session.who == kick.who && episodes[session.episode].get() == &episode) {
      end(session, kick.error);
    }
  }
}

void Edge::Impl::mode(EpisodeSide& episode) {
  proto::ModeNotice notice;
  std::string text;
  if (episode.mode != proto::Mode::kLive) {
    text = proto::peer_message(episode.mode_error);
    if (episode.mode_error.code == Code::kOk) text.clear();
    notice = {episode.mode, episode.mode_error.code, text};
  } else if (admission.pressure() != gate::Pressure::kNone) {
    notice = {proto::Mode::kDegraded, Code::kOverloaded, code_sentence(Code::kOverloaded)};
  }
  scratch.clear();
  proto::encode(scratch, notice);
  broadcast(episode, proto::RoleSet::all(), proto::Frame::text(scratch));
}

}  // namespace footlight::edge
