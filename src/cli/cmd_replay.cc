#include <cinttypes>
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "core/json.h"
#include "edge/replay.h"

namespace footlight::cli {
namespace {

struct Options {
  std::string file;
  bool json = false;
};

void print_line(const edge::StoryLine& line, WallMs start_ms) {
  const int64_t ms = line.at_ms - start_ms;
  std::printf("%3" PRId64 ":%02" PRId64 ":%02" PRId64 ".%01" PRId64 "  %8" PRIu64 "  %-16s %s\n",
              ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000 / 100, line.seq,
              line.kind.c_str(), line.text.c_str());
}

void print_json(const edge::StoryLine& line) {
  std::string text;
  JsonWriter out(text);
  out.object().field("seq", line.seq).field("at_ms", line.at_ms);
  out.field("kind", std::string_view(line.kind)).field("text", std::string_view(line.text));
  out.end_object();
  std::printf("%s\n", text.c_str());
}

int replay(const Options& options) {
  auto log = log::open_event_log({.path = options.file, .read_only = true, .create = false});
  if (!log) return complain(log.error());
  auto lines = edge::timeline(**log);
  if (!lines) return complain(lines.error());
  const WallMs start_ms = lines->empty() ? 0 : lines->front().at_ms;
  for (const edge::StoryLine& line : *lines) {
    if (options.json) {
      print_json(line);
    } else {
      print_line(line, start_ms);
    }
  }
  auto report = edge::verify_log(**log);
  if (!report) return complain(report.error());
  if (!options.json) {
    std::printf("\nstate %s after %" PRIu64 " records\n", to_hex(report->state_hash).c_str(),
                report->records);
  }
  return report->ok ? 0 : complain({Code::kVerifyFailed, report->faults.front(), 0}, kExitFound);
}

}  // namespace

void add_replay(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command(
      "replay", "derive the state again from an episode's log and show the story on a timeline",
      [options] { return replay(*options); });
  command.option("file", options->file, "data/<id>.episode").required();
  command.flag("--json", options->json, "one JSON object a line");
}

}  // namespace footlight::cli
