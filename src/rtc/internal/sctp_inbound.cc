#include "rtc/internal/sctp_inbound.h"

#include <algorithm>

#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr size_t kMaxDuplicates = 16;
constexpr size_t kMaxGapBlocks = 64;

size_t cost_of(const Bytes& bytes) { return bytes.size() + kSctpPieceOverheadBytes; }

}  // namespace

SctpInbound::SctpInbound(uint32_t first_tsn, const SctpConfig& config)
    : config_(config),
      // One whole cycle up, so that no TSN unwraps below zero.
      cumulative_((int64_t{1} << 32) + first_tsn - 1),
      highest_(cumulative_) {}

void SctpInbound::set(int64_t tsn, bool value) {
  const auto slot = static_cast<uint64_t>(tsn % kSctpTsnWindow);
  const uint64_t bit = uint64_t{1} << slot % 64;
  value ? received_[slot / 64] |= bit : received_[slot / 64] &= ~bit;
}

void SctpInbound::advance() {
  while (cumulative_ < highest_ && has(cumulative_ + 1)) set(++cumulative_, false);
}

SctpInbound::Verdict SctpInbound::data(uint8_t flags, ByteView value) {
  if (value.size() <= kSctpDataHeaderBytes) return Verdict::kViolation;  // no user data
  const int64_t tsn = unwrap(load_u32(value.data()));
  if (tsn <= cumulative_ || (tsn - cumulative_ < kSctpTsnWindow && has(tsn))) {
    if (duplicates_.size() < kMaxDuplicates) duplicates_.push_back(static_cast<uint32_t>(tsn));
    return Verdict::kDuplicate;
  }
  if (tsn - cumulative_ >= kSctpTsnWindow) return Verdict::kDropped;
  const ByteView user = value.subspan(kSctpDataHeaderBytes);
  const size_t after = held_bytes_ + user.size() + kSctpPieceOverheadBytes;
  // What closes a gap is taken beyond the window, or the pieces behind it would never leave; a peer
  // that keeps to the window never needs twice of it.
  if (after > config_.receive_buffer_bytes && tsn > highest_) return Verdict::kDropped;
  if (after > 2 * config_.receive_buffer_bytes) return Verdict::kViolation;
  Run run{.end = tsn + 1,
          .begins = (flags & kDataBegin) != 0,
          .ends = (flags & kDataEnd) != 0,
          .unordered = (flags & kDataUnordered) != 0,
          .stream = load_u16(&value[4]),
          .sequence = load_u16(&value[6]),
          .protocol = load_u32(&value[8]),
          .bytes = Bytes(user.begin(), user.end())};
  const bool gap = tsn > cumulative_ + 1;
  highest_ = std::max(highest_, tsn);
  set(tsn, true);
  advance();
  if (tsn == orphan_) {
    orphan_ = run.begins ? -1 : tsn + 1;
    if (!run.begins) return gap ? Verdict::kGap : Verdict::kTaken;
  }
  // A stream we did not offer: acknowledged and passed over (RFC 9260 section 6.5).
  const bool good = run.stream >= config_.streams || insert(tsn, std::move(run));
  if (!good) return Verdict::kViolation;
  return gap ? Verdict::kGap : Verdict::kTaken;
}

bool SctpInbound::insert(int64_t tsn, Run run) {
  held_bytes_ += cost_of(run.bytes);
  const auto after = runs_.lower_bound(tsn);
  auto at = runs_.end();
  if (after != runs_.begin() && std::prev(after)->second.end == tsn) {
    at = std::prev(after);
    Run& before = at->second;
    if (before.joins(run)) {
      before.bytes.insert(before.bytes.end(), run.bytes.begin(), run.bytes.end());
      before.end = run.end;
      before.ends = run.ends;
      held_bytes_ -= kSctpPieceOverheadBytes;
    } else if (before.may_precede(run)) {
      at = runs_.emplace_hint(after, tsn, std::move(run));
    } else {
      return false;
    }
  } else {
    at = runs_.emplace_hint(after, tsn, std::move(run));
  }
  if (after != runs_.end() && after->first == at->second.end) {
    Run& left = at->second;
    Run& right = after->second;
    if (left.joins(right)) {
      left.bytes.insert(left.bytes.end(), right.bytes.begin(), right.bytes.end());
      left.end = right.end;
      left.ends = right.ends;
      held_bytes_ -= kSctpPieceOverheadBytes;
      runs_.erase(after);
    } else if (!left.may_precede(right)) {
      return false;
    }
  }
  return complete(at);
}

// Gives the message out when it is whole; false when it is too large.
bool SctpInbound::complete(Runs::iterator at) {
  Run& run = at->second;
  if (run.bytes.size() > config_.max_message_bytes) return false;
  if (!run.begins || !run.ends) return true;
  Run whole = std::move(run);
  runs_.erase(at);
  deliver(std::move(whole));
  return true;
}

void SctpInbound::deliver(Run run) {
  SctpMessage message{run.stream, run.protocol, std::move(run.bytes)};
  if (run.unordered) return give_out(std::move(message));
  Stream& stream = streams_[run.stream];
  const auto ahead = static_cast<int16_t>(run.sequence - stream.next_sequence);
  if (ahead < 0 || stream.waiting.contains(run.sequence)) {
    held_bytes_ -= cost_of(message.payload);  // a number used twice: the peer's fault
    return;
  }
  stream.waiting.emplace(run.sequence, std::move(message));
  drain(stream);
}

