#include "rtc/internal/sctp_outbound.h"

#include <algorithm>

#include "core/assert.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr size_t kSegment = kSctpMaxFragmentBytes;
constexpr size_t kFirstWindow = 10 * kSegment;
constexpr size_t kLeastThreshold = 4 * kSegment;
constexpr uint8_t kReportsForLoss = 3;
constexpr size_t kMessageOverheadBytes = 128;  // what a short message costs beside its bytes
constexpr size_t kMaxForwardStreams = 200;

}  // namespace

SctpOutbound::SctpOutbound(const SctpConfig& config, uint32_t first_tsn)
    : config_(config),
      next_tsn_(first_tsn),
      cumulative_(first_tsn - 1),
      window_(kFirstWindow),
      threshold_(config.send_buffer_bytes) {}

void SctpOutbound::open(uint32_t peer_window, bool partial_reliability) {
  peer_window_ = peer_window;
  partial_ = partial_reliability;
}

Status SctpOutbound::queue(uint16_t stream, uint32_t protocol, Bytes payload,
                           const SctpSendOptions& options, MonoUs now) {
  if (held_bytes_ + payload.size() + kMessageOverheadBytes > config_.send_buffer_bytes) {
    return fail(Code::kChannelFull);
  }
  auto message = std::make_shared<Message>();
  message->protocol = protocol;
  message->stream = stream;
  message->unordered = options.unordered;
  message->max_retransmits = options.max_retransmits;
  if (options.lifetime_ms) message->expires_us = now + *options.lifetime_ms * kUsPerMs;
  held_bytes_ += payload.size() + kMessageOverheadBytes;
  queued_bytes_ += payload.size();
  queued_by_stream_[stream] += payload.size();
  message->payload = std::move(payload);
  Queue& queue = queues_[stream];
  if (queue.empty()) turns_.push_back(stream);
  queue.push_back(std::move(message));
  return {};
}

bool SctpOutbound::queued(uint16_t stream) const {
  return queues_.contains(stream) || (current_ != nullptr && current_->stream == stream);
}

void SctpOutbound::mark_in_flight(std::vector<bool>& busy) const {
  for (const Sent& sent : sent_) busy[sent.message->stream] = true;
}

size_t SctpOutbound::queued_bytes(uint16_t stream) const {
  const auto found = queued_by_stream_.find(stream);
  return found == queued_by_stream_.end() ? 0 : found->second;
}

// The rest of the message leaves the queue without being sent.
void SctpOutbound::drop_queued(const Message& message) {
  const size_t rest = message.payload.size() - message.taken;
  queued_bytes_ -= rest;
  held_bytes_ -= rest;
  const auto stream = queued_by_stream_.find(message.stream);
  stream->second -= rest;
  if (stream->second == 0) queued_by_stream_.erase(stream);
}

// Fragments of a message have TSNs in a row, so a message once begun is sent to its end.
std::shared_ptr<SctpOutbound::Message> SctpOutbound::next_message(MonoUs now) {
  if (current_ != nullptr) return current_;
  while (!turns_.empty()) {
    const uint16_t id = turns_.front();
    turns_.pop_front();
    Queue& queue = queues_[id];
    auto message = std::move(queue.front());
    queue.pop_front();
    if (queue.empty()) {
      queues_.erase(id);
    } else {
      turns_.push_back(id);
    }
    if (partial_ && message->expires_us <= now) {
      drop_queued(*message);
      held_bytes_ -= kMessageOverheadBytes;
      continue;
    }
    if (!message->unordered) message->sequence = sequences_[id]++;
    current_ = std::move(message);
    return current_;
  }
  return nullptr;
}

void SctpOutbound::write(PacketWriter& packet, const Sent& sent, uint32_t tsn) {
  const Message& message = *sent.message;
  uint8_t flags = message.unordered ? kDataUnordered : 0;
  if (sent.offset == 0) flags |= kDataBegin;
  if (sent.offset + sent.size == message.payload.size()) flags |= kDataEnd;
  uint8_t* at = packet.add(ChunkType::kData, flags, kSctpDataHeaderBytes + sent.size);
  store_u32(at, tsn);
  store_u16(at + 4, message.stream);
  store_u16(at + 6, message.sequence);
  store_u32(at + 8, message.protocol);
  std::copy_n(message.payload.data() + sent.offset, sent.size, at + kSctpDataHeaderBytes);
}

bool SctpOutbound::resend_lost(PacketWriter& packet, MonoUs now) {
  bool added = false;
  for (size_t i = 0; i < sent_.size() && lost_ > 0; ++i) {
    Sent& sent = sent_[i];
    if (sent.fate != Fate::kLost) continue;
    if (packet.room() < kSctpDataHeaderBytes + sent.size) return added;
    if (!resend_at_once_ && flight_ > 0 && flight_ + sent.size > window_) return added;
    leave(sent, Fate::kFlying);
    ++sent.transmissions;
    sent.missing = 0;
    sent.sent_us = now;
    write(packet, sent, cumulative_ + 1 + static_cast<uint32_t>(i));
    added = true;
  }
  return added;
}

