#include "sfu/payload.h"

#include <algorithm>
#include <cstring>

#include "rtc/wire.h"

namespace footlight::sfu {

using rtc::load_u16;
using rtc::store_u16;

bool read_vp8(ByteView payload, Vp8Descriptor& descriptor) {
  descriptor = {};
  if (payload.empty()) return false;
  const bool extended = payload[0] & 0x80;
  descriptor.start = (payload[0] & 0x10) && (payload[0] & 0x07) == 0;
  size_t at = 1;
  if (extended) {
    if (payload.size() < 2) return false;
    const uint8_t flags = payload[1];
    at = 2;
    if (flags & 0x80) {
      if (payload.size() < at + 1) return false;
      descriptor.has_picture_id = true;
      descriptor.picture_id_at = static_cast<uint8_t>(at);
      descriptor.long_picture_id = payload[at] & 0x80;
      if (descriptor.long_picture_id && payload.size() < at + 2) return false;
      descriptor.picture_id =
          descriptor.long_picture_id ? load_u16(&payload[at]) & 0x7FFF : payload[at] & 0x7F;
      at += descriptor.long_picture_id ? 2 : 1;
    }
    if (flags & 0x40) {
      if (payload.size() < at + 1) return false;
      descriptor.has_tl0 = true;
      descriptor.tl0_at = static_cast<uint8_t>(at);
      descriptor.tl0 = payload[at++];
    }
    if (flags & 0x30) {
      if (payload.size() < at + 1) return false;
      descriptor.has_temporal = flags & 0x20;
      descriptor.has_key_index = flags & 0x10;
      descriptor.key_index_at = static_cast<uint8_t>(at);
      descriptor.temporal = descriptor.has_temporal ? payload[at] >> 6 : 0;
      descriptor.layer_sync = payload[at] & 0x20;
      descriptor.key_index = payload[at++] & 0x1F;
    }
  }
  descriptor.bytes = static_cast<uint8_t>(at);
  // The P bit of the VP8 payload header says "not a key frame" (RFC 7741 section 4.3).
  descriptor.key_frame = descriptor.start && payload.size() > at && (payload[at] & 1) == 0;
  return true;
}

void write_vp8(std::span<uint8_t> out, ByteView payload, const Vp8Descriptor& descriptor,
               Vp8Numbers numbers) {
  std::memcpy(out.data(), payload.data(), descriptor.bytes);
  if (descriptor.has_picture_id && descriptor.long_picture_id) {
    store_u16(&out[descriptor.picture_id_at],
              static_cast<uint16_t>(0x8000 | (numbers.picture_id & 0x7FFF)));
  } else if (descriptor.has_picture_id) {
    out[descriptor.picture_id_at] = numbers.picture_id & 0x7F;
  }
  if (descriptor.has_tl0) out[descriptor.tl0_at] = numbers.tl0;
  if (descriptor.has_key_index) {
    out[descriptor.key_index_at] =
        static_cast<uint8_t>((out[descriptor.key_index_at] & 0xE0) | (numbers.key_index & 0x1F));
  }
}

PayloadInfo read_vp9(ByteView payload) {
  PayloadInfo info;
  if (payload.empty()) return info;
  const uint8_t flags = payload[0];
  const bool inter_predicted = flags & 0x40;
  info.frame_start = flags & 0x08;
  info.frame_end = flags & 0x04;
  size_t at = 1;
  if (flags & 0x80) {
    if (payload.size() < at + 1) return info;
    at += payload[at] & 0x80 ? 2 : 1;
  }
  if (flags & 0x20) {
    if (payload.size() < at + 1) return info;
    const uint8_t layers = payload[at];
    info.temporal = layers >> 5 < kMaxTemporal ? layers >> 5 : kMaxTemporal - 1;
    info.switching_point = layers & 0x10;
    const uint8_t spatial = layers >> 1 & 7;
    info.spatial = spatial < kMaxSpatial ? spatial : kMaxSpatial - 1;
  }
  info.key_frame = info.frame_start && !inter_predicted && info.spatial == 0;
  return info;
}

PayloadInfo read_h264(ByteView payload) {
  constexpr uint8_t kIdr = 5, kSps = 7, kStapA = 24, kFuA = 28;
  PayloadInfo info;
  if (payload.empty()) return info;
  const auto opens = [](uint8_t type) { return type == kIdr || type == kSps; };
  const uint8_t type = payload[0] & 0x1F;
  info.frame_start = type != kFuA || (payload.size() > 1 && payload[1] & 0x80);
  info.key_frame = opens(type);
  if (type == kFuA && payload.size() > 1) {
    info.key_frame = (payload[1] & 0x80) && opens(payload[1] & 0x1F);
  }
  if (type == kStapA) {
    size_t at = 1;
    while (payload.size() >= at + 3) {
      info.key_frame |= opens(payload[at + 2] & 0x1F);
      at += 2u + load_u16(&payload[at]);
    }
  }
  return info;
}

PayloadInfo read_av1(ByteView payload) {
  PayloadInfo info;
  if (payload.empty()) return info;
  info.frame_start = (payload[0] & 0x80) == 0;  // Z: continues an OBU
  info.key_frame = payload[0] & 0x08;           // N: first packet of a coded video sequence
  return info;
}

// --- dependency descriptor ----------------------------------------------------------------------

// Reads bits, most significant first; past the end it gives zeros and !ok().
class DependencyReader::Bits {
 public:
  explicit Bits(ByteView bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  uint32_t read(int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
      if (at_ >= bytes_.size() * 8) {
        ok_ = false;
        return 0;
      }
      value = value << 1 | (bytes_[at_ / 8] >> (7 - at_ % 8) & 1);
      ++at_;
    }
    return value;
  }
  uint32_t non_symmetric(uint32_t count) {  // ns(n) of the AV1 specification, section 4.10.7
    int width = 0;
    while (count >> width) ++width;
    const uint32_t shorter = (1u << width) - count;
    const uint32_t value = width > 1 ? read(width - 1) : 0;
    if (width == 0 || value < shorter) return value;
    return (value << 1 | read(1)) - shorter;
  }

