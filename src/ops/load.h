// Load: many connections to one episode that vote as fast as asked, or only listen.
//
// It needs an open poll; the director opens one of its own (poll.create, poll.open) unless
// votes_per_s is 0. What the server spends is read from /proc when it runs on this machine.
#pragma once
#include <atomic>
#include <functional>

#include "core/histogram.h"
#include "ops/show.h"
#include "ops/stage.h"

namespace footlight::ops {

struct LoadOptions {
  std::string url;
  bool tls_verify = true;
  uint32_t connections = 1'000;
  uint32_t connects_per_s = 3'000;
  uint32_t votes_per_s = 1'000;  // ballots, over all connections; 0: listen only
  uint32_t batch = 1;            // ballots a connection puts in one frame
  uint32_t commands_per_s = 0;   // rolls of the director, one by one
  uint32_t seconds = 10;         // measured, after a warm-up of 2 s
  int server_pid = 0;            // 0: unknown; CPU and memory are then not told
};

struct LoadReport {
  uint64_t connections = 0;
  double seconds = 0;
  uint64_t ballots_sent = 0;
  uint64_t ballots_confirmed = 0;
  std::map<int, uint64_t> rejected;
  uint64_t tallies_received = 0;  // over all connections, while measured
  uint64_t frames_received = 0;
  uint64_t bytes_received = 0;
  Histogram confirm_us;                     // send → confirmed
  Histogram tally_us;                       // send → tally with it at another connection
  Histogram command_us;                     // send → confirmed, of the director's rolls
  double server_cpu_s = 0;                  // while measured; 0: unknown
  double client_cpu_s = 0;                  // of this process
  uint64_t server_rss_idle_bytes = 0;       // user space, before the first connection
  uint64_t server_rss_connected_bytes = 0;  // ... with all connected and idle
  uint64_t lost_connections = 0;
  uint64_t final_voters = 0;  // of the last tally
};

// kFileDescriptors: the connections are more than this process may have open. kUnreachable: too few
// were let in; the detail says what the server said.
Result<LoadReport> run_load(const LoadOptions& options, const TokenSource& tokens,
                            const std::function<void(const Progress&)>& progress,
                            const std::atomic<bool>& stop);

// Processor seconds (user + system) a process has used, from /proc/PID/stat; -1 when it is not
// there.
double process_cpu_s(int pid);
// Resident anonymous memory of a process, bytes; 0 when it is not there.
uint64_t process_memory_bytes(int pid);

}  // namespace footlight::ops
