// The events of an episode, typed; in the log they stand as JSON (docs/formats/events.md). An event
// says what came out (hit points after, faces of the dice), never what was asked for, so replaying
// needs no secrets, no rules and no judgement.
//
// Each struct lists its members once, in fields(); encoder and decoder both walk that list.
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/sha256.h"
#include "core/time.h"
#include "episode/definition.h"
#include "episode/dice.h"
#include "episode/episode.h"

namespace footlight::episode {

// Who or what caused an event. `i` 0: not the first event of a client's command.
struct Origin {
  uint64_t who = 0;  // 0: the server, a rule or the clock
  std::string name;
  proto::Role role = proto::Role::kViewer;
  uint64_t cid = 0;
  uint64_t i = 0;
  uint64_t body = 0;  // of kind and arguments: the first 8 bytes of their SHA-256, big-endian
  std::string trace;
  std::string rule;  // id of the rule it came from
};

enum class How : uint8_t { kStart = 0, kGm, kPoll, kChoice, kRule };  // the story moved
std::string_view how_name(How how);
enum class Why : uint8_t { kVotes = 0, kTieBreak, kDefault, kNoQuorum };  // a poll's result
std::string_view why_name(Why why);
// What the audience gets of voice and video; docs/protocol.md, media.mode.
enum class MediaMode : uint8_t { kFull = 0, kCapped, kHls, kAudio, kVotes };
std::string_view media_mode_name(MediaMode mode);
std::optional<MediaMode> parse_media_mode(std::string_view text);

struct EpisodeStarted {
  static constexpr std::string_view kKind = "episode.started";
  template <class Self, class F>
  static void fields(Self&, F&) {}
};
struct EpisodeEnded {
  static constexpr std::string_view kKind = "episode.ended";
  Hash256 seed{};  // of the dice
  Hash256 chain{};
  uint64_t chain_log = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("seed", self.seed);
    f("chain", self.chain);
    f("chain_log", self.chain_log);
  }
};
struct SceneEntered {
  static constexpr std::string_view kKind = "scene.entered";
  std::string scene;
  How how = How::kStart;
  std::string poll;    // kPoll
  std::string choice;  // kChoice: its id; kPoll: the winning option's index
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("scene", self.scene);
    f("how", self.how);
    f.optional("poll", self.poll);
    f.optional("choice", self.choice);
  }
};
struct PollCreated {
  static constexpr std::string_view kKind = "poll.created";
  std::string poll;
  std::string title;
  std::vector<std::string> options;
  bool multiple = false;
  uint64_t max = 1;
  uint64_t seconds = 0;
  bool hidden = false;
  bool changeable = true;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("poll", self.poll);
    f("title", self.title);
    f("options", self.options);
    f("multiple", self.multiple);
    f("max", self.max);
    f("seconds", self.seconds);
    f("hidden", self.hidden);
    f("changeable", self.changeable);
  }
};
struct PollOpened {
  static constexpr std::string_view kKind = "poll.opened";
  std::string poll;
  int64_t deadline_ms = 0;  // 0: none yet
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("poll", self.poll);
    f("deadline_ms", self.deadline_ms);
  }
};
struct PollClosing {
  static constexpr std::string_view kKind = "poll.closing";
  std::string poll;
  int64_t deadline_ms = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("poll", self.poll);
    f("deadline_ms", self.deadline_ms);
  }
};
struct PollClosed {
  static constexpr std::string_view kKind = "poll.closed";
  std::string poll;
  std::vector<uint64_t> counts;
  uint64_t voters = 0;
  int64_t winner = -1;
  Why why = Why::kVotes;
  Hash256 chain{};         // head of the durable log when this was decided
  uint64_t chain_log = 0;  // and its sequence number
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("poll", self.poll);
    f("counts", self.counts);
    f("voters", self.voters);
    f("winner", self.winner);
    f("why", self.why);
    f("chain", self.chain);
    f("chain_log", self.chain_log);
  }
};
struct HpChanged {
  static constexpr std::string_view kKind = "char.hp";
  std::string character;
  int64_t hp = 0;
  int64_t temp = 0;
  int64_t hp_before = 0;
  int64_t temp_before = 0;
  uint64_t ver = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("char", self.character);
    f("hp", self.hp);
    f("temp", self.temp);
    f("hp_before", self.hp_before);
    f("temp_before", self.temp_before);
    f("ver", self.ver);
  }
};
struct ItemChanged {
  static constexpr std::string_view kKind = "char.item";
  std::string character;
  std::string item;
  int64_t delta = 0;
  int64_t count = 0;
  uint64_t ver = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("char", self.character);
    f("item", self.item);
    f("delta", self.delta);
    f("count", self.count);
    f("ver", self.ver);
  }
};
struct ConditionChanged {
  static constexpr std::string_view kKind = "char.cond";
  std::string character;
  std::string condition;
  bool on = false;
  uint64_t ver = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("char", self.character);
    f("cond", self.condition);
    f("on", self.on);
    f("ver", self.ver);
  }
};
struct FieldChanged {
  static constexpr std::string_view kKind = "char.field";
  std::string character;
  std::string field;
  FieldValue value;
  uint64_t ver = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("char", self.character);
    f("field", self.field);
    f("value", self.value);
    f("ver", self.ver);
  }
};
struct DiceRolled {
  static constexpr std::string_view kKind = "dice.rolled";
  uint64_t n = 0;
  std::string character;
  std::string expr;
  std::string reason;
  Dialect dialect = Dialect::kFoundry;
  bool secret = false;
  std::string nonce;
  std::vector<Die> dice;
  int64_t total = 0;
  Crit crit = Crit::kNone;
  int64_t natural = 0;
  bool capped = false;
  Hash256 hash{};
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("n", self.n);
    f.optional("char", self.character);
    f("expr", self.expr);
    f.optional("reason", self.reason);
    f("dialect", self.dialect);
    f("secret", self.secret);
    f("nonce", self.nonce);
    f("dice", self.dice);
    f("total", self.total);
    f("crit", self.crit);
    f("natural", self.natural);
    f("capped", self.capped);
    f("hash", self.hash);
  }
};
struct ChatSaid {
  static constexpr std::string_view kKind = "chat.said";
  uint64_t id = 0;
  std::string text;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("id", self.id);
    f("text", self.text);
  }
};
struct CaptionSaid {
  static constexpr std::string_view kKind = "caption.said";
  uint64_t n = 0;
  std::string lang;
  std::string text;
  int64_t at_ms = 0;    // when the words were spoken
  uint64_t for_ms = 0;  // how long it is shown
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("n", self.n);
    f("lang", self.lang);
    f("text", self.text);
    f("at_ms", self.at_ms);
    f("for_ms", self.for_ms);
  }
};
struct CaptionTakenBack {
  static constexpr std::string_view kKind = "caption.taken_back";
  uint64_t n = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("n", self.n);
  }
};
struct ChatDeleted {
  static constexpr std::string_view kKind = "chat.deleted";
  uint64_t id = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("id", self.id);
  }
};
struct ChatSlowed {
  static constexpr std::string_view kKind = "chat.slow";
  uint64_t seconds = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("seconds", self.seconds);
  }
};
struct Pseudonym {
  uint64_t who = 0;
};
struct PersonMuted {
  static constexpr std::string_view kKind = "mod.muted";
  Pseudonym person;
  std::string name;
  int64_t until_ms = 0;  // 0: unmuted
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("who", self.person);
    f.optional("name", self.name);
    f("until_ms", self.until_ms);
  }
};
struct PersonBanned {
  static constexpr std::string_view kKind = "mod.banned";
  Pseudonym person;
  std::string name;
  bool on = false;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("who", self.person);
    f.optional("name", self.name);
    f("on", self.on);
  }
};
struct SlateSet {
  static constexpr std::string_view kKind = "slate.set";
  bool on = false;
  std::string text;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("on", self.on);
    f.optional("text", self.text);
  }
};
struct MediaModeSet {
  static constexpr std::string_view kKind = "media.mode_set";
  MediaMode mode = MediaMode::kFull;
  std::string why;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("mode", self.mode);
    f.optional("why", self.why);
  }
};
struct TimerStarted {
  static constexpr std::string_view kKind = "timer.started";
  std::string id;
  std::string label;
  int64_t ends_ms = 0;
  int64_t total_ms = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("id", self.id);
    f.optional("label", self.label);
    f("ends_ms", self.ends_ms);
    f("total_ms", self.total_ms);
  }
};
struct TimerStopped {
  static constexpr std::string_view kKind = "timer.stopped";
  std::string id;
  bool ran_out = false;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("id", self.id);
    f("ran_out", self.ran_out);
  }
};
struct VariableSet {
  static constexpr std::string_view kKind = "var.set";
  std::string name;
  int64_t value = 0;
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("name", self.name);
    f("value", self.value);
  }
};
struct CueDone {
  static constexpr std::string_view kKind = "cue.done";
  uint64_t n = 0;  // from 1
  template <class Self, class F>
  static void fields(Self& self, F& f) {
    f("n", self.n);
  }
};
// A command that changed nothing: its id must be remembered nevertheless.
struct NothingChanged {
  static constexpr std::string_view kKind = "nothing";
  template <class Self, class F>
  static void fields(Self&, F&) {}
};

