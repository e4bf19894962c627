// What an association does with the packets it is given (RFC 9260 sections 6 and 8, RFC 6525
// section 5.2).
#include <algorithm>

#include "rtc/internal/sctp_inbound.h"
#include "rtc/internal/sctp_outbound.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/sctp.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr MonoUs kSackDelayUs = 20 * kUsPerMs;
constexpr size_t kMaxHeartbeatBytes = 512;
// Results of RFC 6525 section 4.4.
constexpr uint32_t kResetDone = 1;
constexpr uint32_t kResetDenied = 2;
constexpr uint32_t kResetBadSequence = 5;
constexpr uint32_t kResetInProgress = 6;

}  // namespace

// Which verification tag a packet must have (section 8.5).
bool SctpAssociation::tag_fits(ByteView packet, const SctpChunk& first) const {
  const uint32_t tag = load_u32(&packet[4]);
  const auto type = static_cast<ChunkType>(first.type);
  if (type == ChunkType::kInit) {
    return tag == 0 && kSctpHeaderBytes + kSctpChunkHeaderBytes + sctp_padded(first.value.size()) >=
                           packet.size();
  }
  const bool reflected = (first.flags & kTagReflected) != 0 &&
                         (type == ChunkType::kAbort || type == ChunkType::kShutdownComplete);
  if (reflected) return peer_tag_ != 0 && tag == peer_tag_;
  // A COOKIE ECHO is compared with the tag in its cookie: it may be of a restart.
  return tag == tag_ || type == ChunkType::kCookieEcho;
}

void SctpAssociation::receive(ByteView packet, MonoUs now) {
  if (state_ == SctpState::kEnded || packet.size() < kSctpHeaderBytes + kSctpChunkHeaderBytes ||
      load_u16(packet.data()) != config_.remote_port ||
      load_u16(&packet[2]) != config_.local_port || load_u32(&packet[8]) != sctp_checksum(packet)) {
    return;
  }
  SctpChunk chunk;
  ChunkReader first(packet.subspan(kSctpHeaderBytes));
  if (!first.next(chunk) || !tag_fits(packet, chunk)) return;
  ChunkReader chunks(packet.subspan(kSctpHeaderBytes));
  bool stop = false;
  bool data = false;
  while (!stop && state_ != SctpState::kEnded && chunks.next(chunk)) {
    data = data || chunk.type == uint8_t(ChunkType::kData);
    const bool known = chunk.type <= uint8_t(ChunkType::kCookieAck) ||
                       chunk.type == uint8_t(ChunkType::kShutdownComplete) ||
                       chunk.type == uint8_t(ChunkType::kReconfig) ||
                       chunk.type == uint8_t(ChunkType::kForwardTsn);
    if (known) {
      on_chunk(chunk, load_u32(&packet[4]), now);
    } else {
      unknown_chunk(chunk, now, stop);
    }
  }
  if (data && in_ && state_ != SctpState::kEnded) {
    // Every second packet at once, or after a short while (section 6.2).
    if (++unacknowledged_packets_ >= 2) sack_now_ = true;
    if (sack_deadline_us_ == kNever) sack_deadline_us_ = now + kSackDelayUs;
  }
  SctpMessage message;
  while (in_ && in_->next_message(message)) events_.push_back(std::move(message));
  try_pending_reset();
  settle_shutdown(now);
}

void SctpAssociation::unknown_chunk(const SctpChunk& chunk, MonoUs, bool& stop) {
  if ((chunk.type & 0x80) == 0) stop = true;  // section 3.2: the rest of the packet is not read
  if ((chunk.type & 0x40) == 0 || !in_) return;
  const ByteView shown = chunk.value.first(std::min<size_t>(chunk.value.size(), 64));
  Bytes cause{0, 6, 0, 0, chunk.type, chunk.flags, 0, 0};  // Unrecognized Chunk Type
  store_u16(&cause[2], static_cast<uint16_t>(8 + shown.size()));
  store_u16(&cause[6], static_cast<uint16_t>(kSctpChunkHeaderBytes + shown.size()));
  cause.insert(cause.end(), shown.begin(), shown.end());
  answer(uint8_t(ChunkType::kError), cause);
}

