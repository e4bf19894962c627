// What a forwarder must know about a video payload without decoding it: where frames and key frames
// begin, to which layer a packet belongs, and the few fields it rewrites.
//
// Sources: VP8 RFC 7741, VP9 RFC 9628, H264 RFC 6184, AV1 "RTP Payload Format For AV1" with its
// appendix A (dependency descriptor). Every reader is bounded by the payload; what cannot be read
// gives "no key frame, lowest layer", so that it is forwarded and judged by the decoder. Encrypted
// payloads (E2EE) pass untouched in the same way: their descriptors stay in clear.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/bytes.h"
#include "rtc/sdp_answer.h"

namespace footlight::sfu {

inline constexpr uint8_t kMaxSpatial = 4;   // spatial layers of one stream
inline constexpr uint8_t kMaxTemporal = 4;  // temporal layers

struct PayloadInfo {
  bool frame_start = false;
  bool frame_end = false;  // of a spatial layer's frame, where the payload says so (VP9, AV1)
  bool key_frame = false;  // this packet belongs to the first layer of a key frame and begins it
  uint8_t spatial = 0, temporal = 0;
  // A receiver of lower temporal layers may begin to take this one here (VP8's Y, VP9's U bit).
  bool switching_point = false;
  // AV1 and others with a dependency descriptor: bit i says that decode target i needs the frame.
  // 0 when the descriptor did not say.
  uint32_t decode_targets = 0;
};

// The VP8 payload descriptor (RFC 7741 section 4.2).
struct Vp8Descriptor {
  uint8_t bytes = 0;   // its length
  bool start = false;  // S, of partition 0
  bool key_frame = false;
  bool has_picture_id = false, long_picture_id = false;
  bool has_tl0 = false, has_temporal = false, has_key_index = false;
  uint16_t picture_id = 0;
  uint8_t tl0 = 0;
  uint8_t temporal = 0;
  bool layer_sync = false;
  uint8_t key_index = 0;
  uint8_t picture_id_at = 0, tl0_at = 0, key_index_at = 0;  // offsets, when there
};
bool read_vp8(ByteView payload, Vp8Descriptor& descriptor);
inline constexpr size_t kVp8MaxDescriptorBytes = 6;

// Writes the descriptor with other numbers: every field in the form it came in (a 7-bit picture id
// stays one), so that the length is the same. `out` must hold `descriptor.bytes`.
struct Vp8Numbers {
  uint16_t picture_id = 0;
  uint8_t tl0 = 0;
  uint8_t key_index = 0;
};
void write_vp8(std::span<uint8_t> out, ByteView payload, const Vp8Descriptor& descriptor,
               Vp8Numbers numbers);

PayloadInfo read_vp9(ByteView payload);
PayloadInfo read_h264(ByteView payload);
PayloadInfo read_av1(ByteView payload);  // without a dependency descriptor

// The template structure of a stream, sent with key frames, which later descriptors refer to.
class DependencyReader {
 public:
  static constexpr size_t kMaxTemplates = 64;
  static constexpr size_t kMaxTargets = 32;

  struct Frame {
    bool start = false, end = false;
    bool structure = false;  // it carries a structure: the start of a coded sequence
    uint16_t number = 0;     // bytes 1 and 2 of the descriptor
    uint8_t spatial = 0, temporal = 0;
    uint32_t decode_targets = 0;  // bit i: target i needs it
    uint32_t switch_targets = 0;  // bit i: target i may be switched to here
  };
  // nullopt when the descriptor cannot be read or refers to a structure that never came.
  std::optional<Frame> read(ByteView descriptor);

  size_t target_count() const { return target_count_; }
  // The highest layer a decode target has.
  uint8_t target_spatial(size_t target) const { return target_spatial_[target]; }
  uint8_t target_temporal(size_t target) const { return target_temporal_[target]; }
  // The target for at most this layer; nullopt when there is none so low.
  std::optional<size_t> target_for(uint8_t spatial, uint8_t temporal) const;

 private:
  struct Template {
    uint8_t spatial = 0, temporal = 0;
    uint64_t indications = 0;  // two bits a decode target
  };
  class Bits;
  bool read_structure(Bits& bits);
  bool read_template_details(Bits& bits);

  std::array<Template, kMaxTemplates> templates_;
  size_t template_count_ = 0;
  uint8_t template_offset_ = 0;
  size_t target_count_ = 0;
  std::array<uint8_t, kMaxTargets> target_spatial_{}, target_temporal_{};
};

}  // namespace footlight::sfu
