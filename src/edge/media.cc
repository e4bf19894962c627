#include "edge/media.h"

#include <algorithm>
#include <utility>

#include "core/bytes.h"
#include "edge/internal/media_fragment.h"
#include "edge/internal/media_stage.h"
#include "edge/media_handover.h"
#include "proto/messages.h"
#include "rtc/wire.h"

namespace footlight::edge {
namespace {

constexpr size_t kIdBytes = 16;
constexpr MonoUs kTendUs = kUsPerSecond;  // recordings are looked after at least so often
constexpr uint32_t kComeBackMs = 2'000;   // to another node, or to this one after its restart
constexpr std::string_view kCname = "footlight";
const Error kNoReason{Code::kOk, {}, 0};

rtc::PeerTransports::Config transport_config(const MediaOptions& options) {
  rtc::PeerTransports::Config config;
  config.max_sessions = options.max_sessions;
  config.ufrag_prefix = options.ufrag_prefix;
  config.out_bytes = options.out_bytes;
  config.max_channels = kMaxChannels;
  return config;
}

uint32_t random_u32(Entropy& entropy) {
  std::array<uint8_t, 4> bytes;
  entropy.fill(bytes);
  return rtc::load_u32(bytes.data());
}

std::string etag_of(const rtc::IceCredentials& ice) { return "\"" + ice.ufrag + "\""; }

// A track is of one codec, the publisher's first that can be forwarded; so he is offered no other.
void keep_one_codec(rtc::SdpMedia& media) {
  static constexpr std::string_view kForwarded[] = {"vp8", "vp9", "h264", "av1"};
  const auto first = std::ranges::find_if(media.codecs, [](const rtc::SdpCodec& codec) {
    return std::ranges::find(kForwarded, codec.name) != std::end(kForwarded);
  });
  if (first == media.codecs.end()) return;
  const uint8_t type = first->payload_type;
  std::erase_if(media.codecs, [type](const rtc::SdpCodec& codec) {
    return codec.payload_type != type && codec.repairs() != type;
  });
}

// One direction alone: whoever publishes is sent nothing, and of who watches nothing is taken.
void keep_what_is_served(rtc::SessionDescription& offer, MediaUse use, bool channels) {
  for (auto& media : offer.media) {
    if (media.kind == rtc::MediaKind::kApplication) {
      if (!channels) media.kind = rtc::MediaKind::kOther;
      continue;
    }
    const bool publish = use == MediaUse::kPublish;
    if (publish && media.kind == rtc::MediaKind::kVideo) keep_one_codec(media);
    const bool wanted = publish ? sends(media.direction) : receives(media.direction);
    const auto one = publish ? rtc::SdpDirection::kSendOnly : rtc::SdpDirection::kRecvOnly;
    media.direction = wanted ? one : rtc::SdpDirection::kInactive;
  }
}

// What a publisher's offer sends, against what his token lets him.
Status check_grants(const MediaRequest& request, const rtc::SessionDescription& offer) {
  using gate::MediaGrants;
  const MediaGrants& grants = request.grants;
  if (request.use == MediaUse::kWatch) {
    return grants.watches() ? Status() : fail(Code::kMediaSubscribe);
  }
  if (!grants.publishes()) {
    const bool viewer = request.role == proto::Role::kViewer;
    return viewer ? fail(Code::kForbidden, "viewers watch") : fail(Code::kMediaPublish);
  }
  for (const auto& media : offer.media) {
    if (media.rejected() || !sends(media.direction)) continue;
    const bool video = media.kind == rtc::MediaKind::kVideo;
    if (!video && media.kind != rtc::MediaKind::kAudio) continue;
    const uint8_t kind = video ? MediaGrants::kVideo : MediaGrants::kAudio;
    if (!grants.publishes(request.label == Media::kScreen ? MediaGrants::kScreen : kind)) {
      return fail(Code::kMediaTracks, request.label == Media::kScreen ? "screen"
                                      : video                         ? "video"
                                                                      : "audio");
    }
  }
  return {};
}

}  // namespace

Media::Media(MediaOptions options, Entropy& entropy)
    : options_(std::move(options)),
      entropy_(entropy),
      transports_(entropy, options_.identity, transport_config(options_)),
      pool_(options_.packet_slots),
      next_order_(1 + options_.shard) {
  if (!options_.record_disk || !options_.clock) return;
  records_ = std::make_unique<sfu::RecordPool>(*options_.record_disk, options_.record);
}

Media::~Media() { end_takes(0); }

// --- sessions
// -------------------------------------------------------------------------------------

Media::Session* Media::find(std::string_view episode, MediaUse use, std::string_view id) {
  const auto found = sessions_.find(std::string(id));
  if (found == sessions_.end()) return nullptr;
  const MediaRequest& request = found->second->request;
  return request.episode == episode && request.use == use ? found->second.get() : nullptr;
}

Media::Stage& Media::stage_of(const std::string& episode) {
  auto& stage = stages_[episode];
  if (!stage) stage = std::make_unique<Stage>(episode, next_stage_++, pool_);
  return *stage;
}

std::string Media::make_id() {
  std::array<uint8_t, kIdBytes> bytes;
  entropy_.fill(bytes);
  std::string id = to_hex(bytes);
  if (options_.shards == 1) return id;
  return session_shard_digits(options_.shard) + id.substr(kShardDigits);
}

// The session that the new one replaces, if any; refuses it when its account has too many.
Result<Media::Session*> Media::admit(const MediaRequest& request) {
  size_t count = 0;
  Session* earlier = nullptr;
  for (const auto& [id, session] : sessions_) {
    const MediaRequest& other = session->request;
    if (other.who != request.who || other.episode != request.episode) continue;
    ++count;
    const bool one = request.use == MediaUse::kPublish || !request.label.empty();
    if (one && other.use == request.use && other.label == request.label) {
      earlier = session.get();
    }
  }
  if (!earlier && count >= kMaxSessionsOfAccount) {
    return fail(Code::kTrackLimit, "sessions of this account");
  }
  return earlier;
}

void Media::prepare_places(Session& session, const rtc::SessionDescription& offer,
                           rtc::AnswerInput& input) {
  static_assert(2 * kMaxPlaces < 256);
  const uint32_t base = (random_u32(entropy_) & 0xFFFF'FE00) | 0x100;  // a block, never zero
  for (const auto& media : offer.media) {
    const bool video = media.kind == rtc::MediaKind::kVideo;
    if (media.rejected() || !receives(media.direction) || input.outgoing.size() == kMaxPlaces ||
        (!video && media.kind != rtc::MediaKind::kAudio)) {
      continue;
    }
    rtc::OutgoingStream stream;
    stream.mid = media.mid;
    stream.cname = kCname;
    // The n-th voice and the n-th picture are one person's, most of the time: played in step.
    const auto nth = std::ranges::count_if(
        input.outgoing, [&](const auto& each) { return each.msid.ends_with(video ? "v" : "a"); });
    stream.msid = "place" + std::to_string(nth + 1) + " " + media.mid + (video ? "v" : "a");
    stream.ssrc = base + 2 * static_cast<uint32_t>(input.outgoing.size());
    if (video) stream.rtx_ssrc = stream.ssrc + 1;
    input.outgoing.push_back(stream);
  }
  session.streams = input.outgoing;
}

// What a publisher offers and memory has no room for is refused line by line, the pictures first:
// so its client sends none, and knows it.
Result<rtc::SdpAnswer> Media::answer_what_fits(rtc::SessionDescription& offer,
                                               const rtc::AnswerInput& input, Session& session,
                                               const Session* replaced) const {
  auto answer = rtc::answer_offer(offer, input);
  if (!answer || session.request.use == MediaUse::kWatch) return answer;
  size_t slots = 0;
  const size_t freed = replaced ? replaced->stage->room.packet_slots(replaced->member) : 0;
  for (const rtc::MediaKind kind : {rtc::MediaKind::kAudio, rtc::MediaKind::kVideo}) {
    for (size_t i = 0; i < answer->media.size(); ++i) {
      const rtc::NegotiatedMedia& media = answer->media[i];
      if (media.rejected || media.kind != kind || !media.client_sends) continue;
      const size_t more = sfu::Room::packet_slots(media);
      if (pool_.can_claim(slots + more - std::min(freed, slots + more))) {
        slots += more;
        continue;
      }
      session.refused = {Code::kTrackLimit, "packets in memory for " + offer.media[i].kind_text, 0};
      offer.media[i].kind = rtc::MediaKind::kOther;
    }
  }
  if (session.refused.code == Code::kOk) return answer;
  if (slots == 0) return std::unexpected(session.refused);
  return rtc::answer_offer(offer, input);
}

Result<MediaAnswer> Media::open_here(const MediaRequest& request, std::string_view offer_text,
                                     MonoUs now) {
  if (draining_) return fail(Code::kDraining, {}, kComeBackMs);
  auto offer = rtc::parse_sdp(offer_text);
  if (!offer) return std::unexpected(offer.error());
  if (auto status = check_grants(request, *offer); !status) return std::unexpected(status.error());
  keep_what_is_served(*offer, request.use, request.channels && edge_ != nullptr);
  const auto earlier = admit(request);
  if (!earlier) return std::unexpected(earlier.error());
  auto owned = std::make_unique<Session>();
  Session& session = *owned;
  if (options_.quota && !options_.quota->take()) {
    return fail(Code::kServerFull, "media sessions", kComeBackMs);
  }
  session.quota.reset(options_.quota);
  const auto peer = transports_.open(now);
  if (!peer) return std::unexpected(peer.error());
  session.request = request;
  session.id = make_id();
  session.order = std::exchange(next_order_, next_order_ + options_.shards);
  session.peer = *peer;
  const auto refuse = [&](const Error& why) {
    transports_.forget(session.peer->session());
    return std::unexpected(why);
  };

  rtc::AnswerInput input;
  input.session_id = std::to_string(uint64_t{random_u32(entropy_)} << 16 | 1);
  input.ice = transports_.credentials(**peer);
  input.fingerprint = transports_.fingerprint();
  input.candidates = fragment_candidates(options_.candidates);
  if (request.use == MediaUse::kWatch) prepare_places(session, *offer, input);
  auto answer = answer_what_fits(*offer, input, session, *earlier);
  if (!answer) return refuse(answer.error());
  if (auto status = session.peer->negotiate(*answer, now); !status) return refuse(status.error());
  if (*earlier) {
    (*earlier)->peer->close(now);
    end(**earlier, {Code::kSessionReplaced, {}, 0});
  }

  Stage& stage = stage_of(request.episode);
  const auto member = stage.room.join(session, options_.bandwidth);
  if (!member) return refuse(member.error());
  session.member = *member;
  session.stage = &stage;
  session.peer->user = &session;
  session.transport = {answer->remote_ice.ufrag, answer->remote_ice.password};
  session.first_line = fragment_line(answer->description.media.front());
  stage.sessions.push_back(&session);
  if (session.peer->channels() != nullptr) with_channels_.push_back(&session);
  sessions_.emplace(session.id, std::move(owned));
  expire_at_ = std::min(expire_at_, request.until);
  if (auto status = publish(session, *answer, now); !status) {
    const Error why = status.error();
    session.request.placed = false;  // open() tells its home
    end(session, kNoReason);
    return std::unexpected(why);
  }
  if (request.use == MediaUse::kPublish) spread(stage);
  arrange(stage);
  return MediaAnswer{session.id, etag_of(input.ice), rtc::write_sdp(answer->description)};
}

// Puts the tracks of a publisher on stage, or makes the places of a watcher.
Status Media::publish(Session& session, const rtc::SdpAnswer& answer, MonoUs now) {
  Stage& stage = *session.stage;
  Error why{Code::kTrackCodec, "no m-line can be forwarded"};
  bool any = false;
  for (const auto& media : answer.media) {
    if (media.rejected) continue;
    if (session.request.use == MediaUse::kWatch) {
      const auto stream = std::ranges::find(session.streams, media.mid, &rtc::OutgoingStream::mid);
      if (stream == session.streams.end() || !media.client_receives) continue;
      session.places.push_back({media, *stream, 0});
      any = true;
      continue;
    }
    if (!media.client_sends) continue;
    const auto track = stage.room.publish(session.member, media, session.priority());
    if (!track) {
      why = track.error();
      continue;
    }
    any = true;
    const auto before = std::ranges::find_if(stage.published, [&](const Publication& other) {
      return other.session->priority() < session.priority();
    });
    stage.published.insert(before, Publication{*track, &session, false, nullptr});
    record_track(session, *track, now);
  }
  session.streams.clear();
  if (!any) return std::unexpected(why);
  return {};
}

void Media::end(Session& session, const Error& why) {
  if (why.code != Code::kOk) {
    const std::string text = proto::peer_message(why);
    answer(session.request.owner,
           {.id = session.id, .over = true, .code = why.code, .message = text});
  }
  drop_channel(session);
  std::erase(with_channels_, &session);
  Stage& stage = *session.stage;
  add(past_, session.peer->stats());
  if (const sfu::Subscriber* watcher = stage.room.subscriber(session.member)) {
    past_.queue_drops += watcher->stats().queue_drops;
  }
  const bool published = std::erase_if(
      stage.published, [&](const Publication& each) { return each.session == &session; });
  std::erase(stage.sessions, &session);
  stage.room.leave(session.member);
  transports_.forget(session.peer->session());
  if (session.request.placed) note(*stage.home, stage, mirror::Left{session.request.who});
  const std::string id = session.id;
  sessions_.erase(id);
  if (sessions_.empty()) bps_in_ = bps_out_ = 0;
  if (published) spread(stage);
  leave_stage(stage);
}

Result<MediaAnswer> Media::patch(std::string_view episode, MediaUse use, std::string_view id,
                                 std::string_view etag, std::string_view fragment, MonoUs now) {
  Session* session = find(episode, use, id);
  if (!session) return fail(Code::kUnknownSession);
  const auto read = read_fragment(fragment);
  if (!read) return std::unexpected(read.error());
  const std::string current = etag_of(transports_.credentials(*session->peer));
  if (etag != "*" && etag != current) return fail(Code::kSdpState, "another ICE generation");
  if (read->ufrag.empty() || *read == session->transport)
    return MediaAnswer{session->id, current, {}};
  session->transport = *read;
  const rtc::IceCredentials& ice = transports_.restart_ice(*session->peer, read->ufrag);
  (void)now;
  return MediaAnswer{session->id, etag_of(ice),
                     write_fragment(ice, session->first_line, options_.candidates)};
}

Status Media::close(std::string_view episode, MediaUse use, std::string_view id, MonoUs now) {
  Session* session = find(episode, use, id);
  if (!session) return fail(Code::kUnknownSession);
  session->peer->close(now);
  end(*session, kNoReason);
  return {};
}

// --- who is seen and heard where
// ------------------------------------------------------------------

sfu::WatchOptions Media::Session::Place::options(uint8_t priority) const {
  constexpr uint8_t kPinned = 50;  // priorities are at most 200
  sfu::WatchOptions out;
  out.priority = static_cast<uint8_t>(priority + (wish.pinned ? kPinned : 0));
  out.paused = wish.paused;
  if (wish.most) {
    const auto most = static_cast<uint8_t>(std::min<uint32_t>(*wish.most, 255));
    out.max = {most, most, 255};
  }
  return out;
}

void Media::arrange(Stage& stage) {
  stage.crowded = false;
  for (Session* session : stage.sessions) {
    if (session->request.use != MediaUse::kWatch) continue;
    arrange(stage, *session, rtc::MediaKind::kAudio);
    arrange(stage, *session, rtc::MediaKind::kVideo);
  }
  arrange_tap(stage);
  tell_places(stage);
  tell_watched(stage);
}

// The first of what is published take the places; what has a place and still deserves one keeps it.
void Media::arrange(Stage& stage, Session& session, rtc::MediaKind kind) {
  std::vector<Session::Place*> places;
  for (auto& place : session.places) {
    if (place.media.kind == kind) places.push_back(&place);
  }
  if (places.empty()) return;
  const auto chosen = choose(stage, session, kind);
  for (auto* place : places) {
    const bool stays = std::ranges::any_of(
        chosen, [&](const Publication* each) { return each->track == place->track; });
    if (place->track && !stays) {
      stage.room.unwatch(session.member, place->track);
      place->track = 0;
    }
  }
  for (const Publication* each : chosen) {
    const bool placed =
        std::ranges::any_of(places, [&](const auto* place) { return place->track == each->track; });
    if (placed) continue;
    const auto free = std::ranges::find(places, sfu::TrackId{0}, &Session::Place::track);
    if (free == places.end()) return;
    const auto options = (*free)->options(each->session->priority());
    const auto watched =
        stage.room.watch(session.member, each->track, (*free)->media, (*free)->stream, options);
    if (watched) (*free)->track = each->track;
  }
}

// --- datagrams and time
// ---------------------------------------------------------------------------

sfu::Packet* Media::take() {
  sfu::Packet* packet = pool_.take();
  if (!packet) ++past_.no_memory;
  return packet;
}

void Media::give_back(sfu::Packet* packet) { pool_.give_back(packet); }

void Media::on_datagram(const rtc::Path& path, sfu::Packet* packet, size_t size, MonoUs now) {
  const auto received = transports_.on_datagram(path, std::span(packet->buffer).first(size), now);
  auto* session = received.peer ? static_cast<Session*>(received.peer->user) : nullptr;
  if (session && received.kind == rtc::ReceivedKind::kRtp &&
      session->request.use == MediaUse::kPublish) {
    return session->stage->room.on_rtp(session->member, packet, received.bytes, now);
  }
  if (session && received.kind == rtc::ReceivedKind::kRtcp) {
    session->stage->room.on_rtcp(session->member, received.bytes, now);
  }
  pool_.give_back(packet);
  if (received.kind != rtc::ReceivedKind::kChanged) return;
  if (session) pull_channels(*session, now);
  reap();
}

void Media::flush(MonoUs now) {
  if (spread_ > 0) copy_out();
  for (const auto& [name, stage] : stages_) stage->room.flush(now);
}

void Media::reap() {
  while (rtc::Peer* peer = transports_.next_ended()) {
    end(*static_cast<Session*>(peer->user), {Code::kIceConsent, {}, 0});
  }
}

MonoUs Media::deadline() const {
  MonoUs due = std::min(transports_.deadline(), expire_at_);
  for (const auto& [name, stage] : stages_) {
    due = std::min(due, stage->room.deadline());
    if (!stage->mirrors.empty()) due = std::min(due, stage->links_at + kLinksUs);
  }
  return takes_.empty() ? due : std::min(due, tended_at_ + kTendUs);
}

void Media::on_time(MonoUs now) {
  if (transports_.deadline() <= now) {
    transports_.on_time(now);
    for (Session* session : with_channels_) pull_channels(*session, now);
  }
  for (const auto& [name, stage] : stages_) {
    if (stage->room.deadline() <= now) stage->room.on_time(now);
    follow_floor(*stage);
    tell_room(*stage, now);
    if (stage->lacking) take_up(*stage, now);
    if (stage->home) tell_home(*stage);
  }
  if (expire_at_ <= now) expire(now);
  tend_takes(now);
  measure(now);
  reap();
}

void Media::expire(MonoUs now) {
  expire_at_ = kNever;
  std::vector<Session*> over;
  for (const auto& [id, session] : sessions_) {
    if (session->request.until <= now) {
      over.push_back(session.get());
    } else {
      expire_at_ = std::min(expire_at_, session->request.until);
    }
  }
  for (Session* session : over) {
    session->peer->close(now);
    end(*session, {Code::kTokenExpired, {}, 0});
  }
}

const sfu::Room* Media::room(std::string_view episode) const {
  const auto found = stages_.find(episode);
  return found == stages_.end() ? nullptr : &found->second->room;
}

}  // namespace footlight::edge
