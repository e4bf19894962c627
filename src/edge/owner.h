// The one writer of an episode. Decides, applies, sends batches to the log, and releases what came
// of a batch (outcomes, deltas, tallies, welcomes) only when the log says that it is durable:
// outputs ride with the batch. After a failed append it accepts nothing, says so to every session,
// and keeps serving the last durable view.
//
// One thread.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bus/messages.h"
#include "core/prng.h"
#include "edge/api.h"
#include "edge/boards.h"
#include "edge/metrics.h"
#include "edge/ports.h"
#include "episode/episode.h"

namespace footlight::edge {

// What an owner starts from.
struct Recovered {
  episode::State state;
  log::Head head;
  uint64_t epoch = 0;
  uint64_t snapshot_seq = 0;  // of the newest snapshot; 0: none
  uint64_t view_seq = 0;      // the last record known to have changed the view
  bool created = false;       // the log was empty: the episode was just made
  episode::Secrets secrets;
  std::array<uint8_t, 32> voter_key{};
};

struct RecoverOptions {
  std::string episode;          // id; kLogFormat when the log is another's
  std::string_view definition;  // JSON; used for a new log only
  Entropy* entropy = nullptr;   // makes the seed and the voter key of a new log
  WallMs now_ms = 0;
};

// Newest snapshot and the records after it; for an empty log makes secrets, then the genesis
// record. Errors of the log, kLogCorrupt when a record does not apply, those of make_genesis.
Result<Recovered> recover(log::EventLog& log, const RecoverOptions& options);

struct OwnerEdge {
  bus::EdgeId id = 0;
  std::string name;
};

struct OwnerOptions {
  std::string episode;
  // The ports outlive the owner.
  const Clock* clock = nullptr;
  bus::Bus* bus = nullptr;
  LogPort* log = nullptr;
  WebhookSink* webhooks = nullptr;  // may be nullptr
  std::vector<OwnerEdge> edges;     // all that may ever send; at most 1,024

  uint32_t tick_ms = 100;        // tallies, to each session
  uint32_t fresh_ms = 5;         // ... to edges, so that each session's is not older than that
  uint32_t crowd_tick_ms = 250;  // ... when the audience is larger than crowd_audience
  uint32_t crowd_audience = 10'000;
  uint32_t emote_ms = 150;            // with the edge's 50 ms within the budget of a reaction
  uint32_t batch_max = 4'096;         // events that seal a batch
  uint32_t ballot_wait_us = 4'000;    // a batch of ballots alone waits so long for company; <= 5 ms
  uint32_t pending_max = 131'072;     // events not yet durable; beyond: rejected with 4206
  uint32_t accept_after_us = 20'000;  // `accepted` is told only when `confirmed` takes longer
  uint32_t snapshot_every = 50'000;   // ballots and events
  uint32_t ring_deltas = 2'048;       // kept for resume, per view class
  uint32_t ring_bytes = 1024 * 1024;
  uint32_t edge_silence_ms = 2'000;  // then closing polls do not wait for it
  uint32_t edge_lost_ms = 10'000;    // then its sessions are taken for gone
  uint32_t max_cast = 256;
  BoardLimits board_limits;
  BoardTimes board_times;
};

class Owner {
 public:
  struct Impl;
  explicit Owner(std::unique_ptr<Impl> impl);
  ~Owner();

  void on_bus(bus::ToOwner message);
  void on_appended(Result<log::Head> head);
  // What LogPort::load_board and board_points were asked for.
  void on_board(uint64_t ticket, Result<log::BoardFile> file);
  void on_board_points(uint64_t ticket, Result<std::vector<log::BoardPoint>> points);
  MonoUs on_time();  // as Edge::on_time
  MonoUs next_due_us() const;

  // The producer's API (api.h). `reply` is called exactly once, on this thread: inline for reads,
  // when durable for commands.
  void api(const ApiCall& call, ApiReply reply);
  EpisodeSummary summary() const;
  // What viewers see and is durable, for the program's overlay: JSON with `episode`, `scene`,
  // `polls` and the newest `rolls` as entities of the view, and `tallies` by poll
  // ({"counts","voters"}). compositor_view.h reads it.
  std::string program_view() const;

  void drain();       // tells sessions; accepts and commits until the shell stops it
  bool idle() const;  // nothing waits for the log
  bool halted() const;
  const OwnerMetrics& metrics() const;
  // Of the state as decided, durable or not. For the simulation's checkers and tests.
  const episode::State& state() const;
  log::Head durable_head() const;

 private:
  std::unique_ptr<Impl> impl_;
};

std::unique_ptr<Owner> make_owner(OwnerOptions options, Recovered recovered);

}  // namespace footlight::edge
