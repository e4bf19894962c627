#include "board_ledger.h"

#include <algorithm>
#include <map>

#include "core/json.h"
#include "edge/replay.h"

namespace footlight::sim {
namespace {

// Keys in order: replicas need not agree on theirs.
std::string sorted(const Json& value) {
  if (value.type() == JsonType::kArray) {
    std::string out = "[";
    for (const Json& each : value.items()) out += sorted(each) + ",";
    return out + "]";
  }
  if (value.type() != JsonType::kObject) return value.dump();
  std::map<std::string, std::string> members;
  for (const auto& [key, each] : value.members()) {
    // A root that a program only looked at is as good as none.
    const std::string text = sorted(each);
    if (text != "{}" && text != "\"\"") members[key] = text;
  }
  std::string out = "{";
  for (const auto& [key, text] : members) out += key + ":" + text + ",";
  return out + "}";
}

size_t occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

void BoardLedger::board_confirmed(const std::string& mark) {
  if (refused_.contains(mark)) ledger_.fail("board: confirmed after it was refused: " + mark);
  if (!confirmed_.insert(mark).second) ledger_.fail("board: confirmed twice: " + mark);
}

void BoardLedger::check_marks(const Json& content) {
  const std::string& notes = content["notes"].as_string();
  const Json& marks = content["marks"];
  for (const std::string& mark : confirmed_) {
    const size_t found = occurrences(notes, mark) + (marks.find(mark) != nullptr ? 1 : 0);
    if (found == 0) return ledger_.fail("board: a confirmed edit is lost: " + mark);
    if (found > 1) return ledger_.fail("board: an edit stands twice: " + mark);
  }
  for (const std::string& mark : refused_) {
    if (occurrences(notes, mark) + (marks.find(mark) != nullptr ? 1 : 0) > 1) {
      return ledger_.fail("board: a refused edit stands twice: " + mark);
    }
  }
  if (!content["fog"].members().empty()) ledger_.fail("board: a refused edit left a trace");
}

void BoardLedger::check_mirrors(const Json& content, const episode::State& state) {
  for (const std::string id : {"aria", "bo", "ogre"}) {
    const Json& token = content["tokens"][id];
    if (token.type() != JsonType::kObject) continue;
    const auto entity =
        Json::parse(episode::encode_entity(state, proto::ViewClass::kDirector, "characters", id));
    if (!entity) continue;
    if (token["hp"].dump() != (*entity)["hp"].dump()) {
      ledger_.fail("board: the token of " + id + " shows " + token["hp"].dump() +
                   ", the event log says " + (*entity)["hp"].dump());
    }
  }
}

void BoardLedger::audit(log::EventLog& log, const episode::State& state,
                        const std::vector<std::unique_ptr<BoardClient>>& clients) {
  if (clients.empty()) return;
  const auto stored = edge::board_json(log, "table", UINT64_MAX);
  if (!stored) return ledger_.fail("board: " + stored.error().message());
  const auto content = Json::parse(*stored);
  if (!content) return ledger_.fail("board: its content is no JSON");
  const std::string wanted = sorted(*content);
  for (const auto& client : clients) {
    const auto mine = Json::parse(client->content());
    if (!mine) return ledger_.fail("board: a client's content is no JSON");
    if (sorted(*mine) != wanted) {
      return ledger_.fail("board: that of " + client->spec().account +
                          " differs: " + sorted(*mine) + " is not " + wanted);
    }
  }
  check_marks(*content);
  check_mirrors(*content, state);
}

}  // namespace footlight::sim
