// Finds items of a list by index: an order-statistic tree over the chain of items.
//
// The leaves are groups of up to kMaxGroup neighbouring items; a group knows its first item, how
// many items it has and how many visible units, and is walked along the chain. Nodes above hold the
// sums. Inserting or deleting next to a known item touches its group and one path upwards; finding
// an index is one path downwards and a short walk.
#pragma once
#include <cstdint>

#include "crdt/internal/item.h"
#include "crdt/internal/type_node.h"

namespace footlight::crdt::internal {

using ItemPool = Pool<Item, 6>;

class Sequences {
 public:
  explicit Sequences(ItemPool& items) : items_(items) {}

  // `handle` stands in the chain already (left, right, type.start are set).
  void insert(TypeNode& type, Handle handle);
  // `handle` still stands in the chain; it is about to go. Its units stay counted in the list: the
  // neighbour on the left has taken them over.
  void absorb(TypeNode& type, Handle handle);
  // The units of an item change: it was deleted, or grew in place.
  void adjust(TypeNode& type, Handle handle, int64_t units);
  // The item that holds visible unit `index` < type.length, and the index of its first unit.
  Handle find(const TypeNode& type, uint32_t index, uint32_t& start) const;
  uint32_t index_of(const TypeNode& type, Handle handle) const;  // visible units before it
  // Forgets the list of a type that goes.
  void clear(TypeNode& type);
  uint64_t memory_bytes() const { return groups_.memory_bytes() + nodes_.memory_bytes(); }

 private:
  static constexpr uint32_t kMaxGroup = 32;
  static constexpr uint32_t kFan = 16;
  struct Group {
    Handle first = kNone;
    uint32_t count = 0;
    uint32_t units = 0;
    uint32_t node = kNone;
  };
  struct Node {
    uint32_t parent = kNone;
    uint16_t count = 0;
    uint16_t height = 1;  // 1: children are groups
    uint32_t child[kFan];
    uint32_t units[kFan];
  };

  static uint32_t slot_of(const Node& node, uint32_t child) {
    uint32_t i = 0;
    while (node.child[i] != child) ++i;
    return i;
  }
  void add_up(uint32_t node, uint32_t child, int64_t units);
  void split_group(TypeNode& type, uint32_t group, Handle inserted);
  void insert_child(TypeNode& type, uint32_t node, uint32_t after, uint32_t child, uint32_t units);
  void remove_group(TypeNode& type, uint32_t group);
  void set_parent(uint32_t child, uint16_t height, uint32_t node);
  void clear_below(uint32_t root, uint8_t height);

  ItemPool& items_;
  Pool<Group, 5> groups_;
  Pool<Node, 3> nodes_;
};

}  // namespace footlight::crdt::internal
