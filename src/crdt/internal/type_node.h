// A shared type of a document: what its items hang from.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "crdt/internal/item.h"

namespace footlight::crdt::internal {

// The keys of a type in order of first use, each with the rightmost item of its chain.
class MapTable {
 public:
  struct Entry {
    uint32_t key = 0;      // name
    Handle tail = kNone;   // kNone: only the place in the order is left
    Handle head = kNone;   // leftmost item of the chain
    uint32_t changed = 0;  // transaction that changed the key last
  };
  Entry* find(uint32_t key);
  Entry& get(uint32_t key);  // made when absent; valid until the next get()
  std::vector<Entry>& entries() { return entries_; }
  const std::vector<Entry>& entries() const { return entries_; }
  uint64_t memory_bytes() const {
    return sizeof(*this) + entries_.capacity() * sizeof(Entry) +
           slots_.capacity() * sizeof(uint32_t);
  }

 private:
  void rebuild();
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // open addressing by key, once there are more than a few
};

struct Observers;

struct TypeNode {
  Handle item = kNone;    // that holds the type; kNone: a root
  uint32_t name = kNone;  // of a root, an XML element or a hook
  uint32_t generation = 0;
  Handle start = kNone;   // first item of the list
  Handle last = kNone;    // last item of the list
  uint32_t length = 0;    // visible units of the list
  uint32_t root = kNone;  // of the sequence: a group when height is 0, else a node
  Handle cursor = kNone;  // an item whose index is known
  uint32_t cursor_index = 0;
  uint32_t changed = 0;  // transaction that changed the list last
  MapTable* map = nullptr;
  Observers* observers = nullptr;
  uint8_t height = 0;
  TypeRef kind = TypeRef::kNone;
  bool alive = false;
  bool is_root = false;
  bool has_formatting = false;
};

}  // namespace footlight::crdt::internal
