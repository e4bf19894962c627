// Begin and end of transactions; at the end: observers, collecting what was deleted, joining
// neighbours, emitting the update. The order of these steps, and which neighbours are tried, decide
// the bytes that are emitted. Source: yjs 13.6 `src/utils/Transaction.js`.
#include <algorithm>

#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

void Store::begin(Origin origin, bool local) {
  if (txn_ != nullptr) {
    ++depth_;
    return;
  }
  std::unique_ptr<Txn> txn;
  if (spare_.empty()) {
    txn = std::make_unique<Txn>();
  } else {
    txn = std::move(spare_.back());
    spare_.pop_back();
  }
  txn->number = ++txn_counter_;
  FL_ASSERT(txn_counter_ != 0, "transactions are numbered in 32 bits");
  txn->origin = origin;
  txn->local = local;
  txn_ = txn.get();
  depth_ = 1;
  queue_.push_back(std::move(txn));
}

void Store::end() {
  FL_ASSERT(depth_ > 0, "a transaction is running");
  if (--depth_ > 0) return;
  txn_ = nullptr;
  if (cleaning_) return;  // begun by an observer: cleaned up in its turn below
  cleaning_ = true;
  for (size_t i = 0; i < queue_.size(); ++i) clean_up(i);
  for (std::unique_ptr<Txn>& txn : queue_) {
    if (spare_.size() >= 2 || txn->deleted.capacity() > 4096 || txn->split.capacity() > 4096 ||
        txn->changed.capacity() > 4096) {
      continue;
    }
    txn->clear();
    spare_.push_back(std::move(txn));
  }
  queue_.clear();
  cleaning_ = false;
  if (!swept_) sweep_observers();
}

void Store::resume() {
  FL_ASSERT(cleaning_ && txn_ == nullptr, "an observer is told of a transaction");
  txn_ = queue_[cleaned_].get();
}

void Store::pause() { txn_ = nullptr; }

// The state of a client before the transaction at `in_queue`: what it or a later one of the queue
// noted first.
uint32_t Store::before_of(size_t in_queue, uint32_t client) const {
  for (size_t i = in_queue; i < queue_.size(); ++i) {
    for (const Txn::Moved& m : queue_[i]->moved) {
      if (m.client == client) return m.before;
    }
  }
  return clients[client].state;
}

void Store::clean_up(size_t in_queue) {
  Txn& txn = *queue_[in_queue];
  cleaned_ = in_queue;
  txn.sort_deleted();
  join_queue(in_queue, true);
  notify(in_queue);
  if (options.gc && txn.collect) collect_deleted(txn);
  if (!txn.deleted.empty()) join_deleted(txn);
  join_new(txn);
  if (!txn.split.empty()) join_split(txn);
  if (options.gc && txn.key_tombstones) pack_deleted(txn);
  if (!txn.local) {
    for (const Txn::Moved& m : txn.moved) {
      if (m.after != m.before && clients[m.client].id == options.client) {
        take_new_client();
        break;
      }
    }
  }
  join_queue(in_queue, false);
  emit(txn);
  emit_subdocs(txn);
}

// An update holds all structs from where the transaction began, also those that later transactions
// (of observers) made meanwhile; so clients that only those moved are moved clients here too.
void Store::join_queue(size_t in_queue, bool before_observers) {
  Txn& txn = *queue_[in_queue];
  for (size_t i = in_queue + 1; i < queue_.size(); ++i) {
    for (const Txn::Moved& m : queue_[i]->moved) {
      const auto same = [&m](const Txn::Moved& mine) { return mine.client == m.client; };
      if (std::none_of(txn.moved.begin(), txn.moved.end(), same)) {
        txn.moved.push_back({m.client, m.before, m.before});
      }
    }
  }
  if (!before_observers) return;
  for (Txn::Moved& m : txn.moved) m.after = clients[m.client].state;
}

void Store::take_new_client() {
  client_taken_ = true;
  uint64_t id = 0;
  if (options.new_client) {
    id = options.new_client() & kMaxClient;
  } else {
    // As good as any other choice: 32 bits (as yjs draws them) that depend on what was seen.
    uint64_t x = options.client * 0x9E3779B97F4A7C15ull + clients[own_client()].state;
    do {
      x = (x ^ (x >> 31)) * 0xBF58476D1CE4E5B9ull;
      id = x >> 32;
    } while (find_client(id) != kNone);
  }
  options.client = id;
  own = kNone;
}

// --- collecting

void Store::collect(Handle first, bool parent_collected) {
  const size_t base = work_.size();
  const auto free_children = [this](uint32_t slot) {
    TypeNode& type = types[slot];
    for (Handle h = type.start; h != kNone; h = items[h].right) work_.push_back(h);
    if (type.map != nullptr) {
      for (const MapTable::Entry& entry : type.map->entries()) {
        for (Handle h = entry.tail; h != kNone; h = left_of(h)) work_.push_back(h);
      }
    }
    free_type(slot);
  };
  const auto drop = [&](Handle handle, bool whole) {
    Item& item = items[handle];
    if (item.ref == Ref::kType) {
      const uint32_t slot = item.type;
      item.size = 0;
      free_children(slot);
    } else {
      free_content(item);
    }
    if (!whole) {
      item.ref = Ref::kDeleted;  // what it was made anew as is still known, and it does not join
      return;
    }
    if (item.redone()) redone.erase(handle);
    const LocalId id{item.client, item.clock};
    const uint32_t len = item.len;
    item = Item{};
    item.client = id.client;
    item.clock = id.clock;
    item.len = len;
    item.flags = Item::kDeletedFlag;
  };
  drop(first, parent_collected);
  while (work_.size() > base) {
    const Handle handle = work_.back();
    work_.pop_back();
    FL_ASSERT(items[handle].deleted(), "what is in a deleted type is deleted");
    drop(handle, true);
  }
}