void SctpAssociation::on_chunk(const SctpChunk& chunk, uint32_t tag, MonoUs now) {
  const auto type = static_cast<ChunkType>(chunk.type);
  if (type == ChunkType::kInit) return on_init(chunk.value, now);
  if (type == ChunkType::kCookieEcho) return on_cookie_echo(chunk.value, tag, now);
  if (tag != tag_ && !(chunk.flags & kTagReflected)) return;
  switch (type) {
    case ChunkType::kInitAck:
      return on_init_ack(chunk.value, now);
    case ChunkType::kCookieAck:
      if (state_ == SctpState::kCookieEchoed) establish(Peer(peer_), now);
      return;
    case ChunkType::kAbort:
      if (state_ != SctpState::kIdle) end_with(Code::kSctpClosed, "the peer aborted", false);
      return;
    case ChunkType::kShutdownComplete:
      if (state_ == SctpState::kShutdownAckSent) end_with(Code::kSctpClosed, "", false);
      return;
    case ChunkType::kError:
      // Stale cookie is the one that matters before the association stands (section 5.2.6).
      if (state_ == SctpState::kCookieEchoed) {
        end_with(Code::kSctpProtocol, "the peer refused the cookie", false);
      }
      return;
    case ChunkType::kShutdownAck:
      if (state_ == SctpState::kShutdownSent || state_ == SctpState::kShutdownAckSent) {
        answer(uint8_t(ChunkType::kShutdownComplete));
        end_with(Code::kSctpClosed, "", false);
      }
      return;
    default:
      break;
  }
  if (!in_) return;  // all that follows needs an association that stands
  switch (type) {
    case ChunkType::kData:
      return on_data(chunk, now);
    case ChunkType::kSack:
      return on_sack(chunk.value, now);
    case ChunkType::kHeartbeat:
      if (chunk.value.size() <= kMaxHeartbeatBytes) {
        answer(uint8_t(ChunkType::kHeartbeatAck), chunk.value);
      }
      return;
    case ChunkType::kHeartbeatAck:
      return on_heartbeat_ack(chunk.value, now);
    case ChunkType::kShutdown:
      return on_shutdown(chunk.value, now);
    case ChunkType::kReconfig:
      return on_reconfig(chunk.value, now);
    case ChunkType::kForwardTsn:
      sack_now_ = true;
      if (!in_->forward(chunk.value)) end_with(Code::kSctpProtocol, "a bad FORWARD TSN", true);
      return;
    default:
      return;
  }
}

void SctpAssociation::on_data(const SctpChunk& chunk, MonoUs) {
  if (state_ == SctpState::kShutdownReceived || state_ == SctpState::kShutdownAckSent) return;
  const bool gaps = in_->has_gaps();
  switch (in_->data(chunk.flags, chunk.value)) {
    case SctpInbound::Verdict::kViolation:
      return end_with(Code::kSctpProtocol, "bad DATA", true);
    case SctpInbound::Verdict::kTaken:
      if (gaps || (chunk.flags & kDataImmediate)) sack_now_ = true;
      return;
    default:
      sack_now_ = true;  // the sender learns of loss, repetition or a full buffer at once
      return;
  }
}

void SctpAssociation::on_sack(ByteView value, MonoUs now) {
  SctpOutbound::Acknowledged result;
  if (!out_->on_sack(value, now, rto_us_, result)) {
    return end_with(Code::kSctpProtocol, "a bad SACK", true);
  }
  if (result.rtt_us >= 0) took_rtt(result.rtt_us);
  // A peer that says its buffer is full is alive, however often it is probed (section 6.1 A).
  const bool full = load_u32(&value[4]) == 0;
  if (result.advanced || full) errors_ = 0;
}

void SctpAssociation::on_heartbeat_ack(ByteView value, MonoUs now) {
  if (!heartbeat_open_ || value.size() < 8 || load_u32(&value[4]) != heartbeat_nonce_) return;
  heartbeat_open_ = false;
  errors_ = 0;
  took_rtt(now - heartbeat_sent_us_);
}