using Fact =
    std::variant<EpisodeStarted, EpisodeEnded, SceneEntered, PollCreated, PollOpened, PollClosing,
                 PollClosed, HpChanged, ItemChanged, ConditionChanged, FieldChanged, DiceRolled,
                 ChatSaid, CaptionSaid, CaptionTakenBack, ChatDeleted, ChatSlowed, PersonMuted,
                 PersonBanned, SlateSet, MediaModeSet, TimerStarted, TimerStopped, VariableSet,
                 CueDone, NothingChanged>;

struct TypedEvent {
  WallMs at_ms = 0;
  Origin origin;
  Fact fact;
};

std::string_view fact_kind(const Fact& fact);
std::string encode_event(const TypedEvent& event);
// kLogCorrupt. Bounds every text and list; unknown members are ignored.
Result<TypedEvent> decode_event(const Event& event);

// Calls f(fact) with the type the variant holds; std::visit may throw, this cannot.
template <size_t kIndex = 0, class Variant, class F>
auto with_fact(Variant& fact, F&& f) {
  if constexpr (kIndex + 1 == std::variant_size_v<Fact>) {
    return f(*std::get_if<kIndex>(&fact));
  } else {
    if (auto* held = std::get_if<kIndex>(&fact)) return f(*held);
    return with_fact<kIndex + 1>(fact, std::forward<F>(f));
  }
}

}  // namespace footlight::episode
