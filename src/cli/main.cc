#include <cstdio>

#include "cli/commands.h"

namespace footlight::cli {

int complain(const Error& error, int exit_code) {
  std::fprintf(stderr, "footlight: %s\n", error.message().c_str());
  return exit_code;
}

int complain(const Error& error) {
  return complain(error, error.code == Code::kUsage ? kExitUsage : kExitFailed);
}

}  // namespace footlight::cli

int main(int argc, char** argv) {
  using namespace footlight::cli;
  CommandLine line("Footlight: the edge server for live interactive episodes", FOOTLIGHT_VERSION);
  add_serve(line);
  add_check(line);
  add_token(line);
  add_rehearse(line);
  add_load(line);
  add_verify(line);
  add_replay(line);
  add_export(line);
  add_doctor(line);
  return line.run(argc, argv);
}
