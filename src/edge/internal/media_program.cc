// Media's part in the program: the compositor as one more subscriber of an episode, without a peer
// connection. It is sent every track it can decode, each on an SSRC of its own; the layer of a
// picture is chosen by the person's role and stays.
#include <algorithm>
#include <array>

#include "edge/internal/media_stage.h"
#include "rtc/rtcp.h"

namespace footlight::edge {
namespace {

// Nothing is between the compositor and us: there is always room.
constexpr sfu::BandwidthConfig kLoopback{400'000'000, 400'000'000, 400'000'000};
constexpr double kSpeaks = 45;
constexpr std::string_view kProgramLabel = "program";
constexpr uint32_t kFirstSsrc = 0x0F00'0001;
constexpr uint32_t kOurSsrc = 1;

proto::FeedCodec feed_codec(rtc::RtpCodec codec) {
  switch (codec) {
    case rtc::RtpCodec::kOpus:
      return proto::FeedCodec::kOpus;
    case rtc::RtpCodec::kVp8:
      return proto::FeedCodec::kVp8;
    case rtc::RtpCodec::kVp9:
      return proto::FeedCodec::kVp9;
    case rtc::RtpCodec::kH264:
      return proto::FeedCodec::kH264;
    case rtc::RtpCodec::kAv1:
      return proto::FeedCodec::kAv1;
    case rtc::RtpCodec::kRed:
      break;
  }
  return proto::FeedCodec::kNone;
}

proto::FeedParticipant::Role feed_role(const MediaRequest& request) {
  using Role = proto::FeedParticipant::Role;
  if (request.label == kProgramLabel) return Role::kProgram;
  if (request.role == proto::Role::kGm) return Role::kGm;
  return request.role == proto::Role::kProducer ? Role::kHost : Role::kPlayer;
}

// The best there is of who is shown large, the second of three of who is shown small.
sfu::WatchOptions tap_options(const MediaRequest& request) {
  sfu::WatchOptions out;
  out.priority = media_priority(request.role);
  const bool large = request.role == proto::Role::kGm || !request.label.empty();
  if (!large) out.max = {1, 1, 255};
  return out;
}

}  // namespace

void Media::tap(const std::string& episode, sfu::Sink* sink) {
  if (const auto found = taps_.find(episode); found != taps_.end()) {
    Tap& tap = *found->second;
    if (tap.stage) tap.stage->room.leave(tap.member);
    taps_.erase(found);
  }
  if (!sink) return;
  auto& tap = taps_[episode];
  tap = std::make_unique<Tap>();
  tap->sink = sink;
  tap->next_ssrc = kFirstSsrc;
  if (const auto stage = stages_.find(episode); stage != stages_.end()) arrange_tap(*stage->second);
}

Media::Tap* Media::find_tap(std::string_view episode) const {
  const auto found = taps_.find(episode);
  return found == taps_.end() ? nullptr : found->second.get();
}

void Media::leave_tap(Stage& stage) {
  Tap* tap = find_tap(stage.episode);
  if (!tap || !tap->stage) return;
  stage.room.leave(tap->member);
  tap->stage = nullptr;
  tap->seats.clear();
}

void Media::arrange_tap(Stage& stage) {
  Tap* tap = find_tap(stage.episode);
  if (!tap) return;
  if (!tap->stage) {
    const auto member = stage.room.join(*tap->sink, kLoopback);
    if (!member) return;
    tap->member = *member;
    tap->stage = &stage;
  }
  std::erase_if(tap->seats, [&](const Tap::Seat& seat) {
    return std::ranges::none_of(stage.published, [&](const Publication& each) {
      return each.session->order == seat.session;
    });
  });
  for (const Publication& each : stage.published) tap_track(stage, *tap, each);
}

void Media::tap_track(Stage& stage, Tap& tap, const Publication& each) {
  const sfu::Track* track = stage.room.track(each.track);
  if (!track) return;
  auto seat = std::ranges::find(tap.seats, each.session->order, &Tap::Seat::session);
  if (seat == tap.seats.end()) {
    uint8_t slot = 0;
    while (std::ranges::find(tap.seats, slot, &Tap::Seat::slot) != tap.seats.end()) ++slot;
    if (slot == proto::kMaxFeedSlots) return;
    tap.seats.push_back({each.session->order, slot, {}});
    seat = std::prev(tap.seats.end());
  }
  Tap::Line& line = seat->lines[track->audio() ? 0 : 1];
  if (line.track == each.track) return;
  // One voice and one picture of a session; a second waits for the first to go.
  if (line.track != 0 && stage.room.track(line.track) != nullptr) return;
  line.track = 0;
  rtc::NegotiatedMedia media;
  media.mid = std::to_string(tap.next_ssrc);
  media.kind = track->kind;
  media.client_receives = true;
  media.codecs = {track->codec};
  media.codecs[0].rtx_payload_type.reset();
  rtc::OutgoingStream stream;
  stream.mid = media.mid;
  stream.ssrc = tap.next_ssrc++;
  const auto options = tap_options(each.session->request);
  if (!stage.room.watch(tap.member, each.track, media, stream, options)) return;
  line = {each.track, stream.ssrc, track->codec.payload_type};
}

std::vector<proto::FeedParticipant> Media::tapped(std::string_view episode) const {
  std::vector<proto::FeedParticipant> out;
  const Tap* tap = find_tap(episode);
  if (!tap || !tap->stage) return out;
  const Stage& stage = *tap->stage;
  for (const Tap::Seat& seat : tap->seats) {
    proto::FeedParticipant person;
    person.slot = seat.slot;
    bool any = false;
    for (const Publication& each : stage.published) {
      if (each.session->order != seat.session) continue;
      const MediaRequest& request = each.session->request;
      const sfu::Track* track = stage.room.track(each.track);
      const Tap::Line& line = seat.lines[track && track->audio() ? 0 : 1];
      if (!track || line.track != each.track) continue;
      any = true;
      person.name = request.name;
      person.who = request.who;
      if (request.label == kScreen) person.name += " (screen)";
      person.role = feed_role(request);
      proto::FeedTrack told{feed_codec(track->codec.codec), line.ssrc, line.payload_type,
                            track->codec.clock_rate};
      // Whose camera is off is not shown frozen.
      if (!track->audio() && each.muted) told = {};
      (track->audio() ? person.audio : person.video) = told;
      const double loudness = stage.room.speakers().loudness(each.session->member);
      if (track->audio()) person.speaking = !each.muted && loudness >= kSpeaks;
    }
    if (any) out.push_back(std::move(person));
  }
  std::ranges::sort(out, {}, &proto::FeedParticipant::slot);
  return out;
}

size_t Media::publishers(std::string_view episode) const {
  const auto found = stages_.find(episode);
  return found == stages_.end() ? 0 : found->second->published.size();
}

void Media::want_key_frame(std::string_view episode, uint32_t ssrc, MonoUs now) {
  const Tap* tap = find_tap(episode);
  if (!tap || !tap->stage) return;
  std::array<uint8_t, 16> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.pli(kOurSsrc, ssrc);
  tap->stage->room.on_rtcp(tap->member, writer.bytes(), now);
}

}  // namespace footlight::edge
