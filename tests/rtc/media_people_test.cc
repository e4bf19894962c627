// The synthetic people of load and rehearsals (src/ops) on the server's media, on virtual time,
// over wires with a delay that lose what the test says.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <vector>

#include "edge/media.h"
#include "media_client.h"
#include "ops/media_publisher.h"
#include "ops/media_watcher.h"

namespace footlight::edge {
namespace {

using ops::MediaPublisher;
using ops::MediaWatcher;

constexpr MonoUs kWayUs = 5 * kUsPerMs;
const rtc::Address kServer = rtc::Address::v4(192, 0, 2, 1, 8080);

class Table {
 public:
  Table() : media_(options(), entropy_) {}

  MediaPublisher& publisher() {
    ops::PublisherOptions made;
    made.clip = &ops::clip(publishers_.size());
    made.wall_offset_us = 1'700'000'000'000'000;
    publishers_.push_back(std::make_unique<MediaPublisher>(made, rtc::ClientPeer::Config{number()},
                                                           entropy_, identity(), out_));
    MediaPublisher& one = *publishers_.back();
    EXPECT_TRUE(one.accept(open(MediaUse::kPublish, one.offer()), now_));
    people_.push_back({[&one](auto bytes, MonoUs now) { one.on_datagram(kServer, bytes, now); },
                       [&one](MonoUs now) { one.on_time(now); }});
    return one;
  }
  MediaWatcher& watcher(size_t places) {
    watchers_.push_back(std::make_unique<MediaWatcher>(ops::WatcherOptions{places, places, 1},
                                                       rtc::ClientPeer::Config{number()}, entropy_,
                                                       identity(), out_));
    MediaWatcher& one = *watchers_.back();
    EXPECT_TRUE(one.accept(open(MediaUse::kWatch, one.offer()), now_));
    people_.push_back({[&one](auto bytes, MonoUs now) { one.on_datagram(kServer, bytes, now); },
                       [&one](MonoUs now) { one.on_time(now); }});
    return one;
  }
  void run(MonoUs length) {
    for (const MonoUs end = now_ + length; now_ < end; now_ += kUsPerMs) {
      while (!wire_.empty() && wire_.top().at <= now_) {
        Flying flying = wire_.top();
        wire_.pop();
        deliver(flying);
      }
      media_.flush(now_);
      for (auto& person : people_) person.on_time(now_);
      media_.on_time(now_);
      take(out_, true);
      take(media_.out(), false);
    }
  }
  MonoUs now() const { return now_; }
  const Media& media() const { return media_; }

  // Of the way to those who watch; 0: any. What would wait longer than 300 ms is lost.
  int64_t rate_bps = 0;
  // Whether a media packet to those who watch is lost, by its number.
  std::function<bool(uint64_t)> loses;
  uint64_t lost = 0;

