// What the node and its compositor (`footlight-media compose`) say to each other, over one Unix
// stream socket: the node tells who is on stage and what is to be shown, the compositor hands over
// the finished parts of the program stream. Voice and picture themselves come to the compositor as
// RTP and RTCP on loopback UDP, at the port that its Hello names.
//
// A frame: u32 length of what follows, u8 type, body; numbers little-endian, texts and lists with a
// LEB128 length before them (core/bytes.h). Both sides begin with a Hello that has the version; a
// side that reads another version ends the connection (kFeedVersion). Body bytes beyond the fields
// that are known are ignored, and an unknown type is skipped, so fields and types can be added.
//
// Bounds: a frame kMaxFeedFrame; texts and lists as named below. A writer clips what is longer (a
// text at a character's border), a reader refuses it: kFeedMalformed, kFeedFrameTooLarge. After a
// refusal the connection is of no use.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace footlight::proto {

inline constexpr uint32_t kFeedVersion = 2;
inline constexpr size_t kMaxFeedFrame = 8 << 20;
inline constexpr size_t kMaxFeedText = 512;  // bytes of any text; names are clipped when drawn
inline constexpr size_t kMaxFeedRenditions = 8;
inline constexpr size_t kMaxFeedSlots = 16;  // people in the picture or the mix at once
inline constexpr size_t kMaxFeedOptions = 16;
inline constexpr size_t kMaxFeedDice = 8;

// --- compositor → node

enum class FeedMedia : uint8_t { kVideo, kAudio };

// One stream of the program: a rung of the ladder, or the sound.
struct FeedRendition {
  std::string name;  // "v720", "audio": letters and digits
  FeedMedia kind = FeedMedia::kVideo;
  std::string codec;  // RFC 6381: "avc1.64001f", "mp4a.40.2"
  uint32_t bandwidth_bps = 0;
  uint32_t timescale = 0;          // of tfdt and durations; ticks per second
  uint16_t width = 0, height = 0;  // video
  uint32_t fps_milli = 0;          // video: frames per 1,000 s
  uint8_t channels = 0;            // audio
  uint32_t sample_rate = 0;        // audio
  bool operator==(const FeedRendition&) const = default;
};

struct FeedHello {
  uint32_t version = kFeedVersion;
  uint32_t pid = 0;
  uint16_t rtp_port = 0;  // of 127.0.0.1, where RTP and RTCP of all people are taken
  uint32_t part_us = 0;   // every part is exactly so long, rounded down to a microsecond
  uint16_t parts_per_segment = 0;
  std::vector<FeedRendition> renditions;
  bool operator==(const FeedHello&) const = default;
};

// The initialization section (ftyp and moov) of a rendition, before its first part.
struct FeedInit {
  uint8_t rendition = 0;  // index in FeedHello
  ByteView bytes;
};

// One CMAF chunk: moof and mdat. Parts of one number in all renditions cover the same time.
struct FeedPart {
  uint8_t rendition = 0;
  uint64_t msn = 0;   // segment, counted from 0 in the compositor's life
  uint16_t part = 0;  // within the segment
  bool independent = false;
  uint64_t tfdt = 0;      // in the rendition's timescale, from 0
  uint32_t duration = 0;  // likewise
  int64_t pdt_us = 0;     // wall time of its first frame's capture, Unix microseconds
  ByteView bytes;
};

struct FeedInput {
  uint8_t slot = 0;
  enum class State : uint8_t { kWaiting, kLive, kLate, kFrozen } state = State::kWaiting;
  uint32_t frames = 0, lost = 0;  // pictures shown; packets that never came, of voice and picture
  bool operator==(const FeedInput&) const = default;
};

// Once per second.
struct FeedStatus {
  uint32_t fps_milli = 0;        // composed over the last second
  uint32_t cpu_permille = 0;     // of one core, the whole process
  uint32_t late_frames = 0;      // composed later than a frame's time, since the start
  uint32_t repeated_frames = 0;  // for want of time: the frame before again, or shown longer
  uint32_t dropped_parts = 0;    // the node read too slowly
  uint32_t slips = 0;            // how often frames were left out and the one before lasted longer
  uint32_t queued_bytes = 0;     // waiting for the socket
  uint32_t behind_ms = 0;        // the encoders are so far behind the picture
  uint8_t layout = 0;            // FeedLayout::Kind
  uint64_t snapshot = 0;         // number of the one in the picture
  std::string encoder;           // "libx264 2 rungs, aac"
  std::vector<FeedInput> inputs;
  bool operator==(const FeedStatus&) const = default;
};

// A picture of the program: of some size, or a small one for the recording's time line.
struct FeedPoster {
  int64_t pdt_us = 0;  // wall time of its frame
  bool small = false;
  ByteView jpeg;
};

// The first frame that shows a snapshot: for cues in step with the picture.
struct FeedCueShown {
  uint64_t snapshot = 0;
  uint64_t frame = 0;  // since the start
  uint64_t msn = 0;    // and the part that will hold it
  uint16_t part = 0;
  int64_t pdt_us = 0;
  bool operator==(const FeedCueShown&) const = default;
};

