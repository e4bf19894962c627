#include "edge/node_programs.h"

#include <algorithm>

#include "edge/node_episode.h"
#include "edge/program_glue.h"

namespace footlight::edge {

std::unique_ptr<HttpProgram> make_programs(const ProgramHouse& house) {
  HttpProgramOptions made = program_options(house.config);
  made.clock = &house.clock;
  made.push = house.push;
  made.timeline = [episodes = house.episodes](const std::string& id,
                                              std::function<void(std::string)> done) {
    const auto found =
        std::ranges::find_if(episodes, [&](const NodeEpisode* each) { return each->id() == id; });
    if (found != episodes.end()) (*found)->ask_marks(std::move(done));
  };
  made.log = [&log = house.log](const std::string& text) { log(LogLevel::kWarning, text); };
  auto programs = std::make_unique<HttpProgram>(std::move(made));
  std::vector<net::Shard*> all;
  for (const auto& shard : house.shards) all.push_back(shard.get());
  std::vector<std::string> ids;
  for (const NodeEpisode* episode : house.episodes) ids.push_back(episode->id());
  programs->begin(all, ids);
  return programs;
}

ProgramSinkMaker make_program_sinks(const ProgramHouse& house, HttpProgram& programs) {
  return [house, &programs](const std::string& id) {
    ProgramGlueOptions made;
    made.episode = id;
    made.clock = &house.clock;
    const auto found = std::ranges::find_if(
        house.episodes, [&](const NodeEpisode* each) { return each->id() == id; });
    if (found != house.episodes.end()) made.key = (*found)->voter_key();
    made.post = [&shards = house.shards, &programs,
                 id](std::move_only_function<void(Program&)> job) {
      Program* program = programs.find(id);
      if (program == nullptr) return;
      shards[program->home()]->post([program, job = std::move(job)]() mutable { job(*program); });
    };
    return make_program_glue(std::move(made));
  };
}

}  // namespace footlight::edge
