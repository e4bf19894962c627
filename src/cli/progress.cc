#include "cli/progress.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>

namespace footlight::cli {
namespace {

std::atomic<bool> g_interrupted{false};

}  // namespace

ProgressLine::ProgressLine(std::string name, bool quiet)
    : name_(std::move(name)), quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (terminal_ && !last_.empty()) std::fputc('\n', stderr);
}

void ProgressLine::show(const ops::Progress& progress) {
  if (quiet_) return;
  const int percent = static_cast<int>(progress.part * 100);
  if (!terminal_) {
    const int tenths = percent / 10;
    if (tenths == told_tenths_ && progress.status == last_) return;
    if (tenths == told_tenths_ && percent > 0) return;
    if (percent == 0 && !last_.empty() && tenths == told_tenths_) return;
    told_tenths_ = tenths;
    last_ = progress.status;
    std::fprintf(stderr, "%s %3d %%  %s\n", name_.c_str(), percent, progress.status.c_str());
    return;
  }
  constexpr int kWidth = 30;
  std::string bar(static_cast<size_t>(percent * kWidth / 100), '#');
  bar.resize(kWidth, '.');
  last_ = progress.status;
  std::fprintf(stderr, "\r%s [%s] %3d %%  %-45s", name_.c_str(), bar.c_str(), percent,
               progress.status.c_str());
  std::fflush(stderr);
}

const std::atomic<bool>& interrupted() { return g_interrupted; }

void catch_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { g_interrupted = true; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace footlight::cli
