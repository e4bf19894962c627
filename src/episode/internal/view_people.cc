// The view of people and characters: characters, rolls, chat, captions, moderation, the log's tail.
#include <algorithm>

#include "episode/internal/view.h"

namespace footlight::episode {
namespace {

void write_die(JsonWriter& out, const Die& die) {
  out.object().field("sides", int64_t{die.sides}).field("value", die.value);
  out.field("kept", die.kept);
  if (die.exploded) out.field("exploded", true);
  if (die.rerolled) out.field("rerolled", true);
  out.end_object();
}

}  // namespace

bool ViewWriter::character(JsonWriter& out, std::string_view id) const {
  const int index = state.definition.character_index(id);
  if (index < 0) return false;
  const CharacterDef& def = state.definition.characters[static_cast<size_t>(index)];
  const CharacterState& now = state.world.characters[static_cast<size_t>(index)];
  out.object().field("name", std::string_view(def.name));
  out.field("owner_name", state.definition.owner_name(def)).field("ver", now.ver);
  out.field("hp", now.hp).field("hp_max", def.hp_max).field("hp_temp", now.hp_temp);
  out.key("items").object();
  for (const auto& [item, count] : now.items) {
    out.key(item).object().field("name", state.definition.item_name(item));
    out.field("n", count).end_object();
  }
  out.end_object().key("conditions").array();
  for (const std::string& condition : now.conditions) out.value(std::string_view(condition));
  out.end_array().key("fields").object();
  for (const auto& [field, value] : now.fields) {
    if (value.is_text) {
      out.field(field, std::string_view(value.text));
    } else {
      out.field(field, value.number);
    }
  }
  out.end_object();
  if (!def.portrait.empty()) out.field("portrait", std::string_view(def.portrait));
  out.end_object();
  return true;
}

bool ViewWriter::roll(JsonWriter& out, std::string_view id) const {
  const RollEntry* entry =
      find_numbered(state.rolls, id, [](const RollEntry& e) { return e.roll.n; });
  if (entry == nullptr || (entry->roll.secret && !directs())) return false;
  const DiceRolled& roll = entry->roll;
  out.object().field("n", roll.n).field("at_ms", int64_t{entry->at_ms});
  out.field("who", std::string_view(hex_u64(entry->who)));
  out.field("name", std::string_view(entry->name));
  if (!roll.character.empty()) out.field("char", std::string_view(roll.character));
  out.field("expr", std::string_view(roll.expr));
  if (!roll.reason.empty()) out.field("reason", std::string_view(roll.reason));
  out.key("dice").array();
  for (const Die& die : roll.dice) write_die(out, die);
  out.end_array().field("total", roll.total).field("crit", crit_name(roll.crit));
  out.field("nonce", std::string_view(roll.nonce));
  out.field("hash", std::string_view(to_hex(roll.hash))).field("secret", roll.secret);
  out.end_object();
  return true;
}

bool ViewWriter::chat(JsonWriter& out, std::string_view id) const {
  const ChatMessage* found =
      find_numbered(state.chat, id, [](const ChatMessage& m) { return m.id; });
  if (found == nullptr) return false;
  const ChatMessage& message = *found;
  const bool by_rule = message.who == 0;
  out.object().field("id", id).field("at_ms", int64_t{message.at_ms});
  out.field("who", std::string_view(hex_u64(message.who)));
  out.field("name", by_rule ? std::string_view(state.definition.title) : message.name);
  out.field("role", by_rule ? std::string_view("system") : proto::role_name(message.role));
  out.field("text", std::string_view(message.text)).end_object();
  return true;
}

bool ViewWriter::caption(JsonWriter& out, std::string_view id) const {
  const Caption* found = find_numbered(state.captions, id, [](const Caption& c) { return c.n; });
  if (found == nullptr) return false;
  out.object().field("n", found->n).field("said_ms", int64_t{found->said_ms});
  out.field("at_ms", int64_t{found->at_ms}).field("for_ms", found->for_ms);
  out.field("lang", std::string_view(found->lang));
  out.field("text", std::string_view(found->text)).end_object();
  return true;
}

bool ViewWriter::moderation(JsonWriter& out, std::string_view id) const {
  uint64_t who = 0;
  if (!directs() || id.size() != 16 || !parse_hex_u64(id, who)) return false;
  const Moderated* entry = state.people.moderated(who);
  if (entry == nullptr) return false;
  out.object().field("name", std::string_view(entry->name));
  out.field("muted_until_ms", int64_t{entry->muted_until_ms});
  out.field("banned", entry->banned).end_object();
  return true;
}

bool ViewWriter::log_line(JsonWriter& out, std::string_view id) const {
  if (!directs()) return false;
  const LogLine* found =
      find_numbered(state.log_tail, id, [](const LogLine& line) { return line.log; });
  if (found == nullptr) return false;
  const LogLine& line = *found;
  out.object().field("log", line.log).field("at_ms", int64_t{line.at_ms});
  out.field("kind", std::string_view(line.kind));
  if (line.who != 0) {
    out.field("who", std::string_view(hex_u64(line.who)));
    out.field("name", std::string_view(line.name));
  }
  out.field("text", std::string_view(line.text)).end_object();
  return true;
}

}  // namespace footlight::episode
