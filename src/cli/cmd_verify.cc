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

void print_json(const edge::VerifyReport& report) {
  std::string line;
  JsonWriter out(line);
  out.object().field("ok", report.ok).field("episode", std::string_view(report.episode));
  out.field("records", report.records).field("events", report.events);
  out.field("ballots", report.ballots).field("polls", report.polls).field("rolls", report.rolls);
  out.field("rolls_checked", report.rolls_checked).field("seed_revealed", report.seed_revealed);
  out.field("chain", std::string_view(to_hex(report.chain)));
  out.field("state_hash", std::string_view(to_hex(report.state_hash)));
  out.field("boards", report.boards)
      .field("snapshot_seq", report.snapshot_seq)
      .key("faults")
      .array();
  for (const std::string& fault : report.faults) out.value(std::string_view(fault));
  out.end_array().end_object();
  std::printf("%s\n", line.c_str());
}

void print_text(const edge::VerifyReport& report) {
  const auto n = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%s: %s\n", report.episode.c_str(), report.title.c_str());
  std::printf("  records     %llu, each hash follows from the one before\n", n(report.records));
  std::printf("  polls       %llu recounted from %llu ballots\n", n(report.polls),
              n(report.ballots));
  if (report.seed_revealed) {
    std::printf("  dice        %llu of %llu rolls follow from the revealed seed\n",
                n(report.rolls_checked), n(report.rolls));
  } else {
    std::printf("  dice        %llu rolls; the seed is revealed when the episode ends\n",
                n(report.rolls));
  }
  if (report.snapshot_seq > 0) {
    std::printf("  snapshot    of record %llu equals the replayed state\n", n(report.snapshot_seq));
  }
  if (report.boards > 0) {
    std::printf("  boards      %llu read whole\n", n(report.boards));
  }
  std::printf("  chain       %s\n", to_hex(report.chain).c_str());
  std::printf("  state       %s\n", to_hex(report.state_hash).c_str());
  for (const std::string& fault : report.faults) std::printf("  WRONG       %s\n", fault.c_str());
  std::printf("%s\n", report.ok ? "verified" : "does NOT verify");
}

int verify(const Options& options) {
  auto log = log::open_event_log({.path = options.file, .read_only = true, .create = false});
  if (!log) return complain(log.error());
  auto report = edge::verify_log(**log);
  if (!report) return complain(report.error());
  if (options.json) {
    print_json(*report);
  } else {
    print_text(*report);
  }
  return report->ok ? 0 : complain({Code::kVerifyFailed, options.file, 0}, kExitFound);
}

}  // namespace

void add_verify(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command(
      "verify", "check an episode's log: hash chain, state, every poll recounted, every roll",
      [options] { return verify(*options); });
  command.option("file", options->file, "data/<id>.episode").required();
  command.flag("--json", options->json, "one JSON object");
}

}  // namespace footlight::cli
