// What an episode file says, checked: the cast, characters, scenes, polls, dice rules and all else
// that does not change while the show runs. The YAML loader makes JSON of a file and keeps the
// place of every value; the checks here name places by JSON Pointer, so that `footlight check` can
// print line and column.
//
// Keys, types, defaults and limits: docs/formats/episode-file.md. Ids keep the file's order, which
// is the order of the polls' indices and of `char: all` in rules. Pure, any thread.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "episode/boards.h"
#include "episode/dice.h"
#include "episode/issue.h"
#include "episode/rules.h"
#include "proto/role.h"

namespace footlight::episode {

struct DefinitionLimits {
  static constexpr size_t kBytes = 1024 * 1024;  // of the JSON
  static constexpr size_t kIdBytes = 64;
  static constexpr size_t kTitleBytes = 200;  // titles, labels, names of things
  static constexpr size_t kNameBytes = 64;    // names of people
  static constexpr size_t kTextBytes = 8000;  // a scene's text, the description
  static constexpr size_t kFieldBytes = 200;
  static constexpr size_t kUrlBytes = 1000;
  static constexpr size_t kCast = 64;
  static constexpr size_t kCharacters = 64;
  static constexpr size_t kScenes = 500;
  static constexpr size_t kChoices = 16;     // of a scene
  static constexpr size_t kScenePolls = 16;  // of a scene
  static constexpr size_t kPolls = 200;      // in the file; with those made live: 256
  static constexpr size_t kOptions = 32;     // bits of a choice mask
  static constexpr size_t kItems = 500;
  static constexpr size_t kConditions = 100;
  static constexpr size_t kFields = 64;  // of a character
  static constexpr size_t kEmotes = 64;
  static constexpr size_t kVars = 200;
  static constexpr size_t kTimers = 32;
  static constexpr size_t kCues = 500;
  static constexpr size_t kAssets = 500;
  static constexpr size_t kBoards = 16;
  static constexpr size_t kBoardRules = 64;  // of a board
  static constexpr size_t kBoardMirrors = 512;
  static constexpr size_t kBoardPathBytes = 400;
  static constexpr size_t kBoardPathSteps = 16;
  static constexpr int64_t kHp = 1'000'000;
  static constexpr int64_t kAmount = 1'000'000'000;  // items, integer fields, variables
  static constexpr int64_t kWeight = 100;
  static constexpr int64_t kPollSeconds = 86'400;
  static constexpr int64_t kAllowanceSeconds = 15;
  static constexpr int64_t kQuorum = 1'000'000'000;
};

struct CastDef {
  std::string account;  // the token's `sub`
  std::string name;
  proto::Role role = proto::Role::kPlayer;
};

// A custom field's value; its type never changes.
struct FieldValue {
  bool is_text = false;
  int64_t number = 0;
  std::string text;
  bool operator==(const FieldValue&) const = default;
};

struct CharacterDef {
  std::string id;
  std::string name;
  std::string owner;     // account of the cast, "" = the GM's
  std::string portrait;  // URL of an asset, "" = none
  int64_t hp = 0;
  int64_t hp_max = 0;
  int64_t hp_temp = 0;
  std::vector<std::pair<std::string, int64_t>> items;  // count >= 1
  std::vector<std::string> conditions;
  std::vector<std::pair<std::string, FieldValue>> fields;
};

struct ChoiceDef {
  std::string id;
  std::string label;
  std::string to;  // scene
};

struct SceneDef {
  std::string id;
  std::string title;
  std::string text;
  std::vector<ChoiceDef> choices;
  std::vector<std::string> polls;
};

struct OptionDef {
  std::string label;
  std::string to;  // scene the story moves to when this option wins; "" = stays
};

enum class TieBreak : uint8_t {
  kFirst = 0,    // the tied option that stands first
  kDefault = 1,  // the default option
  kNone = 2,     // nobody wins
};
std::string_view tie_break_name(TieBreak tie_break);  // "first", "default", "none"

// Also what `poll.create` makes while the show runs.
struct PollDef {
  std::string id;
  std::string title;
  std::vector<OptionDef> options;  // 2..32
  bool multiple = false;
  uint32_t max = 1;                            // options a ballot may name
  std::array<uint8_t, 4> weights{1, 1, 0, 0};  // by proto::Role; 0 = no vote
  bool changeable = true;
  bool hidden = false;           // no tally for viewers and players until it is closed
  int64_t seconds = 0;           // 0 = until the GM closes it
  int64_t allowance_ms = 3'000;  // so much longer for who sees the program so much later
  int64_t quorum = 0;            // voters needed for a winner
  TieBreak tie_break = TieBreak::kFirst;
  int32_t default_option = -1;  // wins without votes or quorum; -1 = nobody
};

struct TimerDef {
  std::string id;
  std::string label;
  int64_t seconds = 0;
};

struct CueDef {
  std::string label;
  std::string kind;  // a command of docs/protocol.md
  std::string args;  // its JSON object
};

struct AssetDef {
  std::string id;
  std::string kind;  // "image", "audio", "video", "map", "other"
  std::string url;
};

struct Definition {
  std::string id;  // "" when the file names none: then the file's name counts
  std::string title;
  std::string description;
  std::string start;  // scene the episode starts in
  Dialect dialect = Dialect::kFoundry;
  CritRule crit;
  int64_t slow_seconds = 0;
  std::vector<CastDef> cast;
  std::vector<CharacterDef> characters;
  std::vector<SceneDef> scenes;
  std::vector<PollDef> polls;
  std::vector<std::pair<std::string, std::string>> items;  // id, shown name
  std::vector<std::string> conditions;
  std::vector<std::string> emotes;
  std::map<std::string, int64_t, std::less<>> vars;
  std::vector<TimerDef> timers;
  std::vector<CueDef> cues;
  std::vector<AssetDef> assets;
  std::vector<BoardDef> boards;
  RuleSet rules;

  int scene_index(std::string_view id) const;  // -1: none; so the others
  int character_index(std::string_view id) const;
  const TimerDef* timer(std::string_view id) const;
  std::string_view item_name(std::string_view id) const;  // the id itself when not listed
  bool has_item(std::string_view id) const;
  bool has_condition(std::string_view id) const;
  std::string_view owner_name(const CharacterDef& character) const;  // "" when the GM's
  // Ids of the characters `account` owns: what belongs in the `chars` of its token.
  std::vector<std::string> characters_of(std::string_view account) const;
};

// Appends every fault found to `issues`; the definition is usable only when it appended none.
Definition check_definition(const Json& json, Issues& issues);

// The same from text, failing with the first fault: kEpisodeField, kEpisodeReference, kEpisodeLimit
// with "<JSON Pointer>: <message>" in detail, kEpisodeSyntax when it is not JSON.
Result<Definition> parse_definition(std::string_view json);

}  // namespace footlight::episode
