// The node's side of `footlight-media compose` for tests and benchmarks: starts the program on one
// end of a socket pair, plays the synthetic cast to it as RTP with sender reports, in real time,
// and keeps what comes back.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/time.h"
#include "ops/clip.h"
#include "proto/program_feed.h"

namespace footlight::testing {

class CompositorRig {
 public:
  struct Part {
    uint64_t msn = 0;
    uint16_t part = 0;
    bool independent = false;
    uint64_t tfdt = 0;
    uint32_t duration = 0;
    int64_t pdt_us = 0, arrived_wall_us = 0;
    size_t bytes = 0;
  };
  struct Stream {
    proto::FeedRendition about;
    Bytes file;  // the initialization section and every part
    std::vector<Part> parts;
  };

  // `program`: the path of footlight-media. `arguments` beside the socket.
  CompositorRig(const std::string& program, std::vector<std::string> arguments);
  ~CompositorRig();
  CompositorRig(const CompositorRig&) = delete;
  CompositorRig& operator=(const CompositorRig&) = delete;

  // Seats a person who plays clip `number` in layer `layer`; pictures at `fps`. 0: only a voice.
  void seat(uint8_t slot, const std::string& name, proto::FeedParticipant::Role role, size_t number,
            size_t layer, int fps = 25);
  void unseat(uint8_t slot);
  void speak(uint8_t slot, bool on);
  // What happens to somebody's packets from now on.
  enum class Line { kGood, kDead, kPictureDead, kLossy };
  void set_line(uint8_t slot, Line line);
  void send(const proto::NodeMessage& message);
  // Plays for so long; also returns when the program has ended, or `until` says so.
  void run(MonoUs how_long, bool (*until)(const CompositorRig&) = nullptr);
  void stop_reading(bool on) { deaf_ = on; }
  static int64_t wall_now_us();
  int pid() const { return pid_; }
  bool ended() const { return ended_; }

  std::vector<Stream> streams;
  std::vector<proto::FeedStatus> statuses;
  std::vector<proto::FeedCueShown> cues;
  Bytes poster, thumb;
  size_t key_frames_asked = 0;
  uint16_t end_code = 0;

 private:
  struct Player {
    proto::FeedParticipant about;
    const ops::Clip* clip = nullptr;
    size_t layer = 0;
    int fps = 25;
    Line line = Line::kGood;
    size_t frame = 0, voice = 0;
    MonoUs frame_at = 0, voice_at = 0, report_at = 0;
    std::array<uint16_t, 2> sequence{};
    uint64_t sent = 0;
    MonoUs began = 0;
    bool restart = false;
  };
  void tell_people();
  void play(Player& player, MonoUs now);
  void send_rtp(Player& player, bool voice, bool marker, uint32_t timestamp, ByteView head,
                ByteView payload);
  void send_report(Player& player, MonoUs now);
  void take();
  void keep(const proto::CompositorMessage& message);

  int pid_ = -1, socket_ = -1, udp_ = -1;
  uint16_t to_port_ = 0;
  bool ended_ = false, deaf_ = false;
  proto::FeedReader reader_;
  std::map<uint8_t, Player> players_;
};

}  // namespace footlight::testing