bool SctpOutbound::send_new(PacketWriter& packet, MonoUs now) {
  bool added = false;
  while (sent_.size() < kSctpMaxFlight && flight_ < window_) {
    if (packet.room() <= kSctpDataHeaderBytes) break;
    // One chunk may probe a closed window (RFC 9260 section 6.1 A).
    if (peer_window_ == 0 && !sent_.empty()) break;
    const auto message = next_message(now);
    if (message == nullptr) break;
    const size_t rest = message->payload.size() - message->taken;
    const size_t most = packet.room() - kSctpDataHeaderBytes;
    const size_t size = std::min({rest, most, kSctpMaxFragmentBytes});
    // No slivers: a fragment that ends no message waits for a packet of its own.
    if (size < rest && size < kSctpMaxFragmentBytes / 2) break;
    if (size > peer_window_ && !sent_.empty()) break;
    Sent sent{.message = message,
              .offset = static_cast<uint32_t>(message->taken),
              .size = static_cast<uint16_t>(size),
              .transmissions = 1,
              .sent_us = now};
    write(packet, sent, next_tsn_++);
    sent_.push_back(std::move(sent));
    message->taken += size;
    flight_ += size;
    peer_window_ -= std::min(peer_window_, size);
    queued_bytes_ -= size;
    const auto stream = queued_by_stream_.find(message->stream);
    stream->second -= size;
    if (stream->second == 0) queued_by_stream_.erase(stream);
    if (message->taken == message->payload.size()) current_ = nullptr;
    added = true;
  }
  return added;
}

bool SctpOutbound::add_data(PacketWriter& packet, MonoUs now, MonoUs rto_us) {
  if (lost_ > 0) give_up_lost(now);
  bool added = lost_ > 0 && resend_lost(packet, now);
  resend_at_once_ = false;
  if (lost_ == 0) added = send_new(packet, now) || added;
  if (added && timer_us_ == kNever) timer_us_ = now + rto_us;
  return added;
}

void SctpOutbound::leave(Sent& sent, Fate fate) {
  if (sent.fate == Fate::kFlying) flight_ -= sent.size;
  if (sent.fate == Fate::kLost) --lost_;
  sent.fate = fate;
  if (fate == Fate::kFlying) flight_ += sent.size;
  if (fate == Fate::kLost) ++lost_;
}

// --- what the peer says
// ----------------------------------------------------------------------------

void SctpOutbound::pop_acknowledged(uint32_t count, MonoUs now, Acknowledged& result,
                                    size_t& bytes) {
  for (uint32_t i = 0; i < count; ++i) {
    Sent& sent = sent_.front();
    if (sent.fate == Fate::kFlying || sent.fate == Fate::kLost) bytes += sent.size;
    // A resent chunk's acknowledgement says nothing of the time (Karn's rule).
    if (sent.transmissions == 1 && sent.fate == Fate::kFlying) result.rtt_us = now - sent.sent_us;
    leave(sent, Fate::kAcknowledged);
    held_bytes_ -= sent.size;
    if (sent.offset == 0) held_bytes_ -= kMessageOverheadBytes;
    sent_.pop_front();
  }
  cumulative_ += count;
  result.advanced = count > 0;
}

// Marks what lies in the gap blocks, and unmarks what the peer has thrown away again.
void SctpOutbound::mark_blocks(ByteView blocks, size_t& bytes) {
  size_t newest = 0;
  size_t at = 0;
  bool any = false;
  for (; !blocks.empty(); blocks = blocks.subspan(4)) {
    const size_t first = load_u16(blocks.data());
    const size_t last = load_u16(&blocks[2]);
    if (first < at + 1 || last < first) continue;  // overlapping or backwards: passed over
    for (; at < std::min(first - 1, sent_.size()); ++at) {
      if (sent_[at].fate == Fate::kAcknowledged) leave(sent_[at], Fate::kFlying);
    }
    for (; at < std::min(last, sent_.size()); ++at) {
      Sent& sent = sent_[at];
      if (sent.fate != Fate::kFlying && sent.fate != Fate::kLost) continue;
      bytes += sent.size;
      leave(sent, Fate::kAcknowledged);
      newest = at;
      any = true;
    }
  }
  for (; at < sent_.size(); ++at) {
    if (sent_[at].fate == Fate::kAcknowledged) leave(sent_[at], Fate::kFlying);
  }
  if (any) detect_losses(newest);
}

// Three SACKs that acknowledge something newer: the chunk is lost (RFC 9260 section 7.2.4).
void SctpOutbound::detect_losses(size_t newest) {
  bool found = false;
  for (size_t i = 0; i < newest; ++i) {
    Sent& sent = sent_[i];
    if (sent.fate != Fate::kFlying || ++sent.missing < kReportsForLoss) continue;
    leave(sent, Fate::kLost);
    found = true;
  }
  if (!found || recovering_) return;
  threshold_ = std::max(window_ / 2, kLeastThreshold);
  window_ = threshold_;
  partial_acked_ = 0;
  recovering_ = true;
  recovery_end_ = next_tsn_ - 1;
  resend_at_once_ = true;
}

