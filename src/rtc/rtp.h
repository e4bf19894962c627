// RTP packets (RFC 3550 section 5.1) as views into the caller's buffer.
//
// Parsing checks every length once; what is handed out afterwards lies within the packet. Writing
// makes a head (fixed header and extensions) in a buffer of the caller; the payload stays where it
// is, because a forwarded packet differs from subscriber to subscriber only in its head.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bytes.h"

namespace footlight::rtc {

inline constexpr size_t kRtpFixedBytes = 12;
inline constexpr uint8_t kRtpMaxCsrcs = 15;
inline constexpr uint16_t kRtpOneByteProfile = 0xBEDE;  // RFC 8285 section 4.2
inline constexpr uint16_t kRtpTwoByteProfile = 0x1000;  // section 4.3; the low 4 bits are "appbits"

struct RtpView {
  ByteView bytes;  // the whole packet
  bool marker = false;
  uint8_t payload_type = 0;  // 0..127
  uint16_t sequence = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
  uint8_t csrc_count = 0;
  uint16_t extension_profile = 0;  // 0 when there is no extension
  uint16_t extension_at = 0;       // offset of the extension's elements, behind its 4-byte header
  uint16_t extension_bytes = 0;
  uint16_t head_bytes = 0;     // everything before the payload
  uint16_t payload_bytes = 0;  // without padding; 0 in a padding-only packet
  uint8_t padding_bytes = 0;

  ByteView head() const { return bytes.first(head_bytes); }
  ByteView payload() const { return bytes.subspan(head_bytes, payload_bytes); }
  ByteView extension() const { return bytes.subspan(extension_at, extension_bytes); }
};

// False when `bytes` is not one whole RTP packet: version, lengths or padding are wrong, or it is
// longer than 65,535 bytes. `view` is then unspecified.
bool parse_rtp(ByteView bytes, RtpView& view);

// The elements of a packet's header extension (RFC 8285), one- and two-byte form, padding skipped.
// Ends at the first element that does not fit (what came before it was given out).
class RtpExtensionReader {
 public:
  explicit RtpExtensionReader(const RtpView& view);
  bool next(uint8_t& id, ByteView& value);  // id 1..255, value 0..255 bytes

 private:
  ByteView rest_;
  enum class Form : uint8_t { kNone, kOneByte, kTwoByte } form_ = Form::kNone;
};

// One element to be written.
struct RtpExtensionElement {
  uint8_t id = 0;  // 1..255; 0 is skipped
  ByteView value;  // at most 255 bytes
};

struct RtpHead {
  bool marker = false;
  bool padding = false;  // the P bit; the caller appends the padding
  uint8_t payload_type = 0;
  uint16_t sequence = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};

// Writes the head of a packet without CSRCs and returns its size, or 0 when `out` is too small. The
// one-byte form is used unless an element needs the other (id over 14, value empty or over 16
// bytes).
size_t write_rtp_head(std::span<uint8_t> out, const RtpHead& head,
                      std::span<const RtpExtensionElement> elements = {});

// What kind of bytes a datagram holds, by its first byte (RFC 7983 section 7), RTP and RTCP told
// apart by the payload type (RFC 5761 section 4).
enum class DatagramKind : uint8_t { kStun, kDtls, kRtp, kRtcp, kUnknown };
DatagramKind datagram_kind(ByteView bytes);

// RTX (RFC 4588): a retransmission's payload opens with the original sequence number.
inline constexpr size_t kRtxHeaderBytes = 2;

// Turns a retransmission back into the packet it repeats, in place: `packet` is the RTX packet and
// is left with `original`'s payload type, SSRC and the original sequence number; two bytes shorter.
// False when it carries no payload (padding used as a probe) or is no RTP packet.
struct RtxOriginal {
  uint8_t payload_type = 0;
  uint32_t ssrc = 0;
};
bool unwrap_rtx(std::span<uint8_t>& packet, const RtxOriginal& original);

// RED (RFC 2198): the primary block, which comes last. False when the blocks do not fit.
struct RedPrimary {
  uint8_t payload_type = 0;
  ByteView payload;
};
bool read_red_primary(ByteView payload, RedPrimary& primary);

// RED's redundant blocks, the oldest first: `offset` says by how much each one's timestamp, in the
// stream's clock, is before the packet's (1 to 16,383; 0 says nothing and is left out). Fills
// `blocks` with as many as fit it and returns their number; 0 when the blocks do not fit the
// payload.
struct RedBlock {
  uint8_t payload_type = 0;
  uint16_t offset = 0;
  ByteView payload;
};
size_t read_red_blocks(ByteView payload, std::span<RedBlock> blocks);

}  // namespace footlight::rtc
