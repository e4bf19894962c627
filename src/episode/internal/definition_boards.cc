// The section `boards` of a definition.
#include <algorithm>
#include <optional>

#include "episode/internal/definition_parts.h"

namespace footlight::episode {
namespace {

using Limits = DefinitionLimits;

std::optional<BoardVerbs> verb_of(std::string_view word) {
  if (word == "insert") return kBoardInsert;
  if (word == "change") return kBoardChange;
  if (word == "delete") return kBoardDelete;
  if (word == "all") return kBoardAll;
  if (word == "none") return BoardVerbs{0};
  return std::nullopt;
}

BoardVerbs read_verbs(const Json& value, const std::string& path, Issues& issues) {
  constexpr std::string_view kWords = "must be all, none, or of insert, change, delete";
  if (value.type() == JsonType::kString) {
    const auto verb = verb_of(value.as_string());
    if (!verb) add_issue(issues, Code::kEpisodeField, path, std::string(kWords));
    return verb.value_or(0);
  }
  if (value.type() != JsonType::kArray || value.items().size() > 3) {
    add_issue(issues, Code::kEpisodeField, path, std::string(kWords));
    return 0;
  }
  BoardVerbs out = 0;
  for (size_t i = 0; i < value.items().size(); ++i) {
    const auto verb = verb_of(value.items()[i].as_string());
    if (!verb || *verb == 0 || *verb == kBoardAll) {
      add_issue(issues, Code::kEpisodeField, pointer_join(path, std::to_string(i)),
                "must be one of: insert, change, delete");
    }
    out |= verb.value_or(0);
  }
  return out;
}

void read_roles(ObjectReader& in, std::array<BoardVerbs, proto::kRoleCount>& may, Issues& issues) {
  for (int i = 0; i < proto::kRoleCount; ++i) {
    const std::string_view role = proto::role_name(static_cast<proto::Role>(i));
    if (const Json* value = in.member(role)) {
      may[static_cast<size_t>(i)] = read_verbs(*value, in.at(role), issues);
    }
  }
}

// Root and keys, separated by slashes; `message` says what is wrong.
BoardPath split_path(std::string_view text, std::string& message) {
  BoardPath out;
  if (text.empty() || text.size() > Limits::kBoardPathBytes) {
    message = "must be a root and keys like tokens/aria, at most " +
              std::to_string(Limits::kBoardPathBytes) + " bytes";
    return out;
  }
  while (true) {
    const size_t slash = text.find('/');
    const std::string_view step = text.substr(0, slash);
    if (step.empty()) message = "has an empty step";
    if (!is_shown_text(step)) message = "has control characters or is not UTF-8";
    out.emplace_back(step);
    if (slash == std::string_view::npos) break;
    text.remove_prefix(slash + 1);
  }
  if (out.size() > Limits::kBoardPathSteps) {
    message = "has more than " + std::to_string(Limits::kBoardPathSteps) + " steps";
  }
  if (message.empty() && (out[0] == "*" || out[0] == "[]" || out[0] == "{own}")) {
    message = "must begin with the name of a root";
  }
  return out;
}

void read_rules_of_board(ObjectReader& in, BoardDef& board, Issues& issues) {
  const Json::Array& rules = in.list("rules", Limits::kBoardRules);
  for (size_t i = 0; i < rules.size(); ++i) {
    ObjectReader rule(rules[i], pointer_join(in.at("rules"), std::to_string(i)), issues);
    BoardRule out;
    const Json* path = rule.required("path");
    if (path != nullptr) {
      std::string message;
      out.path = split_path(path->as_string(), message);
      if (!message.empty()) add_issue(issues, Code::kEpisodeField, rule.at("path"), message);
    }
    read_roles(rule, out.may, issues);
    rule.finish();
    board.rules.push_back(std::move(out));
  }
}

// What of a character can be mirrored; "" when it is fine.
std::string check_character_field(const Definition& definition, const CharacterDef& character,
                                  const std::vector<std::string>& from) {
  static constexpr std::string_view kPlain[] = {"hp", "hp_max", "hp_temp", "name"};
  if (from.size() == 3 && std::ranges::find(kPlain, from[2]) != std::end(kPlain)) return "";
  if (from.size() == 4 && from[2] == "fields") {
    const auto named = [&](const auto& field) { return field.first == from[3]; };
    if (std::ranges::any_of(character.fields, named)) return "";
    return "no such field: \"" + from[3] + "\"";
  }
  if (from.size() == 5 && from[2] == "items" && from[4] == "n") {
    return definition.has_item(from[3]) ? "" : "no such item: \"" + from[3] + "\"";
  }
  return "must end with hp, hp_max, hp_temp, name, fields/FIELD or items/ITEM/n";
}

void add_mirror(BoardPath path, std::vector<std::string> from, const std::string& at,
                const Definition& definition, BoardDef& board, Issues& issues) {
  const int index = definition.character_index(from[1]);
  if (index < 0) {
    add_issue(issues, Code::kEpisodeReference, at, "no such character: \"" + from[1] + "\"");
    return;
  }
  const auto& character = definition.characters[static_cast<size_t>(index)];
  if (auto fault = check_character_field(definition, character, from); !fault.empty()) {
    return add_issue(issues, Code::kEpisodeReference, at, std::move(fault));
  }
  if (board.mirrors.size() >= Limits::kBoardMirrors) {
    return add_issue(issues, Code::kEpisodeLimit, at,
                     "more than " + std::to_string(Limits::kBoardMirrors) + " mirrored fields");
  }
  board.mirrors.push_back({std::move(path), std::move(from)});
}

// `tokens/*/hp: characters/*/hp`: one `*` on each side stands for every character.
void read_mirrors(ObjectReader& in, const Definition& definition, BoardDef& board, Issues& issues) {
  for (const auto& [key, value] : in.map("mirror", Limits::kBoardMirrors)) {
    const std::string at = pointer_join(in.at("mirror"), key);
    std::string message;
    const BoardPath path = split_path(key, message);
    if (message.empty() && path.size() < 2) message = "must name a root and a key";
    const auto special = [](const std::string& step) { return step == "[]" || step == "{own}"; };
    if (message.empty() && std::ranges::any_of(path, special)) {
      message = "may hold one * and no [] or {own}";
    }
    if (!message.empty()) {
      add_issue(issues, Code::kEpisodeField, at, message, true);
      continue;
    }
    const auto from = split_path(value.as_string(), message);
    if (!message.empty() || from.size() < 3 || from[0] != "characters") {
      add_issue(issues, Code::kEpisodeField, at, "must be like characters/aria/hp");
      continue;
    }
    const auto stars = std::ranges::count(path, "*");
    if (stars != (from[1] == "*" ? 1 : 0) || std::ranges::count(from, "*") != stars) {
      add_issue(issues, Code::kEpisodeField, at,
                "a * in the path and one for the character go together");
      continue;
    }
    if (stars == 0) {
      add_mirror(path, from, at, definition, board, issues);
      continue;
    }
    for (const CharacterDef& character : definition.characters) {
      BoardPath bound = path;
      std::ranges::replace(bound, "*", character.id);
      auto source = from;
      source[1] = character.id;
      // Not every character has every field.
      if (!check_character_field(definition, character, source).empty() && source.size() > 3) {
        continue;
      }
      add_mirror(std::move(bound), std::move(source), at, definition, board, issues);
    }
  }
}

void read_see(ObjectReader& in, BoardDef& board, Issues& issues) {
  if (in.member("see") == nullptr) return;
  board.see = {};
  const Json::Array& roles = in.list("see", proto::kRoleCount);
  for (size_t i = 0; i < roles.size(); ++i) {
    if (const auto role = proto::parse_role(roles[i].as_string())) {
      board.see = board.see | proto::RoleSet::of(*role);
    } else {
      add_issue(issues, Code::kEpisodeField, pointer_join(in.at("see"), std::to_string(i)),
                "must be one of: viewer, player, gm, producer");
    }
  }
}

}  // namespace

std::string board_path_text(const BoardPath& path) {
  std::string out;
  for (const std::string& step : path) {
    if (!out.empty()) out.push_back('/');
    out += step;
  }
  return out;
}

BoardDef default_board(const std::vector<std::string>& characters) {
  BoardDef out;
  out.id = "table";
  out.title = "Table";
  out.kind = "map";
  constexpr auto kPlayer = static_cast<size_t>(proto::Role::kPlayer);
  for (const std::string_view root : {"map", "assets", "walls", "portals", "lights", "fog"}) {
    BoardRule rule;
    rule.path = {std::string(root)};
    rule.may[kPlayer] = 0;
    out.rules.push_back(std::move(rule));
  }
  BoardRule turn;
  turn.path = {"turn"};
  turn.may[kPlayer] = kBoardChange;
  out.rules.push_back(std::move(turn));
  for (const std::string& id : characters) {
    for (const std::string_view field : {"hp", "hp_max"}) {
      out.mirrors.push_back(
          {{"tokens", id, std::string(field)}, {"characters", id, std::string(field)}});
    }
  }
  return out;
}

void read_boards(ObjectReader& top, Definition& out, Issues& issues) {
  if (top.member("boards") == nullptr) {
    std::vector<std::string> ids;
    for (const CharacterDef& character : out.characters) ids.push_back(character.id);
    out.boards.push_back(default_board(ids));
    return;
  }
  static constexpr std::string_view kKinds[] = {"free", "map", "notes", "list"};
  for (const auto& [id, value] : top.map("boards", Limits::kBoards)) {
    const std::string path = pointer_join(top.at("boards"), id);
    check_id(id, path, issues);
    ObjectReader in(value, path, issues);
    BoardDef board;
    board.id = id;
    board.title = in.text("title", 1, Limits::kTitleBytes, id);
    board.kind = kKinds[in.word("kind", {"free", "map", "notes", "list"}, 0)];
    read_see(in, board, issues);
    if (const Json* edit = in.member("edit")) {
      ObjectReader roles(*edit, in.at("edit"), issues);
      read_roles(roles, board.edit, issues);
      roles.finish();
    }
    read_rules_of_board(in, board, issues);
    read_mirrors(in, out, board, issues);
    in.finish();
    out.boards.push_back(std::move(board));
  }
}

}  // namespace footlight::episode
