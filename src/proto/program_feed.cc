#include "proto/program_feed.h"

#include <algorithm>
#include <type_traits>

#include "core/assert.h"

namespace footlight::proto {
namespace {

// Each message names its fields once; a writer and a reader walk them.

size_t clipped_length(std::string_view text) {
  if (text.size() <= kMaxFeedText) return text.size();
  size_t end = kMaxFeedText;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

class FeedOut {
 public:
  explicit FeedOut(Bytes& out) : writer_(out) {}
  template <class T>
  void number(const T& value) {
    if constexpr (std::is_same_v<T, bool> || sizeof(T) == 1) {
      writer_.u8(static_cast<uint8_t>(value));
    } else {
      writer_.varint(encoded(value));
    }
  }
  template <class T>
  void choice(const T& value, size_t) {
    writer_.u8(static_cast<uint8_t>(value));
  }
  void text(const std::string& value) {
    writer_.text(std::string_view(value).substr(0, clipped_length(value)));
  }
  template <class T>
  void list(const std::vector<T>& values, size_t most) {
    const size_t count = std::min(values.size(), most);
    writer_.varint(count);
    for (size_t i = 0; i < count; ++i) fields(*this, values[i]);
  }
  template <class T>
  void maybe(const std::optional<T>& value) {
    writer_.u8(value ? 1 : 0);
    if (value) fields(*this, *value);
  }
  void rest(ByteView bytes) { writer_.bytes(bytes); }
  static constexpr bool kReads = false;

 private:
  template <class T>
  static uint64_t encoded(T value) {  // signed: zigzag
    if constexpr (std::is_signed_v<T>) {
      const auto wide = static_cast<int64_t>(value);
      return (static_cast<uint64_t>(wide) << 1) ^ static_cast<uint64_t>(wide >> 63);
    } else {
      return value;
    }
  }
  ByteWriter writer_;
};

class FeedIn {
 public:
  explicit FeedIn(ByteView in) : reader_(in) {}
  bool ok() const { return ok_ && reader_.ok(); }
  template <class T>
  void number(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = reader_.u8() != 0;
    } else if constexpr (sizeof(T) == 1) {
      value = reader_.u8();
    } else {
      const uint64_t raw = reader_.varint();
      if constexpr (std::is_signed_v<T>) {
        value = static_cast<T>(static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1));
      } else {
        value = static_cast<T>(raw);
        if (value != raw) ok_ = false;
      }
    }
  }
  template <class T>
  void choice(T& value, size_t count) {
    const uint8_t raw = reader_.u8();
    if (raw >= count) ok_ = false;
    value = raw < count ? static_cast<T>(raw) : T{};
  }
  void text(std::string& value) {
    const uint64_t size = reader_.varint();
    if (size > kMaxFeedText) {
      ok_ = false;
      return;
    }
    value = as_text(reader_.bytes(size));
    if (!is_valid_utf8(value)) ok_ = false;
  }
  template <class T>
  void list(std::vector<T>& values, size_t most) {
    const uint64_t count = reader_.varint();
    if (count > most) {
      ok_ = false;
      return;
    }
    values.resize(count);
    for (T& value : values) fields(*this, value);
  }
  template <class T>
  void maybe(std::optional<T>& value) {
    if (reader_.u8() != 0) fields(*this, value.emplace());
  }
  void rest(ByteView& bytes) { bytes = reader_.bytes(reader_.remaining()); }
  static constexpr bool kReads = true;

