#include "edge/program_marks.h"

#include "core/bytes.h"

namespace footlight::edge {
namespace {

constexpr size_t kMostFaces = 24;

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> out;
  for (const Json& each : list.items()) {
    out.push_back(each.type() == JsonType::kString ? each.as_string() : each["label"].as_string());
  }
  return out;
}

JsonWriter& begin_mark(JsonWriter& json, WallMs at_ms, std::string_view kind) {
  return json.object().field("at_ms", at_ms).field("kind", kind);
}

}  // namespace

void ProgramMarks::take(const log::StoredRecord& record) {
  seq_ = record.seq;
  if (record.kind != log::RecordKind::kGenesis && record.kind != log::RecordKind::kEvent) return;
  const auto json = Json::parse(as_text(record.payload));
  if (!json) return;  // verify_log says what is wrong with it
  if (record.kind == log::RecordKind::kGenesis) return genesis(*json);
  event(*json, record.at_ms);
}

void ProgramMarks::genesis(const Json& genesis) {
  episode_ = genesis["episode"].as_string();
  const Json& definition = genesis["definition"];
  title_ = definition["title"].as_string();
  for (const auto& [id, each] : definition["scenes"].members()) {
    scenes_[id] = each["title"].as_string();
  }
  for (const auto& [id, each] : definition["characters"].members()) {
    characters_[id] = each["name"].as_string();
  }
  for (const auto& [id, each] : definition["polls"].members()) {
    polls_[id] = {each["title"].as_string(), texts_of(each["options"])};
  }
}

void ProgramMarks::event(const Json& event, WallMs at_ms) {
  const std::string& kind = event["k"].as_string();
  const Json& data = event["d"];
  if (kind == "poll.created") {
    polls_[data["poll"].as_string()] = {data["title"].as_string(), texts_of(data["options"])};
  }
  if (kind == "caption.said") return caption(data);
  if (kind == "caption.taken_back") return take_back(data["n"].as_int());
  if (kind == "dice.rolled" && marks_.size() < kMost) return dice(event, at_ms);
  if (marks_.size() >= 2 * kMost) return;
  if (kind == "scene.entered") return scene(data, at_ms);
  if (kind == "poll.opened" || kind == "poll.closed")
    return poll(data, at_ms, kind != "poll.opened");
  if (kind != "episode.started" && kind != "episode.ended") return;
  std::string mark;
  JsonWriter json(mark);
  begin_mark(json, at_ms, kind == "episode.started" ? "start" : "end").end_object();
  add(std::move(mark));
}

void ProgramMarks::scene(const Json& data, WallMs at_ms) {
  const std::string& id = data["scene"].as_string();
  const auto known = scenes_.find(id);
  std::string mark;
  JsonWriter json(mark);
  begin_mark(json, at_ms, "scene").field("scene", std::string_view(id));
  json.field("title", std::string_view(known == scenes_.end() ? id : known->second));
  json.field("how", std::string_view(data["how"].as_string()));
  if (data.find("poll")) json.field("poll", std::string_view(data["poll"].as_string()));
  json.end_object();
  add(std::move(mark));
}

void ProgramMarks::poll(const Json& data, WallMs at_ms, bool closed) {
  const std::string& id = data["poll"].as_string();
  const Poll& about = polls_[id];
  std::string mark;
  JsonWriter json(mark);
  begin_mark(json, at_ms, closed ? "result" : "poll").field("poll", std::string_view(id));
  json.field("title", std::string_view(about.title)).key("options").array();
  for (const std::string& option : about.options) json.value(std::string_view(option));
  json.end_array();
  if (closed) {
    json.key("counts").array();
    for (const Json& count : data["counts"].items()) json.value(count.as_int());
    json.end_array().field("voters", data["voters"].as_int());
    json.field("winner", data["winner"].as_int(-1));
  }
  json.end_object();
  add(std::move(mark));
}

void ProgramMarks::dice(const Json& event, WallMs at_ms) {
  const Json& data = event["d"];
  if (data["secret"].as_bool()) return;
  const auto known = characters_.find(data["char"].as_string());
  std::string faces;
  size_t count = 0;
  for (const Json& die : data["dice"].items()) {
    if (++count > kMostFaces) break;
    const std::string value = std::to_string(die["value"].as_int());
    if (!faces.empty()) faces += ' ';
    faces += die["kept"].as_bool(true) ? value : "(" + value + ")";
  }
  std::string mark;
  JsonWriter json(mark);
  begin_mark(json, at_ms, "dice").field("n", data["n"].as_int());
  json.field("who", std::string_view(known == characters_.end() ? event["name"].as_string()
                                                                : known->second));
  json.field("expr", std::string_view(data["expr"].as_string()));
  json.field("faces", std::string_view(faces)).field("total", data["total"].as_int());
  json.field("crit", std::string_view(data["crit"].as_string())).end_object();
  add(std::move(mark));
}

void ProgramMarks::caption(const Json& data) {
  if (captions_.size() >= kMostCaptions) return;
  const WallMs at_ms = data["at_ms"].as_int();
  std::string mark;
  JsonWriter json(mark);
  json.object().field("n", data["n"].as_int()).field("at_ms", at_ms);
  json.field("for_ms", data["for_ms"].as_int());
  json.field("lang", std::string_view(data["lang"].as_string()));
  json.field("text", std::string_view(data["text"].as_string())).end_object();
  captions_.emplace(at_ms, Caption{data["n"].as_int(), std::move(mark)});
}

// The last are looked at first: one that is taken back was said just now.
void ProgramMarks::take_back(int64_t n) {
  for (auto at = captions_.end(); at != captions_.begin();) {
    if ((--at)->second.n != n) continue;
    captions_.erase(at);
    return;
  }
}

std::string ProgramMarks::json() const {
  std::string out;
  JsonWriter json(out);
  json.object().field("v", int64_t{1}).field("episode", std::string_view(episode_));
  json.field("title", std::string_view(title_)).key("marks").array();
  for (const std::string& mark : marks_) json.raw(mark);
  json.end_array();
  if (!captions_.empty()) {
    json.key("captions").array();
    for (const auto& [at_ms, caption] : captions_) json.raw(caption.json);
    json.end_array();
  }
  json.end_object();
  return out;
}

}  // namespace footlight::edge
