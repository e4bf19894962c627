// The view of the show: episode, scenes, story, polls, timers, cues.
#include <algorithm>

#include "episode/internal/view.h"

namespace footlight::episode {
namespace {

void write_texts(JsonWriter& out, std::string_view name, const std::vector<std::string>& texts) {
  out.key(name).array();
  for (const std::string& text : texts) out.value(std::string_view(text));
  out.end_array();
}

void write_hash(JsonWriter& out, std::string_view name, const Hash256& hash, bool there) {
  out.key(name);
  if (there) {
    out.value(std::string_view(to_hex(hash)));
  } else {
    out.null();
  }
}

void write_result(JsonWriter& out, const PollState& poll) {
  out.key("result");
  if (!poll.result) {
    out.null();
    return;
  }
  out.object().key("counts").array();
  for (const uint64_t count : poll.counts) out.value(count);
  out.end_array().field("voters", poll.voters).field("late", poll.late).key("winner");
  if (poll.result->winner < 0) {
    out.null();
  } else {
    out.value(poll.result->winner);
  }
  out.field("why", why_name(poll.result->why)).field("log", poll.result->log);
  write_hash(out, "chain", poll.result->chain, poll.result->chain_log != 0);
  out.end_object();
}

}  // namespace

std::string_view media_mode(const State& state) { return media_mode_name(state.impl().media_mode); }

bool ViewWriter::episode(JsonWriter& out, std::string_view id) const {
  if (id != "state") return false;
  const Definition& definition = state.definition;
  out.object().field("title", std::string_view(definition.title));
  out.field("state", phase_name(state.world.phase)).key("scene");
  if (state.world.scene < 0) {
    out.null();
  } else {
    out.value(std::string_view(definition.scenes[static_cast<size_t>(state.world.scene)].id));
  }
  out.key("slate").object().field("on", state.slate_on);
  out.field("text", std::string_view(state.slate_text)).end_object();
  out.field("media", media_mode_name(state.media_mode));
  out.field("slow_s", state.slow_seconds).field("started_ms", int64_t{state.started_ms});
  out.field("ended_ms", int64_t{state.ended_ms});
  const bool ended = state.world.phase == Phase::kEnded;
  write_hash(out, "seed_commit", state.genesis.seed_commit, true);
  write_hash(out, "seed", state.seed, ended);
  write_hash(out, "chain", state.chain, ended);
  write_texts(out, "emotes", definition.emotes);
  out.field("dice_dialect", dialect_name(definition.dialect));
  write_texts(out, "conditions", definition.conditions);
  out.end_object();
  return true;
}

bool ViewWriter::scene(JsonWriter& out, std::string_view id) const {
  const int index = state.definition.scene_index(id);
  if (index < 0) return false;
  const bool visited = state.world.visited[static_cast<size_t>(index)];
  if (!visited && !directs()) return false;
  const SceneDef& scene = state.definition.scenes[static_cast<size_t>(index)];
  out.object().field("title", std::string_view(scene.title));
  out.field("text", std::string_view(scene.text)).key("choices").array();
  for (const ChoiceDef& choice : scene.choices) {
    out.object().field("id", std::string_view(choice.id));
    out.field("label", std::string_view(choice.label));
    if (directs()) out.field("to", std::string_view(choice.to));
    out.end_object();
  }
  out.end_array().field("visited", visited).key("polls").array();
  for (const std::string& id_of_poll : scene.polls) {
    const PollState* poll = state.world.poll(id_of_poll);
    if (poll != nullptr && sees_poll(*poll)) out.value(std::string_view(id_of_poll));
  }
  out.end_array().end_object();
  return true;
}

bool ViewWriter::story(JsonWriter& out, std::string_view id) const {
  const StoryStep* step = find_numbered(state.story, id, [](const StoryStep& s) { return s.n; });
  if (step == nullptr) return false;
  const SceneDef& scene = state.definition.scenes[static_cast<size_t>(step->scene)];
  out.object().field("n", step->n).field("at_ms", int64_t{step->at_ms});
  out.field("scene", std::string_view(scene.id)).field("title", std::string_view(scene.title));
  out.field("how", how_name(step->how));
  if (!step->poll.empty()) out.field("poll", std::string_view(step->poll));
  if (!step->choice.empty()) out.field("choice", std::string_view(step->choice));
  out.end_object();
  return true;
}

bool ViewWriter::poll(JsonWriter& out, std::string_view id) const {
  const PollState* poll = state.world.poll(id);
  if (poll == nullptr || !sees_poll(*poll)) return false;
  const PollDef& def = *poll->def;
  out.object().field("title", std::string_view(def.title)).key("options").array();
  for (const OptionDef& option : def.options) out.value(std::string_view(option.label));
  out.end_array().field("kind", def.multiple ? "multiple" : "single").field("max", def.max);
  out.field("state", poll_phase_name(poll->phase)).field("hidden", def.hidden);
  out.field("changeable", def.changeable).field("quorum", def.quorum);
  out.field("opened_ms", int64_t{poll->opened_ms}).field("deadline_ms", int64_t{poll->deadline_ms});
  out.field("allowance_ms", def.allowance_ms);
  out.key("weights").object();
  for (size_t role = 0; role < def.weights.size(); ++role) {
    out.field(proto::role_name(static_cast<proto::Role>(role)), int64_t{def.weights[role]});
  }
  out.end_object();
  write_result(out, *poll);
  out.end_object();
  return true;
}

bool ViewWriter::timer(JsonWriter& out, std::string_view id) const {
  const auto found = state.world.timers.find(id);
  if (found == state.world.timers.end()) return false;
  out.object().field("label", std::string_view(found->second.label));
  out.field("ends_ms", int64_t{found->second.ends_ms});
  out.field("total_ms", found->second.total_ms).end_object();
  return true;
}

bool ViewWriter::cue(JsonWriter& out, std::string_view id) const {
  if (!directs()) return false;
  for (size_t i = 0; i < state.definition.cues.size(); ++i) {
    if (std::to_string(i + 1) != id) continue;
    const CueDef& cue = state.definition.cues[i];
    out.object().field("n", static_cast<uint64_t>(i + 1));
    out.field("label", std::string_view(cue.label)).field("k", std::string_view(cue.kind));
    out.key("a").raw(cue.args);
    out.field("done", static_cast<bool>(state.cues_done[i])).end_object();
    return true;
  }
  return false;
}

}  // namespace footlight::episode
