// footlight_sim: seeds in, violations out.
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bugs.h"
#include "world.h"

namespace footlight::sim {
namespace {

struct Arguments {
  uint64_t seeds = 200;
  uint64_t start = 1;
  uint64_t jobs = 1;
  Bug bug = Bug::kNone;
  std::string bug_name;
  bool verbose = false;
  bool quiet = false;
  bool list = false;
  bool find = false;  // with --bug: expects a violation, prints the first seed that has one
};

constexpr uint64_t kRerunEvery = 20;

int usage() {
  std::puts(
      "footlight_sim [--seeds N] [--start S] [--jobs J] [--verbose] [--quiet]\n"
      "              [--bug NAME [--find]] [--list-bugs]\n"
      "Runs one simulated show per seed; exits 1 at the first broken promise. Every 20th seed is\n"
      "run twice and must end in the same hash. --find exits 0 when the planted bug is caught.");
  return 2;
}

bool number(const char* text, uint64_t& out) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), out);
  return error == std::errc() && *end == '\0';
}

int parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    uint64_t* target = name == "--seeds"   ? &out.seeds
                       : name == "--start" ? &out.start
                       : name == "--jobs"  ? &out.jobs
                                           : nullptr;
    if (target != nullptr) {
      if (value == nullptr || !number(value, *target)) return usage();
      ++i;
    } else if (name == "--bug") {
      const auto bug = value == nullptr ? std::nullopt : parse_bug(value);
      if (!bug) return usage();
      out.bug = *bug;
      out.bug_name = value;
      ++i;
    } else if (name == "--verbose") {
      out.verbose = true;
    } else if (name == "--quiet") {
      out.quiet = true;
    } else if (name == "--find") {
      out.find = true;
    } else if (name == "--list-bugs") {
      out.list = true;
    } else {
      return usage();
    }
  }
  return 0;
}

std::string short_hash(const Hash256& hash) { return to_hex(ByteView(hash)).substr(0, 16); }

// Every `jobs`-th seed, from `first` on. 1 at the first violation.
int run_seeds(const Arguments& args, uint64_t first) {
  for (uint64_t seed = first; seed < args.start + args.seeds; seed += args.jobs) {
    const RunOptions options{seed, args.bug, args.verbose};
    RunResult result = run(options);
    if (result.fault.empty() && seed % kRerunEvery == 0 && args.bug == Bug::kNone) {
      const RunResult again = run(options);
      if (again.hash != result.hash) {
        result.fault =
            "a rerun ended in " + short_hash(again.hash) + " instead of " + short_hash(result.hash);
      }
    }
    if (!result.fault.empty()) {
      if (args.find) {
        std::printf("%-22s seed %llu: %s\n", args.bug_name.c_str(),
                    static_cast<unsigned long long>(seed), result.fault.c_str());
        return 0;
      }
      std::printf(
          "seed %llu FAILED %s\nrerun: footlight_sim --seeds 1 --start %llu --verbose%s%s\n",
          static_cast<unsigned long long>(seed), result.fault.c_str(),
          static_cast<unsigned long long>(seed), args.bug_name.empty() ? "" : " --bug ",
          args.bug_name.c_str());
      return 1;
    }
    if (!args.quiet) {
      std::printf(
          "seed %llu ok %s  %llu steps %llu frames %llu confirmed %llu rejected "
          "%llu records %llu starts %llu ms\n",
          static_cast<unsigned long long>(seed), short_hash(result.hash).c_str(),
          static_cast<unsigned long long>(result.steps),
          static_cast<unsigned long long>(result.frames),
          static_cast<unsigned long long>(result.confirmed),
          static_cast<unsigned long long>(result.rejected),
          static_cast<unsigned long long>(result.records),
          static_cast<unsigned long long>(result.starts),
          static_cast<unsigned long long>(result.virtual_ms));
      std::fflush(stdout);
    }
  }
  if (args.find) {
    std::printf("%-22s NOT CAUGHT in %llu seeds\n", args.bug_name.c_str(),
                static_cast<unsigned long long>(args.seeds));
    return 1;
  }
  return 0;
}

// Processes, not threads: a run owns SQLite's default VFS.
int run_jobs(const Arguments& args) {
  if (args.jobs <= 1) return run_seeds(args, args.start);
  std::vector<pid_t> children;
  for (uint64_t job = 0; job < args.jobs; ++job) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      const int code = run_seeds(args, args.start + job);
      std::fflush(stdout);
      _exit(code);
    }
    children.push_back(child);
  }
  int worst = 0;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) {
      worst = 1;
      std::printf("a job died of signal %d\n", WTERMSIG(status));
    } else if (WEXITSTATUS(status) > worst) {
      worst = WEXITSTATUS(status);
    }
  }
  return worst;
}

}  // namespace
}  // namespace footlight::sim

int main(int argc, char** argv) {
  using namespace footlight::sim;
  Arguments args;
  if (const int code = parse(argc, argv, args); code != 0) return code;
  if (args.list) {
    for (const BugInfo& info : kBugs) {
      std::printf("%-22s %s\n", std::string(info.name).c_str(), std::string(info.what).c_str());
    }
    return 0;
  }
  if (args.jobs == 0) args.jobs = 1;
  const int code = run_jobs(args);
  if (code == 0 && !args.find) {
    std::printf("%llu seeds from %llu: every promise held\n",
                static_cast<unsigned long long>(args.seeds),
                static_cast<unsigned long long>(args.start));
  }
  return code;
}
