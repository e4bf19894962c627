#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "core/json.h"
#include "ops/doctor.h"

namespace footlight::cli {
namespace {

struct Options {
  ops::DoctorOptions doctor;
  bool json = false;
  bool quiet = false;
};

int doctor(const Options& options) {
  static constexpr const char* kMarks[] = {"ok  ", "warn", "BAD "};
  int bad = 0;
  for (const ops::Finding& finding : ops::examine(options.doctor)) {
    bad += finding.health == ops::Health::kBad ? 1 : 0;
    if (options.quiet) continue;
    if (options.json) {
      static constexpr const char* kNames[] = {"good", "warning", "bad"};
      std::string line;
      JsonWriter out(line);
      out.object()
          .field("what", std::string_view(finding.what))
          .field("health", kNames[static_cast<int>(finding.health)]);
      out.field("found", std::string_view(finding.found))
          .field("advice", std::string_view(finding.advice))
          .end_object();
      std::printf("%s\n", line.c_str());
      continue;
    }
    std::printf("%s  %-17s %s\n", kMarks[static_cast<int>(finding.health)], finding.what.c_str(),
                finding.found.c_str());
    if (!finding.advice.empty()) std::printf("      %-17s -> %s\n", "", finding.advice.c_str());
  }
  return bad > 0 ? kExitFound : 0;
}

}  // namespace

void add_doctor(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command(
      "doctor", "look for what would go wrong: ports, limits, disk sync, clock, certificate",
      [options] { return doctor(*options); });
  command.option("--url", options->doctor.url, "examine a running server instead of this machine");
  command.option("--data", options->doctor.data_dir, "the data directory");
  command.option("--port", options->doctor.port, "the port to serve on");
  command.option("--cert", options->doctor.certificate, "the TLS certificate, PEM");
  command.option("--audience", options->doctor.audience, "connections to be ready for");
  command.flag("--json", options->json, "one JSON object a line");
  command.flag("--quiet", options->quiet, "the exit code only");
}

}  // namespace footlight::cli
