#include "ops/clip.h"

#include <algorithm>

#include "core/assert.h"
#include "rtc/wire.h"

// The files as they stand, four symbols and their ends.
#define FL_CLIP(name)                                                                        \
  asm(".section .rodata\n.balign 8\n.global footlight_clip_" #name "\nfootlight_clip_" #name \
      ":\n.incbin \"" FOOTLIGHT_CLIPS "/" #name ".clip\"\n.global footlight_clip_" #name     \
      "_end\nfootlight_clip_" #name "_end:\n.byte 0\n.previous\n");                          \
  extern "C" const uint8_t footlight_clip_##name[], footlight_clip_##name##_end[]
FL_CLIP(owl);
FL_CLIP(knight);
FL_CLIP(robot);
FL_CLIP(fox);

namespace footlight::ops {
namespace {

constexpr std::string_view kMagic = "FLCLIP1\n";
constexpr size_t kMostFrames = 10'000;
// Opus: three bits of the first byte are kept, the low two say "as many frames as the next byte
// says"; there 0x40 says that padding follows and the rest that it is one frame.
constexpr uint8_t kCodeMask = 3, kPaddedOne = 0x41;

class Reader {
 public:
  explicit Reader(ByteView rest) : rest_(rest) {}
  bool ok() const { return ok_; }
  size_t left() const { return rest_.size(); }
  ByteView take(size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  uint32_t number(size_t bytes) {
    uint32_t value = 0;
    for (const uint8_t byte : take(bytes)) value = value << 8 | byte;
    return value;
  }

 private:
  ByteView rest_;
  bool ok_ = true;
};

ClipVoice voice_of(uint8_t level, ByteView packet) {
  ClipVoice voice;
  voice.voice = (level & 0x80) != 0;
  voice.minus_dbov = level & 0x7F;
  if (packet.empty() || (packet[0] & kCodeMask) != 0) {
    voice.packet.assign(packet.begin(), packet.end());
    return voice;
  }
  voice.has_room = true;
  voice.packet = {static_cast<uint8_t>(packet[0] | kCodeMask), kPaddedOne, kStampBytes};
  voice.packet.insert(voice.packet.end(), packet.begin() + 1, packet.end());
  voice.packet.resize(voice.packet.size() + kStampBytes);
  return voice;
}

ClipLayer layer_of(Reader& in, size_t frames) {
  ClipLayer layer;
  layer.width = static_cast<uint16_t>(in.number(2));
  layer.height = static_cast<uint16_t>(in.number(2));
  uint16_t key = 0;
  for (size_t i = 0; i < frames && in.ok(); ++i) {
    ClipFrame frame;
    frame.key = in.number(1) == 1;
    frame.bytes = in.take(in.number(3));
    if (frame.key) key = static_cast<uint16_t>(i);
    layer.frames.push_back(frame);
    layer.key_before.push_back(key);
  }
  return layer;
}

constexpr size_t kPictureBytes = 1'200, kVoiceBytes = 100;  // of a packet's payload

Clip made_picture() {
  constexpr size_t kFrames = 300, kDescriptorBytes = 6;  // as the publisher writes it
  constexpr size_t kFrameBytes = kPictureChunks * (kPictureBytes - kDescriptorBytes) - kStampBytes;
  // RFC 6386 section 9.1: shown; the key frame with its start code and 1280 x 720.
  static const std::array<Bytes, 2> frames = [] {
    std::array<Bytes, 2> made{Bytes(kFrameBytes, 0x55), Bytes(kFrameBytes, 0x55)};
    made[0][0] = 0x11;
    made[1][0] = 0x10;
    std::ranges::copy(std::array<uint8_t, 7>{0x9D, 0x01, 0x2A, 0x00, 0x05, 0xD0, 0x02},
                      made[1].begin() + 3);
    return made;
  }();
  Clip clip;
  clip.frames_per_s = 30;
  clip.chunk_bytes = kPictureBytes - kDescriptorBytes;
  ClipLayer& layer = clip.layers.emplace_back();
  layer.width = 1280;
  layer.height = 720;
  for (size_t i = 0; i < kFrames; ++i) layer.frames.push_back({i == 0, frames[i == 0]});
  layer.key_before.assign(kFrames, 0);
  return clip;
}

Clip made_voice() {
  Bytes packet(kVoiceBytes - 2 - kStampBytes, 0x55);
  packet[0] = 0x78;  // CELT, 20 ms, one frame
  Clip clip;
  clip.voice.push_back(voice_of(0x80 | 30, packet));
  return clip;
}

}  // namespace

Result<Clip> read_clip(ByteView bytes) {
  Reader in(bytes);
  if (as_text(in.take(kMagic.size())) != kMagic) return fail(Code::kBadRequest, "no clip");
  Clip clip;
  const size_t layers = in.number(1);
  clip.frames_per_s = static_cast<uint8_t>(in.number(1));
  const size_t frames = in.number(2), voices = in.number(2);
  if (layers == 0 || layers > 4 || clip.frames_per_s == 0 || frames == 0 || frames > kMostFrames ||
      voices == 0 || voices > kMostFrames) {
    return fail(Code::kBadRequest, "the clip's head");
  }
  for (size_t i = 0; i < layers && in.ok(); ++i) {
    clip.layers.push_back(layer_of(in, frames));
    if (in.ok() && !clip.layers.back().frames[0].key) {
      return fail(Code::kBadRequest, "the clip does not begin with a key frame");
    }
  }
  for (size_t i = 0; i < voices && in.ok(); ++i) {
    const auto level = static_cast<uint8_t>(in.number(1));
    clip.voice.push_back(voice_of(level, in.take(in.number(2))));
  }
  if (!in.ok() || in.left() != 0) return fail(Code::kBadRequest, "the clip's length");
  return clip;
}

size_t clip_count() { return 4; }

const Clip& clip(size_t number) {
  static const std::array<Clip, 4> all = [] {
    const std::array<ByteView, 4> bytes = {
        ByteView(footlight_clip_owl, footlight_clip_owl_end),
        ByteView(footlight_clip_knight, footlight_clip_knight_end),
        ByteView(footlight_clip_robot, footlight_clip_robot_end),
        ByteView(footlight_clip_fox, footlight_clip_fox_end)};
    std::array<Clip, 4> clips;
    for (size_t i = 0; i < clips.size(); ++i) {
      auto clip = read_clip(bytes[i]);
      FL_ASSERT(clip.has_value(), "a clip of the program cannot be read");
      clips[i] = std::move(*clip);
    }
    return clips;
  }();
  return all[number % all.size()];
}

const Clip& clip(ClipKind kind, size_t number) {
  static const Clip picture = made_picture(), voice = made_voice();
  if (kind == ClipKind::kPeople) return clip(number);
  return kind == ClipKind::kPicture ? picture : voice;
}

void write_stamp(std::span<uint8_t, kStampBytes> out, uint64_t run, MonoUs sent_us) {
  rtc::store_u64(out.data(), run);
  rtc::store_u64(out.data() + 8, static_cast<uint64_t>(sent_us));
}

std::optional<MonoUs> read_stamp(ByteView payload, uint64_t run) {
  if (payload.size() < kStampBytes) return std::nullopt;
  const uint8_t* at = payload.data() + payload.size() - kStampBytes;
  if (rtc::load_u64(at) != run) return std::nullopt;
  return static_cast<MonoUs>(rtc::load_u64(at + 8));
}

}  // namespace footlight::ops
