#include "edge/edge.h"

#include <utility>

#include "core/assert.h"
#include "edge/internal/edge_impl.h"
#include "gate/ip_prefix.h"

namespace footlight::edge {
namespace {

constexpr MonoUs kJoinTimeoutUs = 10 * kUsPerSecond;

uint64_t seed_from(Entropy& entropy) {
  std::array<uint8_t, 8> bytes;
  entropy.fill(bytes);
  return ByteReader(bytes).u64();
}

}  // namespace

Edge::Impl::Impl(EdgeOptions given)
    : options(std::move(given)),
      now_us_(options.clock->now_us()),
      wall_(*options.clock),
      admission(options.admission, seed_from(*options.entropy)),
      wheel(now_us_),
      watermark_due_us(now_us_),
      report_due_us(now_us_ + kUsPerSecond) {
  FL_ASSERT(options.max_sessions < 1u << bus::kSlotBits, "a slot fits a session id");
  add_episodes(std::move(options.episodes));
}

void Edge::Impl::add_episodes(std::vector<EdgeEpisode> added) {
  for (EdgeEpisode& episode : added) {
    if (episode_index.contains(episode.id)) continue;
    auto side = std::make_unique<EpisodeSide>();
    side->id = episode.id;
    side->voter_key = episode.voter_key;
    side->pending.edge = options.id;
    episode_index.emplace(std::move(episode.id), static_cast<uint32_t>(episodes.size()));
    episodes.push_back(std::move(side));
  }
}

Session* Edge::Impl::find(bus::SessionId id) {
  const uint32_t slot = bus::slot_of(id);
  if (slot >= sessions.size() || sessions[slot].id != id) return nullptr;
  return &sessions[slot];
}

Session* Edge::Impl::find_conn(ConnId conn) {
  const uint32_t slot = by_conn.find(conn);
  return slot == ConnIndex::kNone ? nullptr : &sessions[slot];
}

void Edge::Impl::open(ConnId conn, const ConnectionInfo& info, ConnectionOut& out) {
  ++counted.opened;
  const auto prefix = gate::parse_ip_prefix(info.ip).value_or(gate::IpPrefix{});
  Error refusal{Code::kOk, {}, 0};
  if (draining) {
    refusal.code = Code::kDraining;
  } else if (counted.sessions >= options.max_sessions) {
    refusal.code = Code::kServerFull;
  } else if (const auto verdict = admission.admit_connection(prefix, now_us_); !verdict.ok()) {
    refusal = {verdict.code, {}, verdict.retry_after_ms};
  }
  if (refusal.code != Code::kOk) {
    ++counted.refused;
    if (info.bare == nullptr) out.write(bye_frame(refusal, false), 0);
    out.close(refusal.code);
    return;
  }
  uint32_t slot;
  if (free_slots.empty()) {
    slot = static_cast<uint32_t>(sessions.size());
    sessions.emplace_back();
  } else {
    slot = free_slots.back();
    free_slots.pop_back();
  }
  Session& session = sessions[slot];
  session = Session{};
  session.conn = conn;
  session.out = &out;
  session.id = bus::make_session_id(next_serial++, slot);
  session.prefix = prefix;
  session.wire = info.event_stream ? Wire::kEventStream : Wire::kWebSocket;
  if (info.bare != nullptr) session.wire = info.bare->board.empty() ? Wire::kNamed : Wire::kBare;
  session.stage = Stage::kHello;
  session.since_us = now_us_;
  session.pre = std::make_unique<PreJoin>();
  session.pre->who = info.who;
  session.pre->sid = info.sid.empty() ? make_sid() : std::string(info.sid);
  by_conn.insert(conn, slot);
  ++counted.sessions;
  arm(session);
  if (session.wire == Wire::kNamed) return named_open(session, info.bare->episode);
  if (session.wire == Wire::kBare) bare_hello(session, *info.bare);
}

void Edge::Impl::frame(ConnId conn, std::string_view text) {
  Session* session = find_conn(conn);
  if (session == nullptr || session->stage == Stage::kClosing) return;
  ++counted.frames_in;
  counted.bytes_in += text.size();
  if (is_stock(session->wire)) return end(*session, {Code::kBadFrame, "not a text frame", 0});
  if (session->stage == Stage::kLive) session->since_us = now_us_;
  const auto decoded = decoder.decode(text);
  if (!decoded) {
    ++counted.bad_frames;
    if (proto::ends_session(decoded.error().code) || session->stage == Stage::kHello) {
      end(*session, decoded.error());
    } else if (admit_control(*session)) {
      send_error(*session, decoded.error());
    }
    return;
  }
  message(*session, *decoded);
}

void Edge::Impl::closed(ConnId conn) {
  Session* session = find_conn(conn);
  if (session == nullptr) return;
  leave(*session);
  release_acks(*session);
  if (session->queue) {
    count_queue(session->queue->total_bytes(), 0);
    --counted.queued_connections;
  }
  by_conn.erase(conn);
  const uint32_t slot = bus::slot_of(session->id);
  *session = Session{};
  free_slots.push_back(slot);
  --counted.sessions;
}

void Edge::Impl::bus_message(EpisodeSide& episode, bus::ToEdge& message) {
  if (auto* outcomes_in = std::get_if<bus::Outcomes>(&message)) {
    outcomes(episode, *outcomes_in);
  } else if (auto* volatile_in = std::get_if<bus::Volatile>(&message)) {
    overwrite(episode, *volatile_in);
  } else if (auto* broadcast_in = std::get_if<bus::Broadcast>(&message)) {
    broadcast(episode, broadcast_in->roles, broadcast_in->frame);
  } else if (auto* joined_in = std::get_if<bus::Joined>(&message)) {
    joined(episode, *joined_in);
  } else if (auto* tables = std::get_if<bus::Tables>(&message)) {
    set_tables(episode, *tables);
  } else if (auto* kick_in = std::get_if<bus::Kick>(&message)) {
    kick(episode, *kick_in);
  } else if (auto* change = std::get_if<bus::ModeChange>(&message)) {
    episode.mode = change->mode;
    episode.mode_error = change->error;
    mode(episode);
  } else if (auto* relay = std::get_if<bus::BoardRelay>(&message)) {
    board_relay(episode, *relay);
  } else if (auto* send = std::get_if<bus::BoardSend>(&message)) {
    board_send(episode, *send);
  } else if (auto* opened = std::get_if<bus::BoardOpened>(&message)) {
    board_opened(episode, *opened);
  }
}

MonoUs Edge::Impl::deadline(const Session& session) const {
  switch (session.stage) {
    case Stage::kHello:
      return session.since_us + options.hello_timeout_ms * kUsPerMs;
    case Stage::kJoining:
      return session.since_us + kJoinTimeoutUs;
    case Stage::kLive:
      return session.since_us + options.idle_ms * kUsPerMs;
    case Stage::kClosing:
      return session.closed ? kNever : session.since_us + options.linger_ms * kUsPerMs;
    case Stage::kFree:
      break;
  }
  return kNever;
}

void Edge::Impl::arm(Session& session) {
  MonoUs due_us = deadline(session);
  if (session.stage == Stage::kLive) {
    const int64_t left_ms = std::max<int64_t>(0, session.token_ends_ms - wall());
    due_us = std::min(due_us, now_us_ + (left_ms + 1) * kUsPerMs);
  }
  session.timer_us = due_us;
  if (due_us != kNever) wheel.add(session.id, due_us);
}

void Edge::Impl::timer(bus::SessionId id, MonoUs due_us) {
  Session* session = find(id);
  if (session == nullptr || session->timer_us != due_us) return;
  if (session->stage == Stage::kLive && wall() > session->token_ends_ms) {
    end(*session, {Code::kTokenExpired, {}, 0});
    return;
  }
  if (deadline(*session) > now_us_) {
    arm(*session);
    return;
  }
  switch (session->stage) {
    case Stage::kHello:
      return end(*session, {Code::kHelloTimeout, {}, 0});
    case Stage::kJoining:
      return end(*session, {Code::kInternal, "the episode's owner does not answer", 0});
    case Stage::kLive:
      return end(*session, {Code::kIdle, {}, 0});
    case Stage::kClosing:
      return close_now(*session);
    case Stage::kFree:
      return;
  }
}

MonoUs Edge::Impl::time() {
  const MonoUs due_us = next_due_us();
  now();
  if (due_us <= now_us_) gauge.late(now_us_ - due_us, now_us_);
  wheel.advance(now_us_, [this](uint64_t id, MonoUs entry_us) { timer(id, entry_us); });
  if (flush_due_us <= now_us_) {
    flush_due_us = kNever;
    for (auto& episode : episodes) {
      if (episode->flush_due_us <= now_us_) flush(*episode);
      flush_due_us = std::min(flush_due_us, episode->flush_due_us);
    }
  }
  if (ack_due_us <= now_us_) flush_all_acks();
  if (sweep_due_us <= now_us_) sweep_all();
  periodic();
  return next_due_us();
}

void Edge::Impl::periodic() {
  if (watermark_due_us <= now_us_) {
    watermark_due_us = now_us_ + options.watermark_ms * kUsPerMs;
    for (auto& episode : episodes) {
      if (episode->joined == 0) continue;
      flush(*episode);
      options.bus->to_owner(episode->id, bus::Watermark{options.id, wall() - 1, episode->audience,
                                                        furthest_behind_ms(*episode)});
    }
    for (auto& episode : episodes) {
      if (episode->mode == proto::Mode::kDegraded) gauge.owner_pressed(now_us_);
    }
    gauge.queued(counted.queue_bytes, now_us_);
    set_pressure(gauge.level(now_us_));
  }
  if (emote_due_us <= now_us_) {
    emote_due_us = kNever;
    for (auto& episode : episodes) flush_emotes(*episode);
  }
  if (report_due_us <= now_us_) {
    report_due_us = now_us_ + kUsPerSecond;
    for (auto& episode : episodes) report(*episode);
  }
}

void Edge::Impl::report(EpisodeSide& episode) {
  bus::EdgeReport report;
  report.edge = options.id;
  report.sessions = episode.joined;
  report.queue_bytes = counted.queue_bytes;
  report.deliveries = std::exchange(episode.deliveries, 0);
  bool any = report.sessions > 0 || report.deliveries > 0;
  for (size_t i = 0; i < report.latency.size(); ++i) {
    any = any || episode.latency_ms[i].count() > 0;
    report.latency[i] = std::exchange(episode.latency_ms[i], Histogram());
  }
  report.watching = episode.watching;
  if (any) options.bus->to_owner(episode.id, std::move(report));
}

void Edge::Impl::set_pressure(gate::Pressure pressure) {
  if (pressure == admission.pressure()) return;
  const bool was = admission.pressure() != gate::Pressure::kNone;
  admission.set_pressure(pressure);
  if (was != (pressure != gate::Pressure::kNone)) {
    for (auto& episode : episodes) mode(*episode);
  }
}

MonoUs Edge::Impl::next_due_us() const {
  MonoUs due_us = std::min({wheel.next_due_us(), flush_due_us, ack_due_us, sweep_due_us});
  return std::min({due_us, watermark_due_us, emote_due_us, report_due_us});
}

void Edge::Impl::drain() {
  if (draining) return;
  draining = true;
  for (auto& episode : episodes) {
    flush(*episode);
    finish_casts(*episode, 0);
  }
  for (const bus::SessionId id : waiting_acks) {
    Session* session = find(id);
    if (session != nullptr && session->stage == Stage::kLive) flush_acks(*session);
  }
  const auto bye = bye_frame({Code::kDraining, {}, 0}, true);
  for (Session& session : sessions) {
    if (session.stage != Stage::kFree) end_with(session, Code::kDraining, bye);
  }
}

Edge::Edge(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Edge::~Edge() = default;

std::unique_ptr<Edge> make_edge(EdgeOptions options) {
  FL_ASSERT(options.clock && options.entropy && options.bus && options.keys, "ports are given");
  return std::make_unique<Edge>(std::make_unique<Edge::Impl>(std::move(options)));
}

void Edge::on_open(ConnId conn, const ConnectionInfo& info, ConnectionOut& out) {
  impl_->now();
  impl_->open(conn, info, out);
}

void Edge::on_frame(ConnId conn, std::string_view text) {
  impl_->now();
  impl_->frame(conn, text);
}

void Edge::on_binary(ConnId conn, std::string_view bytes) {
  impl_->now();
  impl_->binary(conn, bytes);
}

void Edge::on_fault(ConnId conn, Code code) {
  impl_->now();
  if (Session* session = impl_->find_conn(conn)) {
    ++impl_->counted.bad_frames;
    impl_->end(*session, {code, {}, 0});
  }
}

void Edge::on_writable(ConnId conn) {
  impl_->now();
  if (Session* session = impl_->find_conn(conn)) impl_->writable(*session);
}

void Edge::on_close(ConnId conn) {
  impl_->now();
  impl_->closed(conn);
}

void Edge::on_media(const MediaTold& told) {
  impl_->now();
  impl_->media_told(told);
}
void Edge::on_bus(const std::string& episode, bus::ToEdge message) {
  impl_->now();
  const auto found = impl_->episode_index.find(episode);
  if (found != impl_->episode_index.end()) {
    impl_->bus_message(*impl_->episodes[found->second], message);
  }
}

MonoUs Edge::on_time() { return impl_->time(); }
MonoUs Edge::next_due_us() const { return impl_->next_due_us(); }
void Edge::drain() {
  impl_->now();
  impl_->drain();
}
bool Edge::drained() const { return impl_->draining && impl_->counted.sessions == 0; }
void Edge::set_keys(std::shared_ptr<const gate::KeySet> keys) {
  impl_->options.keys = std::move(keys);
}
void Edge::set_episodes(std::vector<EdgeEpisode> episodes) {
  impl_->add_episodes(std::move(episodes));
}
const EdgeMetrics& Edge::metrics() const { return impl_->counted; }

}  // namespace footlight::edge
