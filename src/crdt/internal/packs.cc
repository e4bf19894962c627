// Packs: runs of tombstones of map keys, many in the space of one item.
//
// A counter that is set again and again leaves a tombstone for each set. Set alternately with other
// keys the tombstones do not join, since each has the one before of its own key as origin. A pack
// stands for n such structs of one client, each of length 1, whose origins are all `stride` clocks
// back: element i belongs to lane i % stride, and a lane is one key's chain. It is one entry of the
// client's index; in the chains it stands where its elements stood. Whatever needs one element
// unpacks the whole; packing happens when a transaction ends. What is encoded does not change.
#include <algorithm>
#include <cstring>

#include "crdt/internal/store.h"

namespace footlight::crdt::internal {
namespace {
constexpr uint32_t kMinStride = 2;
constexpr uint32_t kMaxStride = 64;
}  // namespace

PackLane* Store::lanes(Handle pack) { return reinterpret_cast<PackLane*>(items[pack].block); }
const PackLane* Store::lanes(Handle pack) const {
  return reinterpret_cast<const PackLane*>(items[pack].block);
}

PackLane& Store::lane_of(Handle pack, uint32_t parent, uint32_t key) {
  PackLane* lane = lanes(pack);
  const PackLane* end = lane + std::min(items[pack].len, items[pack].origin_clock);
  while (lane != end && (lane->parent != parent || lane->key != key)) ++lane;
  FL_ASSERT(lane != end, "a pack that stands in a chain has a lane for it");
  return *lane;
}

// The neighbour of a chain's item, itself perhaps a pack, is now another.
void Store::set_left(Handle of, uint32_t parent, uint32_t key, Handle left) {
  if (!items[of].packed()) {
    items[of].left = left;
    return;
  }
  lane_of(of, parent, key).left = left;
}

void Store::set_right(Handle of, uint32_t parent, uint32_t key, Handle right) {
  if (!items[of].packed()) {
    items[of].right = right;
    return;
  }
  lane_of(of, parent, key).right = right;
}

// The stride of a tombstone that may be an element, else 0.
uint32_t Store::pack_stride(Handle handle) const {
  const Item& item = items[handle];
  if (item.ref != Ref::kDeleted || item.len != 1 || !item.in_map() || item.keep() ||
      item.redone() || item.right_client != kNone || item.origin_client != item.client ||
      item.left == kNone || item.right == kNone) {
    return 0;
  }
  const uint32_t stride = item.clock - item.origin_clock;
  if (stride < kMinStride || stride > kMaxStride) return 0;
  const Item& left = items[item.left];
  const bool exact =
      left.client == item.client &&
      (left.packed() ? left.clock <= item.origin_clock && item.origin_clock < left.end()
                     : left.end() == item.origin_clock + 1);
  return exact ? stride : 0;
}

bool Store::pack_append(Handle pack, Handle handle) {
  Item& p = items[pack];
  const Item& item = items[handle];
  const uint32_t stride = p.origin_clock;
  if (item.clock != p.end() || pack_stride(handle) != stride) return false;
  PackLane* lane = lanes(pack) + p.len % stride;
  if (p.len < stride) {
    for (const PackLane* other = lanes(pack); other != lane; ++other) {
      if (other->parent == item.parent && other->key == item.group_or_key) return false;
    }
    if (item.left == pack) return false;
    *lane = {item.parent, item.group_or_key, item.left, item.right};
    set_right(item.left, item.parent, item.group_or_key, pack);
  } else {
    if (item.left != pack || lane->right != handle || lane->parent != item.parent ||
        lane->key != item.group_or_key) {
      return false;
    }
    lane->right = item.right;
  }
  set_left(item.right, item.parent, item.group_or_key, pack);
  ++p.len;
  items.free(handle);
  return true;
}

// A pack of the element at `at` alone, in its place.
Handle Store::pack_start(StructIndex& index, StructIndex::At at, uint32_t stride) {
  const Handle old = index.item(at);
  const Handle pack = items.make();
  Item& p = items[pack];
  const Item& item = items[old];
  p.client = item.client;
  p.clock = item.clock;
  p.len = 0;
  p.ref = kPackedRef;
  p.flags = Item::kDeletedFlag | Item::kMapFlag;
  p.parent = item.parent;
  p.group_or_key = item.group_or_key;
  p.origin_clock = stride;
  p.size = static_cast<uint32_t>(stride * sizeof(PackLane));
  p.block = heap.make(p.size, p.size_class);
  ++clients[item.client].packs;
  const bool first = pack_append(pack, old);
  FL_ASSERT(first, "a tombstone with a stride begins a pack");
  index.set_item(at, pack);
  return pack;
}

// Whether a pack, begun if need be, ends before the tombstone at `at` and may take it in.
bool Store::pack_before(StructIndex& index, StructIndex::At at) {
  const Item& item = items[index.item(at)];
  const uint32_t stride = item.packed() ? 0 : pack_stride(index.item(at));
  if (stride == 0 || index.is_first(at)) return false;
  const StructIndex::At to = index.before(at);
  const Item& before = items[index.item(to)];
  if (before.packed()) return before.origin_clock == stride;
  const bool same_key = before.parent == item.parent && before.group_or_key == item.group_or_key;
  if (before.end() != item.clock || same_key || pack_stride(index.item(to)) != stride) {
    return false;
  }
  (void)pack_start(index, to, stride);
  return true;
}

// Packing while an update is applied keeps a long history of tombstones from ever standing in
// memory as items.
void Store::pack_behind(uint32_t client, Handle tombstone) {
  const Item& item = items[tombstone];
  if (!options.gc || item.client != client || item.ref != Ref::kDeleted || item.len != 1) return;
  StructIndex& index = clients[client].index;
  const StructIndex::At at = index.find(item.clock);
  if (index.is_first(at)) return;
  const StructIndex::At to = index.before(at);
  if (!items[index.item(to)].packed() && !pack_before(index, at)) return;
  if (pack_append(index.item(to), tombstone)) index.erase_after(to, 1);
}

void Store::pack_deleted(const Txn& txn) {
  for (const LocalRange& range : txn.deleted) {
    StructIndex& index = clients[range.client].index;
    StructIndex::At at = index.find(range.clock);
    while (index.valid(at) && index.get(at).clock < range.end()) {
      if (!pack_before(index, at)) {
        at = index.after(at);
        continue;
      }
      const StructIndex::At to = index.before(at);
      const Handle pack = index.item(to);
      uint32_t count = 0;
      StructIndex::At next = at;
      while (index.valid(next) && index.get(next).clock < range.end() &&
             !items[index.item(next)].packed() && pack_append(pack, index.item(next))) {
        ++count;
        next = index.after(next);
      }
      if (count == 0) {
        at = index.after(at);
        continue;
      }
      index.erase_after(to, count);
      at = index.after(to);
    }
  }
}

// --- runs: structs that go on with the lanes of a pack, read one after the other
//
// Between a pack and its client's end stand the last tombstone of each of its lanes, as items, for
// each is the tail of its key's chain. A struct that continues a lane moves the lane's tail along
// by one stride and lets the pack take in the place where it stood. Of whole strides of such
// structs all tails move by as much; nothing else changes. So they are only counted, and moved at
// once.

bool Store::run_begins(const DecodedStruct& s, uint32_t client, PackRun& run) const {
  const Client& c = clients[client];
  if (c.packs == 0 || !is_run_struct(s) || s.id.clock != c.state || !options.gc) return false;
  const uint64_t back = s.id.clock - s.origin.clock;
  if (back < kMinStride || back > kMaxStride) return false;
  const auto stride = static_cast<uint32_t>(back);
  StructIndex::At at = c.index.last();
  for (uint32_t i = 1; i <= stride; ++i) {
    if (c.index.get(at).clock != c.state - i || c.index.is_first(at)) return false;
    at = c.index.before(at);
  }
  const Handle pack = c.index.item(at);
  const Item& p = items[pack];
  if (!p.packed() || p.origin_clock != stride || p.len < stride) return false;
  for (uint32_t i = 0; i < stride; ++i) {
    at = c.index.after(at);
    const Handle tail = c.index.item(at);
    const Item& item = items[tail];
    if (item.ref != Ref::kDeleted || item.len != 1 || !item.in_map() || item.keep() ||
        item.redone() || item.right_client != kNone || item.origin_client != client ||
        item.clock - item.origin_clock != stride || item.left != pack || item.right != kNone ||
        lanes(pack)[(p.len + i) % stride].right != tail) {
      return false;
    }
  }
  run = {.client = s.id.client, .next = s.id.clock + 1, .count = 1, .stride = stride};
  return true;
}

void Store::end_run(uint32_t client, const PackRun& run) {
  const uint32_t whole = run.count - run.count % run.stride;
  if (whole != 0) {
    moved(client);
    Client& c = clients[client];
    StructIndex::At at = c.index.last();
    for (uint32_t i = 1; i < run.stride; ++i) at = c.index.before(at);
    items[c.index.item(c.index.before(at))].len += whole;
    for (uint32_t i = 0; i < run.stride; ++i, at = c.index.after(at)) {
      Item& item = items[c.index.item(at)];
      item.clock += whole;
      item.origin_clock += whole;
      c.index.set_clock(at, item.clock);
      mark_changed(item.parent, item.group_or_key);
    }
    txn_->add_deleted(client, c.state, whole);
    txn_->key_tombstones = true;
    c.state += whole;
    applied_structs_ += whole;
  }
  DecodedStruct s;
  s.len = 1;
  s.ref = Ref::kDeleted;
  s.has_origin = true;
  for (uint64_t clock = run.next - run.count + whole; clock < run.next; ++clock) {
    s.id = {run.client, clock};
    s.origin = {run.client, clock - run.stride};
    integrate_struct(s, client, 0);
  }
}

Handle Store::make_element(const Item& pack, const PackLane& lane, uint32_t i) {
  const uint32_t client = pack.client;
  const uint32_t clock = pack.clock + i;
  const uint32_t stride = pack.origin_clock;
  const Handle handle = items.make();
  Item& item = items[handle];
  item.client = client;
  item.clock = clock;
  item.len = 1;
  item.origin_client = client;
  item.origin_clock = clock - stride;
  item.parent = lane.parent;
  item.group_or_key = lane.key;
  item.ref = Ref::kDeleted;
  item.flags = Item::kDeletedFlag | Item::kMapFlag;
  return handle;
}

void Store::unpack(uint32_t client, StructIndex::At at) {
  StructIndex& index = clients[client].index;
  const Handle pack = index.item(at);
  const Item p = items[pack];
  const uint32_t stride = p.origin_clock;
  std::vector<Handle> made(p.len);
  for (uint32_t i = 0; i < p.len; ++i) {
    const PackLane& lane = lanes(pack)[i % stride];
    made[i] = make_element(p, lane, i);
    Item& item = items[made[i]];
    if (i >= stride) {
      item.left = made[i - stride];
      items[made[i - stride]].right = made[i];
    } else {
      item.left = lane.left;
    }
    if (i + stride >= p.len) item.right = lane.right;
  }
  for (uint32_t i = 0; i < p.len; ++i) {
    const PackLane lane = lanes(pack)[i % stride];
    if (i < stride) set_right(lane.left, lane.parent, lane.key, made[i]);
    if (i + stride >= p.len) set_left(lane.right, lane.parent, lane.key, made[i]);
  }
  index.set_item(at, made[0]);
  for (uint32_t i = 1; i < p.len; ++i) at = index.insert_after(at, {p.clock + i, made[i]});
  heap.free(p.block, p.size_class);
  items.free(pack);
  --clients[client].packs;
}

// The last element is an item again, behind the pack; what follows it is about to join it.
void Store::unpack_last(uint32_t client, StructIndex::At at) {
  StructIndex& index = clients[client].index;
  const Handle pack = index.item(at);
  Item& p = items[pack];
  const uint32_t i = p.len - 1;
  if (i == 0) {
    unpack(client, at);
    return;
  }
  const uint32_t stride = p.origin_clock;
  PackLane& lane = lanes(pack)[i % stride];
  const Handle handle = make_element(p, lane, i);
  Item& item = items[handle];
  item.right = lane.right;
  set_left(lane.right, lane.parent, lane.key, handle);
  if (i >= stride) {
    item.left = pack;
    lane.right = handle;
  } else {
    item.left = lane.left;
    set_right(lane.left, lane.parent, lane.key, handle);
    lane = {kNone, kNone, kNone, kNone};
  }
  --p.len;
  index.insert_after(at, {item.clock, handle});
}

Handle Store::right_of(Handle handle) {
  const Handle right = items[handle].right;
  if (right == kNone || !items[right].packed()) return right;
  const uint32_t client = items[right].client;
  unpack(client, clients[client].index.find(items[right].clock));
  return items[handle].right;
}

Handle Store::left_of(Handle handle) {
  const Handle left = items[handle].left;
  if (left == kNone || !items[left].packed()) return left;
  const uint32_t client = items[left].client;
  unpack(client, clients[client].index.find(items[left].clock));
  return items[handle].left;
}

void Store::to_element(Handle pack, uint32_t i, DecodedStruct& out) const {
  const Item& p = items[pack];
  out = DecodedStruct{};
  out.id = wire_id(p.client, p.clock + i);
  out.len = 1;
  out.ref = Ref::kDeleted;
  out.has_origin = true;
  out.origin = wire_id(p.client, p.clock + i - p.origin_clock);
  out.has_parent_sub = true;
}

}  // namespace footlight::crdt::internal
