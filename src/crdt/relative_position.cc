// Source: yjs 13.6 `src/utils/RelativePosition.js`.
#include "crdt/relative_position.h"

#include "crdt/any.h"
#include "crdt/internal/store.h"
#include "crdt/update_reader.h"

namespace footlight::crdt {

using internal::Handle;
using internal::Item;
using internal::kNone;
using internal::LocalId;
using internal::Store;

RelativePosition relative_position(const Type& type, uint64_t index, int64_t assoc) {
  RelativePosition position;
  position.assoc = assoc;
  if (!type.alive()) return position;
  const Store& store = type.doc()->store();
  const internal::TypeNode& node = *store.node(type);
  if (const auto holder = type.item(); holder.has_value()) {
    position.type = *holder;
  } else {
    position.root = type.root_name();
  }
  if (assoc < 0) {
    if (index == 0) return position;
    --index;
  }
  if (index < node.length) {
    uint32_t start = 0;
    const Handle handle = store.sequences.find(node, static_cast<uint32_t>(index), start);
    const Item& item = store.items[handle];
    position.item = store.wire_id(item.client, item.clock + static_cast<uint32_t>(index) - start);
  } else if (assoc < 0 && node.last != kNone) {
    const Item& item = store.items[node.last];
    position.item = store.wire_id(item.client, item.end() - 1);
  }
  return position;
}

Bytes encode_relative_position(const RelativePosition& position) {
  Encoder out;
  const auto write_id = [&out](const Id& id) {
    out.var_uint(id.client);
    out.var_uint(id.clock);
  };
  if (position.item) {
    out.u8(0);
    write_id(*position.item);
  } else if (position.root) {
    out.u8(1);
    out.var_text(*position.root);
  } else if (position.type) {
    out.u8(2);
    write_id(*position.type);
  } else {
    out.u8(1);
    out.var_text("");
  }
  out.var_int(position.assoc);
  return out.to_bytes();
}

Result<RelativePosition> decode_relative_position(ByteView bytes) {
  Decoder in(bytes);
  RelativePosition position;
  const auto read_id = [&in] {
    Id id;
    id.client = in.var_uint();
    id.clock = in.var_uint();
    return id;
  };
  switch (in.var_uint()) {
    case 0:
      position.item = read_id();
      break;
    case 1:
      position.root = std::string(in.var_text());
      break;
    case 2:
      position.type = read_id();
      break;
    default:
      in.fail(Fault::kTag);
  }
  if (in.ok() && !in.at_end()) {  // older peers write no association
    const SignedInt assoc = in.var_int();
    const auto magnitude = static_cast<int64_t>(assoc.magnitude);
    position.assoc = assoc.negative ? -magnitude : magnitude;
  }
  if (in.ok() && !in.at_end()) in.fail(Fault::kTrailing);
  if (!in.ok()) return crdt_fault(in.fault(), "relative position");
  return position;
}

std::string relative_position_json(const RelativePosition& position) {
  AnyObject json;
  const auto id = [](const Id& value) {
    return Any(AnyObject{{"client", static_cast<double>(value.client)},
                         {"clock", static_cast<double>(value.clock)}});
  };
  if (position.type) json.emplace_back("type", id(*position.type));
  if (position.root && !position.root->empty()) json.emplace_back("tname", *position.root);
  if (position.item) json.emplace_back("item", id(*position.item));
  json.emplace_back("assoc", static_cast<double>(position.assoc));
  return Any(std::move(json)).to_json();
}

Result<RelativePosition> relative_position_from_json(std::string_view json) {
  const auto value = parse_json(json);
  if (!value || value->object() == nullptr) return crdt_fault(Fault::kJson, "relative position");
  RelativePosition position;
  bool good = true;
  const auto integer = [&good](const Any* number, double low, double high) -> double {
    const bool ok = number != nullptr && number->number() != nullptr && *number->number() >= low &&
                    *number->number() <= high;
    if (!ok) good = false;
    return ok ? *number->number() : 0;
  };
  const auto id = [&](const Any* any) -> std::optional<Id> {
    if (any == nullptr || any->is_null()) return std::nullopt;
    constexpr double kMax = static_cast<double>(kMaxClient);
    return Id{static_cast<uint64_t>(integer(any->find("client"), 0, kMax)),
              static_cast<uint64_t>(integer(any->find("clock"), 0, kMax))};
  };
  position.type = id(value->find("type"));
  position.item = id(value->find("item"));
  if (const Any* name = value->find("tname"); name != nullptr && name->string() != nullptr) {
    position.root = *name->string();
  }
  if (const Any* assoc = value->find("assoc"); assoc != nullptr && !assoc->is_null()) {
    position.assoc = static_cast<int64_t>(integer(assoc, -1e9, 1e9));
  }
  if (!good) return crdt_fault(Fault::kRange, "relative position");
  return position;
}

namespace {

// What an element became by undo and redo; `offset` says where in the result it stands.
Handle follow(const Store& store, LocalId id, bool follow_undone, uint32_t& offset) {
  while (true) {
    const Handle handle = store.find(id);
    const Item& item = store.items[handle];
    offset = id.clock - item.clock;
    if (!follow_undone || !item.redone()) return handle;
    id = store.redone.at(handle);
    id.clock += offset;
  }
}

}  // namespace

std::optional<AbsolutePosition> resolve(Doc& doc, const RelativePosition& position,
                                        bool follow_undone) {
  Store& store = doc.store();
  const auto local = [&store](const Id& id) -> std::optional<LocalId> {
    const uint32_t client = store.find_client(id.client);
    if (client == kNone || id.clock >= store.state(client)) return std::nullopt;
    return LocalId{client, static_cast<uint32_t>(id.clock)};
  };
  AbsolutePosition out;
  out.assoc = position.assoc;
  uint32_t offset = 0;
  if (position.item) {
    const auto id = local(*position.item);
    if (!id) return std::nullopt;
    const Handle handle = follow(store, *id, follow_undone, offset);
    const Item& item = store.items[handle];
    if (item.is_gc()) return std::nullopt;
    const internal::TypeNode& parent = store.types[item.parent];
    out.type = store.handle_of(item.parent);
    const bool gone = parent.item != kNone && store.items[parent.item].deleted();
    if (gone || item.in_map()) return out;
    out.index = store.sequences.index_of(parent, handle);
    if (item.visible() != 0) out.index += offset + (position.assoc >= 0 ? 0 : 1);
    return out;
  }
  if (position.root) {
    out.type = store.handle_of(store.root(*position.root));
  } else if (position.type) {
    const auto id = local(*position.type);
    if (!id) return std::nullopt;
    const Item& item = store.items[follow(store, *id, follow_undone, offset)];
    if (item.ref != Ref::kType) return std::nullopt;
    out.type = store.handle_of(item.type);
  } else {
    return std::nullopt;
  }
  if (position.assoc >= 0) out.index = store.node(out.type)->length;
  return out;
}

}  // namespace footlight::crdt
