#include "media_client.h"

#include <algorithm>

#include "rtc/rtcp.h"
#include "rtc/rtp.h"
#include "rtc/stun.h"
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
    : options_(options), entropy_(options.seed), identity_(std::move(identity)) {
  restart_ice();
  std::array<uint8_t, 4> bytes;
  entropy_.fill(bytes);
  video_ssrc_ = load_u32(bytes.data()) & ~3u;
  audio_ssrc_ = video_ssrc_ + 2;
  payload_.resize(1400, 0x5A);
  out_.resize(1600);
}

std::string MediaClient::restart_ice() {
  std::array<uint8_t, 16> bytes;
  entropy_.fill(bytes);
  const std::string text = to_hex(bytes);
  own_ = {text.substr(0, 8), text.substr(8)};
  return "a=ice-ufrag:" + own_.ufrag + "\r\na=ice-pwd:" + own_.password + "\r\n";
}

SdpMedia MediaClient::line(size_t index, bool video) const {
  SdpMedia media;
  media.kind = video ? MediaKind::kVideo : MediaKind::kAudio;
  media.kind_text = video ? "video" : "audio";
  media.protocol = "UDP/TLS/RTP/SAVPF";
  media.mid = std::to_string(index);
  media.direction = options_.publish ? SdpDirection::kSendOnly : SdpDirection::kRecvOnly;
  media.ice_ufrag = own_.ufrag;
  media.ice_password = own_.password;
  const DtlsFingerprint& print = identity_->fingerprint();
  media.fingerprints = {{print.algorithm, print.digest}};
  media.setup = SdpSetup::kActpass;
  media.rtcp_mux = media.rtcp_rsize = true;
  const auto extension = [&](uint8_t id, RtpExtension which) {
    media.extensions.push_back({id, std::string(uri(which))});
  };
  extension(kTransportCcId, RtpExtension::kTransportCc);
  extension(kMidId, RtpExtension::kMid);
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
  if (options_.publish) {
    media.msid = "s t";
    media.ssrcs = {{video ? video_ssrc_ : audio_ssrc_, "c", "s t"}};
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

Status MediaClient::accept(std::string_view description) {
  if (description.starts_with("a=")) {
    const auto value = [&](std::string_view name) {
      const size_t at = description.find(name) + name.size();
      return std::string(description.substr(at, description.find('\r', at) - at));
    };
    theirs_ = {value("a=ice-ufrag:"), value("a=ice-pwd:")};
    return {};
  }
  auto parsed = parse_sdp(description);
  if (!parsed) return std::unexpected(parsed.error());
  answer_ = std::move(*parsed);
  DtlsOptions options;
  options.role = DtlsRole::kClient;
  options.identity = identity_;
  for (const auto& media : answer_.media) {
    streams_.push_back(media.ssrcs.empty() ? 0 : media.ssrcs[0].ssrc);
    if (media.rejected()) continue;
    if (media.kind == MediaKind::kApplication) {
      channels_ = std::make_unique<DataChannels>(DtlsRole::kClient, SctpConfig{}, entropy_);
    }
    theirs_ = {media.ice_ufrag, media.ice_password};
    for (const auto& print : media.fingerprints) {
      options.peer_fingerprints.push_back({print.hash, print.digest});
    }
  }
  auto dtls = DtlsTransport::make(std::move(options));
  if (!dtls) return std::unexpected(dtls.error());
  dtls_ = std::move(*dtls);
  return {};
}

void MediaClient::check(MonoUs now, const Send& send) {
  std::array<uint8_t, 300> buffer;
  StunTransaction transaction;
  entropy_.fill(transaction);
  StunWriter writer(buffer, StunType::kBindingRequest, transaction);
  writer.username(theirs_.ufrag + ":" + own_.ufrag);
  writer.priority(1);
  writer.controlling(1);
  writer.use_candidate();
  writer.integrity(theirs_.password);
  const ByteView message = writer.finish();
  Bytes bytes(message.begin(), message.end());
  send(bytes);
  if (dtls_->state() == DtlsState::kWaiting) dtls_->start(now);
  pump(now, send);
}

void MediaClient::pump(MonoUs now, const Send& send) {
  Bytes datagram;
  if (channels_ && dtls_->state() == DtlsState::kConnected) {
    if (!std::exchange(channels_started_, true)) channels_->start(now);
    while (dtls_->next_data(datagram)) channels_->receive(datagram, now);
    std::array<uint8_t, kSctpPacketBytes> packet;
    while (const size_t size = channels_->produce(packet, now)) {
      (void)dtls_->send(ByteView(packet).first(size), now);
    }
  }
  while (dtls_->next_datagram(datagram)) send(datagram);
  if (dtls_->state() == DtlsState::kConnected && !sender_) {
    const auto keys = dtls_->srtp_keys();
    if (!keys) return;
    sender_.emplace(*SrtpSender::make(keys->send));
    receiver_.emplace(*SrtpReceiver::make(keys->receive));
  }
}

void MediaClient::on_time(MonoUs now, const Send& send) {
  const bool channels = channels_ && channels_->deadline_us() <= now;
  if (channels) channels_->on_deadline(now);
  if (dtls_ && dtls_->deadline_us() <= now) dtls_->on_deadline(now);
  if (dtls_) pump(now, send);
}

void MediaClient::on_datagram(std::span<uint8_t> datagram, MonoUs now, const Send& send) {
  switch (datagram_kind(datagram)) {
    case DatagramKind::kDtls:
      dtls_->receive(datagram, now);
      pump(now, send);
      break;
    case DatagramKind::kRtp:
      on_rtp(datagram, now);
      break;
    case DatagramKind::kRtcp:
      on_rtcp(datagram);
      break;
    default:
      break;
  }
}

void MediaClient::on_rtp(std::span<uint8_t> datagram, MonoUs now) {
  const auto plain = receiver_ ? receiver_->unprotect(datagram) : fail(Code::kSrtpForged);
  RtpView view;
  if (!plain || !parse_rtp(*plain, view)) {
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

void MediaClient::on_rtcp(std::span<uint8_t> datagram) {
  const auto plain = receiver_ ? receiver_->unprotect_rtcp(datagram) : fail(Code::kSrtpForged);
  if (!plain) {
    ++refused_;
    return;
  }
  ++rtcp_;
  RtcpReader reader(*plain);
  RtcpPacket packet;
  while (reader.next(packet)) {
    key_frame_asked_ |= packet.type == RtcpType::kPayloadFeedback && packet.count == kPsfbPli;
  }
}

void MediaClient::protect(ByteView head, ByteView payload, const Send& send) {
  const auto size = sender_->protect_into(head, payload, out_);
  if (size) send(std::span(out_).first(*size));
}

void MediaClient::send_frame(bool key, size_t packets, size_t payload_bytes, MonoUs now,
                             const Send& send) {
  picture_ = (picture_ + 1) & 0x7FFF;
  ++tl0_;
  std::array<uint8_t, 40> head;
  for (size_t i = 0; i < packets; ++i) {
    std::array<uint8_t, 2> number;
    write_transport_cc(number, transport_sequence_++);
    const std::array<RtpExtensionElement, 1> elements{{{kTransportCcId, number}}};
    const size_t size = write_rtp_head(
        head, {i + 1 == packets, false, kVp8, video_sequence_++, video_time(now), video_ssrc_},
        elements);
    payload_[0] = static_cast<uint8_t>(0x80 | (i == 0 ? 0x10 : 0));
    payload_[1] = 0xE0;  // picture id, TL0PICIDX, TID
    store_u16(&payload_[2], static_cast<uint16_t>(0x8000 | picture_));
    payload_[4] = tl0_;
    payload_[5] = 0;
    payload_[6] = key ? 0 : 1;
    protect(std::span(head).first(size), ByteView(payload_).first(payload_bytes), send);
  }
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
  protect(std::span(head).first(size), ByteView(payload_).subspan(kVp8HeadBytes + 1, payload_bytes),
          send);
}

void MediaClient::send_report(MonoUs now, const Send& send) {
  std::array<uint8_t, 100> buffer;
  RtcpWriter writer(buffer);
  writer.sender_report({video_ssrc_, ntp_of(now), video_time(now), 1, 1});
  Bytes out(writer.bytes().size() + kSrtcpMaxOverheadBytes);
  const auto size = sender_->protect_rtcp_into(writer.bytes(), out);
  if (size) send(std::span(out).first(*size));
}

void MediaClient::feed_back(MonoUs now, const Send& send) {
  (void)now;
  std::array<uint8_t, 1200> buffer;
  std::array<uint8_t, 1200 + kSrtcpMaxOverheadBytes> out;
  const uint32_t media = streams_.empty() ? 0 : streams_.back();
  while (const size_t size = feedback_.write(buffer, kReportSsrc, media)) {
    const auto sealed = sender_->protect_rtcp_into(ByteView(buffer).first(size), out);
    if (sealed) send(std::span(out).first(*sealed));
  }
}

const Heard& MediaClient::of(size_t line) const {
  static const Heard kNothing;
  const auto found = heard_.find(stream(line));
  return found == heard_.end() ? kNothing : found->second;
}

}  // namespace footlight::rtc
