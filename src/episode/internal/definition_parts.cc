#include "episode/internal/definition_parts.h"

#include <algorithm>

#include "proto/commands.h"

namespace footlight::episode {
namespace {

using Limits = DefinitionLimits;

void no_such(Issues& issues, std::string path, std::string_view what, std::string_view id) {
  add_issue(issues, Code::kEpisodeReference, std::move(path),
            "no such " + std::string(what) + ": \"" + std::string(id) + "\"");
}

void read_fields(ObjectReader& in, CharacterDef& character, Issues& issues) {
  for (const auto& [id, value] : in.map("fields", Limits::kFields)) {
    const std::string path = pointer_join(in.at("fields"), id);
    check_id(id, path, issues);
    FieldValue field;
    if (value.type() == JsonType::kString) {
      field.is_text = true;
      field.text = checked_text(value, path, 0, Limits::kFieldBytes, issues);
    } else if (value.is_integer()) {
      field.number = checked_int(value, path, -Limits::kAmount, Limits::kAmount, issues);
    } else {
      add_issue(issues, Code::kEpisodeField, path, "must be an integer or text");
    }
    character.fields.emplace_back(id, std::move(field));
  }
}

void read_possessions(ObjectReader& in, const Definition& definition, CharacterDef& character,
                      Issues& issues) {
  for (const auto& [id, value] : in.map("items", 100)) {
    const std::string path = pointer_join(in.at("items"), id);
    if (!definition.has_item(id)) no_such(issues, path, "item", id);
    character.items.emplace_back(id, checked_int(value, path, 1, Limits::kAmount, issues));
  }
  character.conditions = in.ids("conditions", Limits::kConditions);
  for (size_t i = 0; i < character.conditions.size(); ++i) {
    if (!definition.has_condition(character.conditions[i])) {
      no_such(issues, pointer_join(in.at("conditions"), std::to_string(i)), "condition",
              character.conditions[i]);
    }
  }
}

CharacterDef read_character(const std::string& id, const Json& value, const std::string& path,
                            const Definition& definition, Issues& issues) {
  CharacterDef out;
  out.id = id;
  check_id(id, path, issues);
  if (id == "all") {
    add_issue(issues, Code::kEpisodeField, path, "\"all\" stands for every character in rules",
              true);
  }
  ObjectReader in(value, path, issues);
  out.name = in.required_text("name", 1, Limits::kTitleBytes);
  out.owner = in.text("owner", 1, 128);
  if (!out.owner.empty() &&
      std::ranges::find(definition.cast, out.owner, &CastDef::account) == definition.cast.end()) {
    no_such(issues, in.at("owner"), "account in the cast", out.owner);
  }
  const std::string portrait = in.text("portrait", 1, Limits::kIdBytes);
  if (!portrait.empty()) {
    const auto asset = std::ranges::find(definition.assets, portrait, &AssetDef::id);
    if (asset == definition.assets.end()) {
      no_such(issues, in.at("portrait"), "asset", portrait);
    } else {
      out.portrait = asset->url;
    }
  }
  const int64_t hp = in.integer("hp", 0, Limits::kHp, -1);
  out.hp_max = in.integer("hp_max", 0, Limits::kHp, std::max<int64_t>(hp, 0));
  out.hp = hp < 0 ? out.hp_max : hp;
  if (out.hp > out.hp_max) {
    add_issue(issues, Code::kEpisodeField, in.at("hp"), "must not be above hp_max");
  }
  out.hp_temp = in.integer("hp_temp", 0, Limits::kHp, 0);
  read_possessions(in, definition, out, issues);
  read_fields(in, out, issues);
  in.finish();
  return out;
}

void read_options(ObjectReader& in, PollDef& poll, Issues& issues) {
  if (in.required("options") == nullptr) return;
  const Json::Array& options = in.list("options", Limits::kOptions);
  if (options.size() < 2) {
    add_issue(issues, Code::kEpisodeField, in.at("options"), "needs 2 to 32 options");
  }
  for (size_t i = 0; i < options.size(); ++i) {
    const std::string path = pointer_join(in.at("options"), std::to_string(i));
    OptionDef option;
    if (options[i].type() == JsonType::kObject) {
      ObjectReader fields(options[i], path, issues);
      option.label = fields.required_text("label", 1, Limits::kTitleBytes);
      option.to = fields.text("to", 1, Limits::kIdBytes);
      fields.finish();
    } else {
      option.label = checked_text(options[i], path, 1, Limits::kTitleBytes, issues);
    }
    poll.options.push_back(std::move(option));
  }
}

void read_weights(ObjectReader& in, PollDef& poll, Issues& issues) {
  const Json* value = in.member("weights");
  if (value == nullptr) return;
  ObjectReader weights(*value, in.at("weights"), issues);
  bool any = false;
  for (int role = 0; role < proto::kRoleCount; ++role) {
    uint8_t& weight = poll.weights[static_cast<size_t>(role)];
    weight = static_cast<uint8_t>(weights.integer(proto::role_name(static_cast<proto::Role>(role)),
                                                  0, Limits::kWeight, weight));
    any = any || weight > 0;
  }
  if (!any) add_issue(issues, Code::kEpisodeField, in.at("weights"), "leave nobody who may vote");
  weights.finish();
}

PollDef read_poll(const std::string& id, const Json& value, const std::string& path,
                  Issues& issues) {
  PollDef out;
  out.id = id;
  check_id(id, path, issues);
  ObjectReader in(value, path, issues);
  out.title = in.required_text("title", 1, Limits::kTitleBytes);
  read_options(in, out, issues);
  read_weights(in, out, issues);
  const auto options = static_cast<int64_t>(out.options.size());
  out.multiple = in.word("kind", {"single", "multiple"}, 0) == 1;
  out.max = static_cast<uint32_t>(in.integer("max", 1, std::max<int64_t>(options, 1),
                                             out.multiple ? std::max<int64_t>(options, 1) : 1));
  if (!out.multiple && out.max != 1) {
    add_issue(issues, Code::kEpisodeField, in.at("max"), "needs kind: multiple");
  }
  out.changeable = in.flag("changeable", true);
  out.hidden = in.flag("hidden", false);
  out.seconds = in.integer("seconds", 0, Limits::kPollSeconds, 0);
  out.allowance_ms = in.integer("allowance_s", 0, Limits::kAllowanceSeconds, 3) * 1'000;
  out.quorum = in.integer("quorum", 0, Limits::kQuorum, 0);
  out.tie_break = static_cast<TieBreak>(in.word("tie_break", {"first", "default", "none"}, 0));
  out.default_option =
      static_cast<int32_t>(in.integer("default", 0, std::max<int64_t>(options - 1, 0), -1));
  if (out.tie_break == TieBreak::kDefault && out.default_option < 0) {
    add_issue(issues, Code::kEpisodeField, in.at("tie_break"), "needs a default option");
  }
  in.finish();
  return out;
}

// A command's argument names something of the definition under this key.
void check_cue_names(const Json& args, const std::string& path, const Definition& definition,
                     std::string_view kind, Issues& issues) {
  const auto check = [&](std::string_view key, RuleReference::Kind what) {
    const Json* value = args.find(key);
    if (value != nullptr && !is_defined(definition, what, value->as_string())) {
      no_such(issues, pointer_join(path, key), reference_kind_name(what), value->as_string());
    }
  };
  check("char", RuleReference::Kind::kCharacter);
  check("scene", RuleReference::Kind::kScene);
  if (kind != "poll.create") check("poll", RuleReference::Kind::kPoll);
  check("cond", RuleReference::Kind::kCondition);
  check("item", RuleReference::Kind::kItem);
}

}  // namespace

void check_id(std::string_view id, const std::string& path, Issues& issues) {
  if (is_plain_id(id)) return;
  add_issue(issues, Code::kEpisodeField, path, "an id has 1 to 64 letters, digits, _ and -", true);
}

bool is_defined(const Definition& definition, RuleReference::Kind kind, std::string_view id) {
  switch (kind) {
    case RuleReference::Kind::kCharacter:
      return definition.character_index(id) >= 0;
    case RuleReference::Kind::kItem:
      return definition.has_item(id);
    case RuleReference::Kind::kCondition:
      return definition.has_condition(id);
    case RuleReference::Kind::kField:
      return std::ranges::any_of(definition.characters, [&](const CharacterDef& character) {
        return std::ranges::any_of(character.fields,
                                   [&](const auto& field) { return field.first == id; });
      });
    case RuleReference::Kind::kVar:
      return definition.vars.contains(id);
    case RuleReference::Kind::kPoll:
      return std::ranges::find(definition.polls, id, &PollDef::id) != definition.polls.end();
    case RuleReference::Kind::kScene:
      return definition.scene_index(id) >= 0;
    case RuleReference::Kind::kTimer:
      return definition.timer(id) != nullptr;
  }
  return false;
}

void read_characters(ObjectReader& top, Definition& out, Issues& issues) {
  for (const auto& [id, value] : top.map("characters", Limits::kCharacters)) {
    out.characters.push_back(
        read_character(id, value, pointer_join(top.at("characters"), id), out, issues));
  }
}

void read_scenes(ObjectReader& top, Definition& out, Issues& issues) {
  for (const auto& [id, value] : top.map("scenes", Limits::kScenes)) {
    const std::string path = pointer_join(top.at("scenes"), id);
    check_id(id, path, issues);
    SceneDef scene;
    scene.id = id;
    ObjectReader in(value, path, issues);
    scene.title = in.required_text("title", 1, Limits::kTitleBytes);
    scene.text = in.text("text", 0, Limits::kTextBytes);
    for (const auto& [choice_id, choice_value] : in.map("choices", Limits::kChoices)) {
      const std::string choice_path = pointer_join(in.at("choices"), choice_id);
      check_id(choice_id, choice_path, issues);
      ObjectReader choice(choice_value, choice_path, issues);
      const std::string label = choice.required_text("label", 1, Limits::kTitleBytes);
      const std::string to = choice.required_text("to", 1, Limits::kIdBytes);
      choice.finish();
      scene.choices.push_back({choice_id, label, to});
    }
    scene.polls = in.ids("polls", Limits::kScenePolls);
    in.finish();
    out.scenes.push_back(std::move(scene));
  }
}

void read_polls(ObjectReader& top, Definition& out, Issues& issues) {
  for (const auto& [id, value] : top.map("polls", Limits::kPolls)) {
    out.polls.push_back(read_poll(id, value, pointer_join(top.at("polls"), id), issues));
  }
}

void check_scene_links(const Definition& definition, Issues& issues) {
  for (const SceneDef& scene : definition.scenes) {
    const std::string path = pointer_join("/scenes", scene.id);
    for (const ChoiceDef& choice : scene.choices) {
      if (!choice.to.empty() && definition.scene_index(choice.to) < 0) {
        no_such(issues, pointer_join(path + "/choices", choice.id) + "/to", "scene", choice.to);
      }
    }
    for (size_t i = 0; i < scene.polls.size(); ++i) {
      if (!is_defined(definition, RuleReference::Kind::kPoll, scene.polls[i])) {
        no_such(issues, path + "/polls/" + std::to_string(i), "poll", scene.polls[i]);
      }
    }
  }
  for (const PollDef& poll : definition.polls) {
    for (size_t i = 0; i < poll.options.size(); ++i) {
      const std::string& to = poll.options[i].to;
      if (!to.empty() && definition.scene_index(to) < 0) {
        no_such(issues, pointer_join("/polls", poll.id) + "/options/" + std::to_string(i) + "/to",
                "scene", to);
      }
    }
  }
}

void read_cues(ObjectReader& top, Definition& out, Issues& issues) {
  const Json::Array& cues = top.list("cues", Limits::kCues);
  for (size_t i = 0; i < cues.size(); ++i) {
    ObjectReader in(cues[i], pointer_join(top.at("cues"), std::to_string(i)), issues);
    CueDef cue;
    cue.label = in.required_text("label", 1, Limits::kTitleBytes);
    cue.kind = in.required_text("k", 1, Limits::kIdBytes);
    const Json* args = in.member("a");
    cue.args = args == nullptr ? "{}" : args->dump();
    const proto::Kind kind = proto::parse_kind(cue.kind);
    if (kind == proto::Kind::kUnknown || kind == proto::Kind::kPollVote ||
        kind == proto::Kind::kEmote) {
      if (!cue.kind.empty()) {
        add_issue(issues, Code::kEpisodeField, in.at("k"), "is no command of a cue");
      }
    } else if (const Status form = proto::validate_args(kind, proto::Role::kProducer, cue.args);
               !form) {
      add_issue(issues, Code::kEpisodeField, args == nullptr ? in.path() : in.at("a"),
                form.error().message());
    } else if (args != nullptr) {
      check_cue_names(*args, in.at("a"), out, cue.kind, issues);
    }
    in.finish();
    out.cues.push_back(std::move(cue));
  }
}

}  // namespace footlight::episode
