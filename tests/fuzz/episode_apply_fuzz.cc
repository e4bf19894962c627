// DEPS: footlight_episode
// A log's records, one a line: events as JSON, or "b" and a block of ballots in hex. Whatever
// applies leaves a state whose snapshot reads back; whatever does not changes nothing.
#include <cstdlib>
#include <string>

#include "episode/episode.h"

using namespace footlight;

namespace {

constexpr std::string_view kDefinition = R"({"footlight":1,"title":"F","vars":{"v":1},
  "conditions":["down"],"scenes":{"a":{"title":"A","polls":["p"]},"b":{"title":"B"}},
  "characters":{"c":{"name":"C","hp_max":9,"fields":{"f":1,"g":"x"}}},
  "polls":{"p":{"title":"P","options":["x",{"label":"y","to":"b"}],"seconds":9}},
  "cues":[{"label":"L","k":"episode.start"}]})";

void apply_block(episode::State& state, std::string_view hex, uint64_t log) {
  Bytes block;
  std::vector<episode::Ballot> ballots;
  if (!from_hex(hex, block) || !episode::decode_ballots(block, ballots)) return;
  if (episode::encode_ballots(ballots).size() != block.size()) std::abort();
  for (const episode::Ballot& ballot : ballots) (void)episode::apply_ballot(state, ballot, log);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Bytes kGenesis = *episode::make_genesis(kDefinition, "f", {}, 0);
  episode::State state = *episode::State::from_genesis(kGenesis);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  uint64_t log = 1;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    ++log;
    if (line.starts_with('b')) {
      apply_block(state, line.substr(1), log);
      continue;
    }
    const Hash256 before = state.hash();
    std::vector<episode::EntityRef> changed;
    const Status applied =
        episode::apply(state, {static_cast<WallMs>(log), std::string(line)}, log, &changed);
    if (!applied && state.hash() != before) std::abort();
  }
  const Bytes bytes = state.snapshot();
  const Result<episode::State> again = episode::State::from_snapshot(bytes);
  if (!again || again->snapshot() != bytes) std::abort();
  return 0;
}
