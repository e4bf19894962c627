// Where an item goes among items inserted concurrently at the same place, and deleting.
// Source: yjs 13.6 `src/structs/Item.js` (integrate, delete), `src/structs/ContentType.js`.
#include <algorithm>
#include <cstring>

#include "crdt/internal/formats.h"
#include "crdt/internal/store.h"
#include "crdt/utf16.h"

namespace footlight::crdt::internal {

// The item's left neighbour. Items between `left` and `right` were inserted concurrently; each is
// passed once. Marks: an item passed in this scan has a stamp >= first; one that was passed since
// `left` moved last has the current stamp.
Handle Store::resolve(const Item& item, Handle left, Handle right) {
  if (stamp_ > 0xF0000000) {
    for (const Client& client : clients) {
      if (client.index.empty()) continue;
      for (StructIndex::At at; client.index.valid(at); at = client.index.after(at)) {
        items[client.index.item(at)].stamp = 0;
      }
    }
    stamp_ = 0;
  }
  const uint32_t first = ++stamp_;
  const uint64_t own_id = clients[item.client].id;
  Handle at;
  if (left != kNone) {
    at = items[left].right;
  } else if (item.in_map()) {
    MapTable* map = types[item.parent].map;
    const MapTable::Entry* entry = map == nullptr ? nullptr : map->find(item.group_or_key);
    at = entry == nullptr ? kNone : entry->head;
  } else {
    at = types[item.parent].start;
  }
  Handle passed = left;
  while (at != kNone && at != right) {
    if (items[at].packed()) {  // the head of a chain is never in a pack
      at = right_of(passed);
      continue;
    }
    passed = at;
    Item& other = items[at];
    other.stamp = stamp_;
    if (other.origin_client == item.origin_client &&
        (item.origin_client == kNone || other.origin_clock == item.origin_clock)) {
      if (clients[other.client].id < own_id) {
        left = at;
        ++stamp_;
      } else if (other.right_client == item.right_client &&
                 (item.right_client == kNone || other.right_clock == item.right_clock)) {
        break;
      }
    } else if (other.origin_client != kNone) {
      // The struct that holds the other's origin is most often its neighbour.
      const Item* origin = other.left == kNone ? nullptr : &items[other.left];
      if (origin == nullptr || origin->client != other.origin_client ||
          other.origin_clock < origin->clock || other.origin_clock >= origin->end()) {
        origin = &items[find(other.origin_client, other.origin_clock)];
      }
      if (origin->stamp < first) break;
      if (origin->stamp != stamp_) {
        left = at;
        ++stamp_;
      }
    } else {
      break;
    }
    at = other.right;
  }
  ++stamp_;
  return left;
}

void Store::mark_changed(uint32_t slot, uint32_t key) {
  TypeNode& type = types[slot];
  if (type.item != kNone) {
    const Item& holder = items[type.item];
    if (holder.deleted() || holder.clock >= before(holder.client)) return;
  }
  uint32_t& changed = key == kNone ? type.changed : type.map->get(key).changed;
  if (changed == txn_->number) return;
  changed = txn_->number;
  txn_->changed.push_back({slot, type.generation, key});
}

void Store::integrate(Handle handle, Handle left, Handle right) {
  Item& item = items[handle];
  TypeNode& type = types[item.parent];
  const uint32_t key = item.in_map() ? item.group_or_key : kNone;
  if ((left == kNone && (right == kNone || items[right].left != kNone)) ||
      (left != kNone && items[left].right != right)) {
    left = resolve(item, left, right);
  }
  MapTable::Entry* entry = nullptr;
  if (key != kNone) {
    if (type.map == nullptr) type.map = new MapTable();
    entry = &type.map->get(key);
  }
  item.left = left;
  if (left != kNone) {
    item.right = items[left].right;
    items[left].right = handle;
  } else if (key != kNone) {
    item.right = entry->head;
    entry->head = handle;
  } else {
    item.right = type.start;
    type.start = handle;
  }
  if (item.right != kNone) {
    set_left(item.right, item.parent, item.group_or_key, handle);
  } else if (key != kNone) {
    entry->tail = handle;
    if (left != kNone) delete_item(left);
  } else {
    type.last = handle;
  }
  if (item.ref == Ref::kDeleted) item.flags |= Item::kDeletedFlag;
  if (key == kNone) {
    type.length += item.visible();
    type.cursor = kNone;
    sequences.insert(type, handle);
  }
  add_struct(handle);
  switch (item.ref) {
    case Ref::kDeleted:
      txn_->add_deleted(item.client, item.clock, item.len);
      if (item.in_map()) txn_->key_tombstones = true;
      break;
    case Ref::kFormat:
      type.has_formatting = true;
      // Readers look keys up and find only what is interned.
      (void)names.intern(read_format(content(item)).key);
      break;
    case Ref::kType:
      types[item.type].item = handle;
      break;
    case Ref::kDoc:
      txn_->subdocs_added.push_back({item.client, item.clock});
      break;
    default:
      break;
  }
  mark_changed(item.parent, key);
  if ((type.item != kNone && items[type.item].deleted()) || (key != kNone && item.right != kNone)) {
    delete_item(handle);
  }
}

void Store::delete_item(Handle first) {
  // Depth of nesting is the peer's choice, so children wait in a list instead of on the stack.
  const size_t base = work_.size();
  work_.push_back(first);
  while (work_.size() > base) {
    const Handle handle = work_.back();
    work_.pop_back();
    Item& item = items[handle];
    if (item.deleted()) continue;
    TypeNode& parent = types[item.parent];
    const uint32_t units = item.visible();
    if (!item.in_map()) {
      parent.length -= units;
      parent.cursor = kNone;
      if (units != 0) sequences.adjust(parent, handle, -static_cast<int64_t>(units));
    }
    item.flags |= Item::kDeletedFlag;
    txn_->collect = true;
    if (item.in_map()) txn_->key_tombstones = true;
    txn_->add_deleted(item.client, item.clock, item.len);
    mark_changed(item.parent, item.in_map() ? item.group_or_key : kNone);
    if (item.ref == Ref::kDoc) {
      const LocalId id{item.client, item.clock};
      auto& added = txn_->subdocs_added;
      const auto it = std::find(added.begin(), added.end(), id);
      if (it != added.end()) {
        added.erase(it);
      } else if (const Value value = value_of(handle, 0); value.subdoc() != nullptr) {
        txn_->subdocs_removed.push_back(*value.subdoc());
      }
    }
    if (item.ref != Ref::kType) continue;
    TypeNode& type = types[item.type];
    const auto child = [this](Handle h) {
      const Item& c = items[h];
      if (!c.deleted()) {
        work_.push_back(h);
      } else if (c.clock < before(c.client)) {
        // It is collected with its parent, but nothing else says that it may join its neighbours.
        txn_->split.push_back({c.client, c.clock});
      }
    };
    const auto from = static_cast<std::ptrdiff_t>(work_.size());
    for (Handle h = type.start; h != kNone; h = items[h].right) child(h);
    if (type.map != nullptr) {
      for (const MapTable::Entry& entry : type.map->entries()) {
        if (entry.tail != kNone) child(entry.tail);
      }
    }
    // The first child is next, with all below it, as in yjs, which goes down by recursion: the
    // order of first deletion decides which formats are cleaned up and what an undo makes anew
    // first.
    std::reverse(work_.begin() + from, work_.end());
  }
}

void Store::add_gc(uint32_t client, uint32_t clock, uint32_t len) {
  Client& c = clients[client];
  if (!c.index.empty()) {
    Item& last = items[c.index.item(c.index.last())];
    if (last.is_gc()) {
      moved(client);
      last.len += len;
      clients[client].state += len;
      return;
    }
  }
  const Handle handle = items.make();
  Item& item = items[handle];
  item.client = client;
  item.clock = clock;
  item.len = len;
  item.flags = Item::kDeletedFlag;
  add_struct(handle);
}

// Appends to the item on the left what a new item on its right would join it as, when the
// transaction ends; so typing makes no items. Its right origin is part of the condition.
bool Store::grow(Handle left_handle, Handle right, uint32_t slot, const Content& content,
                 uint32_t client, LocalId right_origin) {
  Item& left = items[left_handle];
  if (left.ref != content.ref || left.client != client || left.right != right ||
      left.end() != clients[client].state || left.right_client != right_origin.client ||
      (right_origin.client != kNone && left.right_clock != right_origin.clock) ||
      (left.flags & (Item::kRedoneFlag | Item::kMapFlag)) != 0 ||
      left.deleted() != (content.ref == Ref::kDeleted)) {
    return false;
  }
  TypeNode& type = types[slot];
  if (type.item != kNone && items[type.item].deleted()) return false;
  moved(client);
  if (left.end() == before(client)) grown_ = {client, left.clock, left.len, left.size};
  append_content(left, content.bytes);
  left.len += content.len;
  clients[client].state += content.len;
  if (left.deleted()) {
    txn_->add_deleted(client, left.end() - content.len, content.len);
  } else {
    type.length += content.len;
    type.cursor = kNone;
    sequences.adjust(type, left_handle, content.len);
  }
  mark_changed(slot, kNone);
  return true;
}

Handle Store::insert(uint32_t slot, Handle left, Handle right, uint32_t key,
                     const Content& content) {
  const uint32_t client = own_client();
  const LocalId right_origin =
      right == kNone ? LocalId{} : LocalId{items[right].client, items[right].clock};
  FL_ASSERT(kMaxClock - clients[client].state >= content.len, "clocks of one client are used up");
  if (left != kNone && key == kNone && (content.ref == Ref::kString || content.ref == Ref::kAny) &&
      grow(left, right, slot, content, client, right_origin)) {
    return left;
  }
  return insert_new(slot, left, right, key, content);
}

Handle Store::insert_new(uint32_t slot, Handle left, Handle right, uint32_t key,
                         const Content& content) {
  const uint32_t client = own_client();
  const Handle handle = items.make();
  Item& item = items[handle];
  item.client = client;
  item.clock = clients[client].state;
  item.len = content.len;
  if (left != kNone) {
    item.origin_client = items[left].client;
    item.origin_clock = items[left].end() - 1;
  }
  if (right != kNone) {
    item.right_client = items[right].client;
    item.right_clock = items[right].clock;
  }
  item.parent = slot;
  item.ref = content.ref;
  if (key != kNone) {
    item.flags = Item::kMapFlag;
    item.group_or_key = key;
  }
  if (content.ref == Ref::kType) {
    item.type = content.type;
  } else {
    set_content(item, content.bytes);
  }
  integrate(handle, left, right);
  return handle;
}

// An item as it was read, without origins and not in any chain yet.
Handle Store::make_item(const DecodedStruct& s, LocalRange range, ByteView bytes, uint32_t parent,
                        uint32_t key) {
  const Handle handle = items.make();
  Item& item = items[handle];
  item.client = range.client;
  item.clock = range.clock;
  item.len = range.len;
  item.parent = parent;
  item.ref = s.ref;
  if (key != kNone) {
    item.flags = Item::kMapFlag;
    item.group_or_key = key;
  }
  if (s.ref == Ref::kType) {
    const auto kind = static_cast<TypeRef>(s.content[0]);
    const bool named = kind == TypeRef::kXmlElement || kind == TypeRef::kXmlHook;
    item.type = make_type(kind, named ? names.intern(as_text(s.content.subspan(1))) : kNone);
  } else if (s.ref != Ref::kDeleted) {
    set_content(item, bytes);
  }
  return handle;
}

// The type a struct goes into, and its key; kNone when it is gone.
uint32_t Store::parent_of(const DecodedStruct& s, Handle left, Handle right, uint32_t& key) {
  if (s.parent_kind == ParentKind::kInherit) {
    if (left == kNone && right == kNone) return kNone;
    const Item& neighbour = items[left != kNone ? left : right];
    if (neighbour.in_map()) key = neighbour.group_or_key;
    return neighbour.parent;
  }
  uint32_t parent = kNone;
  if (s.parent_kind == ParentKind::kRoot) {
    parent = root(s.parent_name);
  } else {
    const Item& holder =
        items[find(client_index(s.parent_id.client), static_cast<uint32_t>(s.parent_id.clock))];
    if (holder.ref == Ref::kType) parent = holder.type;
  }
  if (parent != kNone && s.has_parent_sub) key = names.intern(s.parent_sub);
  return parent;
}

void Store::integrate_struct(const DecodedStruct& s, uint32_t client, uint32_t offset) {
  ++applied_structs_;
  const auto clock = static_cast<uint32_t>(s.id.clock) + offset;
  const auto len = static_cast<uint32_t>(s.len) - offset;
  if (s.ref == Ref::kGc) return add_gc(client, clock, len);
  Handle left = kNone;
  Handle right = kNone;
  LocalId origin;
  LocalId right_origin;
  if (s.has_origin) {
    origin = {client_index(s.origin.client), static_cast<uint32_t>(s.origin.clock)};
    left = clean_end(origin.client, origin.clock);
  }
  if (s.has_right_origin) {
    right_origin = {client_index(s.right_origin.client),
                    static_cast<uint32_t>(s.right_origin.clock)};
    right = clean_start(right_origin.client, right_origin.clock);
    // An undo can name as right neighbour what is left of the left one, and cutting there may have
    // cut that. In yjs, which joins at the end of a transaction, what has come in this one is
    // apart.
    if (left != kNone && items[left].end() <= origin.clock &&
        right_origin.clock >= before(right_origin.client)) {
      left = clean_end(origin.client, origin.clock);
    }
  }
  if ((left != kNone && items[left].is_gc()) || (right != kNone && items[right].is_gc())) {
    return add_gc(client, clock, len);
  }
  uint32_t key = kNone;
  const uint32_t parent = parent_of(s, left, right, key);
  if (parent == kNone) return add_gc(client, clock, len);
  Content content{s.ref, len, s.content, kNone};
  DecodedStruct rest;
  Scratch cut;
  if (offset > 0) {
    rest = s;
    cut_front(rest, offset, cut);
    content.bytes = rest.content;
    origin = {client, clock - 1};
    left = clean_end(client, clock - 1);
    if (items[left].is_gc()) return add_gc(client, clock, len);
  }
  if (left != kNone) {
    // Only a client that gives one clock two meanings gets here with another list's item.
    const Item& l = items[left];
    if (l.parent != parent || l.in_map() != (key != kNone) ||
        (key != kNone && l.group_or_key != key)) {
      return add_gc(client, clock, len);
    }
  }
  if (left != kNone && key == kNone && !items[left].in_map() && items[left].client == client &&
      origin == LocalId{client, items[left].end() - 1} &&
      (s.ref == Ref::kString || s.ref == Ref::kAny || s.ref == Ref::kDeleted ||
       s.ref == Ref::kJson) &&
      items[left].right == right && grow(left, right, parent, content, client, right_origin)) {
    return;
  }
  const Handle handle = make_item(s, {client, clock, len}, content.bytes, parent, key);
  Item& item = items[handle];
  item.origin_client = origin.client;
  item.origin_clock = origin.clock;
  item.right_client = right_origin.client;
  item.right_clock = right_origin.clock;
  integrate(handle, left, right);
  if (key != kNone && s.ref == Ref::kDeleted && left != kNone) pack_behind(client, left);
}

}  // namespace footlight::crdt::internal
