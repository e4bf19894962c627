// A room on several shards: what leaves the room at home, and what a room of copies does with it.
#include "sfu/room.h"

namespace footlight::sfu {

// --- at home

std::optional<rtc::NegotiatedMedia> Room::describe(TrackId id) const {
  const Track* found = track(id);
  if (!found) return std::nullopt;
  rtc::NegotiatedMedia media;
  media.mid = found->mid;
  media.kind = found->kind;
  media.client_sends = true;
  media.codecs = {found->codec};
  // What the publisher's way lost is asked for at home, and comes from there when it came.
  media.codecs[0].nack = false;
  if (found->red_payload_type) {
    rtc::NegotiatedCodec red;
    red.codec = rtc::RtpCodec::kRed;
    red.payload_type = found->red_payload_type;
    red.clock_rate = found->codec.clock_rate;
    media.codecs.push_back(red);
  }
  for (const Encoding& encoding : found->encodings) media.encodings.push_back({encoding.rid, 0, 0});
  const auto owner = members_.find(found->owner);
  if (owner != members_.end()) media.extensions = owner->second->extensions;
  return media;
}

void Room::copy(TrackId id, TrackCopies* copies, size_t watchers) {
  Track* found = find_track(id);
  if (!found) return;
  found->copies = copies;
  found->watched_elsewhere = watchers;
}

Room::Pace Room::pace(TrackId id, MonoUs now) const {
  Pace out;
  const Track* found = track(id);
  if (!found) return out;
  out.by_quality = found->by_quality;
  for (size_t i = 0; i < found->encodings.size(); ++i) {
    const IncomingStream& stream = found->encodings[i].stream;
    if (stream.active(now)) out.rates[i] = stream.rates().handed_on();
  }
  return out;
}

void Room::copy_out() {
  for (Track* track : with_pending_) {
    if (!track->copies) continue;
    for (const auto& pending : track->pending) {
      IncomingStream& stream = track->encodings[pending.encoding].stream;
      const Packet* packet = stream.find(pending.sequence);
      if (!packet || track->copies->on_packet(*track, pending.encoding, *packet)) continue;
      if (!track->audio()) stream.request_key_frame();
    }
  }
}

// --- of copies

Status Room::publish_copy(MemberId id, TrackId track, const rtc::NegotiatedMedia& media,
                          uint8_t priority) {
  const auto made = make_track(id, media, priority, track);
  if (!made) return std::unexpected(made.error());
  find(id)->copy = true;
  return {};
}

void Room::expect(TrackId id, const Pace& pace, MonoUs now) {
  Track* found = find_track(id);
  if (!found) return;
  found->by_quality = pace.by_quality;
  for (size_t i = 0; i < found->encodings.size(); ++i) {
    if (pace.rates[i]) found->encodings[i].stream.expect(*pace.rates[i], now);
  }
  for (const auto& [member_id, member] : members_) member->subscriber->choose_anew(*found);
}

Encoding* Room::find_encoding(TrackId id, uint8_t index) {
  Track* found = find_track(id);
  return found && index < found->encodings.size() ? &found->encodings[index] : nullptr;
}

void Room::on_copy(const CopyOf& of, Packet* packet, std::span<uint8_t> bytes, MonoUs now) {
  Track* found = find_track(of.track);
  Member* owner = found ? find(found->owner) : nullptr;
  if (!owner || of.encoding >= found->encodings.size() || !parse(*owner, *packet, bytes) ||
      !note_codec(*found, *packet)) {
    return pool_.give_back(packet);
  }
  found->encodings[of.encoding].stream.count_as_home(of.sequence);
  const bool overflow = found->pending.size() == kMaxPending;
  if (!take(*found, of.encoding, packet, now) && overflow) request_key_frame(of.track, of.encoding);
}

void Room::on_copied_report(const CopyOf& of, const rtc::SenderInfo& info, MonoUs at) {
  if (Encoding* encoding = find_encoding(of.track, of.encoding)) {
    encoding->stream.on_sender_report(info, at);
  }
}

void Room::follow_speakers(std::span<const Speakers::Ranked> order, bool active) {
  follows_ = true;
  speakers_.follow(order, active);
}

void Room::request_key_frame(TrackId id, uint8_t index) {
  Encoding* encoding = find_encoding(id, index);
  if (encoding && !find_track(id)->audio()) encoding->stream.request_key_frame();
}

void Room::tick_copies(const Member& member, MonoUs now) {
  for (Track* track : member.tracks) {
    if (track->audio()) continue;
    for (size_t i = 0; i < track->encodings.size(); ++i) {
      if (!track->encodings[i].stream.take_key_frame_request(now)) continue;
      wishes_.push_back({track->id, static_cast<uint8_t>(i)});
    }
  }
}

}  // namespace footlight::sfu
