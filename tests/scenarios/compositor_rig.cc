#include "tests/scenarios/compositor_rig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "rtc/rtcp.h"
#include "rtc/rtp.h"

namespace footlight::testing {
namespace {

constexpr size_t kPayload = 1'150;
constexpr uint8_t kVoiceType = 111, kPictureType = 96;

MonoUs mono_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Each person's clock is another: what the reports say is all that ties voice and picture.
int64_t clock_of(uint8_t slot, MonoUs now) { return now + int64_t{slot + 1} * 7'777'777'777; }

}  // namespace

int64_t CompositorRig::wall_now_us() { return wall_us(); }

CompositorRig::CompositorRig(const std::string& program, std::vector<std::string> arguments) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
  socket_ = pair[0];
  udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(udp_, reinterpret_cast<sockaddr*>(&at), size) != 0 ||
      ::getsockname(udp_, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    std::abort();
  }
  arguments.insert(arguments.begin(), {program, "compose", "--socket", "fd:3"});
  std::vector<char*> list;
  for (std::string& each : arguments) list.push_back(each.data());
  list.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(pair[1], 3);
    ::execv(program.c_str(), list.data());
    _exit(127);
  }
  ::close(pair[1]);
  send(proto::FeedNodeHello{proto::kFeedVersion, ntohs(at.sin_port)});
  run(5 * kUsPerSecond, [](const CompositorRig& rig) { return !rig.streams.empty(); });
}

CompositorRig::~CompositorRig() {
  ::close(socket_);
  ::close(udp_);
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
}

