// Which operations a replica has: for each client the next clock expected of it, all before that
// being there. Peers exchange it to learn what to send (docs/formats/crdt-update.md, "State
// vector").
#pragma once
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "crdt/lib0.h"

namespace footlight::crdt {

class StateVector {
 public:
  struct Entry {
    uint64_t client = 0;
    uint64_t clock = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  StateVector() = default;
  // From entries in any order; of a client that comes more than once the highest clock stands.
  explicit StateVector(std::vector<Entry> entries);

  // 0 when the client is unknown. O(log n).
  uint64_t get(uint64_t client) const;
  // O(1) when clients come in ascending order, else O(n).
  void set(uint64_t client, uint64_t clock);
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  const std::vector<Entry>& entries() const { return entries_; }  // ascending client
  friend bool operator==(const StateVector&, const StateVector&) = default;

  // Clients in descending order, as yjs writes them since 13.5.
  void write(Encoder& out) const;
  Bytes encode() const;
  // Reads one in any order of clients; of a client that comes twice the highest clock stands.
  // Faults are left in `in`.
  static StateVector read(Decoder& in);
  // kCrdtMalformed: truncated, out of range, or bytes after the end. No bytes are an empty vector.
  static Result<StateVector> decode(ByteView bytes);

 private:
  std::vector<Entry> entries_;
};

}  // namespace footlight::crdt
