// From hello to welcome.
#include "edge/internal/edge_impl.h"

namespace footlight::edge {

std::string Edge::Impl::make_sid() {
  std::array<uint8_t, 16> bytes;
  options.entropy->fill(bytes);
  return to_hex(bytes);
}

void Edge::Impl::hello(Session& session, const proto::Hello& hello) {
  const WallMs wall_ms = wall();
  auto claims = gate::verify_token(hello.token, *options.keys, wall_ms / 1000);
  if (!claims) return end(session, claims.error());
  const auto found = episode_index.find(claims->episode);
  if (found == episode_index.end()) return end(session, {Code::kEpisodeUnknown, {}, 0});
  EpisodeSide& episode = *episodes[found->second];

  const uint64_t who = gate::pseudonym(episode.voter_key, claims->sub);
  if (session.pre->who != 0 && session.pre->who != who) {
    return end(session, {Code::kTokenChanged, {}, 0});
  }
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
  session.pre->name = claims->name;
  session.grants = gate::media_grants(*claims);
  session.captions = claims->captions;
  if (options.media && session.grants.publishes()) {
    session.name = std::make_unique<std::string>(claims->name);
  }
  ++episode.joined;
  arm(session);

  bus::Join join;
  join.edge = options.id;
  join.session = session.id;
  join.actor = {who, claims->role, std::move(claims->name), std::move(claims->characters),
                claims->captions};
  join.cid = hello.cid;
  if (hello.resume) {
    join.resume = true;
    join.resume_epoch = hello.resume->epoch;
    join.resume_offset = hello.resume->offset;
  }
  options.bus->to_owner(episode.id, std::move(join));
}

void Edge::Impl::joined(EpisodeSide& episode, bus::Joined& joined) {
  Session* session = find(joined.session);
  if (session == nullptr || session->stage != Stage::kJoining) return;
  if (joined.error.code != Code::kOk) return end(*session, joined.error);
  if (is_stock(session->wire)) return bare_joined(episode, *session);

  session->stage = Stage::kLive;
  session->since_us = now_us_;
  session->live_index = static_cast<uint32_t>(episode.live.size());
  episode.live.push_back(
      {session->out, bus::slot_of(session->id), proto::RoleSet::of(session->role), false});
  if (session->role == proto::Role::kViewer) {
    ++episode.audience;
    count_watching(episode, *session, +1);
  }
  ++counted.sessions_by_role[static_cast<size_t>(session->role)];
  ++(joined.resumed ? counted.resumed : counted.joined);
  arm(*session);

  const bus::SessionId id = session->id;
  welcome(episode, *session, joined);
  session->pre.reset();
  session->out->allow_binary(proto::kMaxBoardFrameBytes);
  if (options.media) session->out->allow_text(proto::kMaxOfferFrameBytes);
  for (const auto& frame : joined.missed) {
    if (session->stage == Stage::kLive) deliver(*session, frame);
  }
  for (const bus::Volatile& current : joined.tallies) {
    renew(episode, current);
    if (session->stage == Stage::kLive) deliver(*session, current.frame);
  }
  if (find(id) != nullptr && session->stage == Stage::kLive) flush_acks(*session);
}

void Edge::Impl::welcome(EpisodeSide& episode, Session& session, const bus::Joined& joined) {
  proto::Welcome welcome;
  welcome.sid = session.pre->sid;
  welcome.edge = options.name;
  welcome.epoch = joined.epoch;
  welcome.offset = joined.offset;
  welcome.now_ms = wall();
  welcome.episode = episode.id;
  welcome.role = session.role;
  welcome.name = session.pre->name;
  welcome.resumed = joined.resumed;
  if (joined.view) welcome.view = *joined.view;
  welcome.me = joined.me;
  const bool pressed = admission.pressure() != gate::Pressure::kNone;
  std::string text;
  if (episode.mode != proto::Mode::kLive) {
    text = proto::peer_message(episode.mode_error);
    welcome.mode = {episode.mode, episode.mode_error.code, text};
  } else if (pressed) {
    welcome.mode = {proto::Mode::kDegraded, Code::kOverloaded, code_sentence(Code::kOverloaded)};
  }
  welcome.limits.tick_ms = options.tick_ms;
  welcome.build = options.build;
  scratch.clear();
  proto::encode(scratch, welcome);
  deliver(session, proto::Frame::text(scratch));
}

void Edge::Impl::refresh_token(Session& session, std::string_view token) {
  const auto claims = gate::verify_token(token, *options.keys, wall() / 1000);
  if (!claims) return send_error(session, claims.error());
  const EpisodeSide& episode = *episodes[session.episode];
  if (claims->episode != episode.id || claims->role != session.role ||
      gate::pseudonym(episode.voter_key, claims->sub) != session.who) {
    return send_error(session, {Code::kTokenChanged, {}, 0});
  }
  session.token_ends_ms = (claims->expires_s + gate::kClockSkewS) * 1000;
  session.grants = gate::media_grants(*claims);
  session.captions = session.captions && claims->captions;  // the owner was told at the join
  arm(session);
  if (options.media) media_ask(session, MediaAsk::Keep{});
}

}  // namespace footlight::edge
