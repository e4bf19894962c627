// SCTP over DTLS (RFC 9260, RFC 8261): messages of many streams over one association, each reliable
// or not, in order or not. The part of it that WebRTC's data channels need: one path, no address
// parameters, no authentication chunks; with partial reliability (RFC 3758) and stream reset
// (RFC 6525). `data_channel.h` builds the channels on top.
//
// A pure state machine: packets and the time go in; packets, events and a deadline come out, all
// pulled. DTLS has proven who the peer is, so the state cookie carries no signature; what it holds
// is checked like any other bytes of the peer's. Everything the peer can fill has a bound in
// SctpConfig or below; a peer beyond it loses the association.
//
// Not for use by two threads at once.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"

namespace footlight::rtc {

// Fits, with DTLS, TURN, UDP and IPv6 around it, through every path of 1,350 bytes.
inline constexpr size_t kSctpPacketBytes = 1200;

struct SctpConfig {
  uint16_t local_port = 5000;
  uint16_t remote_port = 5000;
  uint16_t streams = 1024;                 // ids 0..streams-1, in both directions
  size_t max_message_bytes = 256 * 1024;   // of either side
  size_t send_buffer_bytes = 1024 * 1024;  // queued and not yet acknowledged
  size_t receive_buffer_bytes = 512 * 1024;
};

struct SctpMessage {
  uint16_t stream = 0;
  uint32_t protocol = 0;  // payload protocol identifier
  Bytes payload;
};

struct SctpSendOptions {
  bool unordered = false;
  std::optional<uint16_t> max_retransmits;
  std::optional<uint32_t> lifetime_ms;  // counts from `send`
};

struct SctpConnected {};
// The peer has closed its direction of these streams.
struct SctpStreamsReset {
  std::vector<uint16_t> streams;
  bool all = false;
};
// Our request to close our direction was answered; a refusal counts as an answer.
struct SctpResetDone {
  std::vector<uint16_t> streams;
};
struct SctpEnded {
  Error error;  // kSctpClosed after an orderly end
};
using SctpEvent =
    std::variant<SctpConnected, SctpMessage, SctpStreamsReset, SctpResetDone, SctpEnded>;

enum class SctpState : uint8_t {
  kIdle,  // nothing sent yet; an INIT of the peer's is answered
  kCookieWait,
  kCookieEchoed,
  kEstablished,
  kShutdownPending,
  kShutdownSent,
  kShutdownReceived,
  kShutdownAckSent,
  kEnded,
};

class SctpInbound;
class SctpOutbound;
class PacketWriter;
struct SctpChunk;

class SctpAssociation {
 public:
  SctpAssociation(SctpConfig config, Entropy& entropy);
  ~SctpAssociation();
  SctpAssociation(const SctpAssociation&) = delete;
  SctpAssociation& operator=(const SctpAssociation&) = delete;

  // Sends an INIT. Both sides of a WebRTC session do, and meet in the middle.
  void connect(MonoUs now);
  void receive(ByteView packet, MonoUs now);
  void on_deadline(MonoUs now);
  MonoUs deadline_us() const;

  // Writes the next packet into `out` (at least kSctpPacketBytes) and returns its size, 0 when
  // there is none. To be pulled until 0 after every other call.
  size_t produce(std::span<uint8_t> out, MonoUs now);
  // False when there is none. To be pulled likewise; what waits to be pulled is not held against
  // the receive buffer.
  bool next_event(SctpEvent& event);

  // Queues a message, before the association stands too. kChannelMessageSize: empty or over the
  // limit. kChannelFull: the send buffer is. kChannelUnknown: no such stream. kSctpClosed.
  Status send(uint16_t stream, uint32_t protocol, Bytes payload, const SctpSendOptions& options,
              MonoUs now);
  // Closes our direction of a stream, once what was queued on it has been sent.
  Status reset_stream(uint16_t stream);
  // Ends in order: what is queued is sent first.
  void shutdown(MonoUs now);
  // Ends at once; one more `produce` tells the peer.
  void abort();

  SctpState state() const { return state_; }
  // Bytes queued on a stream, and on all, that were not sent for the first time.
  size_t buffered_bytes(uint16_t stream) const;
  size_t buffered_bytes() const;

