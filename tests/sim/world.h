// One run from one seed: a node, its clients, what they do and what goes wrong, and at the end the
// audit.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bugs.h"
#include "client.h"
#include "core/sha256.h"
#include "ledger.h"
#include "node.h"
#include "scheduler.h"

namespace footlight::sim {

struct RunOptions {
  uint64_t seed = 1;
  Bug bug = Bug::kNone;
  bool verbose = false;
};

struct RunResult {
  std::string fault;  // "" when every promise held
  Hash256 hash{};     // of the log, the state, and every frame each client got
  uint64_t steps = 0;
  uint64_t frames = 0;
  uint64_t confirmed = 0;
  uint64_t rejected = 0;
  uint64_t records = 0;
  uint64_t starts = 0;  // of the process
  uint64_t virtual_ms = 0;
};

RunResult run(const RunOptions& options);

}  // namespace footlight::sim