void Store::collect_deleted(const Txn& txn) {
  for (const LocalRange& range : txn.deleted) {
    const StructIndex& index = clients[range.client].index;
    for (StructIndex::At at = index.find(range.clock); index.valid(at); at = index.after(at)) {
      const Handle handle = index.item(at);
      const Item& item = items[handle];
      if (item.clock >= range.end()) break;
      if (!item.is_gc() && item.ref != Ref::kDeleted && !item.packed() && item.deleted() &&
          !item.keep()) {
        collect(handle, false);
      }
    }
  }
}

// --- joining

// Joins the struct at `at` with its left neighbours as far as they go. Returns where the result
// stands.
StructIndex::At Store::join_lefts(StructIndex& index, StructIndex::At at, uint32_t& joined) {
  joined = 0;
  while (!index.is_first(at)) {
    StructIndex::At left = index.before(at);
    if (items[index.item(left)].packed()) {
      const Item& right = items[index.item(at)];
      if (right.ref != Ref::kDeleted || !right.in_map() || right.origin_client != right.client ||
          right.origin_clock + 1 != right.clock) {
        break;
      }
      const uint32_t clock = right.clock;
      unpack_last(right.client, left);
      at = index.find(clock);
      left = index.before(at);
    }
    if (!try_join(index.item(left), index.item(at))) break;
    index.erase(at);
    at = left;
    ++joined;
  }
  return at;
}

void Store::join_deleted(const Txn& txn) {
  uint32_t joined = 0;
  for (size_t i = txn.deleted.size(); i-- > 0;) {
    const LocalRange& range = txn.deleted[i];
    // Neighbours among new structs are all tried in join_new().
    const auto moved = std::find_if(txn.moved.begin(), txn.moved.end(),
                                    [&](const Txn::Moved& m) { return m.client == range.client; });
    if (moved != txn.moved.end() && range.clock >= moved->before && range.end() < moved->after) {
      continue;
    }
    StructIndex& index = clients[range.client].index;
    StructIndex::At at = index.find(range.end() - 1);
    if (!index.is_last(at)) at = index.after(at);
    while (!index.is_first(at) && index.get(at).clock >= range.clock) {
      at = join_lefts(index, at, joined);
      if (index.is_first(at)) break;
      at = index.before(at);
    }
  }
}

void Store::join_new(const Txn& txn) {
  uint32_t joined = 0;
  for (const Txn::Moved& m : txn.moved) {
    if (m.after == m.before) continue;
    StructIndex& index = clients[m.client].index;
    const uint32_t first = index.get(index.find(m.before)).clock;
    StructIndex::At at = index.last();
    while (!index.is_first(at) && index.get(at).clock >= first) {
      at = join_lefts(index, at, joined);
      if (index.is_first(at)) break;
      at = index.before(at);
    }
  }
}

void Store::join_split(const Txn& txn) {
  uint32_t joined = 0;
  for (size_t i = txn.split.size(); i-- > 0;) {
    StructIndex& index = clients[txn.split[i].client].index;
    const StructIndex::At at = index.find(txn.split[i].clock);
    if (!index.is_last(at)) {
      (void)join_lefts(index, index.after(at), joined);
      if (joined > 1) continue;
    }
    const StructIndex::At again = index.find(txn.split[i].clock);
    if (!index.is_first(again)) (void)join_lefts(index, again, joined);
  }
}

// --- telling

void Store::emit(Txn& txn) {
  if (update_observers_.empty()) return;
  const bool content =
      !txn.deleted.empty() || std::any_of(txn.moved.begin(), txn.moved.end(),
                                          [](const Txn::Moved& m) { return m.after != m.before; });
  if (!content) return;
  for (const UpdateFormat format : {UpdateFormat::kV1, UpdateFormat::kV2}) {
    ByteView bytes;
    std::unique_ptr<UpdateWriter>& writer = writer_[format == UpdateFormat::kV1 ? 0 : 1];
    // An observer may add or remove observers; those added hear from the next update.
    const size_t count = update_observers_.size();
    for (size_t i = 0; i < count && i < update_observers_.size(); ++i) {
      if (update_observers_[i] == nullptr || update_observers_[i]->format != format) continue;
      if (bytes.empty()) {
        if (writer == nullptr) writer = std::make_unique<UpdateWriter>(format);
        bytes = encode_txn(txn, *writer);
      }
      const std::shared_ptr<UpdateObserver> observer = update_observers_[i];
      observer->handler({bytes, format, txn.origin, txn.local});
    }
  }
}

void Store::emit_subdocs(Txn& txn) {
  if (txn.subdocs_added.empty() && txn.subdocs_removed.empty() && txn.subdocs_loaded.empty()) {
    return;
  }
  if (subdocs_observers_.empty()) return;
  SubdocsEvent event;
  const auto take = [this](const std::vector<LocalId>& ids, std::vector<Subdoc>& out) {
    for (const LocalId id : ids) {
      const Value value = value_of(find(id), 0);
      if (value.subdoc() != nullptr) out.push_back(*value.subdoc());
    }
  };
  take(txn.subdocs_added, event.added);
  take(txn.subdocs_loaded, event.loaded);
  event.removed = txn.subdocs_removed;
  const auto observers = subdocs_observers_;
  for (const auto& observer : observers) {
    if (observer != nullptr) observer->handler(event);
  }
}

}  // namespace footlight::crdt::internal