 private:
  struct Flying {
    MonoUs at = 0;
    uint64_t order = 0;
    bool to_server = false;
    uint16_t person = 0;
    Bytes bytes;
    bool operator<(const Flying& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Person {
    std::function<void(std::span<uint8_t>, MonoUs)> on_datagram;
    std::function<void(MonoUs)> on_time;
  };
  static std::shared_ptr<const rtc::DtlsIdentity> identity() {
    static rtc::SeededEntropy entropy(9);
    static const auto made = *rtc::DtlsIdentity::make(entropy, 1'700'000'000'000);
    return made;
  }
  static MediaOptions options() {
    MediaOptions options;
    options.identity = identity();
    options.candidates.udp = {kServer};
    options.packet_slots = 32'768;  // a picture in three encodings takes 1,536
    return options;
  }
  uint32_t number() const { return static_cast<uint32_t>(people_.size()); }
  std::string open(MediaUse use, const std::string& offer) {
    is_publisher_.push_back(use == MediaUse::kPublish);
    MediaRequest request;
    request.use = use;
    request.episode = "demo";
    request.who = 100 + number();
    request.role = use == MediaUse::kPublish ? proto::Role::kPlayer : proto::Role::kViewer;
    request.grants = {0xFF};
    auto answer = media_.open(request, offer, now_);
    EXPECT_TRUE(answer);
    return answer ? answer->sdp : "";
  }
  void deliver(Flying& flying) {
    if (flying.to_server) {
      sfu::Packet* packet = media_.take();
      ASSERT_NE(packet, nullptr);
      std::ranges::copy(flying.bytes, packet->buffer.begin());
      const rtc::Address from = rtc::Address::v4(192, 0, 2, 9, 5000 + flying.person);
      return media_.on_datagram({from, 0, false}, packet, flying.bytes.size(), now_);
    }
    const bool media = rtc::datagram_kind(flying.bytes) == rtc::DatagramKind::kRtp;
    if (media && loses && loses(sent_++)) {
      ++lost;
      return;
    }
    people_[flying.person].on_datagram(flying.bytes, now_);
  }
  void take(rtc::DatagramOut& out, bool to_server) {
    for (size_t i = 0; i < out.batch_count(); ++i) {
      const rtc::SendBatch batch = out.batch(i);
      size_t at = 0;
      for (const uint16_t size : batch.sizes) {
        const ByteView each = batch.bytes.subspan(at, size);
        at += size;
        const auto person =
            static_cast<uint16_t>(to_server ? batch.path.socket : batch.path.remote.port - 5000u);
        MonoUs sent = now_;
        if (!to_server && rate_bps > 0 && !is_publisher_[person]) {
          MonoUs& free_at = free_at_[person];
          if (free_at - now_ > 300 * kUsPerMs) {
            ++lost;
            continue;
          }
          sent = std::max(now_, free_at) + int64_t{size} * 8 * kUsPerSecond / rate_bps;
          free_at = sent;
        }
        wire_.push({sent + kWayUs, order_++, to_server, person, Bytes(each.begin(), each.end())});
      }
    }
    out.clear();
  }

  rtc::SeededEntropy entropy_{5};
  MonoUs now_ = 20 * kUsPerSecond;
  Media media_;
  rtc::DatagramOut out_{1 << 20, 4096};
  std::vector<std::unique_ptr<MediaPublisher>> publishers_;
  std::vector<std::unique_ptr<MediaWatcher>> watchers_;
  std::vector<Person> people_;
  std::vector<bool> is_publisher_;
  std::map<uint16_t, MonoUs> free_at_;
  std::priority_queue<Flying> wire_;
  uint64_t order_ = 0, sent_ = 0;
};

TEST(MediaPeople, AllAreHeardAndSeenAtTheirBestAndNothingIsMissed) {
  Table table;
  std::vector<MediaPublisher*> publishers;
  for (int i = 0; i < 4; ++i) publishers.push_back(&table.publisher());
  MediaWatcher& watcher = table.watcher(4);
  table.run(6 * kUsPerSecond);
  watcher.reset();
  table.run(4 * kUsPerSecond);
  const auto stats = watcher.stats(table.now());
  EXPECT_EQ(stats.voices, 4u);
  EXPECT_EQ(stats.videos, 4u);
  EXPECT_NEAR(static_cast<double>(stats.voice.packets), 4 * 4 * 50, 8);
  EXPECT_NEAR(static_cast<double>(stats.video.frames), 4 * 4 * 25, 8);
  EXPECT_EQ(stats.voice.gaps + stats.video.gaps + stats.video.freezes, 0u);
  EXPECT_LE(stats.video_us.max(), 13'000u);
  // The best encoding of four pictures is more than the two smaller ones together.
  EXPECT_GT(stats.video.bytes * 8 / 4, 4 * 135'000u);
  for (const auto* one : publishers) EXPECT_EQ(one->peer().refused(), 0u);
}

TEST(MediaPeople, WhatIsLostOnTheLastWayIsRepairedByTheServer) {
  Table table;
  table.publisher();
  table.publisher();
  MediaWatcher& watcher = table.watcher(2);
  table.run(3 * kUsPerSecond);
  watcher.reset();
  table.loses = [](uint64_t number) { return number % 25 == 0; };
  table.run(10 * kUsPerSecond);
  table.loses = nullptr;
  table.run(kUsPerSecond);
  const auto stats = watcher.stats(table.now());
  EXPECT_GT(table.lost, 60u);
  EXPECT_GT(stats.video.nacks, 10u);
  EXPECT_EQ(stats.video.lost(), 0u);
  EXPECT_EQ(stats.voice.lost(), 0u);
  EXPECT_EQ(stats.video.freezes, 0u);
  EXPECT_EQ(watcher.peer().refused(), 0u);
}

TEST(MediaPeople, ManyPicturesAreAllShownWithinSeconds) {
  Table table;
  for (int i = 0; i < 10; ++i) table.publisher();
  MediaWatcher& watcher = table.watcher(10);
  table.run(6 * kUsPerSecond);
  watcher.reset();
  table.run(6 * kUsPerSecond);
  const auto stats = watcher.stats(table.now());
  EXPECT_EQ(stats.videos, 10u);
  EXPECT_NEAR(static_cast<double>(stats.video.frames), 10 * 6 * 25, 30);
  EXPECT_EQ(stats.voice.gaps + stats.video.gaps + stats.video.freezes, 0u);
}

TEST(MediaPeople, ANarrowWayShowsSmallerPicturesAndKeepsTheVoices) {
  Table table;
  for (int i = 0; i < 6; ++i) table.publisher();
  MediaWatcher& watcher = table.watcher(6);
  table.rate_bps = 1'200'000;
  table.run(8 * kUsPerSecond);
  watcher.reset();
  table.run(8 * kUsPerSecond);
  const auto stats = watcher.stats(table.now());
  EXPECT_EQ(stats.voice.lost(), 0u);
  EXPECT_GT(stats.voice.packets, 6u * 8 * 50 - 30);
  EXPECT_GT(stats.video.frames, 6u * 8 * 25 - 60);
  EXPECT_EQ(stats.video.freezes, 0u);
  EXPECT_LT(stats.video.bytes * 8 / 8, 900'000u) << "not all at their best";
}

}  // namespace
}  // namespace footlight::edge
