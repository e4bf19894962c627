#include "proto/commands.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/assert.h"
#include "core/bytes.h"
#include "core/json.h"
#include "proto/internal/keep.h"
#include "proto/internal/vote.h"

namespace footlight::proto {
namespace {

using ArgType = ArgSpec::Type;

constexpr RoleSet kDirectors = RoleSet::of(Role::kGm) | RoleSet::of(Role::kProducer);
constexpr RoleSet kCast = kDirectors | RoleSet::of(Role::kPlayer);
constexpr RoleSet kAll = RoleSet::all();
constexpr RoleSet kProducers = RoleSet::of(Role::kProducer);
constexpr int64_t kIdMax = kMaxIdBytes;
constexpr int64_t kMaxSeconds = 86'400;
constexpr int64_t kMaxVersion = UINT32_MAX;
constexpr bool kRequired = true;
constexpr bool kOptional = false;

constexpr ArgSpec id(std::string_view name) { return {name, ArgType::kId, kRequired, 1, kIdMax}; }
constexpr ArgSpec text(std::string_view name, bool required, int64_t low, int64_t high,
                       Code range_code = Code::kFieldOutOfRange) {
  return {name, ArgType::kText, required, low, high, {}, range_code};
}
constexpr ArgSpec integer(std::string_view name, bool required, int64_t low, int64_t high) {
  return {name, ArgType::kInteger, required, low, high};
}
constexpr ArgSpec flag(std::string_view name, bool required) {
  return {name, ArgType::kBool, required};
}
constexpr ArgSpec word(std::string_view name, bool required, std::string_view words) {
  return {name, ArgType::kWord, required, 0, 0, words};
}
constexpr ArgSpec kVersionArg = integer("ver", kOptional, 0, kMaxVersion);

constexpr ArgSpec kVoteArgs[] = {
    id("poll"),
    {"choice", ArgType::kIndices, kRequired, 0, kMaxOptions, {}, Code::kOptionUnknown},
    integer("n", kRequired, 1, UINT32_MAX),
    {"voter", ArgType::kHex, kOptional, 16, 16}};
constexpr ArgSpec kEmoteArgs[] = {id("e"), integer("n", kOptional, 1, 10)};
constexpr ArgSpec kChatSayArgs[] = {text("text", kRequired, 1, 500, Code::kChatTooLong)};
constexpr ArgSpec kCaptionSayArgs[] = {
    {"text", ArgType::kCaption, kRequired, 1, kMaxCaptionChars, {}, Code::kCaptionText},
    {"lang", ArgType::kLang, kRequired, 2, kMaxLangBytes, {}, Code::kCaptionLang},
    {"at_ms", ArgType::kInteger, kOptional, 0, kMaxSafeInteger, {}, Code::kCaptionTime},
    integer("for_ms", kOptional, kMinCaptionMs, kMaxCaptionMs)};
constexpr ArgSpec kDiceRollArgs[] = {
    text("expr", kRequired, 1, 200),
    {"nonce", ArgType::kHex, kRequired, 16, 64, {}, Code::kDiceNonce},
    {"char", ArgType::kId, kOptional, 1, kIdMax},
    text("reason", kOptional, 0, 80),
    word("dialect", kOptional, "foundry|bang"),
    flag("secret", kOptional)};
constexpr ArgSpec kCharHpArgs[] = {id("char"), integer("delta", kOptional, -kMaxAmount, kMaxAmount),
                                   integer("set", kOptional, -kMaxAmount, kMaxAmount),
                                   integer("temp", kOptional, 0, kMaxAmount), kVersionArg};
constexpr ArgSpec kCharItemArgs[] = {
    id("char"), id("item"), integer("delta", kRequired, -kMaxAmount, kMaxAmount), kVersionArg};
constexpr ArgSpec kCharCondArgs[] = {id("char"), id("cond"), flag("on", kRequired), kVersionArg};
constexpr ArgSpec kCharFieldArgs[] = {
    id("char"), id("field"), {"value", ArgType::kScalar, kRequired, 0, 200}, kVersionArg};
constexpr ArgSpec kPollOpenArgs[] = {id("poll"), integer("seconds", kOptional, 1, kMaxSeconds)};
constexpr ArgSpec kPollCloseArgs[] = {id("poll")};
constexpr ArgSpec kPollCreateArgs[] = {{"poll", ArgType::kNewId, kRequired, 1, kIdMax},
                                       text("title", kRequired, 1, 200),
                                       {"options", ArgType::kTexts, kRequired, 2, kMaxOptions},
                                       word("kind", kOptional, "single|multiple"),
                                       integer("max", kOptional, 1, kMaxOptions),
                                       integer("seconds", kOptional, 1, kMaxSeconds),
                                       flag("hidden", kOptional),
                                       flag("changeable", kOptional)};
constexpr ArgSpec kSceneGoArgs[] = {id("scene")};
constexpr ArgSpec kStoryChooseArgs[] = {id("choice")};
constexpr ArgSpec kTimerStartArgs[] = {{"id", ArgType::kNewId, kRequired, 1, kIdMax},
                                       integer("seconds", kRequired, 1, kMaxSeconds),
                                       text("label", kOptional, 0, 80)};
constexpr ArgSpec kTimerStopArgs[] = {id("id")};
constexpr ArgSpec kChatDeleteArgs[] = {id("chat")};
constexpr ArgSpec kChatSlowArgs[] = {integer("seconds", kRequired, 0, 3600)};
constexpr ArgSpec kWhoArg = {"who", ArgType::kHex, kRequired, 16, 16};
constexpr ArgSpec kModMuteArgs[] = {kWhoArg, integer("seconds", kRequired, 0, kMaxAmount)};
constexpr ArgSpec kModBanArgs[] = {kWhoArg};
constexpr ArgSpec kSlateArgs[] = {flag("on", kRequired), text("text", kOptional, 0, 200)};

constexpr ArgSpec kMediaModeArgs[] = {word("mode", kRequired, "full|capped|hls|audio|votes"),
                                      text("why", kOptional, 0, 200)};

constexpr ArgSpec kCaptionTakeBackArgs[] = {id("caption")};

constexpr std::array<CommandSpec, kKindCount> kCommands = {{
    {Kind::kPollVote, "poll.vote", kAll, false, kVoteArgs},
    {Kind::kEmote, "emote", kAll, true, kEmoteArgs},
    {Kind::kChatSay, "chat.say", kAll, false, kChatSayArgs},
    {Kind::kCaptionSay, "caption.say", kDirectors, false, kCaptionSayArgs},
    {Kind::kCaptionTakeBack, "caption.take_back", kDirectors, false, kCaptionTakeBackArgs},
    {Kind::kDiceRoll, "dice.roll", kCast, false, kDiceRollArgs},
    {Kind::kCharHp, "char.hp", kCast, false, kCharHpArgs},
    {Kind::kCharItem, "char.item", kCast, false, kCharItemArgs},
    {Kind::kCharCond, "char.cond", kCast, false, kCharCondArgs},
    {Kind::kCharField, "char.field", kCast, false, kCharFieldArgs},
    {Kind::kPollOpen, "poll.open", kDirectors, false, kPollOpenArgs},
    {Kind::kPollClose, "poll.close", kDirectors, false, kPollCloseArgs},
    {Kind::kPollCreate, "poll.create", kDirectors, false, kPollCreateArgs},
    {Kind::kSceneGo, "scene.go", kDirectors, false, kSceneGoArgs},
    {Kind::kStoryChoose, "story.choose", kDirectors, false, kStoryChooseArgs},
    {Kind::kTimerStart, "timer.start", kDirectors, false, kTimerStartArgs},
    {Kind::kTimerStop, "timer.stop", kDirectors, false, kTimerStopArgs},
    {Kind::kChatDelete, "chat.delete", kDirectors, false, kChatDeleteArgs},
    {Kind::kChatSlow, "chat.slow", kDirectors, false, kChatSlowArgs},
    {Kind::kModMute, "mod.mute", kDirectors, false, kModMuteArgs},
    {Kind::kModBan, "mod.ban", kDirectors, false, kModBanArgs},
    {Kind::kModUnban, "mod.unban", kDirectors, false, kModBanArgs},
    {Kind::kSlate, "slate", kProducers, false, kSlateArgs},
    {Kind::kMediaMode, "media.mode", kProducers, false, kMediaModeArgs},
    {Kind::kEpisodeStart, "episode.start", kProducers, false, {}},
    {Kind::kEpisodeEnd, "episode.end", kProducers, false, {}},
}};

constexpr bool in_order() {
  for (int i = 0; i < kKindCount; ++i) {
    if (static_cast<int>(kCommands[static_cast<size_t>(i)].kind) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table's order is the enum's");

bool is_hex(std::string_view text) {
  for (char c : text) {
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!digit) return false;
  }
  return true;
}

bool is_new_id(std::string_view text) {
  for (char c : text) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '_';
    if (!good) return false;
  }
  return true;
}

// Control characters would let a text break out of a log line or a terminal.
bool is_printable(std::string_view text, bool line_breaks) {
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0x7F || (byte < 0x20 && !(line_breaks && (c == '\n' || c == '\t')))) return false;
  }
  return true;
}

bool is_caption(std::string_view text) {
  const int64_t breaks = std::ranges::count(text, '\n');
  if (breaks > 1 || text.find('\t') != std::string_view::npos) return false;
  return is_printable(text, true) && text.find_first_not_of(" \n") != std::string_view::npos;
}

// langtag by its form alone: letters, then subtags of 1 to 8 letters and digits.
bool is_lang(std::string_view text) {
  for (bool first = true;; first = false) {
    const std::string_view part = text.substr(0, text.find('-'));
    if (part.size() < (first ? 2 : 1) || part.size() > 8) return false;
    for (const char c : part) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (!letter && (first || c < '0' || c > '9')) return false;
    }
    if (part.size() == text.size()) return true;
    text.remove_prefix(part.size() + 1);
  }
}

