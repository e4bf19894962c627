// Who is there: for each client id a clock and a JSON value that only its owner sets. Not part of
// the document, not durable; each state must be renewed and is forgotten 30 s after it was last.
//
// The rules are those of y-protocols' awareness.js: a higher clock wins, of equal clocks the
// removal does. What a peer may set is the caller's word: `may` is asked for each client of an
// update, and those it denies are passed over (stock clients repeat what they hear of others).
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/time.h"

namespace footlight::crdt {

struct AwarenessLimits {
  size_t state_bytes = 4'096;  // of one client's JSON
  size_t states = 10'000;      // clients with a state at one time
  size_t entries = 1'024;      // in one update
  MonoUs timeout_us = 30 * kUsPerSecond;
};

class Awareness {
 public:
  explicit Awareness(AwarenessLimits limits = {}) : limits_(limits) {}

  struct Entry {
    uint64_t client = 0;
    bool removal = false;
  };
  // What an update says, without applying it. kBoardMalformed, kBoardAwareness.
  Result<std::vector<Entry>> entries(ByteView update) const;

  // Applies it whole; appends the clients whose state or clock changed to `changed`.
  // kBoardMalformed, kBoardAwareness (a state too large, too many of them): nothing is changed.
  Status apply(ByteView update, MonoUs now_us, const std::function<bool(uint64_t)>& may,
               std::vector<uint64_t>& changed);
  // False when it has no state.
  bool remove(uint64_t client);
  // Removes what was not renewed in time; appends to `changed`.
  void expire(MonoUs now_us, std::vector<uint64_t>& changed);
  MonoUs next_due_us() const;  // kNever when nobody is there

  bool has(uint64_t client) const;
  size_t size() const { return present_; }
  std::vector<uint64_t> present() const;
  // An awareness update with these clients' clocks and states (null for the removed).
  Bytes encode(const std::vector<uint64_t>& clients) const;
  size_t memory_bytes() const { return bytes_; }

 private:
  struct State {
    uint64_t clock = 0;
    bool present = false;
    std::string json;
    MonoUs renewed_us = 0;
  };
  void forget_absent();

  AwarenessLimits limits_;
  std::map<uint64_t, State> states_;  // the absent too: their clocks must not go back
  size_t present_ = 0;
  size_t bytes_ = 0;
};

}  // namespace footlight::crdt
