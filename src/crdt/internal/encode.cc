// Updates out. Source: yjs 13.6 `src/utils/encoding.js`, `src/structs/Item.js` (write).
#include <algorithm>

#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

void Store::to_struct(Handle handle, DecodedStruct& out) {
  const Item& item = items[handle];
  out = DecodedStruct{};
  out.id = wire_id(item.client, item.clock);
  out.len = item.len;
  out.ref = item.ref;
  if (item.is_gc()) return;
  out.has_origin = item.origin_client != kNone;
  if (out.has_origin) out.origin = wire_id(item.origin_client, item.origin_clock);
  out.has_right_origin = item.right_client != kNone;
  if (out.has_right_origin) out.right_origin = wire_id(item.right_client, item.right_clock);
  out.has_parent_sub = item.in_map();
  if (!out.has_origin && !out.has_right_origin) {
    const TypeNode& parent = types[item.parent];
    if (parent.is_root) {
      out.parent_kind = ParentKind::kRoot;
      out.parent_name = names[parent.name];
    } else {
      out.parent_kind = ParentKind::kId;
      out.parent_id = wire_id(parent.item);
    }
    if (item.in_map()) out.parent_sub = names[item.group_or_key];
  }
  if (item.ref == Ref::kType) {
    const TypeNode& type = types[item.type];
    type_bytes_.assign(1, static_cast<char>(type.kind));
    if (type.name != kNone) type_bytes_ += names[type.name];
    out.content = as_bytes(type_bytes_);
  } else {
    out.content = content(item);
  }
}

// Leaves of a struct what the last transaction that made its item longer appended. False when that
// did not begin at `offset`.
bool Store::cut_grown(const Item& item, uint32_t offset, DecodedStruct& s) const {
  if (grown_.client != item.client || grown_.clock != item.clock || grown_.len != offset ||
      (item.ref != Ref::kString && item.ref != Ref::kAny && item.ref != Ref::kJson)) {
    return false;
  }
  s.content = s.content.subspan(grown_.size);
  s.id.clock += offset;
  s.len -= offset;
  s.has_origin = true;
  s.origin = {s.id.client, s.id.clock - 1};
  return true;
}

void Store::write_client(UpdateWriter& writer, uint32_t client, uint32_t clock) {
  const StructIndex& index = clients[client].index;
  StructIndex::At at = index.find(clock);
  uint32_t offset = clock - index.get(at).clock;
  uint64_t count = index.count_from(at);
  if (clients[client].packs != 0) {
    for (StructIndex::At i = at; index.valid(i); i = index.after(i)) {
      if (items[index.item(i)].packed()) count += items[index.item(i)].len - 1;
    }
    if (items[index.item(at)].packed()) count -= offset;
  }
  writer.client(clients[client].id, count, clock);
  DecodedStruct s;
  for (; index.valid(at); at = index.after(at)) {
    const Handle handle = index.item(at);
    if (items[handle].packed()) {
      for (uint32_t i = offset; i < items[handle].len; ++i) {
        to_element(handle, i, s);
        writer.write(s);
      }
    } else {
      to_struct(handle, s);
      if (offset != 0 && cut_grown(items[handle], offset, s)) offset = 0;
      writer.write(s, offset);
    }
    offset = 0;
  }
}

DeleteSet Store::delete_set() const {
  DeleteSet set;
  for (const Client& client : clients) {
    if (client.index.empty()) continue;
    for (StructIndex::At at; client.index.valid(at); at = client.index.after(at)) {
      const Item& item = items[client.index.item(at)];
      if (item.deleted()) set.add(client.id, item.clock, item.len);
    }
  }
  set.normalize();
  return set;
}

StateVector Store::state_vector() const {
  std::vector<std::pair<uint64_t, uint64_t>> all;
  for (const Client& client : clients) {
    if (client.state != 0) all.emplace_back(client.id, client.state);
  }
  std::sort(all.begin(), all.end());
  StateVector vector;
  for (const auto& [client, clock] : all) vector.set(client, clock);
  return vector;
}

namespace {
struct Part {
  uint64_t id;
  uint32_t client;
  uint32_t clock;
};
}  // namespace

