// One synthetic client of the session protocol: the client's half of docs/protocol.md with its
// outbox, without sockets. Rehearsal and load run thousands of them.
//
// Small on purpose (5,000 live in one process beside the server they measure): frames that nobody
// looks at are told apart by their first bytes and dropped unparsed.
//
// Pure: frames and the time in, frames out. One thread.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/time.h"
#include "proto/messages.h"

namespace footlight::ops {

// An event in the outbox: sent, not yet confirmed or rejected for good.
struct PendingEvent {
  uint64_t i = 0;
  MonoUs click_us = 0;
  proto::Kind kind = proto::Kind::kUnknown;
  uint32_t poll = 0;  // the caller's number of the poll, for votes
  std::string json;   // the event as it stands in `e`
};

// The type of a server's frame by its first bytes, without parsing it.
enum class FrameType : uint8_t {
  kWelcome,
  kAck,
  kDelta,
  kTally,
  kEmotes,
  kPresence,
  kPong,
  kMode,
  kSlo,
  kError,
  kBye,
  kOther
};
FrameType frame_type(std::string_view text);

class Client {
 public:
  Client(std::string token, proto::Role role, uint64_t cid);

  proto::Role role() const { return role_; }
  uint64_t cid() const { return cid_; }
  bool live() const { return live_; }
  const std::string& token() const { return token_; }
  size_t pending() const { return pending_.size(); }
  const std::deque<PendingEvent>& outbox() const { return pending_; }
  void set_token(std::string token) { token_ = std::move(token); }

  std::string hello() const;
  void on_welcome(const proto::Welcome& welcome);  // live from here on; resend() what is pending
  void on_delta_offset(uint64_t offset) { offset_ = offset; }
  void on_closed() { live_ = false; }

  // Puts an event in the outbox (not for lossy kinds). `args` is the JSON of `a`.
  PendingEvent& add(proto::Kind kind, std::string_view args, MonoUs now_us, uint32_t poll = 0);
  // `ev` frames of all that is pending, at most 64 events each.
  std::deque<std::string> resend() const;
  // Takes the event out of the outbox; false when it is not there (confirmed before).
  bool take(uint64_t i, PendingEvent& out);
  const PendingEvent* find(uint64_t i) const;

 private:
  std::string token_;
  uint64_t cid_;
  uint64_t next_i_ = 1;
  uint64_t epoch_ = 0;
  uint64_t offset_ = 0;
  proto::Role role_;
  bool live_ = false;
  std::deque<PendingEvent> pending_;
};

// One `ev` frame of these events' JSON.
std::string event_frame(std::string_view events_joined_by_commas);

}  // namespace footlight::ops
