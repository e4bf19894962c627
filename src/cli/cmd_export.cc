#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "edge/replay.h"

namespace footlight::cli {
namespace {

struct Options {
  std::string file;
  std::string out;
  std::string csv;
  std::string board;
  std::string media;
  uint64_t at = UINT64_MAX;
};

Status export_board(log::EventLog& log, const Options& options, const edge::Sink& sink) {
  auto json = edge::board_json(log, options.board, options.at);
  if (!json) return std::unexpected(json.error());
  *json += "\n";
  return sink(*json) ? Status() : fail(Code::kIo, "the export could not be written");
}

// By the program beside this one, which links what writes WebM, Matroska and MP4.
int export_media(const Options& options) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "footlight-media").string();
  std::vector<const char*> arguments = {program.c_str(), "export", options.media.c_str()};
  if (!options.out.empty()) {
    arguments.push_back("--out");
    arguments.push_back(options.out.c_str());
  }
  arguments.push_back(nullptr);
  ::execv(program.c_str(), const_cast<char* const*>(arguments.data()));
  return complain({Code::kIo, program + " cannot be started", 0});
}

int export_log(const Options& options) {
  auto log = log::open_event_log({.path = options.file, .read_only = true, .create = false});
  if (!log) return complain(log.error());
  std::FILE* out = options.out.empty() ? stdout : std::fopen(options.out.c_str(), "wb");
  if (out == nullptr) return complain({Code::kIo, options.out + " cannot be opened", 0});
  const edge::Sink sink = [out](std::string_view chunk) {
    return std::fwrite(chunk.data(), 1, chunk.size(), out) == chunk.size();
  };
  const Status done = !options.board.empty() ? export_board(**log, options, sink)
                      : options.csv.empty()  ? edge::export_jsonl(**log, sink)
                                             : edge::export_csv(**log, options.csv, sink);
  // The last bytes may meet a full disk only here.
  const bool closed = out == stdout ? std::fflush(out) == 0 : std::fclose(out) == 0;
  if (!done) return complain(done.error());
  return closed ? 0 : complain({Code::kIo, "the export could not be written", 0});
}

}  // namespace

void add_export(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command(
      "export", "write an episode's log as JSON lines (docs/formats/export.md) or CSV", [options] {
        if (!options->media.empty()) return export_media(*options);
        if (!options->file.empty()) return export_log(*options);
        return complain({Code::kUsage, "name a log, or a recording with --media", 0});
      });
  command.option("file", options->file, "data/<id>.episode");
  command.option("-o,--out", options->out, "a file instead of the standard output");
  command.option("--csv", options->csv, "one table as CSV: ballots, polls, rolls, events");
  command.option("--board", options->board, "the content of a board, as JSON");
  command.option("--media", options->media,
                 "a recording as WebM, Matroska or MP4: its folder, data/<id>.media, or <id>. One "
                 "file for each publisher, or with --out one with all tracks");
  command.option("--at", options->at, "... as it was at this log sequence");
}

}  // namespace footlight::cli