void SctpInbound::drain(Stream& stream) {
  for (auto next = stream.waiting.find(stream.next_sequence); next != stream.waiting.end();
       next = stream.waiting.find(stream.next_sequence)) {
    give_out(std::move(next->second));
    stream.waiting.erase(next);
    ++stream.next_sequence;
  }
}

void SctpInbound::discard(Runs::iterator at) {
  held_bytes_ -= cost_of(at->second.bytes);
  runs_.erase(at);
}

bool SctpInbound::forward(ByteView value) {
  if (value.size() < 4 || value.size() % 4 != 0) return false;
  const int64_t tsn = unwrap(load_u32(value.data()));
  if (tsn <= cumulative_) return true;  // an old one, sent again
  while (!runs_.empty() && runs_.begin()->first <= tsn) discard(runs_.begin());
  orphan_ = tsn + 1;
  if (const auto rest = runs_.find(tsn + 1); rest != runs_.end()) {
    orphan_ = rest->second.begins ? -1 : rest->second.end;
    if (!rest->second.begins) discard(rest);
  }
  if (tsn - cumulative_ >= kSctpTsnWindow) {
    received_.fill(0);
    cumulative_ = tsn;
  } else {
    while (cumulative_ < tsn) set(++cumulative_, false);
  }
  highest_ = std::max(highest_, cumulative_);
  advance();
  for (ByteView pairs = value.subspan(4); !pairs.empty(); pairs = pairs.subspan(4)) {
    skip_to(load_u16(pairs.data()), load_u16(&pairs[2]));
  }
  return true;
}

// Messages of the stream up to `sequence` that did not come will not.
void SctpInbound::skip_to(uint16_t id, uint16_t sequence) {
  if (id >= config_.streams) return;
  Stream& stream = streams_[id];
  const auto ahead = static_cast<int16_t>(sequence - stream.next_sequence);
  if (ahead < 0) return;
  // At most as many steps as messages wait: the map holds none older than next_sequence.
  while (!stream.waiting.empty()) {
    auto oldest = stream.waiting.lower_bound(stream.next_sequence);
    if (oldest == stream.waiting.end()) oldest = stream.waiting.begin();  // the numbers wrapped
    if (static_cast<int16_t>(sequence - oldest->first) < 0) break;
    stream.next_sequence = static_cast<uint16_t>(oldest->first + 1);
    give_out(std::move(oldest->second));
    stream.waiting.erase(oldest);
  }
  stream.next_sequence = static_cast<uint16_t>(sequence + 1);
  drain(stream);
}

void SctpInbound::reset(const std::vector<uint16_t>& streams) {
  const auto clear = [this](Stream& stream) {
    for (const auto& [sequence, message] : stream.waiting) held_bytes_ -= cost_of(message.payload);
    stream = {};
  };
  if (streams.empty()) {
    for (auto& [id, stream] : streams_) clear(stream);
  }
  for (const uint16_t id : streams) {
    if (const auto found = streams_.find(id); found != streams_.end()) clear(found->second);
  }
}

bool SctpInbound::next_message(SctpMessage& message) {
  if (ready_.empty()) return false;
  message = std::move(ready_.front());
  ready_.pop_front();
  held_bytes_ -= cost_of(message.payload);
  return true;
}

bool SctpInbound::write_sack(PacketWriter& packet) {
  if (packet.room() < kSctpSackHeadBytes) return false;
  std::vector<std::pair<uint16_t, uint16_t>> blocks;
  const size_t most = std::min(kMaxGapBlocks, (packet.room() - kSctpSackHeadBytes) / 4);
  for (int64_t tsn = cumulative_ + 2; tsn <= highest_ && blocks.size() < most; ++tsn) {
    if (!has(tsn)) continue;
    const int64_t first = tsn;
    while (tsn < highest_ && has(tsn + 1)) ++tsn;
    blocks.emplace_back(first - cumulative_, tsn - cumulative_);
  }
  const size_t left = packet.room() - kSctpSackHeadBytes - 4 * blocks.size();
  const size_t duplicates = std::min(duplicates_.size(), left / 4);
  uint8_t* at =
      packet.add(ChunkType::kSack, 0, kSctpSackHeadBytes + 4 * blocks.size() + 4 * duplicates);
  const size_t window = config_.receive_buffer_bytes;
  store_u32(at, cumulative_tsn());
  store_u32(at + 4, static_cast<uint32_t>(window > held_bytes_ ? window - held_bytes_ : 0));
  store_u16(at + 8, static_cast<uint16_t>(blocks.size()));
  store_u16(at + 10, static_cast<uint16_t>(duplicates));
  at += kSctpSackHeadBytes;
  for (const auto& [first, last] : blocks) {
    store_u16(at, first);
    store_u16(at + 2, last);
    at += 4;
  }
  for (size_t i = 0; i < duplicates; ++i, at += 4) store_u32(at, duplicates_[i]);
  duplicates_.clear();
  return true;
}

}  // namespace footlight::rtc
