// The commands a client may send in an `ev` message (docs/protocol.md, Commands): their names, who
// may send them, and the form of their arguments, as one table. Form is what can be judged without
// the episode's state; whether the poll exists or the item is there is the owner's to say.
//
// Pure: no clock, no allocation but in an Error's detail. Any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "proto/role.h"

namespace footlight::proto {

enum class Kind : uint8_t {
  kPollVote,
  kEmote,
  kChatSay,
  kCaptionSay,
  kCaptionTakeBack,
  kDiceRoll,
  kCharHp,
  kCharItem,
  kCharCond,
  kCharField,
  kPollOpen,
  kPollClose,
  kPollCreate,
  kSceneGo,
  kStoryChoose,
  kTimerStart,
  kTimerStop,
  kChatDelete,
  kChatSlow,
  kModMute,
  kModBan,
  kModUnban,
  kSlate,
  kMediaMode,
  kEpisodeStart,
  kEpisodeEnd,
  kUnknown,
};
inline constexpr int kKindCount = static_cast<int>(Kind::kUnknown);

inline constexpr int kMaxOptions = 32;     // options of a poll: bits of a choice mask
inline constexpr size_t kMaxIdBytes = 64;  // any id of the episode file
// Of a caption.
inline constexpr int64_t kMaxCaptionChars = 200;                       // Unicode code points
inline constexpr int64_t kMinCaptionMs = 500, kMaxCaptionMs = 20'000;  // how long it is shown
inline constexpr int64_t kMaxLangBytes = 16;
inline constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;  // what JavaScript holds exactly
inline constexpr int64_t kMaxAmount =
    1'000'000'000;  // of hit points, items, integer fields, either sign

// How an argument is judged. `low` and `high` are bytes for texts, code points for captions, values
// for integers, elements for arrays.
struct ArgSpec {
  enum class Type : uint8_t {
    kId,     // 1..64 bytes, no control characters
    kNewId,  // an id that is being made: [A-Za-z0-9_-]{1,64}
    kText,   // UTF-8, no control characters but \n and \t
    kHex,    // hexadecimal digits
    kInteger,
    kBool,
    kIndices,  // array of distinct integers 0..31
    kTexts,    // array of kText of 1..80 bytes
    kScalar,   // integer, or kText of at most `high` bytes
    kWord,     // one of `words`, separated by '|'
    kCaption,  // UTF-8 in one or two lines that are not blank, no other control characters
    kLang,     // a BCP 47 tag (RFC 5646 section 2.1) by its form: "en", "pt-BR"
  };
  std::string_view name;
  Type type = Type::kId;
  bool required = true;
  int64_t low = 0;
  int64_t high = 0;
  std::string_view words = {};
  Code range_code = Code::kFieldOutOfRange;  // when the value is of the right type but out of range
};

struct CommandSpec {
  Kind kind = Kind::kUnknown;
  std::string_view name;  // "poll.vote"
  RoleSet roles;          // who may send it at all
  bool lossy = false;     // never acknowledged, not in the log
  std::span<const ArgSpec> args;
};

const CommandSpec& command_spec(Kind kind);  // `kind` must not be kUnknown
inline std::string_view kind_name(Kind kind) {
  return kind == Kind::kUnknown ? std::string_view() : command_spec(kind).name;
}
Kind parse_kind(std::string_view name);  // kUnknown when it is none
inline bool may_send(Rights rights, Kind kind) {
  if (kind == Kind::kUnknown) return false;
  return command_spec(kind).roles.has(rights.role) ||
         (rights.captions && (kind == Kind::kCaptionSay || kind == Kind::kCaptionTakeBack));
}
// Unicode code points of valid UTF-8.
int64_t count_chars(std::string_view text);

// A form fault, without allocation: `why` is a static sentence, `field` a name of the table.
struct FormFault {
  Code code = Code::kOk;
  std::string_view field;
  std::string_view why;
  bool ok() const { return code == Code::kOk; }
  Error error() const;  // with detail "field: why"
};

// The ballot of `poll.vote`, the hot path.
struct Vote {
  std::string_view poll;
  uint32_t choice_mask = 0;       // bit per option index; 0 withdraws
  uint32_t n = 0;                 // >= 1: the voter's changes in this poll, counted by the client
  std::optional<uint64_t> voter;  // the session must refuse another's (4109)
};

// Reads the arguments of poll.vote: kMissingField, kFieldOutOfRange, kOptionUnknown, kBadFrame,
// kTooDeep, kBadUtf8. `poll` points into `args`, or, when it was escaped, into what is appended to
// `storage`: give it a reserve of args.size() and it is not moved. Allocates nothing else.
FormFault parse_vote(std::string_view args, Vote& vote, std::string& storage);
void append_vote_args(std::string& out, const Vote& vote);

// Judges rights and arguments: kForbidden, kMissingField, kFieldOutOfRange, kChatTooLong,
// kCaptionText, kCaptionLang, kDiceNonce, kOptionUnknown, kBadFrame, kTooDeep, kBadUtf8;
// kUnknownCommand for kUnknown. `args` is one JSON object, or "" for none. Unknown arguments are
// ignored.
FormFault check_command(Kind kind, Rights rights, std::string_view args);
Status validate_args(Kind kind, Rights rights, std::string_view args);  // the same, as an Error

}  // namespace footlight::proto
