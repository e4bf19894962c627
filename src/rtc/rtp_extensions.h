// The RTP header extensions that we understand: their URIs, the ids a session negotiated for them
// (RFC 8285 section 5), and their values.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "rtc/rtp.h"

namespace footlight::rtc {

enum class RtpExtension : uint8_t {
  kMid,                   // RFC 9143 section 15.5: to which m-line a packet belongs
  kRid,                   // RFC 8852 section 3.1: which simulcast encoding
  kRepairedRid,           // section 3.2: which encoding a retransmission repeats
  kTransportCc,           // draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2
  kAbsSendTime,           // 24 bits, 6.18 fixed point seconds
  kAbsCaptureTime,        // NTP time of capture, optionally the sender's clock offset
  kAudioLevel,            // RFC 6464
  kVideoOrientation,      // 3GPP TS 26.114 section 7.4.5
  kPlayoutDelay,          // 12 + 12 bits, tens of milliseconds
  kDependencyDescriptor,  // AV1 RTP payload format, appendix A
};
inline constexpr size_t kRtpExtensionCount = 10;

std::string_view rtp_extension_uri(RtpExtension extension);
std::optional<RtpExtension> rtp_extension_of(std::string_view uri);

// Ids of one session or m-line. 0 says "not negotiated".
class RtpExtensionMap {
 public:
  // False when the id is 0 or taken by another extension.
  bool set(RtpExtension extension, uint8_t id);
  uint8_t id_of(RtpExtension extension) const { return ids_[static_cast<size_t>(extension)]; }
  std::optional<RtpExtension> extension_of(uint8_t id) const {
    for (size_t i = 0; i < ids_.size(); ++i) {
      if (id && ids_[i] == id) return static_cast<RtpExtension>(i);
    }
    return std::nullopt;
  }
  bool operator==(const RtpExtensionMap&) const = default;

 private:
  std::array<uint8_t, kRtpExtensionCount> ids_{};
};

// The raw values of one packet: views into it. An empty view says "not there".
struct RtpExtensionValues {
  std::array<ByteView, kRtpExtensionCount> raw;
  ByteView operator[](RtpExtension extension) const { return raw[static_cast<size_t>(extension)]; }
};
void read_rtp_extensions(const RtpView& view, const RtpExtensionMap& map,
                         RtpExtensionValues& values);

// Each decoder answers nullopt when the value has not the size its document says.
std::optional<uint16_t> read_transport_cc(ByteView value);
std::optional<uint32_t> read_abs_send_time(ByteView value);  // 24 bits

struct AudioLevel {
  bool voice = false;        // the V bit
  uint8_t minus_dbov = 127;  // 0 loudest .. 127 silence
};
std::optional<AudioLevel> read_audio_level(ByteView value);

struct AbsCaptureTime {
  uint64_t capture_ntp = 0;                 // UQ32.32 seconds since 1900
  std::optional<int64_t> clock_offset_q32;  // Q32.32 seconds
};
std::optional<AbsCaptureTime> read_abs_capture_time(ByteView value);

struct VideoOrientation {
  bool back_camera = false;
  bool mirrored = false;
  uint16_t rotation_degrees = 0;  // 0, 90, 180, 270, clockwise
};
std::optional<VideoOrientation> read_video_orientation(ByteView value);

struct PlayoutDelay {
  uint16_t min_ms = 0;  // multiples of 10, at most 40,950
  uint16_t max_ms = 0;
};
std::optional<PlayoutDelay> read_playout_delay(ByteView value);

// Names of mid and rid: 1..16 characters that SDP tokens allow; "" otherwise.
std::string_view read_stream_name(ByteView value);

// The writers fill exactly the value.
void write_transport_cc(std::span<uint8_t, 2> out, uint16_t sequence);
void write_abs_send_time(std::span<uint8_t, 3> out, int64_t now_us);
void write_abs_capture_time(std::span<uint8_t, 8> out, uint64_t capture_ntp);
void write_playout_delay(std::span<uint8_t, 3> out, PlayoutDelay delay);

}  // namespace footlight::rtc
