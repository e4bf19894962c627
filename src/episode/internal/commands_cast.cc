// Dice and characters: what the cast does.
#include <algorithm>
#include <limits>

#include "episode/fairness.h"
#include "episode/internal/commands.h"

namespace footlight::episode {
namespace {

// The character the command names, when the actor may change it.
Result<int> own_character(const CommandContext& context) {
  const std::string& id = context.text("char");
  const int index = context.state.definition.character_index(id);
  if (index < 0) return fail(Code::kCharacterUnknown, "character " + id);
  const auto& own = context.actor.characters;
  if (!context.directs() && std::ranges::find(own, id) == own.end()) {
    return fail(Code::kCharacterForeign, "character " + id);
  }
  return index;
}

Result<int> character_at_version(const CommandContext& context) {
  const Result<int> index = own_character(context);
  if (!index || !context.has("ver")) return index;
  const uint64_t ver = context.state.world.characters[static_cast<size_t>(*index)].ver;
  if (static_cast<uint64_t>(context.number("ver")) != ver) {
    return fail(Code::kVersionConflict, "it is at version " + std::to_string(ver));
  }
  return index;
}

const CharacterState& state_of(const CommandContext& context, int character) {
  return context.state.world.characters[static_cast<size_t>(character)];
}

}  // namespace

Status do_dice_roll(const CommandContext& context) {
  const State::Impl& state = context.state;
  if (!context.live()) return fail(Code::kEpisodeNotStarted);
  DiceRolled fact;
  fact.nonce = context.text("nonce");
  if (Status good = check_nonce(fact.nonce); !good) return good;
  if (state.nonces.contains(nonce_key(fact.nonce))) {
    return fail(Code::kDiceNonce, "this nonce was used before");
  }
  if (state.nonces.size() >= StateLimits::kNonces) {
    return fail(Code::kTooMany, "rolls of one episode");
  }
  fact.secret = context.args["secret"].as_bool();
  if (fact.secret && !context.directs()) {
    return fail(Code::kForbidden, "only the GM rolls in secret");
  }
  if (context.has("char")) {
    if (const Result<int> character = own_character(context); !character) {
      return std::unexpected(character.error());
    }
    fact.character = context.text("char");
  }
  fact.dialect = state.definition.dialect;
  if (context.has("dialect")) (void)parse_dialect(context.text("dialect"), fact.dialect);
  fact.expr = context.text("expr");
  fact.reason = context.text("reason");
  const Result<DiceExpr> expr = parse_dice(fact.expr, fact.dialect);
  if (!expr) return std::unexpected(expr.error());

  const DiceSeed& seed = context.draft.secrets().dice_seed;
  if (seed_commitment(seed) != state.genesis.seed_commit) {
    return fail(Code::kInternal, "the dice seed is not the one that was committed to");
  }
  fact.n = state.roll_count + 1;
  FairDice faces(seed, state.genesis.episode, fact.n, fact.nonce);
  Result<RollResult> result = roll(*expr, faces, state.definition.crit);
  if (!result) return std::unexpected(result.error());
  fact.dice = std::move(result->dice);
  fact.total = result->total;
  fact.crit = result->crit;
  fact.natural = result->natural;
  fact.capped = result->capped;
  fact.hash = faces.fingerprint();
  RuleValues values = {{"roll.total", RuleValue::of(fact.total)},
                       {"roll.natural", RuleValue::of(fact.natural)},
                       {"roll.n", RuleValue::of(static_cast<int64_t>(fact.n))},
                       {"roll.secret", RuleValue::of(int64_t{fact.secret ? 1 : 0})},
                       {"roll.crit", RuleValue::of(crit_name(fact.crit))},
                       {"roll.expr", RuleValue::of(fact.expr)},
                       {"roll.reason", RuleValue::of(fact.reason)},
                       {"roll.by", RuleValue::of(context.actor.name)}};
  const std::string subject = fact.character;
  if (Status added = context.draft.add(std::move(fact)); !added) return added;
  context.draft.fire(Trigger::kRoll, subject, std::move(values));
  return {};
}

Status do_char_hp(const CommandContext& context) {
  const Result<int> character = character_at_version(context);
  if (!character) return std::unexpected(character.error());
  const CharacterState& now = state_of(context, *character);
  if (context.has("temp")) {
    return context.draft.set_hp(*character, now.hp, context.number("temp"));
  }
  if (context.has("set")) {
    return context.draft.set_hp(*character, context.number("set"), now.hp_temp);
  }
  const int64_t delta = context.number("delta");
  if (delta < 0) {
    return context.draft.damage(*character, -delta, proto::role_name(context.actor.role));
  }
  return context.draft.set_hp(*character, now.hp + delta, now.hp_temp);
}

Status do_char_item(const CommandContext& context) {
  const Result<int> character = character_at_version(context);
  if (!character) return std::unexpected(character.error());
  const std::string& item = context.text("item");
  const auto& items = state_of(context, *character).items;
  const auto held = items.find(item);
  const int64_t had = held == items.end() ? 0 : held->second;
  const int64_t count = had + context.number("delta");
  if (count < 0) return fail(Code::kItemUnknown, "has " + std::to_string(had) + " of " + item);
  if (count > DefinitionLimits::kAmount) return fail(Code::kFieldOutOfRange, "delta: too many");
  if (had == 0 && count > 0) {
    if (!context.directs() && !context.state.definition.has_item(item)) {
      return fail(Code::kItemUnknown, "item " + item);
    }
    if (items.size() >= WorldLimits::kItems) return fail(Code::kTooMany, "kinds of items");
  }
  return context.draft.set_item(*character, item, count);
}

Status do_char_cond(const CommandContext& context) {
  const Result<int> character = character_at_version(context);
  if (!character) return std::unexpected(character.error());
  const std::string& condition = context.text("cond");
  if (!context.state.definition.has_condition(condition)) {
    return fail(Code::kConditionUnknown, "condition " + condition);
  }
  return context.draft.set_condition(*character, condition, context.args["on"].as_bool());
}

Status do_char_field(const CommandContext& context) {
  const Result<int> character = character_at_version(context);
  if (!character) return std::unexpected(character.error());
  const std::string& field = context.text("field");
  const auto& fields = state_of(context, *character).fields;
  const auto held = std::ranges::find(fields, field, &std::pair<std::string, FieldValue>::first);
  if (held == fields.end()) return fail(Code::kFieldUnknown, "field " + field);
  const Json& value = context.args["value"];
  FieldValue next;
  next.is_text = value.type() == JsonType::kString;
  next.text = value.as_string();
  next.number = value.as_int();
  if (next.is_text != held->second.is_text) {
    return fail(Code::kMissingField,
                held->second.is_text ? "value: must be text" : "value: must be an integer");
  }
  if (next.number < -DefinitionLimits::kAmount || next.number > DefinitionLimits::kAmount) {
    return fail(Code::kFieldOutOfRange, "value");
  }
  return context.draft.set_field(*character, field, std::move(next));
}

}  // namespace footlight::episode
