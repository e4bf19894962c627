// The parts of an Edge. One struct, its functions in files by concern: edge.cc (entry points and
// time), edge_join.cc (hello, token, welcome), edge_events.cc (what clients send), edge_media.cc
// (what they ask of media), edge_acks.cc (outcomes), edge_sweep.cc (what goes to many),
// edge_fanout.cc (what is written, and how a session ends).
#pragma once
#include <array>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/edge.h"
#include "edge/internal/conn_index.h"
#include "edge/internal/pressure.h"
#include "edge/internal/session.h"
#include "edge/internal/timer_wheel.h"
#include "edge/steady_wall.h"

namespace footlight::edge {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

// A board as this edge sees it: who has it open.
struct BoardSide {
  struct Member {
    uint32_t slot = 0;
    proto::RoleSet role;
    Wire wire = Wire::kWebSocket;
    bool behind = false;  // left out of relays until it has read what waits for it
    uint64_t from = 0;    // BoardRelay::from of the first it was left out of
  };
  std::string id;
  std::vector<Member> members;
};

// A board message as each wire has it, made when it is first needed.
class BoardFrames {
 public:
  BoardFrames(std::string_view board, const Bytes& message) : board_(board), message_(message) {}
  const proto::FramePtr& of(Wire wire);

 private:
  std::string_view board_;
  const Bytes& message_;
  std::array<proto::FramePtr, 4> frames_;
};

// A frame on its way to many: written piece by piece, so that a large audience does not keep a
// command waiting. Goes backwards through EpisodeSide::live: those below `left` are still to be
// reached, the others have it or came later.
struct Sweep {
  proto::RoleSet roles;
  proto::FramePtr frame;
  size_t left = 0;
};

// An overwrite slot. A newer frame takes the place of the one that is under way for all that it
// has not reached yet: nobody is sent what is known to be old. The others get it in the next round,
// which begins no sooner than `every_ms` after this one did. Round after round is spread over that
// time, so that neither this thread nor those who read are kept busy by it at once; a round after a
// pause is as fast as it can be.
struct SlotSweep : Sweep {
  uint32_t slot = 0;
  uint32_t every_ms = 0;
  MonoUs due_us = 0;    // the next round begins no sooner
  MonoUs asked_us = 0;  // since when there is something for the next round
  MonoUs began_us = 0;  // of the round under way
  MonoUs go_on_us = 0;  // it has no more to do before
  size_t all = 0;       // how many it had to reach
  bool under_way = false;
  bool spread = false;
  bool again = false;    // some were reached by an older frame
  size_t fresh = 0;      // the round ends here: entries below have the frame already
  size_t later = 0;      // ... and the next one here
  proto::FramePtr next;  // of a slot whose frames are sums: the one under way goes to everyone

  bool waits() const { return frame != nullptr; }
  MonoUs ready_us() const { return under_way ? go_on_us : due_us; }
};
inline constexpr size_t kMostCasts = 64;

// What may be written to many before it is the turn of others.
struct Slice {
  size_t sends = 0;
  MonoUs until_us = 0;
  bool over = false;
};

// An episode as this edge sees it.
inline constexpr uint32_t kBehindStepMs = 100;

struct EpisodeSide {
  std::string id;
  std::array<uint8_t, 32> voter_key{};
  std::vector<LiveEntry> live;
  std::shared_ptr<const bus::EpisodeTables> tables;
  TextMap<uint32_t> poll_index;
  uint32_t last_poll = 0;  // most votes in a row are for one poll
  TextMap<uint32_t> emote_index;

  std::vector<BoardSide> boards;  // by handle

  std::deque<Sweep> casts;       // reliable, in order; at most kMostCasts
  std::vector<SlotSweep> slots;  // one per slot and roles in use

  bus::Submit pending;
  MonoUs flush_due_us = kNever;
  uint64_t flush = 1;  // number of the flush that is being filled
  std::vector<uint32_t> emotes;
  bool has_emotes = false;

  gate::EpisodeBuckets buckets;
  proto::Mode mode = proto::Mode::kLive;  // the owner's
  Error mode_error{Code::kOk};
  uint32_t audience = 0;
  uint32_t joined = 0;
  std::array<uint32_t, proto::kWatchModeCount> watching{};  // viewers
  // Viewers by how far behind they are, rounded up to kBehindStepMs, so that the furthest is known.
  std::array<uint32_t, gate::CueDelay::kMostMs / kBehindStepMs + 1> behind{};

