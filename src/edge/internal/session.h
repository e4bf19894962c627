// One connection's session at an edge, and the order of its life:
//
//   hello ──token good──▶ joining ──Joined──▶ live ──bye──▶ closing ──on_close──▶ free
//     └──────────────────────┴──────────refused────────────────▲
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "bus/messages.h"
#include "edge/out_queue.h"
#include "edge/ports.h"
#include "gate/admission.h"
#include "gate/cue.h"
#include "gate/token.h"

namespace footlight::edge {

// What the transport of a session carries.
enum class Wire : uint8_t {
  kWebSocket,    // JSON in text frames, board messages in binary ones
  kEventStream,  // JSON alone
  kBare,         // board messages of one board in binary frames, and nothing else
  kNamed,        // the same of several boards, each message after its board's name
};

// What speaks of boards alone and knows no JSON.
inline bool is_stock(Wire wire) { return wire == Wire::kBare || wire == Wire::kNamed; }

enum class Stage : uint8_t { kFree, kHello, kJoining, kLive, kClosing };

inline constexpr uint32_t kNoIndex = UINT32_MAX;

// What is needed until the welcome only.
struct PreJoin {
  std::string sid;
  std::string name;
  std::string episode;  // of the address, where the token comes later
  uint64_t who = 0;     // whose connection it is, where that is known before the hello
};

struct OpenBoard {
  std::string id;
  uint32_t handle = kNoIndex;  // kNoIndex: the owner has not answered yet
  uint64_t acked = 0;          // updates, as told
};

// Of a session that has boards open.
struct SessionBoards {
  static constexpr size_t kMost = 16;
  static constexpr size_t kEarlyMessages = 32;
  static constexpr size_t kEarlyBytes = 64 * 1024;
  struct Early {
    std::string board;
    Bytes message;
  };
  std::vector<OpenBoard> open;
  // What a stock client sends before its board is open; beyond the bounds it is asked for again.
  std::vector<Early> early;
  size_t early_bytes = 0;
};

struct Session {
  ConnId conn = 0;
  ConnectionOut* out = nullptr;
  bus::SessionId id = 0;
  std::unique_ptr<OutQueue> queue;  // while something waits
  std::unique_ptr<PreJoin> pre;
  std::unique_ptr<SessionBoards> boards;  // while one is open
  std::unique_ptr<std::string> name;      // of those who may publish
  MonoUs since_us = 0;                    // of the stage; while live of the last frame heard
  MonoUs timer_us = 0;                    // the deadline the wheel holds for this session
  uint64_t who = 0;
  int64_t token_ends_ms = 0;  // wall, with the clock skew
  uint64_t last_flush = 0;    // the episode's flush that holds its newest event
  MonoUs refused_us = 0;      // last refused by admission; 0: never
  gate::ConnectionBuckets buckets;
  gate::IpPrefix prefix;
  uint32_t episode = kNoIndex;
  uint32_t live_index = kNoIndex;
  MonoUs ack_since_us = 0;        // when the first outcome that waits came
  uint32_t ack_first = kNoIndex;  // in the edge's pool of outcomes
  uint32_t ack_last = kNoIndex;
  Code close_code = Code::kOk;
  Stage stage = Stage::kFree;
  proto::Role role = proto::Role::kViewer;
  gate::MediaGrants grants;
  bool captions = false;  // may say captions, whatever the role
  gate::CueDelay behind;  // the others
  Wire wire = Wire::kWebSocket;
  proto::WatchMode watching = proto::WatchMode::kNone;
  bool closed = false;      // out->close() was called
  bool ack_listed = false;  // in the edge's list of sessions with outcomes to tell
};

// What the fan-out loop reads, dense and nothing else.
struct LiveEntry {
  ConnectionOut* out = nullptr;
  uint32_t slot = 0;
  proto::RoleSet role;
  bool backed_up = false;  // the session has an OutQueue
  bool acks_wait = false;  // outcomes wait for it: they go with whatever is written next
};

// An outcome that waits to be told, in a list per session.
struct PendingAck {
  enum class Kind : uint8_t { kAccepted, kConfirmed, kRejected };
  uint64_t i = 0;
  uint64_t log = 0;
  std::array<uint8_t, 16> receipt{};
  uint32_t next = kNoIndex;
  uint32_t retry_after_ms = 0;
  uint32_t detail = kNoIndex;  // index of a text
  Code code = Code::kOk;
  Kind kind = Kind::kConfirmed;
  bool has_receipt = false;
};

}  // namespace footlight::edge
