#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/server_process.h"
#include "cli/signing.h"
#include "episode/yaml/load.h"
#include "ops/stage.h"

namespace footlight::cli {
namespace {

struct Options {
  ops::StageOptions stage;
  ops::ShowOptions show;
  SigningOptions signing;
  std::string episode_file;
  std::string data_dir;
  bool json = false;
  bool quiet = false;
  bool no_media = false;
};

int rehearse(Options options) {
  catch_signals();
  auto loaded = episode::load_episode_file(options.episode_file);
  if (!loaded) return complain(loaded.error());
  for (const auto& character : loaded->definition.characters)
    options.show.characters.push_back(character.id);
  std::optional<ScratchDirectory> scratch;
  std::optional<ServerProcess> server;
  if (options.stage.url.empty()) options.signing.dev = true;
  const auto tokens = token_source(options.signing, loaded->id);
  if (!tokens) return complain(tokens.error());
  if (options.stage.url.empty()) {
    if (options.data_dir.empty()) options.data_dir = scratch.emplace().path();
    std::error_code error;
    std::filesystem::create_directories(options.data_dir, error);
    if (error) return complain({Code::kIo, options.data_dir + ": " + error.message(), 0});
    ServerSpec spec;
    spec.args = {"--dev", "--episode", options.episode_file, "--data", options.data_dir};
    spec.log_path = options.data_dir + "/rehearsal.log";
    auto started = ServerProcess::start(spec);
    if (!started) return complain(started.error());
    server.emplace(std::move(*started));
    options.stage.url = server->url();
  }
  options.stage.media = options.show.game_master = !options.no_media;
  ProgressLine line("rehearsing " + loaded->id, options.quiet || options.json);
  auto report = ops::run_show(
      options.stage, options.show, *tokens, loaded->id,
      [&](const ops::Progress& progress) { line.show(progress); }, interrupted());
  if (server && server->stop() != 0)
    std::fprintf(stderr, "footlight: the server did not stop cleanly\n");
  if (!report) return complain(report.error());
  if (options.show.loop) return 0;
  std::fputs(options.json ? report->json("rehearse").c_str() : ("\n" + report->table()).c_str(),
             stdout);
  if (!options.json) {
    std::printf("%s\n", report->holds() ? "Every budget holds."
                                        : "A budget is broken; see the lines marked !");
    if (server && !scratch)
      std::printf("The log: %s/%s.episode (footlight verify, footlight replay)\n",
                  options.data_dir.c_str(), loaded->id.c_str());
  }
  return report->holds() ? 0 : complain({Code::kBudgetBroken, "", 0}, kExitFound);
}

}  // namespace

void add_rehearse(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command("rehearse",
                                 "play a whole episode with a synthetic cast and audience, "
                                 "and hold each budget against what was measured",
                                 [options] { return rehearse(*options); });
  command.option("--episode", options->episode_file, "the episode file").required().existing_file();
  command.option("--cast", options->show.cast, "players beside the director").range(1, 64);
  command.option("--audience", options->show.audience, "viewers").range(0, 100'000);
  command.option("--seconds", options->show.seconds, "how long the story takes").range(5, 86'400);
  command
      .option("--watchers", options->stage.watchers,
              "who of them receives voice and video, the cast first")
      .range(0, 1'000);
  command.flag("--no-media", options->no_media, "without voice and video");
  command.option("--seed", options->show.seed, "of everything random");
  command.option("--data", options->data_dir,
                 "keep the log here (default: a directory that is removed)");
  command.option("--url", options->stage.url,
                 "rehearse against this running server instead of one of our own");
  command.flag("--loop", options->show.loop, "play on until stopped, and never end the episode");
  command.flag("--json", options->json, "one JSON object a line");
  command.flag("--quiet", options->quiet, "no progress line");
  add_signing_options(command, options->signing);
}

}  // namespace footlight::cli
