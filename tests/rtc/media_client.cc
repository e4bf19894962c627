#include "media_client.h"

#include <algorithm>

#include "rtc/rtcp.h"
#include "rtc/rtp.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr size_t kVp8HeadBytes = 6;
constexpr uint32_t kReportSsrc = 1;

std::string_view uri(RtpExtension extension) { return rtp_extension_uri(extension); }

uint64_t ntp_of(MonoUs now) {
  return static_cast<uint64_t>(static_cast<double>(now) / 1e6 * 4294967296.0) + (1ull << 40);
}
uint32_t video_time(MonoUs now) { return static_cast<uint32_t>(now * 9 / 100); }

}  // namespace

MediaClient::MediaClient(const Options& options, std::shared_ptr<const DtlsIdentity> identity)
    : options_(options),
      entropy_(options.seed),
      identity_(std::move(identity)),
      peer_({}, entropy_, identity_, datagrams_) {
  std::array<uint8_t, 4> bytes;
  entropy_.fill(bytes);
  video_ssrc_ = load_u32(bytes.data()) & ~3u;
  audio_ssrc_ = video_ssrc_ + 2;
  payload_.resize(1400, 0x5A);
}

SdpMedia MediaClient::line(size_t index, bool video) const {
  SdpMedia media;
  media.kind = video ? MediaKind::kVideo : MediaKind::kAudio;
  media.kind_text = video ? "video" : "audio";
  media.protocol = "UDP/TLS/RTP/SAVPF";
  media.mid = std::to_string(index);
  media.direction = options_.publish ? SdpDirection::kSendOnly : SdpDirection::kRecvOnly;
  peer_.describe(media);
  media.rtcp_rsize = true;
  const auto extension = [&](uint8_t id, RtpExtension which) {
    media.extensions.push_back({id, std::string(uri(which))});
  };
  extension(kTransportCcId, RtpExtension::kTransportCc);
  if (!options_.nameless) extension(kMidId, RtpExtension::kMid);
  SdpCodec codec;
  codec.transport_cc = true;
  codec.nack = video;
  if (video) {
    codec.payload_type = kVp8;
    codec.name = "vp8";
    codec.clock_rate = 90'000;
    codec.pli = true;
    SdpCodec rtx;
    rtx.payload_type = kRtx;
    rtx.name = "rtx";
    rtx.clock_rate = 90'000;
    rtx.fmtp = "apt=" + std::to_string(kVp8);
    media.codecs = {codec, rtx};
  } else {
    extension(kAudioLevelId, RtpExtension::kAudioLevel);
    codec.payload_type = kOpus;
    codec.name = "opus";
    codec.clock_rate = 48'000;
    codec.channels = 2;
    media.codecs = {codec};
  }
  if (options_.publish && !options_.nameless) {
    media.msid = "s t";
    media.ssrcs = {{video ? video_ssrc_ : audio_ssrc_, "c", "s t"}};
    if (video && options_.encodings > 1) {
      media.ssrc_groups = {{"SIM", {video_ssrc_}}};
      for (size_t i = 1; i < options_.encodings; ++i) {
        media.ssrcs.push_back({video_ssrc(i), "c", "s t"});
        media.ssrc_groups[0].ssrcs.push_back(video_ssrc(i));
      }
    }
  }
  return media;
}

std::string MediaClient::offer() const {
  SessionDescription offer;
  offer.session_id = "7";
  offer.bundle.emplace();
  for (size_t i = 0; i < options_.audio + options_.video; ++i) {
    offer.media.push_back(line(i, i >= options_.audio));
    offer.bundle->push_back(offer.media.back().mid);
  }
  if (options_.channels) {
    SdpMedia media = line(offer.media.size(), false);
    media.kind = MediaKind::kApplication;
    media.kind_text = "application";
    media.protocol = "UDP/DTLS/SCTP";
    media.formats = {"webrtc-datachannel"};
    media.codecs.clear();
    media.extensions.clear();
    media.rtcp_mux = media.rtcp_rsize = false;
    media.ssrcs.clear();
    media.msid.clear();
    media.sctp_port = 5000;
    media.max_message_bytes = 262'144;
    offer.media.push_back(media);
    offer.bundle->push_back(media.mid);
  }
  return write_sdp(offer);
}

// What was accepted counts from the next check on, which knows the time.
Status MediaClient::accept(std::string_view description) {
  if (description.starts_with("a=")) {
    restart_ = description;
    return {};
  }
  auto parsed = parse_sdp(description);
  if (!parsed) return std::unexpected(parsed.error());
  answer_ = std::move(*parsed);
  for (const auto& media : answer_.media) {
    streams_.push_back(media.ssrcs.empty() ? 0 : media.ssrcs[0].ssrc);
  }
  return {};
}

void MediaClient::check(MonoUs now, const Send& send) {
  if (peer_.state() == ClientPeerState::kNew) {
    if (!peer_.accept(answer_, now)) ++refused_;
  } else if (!restart_.empty()) {
    if (!peer_.accept_restart(std::exchange(restart_, {}), now)) ++refused_;
  } else {
    peer_.check_again(now);
  }
  emit(send);
}

void MediaClient::emit(const Send& send) {
  std::vector<Bytes> all;
  for (size_t i = 0; i < datagrams_.batch_count(); ++i) {
    const SendBatch batch = datagrams_.batch(i);
    size_t at = 0;
    for (const uint16_t size : batch.sizes) {
      const ByteView each = batch.bytes.subspan(at, size);
      all.emplace_back(each.begin(), each.end());
      at += size;
    }
  }
  datagrams_.clear();
  for (auto& each : all) send(each);
}

