// The receiving half of an association: which TSNs came, fragments put together again, and messages
// given out in their streams' order (RFC 9260 sections 6.2 to 6.6, RFC 3758 section 3.6).
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/sctp.h"

namespace footlight::rtc {

// TSNs beyond the cumulative one that are taken; the peer must resend what lies further.
inline constexpr int64_t kSctpTsnWindow = 8192;
// What a piece that waits costs beside its bytes.
inline constexpr size_t kSctpPieceOverheadBytes = 128;

class SctpInbound {
 public:
  SctpInbound(uint32_t first_tsn, const SctpConfig& config);

  enum class Verdict : uint8_t { kTaken, kGap, kDuplicate, kDropped, kViolation };
  // One DATA chunk. kGap: taken, and TSNs before it are missing. kDropped: no room, or too far
  // ahead.
  Verdict data(uint8_t flags, ByteView value);
  // One FORWARD-TSN chunk; false when it is malformed.
  bool forward(ByteView value);
  // The streams' next message has sequence number 0 again; all streams when the list is empty.
  void reset(const std::vector<uint16_t>& streams);

  bool next_message(SctpMessage& message);
  uint32_t cumulative_tsn() const { return static_cast<uint32_t>(cumulative_); }
  bool has_gaps() const { return highest_ > cumulative_; }
  // Adds a SACK chunk when it fits.
  bool write_sack(PacketWriter& packet);
  // Bytes held for this peer: incomplete, out of order and not yet pulled.
  size_t held_bytes() const { return held_bytes_; }

 private:
  // Neighbouring fragments of one message.
  struct Run {
    int64_t end = 0;  // the TSN behind it
    bool begins = false;
    bool ends = false;
    bool unordered = false;
    uint16_t stream = 0;
    uint16_t sequence = 0;
    uint32_t protocol = 0;
    Bytes bytes;
    bool joins(const Run& next) const { return !ends && !next.begins && same_message(next); }
    // Whether `next` may follow right behind. A message may lack its end: the sender gave it up.
    bool may_precede(const Run& next) const { return next.begins || (!ends && same_message(next)); }
    bool same_message(const Run& next) const {
      return stream == next.stream && unordered == next.unordered &&
             (unordered || sequence == next.sequence);
    }
  };
  using Runs = std::map<int64_t, Run>;  // by first TSN
  struct Stream {
    uint16_t next_sequence = 0;
    std::map<uint16_t, SctpMessage> waiting;
  };

  int64_t unwrap(uint32_t tsn) const {
    return cumulative_ + static_cast<int32_t>(tsn - static_cast<uint32_t>(cumulative_));
  }
  bool has(int64_t tsn) const {
    const auto slot = static_cast<uint64_t>(tsn % kSctpTsnWindow);
    return received_[slot / 64] >> slot % 64 & 1;
  }
  void set(int64_t tsn, bool value);
  void advance();
  bool insert(int64_t tsn, Run run);
  bool complete(Runs::iterator at);
  void deliver(Run run);
  void give_out(SctpMessage message) { ready_.push_back(std::move(message)); }
  void drain(Stream& stream);
  void discard(Runs::iterator at);
  void skip_to(uint16_t stream, uint16_t sequence);

  const SctpConfig config_;
  int64_t cumulative_;
  int64_t highest_;
  int64_t orphan_ = -1;  // the TSN whose message was given up before it
  std::array<uint64_t, kSctpTsnWindow / 64> received_{};
  Runs runs_;
  std::unordered_map<uint16_t, Stream> streams_;
  std::deque<SctpMessage> ready_;
  std::vector<uint32_t> duplicates_;  // to be told in the next SACK
  size_t held_bytes_ = 0;
};

}  // namespace footlight::rtc
