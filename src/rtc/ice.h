// ICE-lite (RFC 8445 section 2.5) for all sessions behind one port: it answers the checks of peers,
// says which session a datagram belongs to, and which path to send on.
//
// A peer is known by the user name fragment we gave it; a path belongs to a session only after a
// check on it that was made with that session's password. So a stranger's datagram reaches no
// session, and a peer whose address changes is found again by its next check.
//
// Consent (RFC 7675): a lite agent sends no checks, so the peer's own are the sign of life. A
// session that has heard none for kConsentUs is lost, and nothing may be sent to it any more.
//
// An answer is never larger than its question; requests without valid credentials get a short error
// or silence. Bounds: sessions by the constructor, kMaxPaths paths a session (the least recently
// checked one goes first, never the selected one).
#pragma once
#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "rtc/address.h"
#include "rtc/stun.h"

namespace footlight::rtc {

struct IceCredentials {
  std::string ufrag;     // 4..256 ice-chars
  std::string password;  // 22..256 ice-chars
  bool operator==(const IceCredentials&) const = default;
};

// A session's number; never used again for another session of the same agent.
using IceSession = uint64_t;

struct IceStats {
  uint64_t checks = 0;           // answered with success
  uint64_t malformed = 0;        // no STUN message, or none that ICE has
  uint64_t unknown_ufrag = 0;    // for no session of ours
  uint64_t bad_credentials = 0;  // right name, wrong integrity
  uint64_t role_conflicts = 0;
};

struct IceOutcome {
  std::optional<IceSession> session;  // whose valid check this was
  ByteView reply;                     // to be sent back on the same path; in the caller's buffer
  bool selected_changed = false;      // the session sends on another path from now on
};

class IceLite {
 public:
  static constexpr MonoUs kConsentUs = 30 * kUsPerSecond;
  static constexpr size_t kMaxPaths = 8;
  static constexpr size_t kReplyBytes = 128;  // a buffer of this size holds every answer

  // Each fragment begins with `prefix` (ice-chars): a node that steers datagrams to shards by the
  // first check's user name puts the shard there.
  IceLite(Entropy& entropy, size_t max_sessions, std::string prefix = {});

  // kServerFull beyond max_sessions.
  Result<IceSession> open(MonoUs now);
  void close(IceSession session);
  const IceCredentials& local(IceSession session) const;
  // The peer's fragment from its description: checks that name another are refused from now on.
  void set_remote_ufrag(IceSession session, std::string_view ufrag);
  // New credentials (section 4.4.1.1.1). Checks with the old ones are answered until the first
  // check with the new ones comes; the paths stay, so media goes on meanwhile.
  const IceCredentials& restart(IceSession session);

  // A datagram of kind kStun. `reply` must hold kReplyBytes.
  IceOutcome on_stun(const Path& path, ByteView bytes, MonoUs now, std::span<uint8_t> reply);
  // Whose path this is; nullopt for strangers.
  std::optional<IceSession> session_of(const Path& path) const;
  bool is_open(IceSession session) const { return sessions_.contains(session); }
  // Where to send; nullptr before the first valid check.
  const Path* selected(IceSession session) const;
  // A TCP connection is gone, or a path is known to be dead.
  void forget_path(const Path& path);

  // When to call expire() next; kNever when no session is open.
  MonoUs deadline() const;
  // Closes the sessions that lost consent and names them in `lost`.
  void expire(MonoUs now, std::vector<IceSession>& lost);

  const IceStats& stats() const { return stats_; }
  size_t session_count() const { return sessions_.size(); }

 private:
  struct KnownPath {
    Path path;
    MonoUs checked_at = 0;
  };
  struct Session {
    IceCredentials local;
    IceCredentials previous;  // empty but while a restart waits for its first check
    std::string remote_ufrag;
    std::vector<KnownPath> paths;  // at most kMaxPaths
    std::optional<Path> selected;
    MonoUs heard_at = 0;
  };
  struct Expiry {
    MonoUs due;
    IceSession session;
    bool operator>(const Expiry& other) const { return due > other.due; }
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  IceCredentials make_credentials();
  std::string random_text(size_t characters);
  Session& get(IceSession session);
  const Session& get(IceSession session) const;
  ByteView answer_error(const StunView& request, uint16_t code, std::span<uint8_t> reply,
                        std::string_view password);
  IceOutcome accept(IceSession number, Session& session, const Path& path, const StunView& request,
                    MonoUs now);
  void learn(IceSession number, Session& session, const Path& path, MonoUs now);

  Entropy& entropy_;
  size_t max_sessions_;
  std::string prefix_;
  IceSession next_ = 1;
  std::unordered_map<IceSession, Session> sessions_;
  std::unordered_map<std::string, IceSession, TextHash, std::equal_to<>> by_ufrag_;
  std::unordered_map<Path, IceSession, PathHash> by_path_;
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> expiries_;  // one a session
  IceStats stats_;
};

// Frames on a TCP connection (RFC 4571, RFC 6544): a 16-bit length before each datagram.
class IceTcpReader {
 public:
  static constexpr size_t kMaxFrameBytes = 4096;

  // Takes bytes from the front of `in` until one frame is whole. True: `frame` is filled and valid
  // until the next call. False: all of `in` is used up. kIceFrame, for good: a frame is longer than
  // kMaxFrameBytes. Empty frames are skipped.
  Result<bool> next(ByteView& in, ByteView& frame);
  size_t stored_bytes() const { return stored_.size(); }

 private:
  Bytes stored_;
  bool broken_ = false;
};
void write_ice_tcp_header(std::span<uint8_t, 2> out, size_t frame_bytes);

}  // namespace footlight::rtc
