// Outcomes on their way to the clients: kept in one pool, a list per session, told together in one
// `ack` at the tick or, for the cast, at once.
#include "edge/internal/edge_impl.h"

namespace footlight::edge {

PendingAck& Edge::Impl::add_ack(Session& session, uint64_t i, PendingAck::Kind kind) {
  uint32_t index = free_ack;
  if (index == kNoIndex) {
    index = static_cast<uint32_t>(acks.size());
    acks.emplace_back();
  } else {
    free_ack = acks[index].next;
  }
  PendingAck& ack = acks[index];
  ack = PendingAck{};
  ack.i = i;
  ack.kind = kind;
  if (session.ack_first == kNoIndex) {
    session.ack_first = index;
  } else {
    acks[session.ack_last].next = index;
  }
  session.ack_last = index;
  return ack;
}

void Edge::Impl::ack_soon(Session& session, bool urgent) {
  if (urgent && session.stage == Stage::kLive) return flush_acks(session);
  if (session.live_index != kNoIndex) {
    LiveEntry& entry = episodes[session.episode]->live[session.live_index];
    if (!entry.acks_wait) session.ack_since_us = now_us_;
    entry.acks_wait = true;
  }
  if (!session.ack_listed) {
    session.ack_listed = true;
    waiting_acks.push_back(session.id);
  }
  if (ack_due_us == kNever) ack_due_us = next_ack_us();
}

// When many waited last time, let more outcomes gather, so that each send carries several.
MonoUs Edge::Impl::next_ack_us() const {
  const bool busy = last_ack_sessions > options.ack_busy_sessions;
  return now_us_ + (busy ? options.ack_tick_busy_ms : options.ack_tick_ms) * kUsPerMs;
}

void Edge::Impl::reject(Session& session, uint64_t i, Code code, std::string detail,
                        uint32_t retry_after_ms) {
  PendingAck& ack = add_ack(session, i, PendingAck::Kind::kRejected);
  ack.code = code;
  ack.retry_after_ms = retry_after_ms;
  if (!detail.empty()) {
    if (free_details.empty()) {
      ack.detail = static_cast<uint32_t>(details.size());
      details.push_back(std::move(detail));
    } else {
      ack.detail = free_details.back();
      free_details.pop_back();
      details[ack.detail] = std::move(detail);
    }
  }
  ack_soon(session, session.role != proto::Role::kViewer);
}

void Edge::Impl::probe(EpisodeSide& episode, bus::SessionId session, uint64_t i) {
  if (episode.probe_session != session || episode.probe_i != i) return;
  counted.confirm_us.record(static_cast<uint64_t>(now_us_ - episode.probe_us));
  episode.probe_session = 0;
}

void Edge::Impl::outcomes(EpisodeSide& episode, const bus::Outcomes& outcomes) {
  const auto tell = [this](bus::SessionId id) -> Session* {
    Session* session = find(id);
    return session == nullptr || session->stage == Stage::kClosing ? nullptr : session;
  };
  for (const bus::Confirmation& each : outcomes.confirmed) {
    probe(episode, each.session, each.i);
    Session* session = tell(each.session);
    if (session == nullptr) continue;
    PendingAck& ack = add_ack(*session, each.i, PendingAck::Kind::kConfirmed);
    ack.log = each.log;
    ack.has_receipt = each.has_receipt;
    ack.receipt = each.receipt;
    if (!outcomes.urgent) ack_soon(*session, false);
  }
  for (const bus::Acceptance& each : outcomes.accepted) {
    Session* session = tell(each.session);
    if (session == nullptr) continue;
    add_ack(*session, each.i, PendingAck::Kind::kAccepted);
    if (!outcomes.urgent) ack_soon(*session, false);
  }
  for (const bus::Rejection& each : outcomes.rejected) {
    probe(episode, each.session, each.i);
    Session* session = tell(each.session);
    if (session == nullptr) continue;
    ++counted.rejected;
    reject(*session, each.i, each.error.code, each.error.detail, each.error.retry_after_ms);
  }
  if (!outcomes.urgent) return;
  // All of a session's outcomes were gathered above: one frame each.
  const auto at_once = [&](bus::SessionId id) {
    Session* session = tell(id);
    if (session != nullptr && session->ack_first != kNoIndex) ack_soon(*session, true);
  };
  for (const auto& each : outcomes.confirmed) at_once(each.session);
  for (const auto& each : outcomes.accepted) at_once(each.session);
}

void Edge::Impl::release_acks(Session& session) {
  if (session.ack_first == kNoIndex) return;
  for (uint32_t at = session.ack_first; at != kNoIndex; at = acks[at].next) {
    if (acks[at].detail != kNoIndex) {
      details[acks[at].detail].clear();
      free_details.push_back(acks[at].detail);
    }
  }
  acks[session.ack_last].next = free_ack;
  free_ack = session.ack_first;
  session.ack_first = session.ack_last = kNoIndex;
  if (session.live_index == kNoIndex) return;
  episodes[session.episode]->live[session.live_index].acks_wait = false;
}

// Of a session that has outcomes.
proto::FramePtr Edge::Impl::take_acks(Session& session) {
  accepted_scratch.clear();
  confirmed_scratch.clear();
  rejected_scratch.clear();
  message_scratch.clear();
  for (uint32_t at = session.ack_first; at != kNoIndex; at = acks[at].next) {
    const PendingAck& ack = acks[at];
    switch (ack.kind) {
      case PendingAck::Kind::kAccepted:
        accepted_scratch.push_back(ack.i);
        break;
      case PendingAck::Kind::kConfirmed:
        confirmed_scratch.push_back({ack.i, ack.log, ack.has_receipt, ack.receipt});
        break;
      case PendingAck::Kind::kRejected:
        message_scratch.push_back(proto::peer_message(
            {ack.code, ack.detail == kNoIndex ? std::string() : details[ack.detail], 0}));
        rejected_scratch.push_back({ack.i, ack.code, {}, ack.retry_after_ms});
        break;
    }
  }
  for (size_t i = 0; i < rejected_scratch.size(); ++i) {
    rejected_scratch[i].message = message_scratch[i];
  }
  release_acks(session);
  scratch.clear();
  proto::encode(scratch, proto::Ack{accepted_scratch, confirmed_scratch, rejected_scratch});
  return proto::Frame::text(scratch);
}

void Edge::Impl::flush_acks(Session& session) {
  if (session.ack_first != kNoIndex) deliver(session, take_acks(session));
}

// Whether a tally will come by that takes the session's outcomes along: a vote is answered by one
// write instead of two, and a write is most of what a vote costs.
bool Edge::Impl::acks_ride(const Session& session) const {
  if (now_us_ - session.ack_since_us >= options.ack_ride_ms * kUsPerMs) return false;
  const proto::RoleSet role = proto::RoleSet::of(session.role);
  for (const SlotSweep& slot : episodes[session.episode]->slots) {
    if (slot.frame && (slot.roles.bits & role.bits) != 0) return true;
  }
  return false;
}

void Edge::Impl::flush_all_acks() {
  ack_due_us = kNever;
  std::vector<bus::SessionId> waiting;
  waiting.swap(waiting_acks);
  last_ack_sessions = waiting.size();
  size_t kept = 0;
  for (const bus::SessionId id : waiting) {
    Session* session = find(id);
    if (session == nullptr) continue;
    if (session->ack_first != kNoIndex && session->stage == Stage::kLive && acks_ride(*session)) {
      waiting[kept++] = id;
      continue;
    }
    session->ack_listed = false;
    if (session->stage == Stage::kLive) {
      flush_acks(*session);
    } else if (session->stage != Stage::kJoining) {  // those are told right after the welcome
      release_acks(*session);
    }
  }
  waiting.resize(kept);
  // What came while they were told; and keep the storage.
  waiting.insert(waiting.end(), waiting_acks.begin(), waiting_acks.end());
  waiting_acks.swap(waiting);
  if (!waiting_acks.empty()) ack_due_us = next_ack_us();
}

}  // namespace footlight::edge
