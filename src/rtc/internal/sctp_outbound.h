// The sending half of an association: messages waiting, chunks in flight, loss recovery and the
// congestion window (RFC 9260 sections 6.1, 6.3 and 7.2), messages given up (RFC 3758 section 3.5).
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/sctp.h"

namespace footlight::rtc {

// Chunks in flight, whatever the windows allow: bounds the work for one SACK.
inline constexpr size_t kSctpMaxFlight = 4096;
// Chunks of user data never have more bytes, so that any of them fits a packet again.
inline constexpr size_t kSctpMaxFragmentBytes =
    kSctpPacketBytes - kSctpHeaderBytes - kSctpChunkHeaderBytes - kSctpDataHeaderBytes;

class SctpOutbound {
 public:
  SctpOutbound(const SctpConfig& config, uint32_t first_tsn);

  // The peer's parameters are known.
  void open(uint32_t peer_window, bool partial_reliability);
  Status queue(uint16_t stream, uint32_t protocol, Bytes payload, const SctpSendOptions& options,
               MonoUs now);
  // Adds DATA chunks while they fit and the windows allow. True when it added one.
  bool add_data(PacketWriter& packet, MonoUs now, MonoUs rto_us);
  // Adds a FORWARD-TSN when one is due.
  void add_forward(PacketWriter& packet, MonoUs now, MonoUs rto_us);

  struct Acknowledged {
    bool advanced = false;  // the cumulative TSN went on
    MonoUs rtt_us = -1;     // a sample, or -1
  };
  // One SACK's value, with its blocks. False when it is malformed; stale ones are passed over.
  bool on_sack(ByteView value, MonoUs now, MonoUs rto_us, Acknowledged& result);
  // The cumulative TSN alone, of a SHUTDOWN.
  void on_cumulative(uint32_t tsn, MonoUs now, MonoUs rto_us, Acknowledged& result);

  MonoUs deadline_us() const { return timer_us_; }
  // The retransmission timer ran out.
  void on_timeout(MonoUs now);

  bool idle() const { return sent_.empty() && queued_bytes_ == 0; }
  // What a stream still has to do: `busy`, one place a stream, gets a mark for each that waits for
  // an acknowledgement; `queued` says whether something waits for its first transmission.
  void mark_in_flight(std::vector<bool>& busy) const;
  bool queued(uint16_t stream) const;
  void restart_sequence(uint16_t stream) { sequences_.erase(stream); }
  uint32_t last_tsn() const { return next_tsn_ - 1; }
  size_t queued_bytes(uint16_t stream) const;
  size_t queued_bytes() const { return queued_bytes_; }
  size_t window_bytes() const { return window_; }

 private:
  struct Message {
    Bytes payload;
    uint32_t protocol = 0;
    uint16_t stream = 0;
    uint16_t sequence = 0;
    bool unordered = false;
    std::optional<uint16_t> max_retransmits;
    MonoUs expires_us = kNever;
    size_t taken = 0;  // bytes already made into chunks
  };
  enum class Fate : uint8_t { kFlying, kAcknowledged, kLost, kAbandoned };
  struct Sent {
    std::shared_ptr<Message> message;
    uint32_t offset = 0;
    uint16_t size = 0;
    uint16_t transmissions = 0;
    uint8_t missing = 0;  // SACKs that reported it so
    Fate fate = Fate::kFlying;
    MonoUs sent_us = 0;
  };
  using Queue = std::deque<std::shared_ptr<Message>>;

  std::shared_ptr<Message> next_message(MonoUs now);
  bool resend_lost(PacketWriter& packet, MonoUs now);
  bool send_new(PacketWriter& packet, MonoUs now);
  void write(PacketWriter& packet, const Sent& sent, uint32_t tsn);
  void pop_acknowledged(uint32_t count, MonoUs now, Acknowledged& result, size_t& bytes);
  void mark_blocks(ByteView blocks, size_t& bytes);
  void detect_losses(size_t newest);
  void grow_window(size_t bytes, size_t flight_before);
  void give_up_lost(MonoUs now);
  void abandon(size_t at);
  size_t abandoned_prefix() const;
  void leave(Sent& sent, Fate fate);
  void drop_queued(const Message& message);
  void set_timer(MonoUs now, MonoUs rto_us);

  const SctpConfig config_;
  uint32_t next_tsn_;
  uint32_t cumulative_;    // acknowledged by the peer
  std::deque<Sent> sent_;  // cumulative_ + 1 and on
  std::map<uint16_t, Queue> queues_;
  std::deque<uint16_t> turns_;  // streams with queued messages, one message each in turn
  std::shared_ptr<Message> current_;
  std::map<uint16_t, uint16_t> sequences_;  // next ordered message's number
  std::map<uint16_t, size_t> queued_by_stream_;
  size_t queued_bytes_ = 0;
  size_t held_bytes_ = 0;  // queued and in sent_
  bool partial_ = false;

  size_t flight_ = 0;  // bytes
  size_t window_;      // congestion window
  size_t threshold_;
  size_t partial_acked_ = 0;
  size_t peer_window_ = 0;
  size_t lost_ = 0;  // chunks in sent_ of that fate
  bool recovering_ = false;
  uint32_t recovery_end_ = 0;
  bool resend_at_once_ = false;  // the first lost packet ignores the window
  bool forward_due_ = false;
  MonoUs timer_us_ = kNever;
};

}  // namespace footlight::rtc
