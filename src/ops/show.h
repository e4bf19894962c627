// A synthetic cast and audience that play a whole episode, and measure it as people would feel it.
//
// The director (a producer) follows the episode's cue list; players roll dice, lose hit points and
// find things; viewers vote when a poll is shown to them, change their minds, react and chat. Each
// action's latency is taken from its click to the moment ANOTHER client has it:
//
//   vote       a tally whose `log` reaches the ballot's arrives at an observer
//   reaction   the sums an observer got reach the number clicked
//   command    `confirmed` arrives at the actor
//   reconcile  a delta caused by the command arrives at an observer
//
// Observers are a sample of the connections, spread over the order of connecting (the order of
// fan-out).
//
// Pure: frames and the time in, frames out through Wire. One thread.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"
#include "core/json.h"
#include "core/prng.h"
#include "core/time.h"
#include "ops/client.h"
#include "ops/report.h"

namespace footlight::ops {

// Makes a token; the caller holds the key. `name` is shown, `characters` ids the player may change.
struct Identity {
  std::string sub;
  std::string name;
  proto::Role role = proto::Role::kViewer;
  std::vector<std::string> characters;
};
using TokenSource = std::function<std::string(const Identity&)>;

struct ShowOptions {
  uint32_t cast = 4;  // players beside the director; at least 1
  uint32_t audience = 500;
  bool game_master = false;  // one more of the cast, who is there to be seen and heard
  uint32_t seconds = 30;     // from the start to the end of the story
  uint64_t seed = 1;
  bool loop = false;                    // play on until stopped: the episode is never ended
  uint32_t changes_per_mille = 200;     // of voters who vote again
  uint32_t emotes_per_viewer_s = 50;    // per mille: 50 = one every 20 s
  uint32_t chats_per_viewer_s = 2;      // per mille
  std::vector<std::string> characters;  // ids for the players, in turn; "" when none
};

// The way out. Calls may not re-enter the show.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void send(uint32_t client, std::string_view text) = 0;
  virtual void reopen(uint32_t client,
                      uint32_t after_ms) = 0;  // connect again; Show::on_open follows
};

class Show {
 public:
  Show(ShowOptions options, const TokenSource& tokens, Wire& wire);
  ~Show();

  uint32_t clients() const;  // connect as many; number 0 is the director
  void on_open(uint32_t client, MonoUs now_us);
  void on_text(uint32_t client, std::string_view text, MonoUs now_us);
  void on_closed(uint32_t client, int code, MonoUs now_us);
  void on_time(MonoUs now_us);  // call every 5 to 20 ms

  // For their media: who is on camera, the game master first; the numbers of the audience follow
  // those of the cast from first_viewer() on.
  std::vector<uint32_t> on_camera() const;
  uint32_t first_viewer() const;
  uint32_t viewers() const;
  const std::string& token(uint32_t client) const;
  // What a client tells the server of a media session of its own.
  void report_line(uint32_t client, std::string_view session, uint32_t round_trip_ms,
                   uint32_t loss_per_mille);

  bool done() const;                   // ended and everything confirmed, or given up
  const std::string& failure() const;  // why it was given up; "" when it was not
  uint32_t live() const;               // clients that were welcomed
  double progress() const;             // 0..1
  std::string status() const;          // a few words for the progress line
  Report report(MonoUs now_us) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::ops