// A person's picture cannot be decoded until a key frame comes.
struct FeedKeyFrame {
  uint32_t ssrc = 0;
  bool operator==(const FeedKeyFrame&) const = default;
};

struct FeedEnd {
  uint16_t code = 0;  // 0: as it was asked
  std::string reason;
  bool operator==(const FeedEnd&) const = default;
};

using CompositorMessage = std::variant<FeedHello, FeedInit, FeedPart, FeedStatus, FeedPoster,
                                       FeedCueShown, FeedKeyFrame, FeedEnd>;

// --- node → compositor

struct FeedNodeHello {
  uint32_t version = kFeedVersion;
  uint16_t rtp_port = 0;  // of 127.0.0.1: datagrams from elsewhere are not taken
  bool operator==(const FeedNodeHello&) const = default;
};

enum class FeedCodec : uint8_t { kNone, kOpus, kVp8, kVp9, kH264, kAv1 };

struct FeedTrack {
  FeedCodec codec = FeedCodec::kNone;
  uint32_t ssrc = 0;
  uint8_t payload_type = 0;
  uint32_t clock_rate = 0;
  bool operator==(const FeedTrack&) const = default;
};

struct FeedParticipant {
  uint8_t slot = 0;  // below kMaxFeedSlots; a person keeps it
  std::string name;
  enum class Role : uint8_t { kPlayer, kGm, kHost, kProgram } role = Role::kPlayer;
  FeedTrack audio, video;
  uint16_t gain_permille = 1000;  // 0..4000; 0 is silent
  bool speaking = false;
  uint64_t who = 0;  // the account's pseudonym: a person who comes again is known by it
  bool operator==(const FeedParticipant&) const = default;
};

// Everybody, each time: who is missing has left.
struct FeedParticipants {
  std::vector<FeedParticipant> people;
  bool operator==(const FeedParticipants&) const = default;
};

struct FeedLayout {
  enum class Kind : uint8_t {
    kTable,
    kSpeaker,
    kGrid,
    kSingle,
    kTitle,
    kSlate
  } kind = Kind::kTable;
  uint8_t slot = 255;  // kSingle: who; 255: the finished program, else who speaks
  bool operator==(const FeedLayout&) const = default;
};
inline constexpr size_t kFeedLayouts = 6;

struct FeedOption {
  std::string label;
  uint64_t votes = 0;
  bool operator==(const FeedOption&) const = default;
};

struct FeedPoll {
  std::string title;
  std::vector<FeedOption> options;
  uint64_t voters = 0;
  int64_t closes_wall_ms = 0;  // 0: by hand
  bool closed = false;         // the result stays a while
  std::string id;
  int64_t opened_wall_ms = 0;
  bool operator==(const FeedPoll&) const = default;
};

struct FeedDice {
  std::string who, expression, faces;  // "Gale", "2d6+3", "4 2"
  int64_t total = 0;
  bool operator==(const FeedDice&) const = default;
};

// What is written over the picture, whole. `number` grows.
struct FeedSnapshot {
  uint64_t number = 0;
  std::string scene;                  // "" shows none
  std::string card_title, card_text;  // of the title card and the slate
  std::optional<FeedPoll> poll;
  std::vector<FeedDice> dice;  // newest first
  bool operator==(const FeedSnapshot&) const = default;
};

struct FeedStop {
  bool operator==(const FeedStop&) const = default;
};

using NodeMessage =
    std::variant<FeedNodeHello, FeedParticipants, FeedLayout, FeedSnapshot, FeedStop>;

// --- frames

// Appends the frame to `out`. The bytes of an Init, Part or Poster must fit a frame.
void encode(const CompositorMessage& message, Bytes& out);
void encode(const NodeMessage& message, Bytes& out);
// A part's frame without its bytes, which follow it on the socket as they are: nothing is copied.
void encode_head(const FeedPart& part, Bytes& out);

// Takes a connection's bytes and gives its frames; one of them at most is held in memory.
class FeedReader {
 public:
  void push(ByteView bytes);
  // The next frame's type and body, nullopt when there is none yet: valid until the next push().
  // kFeedFrameTooLarge, kFeedMalformed (no type): from then on always.
  struct Frame {
    uint8_t type = 0;
    ByteView body;
  };
  Result<std::optional<Frame>> next();
  size_t buffered() const { return buffer_.size() - at_; }

 private:
  Bytes buffer_;
  size_t at_ = 0;
  Code broken_ = Code::kOk;
};

// nullopt: a type that is not known here. Views point into the frame. kFeedMalformed, kFeedVersion.
Result<std::optional<CompositorMessage>> decode_compositor(const FeedReader::Frame& frame);
Result<std::optional<NodeMessage>> decode_node(const FeedReader::Frame& frame);

}  // namespace footlight::proto
