#include "crdt/internal/sequence.h"

#include <cstring>

#include "core/assert.h"

namespace footlight::crdt::internal {

void Sequences::insert(TypeNode& type, Handle handle) {
  Item& item = items_[handle];
  uint32_t g;
  if (item.left != kNone) {
    g = items_[item.left].group_or_key;
  } else if (item.right != kNone) {
    g = items_[item.right].group_or_key;
  } else {
    g = groups_.make();
    type.root = g;
    type.height = 0;
  }
  item.group_or_key = g;
  Group& group = groups_[g];
  if (item.left == kNone) group.first = handle;
  ++group.count;
  const uint32_t units = item.visible();
  group.units += units;
  if (units != 0) add_up(group.node, g, units);
  if (group.count > kMaxGroup) split_group(type, g, handle);
}

void Sequences::adjust(TypeNode&, Handle handle, int64_t units) {
  const uint32_t g = items_[handle].group_or_key;
  Group& group = groups_[g];
  group.units = static_cast<uint32_t>(group.units + units);
  add_up(group.node, g, units);
}

void Sequences::add_up(uint32_t node, uint32_t child, int64_t units) {
  while (node != kNone) {
    Node& n = nodes_[node];
    uint32_t& sum = n.units[slot_of(n, child)];
    sum = static_cast<uint32_t>(sum + units);
    child = node;
    node = n.parent;
  }
}

void Sequences::absorb(TypeNode& type, Handle handle) {
  const Item& item = items_[handle];
  const uint32_t g = item.group_or_key;
  const uint32_t units = item.visible();
  FL_ASSERT(item.left != kNone, "an item is absorbed by its left neighbour");
  const uint32_t into = items_[item.left].group_or_key;
  if (into != g && units != 0) {
    groups_[g].units -= units;
    add_up(groups_[g].node, g, -static_cast<int64_t>(units));
    groups_[into].units += units;
    add_up(groups_[into].node, into, units);
  }
  Group& group = groups_[g];
  if (--group.count == 0) {
    remove_group(type, g);
  } else if (group.first == handle) {
    group.first = item.right;
  }
}

void Sequences::split_group(TypeNode& type, uint32_t g, Handle inserted) {
  const uint32_t upper = groups_.make();
  Group& group = groups_[g];
  Group& fresh = groups_[upper];
  // Appending fills groups: only the last item moves on.
  const bool appended = items_[inserted].right == kNone;
  const uint32_t keep = appended ? group.count - 1 : group.count / 2;
  Handle at = group.first;
  if (appended) {
    at = inserted;
  } else {
    for (uint32_t i = 0; i < keep; ++i) at = items_[at].right;
  }
  fresh.first = at;
  fresh.count = group.count - keep;
  for (uint32_t i = 0; i < fresh.count; ++i) {
    Item& item = items_[at];
    item.group_or_key = upper;
    fresh.units += item.visible();
    at = item.right;
  }
  group.count = keep;
  group.units -= fresh.units;
  const uint32_t units = fresh.units;
  if (group.node == kNone) {
    const uint32_t node = nodes_.make();
    Node& n = nodes_[node];
    n.count = 1;
    n.child[0] = g;
    n.units[0] = group.units + units;
    group.node = node;
    type.root = node;
    type.height = 1;
  }
  Node& n = nodes_[group.node];
  n.units[slot_of(n, g)] -= units;
  insert_child(type, group.node, g, upper, units);
}

void Sequences::set_parent(uint32_t child, uint16_t height, uint32_t node) {
  if (height == 1) {
    groups_[child].node = node;
  } else {
    nodes_[child].parent = node;
  }
}

// The sums above `node` hold `units` already: they only moved from `after` to its new sibling.
void Sequences::insert_child(TypeNode& type, uint32_t node, uint32_t after, uint32_t child,
                             uint32_t units) {
  if (nodes_[node].count == kFan) {
    const uint32_t upper = nodes_.make();
    Node& full = nodes_[node];
    Node& fresh = nodes_[upper];
    const uint32_t slot = slot_of(full, after);
    const bool at_end = slot + 1 == kFan;
    const uint32_t keep = at_end ? kFan - 1 : kFan / 2;
    fresh.height = full.height;
    fresh.count = static_cast<uint16_t>(kFan - keep);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < fresh.count; ++i) {
      fresh.child[i] = full.child[keep + i];
      fresh.units[i] = full.units[keep + i];
      moved += fresh.units[i];
      set_parent(fresh.child[i], fresh.height, upper);
    }
    full.count = static_cast<uint16_t>(keep);
    const bool in_upper = slot >= keep;
    // `units` will be added to one of the halves below, and is part of what stands above.
    const uint32_t upper_units = moved + (in_upper ? units : 0);
    if (full.parent == kNone) {
      const uint32_t top = nodes_.make();
      Node& root = nodes_[top];
      uint32_t all = upper_units + (in_upper ? 0 : units);
      for (uint32_t i = 0; i < full.count; ++i) all += full.units[i];
      root.height = static_cast<uint16_t>(full.height + 1);
      root.count = 1;
      root.child[0] = node;
      root.units[0] = all;
      full.parent = top;
      type.root = top;
      type.height = static_cast<uint8_t>(root.height);
    }
    Node& parent = nodes_[full.parent];
    parent.units[slot_of(parent, node)] -= upper_units;
    insert_child(type, full.parent, node, upper, upper_units);
    if (in_upper) node = upper;
  }
  Node& n = nodes_[node];
  const uint32_t slot = slot_of(n, after) + 1;
  std::memmove(n.child + slot + 1, n.child + slot, (n.count - slot) * sizeof(uint32_t));
  std::memmove(n.units + slot + 1, n.units + slot, (n.count - slot) * sizeof(uint32_t));
  n.child[slot] = child;
  n.units[slot] = units;
  ++n.count;
  set_parent(child, n.height, node);
}

