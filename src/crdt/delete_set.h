// Sets of ids as ranges of clocks by client: what was deleted, what an update contains.
//
// A set is *normal* when its ranges are ordered (client descending, clock ascending) and none
// touches the next. add() may leave it otherwise; normalize() mends that; whatever looks ranges up
// or compares needs a normal set and says so.
//
// Source: yjs 13.6 `src/utils/DeleteSet.js`.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "crdt/lib0.h"
#include "crdt/struct.h"

namespace footlight::crdt {

struct IdRange {
  uint64_t client = 0;
  uint64_t clock = 0;
  uint64_t len = 0;  // > 0
  uint64_t end() const { return clock + len; }
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

class DeleteSet {
 public:
  bool empty() const { return ranges_.empty(); }
  const std::vector<IdRange>& ranges() const { return ranges_; }
  size_t clients() const;  // of a normal set

  void clear() { ranges_.clear(); }  // keeps the memory
  // Appends, and joins with the range added last when it goes on from there.
  void add(uint64_t client, uint64_t clock, uint64_t len) {
    if (!ranges_.empty() && ranges_.back().client == client && ranges_.back().end() == clock) {
      ranges_.back().len += len;
    } else {
      ranges_.push_back({client, clock, len});
    }
  }
  void add(const DeleteSet& other);
  void normalize();

  // Of a normal set.
  bool contains(Id id) const;
  bool covers(uint64_t client, uint64_t clock, uint64_t len) const;  // all of the range
  std::span<const IdRange> of(uint64_t client) const;
  friend bool operator==(const DeleteSet&, const DeleteSet&) = default;

  // As it stands at the end of an update and at the start of a snapshot. Writing needs a normal
  // set. Reading appends what it reads in the order written; kRange, kEmpty, kTruncated by `in`.
  void write(Encoder& out, UpdateFormat format) const;
  void read(Decoder& in, UpdateFormat format);

 private:
  std::vector<IdRange> ranges_;
};

}  // namespace footlight::crdt