bool is_among(std::string_view text, std::string_view words) {
  while (!words.empty()) {
    const size_t bar = words.find('|');
    if (words.substr(0, bar) == text) return true;
    words = bar == std::string_view::npos ? std::string_view{} : words.substr(bar + 1);
  }
  return false;
}

FormFault fault(Code code, std::string_view field, std::string_view why) {
  return {code, field, why};
}

// What the reader says went wrong at `field`.
FormFault reader_fault(const JsonReader& in, std::string_view field) {
  const Code code = in.code();
  return fault(code, field,
               code == Code::kMissingField      ? "has the wrong type"
               : code == Code::kFieldOutOfRange ? "is out of range"
                                                : "is not well-formed");
}

// Reads an array of distinct option indices into a mask.
FormFault read_indices(JsonReader& in, const ArgSpec& spec, uint32_t& mask) {
  mask = 0;
  if (!in.enter_array()) return reader_fault(in, spec.name);
  while (in.next_element()) {
    const int64_t index = in.read_int();
    if (!in.ok()) return reader_fault(in, spec.name);
    if (index < 0 || index >= kMaxOptions) {
      return fault(spec.range_code, spec.name, "names an option beyond the 32 a poll can have");
    }
    const uint32_t bit = 1u << index;
    if ((mask & bit) != 0) return fault(Code::kFieldOutOfRange, spec.name, "names an option twice");
    mask |= bit;
  }
  return in.ok() ? FormFault{} : reader_fault(in, spec.name);
}

