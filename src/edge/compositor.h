// The node's side of one episode's compositor: keeps `footlight-media compose` running, tells it
// who is there and what is to be shown, and gives what comes back to a ProgramSink.
//
// When it ends unasked it is started again after a pause that doubles from kFirstPauseUs to
// kMostPauseUs; kHealthyUs of work make the pause short again. It is ended when it is of no use:
// silent for kSilenceUs, as long without a part and without composing, kSlowUs without a part
// however busy, one rendition kMostLag segments behind another, or making what the sink refuses. On
// a machine that is too slow for it, it is slow, not started again and again. The reason is kept
// for the console. Whatever happens here, the call knows nothing of it.
//
// Pure: process and socket are behind CompositorPort, the time is an argument. One thread.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "edge/compositor_sink.h"
#include "edge/compositor_view.h"
#include "edge/program_settings.h"
#include "proto/program_feed.h"

namespace footlight::edge {

class CompositorPort {
 public:
  virtual ~CompositorPort() = default;
  // Starts the program; kCompositorSetup, kIo. Its bytes come by on_bytes, its end by on_exit.
  virtual Status start() = 0;
  virtual void write(Bytes frames) = 0;
  virtual void kill() = 0;          // on_exit is not called for it
  virtual uint16_t rtp_port() = 0;  // where our RTP comes from
  // The compositor is there: RTP goes to this port of 127.0.0.1 from now on.
  virtual void feed_to(uint16_t port) = 0;
  virtual void want_key_frame(uint32_t ssrc) = 0;
};

class Compositor {
 public:
  static constexpr MonoUs kFirstPauseUs = kUsPerSecond / 2, kMostPauseUs = 30 * kUsPerSecond;
  static constexpr MonoUs kHealthyUs = 60 * kUsPerSecond, kSilenceUs = 5 * kUsPerSecond;
  static constexpr MonoUs kSlowUs = 30 * kUsPerSecond;
  static constexpr uint64_t kMostLag = 6;             // segments
  static constexpr MonoUs kShownUs = 150 * kUsPerMs;  // snapshots go out at most so often

  static constexpr size_t kLately = 32;

  enum class State : uint8_t { kOff, kStarting, kRunning, kPausing };

  // Both outlive it.
  Compositor(CompositorPort& port, ProgramSink& sink) : port_(port), sink_(sink) {}

  // Wanted from now on, or no longer: then it is stopped and the sink told that this is the end.
  void set_wanted(bool wanted, MonoUs now);
  void set_people(proto::FeedParticipants people);
  // A layout asked for by name; nullopt: as the episode's state says. `slot` for kSingle.
  void wish_layout(std::optional<proto::FeedLayout> wish) { choice_.wish = wish; }
  void set_scene(ProgramScene scene) { scene_ = std::move(scene); }
  // How loud a person is; kFieldOutOfRange beyond kMostGain or kMostGains.
  Status set_gain(uint64_t who, int64_t permille) { return gains_.set(who, permille); }
  // What a producer chose so far, to be kept and given back after a restart of the node.
  ProgramSettings settings() const;
  void restore(const ProgramSettings& settings);
  // The producer wants it to begin anew.
  void restart(MonoUs now);

  void on_bytes(ByteView bytes, MonoUs now);
  void on_exit(const std::string& how, MonoUs now);
  // Sends what changed; restarts what is due. Call at deadline() and after changes.
  void on_time(MonoUs now);
  MonoUs deadline() const;

  State state() const { return state_; }
  // docs/openapi.json, Program.
  std::string status_json() const;

 private:
  void start(MonoUs now);
  void broke(Error why, MonoUs now);
  void take(const proto::CompositorMessage& message, MonoUs now);
  void tell(MonoUs now);
  // Why one that talks is of no use; "" while it is.
  std::string stalled(MonoUs now) const;

  CompositorPort& port_;
  ProgramSink& sink_;
  State state_ = State::kOff;
  bool wanted_ = false;
  proto::FeedReader reader_;
  proto::FeedParticipants people_;
  LayoutChoice choice_;
  ProgramGains gains_;
  ProgramScene scene_;
  // What the compositor that runs was told.
  std::optional<proto::FeedParticipants> told_people_;
  std::optional<proto::FeedLayout> told_layout_;
  std::optional<proto::FeedSnapshot> told_snapshot_;
  std::deque<proto::FeedSnapshot> lately_;  // told, at most kLately
  MonoUs shown_at_ = 0;
  uint64_t number_ = 0;  // of the last snapshot, over all starts

  MonoUs started_at_ = 0, heard_at_ = 0, resume_at_ = 0;
  MonoUs pause_us_ = kFirstPauseUs;
  uint64_t starts_ = 0, parts_ = 0, bytes_ = 0;
  Error why_{Code::kOk, {}, 0};  // the last end that was not asked for
  std::optional<proto::FeedHello> hello_;
  MonoUs part_at_ = 0;          // the last of any rendition
  std::vector<uint64_t> made_;  // parts of each rendition
  std::optional<proto::FeedStatus> status_;
};

}  // namespace footlight::edge
