#include "rtc/rtp.h"

#include <algorithm>
#include <cstring>

#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr size_t kMaxRtpBytes = 65'535;
constexpr size_t kExtensionHeaderBytes = 4;
constexpr uint8_t kExtensionBit = 0x10;
constexpr uint8_t kPaddingBit = 0x20;
constexpr uint8_t kVersionBits = 0x80;

bool needs_two_byte_form(std::span<const RtpExtensionElement> elements) {
  return std::any_of(elements.begin(), elements.end(), [](const RtpExtensionElement& element) {
    return element.id > 14 || (element.id && (element.value.empty() || element.value.size() > 16));
  });
}

}  // namespace

bool parse_rtp(ByteView bytes, RtpView& view) {
  if (bytes.size() < kRtpFixedBytes || bytes.size() > kMaxRtpBytes) return false;
  if ((bytes[0] & 0xC0) != kVersionBits) return false;
  view.bytes = bytes;
  view.csrc_count = bytes[0] & 0x0F;
  view.marker = bytes[1] & 0x80;
  view.payload_type = bytes[1] & 0x7F;
  view.sequence = load_u16(&bytes[2]);
  view.timestamp = load_u32(&bytes[4]);
  view.ssrc = load_u32(&bytes[8]);
  size_t head = kRtpFixedBytes + 4u * view.csrc_count;
  view.extension_profile = 0;
  view.extension_at = view.extension_bytes = 0;
  if (bytes[0] & kExtensionBit) {
    if (bytes.size() < head + kExtensionHeaderBytes) return false;
    view.extension_profile = load_u16(&bytes[head]);
    const size_t extension_bytes = 4u * load_u16(&bytes[head + 2]);
    head += kExtensionHeaderBytes;
    if (bytes.size() < head + extension_bytes) return false;
    view.extension_at = static_cast<uint16_t>(head);
    view.extension_bytes = static_cast<uint16_t>(extension_bytes);
    head += extension_bytes;
  }
  if (bytes.size() < head) return false;
  view.padding_bytes = 0;
  if (bytes[0] & kPaddingBit) {
    view.padding_bytes = bytes.back();
    if (view.padding_bytes == 0 || bytes.size() < head + view.padding_bytes) return false;
  }
  view.head_bytes = static_cast<uint16_t>(head);
  view.payload_bytes = static_cast<uint16_t>(bytes.size() - head - view.padding_bytes);
  return true;
}

RtpExtensionReader::RtpExtensionReader(const RtpView& view) : rest_(view.extension()) {
  if (view.extension_profile == kRtpOneByteProfile) {
    form_ = Form::kOneByte;
  } else if ((view.extension_profile & 0xFFF0) == kRtpTwoByteProfile) {
    form_ = Form::kTwoByte;
  }
}

bool RtpExtensionReader::next(uint8_t& id, ByteView& value) {
  if (form_ == Form::kNone) return false;
  while (!rest_.empty() && rest_[0] == 0) rest_ = rest_.subspan(1);
  if (rest_.empty()) return false;
  const size_t header = form_ == Form::kOneByte ? 1 : 2;
  size_t size = 0;
  if (form_ == Form::kOneByte) {
    id = rest_[0] >> 4;
    size = (rest_[0] & 0x0F) + 1u;
    if (id == 15 || id == 0) rest_ = {};  // section 4.2: processing ends here
  } else if (rest_.size() >= 2) {
    id = rest_[0];
    size = rest_[1];
  }
  if (rest_.size() < header + size) {
    rest_ = {};
    return false;
  }
  value = rest_.subspan(header, size);
  rest_ = rest_.subspan(header + size);
  return true;
}

