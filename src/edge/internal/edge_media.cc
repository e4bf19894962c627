// What sessions say about voice and video, on its way to Media and back. The edge judges who may
// ask; Media (media.h) does the rest, for WHIP and WHEP alike.
#include "edge/internal/edge_impl.h"
#include "edge/relays.h"

namespace footlight::edge {

void Edge::Impl::media_ask(Session& session, MediaAsk::What what, MediaRequest from) {
  from.episode = episodes[session.episode]->id;
  from.who = session.who;
  from.role = session.role;
  from.grants = session.grants;
  if (session.name) from.name = *session.name;
  from.until = now_us_ + std::max<int64_t>(0, session.token_ends_ms - wall()) * kUsPerMs;
  from.owner = {options.id, session.id};
  options.media->ask({std::move(from), std::move(what)});
}

// False: it is not about media.
bool Edge::Impl::media_message(Session& session, const proto::ClientMessage& message) {
  const auto text = [](std::string_view view) { return std::string(view); };
  MediaAsk::What what;
  MediaRequest from;
  uint64_t n = 0;
  if (const auto* open = std::get_if<proto::MediaOpen>(&message)) {
    n = open->n;
    from.use = open->use;
    from.label = text(open->label);
    what = MediaAsk::Open{n, text(open->sdp)};
  } else if (const auto* resume = std::get_if<proto::MediaResume>(&message)) {
    n = resume->n;
    what = MediaAsk::Resume{n, text(resume->id), text(resume->ice)};
  } else if (const auto* close = std::get_if<proto::MediaClose>(&message)) {
    what = MediaAsk::Close{text(close->id)};
  } else if (const auto* ice = std::get_if<proto::MediaIce>(&message)) {
    media_relays(session, *ice);
    return true;
  } else if (const auto* place = std::get_if<proto::MediaPlace>(&message)) {
    what = MediaAsk::Place{text(place->id), text(place->mid), place->most, place->paused,
                           place->pinned};
  } else if (const auto* mute = std::get_if<proto::MediaMute>(&message)) {
    what = MediaAsk::Mute{text(mute->id), text(mute->mid), mute->on};
  } else if (const auto* report = std::get_if<proto::MediaReport>(&message)) {
    what = MediaAsk::Report{text(report->id), report->rtt_ms, report->loss_pm};
  } else {
    return false;
  }
  if (session.stage != Stage::kLive) return true;
  if (options.media) {
    media_ask(session, std::move(what), std::move(from));
    return true;
  }
  const std::string why(code_sentence(Code::kMediaOff));
  scratch.clear();
  if (n != 0) {
    proto::encode(scratch, proto::MediaNotice{.n = n, .code = Code::kMediaOff, .message = why});
    deliver(session, proto::Frame::text(scratch));
  } else {
    send_error(session, {Code::kMediaOff, {}, 0});
  }
  return true;
}

// Answered here: it asks nothing of Media. What it costs is a few HMACs.
void Edge::Impl::media_relays(Session& session, const proto::MediaIce& ice) {
  if (session.stage != Stage::kLive) return;
  proto::MediaNotice notice{.n = ice.n};
  std::vector<proto::IceServer> servers;
  std::string why;
  if (!options.media || !(session.grants.watches() || session.grants.publishes())) {
    notice.code = options.media ? Code::kMediaSubscribe : Code::kMediaOff;
    why = code_sentence(notice.code);
    notice.message = why;
  } else {
    notice.has_servers = true;
    if (options.relays) {
      const auto table = options.relays->table();
      servers = table->servers(session.who, wall() / 1000);
      notice.ttl_s = table->lifetime_s;
    }
    notice.servers = servers;
  }
  scratch.clear();
  proto::encode(scratch, notice);
  deliver(session, proto::Frame::text(scratch));
}

void Edge::Impl::media_told(const MediaTold& told) {
  const auto frame = proto::Frame::text(told.text);
  for (const uint64_t id : told.sessions) {
    Session* session = find(id);
    if (session == nullptr || session->stage != Stage::kLive) continue;
    if (told.lossy && session->queue) continue;
    deliver(*session, frame);
  }
}

}  // namespace footlight::edge