ByteView Store::encode_txn(const Txn& txn, UpdateWriter& writer) {
  writer.reset();
  size_t count = 0;
  uint32_t one = kNone;
  for (size_t i = 0; i < txn.moved.size(); ++i) {
    const Txn::Moved& m = txn.moved[i];
    if (clients[m.client].state > m.before) {
      ++count;
      one = static_cast<uint32_t>(i);
    }
  }
  writer.begin(count);
  if (count == 1) {
    write_client(writer, txn.moved[one].client, txn.moved[one].before);
  } else if (count > 1) {
    std::vector<Part> parts;
    parts.reserve(count);
    for (const Txn::Moved& m : txn.moved) {
      if (clients[m.client].state > m.before) {
        parts.push_back({clients[m.client].id, m.client, m.before});
      }
    }
    std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.id > b.id; });
    for (const Part& part : parts) write_client(writer, part.client, part.clock);
  }
  if (txn.deleted.empty()) {
    writer.no_deletes();
  } else {
    wire_deletes_.clear();
    for (const LocalRange& range : txn.deleted) {
      wire_deletes_.add(clients[range.client].id, range.clock, range.len);
    }
    if (txn.deleted.size() > 1) wire_deletes_.normalize();
    writer.deletes(wire_deletes_);
  }
  return writer.finish();
}

Result<Bytes> Store::encode(UpdateFormat format, ByteView encoded_vector) {
  auto vector = StateVector::decode(encoded_vector);
  if (!vector) return std::unexpected(std::move(vector.error()));
  std::vector<Part> parts;
  for (uint32_t i = 0; i < clients.size(); ++i) {
    const uint64_t known = vector->get(clients[i].id);
    if (clients[i].state > known) {
      parts.push_back({clients[i].id, i, static_cast<uint32_t>(known)});
    }
  }
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.id > b.id; });
  UpdateWriter writer(format);
  if (pending.empty() && pending.deletes.empty()) {
    writer.begin(parts.size());
    for (const Part& part : parts) write_client(writer, part.client, part.clock);
    writer.deletes(delete_set());
    const ByteView bytes = writer.finish();
    return Bytes(bytes.begin(), bytes.end());
  }
  return encode_with_pending(writer, *vector);
}

// The same with what waits: of each client what stands here, a skip over what is missing, then what
// waits. yjs gets this by merging updates, where a struct with an origin loses its mark of having a
// key (bit 0x20); so it does here.
Result<Bytes> Store::encode_with_pending(UpdateWriter& writer, const StateVector& known) {
  std::vector<uint64_t> ids;
  for (const Client& client : clients) ids.push_back(client.id);  // pending ones are among them
  std::sort(ids.rbegin(), ids.rend());
  Scratch cut;
  const auto write = [&](DecodedStruct& s, uint32_t offset) {
    if (s.has_origin || s.has_right_origin) s.has_parent_sub = false;
    writer.write_open(s, offset);
  };
  for (const uint64_t id : ids) {
    const Client& client = clients[find_client(id)];
    uint64_t next = known.get(id);
    bool open = false;
    DecodedStruct s;
    if (client.state > next) {
      writer.open_client(id, next);
      open = true;
      StructIndex::At at = client.index.find(static_cast<uint32_t>(next));
      for (; client.index.valid(at); at = client.index.after(at)) {
        const Handle handle = client.index.item(at);
        if (items[handle].packed()) {
          const auto from = static_cast<uint32_t>(next) - items[handle].clock;
          for (uint32_t i = from; i < items[handle].len; ++i) {
            to_element(handle, i, s);
            write(s, 0);
          }
        } else {
          to_struct(handle, s);
          write(s, static_cast<uint32_t>(next - s.id.clock));
        }
        next = items[handle].end();
      }
    }
    const auto waiting = pending.clients().find(id);
    if (waiting == pending.clients().end()) continue;
    const auto write_waiting = [&](const DecodedStruct& part) {
      if (part.end() <= next) return;
      s = part;
      if (s.id.clock < next) cut_front(s, next - s.id.clock, cut);
      if (!open) writer.open_client(id, s.id.clock);
      if (open && s.id.clock > next) {
        DecodedStruct skip;
        skip.id = {id, next};
        skip.len = s.id.clock - next;
        skip.ref = Ref::kSkip;
        writer.write_open(skip);
      }
      open = true;
      write(s, 0);
      next = s.end();
    };
    for (const PendingStruct& p : waiting->second.queue) {
      for (size_t i = 0; i < p.parts(); ++i) write_waiting(p.part(i));
    }
  }
  writer.close_clients();
  DeleteSet all = delete_set();
  for (const auto& [client, ranges] : pending.deletes) {
    for (const auto& [clock, end] : ranges) all.add(client, clock, end - clock);
  }
  all.normalize();
  writer.deletes(all);
  const ByteView bytes = writer.finish();
  return Bytes(bytes.begin(), bytes.end());
}

}  // namespace footlight::crdt::internal
