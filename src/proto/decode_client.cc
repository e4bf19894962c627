#include <algorithm>

#include "core/bytes.h"
#include "core/json.h"
#include "proto/internal/keep.h"
#include "proto/internal/media_read.h"
#include "proto/internal/read.h"
#include "proto/internal/vote.h"
#include "proto/messages.h"
#include "proto/trace.h"

namespace footlight::proto {
namespace {

using internal::fault_of;
using internal::keep;
using internal::read_unsigned;

constexpr int64_t kMaxLatencyMs = 3'600'000;

Status read_resume(JsonReader& in, Hello& hello) {
  Resume resume;
  bool epoch = false, offset = false;
  std::string_view key;
  if (!in.enter_object()) return fault_of(in, "resume");
  while (in.next_key(key)) {
    if (key == "epoch") {
      resume.epoch = read_unsigned(in);
      epoch = true;
    } else if (key == "off") {
      resume.offset = read_unsigned(in);
      offset = true;
    } else {
      in.skip();
    }
  }
  if (!in.ok()) return fault_of(in, "resume");
  if (!epoch || !offset) return fail(Code::kMissingField, "resume needs epoch and off");
  hello.resume = resume;
  return {};
}

// A hello of another version is refused by its number alone: what else it holds is not ours to
// judge.
Status check_version(std::string_view frame) {
  JsonReader in(frame, kMaxNesting);
  std::string_view key;
  (void)in.enter_object();
  while (in.next_key(key)) {
    if (key != "v") {
      in.skip();
      continue;
    }
    const int64_t version = in.read_int();
    if (!in.ok()) break;
    if (version == kVersion) return {};
    return fail(Code::kUnknownVersion, "this server speaks version 1");
  }
  if (!in.ok()) return fault_of(in, "v");
  return fail(Code::kMissingField, "v is missing");
}

Result<ClientMessage> check_hello(Hello hello, std::string_view cid) {
  if (hello.token.empty()) return fail(Code::kMissingField, "token is missing");
  if (hello.token.size() > kMaxTokenBytes) return fail(Code::kFieldOutOfRange, "token is too long");
  if (hello.client.size() > kMaxClientNameBytes) {
    return fail(Code::kFieldOutOfRange, "client is too long");
  }
  if (cid.empty()) return fail(Code::kMissingField, "cid is missing");
  if (cid.size() != 16 || !parse_hex_u64(cid, hello.cid)) {
    return fail(Code::kFieldOutOfRange, "cid must be 16 hexadecimal digits");
  }
  return hello;
}

Result<ClientMessage> read_hello(JsonReader& in, std::string_view frame, std::string& storage) {
  const Status version = check_version(frame);
  if (!version) return std::unexpected(version.error());
  Hello hello;
  std::string_view key, cid;
  while (in.next_key(key)) {
    if (key == "token") {
      hello.token = keep(in.read_string(), frame, storage);
    } else if (key == "cid") {
      cid = keep(in.read_string(), frame, storage);
    } else if (key == "client") {
      hello.client = keep(in.read_string(), frame, storage);
    } else if (key == "resume" && !in.read_null()) {
      const Status read = read_resume(in, hello);
      if (!read) return std::unexpected(read.error());
    } else if (key != "resume") {
      in.skip();
    }
  }
  if (!in.ok()) return fault_of(in, "hello");
  return check_hello(hello, cid);
}

// Reads `a`. The arguments of a vote are parsed on the way, which is what most frames hold; when
// that fails, or the kind comes later, the value is stepped over and judged by itself.
bool read_args(JsonReader& in, std::string_view frame, std::string& storage, ClientEvent& event) {
  if (event.kind == Kind::kPollVote && in.peek() == JsonType::kObject) {
    JsonReader ahead = in;
    const size_t start = in.position();
    event.fault = internal::read_vote(ahead, frame, event.vote, storage);
    if (event.fault.ok()) {
      in = ahead;
      event.args = frame.substr(start, in.position() - start);
      return true;
    }
  }
  event.args = in.raw();
  return false;
}

// One element of `e`. Only what makes the event impossible to answer (no usable `i`) is a fault of
// the frame; the rest is the event's own.
Status read_event(JsonReader& in, std::string_view frame, std::string& storage,
                  ClientEvent& event) {
  event = ClientEvent{};
  int64_t i = 0;
  bool has_kind = false, has_vote = false;
  std::string_view key;
  if (!in.enter_object()) return fault_of(in, "e");
  while (in.next_key(key)) {
    if (key == "i") {
      i = in.read_int();
      if (in.ok() && (i < 1 || i > kMaxSafeInteger)) in.fault(Code::kFieldOutOfRange);
    } else if (key == "k") {
      event.kind_text = keep(in.read_string(), frame, storage);
      event.kind = parse_kind(event.kind_text);
      has_kind = true;
    } else if (key == "a") {
      has_vote = read_args(in, frame, storage, event);
    } else if (key == "tp" && in.peek() == JsonType::kString) {
      const std::string_view trace = in.read_string();
      if (parse_traceparent(trace)) event.traceparent = keep(trace, frame, storage);
    } else {
      in.skip();
    }
  }
  if (!in.ok()) return fault_of(in, "an event");
  if (i == 0) return fail(Code::kMissingField, "an event has no i");
  if (!has_kind) return fail(Code::kMissingField, "an event has no k");
  event.i = static_cast<uint64_t>(i);
  if (event.kind == Kind::kUnknown) {
    event.fault = {Code::kUnknownCommand, "k", ""};
  } else if (event.kind != Kind::kPollVote) {
    event.fault = {};
  } else if (!has_vote) {
    event.fault = parse_vote(event.args, event.vote, storage);
  }
  return {};
}

Result<ClientMessage> read_batch(JsonReader& in, std::string_view frame, std::string& storage,
                                 std::vector<ClientEvent>& events) {
  events.clear();
  bool seen = false;
  std::string_view key;
  while (in.next_key(key)) {
    if (key != "e" || seen) {
      in.skip();
      continue;
    }
    seen = true;
    if (!in.enter_array()) return fault_of(in, "e");
    while (in.next_element()) {
      if (events.size() == kMaxBatch) {
        return fail(Code::kBatchTooLarge, "at most 64 events in one message");
      }
      const Status read = read_event(in, frame, storage, events.emplace_back());
      if (!read) return std::unexpected(read.error());
    }
  }
  if (!in.ok()) return fault_of(in, "ev");
  if (events.empty()) return fail(Code::kMissingField, "e holds no event");
  return EventBatch{events};
}

// One `["vote",84]`. False when the class is unknown: a newer client's.
bool read_latency(JsonReader& in, LatencySample& sample) {
  std::optional<LatencyClass> of;
  int count = 0;
  if (!in.enter_array()) return false;
  for (; in.next_element(); ++count) {
    if (count == 0) {
      of = parse_latency_class(in.read_string());
    } else if (count == 1) {
      const int64_t ms = in.read_int();
      if (in.ok() && ms < 0) in.fault(Code::kFieldOutOfRange);
      sample.ms = static_cast<uint32_t>(std::clamp<int64_t>(ms, 0, kMaxLatencyMs));
    } else {
      in.skip();
    }
  }
  if (count < 2) in.fault(Code::kMissingField);
  if (of) sample.of = *of;
  return of.has_value();
}

Result<ClientMessage> read_latencies(JsonReader& in, std::vector<LatencySample>& samples) {
  samples.clear();
  size_t count = 0;
  bool seen = false;
  std::string_view key;
  while (in.next_key(key)) {
    if (key != "m" || seen) {
      in.skip();
      continue;
    }
    seen = true;
    if (!in.enter_array()) return fault_of(in, "m");
    while (in.next_element()) {
      if (++count > kMaxLatencies) {
        return fail(Code::kBatchTooLarge, "at most 64 latencies in one message");
      }
      LatencySample sample;
      if (read_latency(in, sample) && in.ok()) samples.push_back(sample);
    }
  }
  if (!in.ok()) return fault_of(in, "m");
  if (!seen) return fail(Code::kMissingField, "m is missing");
  return LatencyReport{samples};
}

Result<ClientMessage> read_ping(JsonReader& in) {
  Ping ping;
  bool seen = false;
  std::string_view key;
  while (in.next_key(key)) {
    if (key == "c") {
      ping.c = in.read_int();
      seen = true;
    } else {
      in.skip();
    }
  }
  if (!in.ok()) return fault_of(in, "c");
  if (!seen) return fail(Code::kMissingField, "c is missing");
  return ping;
}

Result<ClientMessage> read_watch(JsonReader& in, std::string_view frame, std::string& storage) {
  constexpr size_t kMaxCueBytes = 64;
  WatchReport report;
  bool seen = false;
  std::string_view key;
  while (in.next_key(key)) {
    if (key == "mode") {
      const auto mode = parse_watch_mode(in.read_string());
      if (in.ok() && !mode) return fail(Code::kFieldOutOfRange, "mode is none of the known ones");
      if (mode) report.mode = *mode;
      seen = true;
    } else if (key == "cue") {
      report.cue = keep(in.read_string(), frame, storage);
    } else {
      in.skip();
    }
  }
  if (!in.ok()) return fault_of(in, "watch");
  if (!seen) return fail(Code::kMissingField, "mode is missing");
  if (report.cue.size() > kMaxCueBytes) return fail(Code::kFieldOutOfRange, "cue is too long");
  return report;
}

Result<ClientMessage> read_token(JsonReader& in, std::string_view frame, std::string& storage) {
  TokenRefresh refresh;
  std::string_view key;
  while (in.next_key(key)) {
    if (key == "token") {
      refresh.token = keep(in.read_string(), frame, storage);
    } else {
      in.skip();
    }
  }
  if (!in.ok()) return fault_of(in, "token");
  if (refresh.token.empty()) return fail(Code::kMissingField, "token is missing");
  if (refresh.token.size() > kMaxTokenBytes) {
    return fail(Code::kFieldOutOfRange, "token is too long");
  }
  return refresh;
}

Result<ClientMessage> read_bye(JsonReader& in) {
  std::string_view key;
  while (in.next_key(key)) in.skip();
  if (!in.ok()) return fault_of(in, "bye");
  return ClientBye{};
}

// The members of all messages about boards; each has its own use for them.
struct BoardFields {
  std::string_view board;
  std::string_view data;
  uint64_t client = 0;
  uint64_t generation = 0;
};

Result<BoardFields> read_board(JsonReader& in, std::string_view frame, std::string& storage) {
  BoardFields out;
  std::string_view key;
  while (in.next_key(key)) {
    if (key == "b") {
      out.board = keep(in.read_string(), frame, storage);
    } else if (key == "d") {
      out.data = keep(in.read_string(), frame, storage);
    } else if (key == "client") {
      out.client = internal::read_unsigned(in);
    } else if (key == "gen") {
      out.generation = internal::read_unsigned(in);
    } else {
      in.skip();
    }
  }
  if (!in.ok()) return fault_of(in, "board");
  if (out.board.empty()) return fail(Code::kMissingField, "b is missing");
  if (out.board.size() > kMaxBoardIdBytes) return fail(Code::kFieldOutOfRange, "b is too long");
  return out;
}

enum class Type : uint8_t {
  kHello,
  kEvents,
  kPing,
  kLatency,
  kToken,
  kBye,
  kBoardOpen,
  kBoardClose,
  kBoard,
  kMedia,
  kWatch,
  kUnknown
};

constexpr std::string_view kMedia = "media.";
constexpr std::string_view kAboutMedia[] = {"open",  "resume", "close", "ice",
                                            "place", "mute",   "report"};

Type parse_type(std::string_view type) {
  if (type == "ev") return Type::kEvents;
  if (type == "ping") return Type::kPing;
  if (type == "lat") return Type::kLatency;
  if (type == "hello") return Type::kHello;
  if (type == "token") return Type::kToken;
  if (type == "bye") return Type::kBye;
  if (type == "watch") return Type::kWatch;
  if (type == "board") return Type::kBoard;
  if (type == "board.open") return Type::kBoardOpen;
  if (type == "board.close") return Type::kBoardClose;
  if (type.starts_with(kMedia) &&
      std::ranges::find(kAboutMedia, type.substr(kMedia.size())) != std::end(kAboutMedia)) {
    return Type::kMedia;
  }
  return Type::kUnknown;
}

Result<ClientMessage> board_message(Type type, const Result<BoardFields>& fields) {
  if (!fields) return std::unexpected(fields.error());
  if (type == Type::kBoardOpen) {
    return BoardOpen{fields->board, fields->client, fields->generation};
  }
  if (type == Type::kBoardClose) return BoardClose{fields->board};
  if (fields->data.empty()) return fail(Code::kMissingField, "d is missing");
  return BoardData{fields->board, fields->data};
}

}  // namespace

ClientDecoder::ClientDecoder() {
  events_.reserve(kMaxBatch);
  samples_.reserve(kMaxLatencies);
}

Result<ClientMessage> ClientDecoder::decode(std::string_view frame) {
  const bool large = frame.size() > kMaxFrameBytes;
  // Only a board message or an offer may be so large, and there is nothing to unescape in the
  // former.
  const bool escapes = large && frame.find('\\') != frame.npos;
  if (large && frame.size() > (escapes ? kMaxOfferFrameBytes : kMaxBoardFrameBytes)) {
    return fail(Code::kFrameTooLarge, "at most 16384 bytes");
  }
  text_.clear();
  text_.reserve(std::max(kMaxFrameBytes, escapes ? frame.size() : 0));
  const Result<std::string_view> name = internal::find_type(frame, kMaxNesting, text_);
  if (large && (!name || (*name != "media.open" && (*name != "board" || escapes)))) {
    return fail(Code::kFrameTooLarge, "at most 16384 bytes");
  }
  if (!name) return std::unexpected(name.error());
  const Type type = parse_type(*name);
  JsonReader in(frame, kMaxNesting);
  (void)in.enter_object();
  Result<ClientMessage> message = fail(Code::kUnknownType, std::string(name->substr(0, 32)));
  switch (type) {
    case Type::kHello:
      message = read_hello(in, frame, text_);
      break;
    case Type::kEvents:
      message = read_batch(in, frame, text_, events_);
      break;
    case Type::kPing:
      message = read_ping(in);
      break;
    case Type::kLatency:
      message = read_latencies(in, samples_);
      break;
    case Type::kWatch:
      message = read_watch(in, frame, text_);
      break;
    case Type::kToken:
      message = read_token(in, frame, text_);
      break;
    case Type::kBye:
      message = read_bye(in);
      break;
    case Type::kBoardOpen:
    case Type::kBoardClose:
    case Type::kBoard:
      message = board_message(type, read_board(in, frame, text_));
      break;
    case Type::kMedia:
      message = internal::read_client_media(name->substr(kMedia.size()), in, frame, text_);
      break;
    case Type::kUnknown:
      (void)read_bye(in);
      break;
  }
  // Garbage behind a good message, or within an unknown one, is a bad frame all the same.
  const bool judged = !message && message.error().code != Code::kUnknownType;
  if (!judged && !in.finish()) return fault_of(in, "the frame");
  return message;
}

bool ends_session(Code code) {
  switch (code) {
    case Code::kBadFrame:
    case Code::kFrameTooLarge:
    case Code::kTooDeep:
    case Code::kUnknownVersion:
    case Code::kHelloExpected:
    case Code::kBadUtf8:
    case Code::kBadWebSocket:
      return true;
    default:
      return false;
  }
}

}  // namespace footlight::proto