  // One event at a time is timed from receipt to its outcome.
  bus::SessionId probe_session = 0;
  uint64_t probe_i = 0;
  MonoUs probe_us = 0;

  uint64_t deliveries = 0;  // since the last report
  std::array<Histogram, proto::kLatencyClassCount> latency_ms;
};

struct Edge::Impl {
  explicit Impl(EdgeOptions given);

  // edge.cc
  void open(ConnId conn, const ConnectionInfo& info, ConnectionOut& out);
  void frame(ConnId conn, std::string_view text);
  void closed(ConnId conn);
  void bus_message(EpisodeSide& episode, bus::ToEdge& message);
  MonoUs time();
  MonoUs next_due_us() const;
  void drain();
  void add_episodes(std::vector<EdgeEpisode> episodes);
  void timer(bus::SessionId id, MonoUs due_us);
  void arm(Session& session);
  MonoUs deadline(const Session& session) const;
  void periodic();
  void report(EpisodeSide& episode);
  void set_pressure(gate::Pressure pressure);
  Session* find(bus::SessionId id);
  Session* find_conn(ConnId conn);
  WallMs wall() { return wall_.at(now_us_); }
  void now() { now_us_ = std::max(now_us_, options.clock->now_us()); }

  // edge_join.cc
  void hello(Session& session, const proto::Hello& hello);
  void joined(EpisodeSide& episode, bus::Joined& joined);
  void welcome(EpisodeSide& episode, Session& session, const bus::Joined& joined);
  void refresh_token(Session& session, std::string_view token);
  std::string make_sid();

  // edge_events.cc
  void message(Session& session, const proto::ClientMessage& message);
  void events(Session& session, std::span<const proto::ClientEvent> batch);
  void event(EpisodeSide& episode, Session& session, const proto::ClientEvent& event);
  void vote(EpisodeSide& episode, Session& session, const proto::ClientEvent& event);
  void command(EpisodeSide& episode, Session& session, const proto::ClientEvent& event);
  void emote(EpisodeSide& episode, Session& session, const proto::ClientEvent& event);
  bool admit(EpisodeSide& episode, Session& session, const proto::ClientEvent& event, uint32_t cost,
             gate::Verdict& verdict);
  bool admit_control(Session& session);
  void refused(Session& session, uint64_t i, const gate::Verdict& verdict);
  void watch(Session& session, const proto::WatchReport& report);
  void count_watching(EpisodeSide& episode, const Session& session, int by);
  uint32_t furthest_behind_ms(const EpisodeSide& episode) const;
  void latencies(Session& session, const proto::LatencyReport& report);
  uint32_t poll_of(EpisodeSide& episode, std::string_view poll);
  void submitted(EpisodeSide& episode, Session& session, uint64_t i);
  void flush(EpisodeSide& episode);
  void flush_emotes(EpisodeSide& episode);
  void set_tables(EpisodeSide& episode, const bus::Tables& tables);

  // edge_boards.cc
  void bare_hello(Session& session, const ConnectionInfo::Bare& bare);
  void bare_joined(EpisodeSide& episode, Session& session);
  void binary(ConnId conn, std::string_view bytes);
  void board_open(Session& session, const proto::BoardOpen& open);
  void board_close(Session& session, std::string_view board);
  void board_data(Session& session, const proto::BoardData& data);
  void board_in(Session& session, std::string_view board, ByteView message);
  void board_message(EpisodeSide& episode, Session& session, OpenBoard& board, ByteView message);
  void board_opened(EpisodeSide& episode, const bus::BoardOpened& opened);
  void board_send(EpisodeSide& episode, const bus::BoardSend& send);
  void board_relay(EpisodeSide& episode, const bus::BoardRelay& relay);
  void leave_out(BoardSide::Member& member, Session& session, const bus::BoardRelay& relay);
  void catch_up(Session& session);
  void forget_board(EpisodeSide& episode, Session& session, uint32_t handle);
  void leave_boards(Session& session);
  void deliver_slot(Session& session, uint32_t slot, const proto::FramePtr& frame);

  // edge_media.cc
  bool media_message(Session& session, const proto::ClientMessage& message);
  void media_ask(Session& session, MediaAsk::What what, MediaRequest from = {});
  void media_told(const MediaTold& told);
  void media_relays(Session& session, const proto::MediaIce& ice);

