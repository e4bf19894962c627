// DEPS: footlight_episode
// Commands, one a line: a digit for who sends it, the kind, a space, the arguments. What decide
// makes always applies, and replaying it gives the same state.
#include <cstdlib>
#include <string>

#include "episode/episode.h"
#include "episode/fairness.h"

using namespace footlight;

namespace {

constexpr std::string_view kDefinition = R"({"footlight":1,"title":"F","vars":{"v":1},
  "conditions":["down"],"items":{"i":"I"},"emotes":["e"],
  "scenes":{"a":{"title":"A","choices":{"c":{"label":"C","to":"b"}},"polls":["p"]},
            "b":{"title":"B"}},
  "characters":{"c":{"name":"C","hp_max":9,"fields":{"f":1,"g":"x"}}},
  "polls":{"p":{"title":"P","options":["x",{"label":"y","to":"b"}],"seconds":9}},
  "rules":[{"on":"hp","do":[{"heal":1},{"say":"ow"}]},
           {"on":"roll","do":{"set":{"var":"v","value":"= vars.v * roll.total"}}}],
  "cues":[{"label":"L","k":"episode.start"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Bytes kGenesis =
      *episode::make_genesis(kDefinition, "f", episode::seed_commitment({}), 0);
  static const episode::Actor kActors[] = {{1, proto::Role::kProducer, "P", {}},
                                           {2, proto::Role::kGm, "G", {}},
                                           {3, proto::Role::kPlayer, "A", {"c"}},
                                           {4, proto::Role::kViewer, "V", {}}};
  episode::State live = *episode::State::from_genesis(kGenesis);
  episode::State replayed = *episode::State::from_genesis(kGenesis);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  uint64_t log = 1;
  for (WallMs now_ms = 1000; !text.empty() && now_ms < 60'000; now_ms += 1000) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty()) continue;
    const size_t space = std::min(line.find(' '), line.size());
    episode::Command command;
    command.actor = &kActors[static_cast<unsigned char>(line[0]) % 4];
    command.cid = 9;
    command.i = static_cast<uint64_t>(now_ms);
    command.now_ms = now_ms;
    command.kind = line.substr(1, space - 1);
    command.args = line.substr(std::min(space + 1, line.size()));
    auto decision = episode::decide(live, command, {});
    std::vector<episode::Event> events = episode::decide_time(live, now_ms, now_ms - 500, {});
    if (decision) events = decision->events;
    for (const episode::Event& event : events) {
      ++log;
      std::vector<episode::EntityRef> changed;
      if (!episode::apply(live, event, log, &changed)) std::abort();
      if (!episode::apply(replayed, event, log, nullptr)) std::abort();
    }
  }
  if (live.hash() != replayed.hash()) std::abort();
  return 0;
}
