// The `footlight` command: one file a subcommand. add_x() declares it with its options. Exit codes:
// 0 done and all well, 1 it ran and found something wrong (a broken budget, a log that does not
// verify), 2 the command line is wrong, 3 it could not run.
#pragma once
#include "cli/arguments.h"
#include "core/result.h"

namespace footlight::cli {

inline constexpr int kExitFound = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFailed = 3;

void add_serve(CommandLine& line);
void add_check(CommandLine& line);
void add_token(CommandLine& line);
void add_rehearse(CommandLine& line);
void add_load(CommandLine& line);
void add_load_media(Command& load);
void add_verify(CommandLine& line);
void add_replay(CommandLine& line);
void add_export(CommandLine& line);
void add_doctor(CommandLine& line);

// Prints "footlight: 4305 The poll is closed; ..." on stderr; returns `exit_code`. Without one:
// kExitUsage for kUsage, kExitFailed else.
int complain(const Error& error);
int complain(const Error& error, int exit_code);

}  // namespace footlight::cli