 private:
  ByteReader reader_;
  bool ok_ = true;
};

template <class T, class M>
concept Of = std::is_same_v<std::remove_const_t<T>, M>;

template <class Io, Of<FeedRendition> M>
void fields(Io& io, M& m) {
  io.text(m.name);
  io.choice(m.kind, 2);
  io.text(m.codec);
  io.number(m.bandwidth_bps);
  io.number(m.timescale);
  io.number(m.width);
  io.number(m.height);
  io.number(m.fps_milli);
  io.number(m.channels);
  io.number(m.sample_rate);
}

template <class Io, Of<FeedHello> M>
void fields(Io& io, M& m) {
  io.number(m.version);
  io.number(m.pid);
  io.number(m.rtp_port);
  io.number(m.part_us);
  io.number(m.parts_per_segment);
  io.list(m.renditions, kMaxFeedRenditions);
}

template <class Io, Of<FeedInit> M>
void fields(Io& io, M& m) {
  io.number(m.rendition);
  io.rest(m.bytes);
}

template <class Io, Of<FeedPart> M>
void fields(Io& io, M& m) {
  io.number(m.rendition);
  io.number(m.msn);
  io.number(m.part);
  io.number(m.independent);
  io.number(m.tfdt);
  io.number(m.duration);
  io.number(m.pdt_us);
  io.rest(m.bytes);
}

template <class Io, Of<FeedInput> M>
void fields(Io& io, M& m) {
  io.number(m.slot);
  io.choice(m.state, 4);
  io.number(m.frames);
  io.number(m.lost);
}

template <class Io, Of<FeedStatus> M>
void fields(Io& io, M& m) {
  io.number(m.fps_milli);
  io.number(m.cpu_permille);
  io.number(m.late_frames);
  io.number(m.repeated_frames);
  io.number(m.dropped_parts);
  io.number(m.slips);
  io.number(m.queued_bytes);
  io.number(m.behind_ms);
  io.number(m.layout);
  io.number(m.snapshot);
  io.text(m.encoder);
  io.list(m.inputs, kMaxFeedSlots);
}

template <class Io, Of<FeedPoster> M>
void fields(Io& io, M& m) {
  io.number(m.pdt_us);
  io.number(m.small);
  io.rest(m.jpeg);
}

template <class Io, Of<FeedCueShown> M>
void fields(Io& io, M& m) {
  io.number(m.snapshot);
  io.number(m.frame);
  io.number(m.msn);
  io.number(m.part);
  io.number(m.pdt_us);
}

template <class Io, Of<FeedKeyFrame> M>
void fields(Io& io, M& m) {
  io.number(m.ssrc);
}

template <class Io, Of<FeedEnd> M>
void fields(Io& io, M& m) {
  io.number(m.code);
  io.text(m.reason);
}

template <class Io, Of<FeedNodeHello> M>
void fields(Io& io, M& m) {
  io.number(m.version);
  io.number(m.rtp_port);
}

template <class Io, Of<FeedTrack> M>
void fields(Io& io, M& m) {
  io.choice(m.codec, 6);
  io.number(m.ssrc);
  io.number(m.payload_type);
  io.number(m.clock_rate);
}

template <class Io, Of<FeedParticipant> M>
void fields(Io& io, M& m) {
  io.choice(m.slot, kMaxFeedSlots);
  io.text(m.name);
  io.choice(m.role, 4);
  fields(io, m.audio);
  fields(io, m.video);
  io.number(m.gain_permille);
  io.number(m.speaking);
  io.number(m.who);
}

template <class Io, Of<FeedParticipants> M>
void fields(Io& io, M& m) {
  io.list(m.people, kMaxFeedSlots);
}

template <class Io, Of<FeedLayout> M>
void fields(Io& io, M& m) {
  io.choice(m.kind, kFeedLayouts);
  io.number(m.slot);
}

template <class Io, Of<FeedOption> M>
void fields(Io& io, M& m) {
  io.text(m.label);
  io.number(m.votes);
}

template <class Io, Of<FeedPoll> M>
void fields(Io& io, M& m) {
  io.text(m.title);
  io.list(m.options, kMaxFeedOptions);
  io.number(m.voters);
  io.number(m.closes_wall_ms);
  io.number(m.closed);
  io.text(m.id);
  io.number(m.opened_wall_ms);
}

template <class Io, Of<FeedDice> M>
void fields(Io& io, M& m) {
  io.text(m.who);
  io.text(m.expression);
  io.text(m.faces);
  io.number(m.total);
}

template <class Io, Of<FeedSnapshot> M>
void fields(Io& io, M& m) {
  io.number(m.number);
  io.text(m.scene);
  io.text(m.card_title);
  io.text(m.card_text);
  io.maybe(m.poll);
  io.list(m.dice, kMaxFeedDice);
}

template <class Io, Of<FeedStop> M>
void fields(Io&, M&) {}

// The type on the wire: the place in its variant, the node's from 64 on.
constexpr uint8_t kNodeTypes = 64;

template <class Message>
void put(const Message& message, uint8_t first, Bytes& out) {
  const size_t at = out.size();
  ByteWriter writer(out);
  writer.u32(0);
  writer.u8(static_cast<uint8_t>(first + message.index()));
  std::visit(
      [&](const auto& each) {
        FeedOut io(out);
        fields(io, each);
      },
      message);
  const size_t length = out.size() - at - 4;
  FL_ASSERT(length <= kMaxFeedFrame, "a part of the program fits a frame");
  for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<uint8_t>(length >> (8 * i));
}

template <class Message, size_t I = 0>
Result<std::optional<Message>> take(size_t index, ByteView body) {
  if constexpr (I == std::variant_size_v<Message>) {
    return std::optional<Message>();
  } else if (index == I) {
    std::variant_alternative_t<I, Message> message{};
    FeedIn io(body);
    fields(io, message);
    if constexpr (requires { message.version; }) {
      if (io.ok() && message.version != kFeedVersion) {
        return fail(Code::kFeedVersion, std::to_string(message.version));
      }
    }
    if (!io.ok()) return fail(Code::kFeedMalformed, "type " + std::to_string(index));
    return std::optional<Message>(std::in_place, std::in_place_index<I>, std::move(message));
  } else {
    return take<Message, I + 1>(index, body);
  }
}

}  // namespace

