#include "episode/definition.h"

#include <algorithm>

#include "core/bytes.h"
#include "episode/internal/definition_parts.h"
#include "episode/internal/definition_reader.h"

namespace footlight::episode {
namespace {

using Limits = DefinitionLimits;

template <class List>
int index_of(const List& list, std::string_view id) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].id == id) return static_cast<int>(i);
  }
  return -1;
}

void read_cast(ObjectReader& top, Definition& out, Issues& issues) {
  for (const auto& [account, value] : top.map("cast", Limits::kCast)) {
    const std::string path = pointer_join(top.at("cast"), account);
    CastDef person;
    person.account = account;
    if (account.empty() || account.size() > 128 || !is_shown_text(account)) {
      add_issue(issues, Code::kEpisodeField, path, "an account has 1 to 128 bytes", true);
    }
    ObjectReader in(value, path, issues);
    person.name = in.text("name", 1, Limits::kNameBytes, account.substr(0, Limits::kNameBytes));
    switch (in.word("role", {"player", "gm", "producer"}, 0)) {
      case 1:
        person.role = proto::Role::kGm;
        break;
      case 2:
        person.role = proto::Role::kProducer;
        break;
      default:
        break;
    }
    in.finish();
    out.cast.push_back(std::move(person));
  }
}

void read_names(ObjectReader& top, Definition& out, Issues& issues) {
  for (const auto& [id, value] : top.map("items", Limits::kItems)) {
    const std::string path = pointer_join(top.at("items"), id);
    check_id(id, path, issues);
    out.items.emplace_back(id, checked_text(value, path, 1, Limits::kTitleBytes, issues));
  }
  out.conditions = top.ids("conditions", Limits::kConditions);
  out.emotes = top.ids("emotes", Limits::kEmotes);
  for (const auto& [id, value] : top.map("vars", Limits::kVars)) {
    const std::string path = pointer_join(top.at("vars"), id);
    check_id(id, path, issues);
    out.vars[id] = checked_int(value, path, -Limits::kAmount, Limits::kAmount, issues);
  }
}

void read_assets(ObjectReader& top, Definition& out, Issues& issues) {
  static constexpr std::string_view kKinds[] = {"image", "audio", "video", "map", "other"};
  for (const auto& [id, value] : top.map("assets", Limits::kAssets)) {
    const std::string path = pointer_join(top.at("assets"), id);
    check_id(id, path, issues);
    ObjectReader in(value, path, issues);
    AssetDef asset;
    asset.id = id;
    asset.url = in.required_text("url", 1, Limits::kUrlBytes);
    if (!asset.url.empty() && !asset.url.starts_with("https://") &&
        !asset.url.starts_with("http://") && !asset.url.starts_with("/")) {
      add_issue(issues, Code::kEpisodeField, in.at("url"),
                "must begin with https://, http:// or /");
    }
    asset.kind = kKinds[in.word("kind", {"image", "audio", "video", "map", "other"}, 0)];
    in.finish();
    out.assets.push_back(std::move(asset));
  }
}

void read_timers(ObjectReader& top, Definition& out, Issues& issues) {
  for (const auto& [id, value] : top.map("timers", Limits::kTimers)) {
    const std::string path = pointer_join(top.at("timers"), id);
    check_id(id, path, issues);
    ObjectReader in(value, path, issues);
    TimerDef timer;
    timer.id = id;
    timer.label = in.required_text("label", 1, 80);
    if (in.required("seconds") != nullptr) timer.seconds = in.integer("seconds", 1, 86'400, 1);
    in.finish();
    out.timers.push_back(std::move(timer));
  }
}

void read_dice(ObjectReader& top, Definition& out, Issues& issues) {
  const Json* value = top.member("dice");
  if (value == nullptr) return;
  ObjectReader in(*value, top.at("dice"), issues);
  out.dialect =
      in.word("dialect", {"foundry", "bang"}, 0) == 0 ? Dialect::kFoundry : Dialect::kBang;
  const Json* crit = in.member("crit");
  if (crit != nullptr && crit->type() == JsonType::kString) {
    if (crit->as_string() != "off") {
      add_issue(issues, Code::kEpisodeField, in.at("crit"), "must be a map or off");
    }
    out.crit = {0, 1, 0};
  } else if (crit != nullptr && crit->type() == JsonType::kBool && !crit->as_bool()) {
    out.crit = {0, 1, 0};  // YAML 1.1 reads a bare `off` as false
  } else if (crit != nullptr) {
    ObjectReader rule(*crit, in.at("crit"), issues);
    out.crit.sides = static_cast<int32_t>(rule.integer("sides", 2, DiceLimits::kSides, 20));
    out.crit.hit_from =
        static_cast<int32_t>(rule.integer("hit_from", 1, out.crit.sides + 1, out.crit.sides));
    out.crit.miss_to = static_cast<int32_t>(rule.integer("miss_to", 0, out.crit.sides, 1));
    if (out.crit.miss_to >= out.crit.hit_from) {
      add_issue(issues, Code::kEpisodeField, rule.at("miss_to"), "must be below hit_from");
    }
    rule.finish();
  }
  in.finish();
}

void read_rules(ObjectReader& top, Definition& out, Issues& issues) {
  static const Json kNone;
  const Json* rules = top.member("rules");
  out.rules = compile_rules(rules == nullptr ? kNone : *rules, top.at("rules"), issues);
  for (const RuleReference& reference : out.rules.references()) {
    if (!is_defined(out, reference.kind, reference.id)) {
      add_issue(issues, Code::kEpisodeReference, reference.path,
                "no such " + std::string(reference_kind_name(reference.kind)) + ": \"" +
                    reference.id + "\"");
    }
  }
}

}  // namespace

