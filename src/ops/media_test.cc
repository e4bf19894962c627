// The synthetic people of load and rehearsals beside the server's own transports and forwarding, on
// virtual time, over a wire that loses what the test says.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <queue>

#include "core/prng.h"
#include "ops/clip.h"
#include "ops/media_publisher.h"
#include "ops/media_watcher.h"
#include "ops/whip.h"
#include "rtc/peer.h"
#include "rtc/sdp_answer.h"
#include "sfu/payload.h"

namespace footlight::ops {
namespace {

class SeededEntropy final : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next());
  }

 private:
  Prng prng_{11};
};

SeededEntropy& entropy() {
  static SeededEntropy made;
  return made;
}
std::shared_ptr<const rtc::DtlsIdentity> identity() {
  static const auto made = *rtc::DtlsIdentity::make(entropy(), 1'700'000'000'000);
  return made;
}

// A server with the SSRC of the sender left as it is: what comes from the publisher goes to the
// watcher, and the watcher's RTCP to the publisher. So both ends of repair are the clients'.
class Relay {
 public:
  explicit Relay(bool rtx) : rtx_(rtx) {}

  std::string answer(const std::string& offer, rtc::Peer*& peer) {
    auto parsed = rtc::parse_sdp(offer);
    EXPECT_TRUE(parsed);
    peer = *transports_.open(now);
    if (!rtx_) {
      for (auto& media : parsed->media) {
        std::erase_if(media.codecs, [](const auto& codec) { return codec.name == "rtx"; });
      }
    }
    rtc::AnswerInput input;
    input.session_id = "5";
    input.ice = transports_.credentials(*peer);
    input.fingerprint = transports_.fingerprint();
    input.candidates = {{.priority = 5, .address = kUnreachable},
                        {.priority = 1, .address = kHere}};
    for (const auto& media : parsed->media) {
      if (media.direction == rtc::SdpDirection::kRecvOnly) {
        input.outgoing.push_back({media.mid, "c", "s t", 1000, 0});
      }
    }
    auto answered = rtc::answer_offer(*parsed, input);
    EXPECT_TRUE(answered);
    EXPECT_TRUE(peer->negotiate(*answered, now));
    return rtc::write_sdp(answered->description);
  }

  void on_datagram(const rtc::Path& path, std::span<uint8_t> datagram) {
    const auto received = transports_.on_datagram(path, datagram, now);
    rtc::Peer* other = received.peer == publishing ? watching : publishing;
    if (!other) return;
    if (received.kind == rtc::ReceivedKind::kRtp) {
      rtc::RtpView view;
      ASSERT_TRUE(rtc::parse_rtp(received.bytes, view));
      if (received.peer == publishing) other->send_rtp(view.head(), view.payload());
    }
    if (received.kind == rtc::ReceivedKind::kRtcp) other->send_rtcp(received.bytes);
  }
  void on_time() { transports_.on_time(now); }
  rtc::DatagramOut& out() { return transports_.out(); }

  static inline const rtc::Address kHere = rtc::Address::v4(192, 0, 2, 1, 8080);
  static inline const rtc::Address kUnreachable = rtc::Address::v4(198, 51, 100, 7, 8080);
  MonoUs now = 0;
  rtc::Peer* publishing = nullptr;
  rtc::Peer* watching = nullptr;

 private:
  bool rtx_;
  rtc::PeerTransports transports_{entropy(), identity(), {}};
};

// One publisher, one watcher, the relay between them; 5 ms each way.
class World {
 public:
  explicit World(bool rtx = true, bool simulcast = false, ClipKind kind = ClipKind::kPeople)
      : relay_(rtx) {
    PublisherOptions published;
    published.clip = &clip(kind, 1);
    published.simulcast = simulcast;
    published.run = 77;
    published.wall_offset_us = 1'700'000'000'000'000;
    publisher = std::make_unique<MediaPublisher>(published, rtc::ClientPeer::Config{1}, entropy(),
                                                 identity(), out_);
    watcher = std::make_unique<MediaWatcher>(WatcherOptions{1, 1, 77}, rtc::ClientPeer::Config{2},
                                             entropy(), identity(), out_);
  }
  void join() {
    ASSERT_TRUE(watcher->accept(relay_.answer(watcher->offer(), relay_.watching), now_));
    ASSERT_TRUE(publisher->accept(relay_.answer(publisher->offer(), relay_.publishing), now_));
  }
  void run(MonoUs length) {
    for (const MonoUs end = now_ + length; now_ < end; now_ += kUsPerMs) {
      relay_.now = now_;
      while (!wire_.empty() && wire_.top().at <= now_) {
        const Flying flying = wire_.top();
        wire_.pop();
        Bytes bytes = flying.bytes;
        deliver(flying, bytes);
      }
      if (publisher->deadline() <= now_) publisher->on_time(now_);
      if (watcher->deadline() <= now_) watcher->on_time(now_);
      relay_.on_time();
      take(out_, true);
      take(relay_.out(), false);
    }
  }
  Relay& relay() { return relay_; }
  MonoUs now() const { return now_; }