void Sequences::remove_group(TypeNode& type, uint32_t g) {
  uint32_t node = groups_[g].node;
  uint32_t child = g;
  groups_.free(g);
  if (node == kNone) {
    type.root = kNone;
    return;
  }
  while (true) {
    Node& n = nodes_[node];
    const uint32_t slot = slot_of(n, child);
    FL_ASSERT(n.units[slot] == 0, "only an empty group goes");
    std::memmove(n.child + slot, n.child + slot + 1, (n.count - slot - 1) * sizeof(uint32_t));
    std::memmove(n.units + slot, n.units + slot + 1, (n.count - slot - 1) * sizeof(uint32_t));
    if (--n.count != 0) break;
    child = node;
    node = n.parent;
    nodes_.free(child);
    FL_ASSERT(node != kNone, "the absorbing item's group is still there");
  }
  while (type.height > 0 && nodes_[type.root].count == 1) {
    const uint32_t old = type.root;
    type.root = nodes_[old].child[0];
    --type.height;
    if (type.height == 0) {
      groups_[type.root].node = kNone;
    } else {
      nodes_[type.root].parent = kNone;
    }
    nodes_.free(old);
  }
}

Handle Sequences::find(const TypeNode& type, uint32_t index, uint32_t& start) const {
  FL_ASSERT(index < type.length, "the index is in the list");
  uint32_t at = type.root;
  uint32_t before = 0;
  for (uint8_t height = type.height; height > 0; --height) {
    const Node& node = nodes_[at];
    uint32_t i = 0;
    while (index - before >= node.units[i]) before += node.units[i++];
    at = node.child[i];
  }
  Handle handle = groups_[at].first;
  while (true) {
    const Item& item = items_[handle];
    const uint32_t units = item.visible();
    if (index - before < units) break;
    before += units;
    handle = item.right;
  }
  start = before;
  return handle;
}

uint32_t Sequences::index_of(const TypeNode&, Handle handle) const {
  const uint32_t g = items_[handle].group_or_key;
  uint32_t before = 0;
  for (Handle at = groups_[g].first; at != handle; at = items_[at].right) {
    before += items_[at].visible();
  }
  uint32_t child = g;
  for (uint32_t node = groups_[g].node; node != kNone; node = nodes_[node].parent) {
    const Node& n = nodes_[node];
    for (uint32_t i = 0; n.child[i] != child; ++i) before += n.units[i];
    child = node;
  }
  return before;
}

void Sequences::clear_below(uint32_t root, uint8_t height) {
  if (height == 0) {
    groups_.free(root);
    return;
  }
  // Height is at most the logarithm of the length, so this recursion is shallow.
  for (uint32_t i = 0; i < nodes_[root].count; ++i) {
    clear_below(nodes_[root].child[i], static_cast<uint8_t>(height - 1));
  }
  nodes_.free(root);
}

void Sequences::clear(TypeNode& type) {
  if (type.root != kNone) clear_below(type.root, type.height);
  type.root = kNone;
  type.height = 0;
}

}  // namespace footlight::crdt::internal
