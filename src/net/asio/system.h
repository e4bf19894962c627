// What the operating system gives a process: randomness, signals, descriptors, and what it uses.
#pragma once
#include <cstdint>
#include <string>

#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"

namespace footlight::net {

class SystemEntropy final : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override;  // any thread
};

// Raises the soft limit of open files as far as it may. Returns the limit now in force.
// kFileDescriptors when it is below `least`.
Result<uint64_t> raise_descriptor_limit(uint64_t least);

// SIGTERM, SIGINT and SIGHUP, taken by waiting instead of by handlers. Construct before any thread
// is started, so that all inherit the mask. One at a time. Its end takes those nobody waited for:
// they do nothing.
class SignalWaiter {
 public:
  SignalWaiter();
  ~SignalWaiter();
  SignalWaiter(const SignalWaiter&) = delete;
  SignalWaiter& operator=(const SignalWaiter&) = delete;
  // The signal's number, or 0 after `timeout_ms`.
  int wait(uint32_t timeout_ms);
};

struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t open_fds = 0;
  double cpu_s = 0;  // user and system
};
ProcessUsage process_usage();
double thread_cpu_s();  // user and system, of the calling thread

}  // namespace footlight::net
