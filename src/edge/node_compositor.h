// The shell of the compositors: their processes, sockets and the loopback port their RTP comes
// from. On the media's shard; one compositor for each episode of the node, from its first publisher
// (or from its start, when it is live then) to its end.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/api.h"
#include "edge/compositor_sink.h"
#include "edge/config.h"
#include "edge/media.h"
#include "net/asio/shard.h"

namespace footlight::edge {

class NodeEpisode;

// Makes what takes an episode's parts; on the media's shard.
using ProgramSinkMaker = std::function<std::unique_ptr<ProgramSink>(const std::string& episode)>;

class NodeCompositors final : public net::Resident {
 public:
  // All outlive it.
  NodeCompositors(const Config& config, net::Shard& shard, Media& media, const Clock& clock);
  ~NodeCompositors() override;
  // Before the shard starts.
  void begin(const std::vector<NodeEpisode*>& episodes, ProgramSinkMaker maker);

  // kProgram, kProgramLayout, kProgramGain, kProgramRestart. On the shard's thread.
  ApiAnswer api(const ApiCall& call, const std::string& episode);
  // Every compositor ends. On the shard's thread, or after it.
  void end_all();

  // net::Resident
  MonoUs on_turn_end(MonoUs now_us) override;

 private:
  struct Line;
  struct Show;
  ApiAnswer wish_layout(const ApiCall& call, Show& show);
  ApiAnswer set_gain(const ApiCall& call, Show& show);
  void on_view(const std::string& episode, const std::string& json);

  std::vector<std::string> arguments_;  // of the program
  std::string folder_;                  // what a producer chose is kept there
  net::Shard& shard_;
  Media& media_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Line>> ended_;  // in this turn; destroyed at its end
  std::map<std::string, std::unique_ptr<Show>> shows_;
  MonoUs due_us_ = 0;
};

}  // namespace footlight::edge
