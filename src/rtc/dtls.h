// DTLS 1.2 (RFC 6347) for one WebRTC session, with OpenSSL's state machine inside: proves that the
// peer holds the key behind the fingerprint of its session description, agrees on the SRTP keys
// (RFC 5764), and carries the data channels' packets.
//
// Datagrams and the time go in; datagrams, data and a deadline come out, all pulled. Nothing leaves
// before `start`, which the owner calls when ICE has proven the peer's address: a stranger's
// ClientHello is answered with nothing.
//
// Time. OpenSSL asks the real clock when its retransmission timer is set and when it looks whether
// it has run out. Here the deadline is kept in the caller's time, and OpenSSL's own timer is set to
// "never" and, at the deadline, to "long ago" (internal/dtls_timer.h says how). So a whole
// handshake with losses runs in virtual time. Handshake randomness is OpenSSL's own: its bytes
// differ from run to run, its messages do not, except for the length of a signature (one or two
// bytes).
//
// Not for use by two threads at once; a DtlsIdentity may be shared by any number of threads.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "rtc/srtp.h"

struct ssl_ctx_st;
struct ssl_st;

namespace footlight::rtc {

// A certificate's digest as a session description writes it (RFC 8122): "sha-256" and its bytes.
struct DtlsFingerprint {
  std::string algorithm;  // lower case: sha-256, sha-384 or sha-512
  Bytes digest;
  bool operator==(const DtlsFingerprint&) const = default;
};

// A self-signed ECDSA P-256 certificate and its key, made anew when a node starts.
class DtlsIdentity {
 public:
  // Valid from a day before `now` for 90 days. `entropy` gives the serial number; the key comes
  // from OpenSSL's generator. kInternal when OpenSSL fails.
  static Result<std::shared_ptr<const DtlsIdentity>> make(Entropy& entropy, WallMs now);
  ~DtlsIdentity();
  DtlsIdentity(const DtlsIdentity&) = delete;
  DtlsIdentity& operator=(const DtlsIdentity&) = delete;

  const DtlsFingerprint& fingerprint() const { return fingerprint_; }  // sha-256
  ssl_ctx_st* context() const { return context_; }

 private:
  DtlsIdentity() = default;
  ssl_ctx_st* context_ = nullptr;
  DtlsFingerprint fingerprint_;
};

enum class DtlsRole : uint8_t { kClient, kServer };
enum class DtlsState : uint8_t { kWaiting, kHandshaking, kConnected, kClosed, kFailed };

struct DtlsOptions {
  DtlsRole role = DtlsRole::kServer;
  std::shared_ptr<const DtlsIdentity> identity;
  // Any one of them must fit; fingerprints of an algorithm we do not know are passed over. With
  // none that can be checked the handshake fails with kDtlsFingerprint.
  std::vector<DtlsFingerprint> peer_fingerprints;
};

struct DtlsSrtpKeys {
  SrtpMasterKey send;
  SrtpMasterKey receive;
};

inline constexpr size_t kDtlsMtuBytes = 1350;      // no datagram of ours is larger
inline constexpr size_t kDtlsMaxDataBytes = 1250;  // what `send` takes: a datagram without overhead
inline constexpr size_t kDtlsEarlyDatagrams = 4;   // kept before `start`
inline constexpr size_t kDtlsQueuedDatagrams = 64;  // in each direction; more are dropped
inline constexpr size_t kDtlsHandshakeDatagrams = 1000;
inline constexpr MonoUs kDtlsHandshakeTimeoutUs = 30 * kUsPerSecond;
inline constexpr MonoUs kDtlsFirstTimeoutUs = 100 * kUsPerMs;
inline constexpr MonoUs kDtlsLastTimeoutUs = 4 * kUsPerSecond;

class DtlsTransport {
 public:
  static Result<std::unique_ptr<DtlsTransport>> make(DtlsOptions options);
  ~DtlsTransport();
  DtlsTransport(const DtlsTransport&) = delete;
  DtlsTransport& operator=(const DtlsTransport&) = delete;

  // The peer's address is proven: the client speaks, the server reads what came early. Once.
  void start(MonoUs now);
  // A datagram whose first byte is 20..63 (RFC 7983). Bad ones cost nothing but their reading.
  void receive(ByteView datagram, MonoUs now);
  void on_deadline(MonoUs now);
  MonoUs deadline_us() const;  // kNever when there is none

  // The next datagram to send, or data received; false when there is none. Pull after every call
  // above: past kDtlsQueuedDatagrams they are dropped.
  bool next_datagram(Bytes& out);
  bool next_data(Bytes& out);

  // kDtlsClosed unless connected; kChannelMessageSize beyond kDtlsMaxDataBytes or when empty.
  Status send(ByteView data, MonoUs now);
  // Gives back 33 KB of buffers, which the next datagram takes again: for sessions whose DTLS has
  // done its part and seldom speaks.
  void release_buffers();
  // Says close_notify; the state is kClosed at once.
  void close(MonoUs now);

  DtlsState state() const { return state_; }
  // Why the state is kFailed: kDtlsFailed, kDtlsFingerprint or kDtlsTimeout.
  const Error& error() const { return error_; }
  // Once connected: the keys, when both sides know an SRTP profile in common.
  std::optional<DtlsSrtpKeys> srtp_keys() const;

 private:
  struct Wire;
  explicit DtlsTransport(DtlsOptions options);
  void drive(MonoUs now);
  void read_data();
  void finish_handshake();
  void fail_with(Code code, std::string detail);
  bool peer_is_expected() const;

  DtlsOptions options_;
  ssl_st* ssl_ = nullptr;
  std::unique_ptr<Wire> wire_;
  DtlsState state_ = DtlsState::kWaiting;
  Error error_;
  std::vector<Bytes> early_;
  std::deque<Bytes> data_;
  MonoUs handshake_deadline_us_ = kNever;
  size_t handshake_datagrams_ = 0;
};

}  // namespace footlight::rtc
