#include "crdt/doc.h"

#include <algorithm>

#include "crdt/internal/store.h"
#include "crdt/update_reader.h"

namespace footlight::crdt {

using internal::kNone;
using internal::Store;
using internal::TypeNode;

Doc::Doc(DocOptions options) : store_(std::make_unique<Store>(this, std::move(options))) {}
Doc::~Doc() = default;

uint64_t Doc::client() const { return store_->options.client; }

void Doc::set_client(uint64_t client) {
  store_->options.client = client & kMaxClient;
  store_->own = kNone;
}

bool Doc::gc() const { return store_->options.gc; }

Result<Type> Doc::typed_root(std::string_view name, TypeRef kind) {
  if (!is_valid_utf8(name)) return fail(Code::kBadUtf8, "name of a root");
  const uint32_t slot = store_->root(name);
  TypeNode& type = store_->types[slot];
  if (type.kind == TypeRef::kNone) type.kind = kind;
  if (type.kind != kind) return fail(Code::kCrdtType, std::string(name));
  return store_->handle_of(slot);
}

template <class Handle>
Result<Handle> Doc::root_as(std::string_view name, TypeRef kind) {
  Result<Type> root = typed_root(name, kind);
  if (!root) return std::unexpected(std::move(root.error()));
  return Handle(*root);
}

Result<Map> Doc::map(std::string_view name) { return root_as<Map>(name, TypeRef::kMap); }
Result<Array> Doc::array(std::string_view name) { return root_as<Array>(name, TypeRef::kArray); }
Result<Text> Doc::text(std::string_view name) { return root_as<Text>(name, TypeRef::kText); }
Result<XmlFragment> Doc::xml_fragment(std::string_view name) {
  return root_as<XmlFragment>(name, TypeRef::kXmlFragment);
}
Result<XmlElement> Doc::xml_element(std::string_view name) {
  return root_as<XmlElement>(name, TypeRef::kXmlElement);
}
Result<XmlText> Doc::xml_text(std::string_view name) {
  return root_as<XmlText>(name, TypeRef::kXmlText);
}

std::optional<Type> Doc::find_root(std::string_view name) {
  const uint32_t key = store_->names.find(name);
  if (key == kNone) return std::nullopt;
  const auto it = store_->root_by_name.find(key);
  if (it == store_->root_by_name.end()) return std::nullopt;
  return store_->handle_of(it->second);
}

std::vector<std::string> Doc::root_names() const {
  std::vector<std::string> names;
  for (const uint32_t slot : store_->roots) {
    names.emplace_back(store_->names[store_->types[slot].name]);
  }
  return names;
}

std::optional<Type> Doc::find_type(Id item) {
  const uint32_t client = store_->find_client(item.client);
  if (client == kNone || item.clock >= store_->state(client)) return std::nullopt;
  const internal::Item& found =
      store_->items[store_->find(client, static_cast<uint32_t>(item.clock))];
  if (found.ref != Ref::kType) return std::nullopt;
  return store_->handle_of(found.type);
}

std::string Doc::to_json() const {
  std::string out = "{";
  for (const uint32_t slot : store_->roots) {
    const TypeNode& type = store_->types[slot];
    if (type.kind == TypeRef::kNone) continue;
    if (out.size() > 1) out += ',';
    append_json_string(out, store_->names[type.name]);
    out += ':';
    store_->type_json(out, slot, 0);
  }
  return out + "}";
}

std::string Doc::root_json(std::string_view name) const {
  const uint32_t key = store_->names.find(name);
  const auto it = key == kNone ? store_->root_by_name.end() : store_->root_by_name.find(key);
  if (it == store_->root_by_name.end()) return "null";
  std::string out;
  store_->type_json(out, it->second, 0);
  return out;
}

void Doc::transact(const std::function<void()>& body, Origin origin) {
  store_->transact(body, origin);
}

Result<Applied> Doc::apply_update(ByteView update, UpdateFormat format, Origin origin) {
  if (auto large = store_->apply_large(update, format, origin)) return *std::move(large);
  // An observer of this apply may apply another update, so the buffer is taken, not shared.
  DecodedUpdate decoded = std::move(store_->decoded_);
  Result<Applied> applied = Applied{};
  if (Status read = read_update(update, format, decoded); !read) {
    applied = std::unexpected(std::move(read.error()));
  } else {
    applied = store_->apply(decoded, origin);
  }
  constexpr size_t kKeep = 64;  // structs' worth of memory that is kept for the next update
  if (decoded.structs.capacity() > kKeep || decoded.scratch.used() > 4096) {
    decoded = DecodedUpdate{};
  }
  store_->decoded_ = std::move(decoded);
  return applied;
}

Result<Applied> Doc::apply(const DecodedUpdate& update, Origin origin) {
  return store_->apply(update, origin);
}

Result<Bytes> Doc::encode_state_as_update(UpdateFormat format, ByteView state_vector) const {
  return store_->encode(format, state_vector);
}

Bytes Doc::encode_state_vector() const { return store_->state_vector().encode(); }
StateVector Doc::state_vector() const { return store_->state_vector(); }
DeleteSet Doc::delete_set() const { return store_->delete_set(); }

uint64_t Doc::state(uint64_t client) const {
  const uint32_t index = store_->find_client(client);
  return index == kNone ? 0 : store_->state(index);
}

ObserverId Doc::on_update(UpdateFormat format, UpdateHandler handler) {
  return store_->add_update(format, std::move(handler));
}
ObserverId Doc::on_transaction(TransactionHandler handler) {
  return store_->add_transaction(std::move(handler));
}
ObserverId Doc::on_subdocs(SubdocsHandler handler) {
  return store_->add_subdocs(std::move(handler));
}
ObserverId Doc::observe(const Type& type, EventHandler handler) {
  return store_->add_observer(type, std::move(handler));
}
ObserverId Doc::observe_deep(const Type& type, DeepHandler handler) {
  return store_->add_deep(type, std::move(handler));
}
void Doc::unobserve(ObserverId id) { store_->remove_observer(id); }

Place Doc::place_of(Id id) const {
  Place place;
  const uint32_t client = store_->find_client(id.client);
  if (client == kNone || id.clock >= store_->state(client)) return place;
  store_->place_of(internal::LocalId{client, static_cast<uint32_t>(id.clock)}, place);
  return place;
}

void Doc::visit(uint64_t client, uint64_t clock, uint64_t len,
                const std::function<bool(const StructInfo&)>& visit) const {
  const uint32_t index = store_->find_client(client);
  if (index == kNone || clock >= store_->state(index)) return;
  const uint64_t end = std::min<uint64_t>(clock + len, store_->state(index));
  const internal::StructIndex& structs = store_->clients[index].index;
  for (auto at = structs.find(static_cast<uint32_t>(clock)); structs.valid(at);
       at = structs.after(at)) {
    const internal::Item& item = store_->items[structs.item(at)];
    if (item.clock >= end) break;
    const uint64_t from = std::max<uint64_t>(item.clock, clock);
    const uint64_t to = std::min<uint64_t>(item.end(), end);
    const Ref ref = item.packed() ? Ref::kDeleted : item.ref;
    if (!visit({{client, from}, to - from, ref, item.deleted()})) break;
  }
}

void Doc::visit_below(Id id, const std::function<bool(const StructInfo&)>& visit) const {
  const uint32_t client = store_->find_client(id.client);
  if (client == kNone || id.clock >= store_->state(client)) return;
  std::vector<internal::Handle> open{store_->find(client, static_cast<uint32_t>(id.clock))};
  const auto tell = [&](internal::Handle handle) {
    const internal::Item& item = store_->items[handle];
    if (item.deleted()) return true;
    if (!visit({store_->wire_id(handle), item.len, item.ref, false})) return false;
    if (item.ref == Ref::kType) open.push_back(handle);
    return true;
  };
  while (!open.empty()) {
    const internal::Item& holder = store_->items[open.back()];
    open.pop_back();
    if (holder.ref != Ref::kType) continue;
    const TypeNode& type = store_->types[holder.type];
    for (auto h = type.start; h != kNone; h = store_->items[h].right) {
      if (!tell(h)) return;
    }
    for (const auto& [key, handle] : store_->live_keys(type)) {
      if (!tell(handle)) return;
    }
  }
}

DocStats Doc::stats() const { return store_->stats(); }

PendingStats Doc::pending() const {
  const internal::Pending& pending = store_->pending;
  PendingStats stats{pending.structs(), pending.bytes(), pending.delete_ranges, {}};
  std::map<uint64_t, uint64_t> missing;
  for (const auto& [client, entry] : pending.clients()) {
    const auto [it, made] = missing.try_emplace(entry.wait_client, entry.wait_clock);
    if (!made) it->second = std::min(it->second, entry.wait_clock);
  }
  for (const auto& [client, clock] : missing) stats.missing.push_back({client, clock});
  return stats;
}

void Doc::drop_pending() { store_->pending.clear(); }

std::vector<Subdoc> Doc::subdocs() const { return store_->subdocs(); }

std::unique_ptr<Doc> Doc::clone(DocOptions options) const {
  auto copy = std::make_unique<Doc>(std::move(options));
  for (const uint32_t slot : store_->roots) {
    const TypeNode& type = store_->types[slot];
    copy->store_->types[copy->store_->root(store_->names[type.name])].kind = type.kind;
  }
  const Bytes state = *encode_state_as_update(UpdateFormat::kV1);
  const auto applied = copy->apply_update(state, UpdateFormat::kV1);
  FL_ASSERT(applied.has_value(), "a document reads what it writes");
  return copy;
}

}  // namespace footlight::crdt