void CompositorRig::send(const proto::NodeMessage& message) {
  Bytes out;
  encode(message, out);
  if (::send(socket_, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
    ended_ = true;
  }
}

void CompositorRig::seat(uint8_t slot, const std::string& name, proto::FeedParticipant::Role role,
                         size_t number, size_t layer, int fps) {
  Player& player = players_[slot];
  player = {};
  player.clip = &ops::clip(number);
  player.layer = layer;
  player.fps = fps;
  player.about.slot = slot;
  player.about.name = name;
  player.about.role = role;
  const uint32_t ssrc = 0x1000'0000U + 16U * slot;
  player.about.audio = {proto::FeedCodec::kOpus, ssrc, kVoiceType, 48'000};
  if (fps > 0) player.about.video = {proto::FeedCodec::kVp8, ssrc + 1, kPictureType, 90'000};
  player.began = player.frame_at = player.voice_at = mono_us();
  tell_people();
}

void CompositorRig::unseat(uint8_t slot) {
  players_.erase(slot);
  tell_people();
}

void CompositorRig::speak(uint8_t slot, bool on) {
  players_.at(slot).about.speaking = on;
  tell_people();
}

void CompositorRig::set_line(uint8_t slot, Line line) { players_.at(slot).line = line; }

void CompositorRig::tell_people() {
  proto::FeedParticipants people;
  for (const auto& [slot, player] : players_) people.people.push_back(player.about);
  send(people);
}

void CompositorRig::send_rtp(Player& player, bool voice, bool marker, uint32_t timestamp,
                             ByteView head, ByteView payload) {
  const uint16_t sequence = player.sequence[voice ? 0 : 1]++;
  ++player.sent;
  const bool lost = player.line == Line::kDead || (player.line == Line::kPictureDead && !voice) ||
                    (player.line == Line::kLossy && player.sent % 23 == 0);
  if (lost) return;
  std::array<uint8_t, 1'600> packet;
  rtc::RtpHead rtp;
  rtp.marker = marker;
  rtp.payload_type = voice ? kVoiceType : kPictureType;
  rtp.sequence = sequence;
  rtp.timestamp = timestamp;
  rtp.ssrc = voice ? player.about.audio.ssrc : player.about.video.ssrc;
  size_t size = rtc::write_rtp_head(packet, rtp);
  for (const ByteView part : {head, payload}) {
    std::ranges::copy(part, packet.begin() + static_cast<ptrdiff_t>(size));
    size += part.size();
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(to_port_);
  (void)!::sendto(udp_, packet.data(), size, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
}

void CompositorRig::send_report(Player& player, MonoUs now) {
  for (const bool voice : {true, false}) {
    const auto& track = voice ? player.about.audio : player.about.video;
    if (track.ssrc == 0) continue;
    const int64_t clock = clock_of(player.about.slot, now);
    rtc::SenderInfo info;
    info.ssrc = track.ssrc;
    info.ntp = static_cast<uint64_t>(clock / 1'000'000) << 32 |
               static_cast<uint64_t>(clock % 1'000'000) * (uint64_t{1} << 32) / 1'000'000;
    info.rtp_timestamp = static_cast<uint32_t>((now - player.began) * track.clock_rate / 1'000'000);
    std::array<uint8_t, 128> buffer;
    rtc::RtcpWriter writer(buffer);
    writer.sender_report(info);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(to_port_);
    const ByteView bytes = writer.bytes();
    (void)!::sendto(udp_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to),
                    sizeof to);
  }
}

void CompositorRig::play(Player& player, MonoUs now) {
  if (now >= player.report_at && player.line != Line::kDead) {
    send_report(player, now);
    player.report_at = now + kUsPerSecond;
  }
  for (; player.voice_at <= now; player.voice_at += 20 * kUsPerMs) {
    const auto& voice = player.clip->voice;
    const auto& each = voice[player.voice++ % voice.size()];
    send_rtp(player, true, false,
             static_cast<uint32_t>((player.voice_at - player.began) * 48 / 1'000), {}, each.packet);
  }
  if (player.fps == 0) return;
  for (; player.frame_at <= now; player.frame_at += kUsPerSecond / player.fps) {
    const auto& layer = player.clip->layers[player.layer];
    const size_t count = layer.frames.size();
    if (player.restart) {  // a key frame was asked for
      player.frame = layer.key_before[player.frame % count];
      player.restart = false;
    }
    const ByteView bytes = layer.frames[player.frame++ % count].bytes;
    const auto timestamp = static_cast<uint32_t>((player.frame_at - player.began) * 90 / 1'000);
    for (size_t at = 0; at < bytes.size(); at += kPayload) {
      const uint8_t descriptor = at == 0 ? 0x10 : 0x00;  // RFC 7741: S
      const size_t size = std::min(kPayload, bytes.size() - at);
      send_rtp(player, false, at + size == bytes.size(), timestamp, {&descriptor, 1},
               bytes.subspan(at, size));
    }
  }
}

void CompositorRig::run(MonoUs how_long, bool (*until)(const CompositorRig&)) {
  const MonoUs end = mono_us() + how_long;
  while (!ended_ && mono_us() < end && !(until && until(*this))) {
    pollfd one{socket_, static_cast<short>(deaf_ ? 0 : POLLIN), 0};
    (void)::poll(&one, 1, 4);
    if (one.revents != 0 && !deaf_) take();
    if (to_port_ == 0) continue;
    const MonoUs now = mono_us();
    for (auto& [slot, player] : players_) play(player, now);
  }
}

void CompositorRig::take() {
  static std::array<uint8_t, 256 * 1024> bytes;
  const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got <= 0) {
    ended_ = true;
    return;
  }
  reader_.push({bytes.data(), static_cast<size_t>(got)});
  while (true) {
    const auto frame = reader_.next();
    if (!frame) std::abort();
    if (!*frame) return;
    const auto message = proto::decode_compositor(**frame);
    if (!message) std::abort();
    if (*message) keep(**message);
  }
}

void CompositorRig::keep(const proto::CompositorMessage& message) {
  if (const auto* hello = std::get_if<proto::FeedHello>(&message)) {
    to_port_ = hello->rtp_port;
    for (const auto& each : hello->renditions) streams.push_back({each, {}, {}});
  } else if (const auto* init = std::get_if<proto::FeedInit>(&message)) {
    Bytes& file = streams.at(init->rendition).file;
    file.insert(file.end(), init->bytes.begin(), init->bytes.end());
  } else if (const auto* part = std::get_if<proto::FeedPart>(&message)) {
    Stream& stream = streams.at(part->rendition);
    stream.file.insert(stream.file.end(), part->bytes.begin(), part->bytes.end());
    stream.parts.push_back({part->msn, part->part, part->independent, part->tfdt, part->duration,
                            part->pdt_us, wall_us(), part->bytes.size()});
  } else if (const auto* status = std::get_if<proto::FeedStatus>(&message)) {
    statuses.push_back(*status);
  } else if (const auto* cue = std::get_if<proto::FeedCueShown>(&message)) {
    cues.push_back(*cue);
  } else if (const auto* picture = std::get_if<proto::FeedPoster>(&message)) {
    (picture->small ? thumb : poster).assign(picture->jpeg.begin(), picture->jpeg.end());
  } else if (const auto* key = std::get_if<proto::FeedKeyFrame>(&message)) {
    ++key_frames_asked;
    for (auto& [slot, player] : players_) {
      if (player.about.video.ssrc == key->ssrc) player.restart = true;
    }
  } else if (const auto* end = std::get_if<proto::FeedEnd>(&message)) {
    end_code = end->code;
  }
}

}  // namespace footlight::testing
