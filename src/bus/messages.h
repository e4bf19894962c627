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

#include "core/codes.h"
#include "core/result.h"
#include "core/time.h"
#include "proto/frame.h"
#include "proto/role.h"

namespace footlight::bus {

using EdgeId = uint16_t;
using SessionId = uint64_t;  // unique per edge for its life, never reused

// Who acts, as the gate established it. Copied into each join, not into each event.
struct Actor {
  uint64_t who = 0;  // pseudonym: first 8 bytes (big-endian) of HMAC-SHA-256(voter key, sub)
  proto::Role role = proto::Role::kViewer;
  std::string name;
  std::vector<std::string> characters;
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
};

struct Leave {
  EdgeId edge = 0;
  SessionId session = 0;
};

// One event of one session, validated in form by the edge. The session must have joined.
struct SubmitEvent {
  SessionId session = 0;
  uint64_t i = 0;      // the client's event number
  WallMs edge_ms = 0;  // when the edge received it: deadlines are judged by this
  std::string kind;    // "" for a ballot
  std::string args;    // raw JSON of `a`, checked by the edge's codec; "" for a ballot
  std::string poll;    // ballot only, as are the next two
  uint32_t choice_mask = 0;
  uint32_t n = 0;
  uint32_t flags = 0;  // 1 = suspicious (the gate's judgement), kept in the log
};

struct Submit {
  EdgeId edge = 0;
  std::vector<SubmitEvent> events;
};

// "All that I received up to `up_to_ms` I have forwarded." Sent with each flush and at least every
// 250 ms.
struct Watermark {
  EdgeId edge = 0;
  WallMs up_to_ms = 0;
  uint32_t audience = 0;  // sessions of role viewer at this edge
};

using ToOwner = std::variant<Join, Leave, Submit, Watermark>;

// owner → edge ------------------------------------------------------------------------------------

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
  std::vector<proto::FramePtr> tallies;  // the current ones this role may see
};

struct Outcome {
  enum class Kind : uint8_t { kAccepted, kConfirmed, kRejected };
  SessionId session = 0;
  uint64_t i = 0;
  Kind kind = Kind::kAccepted;
  bool urgent = false;       // cast: send at once; audience outcomes may wait for the edge's tick
  uint64_t log = 0;          // confirmed
  bool has_receipt = false;  // confirmed ballot
  std::array<uint8_t, 16> receipt{};
  Error error;  // rejected
};

struct Outcomes {
  std::vector<Outcome> outcomes;
};

// To every live session whose role is in `roles`, in order, on the reliable lane.
struct Broadcast {
  proto::RoleSet roles;
  uint64_t offset = 0;  // 0: not part of the offset sequence (mode, bye, ...)
  proto::FramePtr frame;
};

// To every live session whose role is in `roles`, on an overwrite slot: a later one with the same
// slot replaces it. Slots: one per poll (slot = poll index + 16), kPresenceSlot, kEmotesSlot,
// kSloSlot.
struct Volatile {
  proto::RoleSet roles;
  uint32_t slot = 0;
  proto::FramePtr frame;
};
inline constexpr uint32_t kPresenceSlot = 0;
inline constexpr uint32_t kEmotesSlot = 1;
inline constexpr uint32_t kSloSlot = 2;
inline constexpr uint32_t kFirstPollSlot = 16;

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

using ToEdge = std::variant<Joined, Outcomes, Broadcast, Volatile, Kick, ModeChange>;

// The node's transport. Called on the sender's thread; delivers later on the receiver's, never
// inline.
class Bus {
 public:
  virtual ~Bus() = default;
  virtual void to_owner(const std::string& episode, ToOwner message) = 0;
  virtual void to_edge(EdgeId edge, const std::string& episode, ToEdge message) = 0;
};

}  // namespace footlight::bus
