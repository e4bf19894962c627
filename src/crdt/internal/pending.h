// Structs and deletes that came before what they depend on.
//
// Of each client its waiting structs stand in order of clock, and the first of them waits for one
// known thing: a clock of some client. When that client's state passes the clock, and only then,
// the queue is tried again; so n updates behind one missing update cost n, not n squared.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "crdt/struct.h"

namespace footlight::crdt::internal {

struct PendingStruct {
  struct Join {     // where a struct that came by itself was joined
    uint32_t len;   // of what stands before it
    uint32_t size;  // of the content before it
  };
  DecodedStruct s;  // its views point into `bytes`
  Bytes bytes;      // names, then content
  std::vector<Join> joins;
  void take(const DecodedStruct& from);
  void append(const DecodedStruct& next);
  size_t parts() const { return joins.size() + 1; }
  DecodedStruct part(size_t i) const;  // as it came

 private:
  void point();
};

struct PendingClient {
  std::deque<PendingStruct> queue;  // ascending clock; never empty
  uint64_t wait_client = 0;
  uint64_t wait_clock = 0;  // waits until the state of wait_client is above this
};

class Pending {
 public:
  bool empty() const { return clients_.empty(); }
  std::map<uint64_t, PendingClient>& clients() { return clients_; }
  const std::map<uint64_t, PendingClient>& clients() const { return clients_; }
  // Copies the struct in, unless one that covers it waits already; what continues the one before it
  // is joined to it.
  void add(const DecodedStruct& s);
  void wait(uint64_t client, uint64_t for_client, uint64_t for_clock);
  // Clients whose first struct waits for `client` to pass a clock below `state`.
  void woken(uint64_t client, uint64_t state, std::vector<uint64_t>& out);
  void pop_front(std::map<uint64_t, PendingClient>::iterator it);
  void clear();
  uint64_t structs() const { return structs_; }
  uint64_t bytes() const { return bytes_; }

  // Deleted ranges beyond a client's state, by client, then clock; they may overlap.
  std::map<uint64_t, std::map<uint64_t, uint64_t>> deletes;  // client -> clock -> end
  uint64_t delete_ranges = 0;
  void add_delete(uint64_t client, uint64_t clock, uint64_t end);

 private:
  std::map<uint64_t, PendingClient> clients_;
  std::map<uint64_t, std::vector<uint64_t>> waiting_;  // for client -> who
  uint64_t structs_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace footlight::crdt::internal
