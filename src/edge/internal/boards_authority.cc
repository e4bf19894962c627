// What the event log says and boards show: mirrored fields, and `$state`.
#include <algorithm>
#include <utility>

#include "core/json.h"
#include "crdt/any.h"
#include "edge/internal/boards_impl.h"
#include "proto/messages.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kCollections[] = {"episode",    "scenes", "story", "polls",
                                             "characters", "rolls",  "timers"};

bool in_state(std::string_view collection) {
  return std::ranges::find(kCollections, collection) != std::end(kCollections);
}

// The map that holds the last step of the path; nothing when it is not there.
std::optional<crdt::Map> holder(crdt::Doc& doc, const episode::BoardPath& path) {
  const auto root = doc.find_root(path[0]);
  if (!root) return std::nullopt;
  auto made = doc.map(path[0]);
  if (!made) return std::nullopt;
  std::optional<crdt::Map> at = *made;
  for (size_t i = 1; at && i + 1 < path.size(); ++i) {
    const crdt::Value next = at->get(path[i]);
    at = next.type() ? next.type()->as_map() : std::nullopt;
  }
  return at;
}

}  // namespace

// Somebody set or deleted these keys.
void Boards::Impl::touched(Board& board, BoardSession author,
                           const std::vector<std::string>& keys) {
  for (BoardMirrorState& mirror : board.mirrors) {
    bool mine = false;
    bool itself = false;
    for (const std::string& key : keys) {
      if (!mirror.key.starts_with(key)) continue;
      const bool same = mirror.key.size() == key.size();
      itself |= same;
      mine |= same || mirror.key[key.size()] == '/';  // the map that holds it, set with it or not
    }
    if (!mine) continue;
    const auto map = holder(*board.doc, mirror.def->path);
    // What nobody wrote is filled in, and nobody is overruled by that.
    const bool absent = !itself && map && !map->contains(mirror.def->path.back());
    mirror.author = absent ? BoardSession{} : author;
    if (mirror.due_us == kNever) {
      mirror.due_us = now_us + options.times.reassert_ms * kUsPerMs;
    }
    board.mirror_due_us = std::min(board.mirror_due_us, mirror.due_us);
  }
}

void Boards::Impl::entity_changed(std::string_view collection, std::string_view id) {
  for (auto& board : boards) {
    if (board->state != Board::State::kLoaded) continue;
    for (BoardMirrorState& mirror : board->mirrors) {
      if (mirror.def->from[0] != collection || mirror.def->from[1] != id) continue;
      // An optimistic copy of what comes next may stand there: it has its time.
      if (mirror.due_us == kNever) mirror.due_us = now_us;
      board->mirror_due_us = std::min(board->mirror_due_us, mirror.due_us);
    }
  }
}

void Boards::Impl::check_mirrors(Board& board) {
  board.mirror_due_us = kNever;
  if (halted) return;
  for (BoardMirrorState& mirror : board.mirrors) {
    if (mirror.due_us <= now_us) {
      mirror.due_us = kNever;
      check_mirror(board, mirror);
    } else {
      board.mirror_due_us = std::min(board.mirror_due_us, mirror.due_us);
    }
  }
}

// JSON of the value the view has.
std::optional<std::string> Boards::Impl::authoritative(const episode::BoardMirror& mirror) const {
  const std::string_view entity = options.port->board_entity(mirror.from[0], mirror.from[1]);
  if (entity.empty()) return std::nullopt;
  const auto parsed = Json::parse(entity);
  if (!parsed) return std::nullopt;
  const Json* at = &*parsed;
  for (size_t i = 2; i < mirror.from.size(); ++i) at = &(*at)[mirror.from[i]];
  // An item nobody carries is not listed: there are none of it.
  if (at->type() == JsonType::kNull && mirror.from[2] == "items") return "0";
  return at->dump();
}

void Boards::Impl::check_mirror(Board& board, BoardMirrorState& mirror) {
  const auto map = holder(*board.doc, mirror.def->path);
  if (!map) return;
  const auto wanted = authoritative(*mirror.def);
  if (!wanted) return;
  const auto value = crdt::parse_json(*wanted);
  if (!value) return;
  const std::string& key = mirror.def->path.back();
  const crdt::Value shown = map->get(key);
  const BoardSession author = std::exchange(mirror.author, {});
  if (shown.any() != nullptr && *shown.any() == *value) return;
  const std::string was = map->contains(key) ? shown.to_json() : "null";
  board.emitted.clear();
  if (!crdt::Map(*map).set(key, crdt::Input(*value))) return;
  write(board, 0, now_us);
  const auto member = board.members.find(author);
  if (member == board.members.end()) return;
  ++counted.overruled;
  std::string overruled;
  JsonWriter out(overruled);
  out.array();
  out.object().field("path", std::string_view(mirror.key)).key("value").raw(*wanted);
  out.key("was").raw(was);
  out.field("by", std::string_view(episode::board_path_text(mirror.def->from)));
  out.field("log", durable_seq);
  out.field("why", "the event log decides this field; change it by a command");
  out.end_object().end_array();
  send_text(board, member->second,
            proto::encoded(proto::BoardNotice{.board = board.id, .overruled = overruled}));
}

// `$state` as the view has it now: what a restart or a time without readers left behind is mended.
void Boards::Impl::fill_state(Board& board) {
  StateEntities wanted;
  options.port->board_view(
      board.view, [&](std::string_view collection, std::string_view id, std::string_view json) {
        if (in_state(collection)) wanted[std::string(collection)][std::string(id)] = json;
      });
  board.emitted.clear();
  board.doc->transact([&] { fill_collections(board, wanted); });
  write(board, 0, now_us);
}

void Boards::Impl::fill_collections(Board& board, const StateEntities& wanted) {
  for (const std::string_view collection : kCollections) {
    const auto entities = wanted.find(collection);
    if (auto map = board.doc->map(collection)) {
      for (const auto& [id, value] : map->entries()) {
        const bool known = entities != wanted.end() && entities->second.contains(id);
        if (!known) set_entity(board, collection, id, {});
      }
    }
    if (entities == wanted.end()) continue;
    for (const auto& [id, json] : entities->second) set_entity(board, collection, id, json);
  }
}

void Boards::Impl::state_entity(Board& board, std::string_view collection, std::string_view id,
                                std::string_view json) {
  if (halted || !in_state(collection)) return;
  board.emitted.clear();
  set_entity(board, collection, id, json);
  write(board, 0, now_us);
}

void Boards::Impl::set_entity(Board& board, std::string_view collection, std::string_view id,
                              std::string_view json) {
  auto map = board.doc->map(collection);
  if (!map) return;
  if (json.empty()) {
    if (map->contains(id)) (void)map->erase(id);
  } else {
    auto value = crdt::parse_json(json);
    if (!value) return;
    const crdt::Value shown = map->get(id);
    if (shown.any() != nullptr && *shown.any() == *value) return;
    (void)map->set(id, crdt::Input(std::move(*value)));
  }
}

}  // namespace footlight::edge
