// One transaction: what it changed, until its observers ran and its update was emitted.
#pragma once
#include <cstdint>
#include <vector>

#include "crdt/event.h"
#include "crdt/internal/item.h"

namespace footlight::crdt::internal {

struct LocalId {  // an id with its client by index
  uint32_t client = kNone;
  uint32_t clock = 0;
  friend bool operator==(const LocalId&, const LocalId&) = default;
};

struct LocalRange {
  uint32_t client = 0;
  uint32_t clock = 0;
  uint32_t len = 0;
  uint32_t end() const { return clock + len; }
};

struct Txn {
  struct Moved {  // a client whose state moved
    uint32_t client = 0;
    uint32_t before = 0;
    uint32_t after = 0;  // set when cleaning up begins
  };
  struct Changed {
    uint32_t type = 0;
    uint32_t generation = 0;
    uint32_t key = kNone;  // kNone: the list
  };

  uint32_t number = 0;
  Origin origin = kNoOrigin;
  bool local = true;
  bool format_cleanup = false;
  bool collect = false;         // an item was deleted that has content
  bool key_tombstones = false;  // something under a key was deleted
  std::vector<Moved> moved;
  std::vector<LocalRange> deleted;
  bool deleted_sorted = true;           // and none touches the next
  std::vector<uint32_t> deleted_order;  // clients in order of first deletion; by sort_deleted()
  std::vector<Changed> changed;
  std::vector<LocalId> split;             // structs that may join their neighbours again
  std::vector<uint32_t> changed_parents;  // types that had an event at or below them
  std::vector<LocalId> subdocs_added;
  std::vector<Subdoc> subdocs_removed;
  std::vector<LocalId> subdocs_loaded;

  void clear() {
    origin = kNoOrigin;
    local = true;
    format_cleanup = false;
    collect = false;
    key_tombstones = false;
    deleted_sorted = true;
    moved.clear();
    deleted.clear();
    deleted_order.clear();
    changed.clear();
    split.clear();
    changed_parents.clear();
    subdocs_added.clear();
    subdocs_removed.clear();
    subdocs_loaded.clear();
  }
  void add_deleted(uint32_t client, uint32_t clock, uint32_t len) {
    if (!deleted.empty()) {
      LocalRange& last = deleted.back();
      if (last.client == client && last.end() == clock) {
        last.len += len;
        return;
      }
      deleted_sorted = false;
    }
    deleted.push_back({client, clock, len});
  }
  void sort_deleted();
  bool deletes(uint32_t client, uint32_t clock) const;  // after sort_deleted()
};

}  // namespace footlight::crdt::internal