  // edge_named.cc
  void named_open(Session& session, std::string_view episode);
  void named_in(Session& session, std::string_view bytes);
  void named_auth(Session& session, std::string_view board, std::string_view token);
  void named_answer(Session& session, const bus::BoardOpened& opened);
  void named_void(Session& session, const bus::BoardSend& send);
  void named_denied(Session& session, std::string_view board, const Error& error);
  void named_ack(Session& session, const bus::BoardSend& send);

  // edge_acks.cc
  void outcomes(EpisodeSide& episode, const bus::Outcomes& outcomes);
  void reject(Session& session, uint64_t i, Code code, std::string detail, uint32_t retry_after_ms);
  PendingAck& add_ack(Session& session, uint64_t i, PendingAck::Kind kind);
  void probe(EpisodeSide& episode, bus::SessionId session, uint64_t i);
  proto::FramePtr take_acks(Session& session);
  void flush_acks(Session& session);
  bool acks_ride(const Session& session) const;
  MonoUs next_ack_us() const;
  void flush_all_acks();
  void release_acks(Session& session);
  void ack_soon(Session& session, bool urgent);

  // edge_sweep.cc
  void broadcast(EpisodeSide& episode, proto::RoleSet roles, const proto::FramePtr& frame);
  void overwrite(EpisodeSide& episode, const bus::Volatile& message);
  void renew(EpisodeSide& episode, const bus::Volatile& current);
  Slice slice() const;
  bool spend(Slice& slice) const;
  void sweep_all();
  void sweep_casts(EpisodeSide& episode, Slice& slice);
  void sweep_slots(EpisodeSide& episode, Slice& slice);
  void begin_round(const EpisodeSide& episode, SlotSweep& slot);
  void go_round(EpisodeSide& episode, SlotSweep& slot, Slice& slice);
  void finish_casts(EpisodeSide& episode, size_t most_left);
  MonoUs sweep_due(const EpisodeSide& episode) const;
  void cast(LiveEntry& entry, const proto::FramePtr& frame);
  void put(LiveEntry& entry, const SlotSweep& sweep);
  size_t write_live(LiveEntry& entry, const proto::FramePtr& frame);
  void drop_live(EpisodeSide& episode, size_t hole);

  // edge_fanout.cc
  void deliver(Session& session, const proto::FramePtr& frame);
  void enqueue(Session& session, const proto::FramePtr& frame);
  void back_up(Session& session, const proto::FramePtr& frame, size_t taken);
  void writable(Session& session);
  void pump(Session& session);
  void count_queue(size_t before, size_t after);
  void send_error(Session& session, const Error& error);
  void end(Session& session, const Error& error);  // bye, then close
  void end_with(Session& session, Code code, const proto::FramePtr& bye);
  void close_now(Session& session);
  void leave(Session& session);
  void kick(EpisodeSide& episode, const bus::Kick& kick);
  void mode(EpisodeSide& episode);
  proto::FramePtr bye_frame(const Error& error, bool in_session);

  EdgeOptions options;
  MonoUs now_us_;
  SteadyWall wall_;
  std::vector<Session> sessions;
  std::vector<uint32_t> free_slots;
  uint64_t next_serial = 1;
  ConnIndex by_conn;
  std::vector<std::unique_ptr<EpisodeSide>> episodes;
  TextMap<uint32_t> episode_index;
  gate::Admission admission;
  gate::EpisodeBuckets no_episode;  // of what is not limited per episode
  TimerWheel wheel;
  PressureGauge gauge;
  EdgeMetrics counted;
  bool draining = false;

  proto::ClientDecoder decoder;
  std::string scratch;
  std::vector<uint64_t> accepted_scratch;
  std::vector<proto::Confirmed> confirmed_scratch;
  std::vector<proto::Rejected> rejected_scratch;
  std::vector<std::string> message_scratch;

  std::vector<PendingAck> acks;
  uint32_t free_ack = kNoIndex;
  std::vector<std::string> details;
  std::vector<uint32_t> free_details;
  std::vector<bus::SessionId> waiting_acks;  // sessions with outcomes to tell
  size_t last_ack_sessions = 0;
  MonoUs ack_due_us = kNever;

  MonoUs flush_due_us = kNever;  // the earliest of the episodes'
  MonoUs sweep_due_us = kNever;  // at once while a sweep is under way
  size_t sweep_turn = 0;
  MonoUs watermark_due_us;
  MonoUs emote_due_us = kNever;
  MonoUs report_due_us;
};

}  // namespace footlight::edge
