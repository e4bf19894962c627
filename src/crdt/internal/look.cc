// What servers ask of a document: where things stand, how large it is.
#include <algorithm>

#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

void Store::place_of_type(uint32_t slot, Place& place) const {
  const size_t base = place.steps.size();
  while (types[slot].item != kNone) {
    const Item& item = items[types[slot].item];
    Place::Step step;
    step.in_list = !item.in_map();
    if (item.in_map()) step.key = names[item.group_or_key];
    step.kind = types[item.parent].kind;
    place.steps.push_back(step);
    slot = item.parent;
  }
  std::reverse(place.steps.begin() + static_cast<std::ptrdiff_t>(base), place.steps.end());
  place.root = names[types[slot].name];
}

void Store::place_of(LocalId id, Place& place) const {
  const auto [handle, parent, key] = locate(id);
  const Item& item = items[handle];
  place.steps.clear();
  if (item.is_gc()) {
    place.state = Place::State::kCollected;
    return;
  }
  place.state = Place::State::kKnown;
  place_of_type(parent, place);
  Place::Step step;
  step.in_list = key == kNone;
  if (key != kNone) step.key = names[key];
  step.kind = types[parent].kind;
  place.steps.push_back(step);
}

Store::Located Store::locate(LocalId id) const {
  const Handle handle = find(id);
  const Item& item = items[handle];
  if (item.packed()) {
    const PackLane& lane = lanes(handle)[(id.clock - item.clock) % item.origin_clock];
    return {handle, lane.parent, lane.key};
  }
  return {handle, item.parent, item.in_map() ? item.group_or_key : kNone};
}

DocStats Store::stats() const {
  DocStats stats;
  stats.types = types.size() - free_types.size();
  stats.memory_bytes = sizeof(*this) + items.memory_bytes() + heap.memory_bytes() +
                       sequences.memory_bytes() + names.memory_bytes() +
                       client_table_.memory_bytes() + clients.capacity() * sizeof(Client) +
                       types.size() * sizeof(TypeNode) + pending.bytes() +
                       decoded_.structs.capacity() * sizeof(DecodedStruct);
  for (const TypeNode& type : types) {
    if (type.map != nullptr) stats.memory_bytes += type.map->memory_bytes();
  }
  for (const Client& client : clients) {
    stats.memory_bytes += client.index.memory_bytes();
    if (client.state == 0) continue;
    ++stats.clients;
    for (StructIndex::At at; client.index.valid(at); at = client.index.after(at)) {
      const Item& item = items[client.index.item(at)];
      stats.structs += item.packed() ? item.len : 1;
      if (item.ref != Ref::kType && !item.packed()) stats.content_bytes += item.size;
    }
  }
  return stats;
}

std::vector<Subdoc> Store::subdocs() const {
  std::vector<Subdoc> out;
  for (const Client& client : clients) {
    if (client.index.empty()) continue;
    for (StructIndex::At at; client.index.valid(at); at = client.index.after(at)) {
      const Handle handle = client.index.item(at);
      const Item& item = items[handle];
      if (item.ref != Ref::kDoc || item.deleted()) continue;
      const Value value = value_of(handle, 0);
      if (value.subdoc() != nullptr) out.push_back(*value.subdoc());
    }
  }
  return out;
}

}  // namespace footlight::crdt::internal