  std::unique_ptr<MediaPublisher> publisher;
  std::unique_ptr<MediaWatcher> watcher;
  // Whether a media packet of the publisher is lost, by its number.
  std::function<bool(uint64_t)> loses;
  uint64_t lost = 0;

 private:
  struct Flying {
    MonoUs at = 0;
    uint64_t order = 0;
    bool to_server = false;
    uint32_t client = 0;
    Bytes bytes;
    bool operator<(const Flying& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  void deliver(const Flying& flying, Bytes& bytes) {
    const rtc::Address client =
        rtc::Address::v4(192, 0, 2, 9, static_cast<uint16_t>(flying.client));
    if (!flying.to_server) {
      if (flying.client == 1) return publisher->on_datagram(Relay::kHere, bytes, now_);
      return watcher->on_datagram(Relay::kHere, bytes, now_);
    }
    const bool media = rtc::datagram_kind(bytes) == rtc::DatagramKind::kRtp;
    if (media && loses && loses(published_++)) {
      ++lost;
      return;
    }
    relay_.on_datagram({client, 0, false}, bytes);
  }
  void take(rtc::DatagramOut& out, bool from_client) {
    for (size_t i = 0; i < out.batch_count(); ++i) {
      const rtc::SendBatch batch = out.batch(i);
      size_t at = 0;
      for (const uint16_t size : batch.sizes) {
        const ByteView each = batch.bytes.subspan(at, size);
        at += size;
        if (from_client && batch.path.remote != Relay::kHere) continue;  // nobody lives there
        const uint32_t client = from_client ? batch.path.socket : batch.path.remote.port;
        wire_.push(
            {now_ + 5 * kUsPerMs, order_++, from_client, client, Bytes(each.begin(), each.end())});
      }
    }
    out.clear();
  }

  MonoUs now_ = 10 * kUsPerSecond;
  rtc::DatagramOut out_{1 << 20, 1024};
  Relay relay_;
  std::priority_queue<Flying> wire_;
  uint64_t order_ = 0, published_ = 0;
};

TEST(Clip, every_person_has_three_sizes_shown_frames_and_a_voice_with_pauses) {
  for (size_t i = 0; i < clip_count(); ++i) {
    const Clip& one = clip(i);
    ASSERT_EQ(one.layers.size(), 3u);
    for (const ClipLayer& layer : one.layers) {
      ASSERT_EQ(layer.frames.size(), one.layers[0].frames.size());
      for (const ClipFrame& frame : layer.frames) {
        ASSERT_GT(frame.bytes.size(), 3u);
        EXPECT_EQ((frame.bytes[0] & 1) == 0, frame.key);  // RFC 6386 section 9.1
        EXPECT_TRUE(frame.bytes[0] & 0x10) << "not shown";
        if (!frame.key) continue;
        ASSERT_GT(frame.bytes.size(), 10u);
        EXPECT_EQ(frame.bytes[6] | (frame.bytes[7] & 0x3F) << 8, layer.width);
      }
    }
    const double frame_s = static_cast<double>(one.frame_count()) / one.frames_per_s;
    EXPECT_DOUBLE_EQ(frame_s, static_cast<double>(one.voice.size()) / 50);
    const auto loud = std::ranges::count_if(one.voice, [](const auto& v) { return v.voice; });
    EXPECT_GT(loud, 50);
    EXPECT_LT(loud, 200);
    for (const ClipVoice& voice : one.voice) EXPECT_TRUE(voice.has_room);
  }
}

TEST(Clip, a_made_picture_and_a_made_voice_have_the_rates_that_benchmarks_state) {
  const Clip &picture = clip(ClipKind::kPicture, 0), &voice = clip(ClipKind::kVoice, 0);
  EXPECT_EQ(picture.frames_per_s, 30);
  EXPECT_TRUE(picture.voice.empty());
  ASSERT_EQ(picture.layers.size(), 1u);
  for (const ClipFrame& frame : picture.layers[0].frames) {
    EXPECT_EQ((frame.bytes.size() + picture.chunk_bytes - 1) / picture.chunk_bytes, kPictureChunks);
    EXPECT_EQ((frame.bytes[0] & 1) == 0, frame.key);
  }
  EXPECT_EQ(voice.frame_count(), 0u);
  ASSERT_EQ(voice.voice.size(), 1u);
  EXPECT_EQ(voice.voice[0].packet.size(), 100u);
  EXPECT_TRUE(voice.voice[0].has_room);
}

TEST(MediaClients, who_has_a_picture_or_a_voice_alone_offers_no_more_and_sends_it) {
  for (const ClipKind kind : {ClipKind::kPicture, ClipKind::kVoice}) {
    World world(true, true, kind);
    world.join();
    world.run(3 * kUsPerSecond);
    ASSERT_TRUE(world.publisher->peer().connected());
    EXPECT_EQ(world.publisher->offer().find("m=", world.publisher->offer().find("m=") + 1),
              std::string::npos);
    const PublisherStats sent = world.publisher->stats();
    const WatcherStats seen = world.watcher->stats(world.now());
    const bool picture = kind == ClipKind::kPicture;
    EXPECT_EQ(sent.packets, picture ? sent.frames * kPictureChunks : sent.packets);
    EXPECT_GT(sent.packets, picture ? 700u : 140u);
    const MeterStats& came = picture ? seen.video : seen.voice;
    EXPECT_EQ((picture ? seen.voice : seen.video).packets, 0u);
    EXPECT_GE(came.packets + 20, sent.packets);
    EXPECT_GE(seen.video.frames, picture ? 80u : 0u);
    EXPECT_EQ(seen.video.freezes, 0u);
    EXPECT_GT((picture ? seen.video_us : seen.voice_us).count(), 70u);
  }
}

TEST(Clip, what_is_no_clip_is_refused_wherever_it_ends) {
  Bytes bytes;
  for (const char c : std::string_view("FLCLIP1\n")) bytes.push_back(static_cast<uint8_t>(c));
  for (const int byte : {1, 25, 0, 1, 0, 1, 0, 16, 0, 16, 1, 0, 0, 2, 9, 9, 127, 0, 1, 8}) {
    bytes.push_back(static_cast<uint8_t>(byte));
  }
  ASSERT_TRUE(read_clip(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(read_clip(ByteView(bytes).first(size))) << size;
  }
  bytes.push_back(0);
  EXPECT_FALSE(read_clip(bytes)) << "something follows";
}

TEST(Clip, a_stamp_is_read_by_its_own_run_alone) {
  Bytes payload(40);
  write_stamp(std::span(payload).last<kStampBytes>(), 5, 123'456);
  EXPECT_EQ(read_stamp(payload, 5), 123'456);
  EXPECT_EQ(read_stamp(payload, 6), std::nullopt);
  EXPECT_EQ(read_stamp(ByteView(payload).last(15), 5), std::nullopt);
}

TEST(MediaClients, get_connected_though_the_best_candidate_is_dead_and_measure_the_way) {
  World world;
  world.join();
  world.run(3 * kUsPerSecond);
  ASSERT_TRUE(world.publisher->peer().connected());
  ASSERT_TRUE(world.watcher->peer().connected());
  EXPECT_EQ(world.watcher->peer().round_trip_us(), 10 * kUsPerMs);
  const WatcherStats stats = world.watcher->stats(world.now());
  EXPECT_GT(stats.voice.packets, 130u);
  EXPECT_GT(stats.video.frames, 60u);
  EXPECT_EQ(stats.voice.lost() + stats.video.lost() + stats.video.freezes, 0u);
  EXPECT_EQ(stats.unknown, 0u);
  // Two hops of 5 ms, each taken in the next millisecond.
  EXPECT_GE(stats.voice_us.quantile(500), 10'000u);
  EXPECT_LE(stats.video_us.max(), 13'000u);
  EXPECT_EQ(stats.first_frame_us.count(), 1u);
  EXPECT_EQ(world.watcher->peer().refused() + world.publisher->peer().refused(), 0u);
  // The watcher's reports reached the publisher.
  EXPECT_GT(world.publisher->stats().round_trip_us, 19 * kUsPerMs);
  EXPECT_LT(world.publisher->stats().round_trip_us, 25 * kUsPerMs);
}

TEST(MediaClients, what_is_lost_is_asked_for_and_sent_again_by_rtx_or_as_it_was) {
  for (const bool rtx : {true, false}) {
    World world(rtx);
    world.loses = [](uint64_t number) { return number > 50 && number % 13 == 0; };
    world.join();
    world.run(8 * kUsPerSecond);
    world.loses = nullptr;
    world.run(kUsPerSecond);
    const WatcherStats stats = world.watcher->stats(world.now());
    EXPECT_GT(world.lost, 30u);
    EXPECT_GE(stats.voice.gaps + stats.video.gaps, world.lost * 8 / 10);
    EXPECT_EQ(stats.voice.lost() + stats.video.lost(), 0u) << (rtx ? "by RTX" : "as it was");
    EXPECT_GT(world.publisher->stats().sent_again, world.lost * 8 / 10);
    EXPECT_EQ(stats.video.freezes, 0u);
    EXPECT_GT(stats.video.frames, 200u);
    EXPECT_EQ(world.watcher->peer().refused(), 0u);
  }
}

TEST(MediaClients, a_picture_that_cannot_be_repaired_goes_on_with_a_key_frame_that_is_asked_for) {
  World world;
  world.join();
  world.run(kUsPerSecond);
  // Nothing comes for as long as nothing can be sent again.
  world.loses = [](uint64_t) { return true; };
  world.run(8 * kUsPerSecond);
  const uint64_t before = world.watcher->stats(world.now()).video.frames;
  world.loses = nullptr;
  world.run(2 * kUsPerSecond);
  const WatcherStats stats = world.watcher->stats(world.now());
  EXPECT_GT(stats.video.frames, before + 25);
  EXPECT_EQ(stats.video.freezes, 1u);
  EXPECT_GT(stats.video.frozen_us, 7 * kUsPerSecond);
  EXPECT_GT(stats.video.lost(), 0u);
}

TEST(MediaClients, who_asks_for_a_key_frame_gets_it_with_the_next_frame_due) {
  World world;
  world.join();
  world.run(1'500 * kUsPerMs);
  const uint64_t before = world.publisher->stats().key_frames;
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  rtc::Peer* server = world.relay().publishing;
  const auto parsed = *rtc::parse_sdp(world.publisher->offer());
  ASSERT_EQ(parsed.media.at(1).ssrcs.size(), 2u);
  ASSERT_TRUE(writer.pli(1, parsed.media[1].ssrcs[0].ssrc));
  server->send_rtcp(writer.bytes());
  world.run(60 * kUsPerMs);
  EXPECT_EQ(world.publisher->stats().key_frames_asked, 1u);
  EXPECT_EQ(world.publisher->stats().key_frames, before + 1);
  // Every frame could be decoded, and the picture is in step again after a second.
  world.run(2 * kUsPerSecond);
  const WatcherStats stats = world.watcher->stats(world.now());
  EXPECT_EQ(stats.video.frames, world.publisher->stats().frames);
  EXPECT_EQ(stats.video.freezes, 0u);
}

TEST(MediaClients, a_publisher_offers_simulcast_and_sends_the_best_alone_where_it_is_not_taken) {
  World world(true, true);
  const auto offer = *rtc::parse_sdp(world.publisher->offer());
  EXPECT_EQ(offer.media[1].simulcast_send, (std::vector<std::string>{"q", "h", "f"}));
  rtc::Peer* peer = nullptr;
  auto answer = *rtc::parse_sdp(world.relay().answer(world.publisher->offer(), peer));
  answer.media[1].simulcast_recv.clear();
  answer.media[1].rids.clear();
  ASSERT_TRUE(world.publisher->accept(rtc::write_sdp(answer), world.now()));
  world.run(2 * kUsPerSecond);
  ASSERT_TRUE(world.publisher->peer().connected());
  EXPECT_GT(world.publisher->stats().frames, 20u);
  EXPECT_LT(world.publisher->stats().frames, 60u) << "more than one encoding";
}

TEST(MediaClients, answers_that_say_nothing_useful_are_refused) {
  World world;
  EXPECT_EQ(world.publisher->accept("what?", 0).error().code, Code::kSdpSyntax);
  rtc::Peer* peer = nullptr;
  auto answer = *rtc::parse_sdp(world.relay().answer(world.watcher->offer(), peer));
  auto wrong = answer;
  for (auto& media : wrong.media) media.candidates.clear();
  EXPECT_EQ(world.watcher->accept(rtc::write_sdp(wrong), 0).error().code, Code::kSdpTransport);
  wrong = answer;
  for (auto& media : wrong.media) media.direction = rtc::SdpDirection::kInactive;
  EXPECT_EQ(world.watcher->accept(rtc::write_sdp(wrong), 0).error().code, Code::kTrackCodec);
  wrong = answer;
  wrong.media.push_back(wrong.media[0]);
  EXPECT_EQ(world.watcher->accept(rtc::write_sdp(wrong), 0).error().code, Code::kSdpChanged);
}

TEST(MediaClients, a_server_that_falls_silent_is_given_up_after_thirty_seconds) {
  World world;
  world.join();
  world.run(kUsPerSecond);
  ASSERT_TRUE(world.watcher->peer().connected());
  for (MonoUs at = world.now(); at < world.now() + 40 * kUsPerSecond; at += 100 * kUsPerMs) {
    world.watcher->on_time(at);
  }
  EXPECT_EQ(world.watcher->peer().state(), rtc::ClientPeerState::kClosed);
  EXPECT_EQ(world.watcher->peer().error().code, Code::kIceConsent);
  EXPECT_EQ(world.watcher->deadline(), kNever);
}

TEST(StreamMeter, counts_what_is_late_as_repaired_and_what_is_twice_as_a_duplicate) {
  StreamMeter meter(false);
  for (const uint16_t sequence : {65'534, 65'535, 2, 0, 2, 1}) {
    meter.accept({.sequence = sequence, .bytes = 10}, 1'000);
  }
  const MeterStats stats = meter.stats(1'000);
  EXPECT_EQ(stats.packets, 5u);
  EXPECT_EQ(stats.duplicates, 1u);
  EXPECT_EQ(stats.gaps, 2u);
  EXPECT_EQ(stats.repaired, 2u);
  EXPECT_EQ(stats.frames, 5u);
}

TEST(StreamMeter, a_delta_frame_behind_a_hole_is_not_decoded_before_a_key_frame) {
  StreamMeter meter(true);
  const auto frame = [&](uint16_t sequence, bool key, MonoUs now) {
    meter.accept({.sequence = sequence, .key = key}, now);
  };
  frame(10, true, 0);
  frame(11, false, 40'000);
  frame(13, false, 120'000);  // 12 is lost for good
  EXPECT_EQ(meter.stats(120'000).frames, 2u);
  frame(14, false, 600'000);  // given up
  EXPECT_EQ(meter.stats(600'000).frames, 2u);
  EXPECT_TRUE(meter.take_key_frame_request(600'000));
  EXPECT_FALSE(meter.take_key_frame_request(700'000)) << "so soon again";
  frame(15, true, 1'000'000);
  frame(16, false, 1'040'000);
  const MeterStats stats = meter.stats(1'040'000);
  EXPECT_EQ(stats.frames, 4u);
  EXPECT_EQ(stats.freezes, 1u);
  EXPECT_EQ(stats.frozen_us, 960'000);
  EXPECT_EQ(meter.stats(2'000'000).freezes, 2u) << "it stands still now";
}

TEST(Whip, a_location_is_resolved_from_where_it_was_answered) {
  const std::string base = "https://node.example:8443/v1/whip/demo?label=screen";
  EXPECT_EQ(resolve_location(base, "https://other.example/x"), "https://other.example/x");
  EXPECT_EQ(resolve_location(base, "/v1/whip/demo/77"),
            "https://node.example:8443/v1/whip/demo/77");
  EXPECT_EQ(resolve_location(base, "demo/77"), "https://node.example:8443/v1/whip/demo/77");
  EXPECT_EQ(resolve_location(base, "../77"), "https://node.example:8443/v1/77");
  EXPECT_EQ(resolve_location(base, "../../../../77"), "https://node.example:8443/77");
  EXPECT_EQ(resolve_location(base, "//cdn.example/77"), "https://cdn.example/77");
  EXPECT_EQ(resolve_location("http://node.example", "x"), "http://node.example/x");
  EXPECT_EQ(resolve_location(base, ""), "");
}

}  // namespace
}  // namespace footlight::ops
