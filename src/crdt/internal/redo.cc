// Undoing a deletion: the item is made anew, and the old one remembers as what.
// Source: yjs 13.6 `src/structs/Item.js` (redoItem, keepItem), `src/utils/isParentOf.js`.
#include <algorithm>

#include "crdt/internal/store.h"

namespace footlight::crdt::internal {
namespace {
constexpr int kMaxRedoDepth = 1000;  // types within types that are redone for one item
}

void Store::keep(Handle handle, bool keep) {
  while (handle != kNone && items[handle].keep() != keep) {
    Item& item = items[handle];
    item.flags =
        static_cast<uint8_t>(keep ? item.flags | Item::kKeepFlag : item.flags & ~Item::kKeepFlag);
    handle = types[item.parent].item;
  }
}

bool Store::in_scope(Handle handle, std::span<const uint32_t> scope) const {
  if (scope.empty()) return true;
  while (handle != kNone) {
    const uint32_t parent = items[handle].parent;
    if (std::find(scope.begin(), scope.end(), parent) != scope.end()) return true;
    handle = types[parent].item;
  }
  return false;
}

// What an item became by being made anew.
Handle Store::redone_as(Handle handle) {
  const LocalId id = redone.at(handle);
  return clean_start(id.client, id.clock);
}

void Store::redo_list_place(Handle handle, uint32_t parent, Handle& left, Handle& right) {
  const auto in_parent = [&](Handle h) { return items[h].parent == parent; };
  const auto current = [this](Handle h) { return redone_as(h); };
  // Its place: after the first neighbour on the left that has a living form in the parent.
  const auto traced = [&](Handle from) {
    Handle at = from;
    while (at != kNone && !in_parent(at)) at = items[at].redone() ? current(at) : kNone;
    return at;
  };
  left = items[handle].left;
  while (left != kNone) {
    if (const Handle at = traced(left); at != kNone) {
      left = at;
      break;
    }
    left = items[left].left;
  }
  right = handle;
  while (right != kNone) {
    if (const Handle at = traced(right); at != kNone) {
      right = at;
      break;
    }
    right = items[right].right;
  }
}

// False when another's value stands there now.
bool Store::redo_key_place(Handle handle, uint32_t parent, uint32_t key, const Redo& redo,
                           Handle& left) {
  const auto in_parent = [&](Handle h) { return items[h].parent == parent; };
  const auto current = [this](Handle h) { return redone_as(h); };
  const auto tail = [&]() -> Handle {
    const MapTable::Entry* entry =
        types[parent].map == nullptr ? nullptr : types[parent].map->find(key);
    return entry == nullptr ? kNone : entry->tail;
  };
  if (items[handle].right != kNone && !redo.ignore_remote_map_changes) {
    left = handle;
    while (left != kNone && items[left].right != kNone) {
      const Handle after = right_of(left);
      const Item& next = items[after];
      const Id id = wire_id(after);
      if (!next.redone() && !redo.deletable.contains(id) && !redo.stacks(id)) break;
      left = after;
      while (items[left].redone()) left = current(left);
    }
    // Someone else's value stands there now.
    if (left != kNone && items[left].right != kNone) return false;
  } else {
    left = tail();
  }
  if (left != kNone && !in_parent(left)) left = tail();
  return true;
}

Handle Store::redo_item(Handle handle, const Redo& redo, int depth) {
  if (items[handle].redone()) {
    const LocalId id = redone.at(handle);
    return clean_start(id.client, id.clock);
  }
  const auto current = [this](Handle h) {  // what an item became
    const LocalId id = redone.at(h);
    return clean_start(id.client, id.clock);
  };
  const uint32_t key = items[handle].in_map() ? items[handle].group_or_key : kNone;
  Handle parent_item = types[items[handle].parent].item;
  if (parent_item != kNone && items[parent_item].deleted()) {
    if (!items[parent_item].redone()) {
      const bool wanted = std::binary_search(redo.wanted.begin(), redo.wanted.end(), parent_item);
      if (!wanted || depth > kMaxRedoDepth || redo_item(parent_item, redo, depth + 1) == kNone) {
        return kNone;
      }
    }
    while (items[parent_item].redone()) parent_item = current(parent_item);
  }
  if (parent_item != kNone && items[parent_item].ref != Ref::kType) return kNone;
  const uint32_t parent = parent_item == kNone ? items[handle].parent : items[parent_item].type;
  Handle left = kNone;
  Handle right = kNone;
  if (key == kNone) {
    redo_list_place(handle, parent, left, right);
  } else if (!redo_key_place(handle, parent, key, redo, left)) {
    return kNone;
  }
  const Item& old = items[handle];
  Content content{old.ref, old.len, {}, kNone};
  Bytes copy;
  if (old.ref == Ref::kType) {
    content.type = make_type(types[old.type].kind, types[old.type].name);
  } else {
    const ByteView bytes = this->content(old);
    copy.assign(bytes.begin(), bytes.end());
    content.bytes = copy;
  }
  const uint32_t client = own_client();
  const LocalId id{client, clients[client].state};
  items[handle].flags |= Item::kRedoneFlag;
  redone[handle] = id;
  const Handle made = insert_new(parent, left, right, key, content);
  keep(made, true);
  return made;
}

}  // namespace footlight::crdt::internal