void encode(const CompositorMessage& message, Bytes& out) { put(message, 0, out); }
void encode(const NodeMessage& message, Bytes& out) { put(message, kNodeTypes, out); }

void encode_head(const FeedPart& part, Bytes& out) {
  const size_t at = out.size();
  FeedPart head = part;
  head.bytes = {};
  encode(CompositorMessage(head), out);
  const size_t length = out.size() - at - 4 + part.bytes.size();
  FL_ASSERT(length <= kMaxFeedFrame, "a part of the program fits a frame");
  for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<uint8_t>(length >> (8 * i));
}

void FeedReader::push(ByteView bytes) {
  if (broken_ != Code::kOk) return;
  if (at_ > 0) buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(at_));
  at_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<FeedReader::Frame>> FeedReader::next() {
  if (broken_ != Code::kOk) return fail(broken_);
  const ByteView rest = ByteView(buffer_).subspan(at_);
  if (rest.size() < 4) return std::optional<Frame>();
  const size_t length = ByteReader(rest).u32();
  if (length == 0 || length > kMaxFeedFrame) {
    broken_ = length == 0 ? Code::kFeedMalformed : Code::kFeedFrameTooLarge;
    buffer_.clear();
    at_ = 0;
    return fail(broken_, std::to_string(length) + " bytes");
  }
  if (rest.size() < 4 + length) return std::optional<Frame>();
  at_ += 4 + length;
  return Frame{rest[4], rest.subspan(5, length - 1)};
}

Result<std::optional<CompositorMessage>> decode_compositor(const FeedReader::Frame& frame) {
  return take<CompositorMessage>(frame.type, frame.body);
}

Result<std::optional<NodeMessage>> decode_node(const FeedReader::Frame& frame) {
  if (frame.type < kNodeTypes) return std::optional<NodeMessage>();
  return take<NodeMessage>(frame.type - kNodeTypes, frame.body);
}

}  // namespace footlight::proto
