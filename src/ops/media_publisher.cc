#include "ops/media_publisher.h"

#include <algorithm>
#include <array>

#include "rtc/wire.h"

namespace footlight::ops {
namespace {

constexpr MonoUs kVoiceUs = 20 * kUsPerMs;
constexpr MonoUs kSenderReportUs = kUsPerSecond;
constexpr MonoUs kLateUs = 200 * kUsPerMs;  // what is later is left out, as a busy camera would
constexpr size_t kVp8Bytes = 6;             // our descriptor (RFC 7741): picture id, TL0PICIDX, TID
constexpr uint32_t kVoiceStep = 960, kVoiceRate = 48'000, kPictureRate = 90'000;
constexpr uint64_t kNtpUnix = 2'208'988'800;  // seconds from 1900 to 1970

}  // namespace

MediaPublisher::MediaPublisher(const PublisherOptions& options,
                               const rtc::ClientPeer::Config& config, Entropy& entropy,
                               std::shared_ptr<const rtc::DtlsIdentity> identity,
                               rtc::DatagramOut& out)
    : options_(options), entropy_(entropy), peer_(config, entropy, std::move(identity), out) {
  const auto number = [this] {
    std::array<uint8_t, 4> bytes;
    entropy_.fill(bytes);
    return rtc::load_u32(bytes.data());
  };
  const uint32_t base = number() & ~15u;
  const size_t encodings =
      std::min(options_.clip->layers.size(), options_.simulcast ? kRids.size() : 1);
  if (!options_.clip->voice.empty()) offered_.voice_ssrc = base;
  for (size_t i = 0; i < encodings; ++i) {
    offered_.picture_ssrcs.push_back(base + 1 + static_cast<uint32_t>(i));
    offered_.picture_rtx_ssrcs.push_back(base + 8 + static_cast<uint32_t>(i));
  }
  for (size_t i = 0; i <= encodings; ++i) {
    Stream stream;
    const uint32_t random = number();
    stream.video = i > 0;
    stream.ssrc = i == 0 ? base : offered_.picture_ssrcs[i - 1];
    if (i > 0) stream.rtx_ssrc = offered_.picture_rtx_ssrcs[i - 1];
    if (i > 0) stream.layer = encodings == 1 ? options_.clip->layers.size() - 1 : i - 1;
    if (i > 0 && encodings > 1) stream.rid = kRids[i - 1];
    // Below 2^15: a loss at the start hides no roll-over (RFC 3711 section 3.3.1).
    stream.sequence = static_cast<uint16_t>(random & 0x3FFF);
    stream.rtx_sequence = static_cast<uint16_t>((random >> 14) & 0x3FFF);
    stream.picture = static_cast<uint16_t>((random >> 10) & 0x7FFF);
    stream.first_timestamp = number();
    stream.kept.resize(kKeptPackets);
    streams_.push_back(std::move(stream));
  }
}

Status MediaPublisher::accept(std::string_view text, MonoUs now) {
  if (peer_.state() != rtc::ClientPeerState::kNew) return fail(Code::kSdpState);
  auto answer = rtc::parse_sdp(text);
  if (!answer) return std::unexpected(answer.error());
  const bool voice = offered_.voice_ssrc != 0, picture = !offered_.picture_ssrcs.empty();
  auto lines = read_answer(*answer, size_t{voice} + size_t{picture});
  if (!lines) return std::unexpected(lines.error());
  lines_ = std::move(*lines);
  if (!voice) lines_.emplace(lines_.begin());  // as if refused
  lines_.resize(2);
  if (!lines_[0].accepted) std::erase_if(streams_, [](const Stream& s) { return !s.video; });
  if (!lines_[1].accepted) std::erase_if(streams_, [](const Stream& s) { return s.video; });
  if (streams_.empty()) return fail(Code::kTrackCodec, "neither Opus nor VP8 is taken");
  if (offered_.picture_ssrcs.size() > 1 && !lines_[1].simulcast) {
    // A server without simulcast gets the best encoding alone.
    const uint32_t best = offered_.picture_ssrcs.back();
    std::erase_if(streams_, [best](const Stream& s) { return s.video && s.ssrc != best; });
  }
  return peer_.accept(*answer, now);
}

void MediaPublisher::on_datagram(const rtc::Address& from, std::span<uint8_t> datagram,
                                 MonoUs now) {
  const auto received = peer_.on_datagram(from, datagram, now);
  if (received.kind == rtc::DatagramKind::kRtcp && !received.bytes.empty()) {
    on_rtcp(received.bytes, now);
  }
}

MonoUs MediaPublisher::frame_due(uint64_t number) const {
  if (options_.clip->layers.empty()) return kNever;
  return options_.began_us +
         static_cast<MonoUs>(number) * kUsPerSecond / options_.clip->frames_per_s;
}

MonoUs MediaPublisher::deadline() const {
  MonoUs at = peer_.deadline();
  if (!peer_.connected()) return at;
  if (!begun_) return 0;
  at = std::min(at, options_.began_us + static_cast<MonoUs>(next_voice_) * kVoiceUs);
  return std::min({at, frame_due(next_frame_), report_us_});
}

// Joins the clip where it is.
void MediaPublisher::begin(MonoUs now) {
  const auto since = static_cast<uint64_t>(std::max<MonoUs>(0, now - options_.began_us));
  next_voice_ = since / static_cast<uint64_t>(kVoiceUs) + 1;
  next_frame_ = since * options_.clip->frames_per_s / static_cast<uint64_t>(kUsPerSecond) + 1;
  report_us_ = now + 50 * kUsPerMs;
  begun_ = true;
  // What was left out may have held a key frame.
  for (Stream& stream : streams_) stream.key_wanted = stream.started;
}

void MediaPublisher::on_time(MonoUs now) {
  peer_.on_time(now);
  if (!peer_.connected()) return;
  if (!begun_ || now - frame_due(next_frame_) > kLateUs) begin(now);
  while (options_.began_us + static_cast<MonoUs>(next_voice_) * kVoiceUs <= now) {
    send_voice(now);
    ++next_voice_;
  }
  while (frame_due(next_frame_) <= now) {
    const size_t due = next_frame_ % options_.clip->frame_count();
    for (Stream& stream : streams_) {
      if (stream.video) send_frame(stream, due, now);
    }
    ++next_frame_;
  }
  if (report_us_ <= now) {
    report_us_ = now + kSenderReportUs;
    send_reports(now);
  }
}

void MediaPublisher::send_voice(MonoUs now) {
  Stream& stream = streams_[0];
  if (stream.video) return;
  const ClipVoice& voice = options_.clip->voice[next_voice_ % options_.clip->voice.size()];
  payload_.assign(voice.packet.begin(), voice.packet.end());
  if (voice.has_room) {
    write_stamp(std::span(payload_).last<kStampBytes>(), options_.run, now);
  }
  const auto timestamp = stream.first_timestamp + static_cast<uint32_t>(next_voice_) * kVoiceStep;
  send_packet(stream, !stream.started, timestamp, payload_, &voice);
  stream.started = true;
}

void MediaPublisher::send_frame(Stream& stream, size_t due, MonoUs now) {
  const ClipLayer& layer = options_.clip->layers[stream.layer];
  if (layer.frames[due].key) {
    stream.position = due;
  } else if (stream.key_wanted || !stream.started) {
    stream.position = layer.key_before[due];
  } else {
    ++stream.position;  // never beyond `due`: it was in step at the last key frame, or is behind
  }
  stream.started = true;
  const ClipFrame& frame = layer.frames[stream.position];
  if (frame.key) stream.key_wanted = false;
  ++stats_.frames;
  stats_.key_frames += frame.key;
  stream.picture = (stream.picture + 1) & 0x7FFF;
  ++stream.tl0;
  const auto timestamp =
      stream.first_timestamp +
      static_cast<uint32_t>(next_frame_ * kPictureRate / options_.clip->frames_per_s);
  for (size_t at = 0; at < frame.bytes.size();) {
    const size_t size = std::min(options_.clip->chunk_bytes, frame.bytes.size() - at);
    const bool last = at + size == frame.bytes.size();
    payload_.resize(kVp8Bytes + size + (last ? kStampBytes : 0));
    payload_[0] = static_cast<uint8_t>(0x80 | (at == 0 ? 0x10 : 0));
    payload_[1] = 0xE0;
    rtc::store_u16(&payload_[2], static_cast<uint16_t>(0x8000 | stream.picture));
    payload_[4] = stream.tl0;
    payload_[5] = 0;
    std::ranges::copy(frame.bytes.subspan(at, size), payload_.begin() + kVp8Bytes);
    if (last) write_stamp(std::span(payload_).last<kStampBytes>(), options_.run, now);
    send_packet(stream, last, timestamp, payload_, nullptr);
    at += size;
  }
}

// The head stands in head_ then.
size_t MediaPublisher::write_head(const Stream& stream, const rtc::RtpHead& head, bool repair,
                                  uint8_t level, bool has_level) {
  const AnsweredLine& line = lines_[stream.video ? 1 : 0];
  const auto id = [&](rtc::RtpExtension which) { return line.extensions.id_of(which); };
  std::array<uint8_t, 2> number;
  const uint8_t transport = id(rtc::RtpExtension::kTransportCc);
  if (transport != 0) rtc::write_transport_cc(number, transport_sequence_++);
  const auto name = repair ? rtc::RtpExtension::kRepairedRid : rtc::RtpExtension::kRid;
  const std::array<uint8_t, 1> loud{level};
  const std::array<rtc::RtpExtensionElement, 4> elements{
      {{transport, number},
       {id(rtc::RtpExtension::kMid), as_bytes(line.mid)},
       {stream.rid.empty() ? uint8_t{0} : id(name), as_bytes(stream.rid)},
       {has_level ? id(rtc::RtpExtension::kAudioLevel) : uint8_t{0}, loud}}};
  return rtc::write_rtp_head(head_, head, elements);
}

void MediaPublisher::send_packet(Stream& stream, bool marker, uint32_t timestamp, ByteView payload,
                                 const ClipVoice* voice) {
  const uint8_t type = stream.video ? kVp8Type : kOpusType;
  const uint16_t sequence = stream.sequence++;
  const auto level =
      voice ? static_cast<uint8_t>((voice->voice ? 0x80 : 0) | voice->minus_dbov) : uint8_t{0};
  const size_t head = write_head(stream, {marker, false, type, sequence, timestamp, stream.ssrc},
                                 false, level, voice);
  peer_.send_rtp(ByteView(head_).first(head), payload);
  ++stream.packets;
  stream.octets += static_cast<uint32_t>(payload.size());
  ++stats_.packets;
  stats_.bytes += head + payload.size();
  Kept& kept = stream.kept[sequence % kKeptPackets];
  kept.sequence = sequence;
  kept.marker = marker;
  kept.timestamp = timestamp;
  kept.head_bytes = static_cast<uint16_t>(head);
  kept.packet.assign(head_.begin(), head_.begin() + static_cast<ptrdiff_t>(head));
  kept.packet.insert(kept.packet.end(), payload.begin(), payload.end());
}

void MediaPublisher::send_again(Stream& stream, uint16_t sequence) {
  const Kept& kept = stream.kept[sequence % kKeptPackets];
  if (kept.packet.empty() || kept.sequence != sequence) return;
  ++stats_.sent_again;
  const ByteView packet(kept.packet);
  const ByteView payload = packet.subspan(kept.head_bytes);
  if (!stream.video || !lines_[1].rtx) {
    // The very same bytes, as the cipher demands.
    return peer_.send_rtp(packet.first(kept.head_bytes), payload);
  }
  const size_t head = write_head(
      stream,
      {kept.marker, false, kRtxType, stream.rtx_sequence++, kept.timestamp, stream.rtx_ssrc}, true,
      0, false);
  rtc::store_u16(&head_[head], sequence);
  peer_.send_rtp(ByteView(head_).first(head + rtc::kRtxHeaderBytes), payload);
}

uint64_t MediaPublisher::ntp_of(MonoUs now) const {
  const auto unix_us = static_cast<uint64_t>(now + options_.wall_offset_us);
  const uint64_t million = static_cast<uint64_t>(kUsPerSecond);
  return (unix_us / million + kNtpUnix) << 32 | ((unix_us % million) << 32) / million;
}

uint32_t MediaPublisher::timestamp_at(const Stream& stream, MonoUs now) const {
  const uint64_t rate = stream.video ? kPictureRate : kVoiceRate;
  const auto since = static_cast<uint64_t>(now - options_.began_us);
  return stream.first_timestamp +
         static_cast<uint32_t>(since * rate / static_cast<uint64_t>(kUsPerSecond));
}

void MediaPublisher::send_reports(MonoUs now) {
  for (Stream& stream : streams_) {
    if (!stream.started) continue;
    std::array<uint8_t, 100> buffer;
    rtc::RtcpWriter writer(buffer);
    writer.sender_report(
        {stream.ssrc, ntp_of(now), timestamp_at(stream, now), stream.packets, stream.octets});
    writer.sdes_cname(stream.ssrc, "footlight");
    peer_.send_rtcp(writer.bytes());
  }
}

MediaPublisher::Stream* MediaPublisher::stream_of(uint32_t ssrc) {
  const auto found = std::ranges::find(streams_, ssrc, &Stream::ssrc);
  return found == streams_.end() ? nullptr : &*found;
}

void MediaPublisher::want_key_frame(uint32_t ssrc) {
  ++stats_.key_frames_asked;
  for (Stream& stream : streams_) {
    if (stream.video && stream.ssrc == ssrc) stream.key_wanted = true;
  }
}

void MediaPublisher::on_rtcp(ByteView compound, MonoUs now) {
  rtc::RtcpReader reader(compound);
  rtc::RtcpPacket packet;
  while (reader.next(packet)) {
    if (packet.type == rtc::RtcpType::kTransportFeedback && packet.count == rtc::kRtpfbNack) {
      rtc::NackReader nack(packet);
      Stream* stream = stream_of(nack.media_ssrc());
      uint16_t sequence;
      while (stream && nack.next(sequence)) {
        ++stats_.nacked;
        send_again(*stream, sequence);
      }
    } else if (packet.type == rtc::RtcpType::kPayloadFeedback && packet.count == rtc::kPsfbPli) {
      want_key_frame(rtc::feedback_media_ssrc(packet));
    } else if (packet.type == rtc::RtcpType::kPayloadFeedback && packet.count == rtc::kPsfbFir) {
      for (size_t i = 0; const auto entry = rtc::fir_entry(packet, i); ++i) {
        want_key_frame(entry->ssrc);
      }
    }
    uint32_t worst = 0;
    const size_t blocks = rtc::report_block_count(packet);
    for (size_t i = 0; i < blocks; ++i) {
      const rtc::ReportBlock block = rtc::read_report_block(packet, i);
      if (!stream_of(block.ssrc)) continue;
      worst = std::max(worst, block.fraction_lost * 1000u / 256);
      const auto trip = rtc::round_trip_us(block, ntp_of(now));
      if (trip) stats_.round_trip_us = std::max<MonoUs>(0, *trip);
    }
    if (blocks > 0) stats_.loss_per_mille = worst;
  }
}

}  // namespace footlight::ops
