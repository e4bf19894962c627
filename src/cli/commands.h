// The `footlight` command: one file a subcommand. add_x() declares options and, when the subcommand
// is chosen, sets `run`; main() calls it. Exit codes: 0 done and all well, 1 it ran and found
// something wrong (a broken budget, a log that does not verify), 2 the command line is wrong, 3 it
// could not run.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

#include "core/result.h"

namespace footlight::cli {

using Run = std::function<int()>;

inline constexpr int kExitFound = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFailed = 3;

void add_serve(CLI::App& app, Run& run);
void add_check(CLI::App& app, Run& run);
void add_token(CLI::App& app, Run& run);
void add_rehearse(CLI::App& app, Run& run);
void add_load(CLI::App& app, Run& run);
void add_verify(CLI::App& app, Run& run);
void add_replay(CLI::App& app, Run& run);
void add_export(CLI::App& app, Run& run);
void add_doctor(CLI::App& app, Run& run);

// Prints "footlight: 4305 The poll is closed; ..." on stderr; returns `exit_code`.
int complain(const Error& error, int exit_code = kExitFailed);

}  // namespace footlight::cli