 private:
  struct Control {  // a chunk to be sent once
    uint8_t type = 0;
    uint8_t flags = 0;
    Bytes value;
    uint32_t tag = 0;    // the packet's verification tag
    bool alone = false;  // may share its packet with nothing
  };
  struct Peer {  // what an INIT, INIT ACK or cookie says of the peer
    uint32_t tag = 0;
    uint32_t window = 0;
    uint16_t out_streams = 0;
    uint16_t in_streams = 0;
    uint32_t first_tsn = 0;
    bool forward_tsn = false;
    bool reconfig = false;
  };
  struct ResetRequest {
    uint32_t sequence = 0;
    uint32_t last_tsn = 0;
    std::vector<uint16_t> streams;
  };

  uint32_t random_u32();
  // sctp_setup.cc
  void on_init(ByteView value, MonoUs now);
  void on_init_ack(ByteView value, MonoUs now);
  void on_cookie_echo(ByteView value, uint32_t tag, MonoUs now);
  bool read_peer(ByteView value, Peer& peer) const;
  Bytes init_value(uint32_t tag, uint32_t first_tsn) const;
  Bytes cookie_for(const Peer& peer, uint32_t tag, uint32_t first_tsn) const;
  void establish(const Peer& peer, MonoUs now);
  // sctp_receive.cc
  bool tag_fits(ByteView packet, const SctpChunk& first) const;
  void on_chunk(const SctpChunk& chunk, uint32_t tag, MonoUs now);
  void on_data(const SctpChunk& chunk, MonoUs now);
  void on_sack(ByteView value, MonoUs now);
  void on_heartbeat_ack(ByteView value, MonoUs now);
  void on_shutdown(ByteView value, MonoUs now);
  void on_reconfig(ByteView value, MonoUs now);
  void on_reset_request(ByteView value, MonoUs now);
  void on_reset_response(ByteView value);
  void try_pending_reset();
  void respond_to_reset(uint32_t sequence, uint32_t result);
  void unknown_chunk(const SctpChunk& chunk, MonoUs now, bool& stop);
  // sctp.cc
  void push_control(Control control);
  void answer(uint8_t type, ByteView value = {}, uint8_t flags = 0);
  void end_with(Code code, const char* detail, bool tell_peer);
  void took_rtt(MonoUs sample_us);
  void count_error();
  void add_setup(PacketWriter& packet);
  void add_reset_request(PacketWriter& packet, MonoUs now);
  void settle_shutdown(MonoUs now);
  bool may_send_data() const;

  const SctpConfig config_;
  Prng random_;
  SctpState state_ = SctpState::kIdle;
  uint32_t tag_ = 0;       // ours: in packets to us
  uint32_t peer_tag_ = 0;  // in packets to the peer
  uint32_t first_tsn_ = 0;
  Peer peer_;
  std::unique_ptr<SctpInbound> in_;
  std::unique_ptr<SctpOutbound> out_;
  std::deque<Control> control_;
  std::deque<SctpEvent> events_;
  Bytes cookie_;
  bool setup_due_ = false;  // INIT or COOKIE ECHO
  int setup_tries_ = 0;
  MonoUs setup_deadline_us_ = kNever;

  bool sack_now_ = false;
  int unacknowledged_packets_ = 0;
  MonoUs sack_deadline_us_ = kNever;

  MonoUs rto_us_;
  MonoUs smoothed_rtt_us_ = 0;
  MonoUs rtt_variance_us_ = 0;
  int errors_ = 0;  // timeouts in a row

  MonoUs heartbeat_deadline_us_ = kNever;
  MonoUs heartbeat_sent_us_ = 0;
  uint32_t heartbeat_nonce_ = 0;
  bool heartbeat_open_ = false;

  std::set<uint16_t> to_reset_;
  std::optional<ResetRequest> reset_;  // in flight
  bool reset_due_ = false;
  MonoUs reset_deadline_us_ = kNever;
  uint32_t next_reset_sequence_ = 0;
  std::optional<ResetRequest> pending_reset_;  // the peer's, until its last TSN has come
  uint32_t expected_reset_sequence_ = 0;
  uint32_t last_reset_result_ = 0;

  MonoUs shutdown_deadline_us_ = kNever;
};

}  // namespace footlight::rtc
