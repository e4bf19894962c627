// The client's end of a WebRTC transport: what a browser has, without a socket. It checks the ways
// to a server (RFC 8445, controlling), shakes hands (DTLS 1.2) and carries RTP and RTCP under the
// keys agreed on. Load, rehearsals and tests put it beside any server; SDP is written by the owner,
// who fills each m-line with describe().
//
// The server's candidates are checked in order of priority; the first way that answers is used and
// kept alive, and lost when it is silent for kConsentUs (RFC 7675). Checks of a server that is no
// lite agent are answered.
//
// Data channels are there when the answer takes the application m-line that the owner offered.
//
// Datagrams and the time go in; packets, datagrams (in a DatagramOut of the owner's, on paths with
// the peer's number of socket) and a deadline come out. Bounds: kMaxPairs ways. One thread.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "rtc/data_channel.h"
#include "rtc/datagrams.h"
#include "rtc/dtls.h"
#include "rtc/ice.h"
#include "rtc/rtp.h"
#include "rtc/sdp.h"
#include "rtc/srtp.h"

namespace footlight::rtc {

enum class ClientPeerState : uint8_t { kNew, kChecking, kHandshaking, kConnected, kClosed };

class ClientPeer {
 public:
  static constexpr size_t kMaxPairs = 16;
  static constexpr MonoUs kConsentUs = 30 * kUsPerSecond;  // also for the first answer
  static constexpr MonoUs kKeepAliveUs = 4 * kUsPerSecond;

  struct Config {
    uint32_t socket = 0;         // of the paths it sends on
    bool v4 = true, v6 = false;  // the families that socket has
    bool tcp = false;            // the socket is a TCP connection: its owner frames (RFC 4571)
  };
  // `entropy` and `out` outlive it.
  ClientPeer(const Config& config, Entropy& entropy, std::shared_ptr<const DtlsIdentity> identity,
             DatagramOut& out);

  ClientPeer(const ClientPeer&) = delete;  // datagrams and randomness are its owner's, by reference
  ClientPeer& operator=(const ClientPeer&) = delete;

  // The transport's attributes of an m-line of an offer.
  void describe(SdpMedia& media) const;
  const IceCredentials& credentials() const { return own_; }
  // New credentials of its own (an ICE restart), as a fragment for the server, which answers by one
  // for accept_restart().
  std::string restart_ice();

  // The answer: begins with the checks. kSdpTransport says what is missing. Candidates that this
  // socket cannot reach are skipped.
  Status accept(const SessionDescription& answer, MonoUs now);
  // The server's best candidate that suits the socket; once accept() is done.
  const Address& first_way() const { return pairs_.front().remote; }
  // The fragment that answers a restart: the server's new credentials. kSdpSyntax.
  Status accept_restart(std::string_view fragment, MonoUs now);

  // Checks every way anew: the network may have changed.
  void check_again(MonoUs now) { check_all(now); }

  // A datagram that came from `from`, decrypted in place.
  struct Received {
    DatagramKind kind = DatagramKind::kUnknown;  // kRtp and kRtcp alone are for the owner
    std::span<uint8_t> bytes;
  };
  Received on_datagram(const Address& from, std::span<uint8_t> datagram, MonoUs now);
  MonoUs deadline() const;
  void on_time(MonoUs now);

  // nullptr: the answer has none. What was said on them goes out with flush().
  DataChannels* channels() { return channels_.get(); }
  void flush(MonoUs now) { pump(now); }

  // Nothing happens before kConnected. A packet's sequence number may be sent again only with the
  // very same bytes (SrtpSender).
  void send_rtp(ByteView head, ByteView payload);
  void send_rtcp(ByteView compound);
  void close(MonoUs now);

  ClientPeerState state() const { return state_; }
  bool connected() const { return state_ == ClientPeerState::kConnected; }
  const Error& error() const { return error_; }  // why it is closed; kOk: close() was called
  // There and back, of the last check that was answered at once; 0: not known.
  MonoUs round_trip_us() const { return round_trip_us_; }
  uint64_t refused() const { return refused_; }  // SRTP: malformed, forged, replayed
  std::optional<DtlsSrtpKeys> keys() const { return dtls_ ? dtls_->srtp_keys() : std::nullopt; }

 private:
  struct Pair {
    Address remote;
    uint32_t priority = 0;
    StunTransaction transaction{};
    MonoUs sent_us = 0, next_us = 0;
    int tries = 0;  // of this transaction
  };
  void add_pair(const Address& remote, uint32_t priority);
  void check(Pair& pair, MonoUs now);
  void on_stun(const Address& from, ByteView datagram, MonoUs now);
  void on_answered(Pair& pair, MonoUs now);
  void answer_check(const Address& from, const StunView& request);
  void check_all(MonoUs now);
  void pump(MonoUs now);
  void pump_channels(MonoUs now);
  void fail_with(const Error& why);
  std::span<uint8_t> room(size_t bytes);

  Config config_;
  Entropy& entropy_;
  std::shared_ptr<const DtlsIdentity> identity_;
  DatagramOut& out_;
  ClientPeerState state_ = ClientPeerState::kNew;
  Error error_;
  IceCredentials own_, theirs_;
  uint64_t tie_breaker_ = 0;
  bool controlling_ = true;
  std::vector<Pair> pairs_;  // the best first
  std::optional<Address> selected_;
  MonoUs heard_us_ = 0, round_trip_us_ = 0;
  std::unique_ptr<DtlsTransport> dtls_;
  std::unique_ptr<DataChannels> channels_;
  std::optional<SrtpSender> sender_;
  std::optional<SrtpReceiver> receiver_;
  Bytes scratch_;
  uint64_t refused_ = 0;
};

}  // namespace footlight::rtc
