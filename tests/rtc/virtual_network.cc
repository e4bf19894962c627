#include "virtual_network.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "rtc/rtcp.h"
#include "rtc/wire.h"

namespace footlight::sfu {
namespace {

constexpr MonoUs kUpDelayUs = 25'000;
constexpr size_t kPacketPayload = 1100;
constexpr MonoUs kGiveUpUs = 400'000;

uint64_t ntp_of(MonoUs now) {
  return static_cast<uint64_t>(static_cast<double>(now) / 1e6 * 4294967296.0) + (1ull << 40);
}

}  // namespace

void World::every(MonoUs period, std::function<void()> what) {
  at(now_ + period, [this, period, what = std::move(what)] {
    what();
    every(period, what);
  });
}

void World::run_until(MonoUs end) {
  while (!events_.empty() && events_.top().when <= end) {
    Event event = events_.top();
    events_.pop();
    now_ = event.when;
    event.what();
  }
  now_ = end;
}

void Link::send(size_t bytes, std::function<void()> deliver) {
  const MonoUs start = std::max(free_at_, world_.now());
  if (start - world_.now() > config_.queue_us ||
      world_.prng.chance_per_million(config_.loss_per_million)) {
    ++dropped_;
    return;
  }
  free_at_ = start + static_cast<int64_t>(bytes) * 8 * kUsPerSecond / config_.rate_bps;
  world_.at(free_at_ + config_.delay_us, std::move(deliver));
}

rtc::NegotiatedMedia video_line(const std::string& mid, std::vector<uint32_t> ssrcs) {
  rtc::NegotiatedMedia media;
  media.mid = mid;
  media.kind = rtc::MediaKind::kVideo;
  rtc::NegotiatedCodec codec;
  codec.codec = rtc::RtpCodec::kVp8;
  codec.payload_type = kVideoType;
  codec.rtx_payload_type = kRtxType;
  codec.clock_rate = 90'000;
  codec.nack = codec.pli = codec.transport_cc = true;
  media.codecs = {codec};
  media.extensions.set(rtc::RtpExtension::kTransportCc, kTransportCcId);
  media.extensions.set(rtc::RtpExtension::kMid, kMidId);
  for (const uint32_t ssrc : ssrcs) media.encodings.push_back({"", ssrc, 0});
  return media;
}

rtc::NegotiatedMedia audio_line(const std::string& mid, uint32_t ssrc) {
  rtc::NegotiatedMedia media;
  media.mid = mid;
  media.kind = rtc::MediaKind::kAudio;
  rtc::NegotiatedCodec codec;
  codec.codec = rtc::RtpCodec::kOpus;
  codec.payload_type = kAudioType;
  codec.clock_rate = 48'000;
  codec.nack = true;
  media.codecs = {codec};
  media.extensions.set(rtc::RtpExtension::kTransportCc, kTransportCcId);
  media.extensions.set(rtc::RtpExtension::kMid, kMidId);
  media.extensions.set(rtc::RtpExtension::kAudioLevel, kAudioLevelId);
  if (ssrc) media.encodings.push_back({"", ssrc, 0});
  return media;
}

Performer::Performer(World& world, Room& room, PacketPool& pool, const Config& config)
    : world_(world), room_(room), pool_(pool), config_(config) {
  id_ = *room.join(*this);
  std::vector<uint32_t> ssrcs;
  for (size_t i = 0; i < config.encodings_bps.size(); ++i) {
    Camera camera;
    camera.ssrc = config.first_ssrc + static_cast<uint32_t>(i);
    camera.bps = config.encodings_bps[i];
    camera.sequence = static_cast<uint16_t>(65'000 + 200 * i);
    camera.picture_id = static_cast<uint16_t>(32'700 + 7 * i);
    camera.tl0 = static_cast<uint8_t>(50 * i);
    cameras_.push_back(camera);
    ssrcs.push_back(camera.ssrc);
  }
  video_ = *room.publish(id_, video_line("v", ssrcs), 100);
  if (config.audio) voice_ = *room.publish(id_, audio_line("a", config.first_ssrc + 500), 200);
  rtc::RtpExtensionMap extensions;
  extensions.set(rtc::RtpExtension::kAudioLevel, kAudioLevelId);
  room.set_extensions(id_, extensions);
  world.every(kUsPerSecond / config.fps, [this] {
    for (auto& camera : cameras_) frame(camera);
  });
  if (config.audio) world.every(20'000, [this] { audio(); });
  world.every(kUsPerSecond, [this] { reports(); });
}

void Performer::give(std::span<const uint8_t> bytes) {
  Packet* packet = pool_.take();
  if (!packet) std::abort();
  std::copy(bytes.begin(), bytes.end(), packet->buffer.begin());
  room_.on_rtp(id_, packet, {packet->buffer.data(), bytes.size()}, world_.now());
}

void Performer::frame(Camera& camera) {
  const bool key = std::exchange(camera.key_frame, false);
  if (key) {
    camera.frame = 0;
    ++key_frames_;
  }
  const uint8_t temporal = config_.temporal_layers < 2 || camera.frame % 2 == 0 ? 0 : 1;
  camera.picture_id = (camera.picture_id + 1) & 0x7FFF;
  if (temporal == 0) ++camera.tl0;
  ++camera.frame;
  const int64_t average = camera.bps / 8 / config_.fps;
  const auto jitter = world_.prng.between(-average / 5, average / 5);
  auto left = static_cast<size_t>(std::max<int64_t>(60, (key ? 4 : 1) * average + jitter));
  for (bool first = true; left > 0; first = false) {
    const size_t bytes = std::min(left, kPacketPayload);
    left -= bytes;
    packet(camera, first, left == 0, key, temporal, bytes);
  }
}

void Performer::packet(Camera& camera, bool first, bool last, bool key, uint8_t temporal,
                       size_t bytes) {
  std::array<uint8_t, 1400> buffer{};
  const auto timestamp = static_cast<uint32_t>(world_.now() * 9 / 100 + camera.ssrc * 77'777);
  const size_t head = rtc::write_rtp_head(
      buffer, {last, false, kVideoType, camera.sequence++, timestamp, camera.ssrc});
  uint8_t* at = &buffer[head];
  at[0] = static_cast<uint8_t>(0x80 | (first ? 0x10 : 0));
  at[1] = 0xE0;  // picture id, TL0PICIDX, TID
  rtc::store_u16(at + 2, static_cast<uint16_t>(0x8000 | camera.picture_id));
  at[4] = camera.tl0;
  at[5] = static_cast<uint8_t>(temporal << 6 | (temporal ? 0x20 : 0));
  at[6] = key ? 0 : 1;
  give({buffer.data(), head + 6 + std::max<size_t>(bytes, 1)});
}

void Performer::audio() {
  std::array<uint8_t, 200> buffer{};
  const std::array<uint8_t, 1> level{level_};
  const std::array<rtc::RtpExtensionElement, 1> elements{{{kAudioLevelId, level}}};
  const size_t head = rtc::write_rtp_head(
      buffer,
      {false, false, kAudioType, audio_sequence_++, static_cast<uint32_t>(world_.now() * 48 / 1000),
       config_.first_ssrc + 500},
      elements);
  give({buffer.data(), head + 80});
}

void Performer::reports() {
  for (const auto& camera : cameras_) {
    std::array<uint8_t, 64> buffer;
    rtc::RtcpWriter writer(buffer);
    writer.sender_report({camera.ssrc, ntp_of(world_.now()),
                          static_cast<uint32_t>(world_.now() * 9 / 100 + camera.ssrc * 77'777), 1,
                          1});
    room_.on_rtcp(id_, writer.bytes(), world_.now());
  }
}

void Performer::send_rtcp(ByteView compound) {
  rtc::RtcpReader reader(compound);
  rtc::RtcpPacket packet;
  while (reader.next(packet)) {
    if (packet.type != rtc::RtcpType::kPayloadFeedback || packet.count != rtc::kPsfbPli) continue;
    const uint32_t ssrc = rtc::feedback_media_ssrc(packet);
    world_.at(world_.now() + kUpDelayUs, [this, ssrc] {
      for (auto& camera : cameras_) camera.key_frame |= camera.ssrc == ssrc;
    });
  }
}

// --- viewers
// --------------------------------------------------------------------------------------

Viewer::Viewer(World& world, Room& room, std::shared_ptr<Link> down,
               const BandwidthConfig& bandwidth)
    : world_(world), room_(room), down_(std::move(down)) {
  id_ = *room.join(*this, bandwidth);
  world.every(50'000, [this] { feed_back(); });
  world.every(20'000, [this] { ask_again(); });
}

void Viewer::watch(const Performer& performer, uint8_t priority) {
  WatchOptions options;
  options.priority = priority;
  for (const TrackId track : {performer.video(), performer.voice()}) {
    if (!track) continue;
    const bool video = track == performer.video();
    const uint32_t ssrc = 1'000'000 + track * 10;
    const std::string mid = std::to_string(track);
    const auto media = video ? video_line(mid) : audio_line(mid);
    const auto watched =
        room_.watch(id_, track, media, {mid, "c", "s t", ssrc, video ? ssrc + 1 : 0}, options);
    if (!watched) std::abort();
    Receiving receiving;
    receiving.ssrc = ssrc;
    receiving.video = video;
    receiving.stream = std::make_unique<IncomingStream>(
        StreamSpec{video ? rtc::RtpCodec::kVp8 : rtc::RtpCodec::kOpus, video ? 90'000u : 48'000u,
                   true, 512},
        pool_);
    receiving_[ssrc] = std::move(receiving);
  }
}

int Viewer::encoding(const Performer& performer) const {
  for (const auto& watch : room_.subscriber(id_)->watches()) {
    if (watch->track->id == performer.video()) {
      const auto current = watch->subscription.current_stream();
      return current ? *current : -1;
    }
  }
  return -1;
}

void Viewer::reset_seen() {
  for (auto& [ssrc, seen] : seen_) {
    const MonoUs last = seen.last_frame_at;
    seen = {};
    seen.last_frame_at = last;
  }
}

void Viewer::send_rtp(ByteView head, ByteView payload) {
  std::vector<uint8_t> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  const MonoUs sent_at = world_.now();
  const size_t size = bytes.size() + Subscriber::kOverheadBytes;
  down_->send(size, [this, bytes = std::move(bytes), sent_at] { arrive(bytes, sent_at); });
}

void Viewer::send_rtcp(ByteView compound) {
  down_->send(compound.size() + 50, [] {});
}

void Viewer::arrive(std::vector<uint8_t> bytes, MonoUs sent_at) {
  rtc::RtpView view;
  if (!rtc::parse_rtp(bytes, view)) std::abort();
  rtc::RtpExtensionReader extensions(view);
  uint8_t id;
  ByteView value;
  while (extensions.next(id, value)) {
    if (id == kTransportCcId) feedback_.on_packet(rtc::load_u16(value.data()), world_.now());
  }
  std::span<uint8_t> packet_bytes(bytes);
  uint32_t ssrc = view.ssrc;
  if (!receiving_.contains(ssrc)) {
    ssrc = view.ssrc - 1;  // its RTX
    if (!receiving_.contains(ssrc) || !rtc::unwrap_rtx(packet_bytes, {kVideoType, ssrc})) return;
  }
  Receiving& receiving = receiving_[ssrc];
  Seen& seen = seen_[ssrc];
  seen.worst_delay_us = std::max(seen.worst_delay_us, world_.now() - sent_at);
  Packet* packet = pool_.take();
  std::copy(packet_bytes.begin(), packet_bytes.end(), packet->buffer.begin());
  if (!rtc::parse_rtp({packet->buffer.data(), packet_bytes.size()}, packet->view)) std::abort();
  packet->extensions = {};
  packet->vp8 = {};
  if (!receiving.stream->accept(packet, world_.now())) return pool_.give_back(packet);
  ++seen.packets;
  seen.bytes += packet_bytes.size();
  play(receiving);
}

// Plays what is whole and in order. A decoder that is stuck for long goes on at the next key frame.
void Viewer::play(Receiving& receiving) {
  Seen& seen = seen_[receiving.ssrc];
  const int64_t newest = 0x10000;
  if (receiving.next < 0) {
    int64_t first = newest;
    while (!receiving.stream->find(first) && first < newest + 0x10000) ++first;
    receiving.next = first;
  }
  while (const Packet* packet = receiving.stream->find(receiving.next)) {
    ++receiving.next;
    receiving.stuck_since = -1;
    if (!receiving.video || !packet->view.marker) continue;
    ++seen.frames;
    if (seen.last_frame_at) {
      seen.longest_freeze_us = std::max(seen.longest_freeze_us, world_.now() - seen.last_frame_at);
    }
    seen.last_frame_at = world_.now();
  }
}

void Viewer::ask_again() {
  for (auto& [ssrc, receiving] : receiving_) {
    std::array<uint16_t, 64> lost;
    std::array<uint8_t, 400> buffer;
    rtc::RtcpWriter writer(buffer);
    const size_t count = receiving.stream->due_nacks(world_.now(), 50'000, lost);
    writer.nack(2, ssrc, {lost.data(), count});
    // The next one is missing while later ones are there.
    bool later = false;
    for (int64_t i = 1; i < 64 && receiving.next >= 0; ++i) {
      later |= receiving.stream->find(receiving.next + i) != nullptr;
    }
    if (later && receiving.stuck_since < 0) receiving.stuck_since = world_.now();
    if (later && world_.now() - receiving.stuck_since > kGiveUpUs) {
      Seen& seen = seen_[ssrc];
      ++seen.lost_for_good;
      ++receiving.next;
      while (!receiving.stream->find(receiving.next)) {
        ++receiving.next;
        ++seen.lost_for_good;
      }
      if (receiving.video) writer.pli(2, ssrc);
      receiving.stuck_since = -1;
      play(receiving);
    }
    if (!writer.empty()) to_room({writer.bytes().begin(), writer.bytes().end()});
  }
}

void Viewer::feed_back() {
  std::array<uint8_t, 1000> buffer;
  while (const size_t size = feedback_.write(buffer, 2, 3)) {
    to_room({buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(size)});
  }
}

void Viewer::to_room(std::vector<uint8_t> bytes) {
  world_.at(world_.now() + kUpDelayUs,
            [this, bytes = std::move(bytes)] { room_.on_rtcp(id_, bytes, world_.now()); });
}

void drive(World& world, Room& room) {
  world.every(1'000, [&world, &room] {
    room.flush(world.now());
    room.on_time(world.now());
  });
}

}  // namespace footlight::sfu