void SctpAssociation::on_shutdown(ByteView value, MonoUs now) {
  if (value.size() < 4) return;
  SctpOutbound::Acknowledged result;
  out_->on_cumulative(load_u32(value.data()), now, rto_us_, result);
  if (state_ == SctpState::kShutdownSent) {
    // Both ended at once: each acknowledges the other's (section 9.2).
    state_ = SctpState::kShutdownAckSent;
    answer(uint8_t(ChunkType::kShutdownAck));
    shutdown_deadline_us_ = now + rto_us_;
  } else if (state_ == SctpState::kEstablished || state_ == SctpState::kShutdownPending) {
    state_ = SctpState::kShutdownReceived;
  }
}

// --- stream reset
// ----------------------------------------------------------------------------------

void SctpAssociation::on_reconfig(ByteView value, MonoUs) {
  ParameterReader parameters(value);
  uint16_t type = 0;
  int count = 0;
  for (ByteView content; count < 2 && parameters.next(type, content); ++count) {
    if (type == static_cast<uint16_t>(SctpParameter::kOutgoingReset)) {
      on_reset_request(content, 0);
    } else if (type == static_cast<uint16_t>(SctpParameter::kReconfigResponse)) {
      on_reset_response(content);
    } else if (type >= static_cast<uint16_t>(SctpParameter::kIncomingReset) && type <= 18 &&
               content.size() >= 4) {
      // To be asked to reset our own direction, all TSNs, or for more streams: not here.
      const uint32_t sequence = load_u32(content.data());
      if (sequence == expected_reset_sequence_) {
        ++expected_reset_sequence_;
        last_reset_result_ = kResetDenied;
      }
      respond_to_reset(sequence, kResetDenied);
    }
  }
}

void SctpAssociation::on_reset_request(ByteView value, MonoUs) {
  if (value.size() < 12) return;
  const uint32_t sequence = load_u32(value.data());
  if (sequence == expected_reset_sequence_ - 1) {
    return respond_to_reset(sequence, last_reset_result_);  // our answer was lost
  }
  if (sequence != expected_reset_sequence_) return respond_to_reset(sequence, kResetBadSequence);
  ResetRequest request{.sequence = sequence, .last_tsn = load_u32(&value[8])};
  for (ByteView ids = value.subspan(12); ids.size() >= 2; ids = ids.subspan(2)) {
    request.streams.push_back(load_u16(ids.data()));
  }
  pending_reset_ = std::move(request);
  if (is_newer(pending_reset_->last_tsn, in_->cumulative_tsn())) {
    respond_to_reset(sequence, kResetInProgress);
  }
}

// The peer's request holds once everything it sent before has come.
void SctpAssociation::try_pending_reset() {
  if (!pending_reset_ || !in_ || state_ == SctpState::kEnded ||
      is_newer(pending_reset_->last_tsn, in_->cumulative_tsn())) {
    return;
  }
  ResetRequest request = std::move(*pending_reset_);
  pending_reset_.reset();
  in_->reset(request.streams);
  ++expected_reset_sequence_;
  last_reset_result_ = kResetDone;
  respond_to_reset(request.sequence, kResetDone);
  const bool all = request.streams.empty();
  events_.push_back(SctpStreamsReset{std::move(request.streams), all});
}

void SctpAssociation::respond_to_reset(uint32_t sequence, uint32_t result) {
  std::array<uint8_t, 8> content;
  store_u32(content.data(), sequence);
  store_u32(content.data() + 4, result);
  Bytes value;
  add_parameter(value, SctpParameter::kReconfigResponse, content);
  answer(uint8_t(ChunkType::kReconfig), value);
}

void SctpAssociation::on_reset_response(ByteView value) {
  if (value.size() < 8 || !reset_ || load_u32(value.data()) != reset_->sequence) return;
  errors_ = 0;
  if (load_u32(&value[4]) == kResetInProgress) return;  // asked again when the timer runs out
  for (const uint16_t stream : reset_->streams) out_->restart_sequence(stream);
  events_.push_back(SctpResetDone{std::move(reset_->streams)});
  reset_.reset();
  reset_due_ = false;
  reset_deadline_us_ = kNever;
}

}  // namespace footlight::rtc
