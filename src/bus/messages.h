// What crosses between edges and the episode's owner. In one process these structs move through
// queues; between nodes they will be encoded. An edge holds no truth: it authenticates, admits,
// forwards and fans out.
//
// Ordering: messages from one sender to one receiver arrive in order, or (between nodes) not at
// all.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/codes.h"
#include "core/histogram.h"
#include "core/result.h"
#include "core/time.h"
#include "proto/commands.h"
#include "proto/frame.h"
#include "proto/messages.h"
#include "proto/role.h"

namespace footlight::bus {

using EdgeId = uint16_t;

// Unique per edge for its life, never reused: a serial number above, the edge's slot in the low 24
// bits, so that both sides find a session in a plain table. 0: none.
using SessionId = uint64_t;
inline constexpr int kSlotBits = 24;
constexpr uint32_t slot_of(SessionId id) { return id & ((uint32_t{1} << kSlotBits) - 1); }
constexpr SessionId make_session_id(uint64_t serial, uint32_t slot) {
  return serial << kSlotBits | slot;
}

// Who acts, as the gate established it. Copied into each join, not into each event.
struct Actor {
  uint64_t who = 0;  // pseudonym: first 8 bytes (big-endian) of HMAC-SHA-256(voter key, sub)
  proto::Role role = proto::Role::kViewer;
  std::string name;
  std::vector<std::string> characters;
  bool captions = false;  // may say captions, whatever the role
};

// edge → owner ------------------------------------------------------------------------------------

struct Join {
  EdgeId edge = 0;
  SessionId session = 0;
  Actor actor;
  uint64_t cid = 0;
  bool resume = false;
  uint64_t resume_epoch = 0;
  uint64_t resume_offset = 0;
  bool bare = false;  // comes for a board alone: gets no view and no deltas
};

struct Leave {
  EdgeId edge = 0;
  SessionId session = 0;
};

// A ballot, the hot path: no text, no allocation of its own. The edge resolved `poll` by the
// episode's Tables. The session must have joined.
struct BallotEntry {
  SessionId session = 0;
  uint64_t i = 0;            // the client's event number
  WallMs edge_ms = 0;        // when the edge received it: deadlines are judged by this
  uint32_t poll = 0;         // index in the episode's order
  uint32_t choice_mask = 0;  // bit per option; 0 withdraws
  uint32_t n = 0;
  uint8_t flags = 0;       // 1 = suspicious (the gate's judgement), kept in the log
  uint16_t behind_ms = 0;  // this viewer sees the program so much later (gate/cue.h)
};

// Any other event, its form checked by the edge.
struct CommandEntry {
  SessionId session = 0;
  uint64_t i = 0;
  WallMs edge_ms = 0;
  proto::Kind kind = proto::Kind::kUnknown;
  uint32_t ballots_before = 0;  // its place: after so many of the Submit's ballots
  std::string args;             // raw JSON of `a`
  std::string traceparent;      // or ""
};

// In the order of receipt: each command stands after `ballots_before` ballots. Is a watermark too.
struct Submit {
  EdgeId edge = 0;
  WallMs up_to_ms = 0;
  uint32_t behind_ms = 0;  // as in Watermark
  std::vector<BallotEntry> ballots;
  std::vector<CommandEntry> commands;
};

// "All that I received up to `up_to_ms` I have forwarded." Sent at least every 250 ms; an edge that
// is silent for 2 s is fenced: closing polls no longer wait for it.
struct Watermark {
  EdgeId edge = 0;
  WallMs up_to_ms = 0;
  uint32_t audience = 0;   // sessions of role viewer at this edge
  uint32_t behind_ms = 0;  // of those the one furthest behind: a closing poll waits for it
};

// Emotes since the last message, by index in EpisodeTables::emotes. Lossy.
struct EmoteCounts {
  EdgeId edge = 0;
  std::vector<uint32_t> counts;
};

// What an edge measured since its last report, once a second.
struct EdgeReport {
  EdgeId edge = 0;
  uint32_t sessions = 0;
  uint64_t queue_bytes = 0;  // waiting for slow connections now
  uint64_t deliveries = 0;   // frames handed to connections since the last report
  // Milliseconds, by proto::LatencyClass, as clients reported them.
  std::array<Histogram, proto::kLatencyClassCount> latency;
  std::array<uint32_t, proto::kWatchModeCount> watching{};  // viewers, now
};

// A session opens a board (docs/protocol.md, Boards). Answered by BoardOpened.
struct BoardOpen {
  EdgeId edge = 0;
  SessionId session = 0;
  std::string board;
  uint64_t client = 0;      // the client id it would like; 0: any
  uint64_t generation = 0;  // that its copy is of; 0: it has none
};

struct BoardClose {
  EdgeId edge = 0;
  SessionId session = 0;
  uint32_t board = 0;  // BoardOpened::handle
};

// A message of y-protocols. With `refused` the edge did not take it (admission) and it is empty;
// then only its number counts.
struct BoardMessage {
  EdgeId edge = 0;
  SessionId session = 0;
  uint32_t board = 0;
  Bytes message;
  Error refused{Code::kOk, {}, 0};
};

// A session that does not read fast enough was left out of the board's relays, and reads again:
// what it lacks since BoardRelay::from of the first of them comes as one BoardSend.
struct BoardBehind {
  EdgeId edge = 0;
  SessionId session = 0;
  uint32_t board = 0;
  uint64_t from = 0;
};

using ToOwner = std::variant<Join, Leave, Submit, Watermark, EmoteCounts, EdgeReport, BoardOpen,
                             BoardClose, BoardMessage, BoardBehind>;

// owner → edge ------------------------------------------------------------------------------------

// To every live session whose role is in `roles`, on an overwrite slot: a later one with the same
// slot replaces it. Slots: one per poll (slot = poll index + 16), kPresenceSlot, kEmotesSlot,
// kSloSlot. No session is sent the slot sooner than `every_ms` after the time before; what comes
// in between takes the place of what it was to get next. 0: at once.
struct Volatile {
  proto::RoleSet roles;
  uint32_t slot = 0;
  proto::FramePtr frame;
  uint32_t every_ms = 0;
};
inline constexpr uint32_t kPresenceSlot = 0;
inline constexpr uint32_t kEmotesSlot = 1;
inline constexpr uint32_t kSloSlot = 2;
inline constexpr uint32_t kFirstPollSlot = 16;

// Answers a Join. `welcome` is complete but for what the edge adds. When resumed, `missed` holds
// the deltas after the client's offset; else `view` is the JSON of the view, shared by all who join
// at this offset.
struct Joined {
  SessionId session = 0;
  Error error;  // code kOk, or why not (banned, ended, ...)
  uint64_t epoch = 0;
  uint64_t offset = 0;
  bool resumed = false;
  std::shared_ptr<const std::string> view;
  std::string me;  // JSON object
  std::vector<proto::FramePtr> missed;
  std::vector<Volatile> tallies;  // the current ones this role may see; presence among them
};

struct Confirmation {
  SessionId session = 0;
  uint64_t i = 0;
  uint64_t log = 0;
  bool has_receipt = false;  // a ballot
  std::array<uint8_t, 16> receipt{};
};

struct Acceptance {
  SessionId session = 0;
  uint64_t i = 0;
};

struct Rejection {
  SessionId session = 0;
  uint64_t i = 0;
  Error error;
};

// `urgent`: what the cast waits for, sent at once; the audience's outcomes may wait for the edge's
// next tick of acks.
struct Outcomes {
  bool urgent = false;
  std::vector<Confirmation> confirmed;
  std::vector<Acceptance> accepted;
  std::vector<Rejection> rejected;
};

// The names that edges resolve, in the episode's order. Complete; only ever grows at the end.
struct EpisodeTables {
  std::vector<std::string> polls;
  std::vector<std::string> emotes;
};
struct Tables {
  std::shared_ptr<const EpisodeTables> tables;
};

// To every live session whose role is in `roles`, in order, on the reliable lane.
struct Broadcast {
  proto::RoleSet roles;
  uint64_t offset = 0;  // 0: not part of the offset sequence (mode, bye, ...)
  proto::FramePtr frame;
};

// End one session, or all of one person.
struct Kick {
  SessionId session = 0;  // 0: every session of `who`
  uint64_t who = 0;
  Error error;
};

struct ModeChange {
  proto::Mode mode = proto::Mode::kLive;
  Error error;
};

// Answers a BoardOpen.
struct BoardOpened {
  SessionId session = 0;
  std::string board;
  Error error{Code::kOk, {}, 0};
  uint32_t handle = 0;  // of the board, for as long as the owner lives
  bool edits = false;   // the session may change something
  std::string text;     // the JSON message for the client
};

// To one session that has the board open: a message of y-protocols, or JSON (a notice). With an
// error the session's last update was refused: a client that knows no JSON is cut with its code.
struct BoardSend {
  SessionId session = 0;
  uint32_t board = 0;
  std::shared_ptr<const Bytes> message{};  // nullptr: `text` instead
  std::string text{};
  Error refusal{Code::kOk, {}, 0};
  uint64_t ack = 0;  // the text acknowledges so many of the session's updates
};

// A message of y-protocols to every session of these roles that has the board open. `lossy`: on an
// overwrite slot, kFirstBoardSlot + board.
struct BoardRelay {
  uint32_t board = 0;
  proto::RoleSet roles;
  bool lossy = false;
  uint64_t from = 0;  // number of the board's last edit before those in it
  std::shared_ptr<const Bytes> message;
};
inline constexpr uint32_t kFirstBoardSlot = 1u << 16;

using ToEdge = std::variant<Joined, Outcomes, Tables, Broadcast, Volatile, Kick, ModeChange,
                            BoardOpened, BoardSend, BoardRelay>;

// The node's transport. Called on the sender's thread; delivers later on the receiver's, never
// inline.
class Bus {
 public:
  virtual ~Bus() = default;
  virtual void to_owner(const std::string& episode, ToOwner message) = 0;
  virtual void to_edge(EdgeId edge, const std::string& episode, ToEdge message) = 0;
};

}  // namespace footlight::bus
