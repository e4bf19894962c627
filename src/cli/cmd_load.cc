#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/signing.h"
#include "core/json.h"
#include "ops/load.h"

namespace footlight::cli {
namespace {

struct Options {
  ops::LoadOptions load;
  SigningOptions signing;
  std::string episode;
  bool json = false;
};

void print_json(const ops::LoadReport& report) {
  std::string line;
  JsonWriter out(line);
  out.object().field("connections", report.connections);
  out.field("measured_ms", static_cast<uint64_t>(report.seconds * 1000));
  out.field("ballots_sent", report.ballots_sent)
      .field("ballots_confirmed", report.ballots_confirmed);
  out.field("tallies_received", report.tallies_received)
      .field("frames_received", report.frames_received);
  out.field("bytes_received", report.bytes_received);
  out.field("confirm_p50_us", report.confirm_us.quantile(500))
      .field("confirm_p99_us", report.confirm_us.quantile(990));
  out.field("tally_p50_us", report.tally_us.quantile(500))
      .field("tally_p99_us", report.tally_us.quantile(990));
  out.field("command_p50_us", report.command_us.quantile(500))
      .field("command_p99_us", report.command_us.quantile(990))
      .field("command_max_us", report.command_us.max())
      .field("commands", report.command_us.count());
  out.field("client_cpu_ms", static_cast<uint64_t>(report.client_cpu_s * 1000));
  out.field("server_cpu_ms", static_cast<uint64_t>(report.server_cpu_s * 1000));
  out.field("server_idle_bytes", report.server_rss_idle_bytes);
  out.field("server_connected_bytes", report.server_rss_connected_bytes);
  out.field("lost_connections", report.lost_connections).field("final_voters", report.final_voters);
  out.key("rejected").object();
  for (const auto& [code, count] : report.rejected) out.field(std::to_string(code), count);
  out.end_object().end_object();
  std::printf("%s\n", line.c_str());
}

void print_table(const ops::LoadReport& report) {
  const double confirmed = static_cast<double>(report.ballots_confirmed);
  std::printf("\n%llu connections, %.1f s measured\n",
              static_cast<unsigned long long>(report.connections), report.seconds);
  std::printf("  ballots confirmed   %12.0f /s\n", confirmed / report.seconds);
  std::printf("  send -> confirmed   p50 %.1f ms, p99 %.1f ms\n",
              static_cast<double>(report.confirm_us.quantile(500)) / 1000,
              static_cast<double>(report.confirm_us.quantile(990)) / 1000);
  std::printf("  send -> tally       p50 %.1f ms, p99 %.1f ms\n",
              static_cast<double>(report.tally_us.quantile(500)) / 1000,
              static_cast<double>(report.tally_us.quantile(990)) / 1000);
  if (report.command_us.count() > 0) {
    std::printf("  command             p50 %.1f ms, p99 %.1f ms, max %.1f ms, of %llu\n",
                static_cast<double>(report.command_us.quantile(500)) / 1000,
                static_cast<double>(report.command_us.quantile(990)) / 1000,
                static_cast<double>(report.command_us.max()) / 1000,
                static_cast<unsigned long long>(report.command_us.count()));
  }
  std::printf("  tallies received    %12.0f /s\n",
              static_cast<double>(report.tallies_received) / report.seconds);
  if (report.server_cpu_s > 0) {
    std::printf("  server CPU          %.2f cores; %.0f ballots, %.0f tallies per CPU second\n",
                report.server_cpu_s / report.seconds, confirmed / report.server_cpu_s,
                static_cast<double>(report.tallies_received) / report.server_cpu_s);
    std::printf(
        "  memory a session    %.1f KB\n",
        static_cast<double>(report.server_rss_connected_bytes - report.server_rss_idle_bytes) /
            1024 / static_cast<double>(report.connections));
  }
  for (const auto& [code, count] : report.rejected)
    std::printf("  rejected %d         %llu\n", code, static_cast<unsigned long long>(count));
  if (report.lost_connections > 0)
    std::printf("  lost connections    %llu\n",
                static_cast<unsigned long long>(report.lost_connections));
}

int load(const Options& options) {
  if (options.load.url.empty() || options.episode.empty()) {
    return complain({Code::kUsage, "load needs --url and --episode-id", 0});
  }
  catch_signals();
  auto tokens = token_source(options.signing, options.episode);
  if (!tokens) return complain(tokens.error());
  ProgressLine line("load", options.json);
  auto report = ops::run_load(
      options.load, *tokens, [&](const ops::Progress& progress) { line.show(progress); },
      interrupted());
  if (!report) return complain(report.error());
  if (report->seconds == 0) {
    std::fprintf(stderr, "footlight: stopped before anything was measured\n");
    return kExitFound;
  }
  options.json ? print_json(*report) : print_table(*report);
  return report->lost_connections > 0 ? kExitFound : 0;
}

}  // namespace

void add_load(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command("load",
                                 "many connections to a running server that vote as fast "
                                 "as asked, or listen; several processes add up",
                                 [options] { return load(*options); });
  command.option("--url", options->load.url, "the server");
  command.option("--episode-id", options->episode, "the episode's id");
  command.option("--connections", options->load.connections, "viewers").range(1, 1'000'000);
  command.option("--connects-per-s", options->load.connects_per_s, "pace of connecting");
  command.option("--votes-per-s", options->load.votes_per_s,
                 "ballots a second over all connections; 0 listens");
  command.option("--commands-per-s", options->load.commands_per_s,
                 "rolls a second of the director, timed to their confirmation");
  command.option("--batch", options->load.batch, "ballots in one frame").range(1, 64);
  command.option("--seconds", options->load.seconds, "measured time");
  command.option("--server-pid", options->load.server_pid,
                 "the server's process, for its CPU time and memory");
  command.flag("--json", options->json, "one JSON object");
  add_signing_options(command, options->signing);
  add_load_media(command);
}

}  // namespace footlight::cli
