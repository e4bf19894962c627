#include "media/frames.h"

#include <algorithm>
#include <array>
#include <span>

#include "sfu/payload.h"

namespace footlight::media {
namespace {

constexpr uint8_t kStapA = 24, kFuA = 28, kIdr = 5;
constexpr uint8_t kStartCode[] = {0, 0, 0, 1};
constexpr size_t kRedBlocks = 8;             // browsers send one or two
constexpr size_t kMaxFrameBytes = 32 << 20;  // far beyond what one RTP timestamp holds

bool later(const ReorderBuffer::Item& a, const ReorderBuffer::Item& b) {
  return a.sequence > b.sequence;
}

// The payload descriptor's length (RFC 9628 section 4.2); 0 when it does not fit.
size_t vp9_descriptor_bytes(ByteView payload) {
  size_t at = 1;
  if (payload.empty()) return 0;
  const uint8_t flags = payload[0];
  const bool flexible = flags & 0x10, inter = flags & 0x40;
  if (flags & 0x80) {  // I: picture id, of one byte or two
    if (at >= payload.size()) return 0;
    at += payload[at] & 0x80 ? 2 : 1;
  }
  if (flags & 0x20) at += flexible ? 1 : 2;  // L: layers, and TL0PICIDX
  if (flexible && inter) {                   // reference indices, the last has N = 0
    for (int i = 0; i < 3; ++i) {
      if (at >= payload.size()) return 0;
      if ((payload[at++] & 1) == 0) break;
    }
  }
  if (flags & 0x02) {  // V: scalability structure
    if (at >= payload.size()) return 0;
    const uint8_t structure = payload[at++];
    if (structure & 0x10) at += 4u * ((structure >> 5) + 1u);
    if (structure & 0x08) {
      if (at >= payload.size()) return 0;
      const uint8_t pictures = payload[at++];
      for (int i = 0; i < pictures; ++i) {
        if (at >= payload.size()) return 0;
        const uint8_t each = payload[at++];
        at += each >> 2 & 3;
      }
    }
  }
  return at <= payload.size() ? at : 0;
}

bool read_leb128(ByteView& from, size_t& value) {
  value = 0;
  for (int i = 0; i < 8 && !from.empty(); ++i) {
    const uint8_t byte = from.front();
    from = from.subspan(1);
    value |= size_t{byte & 0x7Fu} << (7 * i);
    if (!(byte & 0x80)) return true;
  }
  return false;
}

void write_leb128(Bytes& out, size_t value) {
  do {
    const auto low = static_cast<uint8_t>(value & 0x7F);
    value >>= 7;
    out.push_back(value ? low | 0x80 : low);
  } while (value);
}

}  // namespace

void ReorderBuffer::push(const rtc::RtpView& packet, uint64_t arrived_us) {
  const int64_t sequence = sequences_.unwrap(packet.sequence);
  if (any_ && sequence <= last_) return;
  heap_.push_back({sequence, arrived_us, packet});
  std::ranges::push_heap(heap_, later);
}

std::optional<ReorderBuffer::Item> ReorderBuffer::pop(bool finishing) {
  while (!heap_.empty() && (finishing || heap_.size() > kWindow)) {
    std::ranges::pop_heap(heap_, later);
    const Item item = heap_.back();
    heap_.pop_back();
    if (any_ && item.sequence <= last_) continue;  // twice
    any_ = true;
    last_ = item.sequence;
    return item;
  }
  return std::nullopt;
}

// --- frames

std::optional<Frame> FrameBuilder::next() {
  if (whole_.empty()) return std::nullopt;
  Frame frame = std::move(whole_.front());
  whole_.pop_front();
  return frame;
}

void FrameBuilder::push(const ReorderBuffer::Item& item) {
  ++counts_.packets;
  const int64_t timestamp = timestamps_.unwrap(item.packet.timestamp);
  const bool gap = any_ && item.sequence != expected_;
  if (gap) counts_.lost += static_cast<uint64_t>(item.sequence - expected_);
  any_ = true;
  expected_ = item.sequence + 1;
  if (header_.audio()) {
    push_voice(item, timestamp, gap);
  } else {
    push_picture(item, timestamp, gap);
  }
}

void FrameBuilder::push_picture(const ReorderBuffer::Item& item, int64_t timestamp, bool gap) {
  const ByteView payload = item.packet.payload();
  if (gap) {
    need_key_ = true;
    broken_ = true;
  }
  if (payload.empty()) return;  // padding
  if (!open_ || timestamp != frame_.timestamp) begin(item, timestamp);
  if (!append(payload)) broken_ = true;
  if (!item.packet.marker) return;
  open_ = false;
  if (obu_open_) broken_ = true;
  const bool whole = !broken_ && opened_well_ && !frame_.bytes.empty();
  if (!whole) need_key_ = true;
  if (!whole || (need_key_ && !frame_.key)) {
    ++counts_.dropped;
    return;
  }
  need_key_ = false;
  ++counts_.frames;
  counts_.key_frames += frame_.key ? 1 : 0;
  whole_.push_back(std::move(frame_));
}

void FrameBuilder::push_voice(const ReorderBuffer::Item& item, int64_t timestamp, bool gap) {
  ByteView payload = item.packet.payload();
  if (header_.red_payload_type && item.packet.payload_type == header_.red_payload_type) {
    rtc::RedPrimary primary;
    if (!rtc::read_red_primary(payload, primary)) return;
    if (gap) repair(item, timestamp);
    payload = primary.payload;
  }
  if (payload.empty()) return;
  ++counts_.frames;
  voiced_ = timestamp;
  whole_.push_back({timestamp, item.arrived_us, true, Bytes(payload.begin(), payload.end())});
}

// The blocks that are of a moment after the last voice fill what is missing between it and this
// packet.
void FrameBuilder::repair(const ReorderBuffer::Item& item, int64_t timestamp) {
  std::array<rtc::RedBlock, kRedBlocks> blocks;
  const size_t count = rtc::read_red_blocks(item.packet.payload(), blocks);
  for (const rtc::RedBlock& block : std::span(blocks).first(count)) {
    const int64_t at = timestamp - block.offset;
    if (voiced_ == 0 || at <= voiced_) continue;
    whole_.push_back(
        {at, item.arrived_us, true, Bytes(block.payload.begin(), block.payload.end())});
    voiced_ = at;
    ++counts_.frames;
    ++counts_.repaired;
  }
}

void FrameBuilder::begin(const ReorderBuffer::Item& item, int64_t timestamp) {
  if (open_) {  // the one before never ended
    ++counts_.dropped;
    need_key_ = true;
  }
  frame_ = {timestamp, item.arrived_us, false, {}};
  open_ = true;
  broken_ = false;
  obu_.clear();
  obu_open_ = false;
  opened_well_ = opens(item.packet.payload());
  if (header_.codec == rtc::RtpCodec::kAv1) frame_.bytes = {0x12, 0x00};  // temporal delimiter
}

// Whether a frame begins with this payload.
bool FrameBuilder::opens(ByteView payload) const {
  switch (header_.codec) {
    case rtc::RtpCodec::kVp8: {
      sfu::Vp8Descriptor descriptor;
      return sfu::read_vp8(payload, descriptor) && descriptor.start;
    }
    case rtc::RtpCodec::kVp9:
      return sfu::read_vp9(payload).frame_start;
    case rtc::RtpCodec::kH264:
      return sfu::read_h264(payload).frame_start;
    case rtc::RtpCodec::kAv1:
      return sfu::read_av1(payload).frame_start;
    default:
      return false;
  }
}

bool FrameBuilder::append(ByteView payload) {
  if (frame_.bytes.size() > kMaxFrameBytes) return false;
  switch (header_.codec) {
    case rtc::RtpCodec::kVp8:
      return append_vp8(payload);
    case rtc::RtpCodec::kVp9:
      return append_vp9(payload);
    case rtc::RtpCodec::kH264:
      return append_h264(payload);
    case rtc::RtpCodec::kAv1:
      return append_av1(payload);
    default:
      return false;
  }
}

bool FrameBuilder::append_vp8(ByteView payload) {
  sfu::Vp8Descriptor descriptor;
  if (!sfu::read_vp8(payload, descriptor) || descriptor.bytes > payload.size()) return false;
  frame_.key |= descriptor.key_frame;
  const ByteView rest = payload.subspan(descriptor.bytes);
  frame_.bytes.insert(frame_.bytes.end(), rest.begin(), rest.end());
  return true;
}

bool FrameBuilder::append_vp9(ByteView payload) {
  const size_t descriptor = vp9_descriptor_bytes(payload);
  if (descriptor == 0) return false;
  frame_.key |= sfu::read_vp9(payload).key_frame;
  const ByteView rest = payload.subspan(descriptor);
  frame_.bytes.insert(frame_.bytes.end(), rest.begin(), rest.end());
  return true;
}

void FrameBuilder::append_nal(ByteView nal) {
  if ((nal[0] & 0x1F) == kIdr) frame_.key = true;
  frame_.bytes.insert(frame_.bytes.end(), std::begin(kStartCode), std::end(kStartCode));
  frame_.bytes.insert(frame_.bytes.end(), nal.begin(), nal.end());
}

bool FrameBuilder::append_h264(ByteView payload) {
  const uint8_t type = payload[0] & 0x1F;
  if (type >= 1 && type < kStapA) {
    append_nal(payload);
    return true;
  }
  if (type == kStapA) {
    ByteView rest = payload.subspan(1);
    while (!rest.empty()) {
      if (rest.size() < 2) return false;
      const size_t size = size_t{rest[0]} << 8 | rest[1];
      if (size == 0 || size > rest.size() - 2) return false;
      append_nal(rest.subspan(2, size));
      rest = rest.subspan(2 + size);
    }
    return true;
  }
  if (type != kFuA || payload.size() < 2) return false;
  const uint8_t fragment = payload[1];
  if (fragment & 0x80) {
    const uint8_t head = static_cast<uint8_t>((payload[0] & 0xE0) | (fragment & 0x1F));
    append_nal(ByteView(&head, 1));
  } else if (frame_.bytes.empty()) {
    return false;
  }
  frame_.bytes.insert(frame_.bytes.end(), payload.begin() + 2, payload.end());
  return true;
}

// Its OBUs come without sizes, in elements that may be pieces.
bool FrameBuilder::append_av1(ByteView payload) {
  const uint8_t flags = payload[0];
  const bool continues = flags & 0x80, goes_on = flags & 0x40;
  const int count = flags >> 4 & 3;
  if (flags & 0x08) frame_.key = true;
  if (continues != obu_open_) return false;
  ByteView rest = payload.subspan(1);
  for (int i = 1; !rest.empty(); ++i) {
    size_t size = rest.size();
    if (count == 0 || i < count) {
      if (!read_leb128(rest, size) || size > rest.size()) return false;
    }
    append_obu(rest.first(size));
    rest = rest.subspan(size);
    if (!rest.empty() || !goes_on) end_obu();
    if (count != 0 && i == count && !rest.empty()) return false;
  }
  return true;
}

void FrameBuilder::append_obu(ByteView piece) {
  obu_.insert(obu_.end(), piece.begin(), piece.end());
  obu_open_ = true;
}

// Writes the OBU with its size (AV1 specification section 5.3.2).
void FrameBuilder::end_obu() {
  constexpr uint8_t kDelimiter = 2, kTileList = 8, kPadding = 15, kHasSize = 0x02, kExtended = 0x04;
  obu_open_ = false;
  Bytes obu;
  std::swap(obu, obu_);
  if (obu.empty()) return;
  const uint8_t type = obu[0] >> 3 & 0x0F;
  if (type == kDelimiter || type == kTileList || type == kPadding) return;
  if (obu[0] & kHasSize) {
    frame_.bytes.insert(frame_.bytes.end(), obu.begin(), obu.end());
    return;
  }
  const size_t head = obu[0] & kExtended ? 2 : 1;
  if (obu.size() < head) {
    broken_ = true;
    return;
  }
  frame_.bytes.push_back(obu[0] | kHasSize);
  if (head == 2) frame_.bytes.push_back(obu[1]);
  write_leb128(frame_.bytes, obu.size() - head);
  frame_.bytes.insert(frame_.bytes.end(), obu.begin() + static_cast<ptrdiff_t>(head), obu.end());
}

}  // namespace footlight::media
