#include <cstdio>

#include "cli/commands.h"

namespace footlight::cli {

int complain(const Error& error, int exit_code) {
  std::fprintf(stderr, "footlight: %s\n", error.message().c_str());
  return exit_code;
}

}  // namespace footlight::cli

int main(int argc, char** argv) {
  using namespace footlight::cli;
  CLI::App app("Footlight: the edge server for live interactive episodes");
  app.require_subcommand(1);
  app.set_version_flag("--version", FOOTLIGHT_VERSION);
  Run run;
  add_serve(app, run);
  add_check(app, run);
  add_token(app, run);
  add_rehearse(app, run);
  add_load(app, run);
  add_verify(app, run);
  add_replay(app, run);
  add_export(app, run);
  add_doctor(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kExitUsage;
  }
  return run();
}