FormFault check_string(const ArgSpec& spec, std::string_view value) {
  const auto size = static_cast<int64_t>(value.size());
  switch (spec.type) {
    case ArgType::kWord:
      if (!is_among(value, spec.words)) {
        return fault(spec.range_code, spec.name, "is none of the known words");
      }
      return {};
    case ArgType::kHex:
      if (size < spec.low || size > spec.high || !is_hex(value)) {
        return fault(spec.range_code, spec.name, "must be hexadecimal digits of the right number");
      }
      return {};
    case ArgType::kCaption:
      if (count_chars(value) > spec.high || !is_caption(value)) {
        return fault(spec.range_code, spec.name, "is too long, blank, or of more than two lines");
      }
      return {};
    case ArgType::kLang:
      if (size > spec.high || !is_lang(value)) {
        return fault(spec.range_code, spec.name, "is no language tag");
      }
      return {};
    default:
      break;
  }
  if (size > spec.high) return fault(spec.range_code, spec.name, "is too long");
  if (size < spec.low) return fault(Code::kFieldOutOfRange, spec.name, "is empty");
  const bool line_breaks = spec.type == ArgType::kText || spec.type == ArgType::kScalar;
  if (!is_printable(value, line_breaks)) {
    return fault(Code::kFieldOutOfRange, spec.name, "holds control characters");
  }
  if (spec.type == ArgType::kNewId && !is_new_id(value)) {
    return fault(Code::kFieldOutOfRange, spec.name, "may hold only A-Z a-z 0-9 - _");
  }
  return {};
}