void SctpOutbound::grow_window(size_t bytes, size_t flight_before) {
  const bool used = flight_before + kSegment > window_;
  if (recovering_ || !used) return;
  if (window_ <= threshold_) {
    window_ += std::min(bytes, kSegment);
    return;
  }
  partial_acked_ += bytes;
  if (partial_acked_ >= window_) {
    partial_acked_ -= window_;
    window_ += kSegment;
  }
}

bool SctpOutbound::on_sack(ByteView value, MonoUs now, MonoUs rto_us, Acknowledged& result) {
  if (value.size() < kSctpSackHeadBytes) return false;
  const size_t blocks = load_u16(&value[8]);
  const size_t duplicates = load_u16(&value[10]);
  if (value.size() < kSctpSackHeadBytes + 4 * (blocks + duplicates)) return false;
  const uint32_t count = load_u32(value.data()) - cumulative_;
  if (count > sent_.size()) return true;  // an old one, or of TSNs never sent
  const size_t flight_before = flight_;
  size_t bytes = 0;
  pop_acknowledged(count, now, result, bytes);
  mark_blocks(value.subspan(kSctpSackHeadBytes, 4 * blocks), bytes);
  if (recovering_ && !is_newer(recovery_end_, cumulative_)) recovering_ = false;
  if (result.advanced) grow_window(bytes, flight_before);
  const size_t window = load_u32(&value[4]);
  peer_window_ = window > flight_ ? window - flight_ : 0;
  if (partial_ && abandoned_prefix() > 0) forward_due_ = true;
  if (result.advanced || flight_ == 0) set_timer(now, rto_us);
  return true;
}

void SctpOutbound::on_cumulative(uint32_t tsn, MonoUs now, MonoUs rto_us, Acknowledged& result) {
  const uint32_t count = tsn - cumulative_;
  if (count > sent_.size()) return;
  size_t bytes = 0;
  pop_acknowledged(count, now, result, bytes);
  if (result.advanced) set_timer(now, rto_us);
}

void SctpOutbound::set_timer(MonoUs now, MonoUs rto_us) {
  timer_us_ = sent_.empty() ? kNever : now + rto_us;
}

void SctpOutbound::on_timeout(MonoUs now) {
  timer_us_ = kNever;
  threshold_ = std::max(window_ / 2, kLeastThreshold);
  window_ = kSegment;
  partial_acked_ = 0;
  recovering_ = false;
  for (Sent& sent : sent_) {
    sent.missing = 0;
    if (sent.fate == Fate::kFlying) leave(sent, Fate::kLost);
  }
  give_up_lost(now);
  if (partial_ && abandoned_prefix() > 0) forward_due_ = true;
}

// --- partial reliability
// ---------------------------------------------------------------------------

void SctpOutbound::give_up_lost(MonoUs now) {
  if (!partial_) return;
  for (size_t i = 0; i < sent_.size(); ++i) {
    const Sent& sent = sent_[i];
    if (sent.fate != Fate::kLost) continue;
    const Message& message = *sent.message;
    const bool spent =
        message.max_retransmits && sent.transmissions > size_t{*message.max_retransmits};
    if (spent || message.expires_us <= now) abandon(i);
  }
}

// All of the message, also what was not sent yet.
void SctpOutbound::abandon(size_t at) {
  const auto message = sent_[at].message;
  size_t first = at;
  while (first > 0 && sent_[first - 1].message == message) --first;
  for (size_t i = first; i < sent_.size() && sent_[i].message == message; ++i) {
    leave(sent_[i], Fate::kAbandoned);
  }
  if (current_ == message) {
    drop_queued(*message);
    current_ = nullptr;
  }
  forward_due_ = true;
}

size_t SctpOutbound::abandoned_prefix() const {
  size_t count = 0;
  while (count < sent_.size() && sent_[count].fate == Fate::kAbandoned) ++count;
  return count;
}

void SctpOutbound::add_forward(PacketWriter& packet, MonoUs now, MonoUs rto_us) {
  if (!forward_due_) return;
  std::map<uint16_t, uint16_t> last;  // ordered streams: the newest message passed over
  size_t count = 0;
  const size_t most = std::min(kMaxForwardStreams, packet.room() / 4);
  for (; count < sent_.size() && sent_[count].fate == Fate::kAbandoned; ++count) {
    const Message& message = *sent_[count].message;
    if (message.unordered) continue;
    if (last.size() + 1 >= most && !last.contains(message.stream)) break;
    last[message.stream] = message.sequence;
  }
  const size_t size = 4 + 4 * last.size();
  if (count > 0 && packet.room() < size) return;
  forward_due_ = false;
  if (count == 0) return;
  uint8_t* at = packet.add(ChunkType::kForwardTsn, 0, size);
  store_u32(at, cumulative_ + static_cast<uint32_t>(count));
  at += 4;
  for (const auto& [stream, sequence] : last) {
    store_u16(at, stream);
    store_u16(at + 2, sequence);
    at += 4;
  }
  if (timer_us_ == kNever) timer_us_ = now + rto_us;
}

}  // namespace footlight::rtc
