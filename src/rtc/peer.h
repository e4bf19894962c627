// The transports of all sessions behind one port: what a datagram is (RFC 7983), whom it belongs
// to, and what comes out of it: a media packet, a feedback packet or a data channel's bytes.
//
// A session goes ICE → DTLS → SRTP and SCTP. DTLS starts as soon as a path is proven; before that a
// stranger's datagram reaches nothing but the ICE agent. Everything that is to be sent is written
// into a DatagramOut, which the shell empties after every turn.
//
// Received packets are decrypted where they lie; sending encrypts from the caller's payload
// straight into the outgoing memory. Neither allocates. One thread.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "rtc/data_channel.h"
#include "rtc/datagrams.h"
#include "rtc/dtls.h"
#include "rtc/ice.h"
#include "rtc/sdp_answer.h"
#include "rtc/srtp.h"

namespace footlight::rtc {

struct PeerStats {
  uint64_t rtp_in = 0, rtcp_in = 0, bytes_in = 0;
  uint64_t rtp_out = 0, rtcp_out = 0, bytes_out = 0;
  uint64_t refused_in = 0;  // SRTP: malformed, forged, replayed
  uint64_t early_in = 0;    // media before the keys
  uint64_t unsent_out = 0;  // no path, no keys or no room
};

enum class PeerState : uint8_t { kConnecting, kConnected, kClosed };

class PeerTransports;

// One session. Owned by PeerTransports.
class Peer {
 public:
  void* user = nullptr;  // the owner's own

  IceSession session() const { return session_; }
  PeerState state() const { return state_; }
  // Why it is closed.
  Code reason() const { return reason_; }
  const PeerStats& stats() const { return stats_; }
  const std::optional<Path>& path() const { return path_; }  // that ICE selected

  // What the answer told the client and the client told us. Once, before anything else is of use.
  Status negotiate(const SdpAnswer& answer, MonoUs now);

  // Nothing happens before kConnected. `head` and `payload` are not changed.
  void send_rtp(ByteView head, ByteView payload);
  void send_rtcp(ByteView compound);

  // The session's data channels; nullptr unless an m-line for them was negotiated. Pull their
  // events after kChanged and on_time(); call flush() after using them.
  DataChannels* channels() { return channels_.get(); }
  void flush(MonoUs now);
  void close(MonoUs now);

 private:
  friend class PeerTransports;
  Peer(PeerTransports& owner, IceSession session) : owner_(owner), session_(session) {}
  void on_selected(MonoUs now);
  void on_dtls(ByteView datagram, MonoUs now);
  std::span<uint8_t> on_media(std::span<uint8_t> datagram, bool rtcp);
  void on_deadline(MonoUs now);
  MonoUs deadline() const;
  void pump(MonoUs now);
  void become_connected(MonoUs now);
  void fail(Code reason);

  PeerTransports& owner_;
  IceSession session_;
  PeerState state_ = PeerState::kConnecting;
  Code reason_ = Code::kOk;
  std::unique_ptr<DtlsTransport> dtls_;
  std::optional<Path> path_;  // what ICE selected; looked up once a change, not once a packet
  std::optional<SrtpSender> sender_;
  std::optional<SrtpReceiver> receiver_;
  std::unique_ptr<DataChannels> channels_;
  Bytes scratch_;
  MonoUs scheduled_ = kNever;  // the earliest of its entries among the timers
  PeerStats stats_;
};

enum class ReceivedKind : uint8_t { kNothing, kRtp, kRtcp, kChanged };

// What a datagram turned out to be. kRtp, kRtcp: `bytes` is the decrypted packet within the
// datagram. kChanged: the peer's state, its data channels or its path may have changed.
struct Received {
  ReceivedKind kind = ReceivedKind::kNothing;
  Peer* peer = nullptr;
  std::span<uint8_t> bytes;
};

struct PeerPortStats {
  uint64_t datagrams = 0;
  uint64_t strangers = 0;  // dropped: from a path of no session (kMediaStranger)
  uint64_t unknown = 0;    // dropped: of no protocol (kMediaMalformed)
};

class PeerTransports {
 public:
  struct Config {
    size_t max_sessions = 4096;
    std::string ufrag_prefix;
    size_t out_bytes = 4 << 20;
    size_t out_datagrams = 8192;
    size_t max_channels = 256;  // data channels that a peer may open
  };
  PeerTransports(Entropy& entropy, std::shared_ptr<const DtlsIdentity> identity,
                 const Config& config);

  // A new session with credentials for its answer. kServerFull.
  Result<Peer*> open(MonoUs now);
  // Forgets a session; its Peer is gone.
  void forget(IceSession session);
  Peer* find(IceSession session);
  const IceCredentials& credentials(const Peer& peer) const { return ice_.local(peer.session_); }
  // The client restarts ICE and names its new fragment; answers ours.
  const IceCredentials& restart_ice(const Peer& peer, std::string_view remote_ufrag) {
    const IceCredentials& ours = ice_.restart(peer.session_);
    ice_.set_remote_ufrag(peer.session_, remote_ufrag);
    return ours;
  }
  SdpFingerprint fingerprint() const;

  // One datagram (of a UDP socket, or one frame of a TCP connection). It is decrypted in place.
  Received on_datagram(const Path& path, std::span<uint8_t> datagram, MonoUs now);
  void on_path_gone(const Path& path);

  // Timers of all sessions. Sessions that ended are told by their state; call next_ended() until
  // nullptr, and forget() each.
  MonoUs deadline() const;
  void on_time(MonoUs now);
  Peer* next_ended();

  DatagramOut& out() { return out_; }
  const IceLite& ice() const { return ice_; }
  const PeerPortStats& stats() const { return stats_; }
  size_t peer_count() const { return peers_.size(); }

 private:
  friend class Peer;
  void refresh_path(std::optional<IceSession> session);
  void end(Peer& peer) { ended_.push_back(peer.session_); }
  void schedule(Peer& peer);

  Entropy& entropy_;
  std::shared_ptr<const DtlsIdentity> identity_;
  const size_t max_channels_;
  IceLite ice_;
  DatagramOut out_;
  std::unordered_map<IceSession, std::unique_ptr<Peer>> peers_;
  std::vector<IceSession> ended_, lost_;
  struct Timer {
    MonoUs due;
    IceSession session;
    bool operator>(const Timer& other) const { return due > other.due; }
  };
  // One entry at least for every peer with a deadline; an early one looks and goes back in.
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  PeerPortStats stats_;
};

}  // namespace footlight::rtc
