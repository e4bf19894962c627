// A network in a test: links with a rate, a delay, a queue and loss; cameras and microphones that
// publish into a room; viewers behind links that report what arrived as browsers do. Everything
// runs on virtual time and a seed.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "core/prng.h"
#include "core/time.h"
#include "sfu/room.h"

namespace footlight::sfu {

class World {
 public:
  explicit World(uint64_t seed) : prng(seed) {}
  MonoUs now() const { return now_; }
  void at(MonoUs when, std::function<void()> what) {
    events_.push({when, next_++, std::move(what)});
  }
  void every(MonoUs period, std::function<void()> what);
  void run_until(MonoUs end);

  Prng prng;

 private:
  struct Event {
    MonoUs when;
    uint64_t order;
    std::function<void()> what;
    bool operator>(const Event& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  MonoUs now_ = 0;
  uint64_t next_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

// A queue that is served at a rate, then a delay.
class Link {
 public:
  struct Config {
    int64_t rate_bps = 1'000'000'000;
    MonoUs delay_us = 25'000;
    MonoUs queue_us = 300'000;  // what does not fit into this much waiting is lost
    uint32_t loss_per_million = 0;
  };
  Link(World& world, const Config& config) : world_(world), config_(config) {}
  void set_rate(int64_t rate_bps) { config_.rate_bps = rate_bps; }
  // Delivers after queue and delay, or never.
  void send(size_t bytes, std::function<void()> deliver);
  uint64_t dropped() const { return dropped_; }

 private:
  World& world_;
  Config config_;
  MonoUs free_at_ = 0;
  uint64_t dropped_ = 0;
};

// The extension ids and payload types that everybody in these tests uses.
inline constexpr uint8_t kTransportCcId = 3, kMidId = 4, kAudioLevelId = 1;
inline constexpr uint8_t kVideoType = 96, kRtxType = 97, kAudioType = 111;
rtc::NegotiatedMedia video_line(const std::string& mid, std::vector<uint32_t> ssrcs = {});
rtc::NegotiatedMedia audio_line(const std::string& mid, uint32_t ssrc = 0);

// A member that publishes one picture in VP8 and one voice.
class Performer : public Sink {
 public:
  struct Config {
    std::vector<int64_t> encodings_bps = {150'000, 600'000, 2'500'000};
    uint8_t temporal_layers = 1;
    int fps = 30;
    uint32_t first_ssrc = 1000;
    bool audio = true;
  };
  Performer(World& world, Room& room, PacketPool& pool, const Config& config);

  MemberId id() const { return id_; }
  TrackId video() const { return video_; }
  TrackId voice() const { return voice_; }
  void set_audio_level(uint8_t minus_dbov) { level_ = minus_dbov; }
  uint64_t key_frames() const { return key_frames_; }

  void send_rtp(ByteView, ByteView) override {}
  void send_rtcp(ByteView compound) override;

 private:
  struct Camera {
    uint32_t ssrc = 0;
    int64_t bps = 0;
    uint16_t sequence = 0, picture_id = 0;
    uint8_t tl0 = 0;
    bool key_frame = true;
    int frame = 0;
  };
  void frame(Camera& camera);
  void packet(Camera& camera, bool first, bool last, bool key, uint8_t temporal, size_t bytes);
  void audio();
  void reports();
  void give(std::span<const uint8_t> bytes);

  World& world_;
  Room& room_;
  PacketPool& pool_;
  Config config_;
  MemberId id_ = 0;
  TrackId video_ = 0, voice_ = 0;
  std::vector<Camera> cameras_;
  uint16_t audio_sequence_ = 100;
  uint8_t level_ = 30;
  uint64_t key_frames_ = 0;
};

// What a viewer saw of one stream.
struct Seen {
  uint64_t packets = 0, bytes = 0, lost_for_good = 0;
  uint64_t frames = 0;
  MonoUs last_frame_at = 0, longest_freeze_us = 0;
  MonoUs worst_delay_us = 0;  // sending to arrival
};

// A member that watches, behind a link.
class Viewer : public Sink {
 public:
  Viewer(World& world, Room& room, std::shared_ptr<Link> down,
         const BandwidthConfig& bandwidth = {});
  MemberId id() const { return id_; }
  void watch(const Performer& performer, uint8_t priority = 100);
  const Seen& picture(const Performer& performer) {
    return seen_[1'000'000 + performer.video() * 10];
  }
  const Seen& voice(const Performer& performer) {
    return seen_[1'000'000 + performer.voice() * 10];
  }
  int64_t estimate_bps() const { return room_.subscriber(id_)->estimator().estimate_bps(); }
  // Which encoding of the performer's picture goes out now; -1: none.
  int encoding(const Performer& performer) const;
  void reset_seen();

  void send_rtp(ByteView head, ByteView payload) override;
  void send_rtcp(ByteView compound) override;

 private:
  struct Receiving {
    std::unique_ptr<IncomingStream> stream;
    uint32_t ssrc = 0;
    bool video = false;
    int64_t next = -1;  // the first that has not been played
    MonoUs stuck_since = -1;
    bool wants_key_frame = false;
  };
  void arrive(std::vector<uint8_t> bytes, MonoUs sent_at);
  void play(Receiving& receiving);
  void feed_back();
  void ask_again();
  void to_room(std::vector<uint8_t> bytes);

  World& world_;
  Room& room_;
  std::shared_ptr<Link> down_;
  MemberId id_ = 0;
  PacketPool pool_{8192};
  rtc::TransportFeedbackWriter feedback_;
  std::map<uint32_t, Receiving> receiving_;  // by SSRC
  std::map<uint32_t, Seen> seen_;
};

// Runs a room's clock: flushes what came and lets time pass.
void drive(World& world, Room& room);

}  // namespace footlight::sfu