std::string_view tie_break_name(TieBreak tie_break) {
  switch (tie_break) {
    case TieBreak::kFirst:
      return "first";
    case TieBreak::kDefault:
      return "default";
    case TieBreak::kNone:
      break;
  }
  return "none";
}

int Definition::scene_index(std::string_view id) const { return index_of(scenes, id); }
int Definition::character_index(std::string_view id) const { return index_of(characters, id); }

const TimerDef* Definition::timer(std::string_view id) const {
  const int index = index_of(timers, id);
  return index < 0 ? nullptr : &timers[static_cast<size_t>(index)];
}

std::string_view Definition::item_name(std::string_view id) const {
  const auto found = std::ranges::find(items, id, &std::pair<std::string, std::string>::first);
  return found == items.end() ? id : std::string_view(found->second);
}

bool Definition::has_item(std::string_view id) const {
  return std::ranges::find(items, id, &std::pair<std::string, std::string>::first) != items.end();
}

bool Definition::has_condition(std::string_view id) const {
  return std::ranges::find(conditions, id) != conditions.end();
}

std::string_view Definition::owner_name(const CharacterDef& character) const {
  const auto found = std::ranges::find(cast, character.owner, &CastDef::account);
  return character.owner.empty() || found == cast.end() ? std::string_view() : found->name;
}

std::vector<std::string> Definition::characters_of(std::string_view account) const {
  std::vector<std::string> out;
  for (const CharacterDef& character : characters) {
    if (!account.empty() && character.owner == account) out.push_back(character.id);
  }
  return out;
}

Definition check_definition(const Json& json, Issues& issues) {
  Definition out;
  ObjectReader top(json, "", issues);
  if (json.type() == JsonType::kObject && top.required("footlight") != nullptr) {
    (void)top.integer("footlight", 1, 1, 1);
  }
  out.id = top.text("id", 1, Limits::kIdBytes);
  if (!out.id.empty() && !is_episode_id(out.id)) {
    add_issue(issues, Code::kEpisodeField, "/id", "may hold lower-case letters, digits and - only");
  }
  out.title = top.required_text("title", 1, Limits::kTitleBytes);
  out.description = top.text("description", 0, Limits::kTextBytes);
  read_cast(top, out, issues);
  read_names(top, out, issues);
  read_assets(top, out, issues);
  read_characters(top, out, issues);
  read_scenes(top, out, issues);
  read_polls(top, out, issues);
  read_timers(top, out, issues);
  read_dice(top, out, issues);
  if (const Json* chat = top.member("chat")) {
    ObjectReader in(*chat, top.at("chat"), issues);
    out.slow_seconds = in.integer("slow_seconds", 0, 3600, 0);
    in.finish();
  }
  check_scene_links(out, issues);
  out.start = top.text("start", 1, Limits::kIdBytes, out.scenes.empty() ? "" : out.scenes[0].id);
  if (!out.start.empty() && out.scene_index(out.start) < 0) {
    add_issue(issues, Code::kEpisodeReference, "/start", "no such scene: \"" + out.start + "\"");
  }
  read_rules(top, out, issues);
  read_cues(top, out, issues);
  read_boards(top, out, issues);
  top.finish();
  return out;
}

Result<Definition> parse_definition(std::string_view json) {
  if (json.size() > Limits::kBytes) {
    return fail(Code::kEpisodeLimit, ": is larger than 1 MiB as JSON");
  }
  const Result<Json> tree = Json::parse(json);
  if (!tree) return fail(Code::kEpisodeSyntax, ": is not JSON: " + tree.error().detail);
  Issues issues;
  Definition out = check_definition(*tree, issues);
  if (!issues.empty()) {
    return fail(issues.front().code, issues.front().path + ": " + issues.front().message);
  }
  return out;
}

}  // namespace footlight::episode
