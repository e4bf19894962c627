// The parts of an Owner. One struct, its functions in files by concern: owner.cc (entry points and
// time), owner_decide.cc (ballots and commands), owner_commit.cc (sealing, release, halting),
// owner_view.cc (sessions, views, welcomes), owner_ticks.cc (tallies, presence, emotes, slo),
// owner_api.cc.
#pragma once
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/internal/rolling_histogram.h"
#include "edge/owner.h"
#include "edge/steady_wall.h"

namespace footlight::edge {

using EntityText = std::shared_ptr<const std::string>;  // JSON; nullptr: not there

struct PatchOut {
  std::string collection;
  std::string id;
  EntityText entity;
};

// What one command changed, per view class; encoded when it is released.
struct DeltaOut {
  uint64_t seq = 0;
  std::optional<proto::Cause> cause;
  std::array<std::vector<PatchOut>, proto::kViewClassCount> patches;
};

struct TallyOut {
  std::string poll;
  uint32_t slot = 0;
  proto::RoleSet roles;
  uint64_t version = 0;
  uint64_t log = 0;
  std::vector<uint64_t> counts;
  uint64_t voters = 0;
  std::string state;
  bool final = false;
};

struct JoinOut {
  uint32_t edge = 0;  // index
  bus::Join join;     // without its actor
  episode::Actor actor;
  std::string me;
};

struct ApiWait {
  ApiReply reply;
  uint64_t log = 0;
};

struct KickOut {
  uint64_t who = 0;
  Error error;
};

// What rides with one batch, from the first event decided to the completion of its append.
struct Batch {
  std::vector<log::Record> records;
  uint64_t last_seq = 0;
  uint32_t events = 0;   // ballots and commands
  uint32_t ballots = 0;  // of them
  bool urgent = false;
  bool any_event = false;  // an event record: tallies may have changed by more than ballots
  MonoUs first_us = 0;

  std::vector<bus::Outcomes> calm;    // per edge index
  std::vector<bus::Outcomes> prompt;  // per edge index: the cast's
  std::vector<uint32_t> calm_accepted;
  std::vector<uint32_t> prompt_accepted;  // of `confirmed`, so many were told `accepted`
  std::vector<DeltaOut> deltas;
  std::vector<JoinOut> joins;
  std::vector<ApiWait> api;
  std::vector<KickOut> kicks;
  std::vector<WebhookEvent> webhooks;
  std::optional<std::vector<TallyOut>> tallies;  // of the state after this batch
  std::shared_ptr<const bus::EpisodeTables> tables;
  std::optional<log::Snapshot> snapshot;

  bool has_records() const { return !records.empty(); }
};

struct OwnerSession {
  bus::SessionId id = 0;
  uint32_t edge = 0;  // index
  uint64_t cid = 0;
  episode::Actor actor;
  bool bare = false;  // for a board alone
};

struct EdgeState {
  bus::EdgeId id = 0;
  std::string name;
  std::vector<uint32_t> by_slot;  // session slot → index in Impl::sessions, or kNoSession
  uint32_t sessions = 0;
  uint32_t audience = 0;
  WallMs up_to_ms = 0;
  uint32_t behind_ms = 0;  // of its viewers the furthest
  std::array<uint32_t, proto::kWatchModeCount> watching{};
  MonoUs heard_us = 0;
  bool fenced = false;
  bool has_tables = false;
  std::vector<bus::SessionId> lost;  // taken for gone with it; sent back to join when it is heard
  uint64_t reported_sessions = 0;
  uint64_t queue_bytes = 0;
};

struct CastMember {
  std::string name;
  proto::Role role = proto::Role::kPlayer;
  std::vector<std::string> characters;
  uint32_t sessions = 0;
};

struct ClientKey {
  uint64_t who = 0;
  uint64_t cid = 0;
  friend bool operator==(const ClientKey&, const ClientKey&) = default;
};
struct ClientKeyHash {
  size_t operator()(const ClientKey& key) const {
    return (key.who ^ (key.cid * 0x9E3779B97F4A7C15ULL)) * 0xD6E8FEB86659FD93ULL;
  }
};

struct RingEntry {
  uint64_t off = 0;
  proto::FramePtr frame;
};

// What one view class sees. `latest` runs ahead with the state as decided and only says what is
// there; `durable` is what has been released, and what welcomes are made of.
struct ClassView {
  std::unordered_map<std::string, EntityText> latest;  // collection NUL id
  std::map<std::string, std::map<std::string, EntityText>> durable;
  std::shared_ptr<const std::string> encoded;  // of durable and the cast, until either changes
  std::deque<RingEntry> ring;
  size_t ring_bytes = 0;
  uint64_t ring_floor = 0;  // the ring holds every delta above this offset
};

inline constexpr uint32_t kNoSession = UINT32_MAX;

struct Owner::Impl final : BoardPort {
  Impl(OwnerOptions given, Recovered recovered);

