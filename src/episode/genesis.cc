// Where a state comes from: the genesis record. docs/formats/events.md.
#include "episode/internal/genesis.h"
#include "core/json.h"
#include "episode/internal/definition_reader.h"

namespace footlight::episode {

Result<Genesis> read_genesis(ByteView payload, Definition& definition) {
  constexpr size_t kMostBytes = DefinitionLimits::kBytes + 1024;
  if (payload.size() > kMostBytes) return fail(Code::kLogCorrupt, "the genesis is too large");
  JsonReader in(as_text(payload));
  Genesis out;
  int64_t version = 0;
  std::string commit;
  std::string_view body;
  std::string_view key;
  if (in.enter_object()) {
    while (in.next_key(key)) {
      if (key == "v") {
        version = in.read_int();
      } else if (key == "episode") {
        out.episode = in.read_string();
      } else if (key == "created_ms") {
        out.created_ms = in.read_int();
      } else if (key == "seed_commit") {
        commit = in.read_string();
      } else if (key == "definition") {
        body = in.raw();
      } else {
        in.skip();
      }
    }
  }
  Bytes hash;
  if (!in.finish() || !is_episode_id(out.episode) || body.empty() || !from_hex(commit, hash) ||
      hash.size() != out.seed_commit.size()) {
    return fail(Code::kLogCorrupt, "the genesis is malformed");
  }
  if (version != 1) return fail(Code::kLogFormat, "genesis version " + std::to_string(version));
  for (size_t i = 0; i < hash.size(); ++i) out.seed_commit[i] = hash[i];
  Result<Definition> parsed = parse_definition(body);
  if (!parsed)
    return fail(Code::kLogCorrupt, "the definition does not check: " + parsed.error().detail);
  definition = std::move(*parsed);
  out.payload.assign(payload.begin(), payload.end());
  return out;
}

std::unique_ptr<State::Impl> initial_state(Genesis genesis, Definition definition) {
  auto out = std::make_unique<State::Impl>();
  out->genesis = std::move(genesis);
  out->definition = std::move(definition);
  out->world = initial_world(out->definition);
  out->registers.resize(out->world.polls.size());
  out->cues_done.resize(out->definition.cues.size());
  out->slow_seconds = out->definition.slow_seconds;
  return out;
}

State::State() : impl_(std::make_unique<Impl>()) {}
State::State(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
State::~State() = default;
State::State(State&&) noexcept = default;
State& State::operator=(State&&) noexcept = default;

Result<State> State::from_genesis(ByteView payload) {
  Definition definition;
  Result<Genesis> genesis = read_genesis(payload, definition);
  if (!genesis) return std::unexpected(genesis.error());
  return State(initial_state(std::move(*genesis), std::move(definition)));
}

Result<Bytes> make_genesis(std::string_view definition_json, std::string_view episode_id,
                           const Hash256& seed_commit, WallMs now_ms) {
  if (!is_episode_id(episode_id)) {
    return fail(Code::kEpisodeField, "/id: may hold 1 to 64 lower-case letters, digits and - only");
  }
  if (const Result<Definition> checked = parse_definition(definition_json); !checked) {
    return std::unexpected(checked.error());
  }
  const Result<Json> definition = Json::parse(definition_json);
  if (!definition) return std::unexpected(definition.error());
  std::string json;
  JsonWriter out(json);
  out.object().field("v", 1).field("episode", episode_id).field("created_ms", int64_t{now_ms});
  out.field("seed_commit", std::string_view(to_hex(seed_commit)));
  out.key("definition").raw(definition->dump()).end_object();
  return Bytes(json.begin(), json.end());
}

}  // namespace footlight::episode