FormFault read_texts(JsonReader& in, const ArgSpec& spec) {
  constexpr ArgSpec kElement = text("", true, 1, 80);
  if (!in.enter_array()) return reader_fault(in, spec.name);
  int64_t count = 0;
  while (in.next_element()) {
    const std::string_view value = in.read_string();
    if (!in.ok()) return reader_fault(in, spec.name);
    FormFault bad = check_string(kElement, value);
    if (!bad.ok()) {
      bad.field = spec.name;
      return bad;
    }
    if (++count > spec.high) return fault(spec.range_code, spec.name, "has too many elements");
  }
  if (!in.ok()) return reader_fault(in, spec.name);
  if (count < spec.low) return fault(spec.range_code, spec.name, "has too few elements");
  return {};
}

// Reads and judges one argument's value.
FormFault read_arg(JsonReader& in, const ArgSpec& spec) {
  switch (spec.type) {
    case ArgType::kBool:
      (void)in.read_bool();
      return in.ok() ? FormFault{} : reader_fault(in, spec.name);
    case ArgType::kInteger: {
      const int64_t value = in.read_int();
      if (!in.ok()) return reader_fault(in, spec.name);
      if (value < spec.low || value > spec.high) {
        return fault(spec.range_code, spec.name, "is out of range");
      }
      return {};
    }
    case ArgType::kIndices: {
      uint32_t mask = 0;
      return read_indices(in, spec, mask);
    }
    case ArgType::kTexts:
      return read_texts(in, spec);
    case ArgType::kScalar:
      if (in.peek() == JsonType::kNumber) {
        const int64_t value = in.read_int();
        if (!in.ok()) return reader_fault(in, spec.name);
        return value < -kMaxAmount || value > kMaxAmount
                   ? fault(spec.range_code, spec.name, "is out of range")
                   : FormFault{};
      }
      break;
    default:
      break;
  }
  const std::string_view value = in.read_string();
  if (!in.ok()) return reader_fault(in, spec.name);
  return check_string(spec, value);
}

// What the table cannot say: how arguments go together. `seen` has a bit per argument of the table.
FormFault check_together(Kind kind, uint32_t seen) {
  if (kind == Kind::kCharHp && std::popcount(seen & 0b1110u) != 1) {
    return fault(Code::kMissingField, "delta", "exactly one of delta, set, temp must be given");
  }
  return {};
}

FormFault check_args(const CommandSpec& spec, Role role, std::string_view args) {
  uint32_t seen = 0;
  JsonReader in(args);
  std::string_view key;
  if (!args.empty()) {
    if (!in.enter_object()) return reader_fault(in, "a");
    while (in.next_key(key)) {
      uint32_t at = 0;
      while (at < spec.args.size() && spec.args[at].name != key) ++at;
      if (at == spec.args.size()) {
        in.skip();
        continue;
      }
      const bool secret = spec.kind == Kind::kDiceRoll && key == "secret";
      if (secret && in.peek() == JsonType::kBool && !kDirectors.has(role)) {
        if (in.read_bool()) return fault(Code::kForbidden, "secret", "only the GM rolls in secret");
        continue;
      }
      const FormFault bad = read_arg(in, spec.args[at]);
      if (!bad.ok()) return bad;
      seen |= 1u << at;
    }
    if (!in.finish()) return reader_fault(in, "a");
  }
  for (uint32_t at = 0; at < spec.args.size(); ++at) {
    if (spec.args[at].required && (seen >> at & 1) == 0) {
      return fault(Code::kMissingField, spec.args[at].name, "is missing");
    }
  }
  return check_together(spec.kind, seen);
}

}  // namespace

