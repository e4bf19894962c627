// DEPS: footlight_sfu
//
// A room whose publisher and viewer send whatever they like: packets of every codec, feedback of
// every kind, time that jumps. No packet is lost from the pool, what goes out can be read and is
// one sequence, and the forwarding does not depend on luck.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "rtc/wire.h"
#include "sfu/room.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::sfu;

constexpr size_t kSlots = 10'000;

class Checker : public Sink {
 public:
  void send_rtp(ByteView head, ByteView payload) override {
    Bytes bytes(head.begin(), head.end());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    rtc::RtpView view;
    require(rtc::parse_rtp(bytes, view));
    require(view.ssrc >= 5000 && view.ssrc < 5100);
  }
  void send_rtcp(ByteView compound) override {
    rtc::RtcpReader reader(compound);
    rtc::RtcpPacket packet;
    while (reader.next(packet)) {
    }
    require(reader.ok());
  }
};

rtc::NegotiatedMedia line(rtc::RtpCodec codec, uint32_t number, bool publish) {
  rtc::NegotiatedMedia media;
  media.mid = std::to_string(number);
  media.kind = codec == rtc::RtpCodec::kOpus ? rtc::MediaKind::kAudio : rtc::MediaKind::kVideo;
  rtc::NegotiatedCodec chosen;
  chosen.codec = codec;
  chosen.payload_type = static_cast<uint8_t>(96 + 2 * number);
  chosen.rtx_payload_type = static_cast<uint8_t>(97 + 2 * number);
  chosen.clock_rate = codec == rtc::RtpCodec::kOpus ? 48'000 : 90'000;
  chosen.nack = true;
  media.codecs = {chosen};
  if (codec == rtc::RtpCodec::kOpus) {
    rtc::NegotiatedCodec red = chosen;
    red.codec = rtc::RtpCodec::kRed;
    red.payload_type = 120;
    media.codecs.push_back(red);
  }
  for (size_t i = 0; i < rtc::kRtpExtensionCount; ++i) {
    media.extensions.set(static_cast<rtc::RtpExtension>(i), static_cast<uint8_t>(i + 1));
  }
  if (publish) {
    media.encodings = {{"a", 10 * number, 10 * number + 5}, {"b", 10 * number + 1, 0}, {"c", 0, 0}};
  }
  if (publish && number == 5) {
    media.encodings = {{"", 0, 0}};
    media.named_by_type = true;
  }
  return media;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr rtc::RtpCodec kCodecs[] = {rtc::RtpCodec::kOpus, rtc::RtpCodec::kVp8,
                                       rtc::RtpCodec::kVp9, rtc::RtpCodec::kH264,
                                       rtc::RtpCodec::kAv1};
  static PacketPool pool(kSlots);
  {
    Checker publisher_sink, viewer_sink;
    Room room(pool);
    const MemberId publisher = *room.join(publisher_sink), viewer = *room.join(viewer_sink);
    for (uint32_t i = 0; i < 5; ++i) {
      const auto track = room.publish(publisher, line(kCodecs[i], i + 1, true), 1);
      require(track.has_value());
      require(room.watch(viewer, *track, line(kCodecs[i], i + 1, false),
                         {std::to_string(i), "c", "s t", 5000 + 2 * i, i % 2 ? 5001 + 2 * i : 0},
                         {})
                  .has_value());
    }
    MonoUs now = 1'000'000;
    ByteView rest(data, size);
    while (rest.size() >= 3) {
      const uint8_t what = rest[0];
      const size_t length = std::min<size_t>(rest[1] | (rest[2] & 3) << 8, rest.size() - 3);
      const ByteView bytes = rest.subspan(3, length);
      rest = rest.subspan(3 + length);
      if (what & 1) {
        Packet* packet = pool.take();
        require(packet != nullptr);
        std::copy(bytes.begin(), bytes.end(), packet->buffer.begin());
        room.on_rtp(publisher, packet, {packet->buffer.data(), bytes.size()}, now);
      } else {
        room.on_rtcp(what & 2 ? publisher : viewer, bytes, now);
      }
      if (what & 4) room.flush(now);
      now += (what >> 3) * MonoUs{5'000};
      if (what & 8) room.on_time(now);
    }
    room.flush(now);
  }
  require(pool.free_count() == kSlots);
  return 0;
}
