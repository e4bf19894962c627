// DEPS: footlight_rtc
//
// An RTP packet of a peer: whatever is handed out lies within the packet, and a head that we write
// from what we read says the same.
#include <array>
#include <cstdint>
#include <vector>

#include "rtc/rtp.h"
#include "rtc/rtp_extensions.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::rtc;

bool within(ByteView inner, ByteView outer) {
  return inner.empty() || (inner.data() >= outer.data() &&
                           inner.data() + inner.size() <= outer.data() + outer.size());
}

RtpExtensionMap all_ids() {
  RtpExtensionMap map;
  for (size_t i = 0; i < kRtpExtensionCount; ++i) {
    map.set(static_cast<RtpExtension>(i), static_cast<uint8_t>(i + 1));
  }
  return map;
}

void read_values(const RtpView& view) {
  static const RtpExtensionMap map = all_ids();
  RtpExtensionValues values;
  read_rtp_extensions(view, map, values);
  for (const ByteView value : values.raw) require(within(value, view.bytes));
  (void)read_transport_cc(values[RtpExtension::kTransportCc]);
  (void)read_abs_send_time(values[RtpExtension::kAbsSendTime]);
  (void)read_audio_level(values[RtpExtension::kAudioLevel]);
  (void)read_abs_capture_time(values[RtpExtension::kAbsCaptureTime]);
  (void)read_video_orientation(values[RtpExtension::kVideoOrientation]);
  (void)read_playout_delay(values[RtpExtension::kPlayoutDelay]);
  require(read_stream_name(values[RtpExtension::kMid]).size() <= 16);
}

void rewrite(const RtpView& view) {
  std::array<RtpExtensionElement, 64> elements;
  size_t count = 0, bytes = 0;
  RtpExtensionReader reader(view);
  uint8_t id;
  ByteView value;
  while (count < elements.size() && reader.next(id, value)) {
    require(within(value, view.bytes));
    elements[count++] = {id, value};
    bytes += 2 + value.size();
  }
  const std::span<const RtpExtensionElement> used(elements.data(), count);
  std::vector<uint8_t> out(kRtpFixedBytes + 4 + bytes + 3);
  const size_t size = write_rtp_head(
      out, {view.marker, false, view.payload_type, view.sequence, view.timestamp, view.ssrc}, used);
  require(size > 0);
  RtpView again;
  require(parse_rtp(ByteView(out).first(size), again));
  require(again.ssrc == view.ssrc && again.sequence == view.sequence &&
          again.timestamp == view.timestamp && again.marker == view.marker);
  RtpExtensionReader second(again);
  for (const auto& element : used) {
    require(second.next(id, value));
    require(id == element.id &&
            std::equal(value.begin(), value.end(), element.value.begin(), element.value.end()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(data, size);
  (void)datagram_kind(bytes);
  RtpView view;
  if (!parse_rtp(bytes, view)) return 0;
  require(view.head_bytes + view.payload_bytes + view.padding_bytes == size);
  require(within(view.payload(), bytes));
  read_values(view);
  rewrite(view);
  RedPrimary primary;
  if (read_red_primary(view.payload(), primary)) require(within(primary.payload, bytes));
  std::array<RedBlock, 4> blocks;
  for (size_t i = 0, count = read_red_blocks(view.payload(), blocks); i < count; ++i) {
    require(within(blocks[i].payload, view.payload()) && blocks[i].offset > 0);
  }
  std::vector<uint8_t> copy(data, data + size);
  std::span<uint8_t> packet(copy);
  if (unwrap_rtx(packet, {96, 1})) {
    require(packet.size() + kRtxHeaderBytes == size && parse_rtp(packet, view) && view.ssrc == 1);
  }
  return 0;
}
