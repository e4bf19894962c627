// A room with a publisher and a viewer, for tests.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "rtc/rtcp.h"
#include "rtc/wire.h"
#include "sfu/room.h"

namespace footlight::sfu {

// How often memory was asked for, in the whole program.
extern size_t test_allocations;

inline constexpr uint8_t kVideo = 96, kRtx = 97, kAudio = 111, kTransportCc = 3;

inline rtc::NegotiatedMedia line(const std::string& mid, rtc::RtpCodec codec,
                                 std::vector<rtc::NegotiatedEncoding> encodings = {}) {
  rtc::NegotiatedMedia media;
  media.mid = mid;
  const bool audio = codec == rtc::RtpCodec::kOpus;
  media.kind = audio ? rtc::MediaKind::kAudio : rtc::MediaKind::kVideo;
  rtc::NegotiatedCodec chosen;
  chosen.codec = codec;
  chosen.payload_type = audio ? kAudio : kVideo;
  if (!audio) chosen.rtx_payload_type = kRtx;
  chosen.clock_rate = audio ? 48'000 : 90'000;
  chosen.nack = chosen.pli = true;
  media.codecs = {chosen};
  media.extensions.set(rtc::RtpExtension::kTransportCc, kTransportCc);
  media.extensions.set(rtc::RtpExtension::kMid, 4);
  media.extensions.set(rtc::RtpExtension::kRid, 10);
  media.extensions.set(rtc::RtpExtension::kRepairedRid, 11);
  media.encodings = std::move(encodings);
  return media;
}

struct Got {
  rtc::RtpView view;
  Bytes bytes;
  Vp8Descriptor vp8;
};

class Recorder : public Sink {
 public:
  void send_rtp(ByteView head, ByteView payload) override {
    ++count;
    if (!keep) return;
    Got& each = got.emplace_back();
    each.bytes.assign(head.begin(), head.end());
    each.bytes.insert(each.bytes.end(), payload.begin(), payload.end());
    ASSERT_TRUE(rtc::parse_rtp(each.bytes, each.view));
    read_vp8(each.view.payload(), each.vp8);
  }
  void send_rtcp(ByteView compound) override {
    rtc::RtcpReader reader(compound);
    rtc::RtcpPacket packet;
    while (reader.next(packet)) {
      plis += packet.type == rtc::RtcpType::kPayloadFeedback && packet.count == rtc::kPsfbPli;
      nacks += packet.type == rtc::RtcpType::kTransportFeedback && packet.count == rtc::kRtpfbNack;
      if (const auto info = rtc::read_sender_info(packet)) report = *info;
    }
  }
  bool keep = true;
  size_t count = 0, plis = 0, nacks = 0;
  std::vector<Got> got;
  rtc::SenderInfo report;
};

struct Sample {
  uint32_t ssrc = 1;
  uint16_t sequence = 1;
  uint32_t timestamp = 0;
  bool key = false, first = true, marker = true;
  uint16_t picture = 1;
  uint8_t temporal = 0;
  bool sync = false;
  size_t bytes = 100;
  uint8_t payload_type = kVideo;
  std::string mid = {}, rid = {};
};

class RoomTest : public testing::Test {
 protected:
  RoomTest() {
    gm_ = *room_.join(gm_sink_);
    viewer_ = *room_.join(viewer_sink_, {10'000'000, 40'000, 30'000'000});
  }
  TrackId publish(std::vector<rtc::NegotiatedEncoding> encodings) {
    return *room_.publish(gm_, line("v", rtc::RtpCodec::kVp8, std::move(encodings)), 100);
  }
  void watch(TrackId track, const WatchOptions& options = {}, uint32_t rtx = 5001) {
    const auto watched = room_.watch(viewer_, track, line("1", rtc::RtpCodec::kVp8),
                                     {"1", "c", "s t", 5000, rtx}, options);
    ASSERT_TRUE(watched) << watched.error().message();
    room_.on_time(now_);
  }
  void give(const Sample& sample) {
    Packet* packet = pool_.take();
    ASSERT_NE(packet, nullptr);
    std::array<rtc::RtpExtensionElement, 2> elements{
        {{static_cast<uint8_t>(sample.mid.empty() ? 0 : 4), as_bytes(sample.mid)},
         {static_cast<uint8_t>(sample.rid.empty() ? 0 : 10), as_bytes(sample.rid)}}};
    const size_t head = rtc::write_rtp_head(
        packet->buffer,
        {sample.marker, false, sample.payload_type, sample.sequence, sample.timestamp, sample.ssrc},
        elements);
    uint8_t* at = &packet->buffer[head];
    std::fill(at, at + sample.bytes + 7, uint8_t{0x55});
    at[0] = static_cast<uint8_t>(0x80 | (sample.first ? 0x10 : 0));
    at[1] = 0xE0;
    rtc::store_u16(at + 2, static_cast<uint16_t>(0x8000 | sample.picture));
    at[4] = 9;
    at[5] = static_cast<uint8_t>(sample.temporal << 6 | (sample.sync ? 0x20 : 0));
    at[6] = sample.key ? 0 : 1;
    room_.on_rtp(gm_, packet, {packet->buffer.data(), head + 6 + sample.bytes}, now_);
  }
  void turn(MonoUs step = 10'000) {
    room_.flush(now_);
    now_ += step;
    room_.on_time(now_);
  }
  void nack(uint32_t ssrc, uint16_t sequence) {
    std::array<uint8_t, 64> buffer;
    rtc::RtcpWriter writer(buffer);
    const std::array<uint16_t, 1> lost{sequence};
    writer.nack(2, ssrc, lost);
    room_.on_rtcp(viewer_, writer.bytes(), now_);
  }

  static constexpr size_t kSlots = 10'000;
  PacketPool pool_{kSlots};
  Room room_{pool_};
  Recorder gm_sink_, viewer_sink_;
  MemberId gm_ = 0, viewer_ = 0;
  MonoUs now_ = 1'000'000;
};

}  // namespace footlight::sfu
