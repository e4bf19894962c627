#include "sfu/room.h"

#include <algorithm>
#include <array>

#include "rtc/rtcp.h"
#include "sfu/recording.h"

namespace footlight::sfu {
namespace {

constexpr MonoUs kFeedbackUs = 100 * kUsPerMs;
constexpr MonoUs kReceiverReportUs = kUsPerSecond;
constexpr MonoUs kSortUs = kUsPerSecond;
constexpr size_t kRtcpBytes = 1200;
constexpr size_t kVideoRing = 512, kAudioRing = 128;

size_t ring_slots(rtc::MediaKind kind) {
  return kind == rtc::MediaKind::kAudio ? kAudioRing : kVideoRing;
}

std::string_view text_of(const Packet& packet, rtc::RtpExtension extension) {
  return rtc::read_stream_name(packet.extensions[extension]);
}

// Of what it sends itself, beside RTX.
bool has_type(const Track& track, uint8_t type) {
  return type == track.codec.payload_type ||
         (track.red_payload_type && type == track.red_payload_type);
}

// BUNDLE: an id means the same on every m-line (RFC 8285 section 5), but not every m-line has all.
void merge(rtc::RtpExtensionMap& into, const rtc::RtpExtensionMap& more) {
  for (size_t i = 0; i < rtc::kRtpExtensionCount; ++i) {
    const auto extension = static_cast<rtc::RtpExtension>(i);
    if (into.id_of(extension) == 0) into.set(extension, more.id_of(extension));
  }
}

}  // namespace

Room::~Room() = default;

Room::Member* Room::find(MemberId member) {
  const auto found = members_.find(member);
  return found == members_.end() ? nullptr : found->second.get();
}

Track* Room::find_track(TrackId id) {
  for (const auto& track : tracks_) {
    if (track->id == id) return track.get();
  }
  return nullptr;
}

const Track* Room::track(TrackId id) const { return const_cast<Room*>(this)->find_track(id); }

const Subscriber* Room::subscriber(MemberId member) const {
  const auto found = members_.find(member);
  return found == members_.end() ? nullptr : found->second->subscriber.get();
}

uint64_t Room::rtcp_flood(MemberId member) const {
  const auto found = members_.find(member);
  return found == members_.end() ? 0 : found->second->feedback_limit.dropped();
}

bool Room::watched(TrackId id) const {
  const Track* found = track(id);
  return found && found->watchers + found->watched_elsewhere > 0;
}

// --- who is here
// ----------------------------------------------------------------------------------

Result<MemberId> Room::join(Sink& sink, const BandwidthConfig& bandwidth) {
  if (members_.size() >= limits_.members) return fail(Code::kServerFull, "room");
  auto member = std::make_unique<Member>();
  member->id = next_member_++;
  member->sink = &sink;
  member->subscriber = std::make_unique<Subscriber>(sink, bandwidth);
  member->routes.reserve(kMaxRoutes);
  const MemberId id = member->id;
  members_.emplace(id, std::move(member));
  return id;
}

void Room::leave(MemberId id) {
  Member* member = find(id);
  if (!member) return;
  while (!member->tracks.empty()) unpublish(member->tracks.back()->id);
  members_.erase(id);
  speakers_.remove(id);
  count_watchers();
}

size_t Room::packet_slots(const rtc::NegotiatedMedia& media) {
  return ring_slots(media.kind) * media.encodings.size();
}

size_t Room::packet_slots(MemberId id) const {
  const auto found = members_.find(id);
  size_t sum = 0;
  if (found == members_.end()) return sum;
  for (const Track* track : found->second->tracks) {
    sum += ring_slots(track->kind) * track->encodings.size();
  }
  return sum;
}

Result<TrackId> Room::publish(MemberId id, const rtc::NegotiatedMedia& media, uint8_t priority) {
  const auto made = make_track(id, media, priority, next_track_);
  if (!made) return std::unexpected(made.error());
  ++next_track_;
  return (*made)->id;
}

Result<Track*> Room::make_track(MemberId id, const rtc::NegotiatedMedia& media, uint8_t priority,
                                TrackId track_id) {
  Member* member = find(id);
  if (!member || tracks_.size() >= limits_.tracks ||
      member->tracks.size() >= limits_.tracks_per_member) {
    return fail(Code::kTrackLimit);
  }
  for (const Track* track : member->tracks) {
    if (track->mid == media.mid) return fail(Code::kTrackExists, media.mid);
  }
  const auto chosen = std::find_if(media.codecs.begin(), media.codecs.end(), [](const auto& codec) {
    return codec.codec != rtc::RtpCodec::kRed;
  });
  if (chosen == media.codecs.end() || media.encodings.empty() ||
      media.encodings.size() > kMaxEncodings) {
    return fail(Code::kTrackCodec, media.mid);
  }
  const size_t ring = ring_slots(media.kind);
  if (!pool_.can_claim(packet_slots(media))) {
    return fail(Code::kTrackLimit, "packets in memory");
  }
  auto track = std::make_unique<Track>();
  track->id = track_id;
  track->owner = id;
  track->kind = media.kind;
  track->mid = media.mid;
  track->codec = *chosen;
  track->named_by_type = media.named_by_type;
  track->priority = priority;
  for (const auto& codec : media.codecs) {
    if (codec.codec == rtc::RtpCodec::kRed) track->red_payload_type = codec.payload_type;
  }
  track->pending.reserve(kMaxPending);
  track->encodings.reserve(media.encodings.size());
  for (const auto& encoding : media.encodings) {
    const StreamSpec spec{chosen->codec, chosen->clock_rate, chosen->nack, ring};
    track->encodings.push_back(
        {encoding.rid, encoding.ssrc, encoding.rtx_ssrc, IncomingStream(spec, pool_)});
    const auto index = static_cast<uint8_t>(track->encodings.size() - 1);
    if (encoding.ssrc) add_route(*member, {encoding.ssrc, track.get(), index, false});
    if (encoding.rtx_ssrc) add_route(*member, {encoding.rtx_ssrc, track.get(), index, true});
  }
  merge(member->extensions, media.extensions);
  if (!member->feedback) member->feedback = std::make_unique<rtc::TransportFeedbackWriter>();
  member->tracks.push_back(track.get());
  if (track->audio()) speakers_.add(id);
  tracks_.push_back(std::move(track));
  with_pending_.reserve(tracks_.size());
  return tracks_.back().get();
}

void Room::unpublish(TrackId id) {
  Track* track = find_track(id);
  if (!track) return;
  if (track->recording) track->recording->remove(*track, now_);
  for (const auto& [member_id, member] : members_) member->subscriber->unwatch(*track);
  if (Member* owner = find(track->owner)) {
    std::erase(owner->tracks, track);
    std::erase_if(owner->routes, [&](const Route& route) { return route.track == track; });
  }
  std::erase(with_pending_, track);
  std::erase_if(tracks_, [&](const auto& each) { return each.get() == track; });
}

void Room::record(TrackId id, Recording& recording, const RecordHeader& about, MonoUs now) {
  Track* track = find_track(id);
  if (!track || track->recording) return;
  recording.add(*track, about, now);
}

void Room::set_extensions(MemberId id, const rtc::RtpExtensionMap& extensions) {
  if (Member* member = find(id)) merge(member->extensions, extensions);
}

Status Room::watch(MemberId id, TrackId track_id, const rtc::NegotiatedMedia& media,
                   const rtc::OutgoingStream& stream, const WatchOptions& options) {
  Member* member = find(id);
  Track* track = find_track(track_id);
  if (!member || !track) return fail(Code::kTrackUnknown);
  OutgoingSpec spec;
  bool found = false;
  uint8_t red = 0;
  for (const auto& codec : media.codecs) {
    if (codec.codec == rtc::RtpCodec::kRed && track->audio()) red = codec.payload_type;
    if (found || codec.codec != track->codec.codec || codec.format != track->codec.format) continue;
    found = true;
    spec.payload_type = codec.payload_type;
    if (stream.rtx_ssrc && codec.rtx_payload_type) {
      spec.rtx_ssrc = stream.rtx_ssrc;
      spec.rtx_payload_type = *codec.rtx_payload_type;
    }
  }
  if (!found) return fail(Code::kTrackCodec);
  // The blocks in RED name their payload type themselves, and are not rewritten: it goes on as it
  // is to whoever has the same number for it, and as its primary block to the others.
  if (spec.payload_type == track->codec.payload_type) spec.red_payload_type = red;
  spec.ssrc = stream.ssrc;
  spec.mid = media.mid;
  spec.extensions = media.extensions;
  auto watched = member->subscriber->watch(*track, spec, options);
  count_watchers();
  return watched;
}

void Room::unwatch(MemberId id, TrackId track_id) {
  Member* member = find(id);
  Track* track = find_track(track_id);
  if (member && track) member->subscriber->unwatch(*track);
  count_watchers();
}

Status Room::set_options(MemberId id, TrackId track_id, const WatchOptions& options) {
  Member* member = find(id);
  Track* track = find_track(track_id);
  if (!member || !track || !member->subscriber->set_options(*track, options)) {
    return fail(Code::kTrackUnknown);
  }
  count_watchers();
  return {};
}

void Room::count_watchers() {
  for (const auto& track : tracks_) track->watchers = 0;
  watching_.clear();
  for (const auto& [id, member] : members_) {
    if (!member->subscriber->watches().empty()) watching_.push_back(member->subscriber.get());
    for (const auto& watch : member->subscriber->watches()) {
      if (!watch->options.paused) ++watch->track->watchers;
    }
  }
}

// --- packets
// --------------------------------------------------------------------------------------

void Room::add_route(Member& member, const Route& route) {
  if (member.routes.size() < kMaxRoutes) member.routes.push_back(route);
}

const Room::Route* Room::route_of(Member& member, const Packet& packet) {
  for (const auto& route : member.routes) {
    if (route.ssrc == packet.view.ssrc) return &route;
  }
  return learn_route(member, packet);
}

// A stream that names itself by mid and rid (RFC 8852, RFC 9143), or, where packets carry no mid,
// by a payload type that one m-line alone has (RFC 9143 section 9.2).
const Room::Route* Room::learn_route(Member& member, const Packet& packet) {
  const uint8_t type = packet.view.payload_type;
  const std::string_view mid = text_of(packet, rtc::RtpExtension::kMid);
  const std::string_view rid = text_of(packet, rtc::RtpExtension::kRid);
  const std::string_view repaired = text_of(packet, rtc::RtpExtension::kRepairedRid);
  if (member.routes.size() >= kMaxRoutes) return nullptr;
  for (Track* track : member.tracks) {
    const bool rtx = type == track->codec.rtx_payload_type;
    const bool typed = track->named_by_type && (rtx || has_type(*track, type));
    if (mid.empty() ? !typed : track->mid != mid) continue;
    const std::string_view wanted = rtx ? repaired : rid;
    for (size_t i = 0; i < track->encodings.size(); ++i) {
      Encoding& encoding = track->encodings[i];
      if (track->encodings.size() > 1 && encoding.rid != wanted) continue;
      uint32_t& known = rtx ? encoding.rtx_ssrc : encoding.ssrc;
      // A stream keeps its SSRC; another is not believed.
      if (known && (!rtx || mid.empty())) return nullptr;
      known = packet.view.ssrc;
      member.routes.push_back({packet.view.ssrc, track, static_cast<uint8_t>(i), rtx});
      return &member.routes.back();
    }
  }
  return nullptr;
}

bool Room::parse(Member& member, Packet& packet, std::span<uint8_t> bytes) {
  if (!rtc::parse_rtp(bytes, packet.view)) return false;
  rtc::read_rtp_extensions(packet.view, member.extensions, packet.extensions);
  packet.vp8 = {};
  packet.red = false;
  return true;
}

bool Room::restore(Member& member, Packet& packet, std::span<uint8_t> bytes, const Route& route) {
  const Encoding& encoding = route.track->encodings[route.encoding];
  if (!encoding.ssrc) return false;
  return rtc::unwrap_rtx(bytes, {route.track->codec.payload_type, encoding.ssrc}) &&
         parse(member, packet, bytes);
}

bool Room::note_codec(const Track& track, Packet& packet) {
  const uint8_t type = packet.view.payload_type;
  packet.red = track.red_payload_type && type == track.red_payload_type;
  return has_type(track, type);
}

void Room::on_rtp(MemberId id, Packet* packet, std::span<uint8_t> bytes, MonoUs now) {
  Member* member = find(id);
  if (!member || !parse(*member, *packet, bytes)) return pool_.give_back(packet);
  ++stats_.packets_in;
  const auto sequence = rtc::read_transport_cc(packet->extensions[rtc::RtpExtension::kTransportCc]);
  if (sequence && member->feedback) member->feedback->on_packet(*sequence, now);
  member->last_media_ssrc = packet->view.ssrc;
  const Route* route = route_of(*member, *packet);
  if (!route) {
    ++stats_.unknown_stream;
    return pool_.give_back(packet);
  }
  Track& track = *route->track;
  if (route->rtx && !restore(*member, *packet, bytes, *route)) return pool_.give_back(packet);
  if (!note_codec(track, *packet)) {
    ++stats_.unknown_codec;
    return pool_.give_back(packet);
  }
  if (!take(track, route->encoding, packet, now) || !track.audio()) return;
  if (const auto level =
          rtc::read_audio_level(packet->extensions[rtc::RtpExtension::kAudioLevel])) {
    speakers_.on_level(id, *level, now);
  }
}

// Into the ring of its stream; true: it is there.
bool Room::take(Track& track, uint8_t index, Packet* packet, MonoUs now) {
  Encoding& encoding = track.encodings[index];
  const bool overflow = track.pending.size() == kMaxPending;
  if (overflow || !encoding.stream.accept(packet, now)) {
    ++(overflow ? stats_.turn_overflow : stats_.duplicates);
    pool_.give_back(packet);
    return false;
  }
  if (encoding.recorded) encoding.recorded->on_rtp(*packet, now);
  if (track.pending.empty()) with_pending_.push_back(&track);
  track.pending.push_back({index, packet->sequence});
  return true;
}

void Room::flush(MonoUs now) {
  if (with_pending_.empty()) return;
  // Audio first, and subscriber by subscriber: what goes to one peer lies together.
  std::partition(with_pending_.begin(), with_pending_.end(),
                 [](const Track* track) { return track->audio(); });
  for (size_t i = 0; i < watching_.size(); ++i) {
    // What a subscriber needs is seldom in the cache, as there are many.
    if (i + 1 < watching_.size()) watching_[i + 1]->prefetch();
    for (Track* track : with_pending_) watching_[i]->forward(*track, now);
  }
  for (Track* track : with_pending_) track->pending.clear();
  with_pending_.clear();
}

// --- feedback and time
// ----------------------------------------------------------------------------

void Room::on_sender_report(Member& member, const rtc::RtcpPacket& packet, MonoUs now) {
  const auto info = rtc::read_sender_info(packet);
  if (!info) return;
  for (const auto& route : member.routes) {
    if (route.ssrc != info->ssrc || route.rtx) continue;
    Encoding& encoding = route.track->encodings[route.encoding];
    encoding.stream.on_sender_report(*info, now);
    if (route.track->copies) {
      route.track->copies->on_report(*route.track, route.encoding, *info, now);
    }
    if (encoding.recorded) encoding.recorded->on_report(*info, now);
  }
}

// What has ended is not waited for: whoever watches goes on with another encoding at once.
void Room::on_bye(Member& member, const rtc::RtcpPacket& packet) {
  for (size_t i = 0; const auto ssrc = rtc::bye_ssrc(packet, i); ++i) {
    for (const auto& route : member.routes) {
      if (route.ssrc == *ssrc && !route.rtx) route.track->encodings[route.encoding].stream.rest();
    }
  }
}

void Room::on_rtcp(MemberId id, ByteView compound, MonoUs now) {
  Member* member = find(id);
  if (!member) return;
  if (!member->feedback_limit.take(rtc::rtcp_items(compound), now)) {
    ++stats_.rtcp_flood;
    return;
  }
  rtc::RtcpReader reader(compound);
  rtc::RtcpPacket packet;
  while (reader.next(packet)) {
    if (packet.type == rtc::RtcpType::kSenderReport) on_sender_report(*member, packet, now);
    if (packet.type == rtc::RtcpType::kBye) on_bye(*member, packet);
  }
  if (!member->subscriber->on_rtcp(compound, now)) ++stats_.malformed_rtcp;
}

void Room::on_time(MonoUs now) {
  if (now < next_tick_) return;
  now_ = now;
  next_tick_ = now + kTickUs;
  if (!follows_) speakers_.update(now);
  if (now >= next_sort_) {
    next_sort_ = now + kSortUs;
    for (const auto& track : tracks_) track->sort_encodings(now);
  }
  for (const auto& [id, member] : members_) {
    member->subscriber->on_time(speakers_, now);
    if (member->tracks.empty()) continue;
    if (member->copy) {
      tick_copies(*member, now);
    } else {
      tick_publisher(*member, now);
    }
  }
}

void Room::tick_publisher(Member& member, MonoUs now) {
  std::array<uint8_t, kRtcpBytes> buffer;
  if (member.feedback->pending() && now - member.fed_back_at >= kFeedbackUs) {
    member.fed_back_at = now;
    while (const size_t size = member.feedback->write(buffer, kOurSsrc, member.last_media_ssrc)) {
      member.sink->send_rtcp({buffer.data(), size});
    }
  }
  if (now - member.reported_at >= kReceiverReportUs) {
    member.reported_at = now;
    std::array<rtc::ReportBlock, rtc::kRtcpMaxCount> blocks;
    size_t count = 0;
    for (Track* track : member.tracks) {
      for (auto& encoding : track->encodings) {
        if (encoding.ssrc == 0 || count == blocks.size() || !encoding.stream.stats().packets) {
          continue;
        }
        blocks[count++] = encoding.stream.report_block(encoding.ssrc, now);
      }
    }
    rtc::RtcpWriter writer(buffer);
    writer.receiver_report(kOurSsrc, {blocks.data(), count});
    if (count) member.sink->send_rtcp(writer.bytes());
  }
  for (Track* track : member.tracks) {
    for (auto& encoding : track->encodings) tick_stream(member, *track, encoding, now);
  }
}

void Room::tick_stream(Member& member, Track& track, Encoding& encoding, MonoUs now) {
  if (encoding.ssrc == 0) return;
  std::array<uint8_t, kRtcpBytes> buffer;
  rtc::RtcpWriter writer(buffer);
  if (encoding.stream.is_missing_any()) {
    std::array<uint16_t, IncomingStream::kMaxMissing> lost;
    const size_t count =
        encoding.stream.due_nacks(now, member.subscriber->estimator().round_trip(), lost);
    writer.nack(kOurSsrc, encoding.ssrc, {lost.data(), count});
  }
  if (encoding.recorded && encoding.recorded->wants_key_frame(now)) {
    encoding.stream.request_key_frame();
  }
  if (!track.audio() && encoding.stream.take_key_frame_request(now)) {
    if (track.codec.fir && !track.codec.pli) {
      writer.fir(kOurSsrc, {encoding.ssrc, encoding.firs++});
    } else {
      writer.pli(kOurSsrc, encoding.ssrc);
    }
  }
  if (!writer.empty()) member.sink->send_rtcp(writer.bytes());
}

}  // namespace footlight::sfu
