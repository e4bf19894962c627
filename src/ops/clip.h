// The synthetic people of load, rehearsals and the demo: a few seconds of encoded pictures, in
// three sizes, and voice, that repeat for ever. They are part of the program (src/ops/clips, made
// by tools/clips/make.mjs), so that nothing is encoded when they are sent.
//
// A voice packet has room at its end for when it was sent (Stamp), as padding that every decoder
// skips (RFC 6716 section 3.2.5); pictures get it behind their last byte, which VP8's decoders do
// not look at. So a way that strips every header extension can be measured all the same.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/time.h"

namespace footlight::ops {

struct ClipFrame {
  bool key = false;
  ByteView bytes;  // one VP8 frame
};

struct ClipLayer {
  uint16_t width = 0, height = 0;
  std::vector<ClipFrame> frames;
  // The last key frame at or before a frame.
  std::vector<uint16_t> key_before;
};

struct ClipVoice {
  bool voice = false;        // RFC 6464's V bit
  uint8_t minus_dbov = 127;  // its level
  Bytes packet;              // 20 ms of Opus
  bool has_room = false;     // its last kStampBytes may be written
};

struct Clip {
  uint8_t frames_per_s = 25;
  size_t chunk_bytes = 1100;      // of a frame in one packet
  std::vector<ClipLayer> layers;  // the smallest first; all with as many frames. None: no picture
  std::vector<ClipVoice> voice;   // none: no voice
  size_t frame_count() const { return layers.empty() ? 0 : layers[0].frames.size(); }
};

// kPeople: clip(). The others are bytes of no meaning, in the numbers that benchmarks state: one
// encoding of 30 frames a second, each kPictureChunks packets with 1,200 bytes of payload (2.6
// Mbit/s); or a voice that never pauses, of packets with 100 bytes.
enum class ClipKind : uint8_t { kPeople, kPicture, kVoice };
inline constexpr size_t kPictureChunks = 9;

// kBadRequest: not a clip, says where. Frames point into `bytes`.
Result<Clip> read_clip(ByteView bytes);

// Those within the program.
size_t clip_count();
const Clip& clip(size_t number);  // modulo their number
const Clip& clip(ClipKind kind, size_t number);

// When something was sent, on the clock of the run that sent it; a run knows its own by a number.
inline constexpr size_t kStampBytes = 16;
void write_stamp(std::span<uint8_t, kStampBytes> out, uint64_t run, MonoUs sent_us);
// Of the end of a payload; nullopt when there is none, or one of another run.
std::optional<MonoUs> read_stamp(ByteView payload, uint64_t run);

}  // namespace footlight::ops
