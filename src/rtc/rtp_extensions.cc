#include "rtc/rtp_extensions.h"

#include <algorithm>

#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr std::array<std::string_view, kRtpExtensionCount> kUris = {
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:3gpp:video-orientation",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
};

bool is_name_character(uint8_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.';
}

}  // namespace

std::string_view rtp_extension_uri(RtpExtension extension) {
  return kUris[static_cast<size_t>(extension)];
}

std::optional<RtpExtension> rtp_extension_of(std::string_view uri) {
  const auto found = std::find(kUris.begin(), kUris.end(), uri);
  if (found == kUris.end()) return std::nullopt;
  return static_cast<RtpExtension>(found - kUris.begin());
}

bool RtpExtensionMap::set(RtpExtension extension, uint8_t id) {
  const auto holder = extension_of(id);
  if (id == 0 || (holder && *holder != extension)) return false;
  ids_[static_cast<size_t>(extension)] = id;
  return true;
}

void read_rtp_extensions(const RtpView& view, const RtpExtensionMap& map,
                         RtpExtensionValues& values) {
  values = {};
  RtpExtensionReader reader(view);
  uint8_t id;
  ByteView value;
  while (reader.next(id, value)) {
    if (const auto extension = map.extension_of(id)) {
      values.raw[static_cast<size_t>(*extension)] = value;
    }
  }
}

std::optional<uint16_t> read_transport_cc(ByteView value) {
  if (value.size() != 2 && value.size() != 4) return std::nullopt;  // 4: with a feedback request
  return load_u16(value.data());
}

std::optional<uint32_t> read_abs_send_time(ByteView value) {
  if (value.size() != 3) return std::nullopt;
  return load_u24(value.data());
}

std::optional<AudioLevel> read_audio_level(ByteView value) {
  if (value.empty()) return std::nullopt;
  return AudioLevel{(value[0] & 0x80) != 0, static_cast<uint8_t>(value[0] & 0x7F)};
}

std::optional<AbsCaptureTime> read_abs_capture_time(ByteView value) {
  if (value.size() != 8 && value.size() != 16) return std::nullopt;
  AbsCaptureTime time{load_u64(value.data()), std::nullopt};
  if (value.size() == 16) time.clock_offset_q32 = static_cast<int64_t>(load_u64(&value[8]));
  return time;
}

std::optional<VideoOrientation> read_video_orientation(ByteView value) {
  if (value.size() != 1) return std::nullopt;
  return VideoOrientation{(value[0] & 8) != 0, (value[0] & 4) != 0,
                          static_cast<uint16_t>((value[0] & 3) * 90)};
}

std::optional<PlayoutDelay> read_playout_delay(ByteView value) {
  if (value.size() != 3) return std::nullopt;
  const uint32_t both = load_u24(value.data());
  return PlayoutDelay{static_cast<uint16_t>((both >> 12) * 10),
                      static_cast<uint16_t>((both & 0xFFF) * 10)};
}

std::string_view read_stream_name(ByteView value) {
  if (value.empty() || value.size() > 16) return {};
  if (!std::all_of(value.begin(), value.end(), is_name_character)) return {};
  return as_text(value);
}

void write_transport_cc(std::span<uint8_t, 2> out, uint16_t sequence) {
  store_u16(out.data(), sequence);
}

void write_abs_send_time(std::span<uint8_t, 3> out, int64_t now_us) {
  // 6.18 fixed point: 64 s, then it wraps.
  const uint64_t wrapped = static_cast<uint64_t>(now_us) % 64'000'000;
  store_u24(out.data(), static_cast<uint32_t>((wrapped << 18) / 1'000'000) & 0xFF'FFFF);
}

void write_abs_capture_time(std::span<uint8_t, 8> out, uint64_t capture_ntp) {
  store_u64(out.data(), capture_ntp);
}

void write_playout_delay(std::span<uint8_t, 3> out, PlayoutDelay delay) {
  const uint32_t min = std::min<uint32_t>(delay.min_ms / 10, 0xFFF);
  const uint32_t max = std::min<uint32_t>(delay.max_ms / 10, 0xFFF);
  store_u24(out.data(), min << 12 | max);
}

}  // namespace footlight::rtc
