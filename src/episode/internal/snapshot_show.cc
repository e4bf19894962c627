// Snapshot of what the view shows beside the world: story, chat, captions, rolls, cues, slate, the
// log's tail.
#include <algorithm>

#include "episode/internal/snapshot_parts.h"

namespace footlight::episode {
namespace {

constexpr size_t kMostText = 8192;  // what a decoded event may hold
constexpr size_t kMostLine = 4 * kMostText;
// In the byte of slate and media mode: captions follow. Those of an episode without any are not
// there.
constexpr uint8_t kCaptioned = 0x10;

void write_story(ByteWriter& out, const State::Impl& state) {
  out.varint(state.story_steps);
  out.varint(state.story.size());
  for (const StoryStep& step : state.story) {
    write_i64(out, step.at_ms);
    out.varint(static_cast<uint64_t>(step.scene));
    out.u8(static_cast<uint8_t>(step.how));
    out.text(step.poll);
    out.text(step.choice);
  }
}

bool read_story(ByteReader& in, State::Impl& state) {
  uint64_t count = 0;
  state.story_steps = in.varint();
  if (!read_count(in, StateLimits::kStory, 12, count) || count > state.story_steps ||
      state.story_steps > WorldLimits::kMostNumber) {
    return false;
  }
  for (uint64_t i = 0; i < count; ++i) {
    StoryStep step;
    step.n = state.story_steps - count + 1 + i;
    step.at_ms = read_i64(in);
    const uint64_t scene = in.varint();
    if (scene >= state.definition.scenes.size()) return false;
    step.scene = static_cast<int>(scene);
    if (!read_enum(in, How::kRule, step.how) || !read_text(in, kMostText, step.poll) ||
        !read_text(in, kMostText, step.choice)) {
      return false;
    }
    state.story.push_back(std::move(step));
  }
  return true;
}

void write_chat(ByteWriter& out, const State::Impl& state) {
  out.varint(state.chat_messages);
  out.varint(state.chat.size());
  for (const ChatMessage& message : state.chat) {
    out.varint(message.id);
    write_i64(out, message.at_ms);
    out.u64(message.who);
    out.text(message.name);
    out.u8(static_cast<uint8_t>(message.role));
    out.text(message.text);
  }
}

bool read_chat(ByteReader& in, State::Impl& state) {
  uint64_t count = 0;
  state.chat_messages = in.varint();
  if (!read_count(in, StateLimits::kChat, 20, count) ||
      state.chat_messages > WorldLimits::kMostNumber) {
    return false;
  }
  uint64_t last = 0;
  for (uint64_t i = 0; i < count; ++i) {
    ChatMessage message;
    message.id = in.varint();
    message.at_ms = read_i64(in);
    message.who = in.u64();
    if (message.id <= last || message.id > state.chat_messages ||
        !read_text(in, kMostText, message.name) ||
        !read_enum(in, proto::Role::kProducer, message.role) ||
        !read_text(in, kMostText, message.text)) {
      return false;
    }
    last = message.id;
    state.chat.push_back(std::move(message));
  }
  return true;
}

void write_captions(ByteWriter& out, const State::Impl& state) {
  out.varint(state.caption_count);
  out.varint(state.captions.size());
  for (const Caption& caption : state.captions) {
    write_i64(out, caption.said_ms);
    write_i64(out, caption.at_ms);
    out.varint(caption.for_ms);
    out.text(caption.lang);
    out.text(caption.text);
  }
}

bool read_captions(ByteReader& in, State::Impl& state) {
  uint64_t count = 0;
  state.caption_count = in.varint();
  if (!read_count(in, StateLimits::kCaptions, 19, count) || count > state.caption_count ||
      state.caption_count > WorldLimits::kMostNumber) {
    return false;
  }
  for (uint64_t i = 0; i < count; ++i) {
    Caption caption;
    caption.n = state.caption_count - count + 1 + i;
    caption.said_ms = read_i64(in);
    caption.at_ms = read_i64(in);
    caption.for_ms = in.varint();
    if (!read_text(in, kMostText, caption.lang) || !read_text(in, kMostText, caption.text)) {
      return false;
    }
    state.captions.push_back(std::move(caption));
  }
  return true;
}

// A roll stands here as its event.
void write_rolls(ByteWriter& out, const State::Impl& state) {
  out.varint(state.roll_count);
  out.varint(state.rolls.size());
  for (const RollEntry& entry : state.rolls) {
    TypedEvent event;
    event.origin.who = entry.who;
    event.origin.name = entry.name;
    event.fact = entry.roll;
    write_i64(out, entry.at_ms);
    out.text(encode_event(event));
  }
  out.varint(state.nonces.size());
  for (const uint64_t nonce : state.nonces) out.u64(nonce);
}

bool read_rolls(ByteReader& in, State::Impl& state) {
  uint64_t count = 0;
  state.roll_count = in.varint();
  if (!read_count(in, StateLimits::kRolls, 9, count) || count > state.roll_count ||
      state.roll_count > WorldLimits::kMostNumber) {
    return false;
  }
  for (uint64_t i = 0; i < count; ++i) {
    const WallMs at_ms = read_i64(in);
    const std::string json(in.text());
    if (!in.ok()) return false;
    Result<TypedEvent> event = decode_event({at_ms, json});
    if (!event) return false;
    DiceRolled* roll = std::get_if<DiceRolled>(&event->fact);
    if (roll == nullptr || roll->n != state.roll_count - count + 1 + i) return false;
    state.rolls.push_back({at_ms, event->origin.who, event->origin.name, std::move(*roll)});
  }
  if (!read_count(in, StateLimits::kNonces, 8, count)) return false;
  for (uint64_t i = 0; i < count; ++i) state.nonces.insert(state.nonces.end(), in.u64());
  return in.ok() && state.nonces.size() == count;
}

void write_log_tail(ByteWriter& out, const State::Impl& state) {
  out.varint(state.log_tail.size());
  for (const LogLine& line : state.log_tail) {
    out.varint(line.log);
    write_i64(out, line.at_ms);
    out.text(line.kind);
    out.u64(line.who);
    out.text(line.name);
    out.text(line.text);
  }
}

bool read_log_tail(ByteReader& in, State::Impl& state) {
  uint64_t count = 0;
  if (!read_count(in, StateLimits::kLog, 20, count)) return false;
  uint64_t last = 0;
  for (uint64_t i = 0; i < count; ++i) {
    LogLine line;
    line.log = in.varint();
    line.at_ms = read_i64(in);
    if (line.log <= last || line.log > state.last_log || !read_text(in, 64, line.kind)) {
      return false;
    }
    line.who = in.u64();
    if (!read_text(in, kMostText, line.name) || !read_text(in, kMostLine, line.text)) return false;
    last = line.log;
    state.log_tail.push_back(std::move(line));
  }
  return true;
}

}  // namespace

void write_show(ByteWriter& out, const State::Impl& state) {
  write_i64(out, state.started_ms);
  write_i64(out, state.ended_ms);
  out.bytes(state.seed);
  out.bytes(state.chain);
  const bool captioned = state.caption_count > 0;
  out.u8(static_cast<uint8_t>((state.slate_on ? 1 : 0) | static_cast<int>(state.media_mode) << 1 |
                              (captioned ? kCaptioned : 0)));
  out.text(state.slate_text);
  write_i64(out, state.slow_seconds);
  write_story(out, state);
  write_chat(out, state);
  if (captioned) write_captions(out, state);
  write_rolls(out, state);
  for (const bool done : state.cues_done) out.u8(done ? 1 : 0);
  write_log_tail(out, state);
}

bool read_show(ByteReader& in, State::Impl& state) {
  state.started_ms = read_i64(in);
  state.ended_ms = read_i64(in);
  if (!read_hash(in, state.seed) || !read_hash(in, state.chain)) return false;
  const uint8_t flags = in.u8();
  const bool captioned = (flags & kCaptioned) != 0;
  const auto slate = static_cast<uint8_t>(flags & ~kCaptioned);
  if (slate >> 1 > static_cast<uint8_t>(MediaMode::kVotes)) return false;
  state.slate_on = (slate & 1) != 0;
  state.media_mode = static_cast<MediaMode>(slate >> 1);
  if (!read_text(in, kMostText, state.slate_text)) return false;
  state.slow_seconds = read_i64(in);
  if (state.slow_seconds < 0 || state.slow_seconds > StateLimits::kSlowSeconds) return false;
  if (!read_story(in, state) || !read_chat(in, state)) return false;
  if (captioned && !read_captions(in, state)) return false;
  if (!read_rolls(in, state)) return false;
  for (size_t i = 0; i < state.cues_done.size(); ++i) {
    bool done = false;
    if (!read_flag(in, done)) return false;
    state.cues_done[i] = done;
  }
  return read_log_tail(in, state);
}

}  // namespace footlight::episode