size_t write_rtp_head(std::span<uint8_t> out, const RtpHead& head,
                      std::span<const RtpExtensionElement> elements) {
  const bool two_byte = needs_two_byte_form(elements);
  size_t content = 0;
  for (const auto& element : elements) {
    if (element.id) content += (two_byte ? 2 : 1) + element.value.size();
  }
  const size_t padded = (content + 3) & ~size_t{3};
  const size_t size = kRtpFixedBytes + (content ? kExtensionHeaderBytes + padded : 0);
  if (out.size() < size) return 0;
  out[0] = static_cast<uint8_t>(kVersionBits | (head.padding ? kPaddingBit : 0) |
                                (content ? kExtensionBit : 0));
  out[1] = static_cast<uint8_t>((head.marker ? 0x80 : 0) | (head.payload_type & 0x7F));
  store_u16(&out[2], head.sequence);
  store_u32(&out[4], head.timestamp);
  store_u32(&out[8], head.ssrc);
  if (!content) return size;
  store_u16(&out[12], two_byte ? kRtpTwoByteProfile : kRtpOneByteProfile);
  store_u16(&out[14], static_cast<uint16_t>(padded / 4));
  uint8_t* at = &out[16];
  for (const auto& element : elements) {
    if (!element.id) continue;
    if (two_byte) {
      *at++ = element.id;
      *at++ = static_cast<uint8_t>(element.value.size());
    } else {
      *at++ = static_cast<uint8_t>(element.id << 4 | (element.value.size() - 1));
    }
    if (!element.value.empty()) std::memcpy(at, element.value.data(), element.value.size());
    at += element.value.size();
  }
  std::memset(at, 0, padded - content);
  return size;
}

DatagramKind datagram_kind(ByteView bytes) {
  if (bytes.empty()) return DatagramKind::kUnknown;
  const uint8_t first = bytes[0];
  if (first <= 3) return DatagramKind::kStun;
  if (first >= 20 && first <= 63) return DatagramKind::kDtls;
  if (first < 128 || first > 191 || bytes.size() < 2) return DatagramKind::kUnknown;
  const uint8_t type = bytes[1] & 0x7F;
  return type >= 64 && type <= 95 ? DatagramKind::kRtcp : DatagramKind::kRtp;
}

bool unwrap_rtx(std::span<uint8_t>& packet, const RtxOriginal& original) {
  RtpView view;
  if (!parse_rtp(packet, view) || view.payload_bytes < kRtxHeaderBytes) return false;
  uint8_t* data = packet.data();
  const uint16_t sequence = load_u16(data + view.head_bytes);
  // The head moves, not the payload: it is the shorter of the two.
  std::memmove(data + kRtxHeaderBytes, data, view.head_bytes);
  packet = packet.subspan(kRtxHeaderBytes);
  packet[1] = static_cast<uint8_t>((packet[1] & 0x80) | (original.payload_type & 0x7F));
  store_u16(&packet[2], sequence);
  store_u32(&packet[8], original.ssrc);
  return true;
}

bool read_red_primary(ByteView payload, RedPrimary& primary) {
  size_t at = 0, redundant = 0;
  while (at < payload.size() && (payload[at] & 0x80)) {
    if (payload.size() < at + 4) return false;
    redundant += load_u16(&payload[at + 2]) & 0x3FF;
    at += 4;
  }
  if (at >= payload.size() || payload.size() < at + 1 + redundant) return false;
  primary.payload_type = payload[at] & 0x7F;
  primary.payload = payload.subspan(at + 1 + redundant);
  return true;
}

size_t read_red_blocks(ByteView payload, std::span<RedBlock> blocks) {
  RedPrimary primary;
  if (!read_red_primary(payload, primary)) return 0;
  size_t heads = 0;
  while (payload[heads] & 0x80) heads += 4;
  size_t count = 0, at = heads + 1;
  for (size_t head = 0; head < heads && count < blocks.size(); head += 4) {
    const auto offset = static_cast<uint16_t>(load_u16(&payload[head + 1]) >> 2);
    const size_t bytes = load_u16(&payload[head + 2]) & 0x3FF;
    if (offset != 0 && bytes != 0) {
      blocks[count++] = {static_cast<uint8_t>(payload[head] & 0x7F), offset,
                         payload.subspan(at, bytes)};
    }
    at += bytes;
  }
  return count;
}

}  // namespace footlight::rtc