void MediaClient::on_time(MonoUs now, const Send& send) {
  if (peer_.deadline() <= now) peer_.on_time(now);
  emit(send);
}

void MediaClient::pump(MonoUs now, const Send& send) {
  peer_.flush(now);
  emit(send);
}

void MediaClient::on_datagram(std::span<uint8_t> datagram, MonoUs now, const Send& send) {
  // All that comes is the server's, by the way it named first.
  Address from;
  for (const auto& media : answer_.media) {
    if (!media.candidates.empty()) from = media.candidates[0].address;
  }
  const auto received = peer_.on_datagram(from, datagram, now);
  if (received.kind == DatagramKind::kRtp) on_rtp(received.bytes, now);
  if (received.kind == DatagramKind::kRtcp) on_rtcp(received.bytes);
  emit(send);
}

void MediaClient::on_rtp(std::span<uint8_t> packet, MonoUs now) {
  RtpView view;
  if (!parse_rtp(packet, view)) {
    ++refused_;
    return;
  }
  RtpExtensionReader extensions(view);
  uint8_t id;
  ByteView value;
  while (extensions.next(id, value)) {
    const auto sequence = id == kTransportCcId ? read_transport_cc(value) : std::nullopt;
    if (sequence) feedback_.on_packet(*sequence, now);
  }
  Heard& heard = heard_[view.ssrc];
  if (heard.packets && view.sequence != static_cast<uint16_t>(heard.last_sequence + 1)) {
    ++heard.jumps;
  }
  const ByteView payload = view.payload();
  ++heard.packets;
  heard.bytes += payload.size();
  heard.frames += view.marker;
  if (view.payload_type == kVp8 && payload.size() > kVp8HeadBytes && payload[0] & 0x10) {
    heard.key_frames += !(payload[kVp8HeadBytes] & 1);
  }
  heard.last_sequence = view.sequence;
  heard.last_timestamp = view.timestamp;
  heard.payload_type = view.payload_type;
  heard.last_payload.assign(payload.begin(), payload.end());
}

void MediaClient::on_rtcp(ByteView compound) {
  ++rtcp_;
  RtcpReader reader(compound);
  RtcpPacket packet;
  while (reader.next(packet)) {
    key_frame_asked_ |= packet.type == RtcpType::kPayloadFeedback && packet.count == kPsfbPli;
  }
}

void MediaClient::send_frame(bool key, size_t packets, size_t payload_bytes, MonoUs now,
                             const Send& send) {
  picture_ = (picture_ + 1) & 0x7FFF;
  ++tl0_;
  std::array<uint8_t, 40> head;
  for (size_t n = 0; n < packets * options_.encodings; ++n) {
    const size_t encoding = n / packets, i = n % packets;
    std::array<uint8_t, 2> number;
    write_transport_cc(number, transport_sequence_++);
    const std::array<RtpExtensionElement, 1> elements{{{kTransportCcId, number}}};
    const size_t size = write_rtp_head(head,
                                       {i + 1 == packets, false, kVp8, video_sequence_[encoding]++,
                                        video_time(now), video_ssrc(encoding)},
                                       elements);
    payload_[0] = static_cast<uint8_t>(0x80 | (i == 0 ? 0x10 : 0));
    payload_[1] = 0xE0;  // picture id, TL0PICIDX, TID
    store_u16(&payload_[2], static_cast<uint16_t>(0x8000 | picture_));
    payload_[4] = tl0_;
    payload_[5] = 0;
    payload_[6] = key ? 0 : 1;
    const size_t bytes = payload_bytes >> (options_.encodings - 1 - encoding);
    peer_.send_rtp(ByteView(head).first(size), ByteView(payload_).first(bytes));
  }
  emit(send);
}

void MediaClient::send_voice(size_t payload_bytes, MonoUs now, const Send& send) {
  std::array<uint8_t, 40> head;
  std::array<uint8_t, 2> number;
  write_transport_cc(number, transport_sequence_++);
  const std::array<uint8_t, 1> level{0x80 | 20};
  const std::array<RtpExtensionElement, 2> elements{
      {{kTransportCcId, number}, {kAudioLevelId, level}}};
  const auto timestamp = static_cast<uint32_t>(now * 48 / 1000);
  const size_t size = write_rtp_head(
      head, {false, false, kOpus, audio_sequence_++, timestamp, audio_ssrc_}, elements);
  peer_.send_rtp(ByteView(head).first(size),
                 ByteView(payload_).subspan(kVp8HeadBytes + 1, payload_bytes));
  emit(send);
}

void MediaClient::send_report(MonoUs now, const Send& send) {
  std::array<uint8_t, 100> buffer;
  RtcpWriter writer(buffer);
  writer.sender_report({video_ssrc_, ntp_of(now), video_time(now), 1, 1});
  peer_.send_rtcp(writer.bytes());
  emit(send);
}

void MediaClient::feed_back(MonoUs now, const Send& send) {
  (void)now;
  std::array<uint8_t, 1200> buffer;
  const uint32_t media = streams_.empty() ? 0 : streams_.back();
  while (const size_t size = feedback_.write(buffer, kReportSsrc, media)) {
    peer_.send_rtcp(ByteView(buffer).first(size));
  }
  emit(send);
}

const Heard& MediaClient::of(size_t line) const {
  static const Heard kNothing;
  const auto found = heard_.find(stream(line));
  return found == heard_.end() ? kNothing : found->second;
}

}  // namespace footlight::rtc
