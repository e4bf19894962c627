#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "core/json.h"
#include "episode/yaml/load.h"

namespace footlight::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  bool json = false;
};

void print_summary(const std::string& file, const episode::LoadedEpisode& loaded) {
  const episode::Definition& d = loaded.definition;
  std::printf("%s: good\n  %s (id %s)\n", file.c_str(), d.title.c_str(), loaded.id.c_str());
  std::printf(
      "  %zu cast, %zu characters, %zu scenes, %zu polls, %zu cues, %zu timers, %zu assets\n",
      d.cast.size(), d.characters.size(), d.scenes.size(), d.polls.size(), d.cues.size(),
      d.timers.size(), d.assets.size());
}

void print_problem_json(const std::string& file, const episode::Problem& problem) {
  std::string line;
  JsonWriter out(line);
  out.object()
      .field("file", std::string_view(file))
      .field("line", problem.place.line)
      .field("column", problem.place.column);
  out.field("code", static_cast<int>(problem.code))
      .field("message", std::string_view(problem.message))
      .end_object();
  std::printf("%s\n", line.c_str());
}

int check(const Options& options) {
  size_t problems = 0;
  for (const std::string& file : options.files) {
    auto report = episode::check_episode_file(file);
    if (!report) return complain(report.error());
    for (const episode::Problem& problem : report->problems) {
      if (options.json) {
        print_problem_json(file, problem);
      } else {
        std::fprintf(stderr, "%s\n",
                     (episode::describe(file, problem) + " [" +
                      std::to_string(static_cast<int>(problem.code)) + "]")
                         .c_str());
      }
    }
    problems += report->problems.size();
    if (report->problems.empty() && !options.json) {
      if (auto loaded = episode::load_episode_file(file)) print_summary(file, *loaded);
    }
  }
  return problems > 0 ? kExitFound : 0;
}

}  // namespace

void add_check(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command =
      line.command("check", "read episode files and say what is wrong, with line and column",
                   [options] { return check(*options); });
  command.option("files", options->files, "*.episode.yaml").required();
  command.flag("--json", options->json, "one JSON object a problem");
}

}  // namespace footlight::cli
