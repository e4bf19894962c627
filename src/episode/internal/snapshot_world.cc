// Snapshot of phase, characters, variables and timers.
#include <algorithm>

#include "episode/internal/snapshot_parts.h"

namespace footlight::episode {
namespace {

using Limits = DefinitionLimits;

void write_character(ByteWriter& out, const CharacterState& character) {
  out.u64(character.ver);
  write_i64(out, character.hp);
  write_i64(out, character.hp_temp);
  out.varint(character.items.size());
  for (const auto& [item, count] : character.items) {
    out.text(item);
    write_i64(out, count);
  }
  out.varint(character.conditions.size());
  for (const std::string& condition : character.conditions) out.text(condition);
  for (const auto& [name, value] : character.fields) {
    if (value.is_text) {
      out.text(value.text);
    } else {
      write_i64(out, value.number);
    }
  }
}

bool read_items(ByteReader& in, CharacterState& character) {
  uint64_t count = 0;
  if (!read_count(in, WorldLimits::kItems, 10, count)) return false;
  character.items.clear();
  for (uint64_t i = 0; i < count; ++i) {
    std::string item;
    if (!read_text(in, Limits::kIdBytes, item)) return false;
    const int64_t number = read_i64(in);
    if (item.empty() || number < 1 || number > Limits::kAmount) return false;
    if (!character.items.emplace(std::move(item), number).second) return false;
  }
  return true;
}

bool read_conditions(ByteReader& in, const Definition& definition, CharacterState& character) {
  uint64_t count = 0;
  if (!read_count(in, Limits::kConditions, 2, count)) return false;
  character.conditions.clear();
  for (uint64_t i = 0; i < count; ++i) {
    std::string condition;
    if (!read_text(in, Limits::kIdBytes, condition)) return false;
    const bool twice =
        std::ranges::find(character.conditions, condition) != character.conditions.end();
    if (twice || !definition.has_condition(condition)) return false;
    character.conditions.push_back(std::move(condition));
  }
  return true;
}

bool read_character(ByteReader& in, const Definition& definition, const CharacterDef& def,
                    CharacterState& character) {
  character.ver = in.u64();
  character.hp = read_i64(in);
  character.hp_temp = read_i64(in);
  if (character.ver < 1 || character.ver > WorldLimits::kMostNumber || character.hp < 0 ||
      character.hp > def.hp_max || character.hp_temp < 0 || character.hp_temp > Limits::kHp) {
    return false;
  }
  if (!read_items(in, character) || !read_conditions(in, definition, character)) return false;
  for (auto& [name, value] : character.fields) {  // names and types stand in the definition
    if (!value.is_text) {
      value.number = read_i64(in);
    } else if (!read_text(in, Limits::kFieldBytes, value.text)) {
      return false;
    }
  }
  return in.ok();
}

}  // namespace

void write_world(ByteWriter& out, const State::Impl& state) {
  const World& world = state.world;
  out.u8(static_cast<uint8_t>(world.phase));
  out.varint(static_cast<uint64_t>(world.scene + 1));
  for (const bool visited : world.visited) out.u8(visited ? 1 : 0);
  for (const CharacterState& character : world.characters) write_character(out, character);
  for (const auto& [name, value] : world.vars) write_i64(out, value);
  out.varint(world.timers.size());
  for (const auto& [id, timer] : world.timers) {
    out.text(id);
    out.text(timer.label);
    write_i64(out, timer.ends_ms);
    write_i64(out, timer.total_ms);
  }
}

bool read_world(ByteReader& in, State::Impl& state) {
  World& world = state.world;
  if (!read_enum(in, Phase::kEnded, world.phase)) return false;
  const uint64_t scene = in.varint();
  if (scene > world.visited.size()) return false;
  world.scene = static_cast<int>(scene) - 1;
  for (size_t i = 0; i < world.visited.size(); ++i) {
    bool visited = false;
    if (!read_flag(in, visited)) return false;
    world.visited[i] = visited;
  }
  for (size_t i = 0; i < world.characters.size(); ++i) {
    if (!read_character(in, state.definition, state.definition.characters[i],
                        world.characters[i])) {
      return false;
    }
  }
  for (auto& [name, value] : world.vars) value = read_i64(in);
  uint64_t timers = 0;
  if (!read_count(in, WorldLimits::kTimers, 18, timers)) return false;
  for (uint64_t i = 0; i < timers; ++i) {
    std::string id;
    TimerState timer;
    if (!read_text(in, Limits::kIdBytes, id) || id.empty()) return false;
    if (!read_text(in, Limits::kTitleBytes, timer.label)) return false;
    timer.ends_ms = read_i64(in);
    timer.total_ms = read_i64(in);
    if (!is_time(timer.ends_ms) || !is_time(timer.total_ms) || timer.total_ms == 0) return false;
    if (!world.timers.emplace(std::move(id), std::move(timer)).second) return false;
  }
  return in.ok();
}

}  // namespace footlight::episode
