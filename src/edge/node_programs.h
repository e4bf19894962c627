// The node's program streams: what serves them, made of the configuration, and the way from each
// episode's compositor to its stream.
#pragma once
#include <memory>
#include <vector>

#include "edge/config.h"
#include "edge/http_program.h"
#include "edge/node.h"
#include "edge/node_compositor.h"
#include "net/asio/shard.h"

namespace footlight::edge {

// All outlive what is made of them. `episodes` and `shards` do not change any more.
struct ProgramHouse {
  const Config& config;
  const Clock& clock;
  const std::vector<std::unique_ptr<net::Shard>>& shards;
  std::vector<NodeEpisode*> episodes;
  const LogLine& log;
  std::vector<PushPlace> push;
};

std::unique_ptr<HttpProgram> make_programs(const ProgramHouse& house);

// What the compositor of an episode makes goes to its program of `programs`.
ProgramSinkMaker make_program_sinks(const ProgramHouse& house, HttpProgram& programs);

}  // namespace footlight::edge
