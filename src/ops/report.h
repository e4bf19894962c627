// What a rehearsal or a load run found: each latency class beside its budget, and counts that must
// agree.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/histogram.h"

namespace footlight::ops {

// The latency budget of docs/ARCHITECTURE.md: an action class and the p99 it must hold,
// milliseconds.
struct Budget {
  std::string name;     // "vote"
  std::string meaning;  // "click → a tally with it at another client"
  uint32_t p99_ms = 0;
  uint32_t never_over_ms = 0;  // 0: no bound on the maximum
};
const std::vector<Budget>& budgets();
// Of voice and video, when they are part of it.
const std::vector<Budget>& media_budgets();

struct Measured {
  Budget budget;
  Histogram us;  // microseconds
  // Nothing measured holds nothing: a class without samples does not hold.
  bool holds() const;
};

struct Promise {  // a count that must be right, e.g. "events confirmed"
  std::string name;
  uint64_t expected = 0;
  uint64_t found = 0;
  bool holds() const { return expected == found; }
};

struct Bound {  // a figure that may not be larger, e.g. "voice lost"
  std::string name;
  std::string unit;
  uint64_t most = 0;
  uint64_t found = 0;
  bool holds() const { return found <= most; }
};

struct Report {
  std::vector<Measured> classes;
  std::vector<Promise> promises;
  std::vector<Bound> bounds;
  std::string fault;  // the first thing that went wrong with media; "" when nothing did
  uint64_t clients = 0;
  uint64_t events_sent = 0;
  uint64_t events_confirmed = 0;
  uint64_t frames_received = 0;
  uint64_t bytes_received = 0;
  uint64_t reconnects = 0;
  std::map<int, uint64_t> rejected;  // by code
  double seconds = 0;

  Measured& of(std::string_view name);
  bool holds() const;
  std::string table() const;                       // for people
  std::string json(std::string_view bench) const;  // one object a line
};

}  // namespace footlight::ops
