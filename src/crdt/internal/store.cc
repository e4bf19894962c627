#include "crdt/internal/store.h"

#include <algorithm>
#include <cstring>

#include "crdt/utf16.h"

namespace footlight::crdt::internal {

Store::Store(Doc* document, DocOptions opts) : doc(document), options(std::move(opts)) {}

Store::~Store() {
  for (TypeNode& type : types) {
    delete type.map;
    delete type.observers;
  }
}

uint32_t Store::find_client(uint64_t id) const {
  if (id == last_client_id_ && last_client_ != kNone) return last_client_;
  return client_table_.find(id);
}

uint32_t Store::client_index(uint64_t id) {
  uint32_t index = find_client(id);
  if (index == kNone) {
    index = static_cast<uint32_t>(clients.size());
    clients.emplace_back();
    clients.back().id = id;
    client_table_.insert(id, index);
  }
  last_client_id_ = id;
  last_client_ = index;
  return index;
}

uint32_t Store::own_client() {
  if (own == kNone) own = client_index(options.client);
  return own;
}

// --- contents

void Store::free_content(Item& item) {
  if (item.size > Item::kInline && item.ref != Ref::kType) heap.free(item.block, item.size_class);
  item.size = 0;
}

void Store::set_content(Item& item, ByteView bytes) {
  item.size = static_cast<uint32_t>(bytes.size());
  uint8_t* to = item.bytes;
  if (bytes.size() > Item::kInline) to = item.block = heap.make(item.size, item.size_class);
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

void Store::append_content(Item& item, ByteView more) {
  if (more.empty()) return;
  FL_ASSERT(more.size() < kNone - item.size, "content of an item is below 4 GiB");
  const uint32_t size = item.size + static_cast<uint32_t>(more.size());
  if (size <= Item::kInline) {
    std::memcpy(item.bytes + item.size, more.data(), more.size());
    item.size = size;
    return;
  }
  const bool inline_now = item.size <= Item::kInline;
  if (inline_now || heap.capacity(item.block, item.size_class) < size) {
    // A large block grows by half, so that appending costs constant time each.
    const uint64_t room = size < 1024 ? size : uint64_t{size} + size / 2;
    uint8_t size_class = 0;
    uint8_t* block = heap.make(static_cast<uint32_t>(std::min<uint64_t>(room, kNone)), size_class);
    if (item.size != 0) std::memcpy(block, item.data(), item.size);
    if (!inline_now) heap.free(item.block, item.size_class);
    item.block = block;
    item.size_class = size_class;
  }
  std::memcpy(item.block + item.size, more.data(), more.size());
  item.size = size;
}

namespace {

// Bytes of the first `units` elements of a content that can be cut; not for text.
size_t cut_bytes(const Item& item, ByteView bytes, uint32_t units) {
  if (item.ref == Ref::kDeleted) return 0;
  Decoder in(bytes);
  for (uint32_t i = 0; i < units; ++i) {
    if (item.ref == Ref::kAny) {
      (void)skip_any(in);
    } else {
      (void)in.var_bytes();
    }
  }
  FL_ASSERT(in.ok(), "contents in the store are well-formed");
  return bytes.size() - in.remaining();
}

bool can_join(Ref ref) {
  return ref == Ref::kDeleted || ref == Ref::kJson || ref == Ref::kString || ref == Ref::kAny;
}

}  // namespace

// --- splitting and joining

// Gives `right`, which has none yet, what `left` holds from element `offset` on.
void Store::split_content(Item& left, Item& right, uint32_t offset) {
  const ByteView all = content(left);
  size_t left_size;
  uint8_t mended[8];
  if (left.ref == Ref::kString) {
    const Utf8Cut cut =
        left.size == left.len ? Utf8Cut{offset, false} : utf8_cut(as_text(all), offset);
    left_size = cut.at;
    if (!cut.split) {
      set_content(right, all.subspan(cut.at));
    } else {
      // Both halves of a surrogate pair become U+FFFD: 4 bytes give way to 3 on each side.
      std::memcpy(mended, kReplacement.data(), 3);
      set_content(right, ByteView(mended, 3));
      append_content(right, all.subspan(cut.at + 4));
      uint8_t* data = left.size <= Item::kInline ? left.bytes : left.block;
      std::memcpy(data + cut.at, mended, 3);
      left_size = cut.at + 3;
    }
  } else {
    left_size = cut_bytes(left, all, offset);
    set_content(right, all.subspan(left_size));
  }
  if (left.size > Item::kInline && left_size <= Item::kInline) {
    uint8_t* block = left.block;
    std::memcpy(left.bytes, block, left_size);
    heap.free(block, left.size_class);
  } else if (left_size > Item::kInline &&
             heap.capacity(left.block, left.size_class) > 2 * left_size + 32) {
    uint8_t size_class = 0;
    uint8_t* block = heap.make(static_cast<uint32_t>(left_size), size_class);
    std::memcpy(block, left.block, left_size);
    heap.free(left.block, left.size_class);
    left.block = block;
    left.size_class = size_class;
  }
  left.size = static_cast<uint32_t>(left_size);
}

Handle Store::split(Handle handle, uint32_t offset) {
  const Handle right_handle = items.make();
  grown_.client = kNone;
  Item& left = items[handle];
  Item& right = items[right_handle];
  FL_ASSERT(offset > 0 && offset < left.len, "a split leaves two parts");
  right.client = left.client;
  right.clock = left.clock + offset;
  right.len = left.len - offset;
  right.left = handle;
  right.right = left.right;
  right.origin_client = left.client;
  right.origin_clock = right.clock - 1;
  right.right_client = left.right_client;
  right.right_clock = left.right_clock;
  right.parent = left.parent;
  right.group_or_key = left.group_or_key;
  right.ref = left.ref;
  right.flags = left.flags;
  right.stamp = left.stamp;

  split_content(left, right, offset);
  if (left.redone()) {
    LocalId id = redone[handle];
    id.clock += offset;
    redone[right_handle] = id;
  }
  left.right = right_handle;
  TypeNode& type = types[left.parent];
  if (right.right != kNone) {
    set_left(right.right, right.parent, right.group_or_key, right_handle);
  } else if (right.in_map()) {
    type.map->find(right.group_or_key)->tail = right_handle;
  } else {
    type.last = right_handle;
  }
  // The tree counts the right part when it is inserted, so it must not count it before.
  const int64_t units = right.visible();
  left.len = offset;
  if (!right.in_map()) {
    if (units != 0) sequences.adjust(type, handle, -units);
    sequences.insert(type, right_handle);
  }
  txn_->split.push_back({right.client, right.clock});
  return right_handle;
}

Handle Store::clean_start(uint32_t client, uint32_t clock) {
  StructIndex& index = clients[client].index;
  const StructIndex::At at = index.find(clock);
  const StructIndex::Entry entry = index.get(at);
  if (items[entry.item].packed()) {
    unpack(client, at);
    return find(client, clock);
  }
  if (entry.clock == clock || items[entry.item].is_gc()) return entry.item;
  const Handle right = split(entry.item, clock - entry.clock);
  index.insert_after(at, {clock, right});
  return right;
}

Handle Store::clean_end(uint32_t client, uint32_t clock) {
  StructIndex& index = clients[client].index;
  const StructIndex::At at = index.find(clock);
  const StructIndex::Entry entry = index.get(at);
  const Item& item = items[entry.item];
  if (item.packed()) {
    unpack(client, at);
    return find(client, clock);
  }
  if (item.end() == clock + 1 || item.is_gc()) return entry.item;
  const Handle right = split(entry.item, clock + 1 - entry.clock);
  index.insert_after(at, {clock + 1, right});
  return entry.item;
}

bool Store::try_join(Handle left_handle, Handle right_handle) {
  Item& left = items[left_handle];
  Item& right = items[right_handle];
  if (left.ref != right.ref) return false;
  if (left.is_gc()) {
    left.len += right.len;
    items.free(right_handle);
    return true;
  }
  if (left.deleted() != right.deleted() || left.right != right_handle ||
      right.origin_client != left.client || right.origin_clock != left.end() - 1 ||
      left.right_client != right.right_client ||
      (left.right_client != kNone && left.right_clock != right.right_clock) ||
      ((left.flags | right.flags) & Item::kRedoneFlag) != 0 || !can_join(left.ref)) {
    return false;
  }
  append_content(left, content(right));
  TypeNode& type = types[left.parent];
  if (left.in_map()) {
    if (right.right == kNone) type.map->find(left.group_or_key)->tail = left_handle;
  } else {
    if (type.cursor == right_handle) {
      type.cursor = left_handle;
      type.cursor_index -= left.visible();
    }
    if (type.last == right_handle) type.last = left_handle;
    sequences.absorb(type, right_handle);
  }
  left.flags |= right.flags & Item::kKeepFlag;
  left.right = right.right;
  if (left.right != kNone) set_left(left.right, left.parent, left.group_or_key, left_handle);
  left.len += right.len;
  free_content(right);
  items.free(right_handle);
  return true;
}

// --- clients' ends

void Store::moved(uint32_t client) {
  Client& c = clients[client];
  if (c.txn == txn_->number) return;
  c.txn = txn_->number;
  c.before = c.state;
  txn_->moved.push_back({client, c.state, 0});
}

void Store::add_struct(Handle handle) {
  const Item& item = items[handle];
  moved(item.client);
  Client& client = clients[item.client];
  FL_ASSERT(client.state == item.clock, "clocks of a client have no gaps");
  client.index.push_back({item.clock, handle});
  client.state = item.end();
}

// --- types

uint32_t Store::make_type(TypeRef kind, uint32_t name) {
  uint32_t slot;
  if (!free_types.empty()) {
    slot = free_types.back();
    free_types.pop_back();
    types[slot] = TypeNode{};
  } else {
    slot = static_cast<uint32_t>(types.size());
    types.emplace_back();
  }
  TypeNode& type = types[slot];
  type.kind = kind;
  type.name = name;
  type.alive = true;
  type.generation = ++generation_counter_;
  return slot;
}

void Store::free_type(uint32_t slot) {
  TypeNode& type = types[slot];
  sequences.clear(type);
  delete type.map;
  if (type.observers != nullptr) {
    typed_observers_ -=
        static_cast<uint32_t>(type.observers->direct.size() + type.observers->deep.size());
    delete type.observers;
  }
  type = TypeNode{};
  free_types.push_back(slot);
}

uint32_t Store::root(std::string_view name) {
  const uint32_t key = names.intern(name);
  const auto [it, made] = root_by_name.try_emplace(key, 0);
  if (made) {
    it->second = make_type(TypeRef::kNone, key);
    types[it->second].is_root = true;
    roots.push_back(it->second);
  }
  return it->second;
}

const TypeNode* Store::node(const Type& type) const {
  if (type.doc_ != doc || type.slot_ >= types.size()) return nullptr;
  const TypeNode& node = types[type.slot_];
  return node.alive && node.generation == type.generation_ ? &node : nullptr;
}

TypeNode* Store::node(const Type& type) {
  return const_cast<TypeNode*>(static_cast<const Store*>(this)->node(type));
}

}  // namespace footlight::crdt::internal