  // owner.cc
  void start();
  void message(bus::ToOwner& message);
  void leave(const bus::Leave& leave);
  void watermark(EdgeState& edge, WallMs up_to_ms, uint32_t behind_ms);
  MonoUs time();
  MonoUs next_due_us() const;
  void deadlines();
  void refresh_deadline();
  episode::Watermark lowest_watermark(WallMs no_later_ms) const;
  EdgeState* find_edge(bus::EdgeId id);
  uint32_t index_of(const EdgeState& edge) const {
    return static_cast<uint32_t>(&edge - edges.data());
  }
  OwnerSession* find(EdgeState& edge, bus::SessionId id);
  WallMs wall() { return wall_.at(now_us_); }
  void now();
  void to_edge(EdgeState& edge, bus::ToEdge message) {
    options.bus->to_edge(edge.id, options.episode, std::move(message));
  }
  void to_edges(const bus::ToEdge& message);  // all that have sessions

  // owner_decide.cc
  void submit(EdgeState& edge, bus::Submit& submit);
  void ballot(EdgeState& edge, const bus::BallotEntry& entry);
  void command(EdgeState& edge, const bus::CommandEntry& entry);
  void unknown_session(EdgeState& edge, bus::SessionId id);
  bool full() const { return collecting.events + in_flight_events() >= options.pending_max; }
  uint32_t in_flight_events() const { return in_flight ? in_flight->events : 0; }
  uint64_t append_events(std::vector<episode::Event>& events, std::optional<proto::Cause> cause);
  void note_event(const episode::Event& event, uint64_t seq);
  bool has_closing_poll() const;
  void close_block();
  void confirm(const OwnerSession& session, uint64_t i, uint64_t log, bool urgent,
               const std::array<uint8_t, 16>* receipt);
  void reject(const OwnerSession& session, uint64_t i, Error error, bool urgent);
  Batch* batch_of(uint64_t log);  // nullptr: durable already
  void collect_changes(DeltaOut& delta, const std::vector<episode::EntityRef>& changed);
  void refresh_tables();
  void judge_load();

  // owner_commit.cc
  void maybe_seal();
  void seal();
  void begin(Batch& batch);
  void released(Batch& batch);
  void release_deltas(Batch& batch);
  void release_outcomes(std::vector<bus::Outcomes>& outcomes, bool urgent);
  void send_rejections();
  void tell_accepted(Batch& batch);
  void halt(const Error& error);
  void fail_batch(Batch& batch);
  void set_mode(proto::Mode mode, Error error);

  // owner_view.cc
  void load_views();
  void join(EdgeState& edge, bus::Join& join);
  void answer_join(JoinOut& join);
  uint32_t register_session(EdgeState& edge, uint32_t slot, const ClientKey& key);
  void remove_session(uint32_t index);
  void lose_edge(EdgeState& edge);
  void cast_joined(const episode::Actor& actor);
  void cast_left(const episode::Actor& actor);
  void cast_changed(uint64_t who);
  std::string cast_entity(const CastMember& member) const;
  proto::FramePtr cast_frame();  // a delta with the whole cast
  const std::shared_ptr<const std::string>& encoded_view(proto::ViewClass view);
  bool missed_deltas(const ClassView& view, const bus::Join& join,
                     std::vector<proto::FramePtr>& out) const;
  void apply_patches(ClassView& view, const std::vector<PatchOut>& patches);
  void push_ring(ClassView& view, uint64_t off, proto::FramePtr frame);
  std::string minimal_me(const episode::Actor& actor) const;

  // owner_ticks.cc
  struct Published;
  std::vector<TallyOut> capture_tallies();
  void publish(Published& published, uint32_t every_ms);
  void take_tallies(std::vector<TallyOut> tallies);
  void tally_tick();

