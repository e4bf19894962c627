#include "sfu/subscription.h"

#include <algorithm>
#include <cstring>

#include "rtc/wire.h"

namespace footlight::sfu {
namespace {

using rtc::RtpExtension;

// What a publisher's packet says of its content goes on to the subscriber.
constexpr RtpExtension kPassed[] = {RtpExtension::kAbsCaptureTime, RtpExtension::kAudioLevel,
                                    RtpExtension::kVideoOrientation, RtpExtension::kPlayoutDelay};
constexpr MonoUs kMinResendIntervalUs = 10 * kUsPerMs;
// A switch may shift the picture by this much at most before it is measured by arrival instead.
constexpr int64_t kMaxAlignS = 3;

uint32_t low_ms(MonoUs at) { return static_cast<uint32_t>(at / kUsPerMs); }

}  // namespace

Subscription::Subscription(const OutgoingSpec& spec) : spec_(spec) {}

Subscription::Place Subscription::place() const {
  return {spec_.ssrc, next_out_,     next_rtx_,          last_timestamp_, last_sent_at_,
          sent_any_,  next_picture_, last_frame_number_, last_tl0_,       last_key_};
}

void Subscription::resume(const Place& place) {
  next_out_ = place.next_out;
  next_rtx_ = place.next_rtx;
  last_timestamp_ = place.last_timestamp;
  last_sent_at_ = place.last_sent_at;
  sent_any_ = place.sent_any;
  next_picture_ = place.next_picture;
  last_frame_number_ = place.last_frame_number;
  last_tl0_ = place.last_tl0;
  last_key_ = place.last_key;
}

void Subscription::set_target(std::optional<Layer> target) {
  target_ = target;
  if (!target) {
    current_.reset();
    sequences_.stop();
  }
}

std::optional<Outgoing> Subscription::forward(const IncomingStream& stream, uint8_t index,
                                              const Packet& packet, uint16_t transport_sequence,
                                              MonoUs now, std::span<uint8_t> buffer) {
  if (!target_ || !admit(stream, index, packet, now)) return std::nullopt;
  Numbers numbers;
  const bool vp8 = stream.spec().codec == rtc::RtpCodec::kVp8 && packet.vp8.bytes;
  if (vp8 ? !vp8_frame(packet, numbers) : !wanted_layer(stream, packet)) {
    sequences_.drop(packet.sequence);
    return std::nullopt;
  }
  const auto out = sequences_.map(packet.sequence);
  if (!out) return std::nullopt;
  if (!vp8) number_frame(packet, numbers);
  next_out_ = std::max(next_out_, *out + 1);
  Sent& sent = history_[static_cast<uint16_t>(*out) % kHistory];
  sent.in = packet.sequence;
  sent.timestamp = packet.view.timestamp + timestamp_offset_;
  sent.resent_ms = 0;
  sent.out = static_cast<uint16_t>(*out);
  sent.transport_sequence = transport_sequence;
  sent.numbers = numbers;
  sent.stream = index;
  sent.used = true;
  // The last packet of the highest layer that goes out ends the picture.
  const bool top = packet.info.frame_end && packet.info.spatial == spatial_ &&
                   stream.rates().spatial_count() > 1;
  sent.marker = packet.view.marker || top;
  if (rtc::is_newer(sent.timestamp, last_timestamp_) || !sent_any_) {
    last_timestamp_ = sent.timestamp;
    last_sent_at_ = now;
    last_ntp_ = stream.ntp_of(packet.view.timestamp).value_or(0);
  }
  sent_any_ = true;
  const rtc::RtpHead head = original_head(sent, packet);
  const Outgoing outgoing = write(sent, packet, head, transport_sequence, false, buffer);
  ++stats_.packets;
  stats_.bytes += outgoing.bytes();
  return outgoing;
}

// Whether the packet belongs to the stream that goes out, after a switch if it opens the one that
// is waited for.
bool Subscription::admit(const IncomingStream& stream, uint8_t index, const Packet& packet,
                         MonoUs now) {
  if (current_ && *current_ == index) return true;
  if (target_->stream != index) return false;
  const bool audio = stream.spec().clock_rate != 90'000;
  if (!audio && !packet.info.key_frame) return false;
  if (packet.view.payload_bytes == 0) return false;
  begin(stream, index, packet, now);
  return true;
}

void Subscription::begin(const IncomingStream& stream, uint8_t index, const Packet& packet,
                         MonoUs now) {
  if (sent_any_) ++stats_.switches;
  timestamp_offset_ = aligned_timestamp(stream, packet, now) - packet.view.timestamp;
  sequences_.start(packet.sequence, next_out_);
  current_ = index;
  spatial_ = target_->spatial;
  temporal_ = target_->temporal;
  decode_target_.reset();
  for (auto& frame : frames_) frame.used = false;
  if (packet.vp8.has_picture_id) {
    picture_offset_ = static_cast<uint16_t>(next_picture_ - packet.vp8.picture_id);
    tl0_offset_ = static_cast<uint8_t>(last_tl0_ + 1 - packet.vp8.tl0);
    key_offset_ = static_cast<uint8_t>(last_key_ + 1 - packet.vp8.key_index);
  }
  const ByteView descriptor = packet.extensions[RtpExtension::kDependencyDescriptor];
  if (descriptor.size() >= 3) {
    frame_number_offset_ =
        static_cast<uint16_t>(last_frame_number_ + 1 - rtc::load_u16(&descriptor[1]));
  }
}

// Where the new stream's first frame belongs on the subscriber's clock.
uint32_t Subscription::aligned_timestamp(const IncomingStream& stream, const Packet& packet,
                                         MonoUs now) const {
  if (!sent_any_) return packet.view.timestamp;
  const int64_t rate = stream.spec().clock_rate;
  int64_t ticks = (now - last_sent_at_) * rate / kUsPerSecond;
  const auto ntp = stream.ntp_of(packet.view.timestamp);
  if (ntp && last_ntp_) {
    // Both streams are stamped by one sender's clock: the exact distance of the two frames.
    const auto distance = static_cast<int64_t>(*ntp - last_ntp_);
    if (distance > 0 && distance >> 32 < kMaxAlignS) {
      ticks = static_cast<int64_t>(static_cast<double>(distance) / 4294967296.0 *
                                   static_cast<double>(rate));
    }
  }
  return last_timestamp_ + static_cast<uint32_t>(std::max<int64_t>(ticks, 1));
}

// Layers of streams whose packets say to which they belong (VP9, AV1).
bool Subscription::wanted_layer(const IncomingStream& stream, const Packet& packet) {
  if (packet.view.payload_bytes == 0) return stream.rates().temporal_count() == 1;
  const PayloadInfo& info = packet.info;
  const Layer wanted = target_->stream == *current_ ? *target_ : Layer{*current_, 0, 0};
  if (info.frame_start) {
    // Down at any frame, up at a key frame.
    if (wanted.spatial < spatial_ || info.key_frame) spatial_ = wanted.spatial;
    move_temporal(info, wanted.temporal);
    if (info.decode_targets) decode_target_ = stream.dependencies().target_for(spatial_, temporal_);
  }
  if (info.decode_targets && decode_target_) return info.decode_targets >> *decode_target_ & 1;
  return info.spatial <= spatial_ && info.temporal <= temporal_;
}

// Down at any frame; up at a key frame or where this frame lets a receiver of lower layers in.
void Subscription::move_temporal(const PayloadInfo& info, uint8_t wanted) {
  if (info.key_frame || wanted < temporal_) {
    temporal_ = wanted;
  } else if (info.switching_point && info.temporal > temporal_ && info.temporal <= wanted) {
    temporal_ = info.temporal;
  }
}

void Subscription::number_frame(const Packet& packet, Numbers& numbers) {
  const ByteView descriptor = packet.extensions[RtpExtension::kDependencyDescriptor];
  if (descriptor.size() < 3) return;
  numbers.picture_id = static_cast<uint16_t>(rtc::load_u16(&descriptor[1]) + frame_number_offset_);
  if (rtc::is_newer(numbers.picture_id, last_frame_number_)) {
    last_frame_number_ = numbers.picture_id;
  }
}

bool Subscription::vp8_frame(const Packet& packet, Numbers& numbers) {
  const uint32_t timestamp = packet.view.timestamp;
  for (size_t i = 0; i < frames_.size(); ++i) {
    const Frame& frame = frames_[(frame_at_ + frames_.size() - i) % frames_.size()];
    if (!frame.used || frame.timestamp != timestamp) continue;
    numbers = frame.numbers;
    return frame.forwarded;
  }
  const Vp8Descriptor& vp8 = packet.vp8;
  const uint8_t wanted = target_->stream == *current_ ? target_->temporal : temporal_;
  move_temporal(packet.info, wanted);
  frame_at_ = (frame_at_ + 1) % frames_.size();
  Frame& frame = frames_[frame_at_];
  frame.timestamp = timestamp;
  frame.used = true;
  frame.forwarded = vp8.temporal <= temporal_;
  frame.numbers.picture_id = static_cast<uint16_t>(vp8.picture_id + picture_offset_);
  frame.numbers.tl0 = static_cast<uint8_t>(vp8.tl0 + tl0_offset_);
  frame.numbers.key_index = static_cast<uint8_t>(vp8.key_index + key_offset_);
  if (!frame.forwarded) {
    --picture_offset_;  // pictures are counted without those left out
  } else {
    next_picture_ = static_cast<uint16_t>(frame.numbers.picture_id + 1);
    last_tl0_ = frame.numbers.tl0;
    last_key_ = frame.numbers.key_index;
  }
  numbers = frame.numbers;
  return frame.forwarded;
}

rtc::RtpHead Subscription::original_head(const Sent& sent, const Packet& packet) const {
  const bool red = packet.red && spec_.red_payload_type;
  return {sent.marker, false,          red ? spec_.red_payload_type : spec_.payload_type,
          sent.out,    sent.timestamp, spec_.ssrc};
}

Outgoing Subscription::write(const Sent& sent, const Packet& packet, const rtc::RtpHead& head,
                             uint16_t transport_sequence, bool rtx,
                             std::span<uint8_t> buffer) const {
  std::array<rtc::RtpExtensionElement, 8> elements;
  size_t count = 0;
  const auto add = [&](RtpExtension extension, ByteView value) {
    const uint8_t id = spec_.extensions.id_of(extension);
    if (id && !value.empty()) elements[count++] = {id, value};
  };
  std::array<uint8_t, 2> transport;
  rtc::write_transport_cc(transport, transport_sequence);
  add(RtpExtension::kMid, as_bytes(spec_.mid));
  add(RtpExtension::kTransportCc, transport);
  for (const RtpExtension passed : kPassed) add(passed, packet.extensions[passed]);
  const ByteView descriptor = packet.extensions[RtpExtension::kDependencyDescriptor];
  if (descriptor.size() >= 3) {
    // The frame number, in bytes 1 and 2, goes on counting over a switch.
    std::memcpy(descriptor_.data(), descriptor.data(), descriptor.size());
    if (!packet.vp8.bytes) rtc::store_u16(&descriptor_[1], sent.numbers.picture_id);
    add(RtpExtension::kDependencyDescriptor, {descriptor_.data(), descriptor.size()});
  }
  size_t size = rtc::write_rtp_head(buffer, head, {elements.data(), count});
  if (rtx) {
    rtc::store_u16(&buffer[size], sent.out);
    size += rtc::kRtxHeaderBytes;
  }
  ByteView payload = packet.view.payload();
  if (packet.red && !spec_.red_payload_type) {
    rtc::RedPrimary primary;
    payload = rtc::read_red_primary(payload, primary) ? primary.payload : ByteView{};
  }
  if (packet.vp8.bytes && packet.vp8.has_picture_id) {
    write_vp8(buffer.subspan(size), payload, packet.vp8,
              {sent.numbers.picture_id, sent.numbers.tl0, sent.numbers.key_index});
    size += packet.vp8.bytes;
    payload = payload.subspan(packet.vp8.bytes);
  }
  return {buffer.first(size), payload};
}

Subscription::Sent* Subscription::sent_packet(uint16_t sequence, MonoUs now, MonoUs round_trip) {
  Sent& sent = history_[sequence % kHistory];
  if (!sent.used || sent.out != sequence) {
    ++stats_.resend_misses;
    return nullptr;
  }
  if (now - resend_window_ >= kResendWindowUs) {
    resend_window_ = now;
    resends_ = 0;
  }
  const bool just_resent = sent.resent_ms && (low_ms(now) - sent.resent_ms) * kUsPerMs <
                                                 std::max(round_trip / 2, kMinResendIntervalUs);
  if (just_resent || resends_ >= kMaxResends) {
    ++stats_.resends_refused;
    return nullptr;
  }
  ++resends_;
  return &sent;
}

std::optional<Outgoing> Subscription::repeat(Sent& sent, const Packet* packet, uint16_t,
                                             uint16_t transport_sequence, MonoUs now,
                                             std::span<uint8_t> buffer) {
  if (!packet) {
    ++stats_.resend_misses;
    return std::nullopt;
  }
  sent.resent_ms = std::max<uint32_t>(low_ms(now), 1);
  ++stats_.resent;
  if (spec_.rtx_ssrc) return write_rtx(sent, *packet, transport_sequence, buffer);
  const rtc::RtpHead head = original_head(sent, *packet);
  return write(sent, *packet, head, sent.transport_sequence, false, buffer);
}

std::optional<Outgoing> Subscription::write_rtx(const Sent& sent, const Packet& packet,
                                                uint16_t transport_sequence,
                                                std::span<uint8_t> buffer) {
  const rtc::RtpHead head{sent.marker, false,          spec_.rtx_payload_type,
                          next_rtx_++, sent.timestamp, spec_.rtx_ssrc};
  return write(sent, packet, head, transport_sequence, true, buffer);
}

// RFC 3550 section 5.1: the last octet of the padding counts it.
Outgoing Subscription::write_padding(uint16_t transport_sequence, std::span<uint8_t> buffer) {
  static constexpr auto kPadding = [] {
    std::array<uint8_t, 255> bytes{};
    bytes.back() = bytes.size();
    return bytes;
  }();
  std::array<uint8_t, 2> transport;
  rtc::write_transport_cc(transport, transport_sequence);
  const std::array<rtc::RtpExtensionElement, 2> elements{
      {{spec_.extensions.id_of(RtpExtension::kMid), as_bytes(spec_.mid)},
       {spec_.extensions.id_of(RtpExtension::kTransportCc), transport}}};
  const bool rtx = spec_.rtx_ssrc != 0;
  rtc::RtpHead head{false, true, spec_.payload_type, 0, last_timestamp_, spec_.ssrc};
  if (rtx) {
    head.payload_type = spec_.rtx_payload_type;
    head.ssrc = spec_.rtx_ssrc;
  }
  head.sequence = rtx ? next_rtx_++ : static_cast<uint16_t>(next_out_++);
  return {buffer.first(rtc::write_rtp_head(buffer, head, elements)), kPadding};
}

}  // namespace footlight::sfu
