#include "episode/internal/rule_names.h"

#include <utility>

namespace footlight::episode::rule_expr {
namespace {

using Kind = RuleReference::Kind;

struct EventName {
  Trigger trigger;
  std::string_view name;
  Type type;
  std::optional<Kind> compares_with = std::nullopt;
};

constexpr EventName kEventNames[] = {
    {Trigger::kRoll, "roll.total", Type::kNumber},
    {Trigger::kRoll, "roll.natural", Type::kNumber},
    {Trigger::kRoll, "roll.n", Type::kNumber},
    {Trigger::kRoll, "roll.secret", Type::kNumber},
    {Trigger::kRoll, "roll.crit", Type::kText},
    {Trigger::kRoll, "roll.expr", Type::kText},
    {Trigger::kRoll, "roll.reason", Type::kText},
    {Trigger::kRoll, "roll.by", Type::kText},
    {Trigger::kDamage, "damage.amount", Type::kNumber},
    {Trigger::kDamage, "damage.by", Type::kText},
    {Trigger::kHp, "hp.before", Type::kNumber},
    {Trigger::kHp, "hp.after", Type::kNumber},
    {Trigger::kHp, "hp.delta", Type::kNumber},
    {Trigger::kItem, "item.id", Type::kText, Kind::kItem},
    {Trigger::kItem, "item.delta", Type::kNumber},
    {Trigger::kItem, "item.count", Type::kNumber},
    {Trigger::kCondition, "condition.id", Type::kText, Kind::kCondition},
    {Trigger::kCondition, "condition.on", Type::kNumber},
    {Trigger::kField, "field.id", Type::kText, Kind::kField},
    {Trigger::kField, "field.text", Type::kText},
    {Trigger::kField, "field.value", Type::kNumber},
    {Trigger::kPollOpened, "poll.id", Type::kText, Kind::kPoll},
    {Trigger::kPollClosed, "poll.id", Type::kText, Kind::kPoll},
    {Trigger::kPollClosed, "poll.option", Type::kText},
    {Trigger::kPollClosed, "poll.why", Type::kText},
    {Trigger::kPollClosed, "poll.winner", Type::kNumber},
    {Trigger::kPollClosed, "poll.voters", Type::kNumber},
    {Trigger::kPollClosed, "poll.votes", Type::kNumber},
    {Trigger::kScene, "scene.id", Type::kText, Kind::kScene},
    {Trigger::kScene, "scene.from", Type::kText, Kind::kScene},
    {Trigger::kScene, "scene.how", Type::kText},
    {Trigger::kTimer, "timer.id", Type::kText},
};

void refer(Sink& sink, Kind kind, const std::string& id) {
  sink.references.push_back({kind, id, sink.path});
}

// The part of a name behind the character: `at` is the index of the property.
bool resolve_property(const std::vector<std::string>& segments, size_t at, Sink& sink,
                      ResolvedName& out, std::string& why) {
  if (at >= segments.size()) {
    why =
        "a property is missing: hp, hp_max, hp_temp, name, id, item.X, condition.X, field.X or "
        "text.X";
    return false;
  }
  const std::string& property = segments[at];
  out.name.property = property;
  const size_t left = segments.size() - at - 1;
  if (property == "item" || property == "condition" || property == "field" || property == "text") {
    if (left != 1) {
      why = "\"" + property + "\" needs one name behind it, as in " + property + ".torch";
      return false;
    }
    out.name.key = segments[at + 1];
    out.type = property == "text" ? Type::kText : Type::kNumber;
    refer(sink,
          property == "item"        ? Kind::kItem
          : property == "condition" ? Kind::kCondition
                                    : Kind::kField,
          out.name.key);
    return true;
  }
  const bool text = property == "id" || property == "name";
  if (!text && property != "hp" && property != "hp_max" && property != "hp_temp") {
    why = "a character has no property \"" + property +
          "\"; it has hp, hp_max, hp_temp, name, id, item.X, condition.X, field.X and text.X";
    return false;
  }
  if (left != 0) {
    why = "nothing can follow \"" + property + "\"";
    return false;
  }
  out.type = text ? Type::kText : Type::kNumber;
  if (property == "id") out.compares_with = Kind::kCharacter;
  return true;
}

bool resolve_event(const std::vector<std::string>& segments, Sink& sink, ResolvedName& out,
                   std::string& why) {
  std::string dotted;
  for (const std::string& segment : segments) {
    if (!dotted.empty()) dotted += '.';
    dotted += segment;
  }
  std::string offered;
  bool elsewhere = false;
  for (const EventName& known : kEventNames) {
    if (known.trigger == sink.trigger) {
      if (known.name == dotted) {
        out.name = {RuleName::Scope::kEvent, {}, std::move(dotted), {}};
        out.type = known.type;
        out.compares_with = known.compares_with;
        return true;
      }
      offered += offered.empty() ? "" : ", ";
      offered += known.name;
    }
    elsewhere |= known.name == dotted;
  }
  const std::string trigger(trigger_name(sink.trigger));
  why = elsewhere ? "\"" + dotted + "\" has no value on " + trigger
                  : "unknown name \"" + dotted + "\"";
  why += offered.empty() ? "; " + trigger + " has no values of its own"
                         : "; " + trigger + " has " + offered;
  return false;
}

}  // namespace

bool has_subject(Trigger trigger) {
  switch (trigger) {
    case Trigger::kRoll:
    case Trigger::kDamage:
    case Trigger::kHp:
    case Trigger::kItem:
    case Trigger::kCondition:
    case Trigger::kField:
      return true;
    default:
      return false;
  }
}

bool resolve(const std::vector<std::string>& segments, Sink& sink, ResolvedName& out,
             std::string& why) {
  const std::string& scope = segments.front();
  const size_t size = segments.size();
  if (scope == "char") {
    if (!has_subject(sink.trigger)) {
      why = "there is no \"char\" on " + std::string(trigger_name(sink.trigger)) +
            "; write characters.ID";
      return false;
    }
    out.name.scope = RuleName::Scope::kCharacter;
    return resolve_property(segments, 1, sink, out, why);
  }
  if (scope == "characters" && size >= 2) {
    out.name.scope = RuleName::Scope::kCharacter;
    out.name.id = segments[1];
    refer(sink, Kind::kCharacter, segments[1]);
    return resolve_property(segments, 2, sink, out, why);
  }
  if (scope == "vars" && size == 2) {
    out.name = {RuleName::Scope::kVar, {}, {}, segments[1]};
    refer(sink, Kind::kVar, segments[1]);
    return true;
  }
  if (scope == "polls" && size == 3 && (segments[2] == "winner" || segments[2] == "option")) {
    out.name = {RuleName::Scope::kPoll, segments[1], segments[2], {}};
    out.type = segments[2] == "option" ? Type::kText : Type::kNumber;
    refer(sink, Kind::kPoll, segments[1]);
    return true;
  }
  if (scope == "scenes" && size == 3 && segments[2] == "visited") {
    out.name = {RuleName::Scope::kScene, segments[1], segments[2], {}};
    refer(sink, Kind::kScene, segments[1]);
    return true;
  }
  if (scope == "episode" && size == 2 && segments[1] == "scene") {
    out.name = {RuleName::Scope::kEpisode, {}, "scene", {}};
    out.type = Type::kText;
    out.compares_with = Kind::kScene;
    return true;
  }
  if (scope == "characters" || scope == "vars" || scope == "polls" || scope == "scenes" ||
      scope == "episode") {
    why = "\"" + scope +
          "\" is written characters.ID.PROPERTY, vars.NAME, polls.ID.winner, "
          "polls.ID.option, scenes.ID.visited or episode.scene";
    return false;
  }
  return resolve_event(segments, sink, out, why);
}

}  // namespace footlight::episode::rule_expr