  void emotes(const bus::EmoteCounts& counts);
  void emote_tick();
  void presence();
  void report(EdgeState& edge, bus::EdgeReport& report);
  void second();
  std::string slo_json();

  // owner_boards.cc
  void board_open(EdgeState& edge, bus::BoardOpen& open);
  void board_close(EdgeState& edge, const bus::BoardClose& close);
  void board_message(EdgeState& edge, bus::BoardMessage& message);
  void view_changed(proto::ViewClass which, const std::vector<PatchOut>& patches);
  void api_board(const ApiCall& call, ApiReply reply);
  void board_to_edge(uint32_t edge, bus::ToEdge message) override;
  void load_board(uint64_t ticket, const std::string& board, uint64_t at_seq) override;
  void board_points(uint64_t ticket, const std::string& board) override;
  void compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) override;
  std::string_view board_entity(std::string_view collection, std::string_view id) override;
  void board_view(proto::ViewClass which,
                  const std::function<void(std::string_view, std::string_view, std::string_view)>&
                      visit) override;

  // owner_api.cc
  void api(const ApiCall& call, ApiReply reply);
  void api_command(const ApiCall& call, ApiReply reply);
  void api_kick(const ApiCall& call, ApiReply& reply);
  ApiAnswer api_figures();
  ApiAnswer api_polls();
  EpisodeSummary summary() const;

  std::string program_view() const;  // owner_program.cc

  OwnerOptions options;
  MonoUs now_us_;
  SteadyWall wall_;
  episode::State state;
  episode::Secrets secrets;
  uint64_t epoch = 0;
  uint64_t durable_seq = 0;
  uint64_t next_seq = 0;  // of the next record
  Hash256 durable_chain{};

  std::vector<EdgeState> edges;
  std::vector<OwnerSession> sessions;
  std::vector<uint32_t> free_sessions;
  std::unordered_map<ClientKey, uint32_t, ClientKeyHash> by_client;
  std::map<uint64_t, CastMember> cast;
  uint32_t producers = 0;

  Batch collecting;
  std::optional<Batch> in_flight;
  MonoUs append_us = 0;
  std::vector<episode::Ballot> block;  // ballots since the last record
  uint64_t block_seq = 0;
  std::vector<bus::Outcomes> rejections;  // per edge: told at the end of the call
  std::vector<bus::Outcomes> prompt_rejections;
  bool has_rejections = false;

  proto::Mode mode = proto::Mode::kLive;
  Error mode_error{Code::kOk, {}, 0};
  bool halted = false;
  Error halt_error{Code::kOk, {}, 0};

  std::array<ClassView, proto::kViewClassCount> views;
  std::shared_ptr<const bus::EpisodeTables> tables;          // as decided
  std::shared_ptr<const bus::EpisodeTables> durable_tables;  // as released

  struct Published {
    TallyOut tally;
    proto::FramePtr frame;  // as published last
    bool ever = false;
    bool dirty = false;
  };
  std::map<uint32_t, Published> tallies;  // by slot
  bool tallies_dirty = false;
  MonoUs tally_due_us = kNever;
  MonoUs last_tally_us = 0;

  std::vector<uint64_t> emote_counts;
  MonoUs emote_due_us = kNever;
  MonoUs last_emote_us = 0;

  uint64_t last_audience = 0;
  std::vector<uint32_t> last_audiences;
  proto::FramePtr presence_frame;
  MonoUs second_due_us = 0;

  WallMs deadline_ms = INT64_MAX;
  bool closing = false;  // a poll waits for watermarks
  MonoUs deadline_due_us = kNever;
  MonoUs accept_due_us = kNever;
  MonoUs seal_due_us = kNever;

  uint64_t since_snapshot = 0;
  uint64_t snapshot_goal = 0;

  std::array<RollingHistogram, proto::kLatencyClassCount> latency_ms;
  RollingHistogram commit_us;
  uint64_t deliveries_this_second = 0;
  uint64_t deliveries_per_s = 0;
  uint64_t events_per_s = 0;
  uint64_t ballots_per_s = 0;
  uint64_t events_at_second = 0;
  uint64_t ballots_at_second = 0;

  std::unique_ptr<Boards> boards;
  OwnerMetrics counted;
  std::string scratch;
};

}  // namespace footlight::edge
