#include "sfu/room.h"

#include <cstdlib>
#include <new>

#include "sfu/internal/test_room.h"
#include "sfu/recording.h"

// Counts what the forwarding path may not do.
size_t footlight::sfu::test_allocations = 0;

void* operator new(size_t size) {
  ++footlight::sfu::test_allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace footlight::sfu {
namespace {

TEST_F(RoomTest, ForwardingStartsAtAKeyFrameAndKeepsTheOrder) {
  const TrackId track = publish({{"", 1, 0}});
  give({.sequence = 1, .timestamp = 0});
  turn();
  watch(track);
  give({.sequence = 2, .timestamp = 3000});
  turn(100'000);
  turn();
  EXPECT_EQ(viewer_sink_.got.size(), 0u);
  EXPECT_EQ(gm_sink_.plis, 1u);
  give({.sequence = 3, .timestamp = 6000, .key = true, .picture = 20});
  give({.sequence = 4, .timestamp = 9000, .picture = 21});
  turn();
  ASSERT_EQ(viewer_sink_.got.size(), 2u);
  EXPECT_EQ(viewer_sink_.got[0].view.ssrc, 5000u);
  EXPECT_LT(viewer_sink_.got[0].view.sequence, 0x8000);  // SRTP's roll-over counter starts safely
  EXPECT_EQ(viewer_sink_.got[1].view.sequence, viewer_sink_.got[0].view.sequence + 1);
  EXPECT_EQ(viewer_sink_.got[1].view.timestamp - viewer_sink_.got[0].view.timestamp, 3000u);
}

TEST_F(RoomTest, KeyFrameRequestsOfManyAreToldOnce) {
  const TrackId track = publish({{"", 1, 0}});
  give({.sequence = 1});
  turn();
  watch(track);
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.pli(2, 5000);
  for (int i = 0; i < 30; ++i) {
    room_.on_rtcp(viewer_, writer.bytes(), now_);
    turn();
  }
  EXPECT_EQ(gm_sink_.plis, 1u);
  for (int i = 0; i < 30; ++i) turn();
  EXPECT_EQ(gm_sink_.plis, 2u);  // none came: asked again
}

TEST_F(RoomTest, ASwitchOfEncodingLooksLikeTheNextFrameOfTheSameStream) {
  const TrackId track = publish({{"", 1, 0}, {"", 2, 0}});
  watch(track, {.max = {0, 0, 0}});
  uint16_t low = 60'000, high = 100, picture = 500;
  const auto feed = [&](bool key) {
    give({.ssrc = 1,
          .sequence = low++,
          .timestamp = 700'000 + picture * 3000u,
          .key = key,
          .picture = picture});
    give({.ssrc = 2,
          .sequence = high++,
          .timestamp = 9'000 + picture * 3000u,
          .key = key,
          .picture = static_cast<uint16_t>(picture + 7000),
          .bytes = 500});
    ++picture;
    turn(33'333);
  };
  const auto report = [&](uint32_t ssrc, uint32_t timestamp) {
    std::array<uint8_t, 64> buffer;
    rtc::RtcpWriter writer(buffer);
    writer.sender_report({ssrc, uint64_t{1} << 40, timestamp, 1, 1});
    room_.on_rtcp(gm_, writer.bytes(), now_);
  };
  report(1, 700'000);
  report(2, 9'000);
  feed(true);
  for (int i = 0; i < 60; ++i) feed(false);
  ASSERT_GT(viewer_sink_.got.size(), 50u);
  ASSERT_TRUE(room_.set_options(viewer_, track, {}));
  for (int i = 0; i < 10; ++i) feed(false);
  EXPECT_EQ(viewer_sink_.got.back().bytes.size(), viewer_sink_.got.front().bytes.size());
  feed(true);
  for (int i = 0; i < 10; ++i) feed(false);
  EXPECT_GT(viewer_sink_.got.back().bytes.size(), viewer_sink_.got.front().bytes.size());
  for (size_t i = 1; i < viewer_sink_.got.size(); ++i) {
    const Got &before = viewer_sink_.got[i - 1], &after = viewer_sink_.got[i];
    EXPECT_EQ(static_cast<uint16_t>(after.view.sequence - before.view.sequence), 1) << i;
    EXPECT_EQ((after.vp8.picture_id - before.vp8.picture_id) & 0x7FFF, 1) << i;
    // At the switch the same picture goes out twice, a tick apart: both encodings showed it.
    const uint32_t step = after.view.timestamp - before.view.timestamp;
    EXPECT_TRUE(step == 3000 || (step == 1 && after.bytes.size() != before.bytes.size())) << step;
  }
}

TEST_F(RoomTest, LayersLeftOutLeaveNoGaps) {
  const TrackId track = publish({{"", 1, 0}});
  watch(track, {.max = {0, 0, 0}});
  for (uint16_t i = 0; i < 40; ++i) {
    give({.sequence = static_cast<uint16_t>(65'520 + i),
          .timestamp = i * 3000u,
          .key = i == 0,
          .picture = static_cast<uint16_t>(i),
          .temporal = static_cast<uint8_t>(i % 2)});
    turn();
  }
  ASSERT_EQ(viewer_sink_.got.size(), 20u);
  for (size_t i = 1; i < viewer_sink_.got.size(); ++i) {
    const Got &before = viewer_sink_.got[i - 1], &after = viewer_sink_.got[i];
    EXPECT_EQ(static_cast<uint16_t>(after.view.sequence - before.view.sequence), 1);
    EXPECT_EQ((after.vp8.picture_id - before.vp8.picture_id) & 0x7FFF, 1);
    EXPECT_EQ(after.view.timestamp - before.view.timestamp, 6000u);
  }
}

TEST_F(RoomTest, ALostPacketComesAgainOverRtxWithItsNumberAndItsRewrittenPayload) {
  const TrackId track = publish({{"", 1, 0}});
  watch(track);
  give({.sequence = 9, .key = true, .picture = 77});
  give({.sequence = 10, .timestamp = 3000, .picture = 78});
  turn();
  ASSERT_EQ(viewer_sink_.got.size(), 2u);
  const Got lost = viewer_sink_.got[1];
  nack(5000, lost.view.sequence);
  ASSERT_EQ(viewer_sink_.got.size(), 3u);
  Bytes again = viewer_sink_.got[2].bytes;
  EXPECT_EQ(viewer_sink_.got[2].view.ssrc, 5001u);
  EXPECT_EQ(viewer_sink_.got[2].view.payload_type, kRtx);
  std::span<uint8_t> restored(again);
  ASSERT_TRUE(rtc::unwrap_rtx(restored, {kVideo, 5000}));
  rtc::RtpView view;
  ASSERT_TRUE(rtc::parse_rtp(restored, view));
  EXPECT_EQ(view.sequence, lost.view.sequence);
  EXPECT_EQ(view.timestamp, lost.view.timestamp);
  EXPECT_EQ(to_hex(view.payload()), to_hex(lost.view.payload()));
  nack(5000, lost.view.sequence);  // at once again: refused
  EXPECT_EQ(viewer_sink_.got.size(), 3u);
  nack(5000, 30'000);  // never sent
  EXPECT_EQ(viewer_sink_.got.size(), 3u);
}

TEST_F(RoomTest, AResendWithoutRtxIsTheSameBytes) {
  const TrackId track = publish({{"", 1, 0}});
  watch(track, {}, 0);
  give({.sequence = 9, .key = true});
  give({.sequence = 10, .timestamp = 3000});
  turn();
  const Got lost = viewer_sink_.got.at(0);
  nack(5000, lost.view.sequence);
  ASSERT_EQ(viewer_sink_.got.size(), 3u);
  EXPECT_EQ(to_hex(viewer_sink_.got[2].bytes), to_hex(lost.bytes));
}

TEST_F(RoomTest, APublishersLossIsAskedForAndItsLateAnswerForwardedInPlace) {
  const TrackId track = publish({{"", 1, 50}});
  watch(track);
  give({.sequence = 1, .key = true});
  give({.sequence = 3, .timestamp = 6000, .picture = 3});
  turn(15'000);
  turn();
  EXPECT_EQ(gm_sink_.nacks, 1u);
  // The retransmission: RTX on SSRC 50.
  Packet* packet = pool_.take();
  const size_t head = rtc::write_rtp_head(packet->buffer, {true, false, kRtx, 1, 3000, 50});
  const Bytes payload{0x00, 0x02, 0x90, 0xE0, 0x80, 0x02, 9, 0, 1, 0x55};
  std::copy(payload.begin(), payload.end(), &packet->buffer[head]);
  room_.on_rtp(gm_, packet, {packet->buffer.data(), head + payload.size()}, now_);
  turn();
  ASSERT_EQ(viewer_sink_.got.size(), 3u);
  EXPECT_EQ(viewer_sink_.got[2].view.sequence, viewer_sink_.got[0].view.sequence + 1);
  EXPECT_EQ(viewer_sink_.got[1].view.sequence, viewer_sink_.got[0].view.sequence + 2);
}

TEST_F(RoomTest, StreamsAreRecognizedByMidAndRidAndStrangersAreDropped) {
  const TrackId track = publish({{"q", 0, 0}, {"f", 0, 0}});
  watch(track, {.max = {0, 0, 0}});
  give({.ssrc = 900, .key = true, .mid = "v", .rid = "q"});
  give({.ssrc = 901, .key = true, .mid = "v", .rid = "f"});
  give({.ssrc = 902, .key = true, .mid = "v", .rid = "x"});
  give({.ssrc = 903, .key = true});
  give({.ssrc = 904, .key = true, .mid = "v", .rid = "q"});  // another SSRC for a known encoding
  give({.ssrc = 900, .sequence = 2, .timestamp = 3000});     // no names needed any more
  turn();
  EXPECT_EQ(room_.stats().unknown_stream, 3u);
  EXPECT_EQ(viewer_sink_.got.size(), 2u);
}

// Takes what is written and forgets it.
struct NoDisk final : RecordDisk {
  void open(uint64_t, std::string) override {}
  void write(RecordChunk* chunk) override { waiting[count++] = chunk; }
  void work(RecordPool& pool) {
    while (count > 0) pool.written(waiting[--count], {});
  }
  std::array<RecordChunk*, 64> waiting;
  size_t count = 0;
};

TEST_F(RoomTest, AStreamWithoutAnyNameIsRecognizedByItsPayloadTypeAndKeepsItsSsrc) {
  rtc::NegotiatedMedia picture = line("v", rtc::RtpCodec::kVp8, {{"", 0, 0}});
  picture.named_by_type = true;
  const TrackId track = *room_.publish(gm_, picture, 100);
  rtc::NegotiatedMedia told = line("w", rtc::RtpCodec::kVp8, {{"", 50, 0}});
  told.named_by_type = true;
  told.codecs[0].payload_type = 98;
  told.codecs[0].rtx_payload_type = 99;
  const TrackId known = *room_.publish(gm_, told, 100);
  rtc::NegotiatedMedia shared = line("x", rtc::RtpCodec::kVp8, {{"", 0, 0}});
  shared.codecs[0].payload_type = 100;
  ASSERT_TRUE(room_.publish(gm_, shared, 100));
  const auto heard = [&](TrackId of) {
    return room_.track(of)->encodings[0].stream.stats().packets;
  };
  give({.ssrc = 70, .sequence = 1, .key = true});
  give({.ssrc = 70, .sequence = 2});
  EXPECT_EQ(heard(track), 2u);
  EXPECT_EQ(room_.track(track)->encodings[0].ssrc, 70u);
  give({.ssrc = 71, .sequence = 3});                       // another: not believed
  give({.ssrc = 72, .sequence = 1, .payload_type = 98});   // its SSRC is 50
  give({.ssrc = 73, .sequence = 1, .payload_type = 100});  // of a line that shares its types
  give({.ssrc = 74, .sequence = 1, .payload_type = 101});  // of none
  EXPECT_EQ(room_.stats().unknown_stream, 4u);
  EXPECT_EQ(heard(track) + heard(known), 2u);
  give({.ssrc = 80, .sequence = 1, .payload_type = kRtx});
  give({.ssrc = 81, .sequence = 1, .payload_type = kRtx});
  EXPECT_EQ(room_.track(track)->encodings[0].rtx_ssrc, 80u) << "the first";
  EXPECT_EQ(room_.stats().unknown_stream, 5u);
  give({.ssrc = 50, .sequence = 1, .key = true, .payload_type = 98});
  EXPECT_EQ(heard(known), 1u);
}

TEST_F(RoomTest, NothingIsAllocatedAndNoPacketLostFromThePoolWhileForwardingAndRecording) {
  const TrackId track = publish({{"", 1, 0}, {"", 2, 0}});
  NoDisk disk;
  RecordPool chunks(disk, {});
  Recording recording(chunks, "demo.media/take", "take", 0, now_);
  room_.record(track, recording, {}, now_);
  watch(track);
  std::vector<std::unique_ptr<Recorder>> others;
  for (uint32_t i = 0; i < 20; ++i) {
    others.push_back(std::make_unique<Recorder>());
    others.back()->keep = false;
    const MemberId member = *room_.join(*others.back());
    ASSERT_TRUE(room_.watch(member, track, line("1", rtc::RtpCodec::kVp8),
                            {"1", "c", "s t", 6000 + i, 7000 + i}, {}));
  }
  viewer_sink_.keep = false;
  gm_sink_.keep = false;
  const auto feed = [&](uint16_t i) {
    for (const uint32_t ssrc : {1u, 2u}) {
      for (uint16_t k = 0; k < 3; ++k) {
        give({.ssrc = ssrc,
              .sequence = static_cast<uint16_t>(3 * i + k),
              .timestamp = i * 3000u,
              .key = i % 50 == 0,
              .first = k == 0,
              .marker = k == 2,
              .picture = i});
      }
    }
    turn();
    recording.on_time(now_);
    disk.work(chunks);
  };
  for (uint16_t i = 0; i < 300; ++i) feed(i);  // rings fill, layers settle
  const size_t before = test_allocations;
  const size_t sent = viewer_sink_.count;
  for (uint16_t i = 300; i < 600; ++i) feed(i);
  EXPECT_EQ(test_allocations - before, 0u);
  EXPECT_GT(viewer_sink_.count, sent + 800);
  EXPECT_GT(others[0]->count, 800u);
  EXPECT_EQ(pool_.free_count(), kSlots - 2 * 512);
  EXPECT_EQ(recording.stats().packets, 3'600u);
  EXPECT_EQ(recording.stats().dropped, 0u);
  recording.stop({Code::kOk, {}, 0}, now_);
}

TEST_F(RoomTest, WhoLeavesTakesItsTracksAlong) {
  const TrackId track = publish({{"", 1, 0}});
  watch(track);
  EXPECT_TRUE(room_.watched(track));
  ASSERT_TRUE(room_.set_options(viewer_, track, {.paused = true}));
  EXPECT_FALSE(room_.watched(track));
  give({.sequence = 1, .key = true});
  turn();
  EXPECT_EQ(viewer_sink_.got.size(), 0u);  // paused
  room_.leave(gm_);
  EXPECT_EQ(room_.track(track), nullptr);
  EXPECT_TRUE(room_.subscriber(viewer_)->watches().empty());
  EXPECT_EQ(pool_.free_count(), kSlots);
}

TEST_F(RoomTest, LimitsAndMisfitsHaveNumbers) {
  const TrackId track = publish({{"", 1, 0}});
  EXPECT_EQ(room_.publish(gm_, line("v", rtc::RtpCodec::kVp8, {{"", 7, 0}}), 1).error().code,
            Code::kTrackExists);
  EXPECT_EQ(room_.watch(viewer_, 99, line("1", rtc::RtpCodec::kVp8), {}, {}).error().code,
            Code::kTrackUnknown);
  EXPECT_EQ(room_.watch(viewer_, track, line("1", rtc::RtpCodec::kVp9), {}, {}).error().code,
            Code::kTrackCodec);
  watch(track);
  EXPECT_EQ(room_.watch(viewer_, track, line("1", rtc::RtpCodec::kVp8), {}, {}).error().code,
            Code::kTrackExists);
  for (int i = 1; i < 16; ++i) {
    ASSERT_TRUE(room_.publish(gm_,
                              line("m" + std::to_string(i), rtc::RtpCodec::kVp8,
                                   {{"", 100u + static_cast<uint32_t>(i), 0}}),
                              1));
  }
  EXPECT_EQ(room_.publish(gm_, line("one more", rtc::RtpCodec::kVp8, {{"", 7, 0}}), 1).error().code,
            Code::kTrackLimit);
}

TEST_F(RoomTest, APictureThereIsNoRoomForIsProbedForWithPadding) {
  const TrackId track = publish({{"", 1, 0}});
  for (const uint32_t rtx : {5001u, 0u}) {
    room_.leave(viewer_);
    viewer_ = *room_.join(viewer_sink_, {100'000, 40'000, 30'000'000});
    // Far more than the estimate, before anybody watches: its rate is known then.
    const auto base = static_cast<uint16_t>(rtx ? 0 : 300);
    for (uint16_t i = 1; i < 200; ++i) {
      give({.sequence = static_cast<uint16_t>(base + i), .timestamp = i * 900u, .bytes = 1000});
      turn();
    }
    watch(track, {}, rtx);
    viewer_sink_.got.clear();
    for (uint16_t i = 200; i < 260; ++i) {
      give({.sequence = static_cast<uint16_t>(base + i),
            .timestamp = i * 900u,
            .key = i == 210,
            .bytes = 1000});
      turn();
    }
    ASSERT_GT(viewer_sink_.got.size(), 4u);
    uint16_t next = viewer_sink_.got[0].view.sequence;
    for (const auto& each : viewer_sink_.got) {
      EXPECT_EQ(each.view.ssrc, rtx ? rtx : 5000u);
      EXPECT_EQ(each.view.sequence, next++);
      EXPECT_EQ(each.view.payload_bytes, 0u);
      EXPECT_EQ(each.view.padding_bytes, 255u);
    }
  }
}

TEST_F(RoomTest, AStreamThatCarriesAnotherTrackGoesOnWithItsNumbers) {
  const TrackId first = publish({{"", 1, 0}});
  watch(first);
  give({.sequence = 1, .timestamp = 0, .key = true, .picture = 40});
  give({.sequence = 2, .timestamp = 3000, .picture = 41});
  turn();
  ASSERT_EQ(viewer_sink_.got.size(), 2u);
  const auto before = viewer_sink_.got[1].view;
  room_.unpublish(first);
  const TrackId second = *room_.publish(gm_, line("w", rtc::RtpCodec::kVp8, {{"", 2, 0}}), 100);
  watch(second);  // on the same SSRC
  turn();
  give({.ssrc = 2, .sequence = 30'000, .timestamp = 900'000, .key = true, .picture = 7});
  turn();
  ASSERT_EQ(viewer_sink_.got.size(), 3u);
  const auto after = viewer_sink_.got[2].view;
  EXPECT_EQ(after.ssrc, before.ssrc);
  EXPECT_EQ(after.sequence, before.sequence + 1);
  EXPECT_GT(static_cast<int32_t>(after.timestamp - before.timestamp), 0);
  EXPECT_LT(after.timestamp - before.timestamp, 90'000u);
}

}  // namespace
}  // namespace footlight::sfu
