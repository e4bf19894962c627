// One show in two rooms: the tracks of one are copied to the other, by a lane.
#include <cstring>

#include "core/byte_lane.h"
#include "sfu/internal/test_room.h"

namespace footlight::sfu {
namespace {

class RoomCopies : public RoomTest, public TrackCopies {
 protected:
  struct Head {
    Room::CopyOf of;
    bool report = false;
    MonoUs at = 0;
    rtc::SenderInfo info;
  };
  bool on_packet(const Track& track, uint8_t encoding, const Packet& packet) override {
    const Head head{{track.id, encoding, packet.sequence}, false, 0, {}};
    return put(head, packet.view.bytes);
  }
  void on_report(const Track& track, uint8_t encoding, const rtc::SenderInfo& info,
                 MonoUs at) override {
    put({{track.id, encoding, 0}, true, at, info}, {});
  }
  bool put(const Head& head, ByteView bytes) {
    const auto room = full_ ? std::span<uint8_t>() : lane_.room(sizeof head + bytes.size());
    if (room.empty()) return false;
    std::memcpy(room.data(), &head, sizeof head);
    std::ranges::copy(bytes, room.begin() + sizeof head);
    lane_.commit();
    ++copied_;
    return true;
  }
  // Publishes at home, shows it in the other room and watches it there.
  TrackId shown(std::vector<rtc::NegotiatedEncoding> encodings) {
    const TrackId track = publish(std::move(encodings));
    show(track);
    return track;
  }
  void show(TrackId track) {
    person_ = *mirror_.join(person_sink_);
    far_ = *mirror_.join(far_sink_, {10'000'000, 40'000, 30'000'000});
    EXPECT_TRUE(mirror_.publish_copy(person_, track, *room_.describe(track), 100));
    EXPECT_TRUE(mirror_.watch(far_, track, line("1", rtc::RtpCodec::kVp8),
                              {"1", "c", "s t", 8000, 8001}, {}));
    mirror_.on_time(now_ += Room::kTickUs);  // when nothing is known yet
    copy(track);
  }
  void copy(TrackId track) {
    room_.copy(track, this, 1);
    mirror_.expect(track, room_.pace(track, now_), now_);
  }
  void carry() {
    while (const auto record = lane_.front()) {
      Head head;
      std::memcpy(&head, record->data(), sizeof head);
      const ByteView bytes = record->subspan(sizeof head);
      if (head.report) {
        mirror_.on_copied_report(head.of, head.info, head.at);
      } else {
        Packet* packet = mirror_pool_.take();
        ASSERT_NE(packet, nullptr);
        std::ranges::copy(bytes, packet->buffer.begin());
        mirror_.on_copy(head.of, packet, std::span(packet->buffer).first(bytes.size()), now_);
      }
      lane_.pop();
    }
    mirror_.flush(now_);
  }
  void both(MonoUs step = 10'000) {
    room_.copy_out();
    carry();
    turn(step);
    mirror_.on_time(now_);
    for (const auto& wish : mirror_.key_frames_wanted()) {
      room_.request_key_frame(wish.track, wish.encoding);
    }
    mirror_.key_frames_wanted().clear();
  }
  // Frame `i` of three packets of each encoding, from 1 on.
  void frame(uint16_t i, bool key, uint32_t encodings = 1) {
    for (uint32_t ssrc = 1; ssrc <= encodings; ++ssrc) {
      for (uint16_t k = 0; k < 3; ++k) {
        give({.ssrc = ssrc,
              .sequence = static_cast<uint16_t>(3 * i + k),
              .timestamp = i * 3000u,
              .key = key,
              .first = k == 0,
              .marker = k == 2,
              .picture = i,
              .bytes = 200 * ssrc});
      }
    }
  }

  PacketPool mirror_pool_{kSlots};
  Room mirror_{mirror_pool_};
  ByteLane lane_{1 << 20};
  Recorder person_sink_, far_sink_;
  MemberId person_ = 0, far_ = 0;
  bool full_ = false;
  size_t copied_ = 0;
};

TEST_F(RoomCopies, ACopyIsSentAsTheTrackItselfAndCopiedOnceForAllWhoWatchIt) {
  const TrackId track = shown({{"", 1, 0}, {"", 2, 0}});
  watch(track);
  Recorder second;
  const MemberId other = *mirror_.join(second, {10'000'000, 40'000, 30'000'000});
  ASSERT_TRUE(mirror_.watch(other, track, line("1", rtc::RtpCodec::kVp8),
                            {"1", "c", "s t", 8100, 8101}, {}));
  both();
  for (uint16_t i = 1; i < 60; ++i) {
    frame(i, i % 20 == 1, 2);
    both(33'000);
  }
  EXPECT_EQ(copied_, 59u * 6);
  ASSERT_GT(far_sink_.got.size(), 150u);
  EXPECT_GT(second.got.size(), 150u);
  uint16_t expected = far_sink_.got.front().view.sequence;
  for (const Got& got : far_sink_.got) EXPECT_EQ(got.view.sequence, expected++);
  EXPECT_EQ(far_sink_.got.back().bytes.size(), viewer_sink_.got.back().bytes.size())
      << "the same encoding";
  EXPECT_EQ(person_sink_.count + person_sink_.plis + person_sink_.nacks, 0u);
}

TEST_F(RoomCopies, WhatIsWatchedInACopyAloneIsWatched) {
  const TrackId track = publish({{"", 1, 0}});
  EXPECT_FALSE(room_.watched(track));
  copy(track);
  EXPECT_TRUE(room_.watched(track));
  room_.copy(track, nullptr, 0);
  EXPECT_FALSE(room_.watched(track));
  frame(1, true);
  both();
  EXPECT_EQ(copied_, 0u);
}

TEST_F(RoomCopies, WhoComesToACopyGetsAKeyFrameAndWhoeverWantsOneLaterToo) {
  const TrackId track = publish({{"", 1, 0}});
  for (uint16_t i = 1; i < 10; ++i) {
    frame(i, i == 1);
    both(33'000);
  }
  EXPECT_EQ(gm_sink_.plis, 0u);
  show(track);
  for (uint16_t i = 10; i < 40; ++i) {
    frame(i, gm_sink_.plis == 1 && far_sink_.got.empty());
    both(33'000);
  }
  EXPECT_EQ(gm_sink_.plis, 1u);
  EXPECT_GT(far_sink_.got.size(), 60u);
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.pli(2, 8000);
  mirror_.on_rtcp(far_, writer.bytes(), now_);
  both(500'000);
  both(10'000);
  EXPECT_EQ(gm_sink_.plis, 2u);
}

TEST_F(RoomCopies, TheFirstToComeToACopyBeginsWithTheBestThereIsRoomFor) {
  const TrackId track = publish({{"", 1, 0}, {"", 2, 0}});
  for (uint16_t i = 1; i < 40; ++i) {
    frame(i, i == 1, 2);
    both(33'000);
  }
  show(track);
  for (uint16_t i = 40; i < 44; ++i) {
    frame(i, false, 2);
    both();
  }
  EXPECT_EQ(gm_sink_.plis, 1u) << "at once, and of that encoding alone";
  for (uint16_t i = 44; i < 54; ++i) {
    frame(i, i == 44, 2);
    both(33'000);
  }
  EXPECT_EQ(gm_sink_.plis, 1u);
  ASSERT_GE(far_sink_.got.size(), 3u * 9);
  EXPECT_GT(far_sink_.got.front().bytes.size(), 400u);
  // What has gone meanwhile is not expected.
  now_ += 2'000'000;
  EXPECT_FALSE(room_.pace(track, now_).rates[0] || room_.pace(track, now_).rates[1]);
}

TEST_F(RoomCopies, WhatALaneDoesNotTakeAsksForAKeyFrame) {
  shown({{"", 1, 0}});
  for (uint16_t i = 1; i < 30; ++i) {
    frame(i, i == 1);
    both(33'000);
  }
  const size_t before = gm_sink_.plis;
  full_ = true;
  frame(30, false);
  both(500'000);
  full_ = false;
  EXPECT_EQ(gm_sink_.plis, before + 1);
  for (uint16_t i = 31; i < 60; ++i) {
    frame(i, i == 31);
    both(33'000);
  }
  EXPECT_EQ(gm_sink_.plis, before + 1) << "one came";
  EXPECT_GT(far_sink_.got.size(), 3u * 55);
}

TEST_F(RoomCopies, ACopyThatRestedGoesOnWhereverTheNumbersAreMeanwhile) {
  const TrackId track = shown({{"", 1, 0}});
  uint16_t i = 1;
  const auto feed = [&](int frames, bool keys) {
    for (int n = 0; n < frames; ++n, ++i) {
      frame(i, keys && n == 0);
      both(10'000);
    }
  };
  feed(30, true);
  for (const int pause : {11'000, 15'000, 21'000}) {  // times three packets: beyond 16 bits
    ASSERT_TRUE(mirror_.set_options(far_, track, {.paused = true}));
    room_.copy(track, nullptr, 0);
    feed(pause, false);
    const size_t before = far_sink_.got.size();
    ASSERT_TRUE(mirror_.set_options(far_, track, {}));
    copy(track);
    feed(1, false);
    feed(60, true);
    EXPECT_GT(far_sink_.got.size(), before + 150) << pause;
  }
}

TEST_F(RoomCopies, ReportsOfTheSenderReachTheViewersOfACopy) {
  shown({{"", 1, 0}});
  for (uint16_t i = 1; i < 20; ++i) {
    frame(i, i == 1);
    both(33'000);
  }
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.sender_report({1, 77ull << 32, 60'000, 3, 4});
  room_.on_rtcp(gm_, writer.bytes(), now_);
  for (uint16_t i = 20; i < 80; ++i) {
    frame(i, false);
    both(33'000);
  }
  EXPECT_EQ(far_sink_.report.ssrc, 8000u);
  EXPECT_GE(far_sink_.report.ntp >> 32, 77u);
  EXPECT_LE(far_sink_.report.ntp >> 32, 79u);
}

TEST_F(RoomCopies, NothingIsAllocatedForACopiedPacket) {
  const TrackId track = shown({{"", 1, 0}, {"", 2, 0}});
  watch(track);
  std::vector<std::unique_ptr<Recorder>> others;
  for (uint32_t i = 0; i < 20; ++i) {
    others.push_back(std::make_unique<Recorder>());
    others.back()->keep = false;
    const MemberId member = *mirror_.join(*others.back(), {10'000'000, 40'000, 30'000'000});
    ASSERT_TRUE(mirror_.watch(member, track, line("1", rtc::RtpCodec::kVp8),
                              {"1", "c", "s t", 6000 + 2 * i, 6001 + 2 * i}, {}));
  }
  viewer_sink_.keep = far_sink_.keep = gm_sink_.keep = false;
  for (uint16_t i = 0; i < 300; ++i) {
    frame(i, i % 50 == 0, 2);
    both();
  }
  const size_t before = test_allocations, copied = copied_, sent = far_sink_.count;
  for (uint16_t i = 300; i < 600; ++i) {
    frame(i, i % 50 == 0, 2);
    both();
  }
  EXPECT_EQ(test_allocations - before, 0u);
  EXPECT_EQ(copied_ - copied, 300u * 6);
  EXPECT_GT(far_sink_.count, sent + 800);
  EXPECT_GT(others[0]->count, 800u);
  EXPECT_EQ(mirror_pool_.free_count(), kSlots - 2 * 512);
}

TEST_F(RoomCopies, SpeakersAreThoseOfHome) {
  Speakers home, far;
  for (const uint32_t voice : {1u, 2u, 3u}) home.add(voice);
  for (const uint32_t voice : {3u, 1u, 2u, 9u}) far.add(voice);
  for (MonoUs now = 0; now < 3'000'000; now += 20'000) {
    home.on_level(2, {true, static_cast<uint8_t>(now < 1'000'000 ? 20 : 127)}, now);
    home.on_level(3, {true, static_cast<uint8_t>(now < 1'000'000 ? 127 : 30)}, now);
    home.update(now);
  }
  ASSERT_EQ(home.active(), 3u);
  far.follow(home.order(), true);
  EXPECT_EQ(far.active(), 3u);
  for (const uint32_t voice : {1u, 2u, 3u}) {
    EXPECT_EQ(far.rank(voice), home.rank(voice));
    EXPECT_EQ(far.loudness(voice), home.loudness(voice));
  }
  EXPECT_EQ(far.rank(9), 3u);
  far.follow({}, false);
  EXPECT_FALSE(far.active());
  EXPECT_EQ(far.loudness(3), 0);
}

}  // namespace
}  // namespace footlight::sfu
