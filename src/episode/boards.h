// The boards of an episode: which shared documents there are, who may change what in them, and
// which of their fields mirror the episode (docs/formats/episode-file.md, Boards). What a board
// holds is not the episode's business.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/role.h"

namespace footlight::episode {

// What may be done at a place, as bits.
using BoardVerbs = uint8_t;
inline constexpr BoardVerbs kBoardInsert = 1;  // a new key; something put into a sequence
inline constexpr BoardVerbs kBoardChange = 2;  // another value for a key that has one
inline constexpr BoardVerbs kBoardDelete = 4;  // taken away and not replaced
inline constexpr BoardVerbs kBoardAll = 7;
inline constexpr BoardVerbs kBoardUnsaid = 0x80;  // a rule that says nothing of this role

// A path is the root's name and the keys below it; it covers everything beneath. `*` stands for
// any one step, `[]` for a place in a sequence, `{own}` for the id of a character of the person.
using BoardPath = std::vector<std::string>;
std::string board_path_text(const BoardPath& path);  // "tokens/{own}/hp"

struct BoardRule {
  BoardPath path;
  std::array<BoardVerbs, proto::kRoleCount> may{kBoardUnsaid, kBoardUnsaid, kBoardUnsaid,
                                                kBoardUnsaid};
};

// The value at `path` is the one at `from` in the view: collection, id, and the keys below.
struct BoardMirror {
  BoardPath path;  // without wildcards
  std::vector<std::string> from;
};

struct BoardDef {
  std::string id;
  std::string title;
  std::string kind = "free";
  proto::RoleSet see = proto::RoleSet::all();
  std::array<BoardVerbs, proto::kRoleCount> edit{0, kBoardAll, kBoardAll, kBoardAll};
  std::vector<BoardRule> rules;
  std::vector<BoardMirror> mirrors;
};

// The board of an episode file that has no such section: a map whose walls, fog and settings are
// the GM's. `characters`: ids, whose tokens mirror their hit points.
BoardDef default_board(const std::vector<std::string>& characters);

}  // namespace footlight::episode