const CommandSpec& command_spec(Kind kind) {
  FL_ASSERT(kind < Kind::kUnknown, "an unknown kind has no row in the table");
  return kCommands[static_cast<size_t>(kind)];
}

int64_t count_chars(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
}

Kind parse_kind(std::string_view name) {
  for (const CommandSpec& command : kCommands) {
    if (command.name == name) return command.kind;
  }
  return Kind::kUnknown;
}

Error FormFault::error() const {
  std::string detail(field);
  if (!detail.empty() && !why.empty()) detail += ": ";
  detail += why;
  return Error{code, std::move(detail), 0};
}

FormFault internal::read_vote(JsonReader& in, std::string_view source, Vote& vote,
                              std::string& storage) {
  constexpr uint32_t kPoll = 1, kChoice = 2, kN = 4;
  vote = Vote{};
  uint32_t seen = 0;
  std::string_view key;
  if (!in.enter_object()) return reader_fault(in, "a");
  while (in.next_key(key)) {
    FormFault bad;
    if (key == "poll") {
      vote.poll = internal::keep(in.read_string(), source, storage);
      bad = in.ok() ? check_string(kVoteArgs[0], vote.poll) : reader_fault(in, "poll");
      seen |= kPoll;
    } else if (key == "choice") {
      bad = read_indices(in, kVoteArgs[1], vote.choice_mask);
      seen |= kChoice;
    } else if (key == "n") {
      const int64_t n = in.read_int();
      if (!in.ok()) return reader_fault(in, "n");
      if (n < 1 || n > UINT32_MAX) return fault(Code::kFieldOutOfRange, "n", "is out of range");
      vote.n = static_cast<uint32_t>(n);
      seen |= kN;
    } else if (key == "voter") {
      const std::string_view digits = in.read_string();
      bad = in.ok() ? check_string(kVoteArgs[3], digits) : reader_fault(in, "voter");
      uint64_t voter = 0;
      if (bad.ok() && parse_hex_u64(digits, voter)) vote.voter = voter;
    } else {
      in.skip();
    }
    if (!bad.ok()) return bad;
  }
  if (!in.ok()) return reader_fault(in, "a");
  if ((seen & kPoll) == 0) return fault(Code::kMissingField, "poll", "is missing");
  if ((seen & kChoice) == 0) return fault(Code::kMissingField, "choice", "is missing");
  if ((seen & kN) == 0) return fault(Code::kMissingField, "n", "is missing");
  return {};
}

FormFault parse_vote(std::string_view args, Vote& vote, std::string& storage) {
  vote = Vote{};
  if (args.empty()) return fault(Code::kMissingField, "a", "is missing");
  JsonReader in(args);
  const FormFault bad = internal::read_vote(in, args, vote, storage);
  if (bad.ok() && !in.finish()) return reader_fault(in, "a");
  return bad;
}

void append_vote_args(std::string& out, const Vote& vote) {
  JsonWriter json(out);
  json.object().field("poll", vote.poll).key("choice").array();
  for (uint32_t rest = vote.choice_mask; rest != 0; rest &= rest - 1) {
    json.value(std::countr_zero(rest));
  }
  json.end_array().field("n", vote.n);
  if (vote.voter) json.field("voter", std::string_view(hex_u64(*vote.voter)));
  json.end_object();
}

FormFault check_command(Kind kind, Rights rights, std::string_view args) {
  if (kind >= Kind::kUnknown) return fault(Code::kUnknownCommand, "k", "");
  const CommandSpec& spec = command_spec(kind);
  if (!may_send(rights, kind)) return fault(Code::kForbidden, spec.name, "");
  return check_args(spec, rights.role, args);
}

Status validate_args(Kind kind, Rights rights, std::string_view args) {
  const FormFault bad = check_command(kind, rights, args);
  if (bad.ok()) return {};
  return std::unexpected(bad.error());
}

}  // namespace footlight::proto
