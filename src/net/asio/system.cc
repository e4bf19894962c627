#include "net/asio/system.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "core/assert.h"

namespace footlight::net {
namespace {

sigset_t waited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

void SystemEntropy::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t count = getrandom(out.data(), out.size(), 0);
    FL_ASSERT(count > 0 || errno == EINTR, "the system gives random bytes");
    if (count > 0) out = out.subspan(static_cast<size_t>(count));
  }
}

Result<uint64_t> raise_descriptor_limit(uint64_t least) {
  rlimit limit{};
  FL_ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0, "there is a limit of open files");
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  if (limit.rlim_cur < least) {
    return fail(Code::kFileDescriptors, "the limit is " + std::to_string(limit.rlim_cur) +
                                            ", at least " + std::to_string(least) + " are needed");
  }
  return limit.rlim_cur;
}

SignalWaiter::SignalWaiter() {
  const sigset_t set = waited_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalWaiter::~SignalWaiter() {
  while (wait(0) != 0) {
  }
  const sigset_t set = waited_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int SignalWaiter::wait(uint32_t timeout_ms) {
  const sigset_t set = waited_signals();
  const timespec timeout{timeout_ms / 1000, static_cast<long>(timeout_ms % 1000) * 1'000'000};
  const int signal = sigtimedwait(&set, nullptr, &timeout);
  return signal > 0 ? signal : 0;
}

double thread_cpu_s() {
  rusage times{};
  getrusage(RUSAGE_THREAD, &times);
  return seconds_of(times.ru_utime) + seconds_of(times.ru_stime);
}

ProcessUsage process_usage() {
  ProcessUsage usage;
  if (FILE* file = std::fopen("/proc/self/statm", "re")) {
    unsigned long long total = 0;
    unsigned long long resident = 0;
    if (std::fscanf(file, "%llu %llu", &total, &resident) == 2) {
      usage.resident_bytes = resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    }
    std::fclose(file);
  }
  if (DIR* directory = opendir("/proc/self/fd")) {
    while (readdir(directory) != nullptr) ++usage.open_fds;
    closedir(directory);
    usage.open_fds -= usage.open_fds > 3 ? 3 : usage.open_fds;  // ".", "..", the listing itself
  }
  rusage times{};
  getrusage(RUSAGE_SELF, &times);
  usage.cpu_s = seconds_of(times.ru_utime) + seconds_of(times.ru_stime);
  return usage;
}

}  // namespace footlight::net