 private:
  ByteView bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

bool DependencyReader::read_structure(Bits& bits) {
  template_offset_ = static_cast<uint8_t>(bits.read(6));
  target_count_ = bits.read(5) + 1;
  template_count_ = 0;
  uint8_t spatial = 0, temporal = 0;
  for (;;) {
    if (!bits.ok() || template_count_ == kMaxTemplates) return false;
    templates_[template_count_++] = {spatial, temporal, 0};
    const uint32_t next = bits.read(2);
    if (next == 3) break;
    if (next == 1) ++temporal;
    if (next == 2) {
      temporal = 0;
      ++spatial;
    }
    if (spatial >= kMaxSpatial || temporal >= 8) return false;
  }
  return read_template_details(bits);
}

bool DependencyReader::read_template_details(Bits& bits) {
  for (size_t i = 0; i < template_count_; ++i) {
    for (size_t target = 0; target < target_count_; ++target) {
      templates_[i].indications |= static_cast<uint64_t>(bits.read(2)) << (2 * target);
    }
  }
  for (size_t i = 0; i < template_count_; ++i) {
    while (bits.read(1) && bits.ok()) bits.read(4);  // frame differences
  }
  const uint32_t chains = bits.non_symmetric(static_cast<uint32_t>(target_count_) + 1);
  if (chains > 0) {
    for (size_t target = 0; target < target_count_; ++target) bits.non_symmetric(chains);
    for (size_t i = 0; i < template_count_; ++i) {
      for (uint32_t chain = 0; chain < chains; ++chain) bits.read(4);
    }
  }
  uint8_t max_spatial = 0;
  target_spatial_ = target_temporal_ = {};
  for (size_t i = 0; i < template_count_; ++i) {
    const Template& each = templates_[i];
    if (each.spatial > max_spatial) max_spatial = each.spatial;
    for (size_t target = 0; target < target_count_; ++target) {
      if ((each.indications >> (2 * target) & 3) == 0) continue;
      target_spatial_[target] = std::max(target_spatial_[target], each.spatial);
      target_temporal_[target] = std::max(target_temporal_[target], each.temporal);
    }
  }
  if (bits.read(1)) {  // resolutions
    for (uint8_t i = 0; i <= max_spatial; ++i) bits.read(32);
  }
  return bits.ok();
}

std::optional<DependencyReader::Frame> DependencyReader::read(ByteView descriptor) {
  if (descriptor.size() < 3) return std::nullopt;
  Frame frame;
  frame.start = descriptor[0] & 0x80;
  frame.end = descriptor[0] & 0x40;
  const uint8_t id = descriptor[0] & 0x3F;
  frame.number = load_u16(&descriptor[1]);
  Bits bits(descriptor.subspan(3));
  bool custom = false;
  if (descriptor.size() > 3) {
    frame.structure = bits.read(1);
    const bool active_targets = bits.read(1);
    custom = bits.read(1);
    bits.read(2);  // custom frame differences and chains: not needed
    if (frame.structure && !read_structure(bits)) {
      template_count_ = 0;
      return std::nullopt;
    }
    if (active_targets) bits.read(static_cast<int>(target_count_));
  }
  const size_t index = static_cast<size_t>((id + kMaxTemplates - template_offset_) % kMaxTemplates);
  if (index >= template_count_) return std::nullopt;
  const Template& used = templates_[index];
  frame.spatial = used.spatial;
  frame.temporal = used.temporal;
  for (size_t target = 0; target < target_count_; ++target) {
    // 0 not present, 1 discardable, 2 switch, 3 required (appendix A.5)
    const uint32_t indication = custom ? bits.read(2) : used.indications >> (2 * target) & 3;
    if (indication) frame.decode_targets |= 1u << target;
    if (indication == 2) frame.switch_targets |= 1u << target;
  }
  if (!bits.ok()) return std::nullopt;
  return frame;
}

std::optional<size_t> DependencyReader::target_for(uint8_t spatial, uint8_t temporal) const {
  std::optional<size_t> best;
  for (size_t i = 0; i < target_count_; ++i) {
    if (target_spatial_[i] > spatial || target_temporal_[i] > temporal) continue;
    if (!best || target_spatial_[i] > target_spatial_[*best] ||
        (target_spatial_[i] == target_spatial_[*best] &&
         target_temporal_[i] > target_temporal_[*best])) {
      best = i;
    }
  }
  return best;
}

}  // namespace footlight::sfu
