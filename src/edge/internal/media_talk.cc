// What sessions ask of Media, and what Media tells them.
#include <algorithm>

#include "edge/internal/media_stage.h"
#include "proto/messages.h"

namespace footlight::edge {
namespace {

constexpr double kAudible = 45;  // loudness from which a voice is shown as speaking

uint32_t per_mille(double share) {
  return static_cast<uint32_t>(std::clamp(share, 0.0, 1.0) * 1000 + 0.5);
}

}  // namespace

Media::Session* Media::find(const MediaRequest& from, std::string_view id) {
  const auto found = sessions_.find(std::string(id));
  if (found == sessions_.end()) return nullptr;
  const MediaRequest& request = found->second->request;
  const bool own = request.episode == from.episode && request.who == from.who;
  return own ? found->second.get() : nullptr;
}

// --- asking

void Media::ask(MediaAsk ask, MonoUs now) {
  MediaRequest& from = ask.from;
  if (const auto* open_in = std::get_if<MediaAsk::Open>(&ask.what)) {
    ask_open(from, *open_in, now);
  } else if (const auto* resume = std::get_if<MediaAsk::Resume>(&ask.what)) {
    ask_resume(from, *resume, now);
  } else if (const auto* close_in = std::get_if<MediaAsk::Close>(&ask.what)) {
    if (Session* session = find(from, close_in->id)) {
      session->peer->close(now);
      end(*session, {Code::kOk, {}, 0});
    }
  } else if (auto* place = std::get_if<MediaAsk::Place>(&ask.what)) {
    ask_place(from, *place);
  } else if (const auto* mute = std::get_if<MediaAsk::Mute>(&ask.what)) {
    ask_mute(from, *mute);
  } else if (auto* report = std::get_if<MediaAsk::Report>(&ask.what)) {
    if (Session* session = find(from, report->id)) session->report = std::move(*report);
  } else if (std::holds_alternative<MediaAsk::Keep>(ask.what)) {
    for (const auto& [id, session] : sessions_) {
      if (session->request.owner == from.owner) session->request.until = from.until;
    }
    expire_at_ = std::min(expire_at_, from.until);
  } else if (const auto* kick_in = std::get_if<MediaAsk::Kick>(&ask.what)) {
    kick(from, kick_in->why, now);
  }
}

void Media::ask_open(MediaRequest& from, const MediaAsk::Open& ask, MonoUs now) {
  const MediaOwner owner = from.owner;
  // The places are told after the answer that names their session.
  from.owner = {};
  from.channels = from.role != proto::Role::kViewer;
  const auto opened = open(from, ask.offer, now);
  if (!opened) {
    const std::string text = proto::peer_message(opened.error());
    return answer(owner, {.n = ask.n, .code = opened.error().code, .message = text});
  }
  answer(owner, {.n = ask.n, .id = opened->id, .sdp = opened->sdp});
  Session& session = *sessions_.at(opened->id);
  session.request.owner = owner;
  session.stage->told_speaking.clear();  // who comes hears what the others know
  session.stage->told_links.clear();
  if (session.refused.code != Code::kOk) {
    const std::string text = proto::peer_message(session.refused);
    answer(owner, {.id = opened->id, .code = session.refused.code, .message = text});
  }
  tell_recording(session);
  tell_places(session);
}

void Media::ask_resume(MediaRequest& from, const MediaAsk::Resume& ask, MonoUs now) {
  Session* session = find(from, ask.id);
  std::string text;
  const auto refuse = [&](const Error& why) {
    text = proto::peer_message(why);
    const bool over = why.code == Code::kUnknownSession;
    answer(from.owner, {.n = ask.n, .id = ask.id, .over = over, .code = why.code, .message = text});
  };
  if (!session) return refuse({Code::kUnknownSession, {}, 0});
  session->request.owner = from.owner;
  session->request.until = from.until;
  expire_at_ = std::min(expire_at_, from.until);
  std::string ice;
  if (!ask.ice.empty()) {
    auto patched = patch(from.episode, session->request.use, ask.id, "*", ask.ice, now);
    if (!patched) return refuse(patched.error());
    ice = std::move(patched->sdp);
  }
  answer(from.owner, {.n = ask.n, .id = ask.id, .ice = ice});
  session->told_places.clear();
  session->stage->told_speaking.clear();
  session->stage->told_links.clear();
  tell_recording(*session);
  tell_places(*session);
}

void Media::ask_place(const MediaRequest& from, MediaAsk::Place& ask) {
  Session* session = find(from, ask.id);
  if (!session) return;
  const auto place = std::ranges::find_if(
      session->places, [&](const auto& each) { return each.media.mid == ask.mid; });
  if (place == session->places.end()) return;
  place->wish = std::move(ask);
  if (!place->track) return;
  const auto shown =
      std::ranges::find(session->stage->published, place->track, &Publication::track);
  if (shown == session->stage->published.end()) return;
  (void)session->stage->room.set_options(session->member, place->track,
                                         place->options(shown->session->priority()));
  tell_watched(*session->stage);
}

void Media::ask_mute(const MediaRequest& from, const MediaAsk::Mute& ask) {
  Session* session = find(from, ask.id);
  if (!session) return;
  for (Publication& each : session->stage->published) {
    const sfu::Track* track = session->stage->room.track(each.track);
    if (each.session == session && track && track->mid == ask.mid) each.muted = ask.on;
  }
  tell_places(*session->stage);
  spread(*session->stage);
}

void Media::kick(const MediaRequest& from, const Error& why, MonoUs now) {
  std::vector<Session*> theirs;
  for (const auto& [id, session] : sessions_) {
    if (session->request.who == from.who && session->request.episode == from.episode) {
      theirs.push_back(session.get());
    }
  }
  for (Session* session : theirs) {
    session->peer->close(now);
    end(*session, why);
  }
}

// --- telling

void Media::tell(const MediaOwner& owner, std::string text) {
  if (owner.session != 0) told_.push_back({owner.edge, {owner.session}, std::move(text), false});
}

void Media::answer(const MediaOwner& owner, const proto::MediaNotice& notice) {
  if (owner.session != 0) tell(owner, proto::encoded(notice));
}

// Each session of the edges once, however many media sessions it has.
void Media::tell_all(const Stage& stage, std::string text, bool lossy) {
  std::vector<MediaOwner> owners;
  for (const Session* session : stage.sessions) {
    if (session->request.owner.session != 0) owners.push_back(session->request.owner);
  }
  std::ranges::sort(owners);
  const auto twice = std::ranges::unique(owners);
  owners.erase(twice.begin(), twice.end());
  for (size_t i = 0; i < owners.size();) {
    MediaTold told{owners[i].edge, {}, text, lossy};
    while (i < owners.size() && owners[i].edge == told.edge) {
      told.sessions.push_back(owners[i++].session);
    }
    told_.push_back(std::move(told));
  }
}

void Media::tell_places(Stage& stage) {
  for (Session* session : stage.sessions) tell_places(*session);
}

void Media::tell_places(Session& session) {
  if (session.request.use != MediaUse::kWatch || session.request.owner.session == 0) return;
  const Stage& stage = *session.stage;
  std::vector<proto::PlaceInfo> places;
  for (const auto& place : session.places) {
    auto& info = places.emplace_back();
    info.mid = place.media.mid;
    info.video = place.media.kind == rtc::MediaKind::kVideo;
    const auto shown = std::ranges::find(stage.published, place.track, &Publication::track);
    if (place.track == 0 || shown == stage.published.end()) continue;
    const MediaRequest& of = shown->session->request;
    info.who = of.who;
    info.name = of.name;
    info.role = proto::role_name(of.role);
    info.label = of.label;
    info.muted = shown->muted;
  }
  std::string text = proto::encoded(proto::MediaPlaces{session.id, places});
  if (text == session.told_places) return;
  session.told_places = text;
  tell(session.request.owner, std::move(text));
}

void Media::tell_room(Stage& stage, MonoUs now) {
  const bool anybody = std::ranges::any_of(
      stage.sessions, [](const Session* session) { return session->request.owner.session != 0; });
  if (!anybody && stage.mirrors.empty() && !stage.home) return;
  tell_recording(stage);
  if (now - stage.speaking_at >= kSpeakingUs) {
    stage.speaking_at = now;
    spread_voices(stage);
    tell_speaking(stage);
  }
  if (now - stage.links_at >= kLinksUs) {
    stage.links_at = now;
    tell_lines(stage);
    tell_links(stage);
    for (Session* session : stage.sessions) tell_quality(*session);
  }
}

void Media::tell_speaking(Stage& stage) {
  struct Voice {
    proto::SpeakerLevel level;
    size_t rank = 0;
  };
  std::vector<Voice> voices;
  const sfu::Speakers& speakers = stage.room.speakers();
  for (const Publication& each : stage.published) {
    const sfu::Track* track = stage.room.track(each.track);
    if (each.muted || !track || !track->audio()) continue;
    const sfu::MemberId voice = each.session->member;  // a member has one voice
    const double loudness = speakers.loudness(voice);
    if (loudness < kAudible) continue;
    voices.push_back(
        {{each.session->request.who, static_cast<uint32_t>(loudness)}, speakers.rank(voice)});
  }
  std::ranges::sort(voices, {}, &Voice::rank);
  std::vector<proto::SpeakerLevel> levels;
  for (const Voice& each : voices) levels.push_back(each.level);
  std::string text = proto::encoded(proto::MediaRoom{.has_speaking = true, .speaking = levels});
  if (text == stage.told_speaking) return;
  stage.told_speaking = text;
  tell_all(stage, std::move(text));
}

void Media::tell_links(Stage& stage) {
  if (!stage.home) {
    std::string text = links_of(stage);
    if (text != stage.links) note_all(stage, mirror::Links{text});
    stage.links = std::move(text);
  }
  if (stage.links == stage.told_links) return;
  stage.told_links = stage.links;
  tell_all(stage, stage.links);
}

// A person's line is the worst of their sessions': as their client finds it, and for those who
// watch as we do.
std::string Media::links_of(const Stage& stage) {
  std::map<uint64_t, proto::LinkQuality> lines;
  const auto worse = [&](uint64_t who, uint32_t rtt_ms, uint32_t loss_pm) {
    auto& line = lines[who];
    line.who = who;
    line.rtt_ms = std::max(line.rtt_ms, rtt_ms);
    line.loss_pm = std::max(line.loss_pm, loss_pm);
  };
  for (const Session* session : stage.sessions) {
    if (session->report) {
      worse(session->request.who, session->report->rtt_ms, session->report->loss_pm);
    }
    const sfu::Subscriber* watcher = stage.room.subscriber(session->member);
    const bool cast = session->request.grants.publishes();
    if (!cast || session->request.use != MediaUse::kWatch || !watcher) continue;
    worse(session->request.who, 0, per_mille(watcher->estimator().loss()));
  }
  for (const Mirror& mirror : stage.mirrors) {
    for (const auto& line : mirror.lines) worse(line.who, line.rtt_ms, line.loss_pm);
  }
  std::vector<proto::LinkQuality> links;
  for (const auto& [who, line] : lines) links.push_back(line);
  return proto::encoded(proto::MediaRoom{.has_links = true, .links = links});
}

void Media::tell_quality(Session& session) {
  if (session.request.use != MediaUse::kWatch || session.request.owner.session == 0) return;
  const sfu::Subscriber* watcher = session.stage->room.subscriber(session.member);
  if (!watcher) return;
  std::vector<proto::PlaceQuality> places;
  for (const auto& place : session.places) {
    if (place.media.kind != rtc::MediaKind::kVideo) continue;
    auto& quality = places.emplace_back();
    quality.mid = place.media.mid;
    for (const auto& watch : watcher->watches()) {
      if (place.track == 0 || watch->track->id != place.track) continue;
      const auto stream = watch->subscription.current_stream();
      if (stream) quality.layer = watch->track->rank_of(*stream);
    }
  }
  const auto& estimator = watcher->estimator();
  proto::MediaQuality out;
  out.id = session.id;
  out.rtt_ms = static_cast<uint32_t>(estimator.round_trip() / kUsPerMs);
  out.loss_pm = per_mille(estimator.loss());
  out.estimate_bps = static_cast<uint64_t>(std::max<int64_t>(0, estimator.estimate_bps()));
  out.places = places;
  std::string text = proto::encoded(out);
  told_.push_back(
      {session.request.owner.edge, {session.request.owner.session}, std::move(text), true});
}

}  // namespace footlight::edge
