#include "rtc/transport_feedback.h"

#include <algorithm>

#include "rtc/rtcp.h"

namespace footlight::rtc {
namespace {

constexpr int64_t kTickUs = 250;          // receive deltas
constexpr int64_t kReferenceUs = 64'000;  // reference time
constexpr size_t kFixedBytes = 20;  // header, two SSRCs, base, count, reference, feedback count
constexpr uint8_t kNotReceived = 0, kSmallDelta = 1, kLargeDelta = 2;

}  // namespace

TransportFeedbackReader::TransportFeedbackReader(const RtcpPacket& packet) {
  if (packet.type != RtcpType::kTransportFeedback || packet.count != kRtpfbTransportCc) return;
  if (packet.body.size() < 16) return;
  base_ = sequence_ = load_u16(&packet.body[8]);
  left_ = load_u16(&packet.body[10]);
  const auto reference = static_cast<int32_t>(load_u24(&packet.body[12]) << 8) >> 8;
  feedback_count_ = packet.body[15];
  if (left_ > kMaxFeedbackPackets) return;
  time_us_ = reference * kReferenceUs;
  // The chunks' extent is known only by walking them; the deltas follow.
  chunks_ = packet.body.subspan(16);
  uint32_t covered = 0;
  size_t at = 0;
  while (covered < left_) {
    if (chunks_.size() < at + 2) return;
    const uint16_t chunk = load_u16(&chunks_[at]);
    covered += chunk & 0x8000 ? (chunk & 0x4000 ? 7 : 14) : chunk & 0x1FFF;
    if ((chunk & 0x8000) == 0 && (chunk & 0x1FFF) == 0) return;  // a run of none goes nowhere
    at += 2;
  }
  deltas_ = chunks_.subspan(at);
  chunks_ = chunks_.first(at);
  ok_ = true;
}

bool TransportFeedbackReader::load_chunk() {
  if (chunks_.size() < 2) return false;
  const uint16_t chunk = load_u16(chunks_.data());
  chunks_ = chunks_.subspan(2);
  at_ = 0;
  run_ = (chunk & 0x8000) == 0;
  if (run_) {
    symbols_[0] = chunk >> 13 & 3;
    chunk_left_ = chunk & 0x1FFF;
  } else if (chunk & 0x4000) {
    for (int i = 0; i < 7; ++i) symbols_[i] = chunk >> (12 - 2 * i) & 3;
    chunk_left_ = 7;
  } else {
    for (int i = 0; i < 14; ++i) symbols_[i] = chunk >> (13 - i) & 1;
    chunk_left_ = 14;
  }
  return true;
}

bool TransportFeedbackReader::next(FeedbackItem& item) {
  if (!ok_ || left_ == 0) return false;
  if (chunk_left_ == 0 && !load_chunk()) return ok_ = false;
  const uint8_t symbol = symbols_[run_ ? 0 : at_++];
  --chunk_left_;
  --left_;
  item.sequence = sequence_++;
  item.received = symbol == kSmallDelta || symbol == kLargeDelta;
  if (!item.received) return true;
  const size_t bytes = symbol == kSmallDelta ? 1 : 2;
  if (deltas_.size() < bytes) return ok_ = false;
  const int64_t delta = bytes == 1 ? deltas_[0] : static_cast<int16_t>(load_u16(deltas_.data()));
  deltas_ = deltas_.subspan(bytes);
  time_us_ += delta * kTickUs;
  item.arrival_us = time_us_;
  return true;
}

void TransportFeedbackWriter::on_packet(uint16_t sequence, MonoUs now) {
  const bool first = !unwrapper_.started();
  const int64_t unwrapped = unwrapper_.unwrap(sequence);
  if (unwrapped + static_cast<int64_t>(kWindow) <= unwrapper_.newest()) return;  // too old to tell
  Slot& slot = slots_[static_cast<size_t>(unwrapped) % kWindow];
  if (slot.sequence == unwrapped) return;  // a duplicate: the first arrival counts
  slot = {unwrapped, now};
  // A gap before it is told with it; a late packet draws what was told after it along.
  next_ = first ? unwrapped : std::min(next_, unwrapped);
  next_ = std::max(next_, unwrapper_.newest() - static_cast<int64_t>(kWindow) + 1);
  pending_ = true;
}

// What one message will tell.
struct TransportFeedbackWriter::Draft {
  std::array<uint8_t, kWindow> symbols;
  std::array<int16_t, kWindow> deltas;
  size_t count = 0;
  int64_t reference = 0;
};

// As many packets from next_ on as surely fit: a chunk of 2-bit symbols costs two bytes for seven
// packets, a delta at most two.
void TransportFeedbackWriter::collect(size_t room, Draft& draft) const {
  const int64_t end = unwrapper_.newest() + 1;
  int64_t first = next_;
  while (!find(first)) ++first;  // the newest one is there
  draft.reference = find(first)->arrival / kReferenceUs;
  int64_t time_us = draft.reference * kReferenceUs;
  size_t delta_bytes = 0;
  for (int64_t sequence = next_; sequence < end && draft.count < kWindow; ++sequence) {
    uint8_t symbol = kNotReceived;
    int64_t ticks = 0;
    if (const Slot* slot = find(sequence)) {
      const int64_t gap = slot->arrival - time_us;
      ticks = (gap + (gap >= 0 ? kTickUs / 2 : -kTickUs / 2)) / kTickUs;
      if (ticks < INT16_MIN || ticks > INT16_MAX) return;  // for the next message's reference
      symbol = ticks >= 0 && ticks <= 255 ? kSmallDelta : kLargeDelta;
    }
    const size_t need = kFixedBytes + 2 * (draft.count / 7 + 1) + delta_bytes + symbol;
    if (((need + 3) & ~size_t{3}) > room) return;
    draft.symbols[draft.count] = symbol;
    draft.deltas[draft.count++] = static_cast<int16_t>(ticks);
    delta_bytes += symbol;
    time_us += ticks * kTickUs;
  }
}

namespace {

uint8_t* write_chunks(uint8_t* at, std::span<const uint8_t> symbols) {
  const size_t count = symbols.size();
  for (size_t i = 0; i < count; at += 2) {
    size_t run = 1;
    while (i + run < count && symbols[i + run] == symbols[i]) ++run;
    if (run >= 7 || i + run == count) {
      store_u16(at, static_cast<uint16_t>(symbols[i] << 13 | run));
      i += run;
      continue;
    }
    uint16_t word = 0xC000;
    for (size_t k = 0; k < 7 && i + k < count; ++k) word |= symbols[i + k] << (12 - 2 * k);
    store_u16(at, word);
    i += std::min<size_t>(7, count - i);
  }
  return at;
}

}  // namespace

size_t TransportFeedbackWriter::write(std::span<uint8_t> out, uint32_t sender_ssrc,
                                      uint32_t media_ssrc) {
  if (!pending_ || out.size() < kFixedBytes + 8) return 0;
  Draft draft;
  collect(out.size(), draft);
  uint8_t* const begin = out.data();
  uint8_t* at = write_chunks(begin + kFixedBytes, {draft.symbols.data(), draft.count});
  for (size_t i = 0; i < draft.count; ++i) {
    if (draft.symbols[i] == kSmallDelta) *at++ = static_cast<uint8_t>(draft.deltas[i]);
    if (draft.symbols[i] == kLargeDelta) {
      store_u16(at, static_cast<uint16_t>(draft.deltas[i]));
      at += 2;
    }
  }
  const auto bytes = static_cast<size_t>(at - begin);
  const size_t padded = (bytes + 3) & ~size_t{3};
  std::fill(at, begin + padded, uint8_t{0});
  if (padded > bytes) begin[padded - 1] = static_cast<uint8_t>(padded - bytes);
  begin[0] = static_cast<uint8_t>(0x80 | (padded > bytes ? 0x20 : 0) | kRtpfbTransportCc);
  begin[1] = static_cast<uint8_t>(RtcpType::kTransportFeedback);
  store_u16(begin + 2, static_cast<uint16_t>(padded / 4 - 1));
  store_u32(begin + 4, sender_ssrc);
  store_u32(begin + 8, media_ssrc);
  store_u16(begin + 12, static_cast<uint16_t>(next_));
  store_u16(begin + 14, static_cast<uint16_t>(draft.count));
  store_u24(begin + 16, static_cast<uint32_t>(draft.reference) & 0xFF'FFFF);
  begin[19] = count_++;
  next_ += static_cast<int64_t>(draft.count);
  pending_ = next_ <= unwrapper_.newest();
  return padded;
}

}  // namespace footlight::rtc
