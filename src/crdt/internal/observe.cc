// Observers: registering them, and telling them at the end of a transaction.
#include <algorithm>

#include "crdt/internal/event_impl.h"
#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

class TxnView final : public TransactionView {
 public:
  TxnView(Store& store, size_t in_queue) : store_(store), in_queue_(in_queue) {}
  Origin origin() const override { return txn().origin; }
  bool local() const override { return txn().local; }
  uint64_t state_before(uint64_t client) const override {
    const uint32_t index = store_.find_client(client);
    return index == kNone ? 0 : store_.before_of(in_queue_, index);
  }
  std::vector<uint64_t> changed_clients() const override {
    std::vector<uint64_t> out;
    for (const Txn::Moved& m : txn().moved) {
      if (m.after != m.before) out.push_back(store_.clients[m.client].id);
    }
    return out;
  }
  void deleted(DeleteSet& out) const override {
    out.clear();
    for (const LocalRange& range : txn().deleted) {
      out.add(store_.clients[range.client].id, range.clock, range.len);
    }
    out.normalize();
  }
  std::vector<uint64_t> deleted_clients() const override {
    std::vector<uint64_t> out;
    for (const uint32_t client : txn().deleted_order) out.push_back(store_.clients[client].id);
    return out;
  }
  std::vector<Type> changed_types() const override {
    std::vector<Type> out;
    for (const Txn::Changed& changed : txn().changed) {
      const TypeNode& type = store_.types[changed.type];
      if (type.generation != changed.generation) continue;
      const Type handle = store_.handle_of(changed.type);
      if (std::find(out.begin(), out.end(), handle) == out.end()) out.push_back(handle);
    }
    return out;
  }
  bool changed_below(const Type& ancestor) const override {
    const std::vector<uint32_t>& all = txn().changed_parents;
    return store_.node(ancestor) != nullptr &&
           std::find(all.begin(), all.end(), store_.slot(ancestor)) != all.end();
  }

 private:
  const Txn& txn() const { return *store_.queue()[in_queue_]; }
  Store& store_;
  size_t in_queue_;
};

void Store::note_event_path(Txn& txn, uint32_t slot) {
  std::vector<uint32_t>& all = txn.changed_parents;
  while (true) {
    // Whatever is noted has its ancestors noted.
    if (std::find(all.begin(), all.end(), slot) != all.end()) return;
    all.push_back(slot);
    if (types[slot].item == kNone) return;
    slot = items[types[slot].item].parent;
  }
}

void Store::notify(size_t in_queue) {
  Txn& txn = *queue_[in_queue];
  const auto hears = [this](const Txn::Changed& changed) {
    const TypeNode& type = types[changed.type];
    return type.alive && type.generation == changed.generation && type.kind != TypeRef::kNone &&
           (type.item == kNone || !items[type.item].deleted());
  };
  if (!txn.local) {
    for (const Txn::Changed& changed : txn.changed) {
      const TypeNode& type = types[changed.type];
      if (type.has_formatting && (type.kind == TypeRef::kText || type.kind == TypeRef::kXmlText) &&
          hears(changed)) {
        txn.format_cleanup = true;
      }
    }
  }
  std::vector<std::unique_ptr<EventImpl>> events;
  if (typed_observers_ != 0 || !transaction_observers_.empty()) {
    for (const Txn::Changed& changed : txn.changed) {
      if (!hears(changed)) continue;
      auto it = std::find_if(events.begin(), events.end(),
                             [&](const auto& event) { return event->type() == changed.type; });
      if (it == events.end()) {
        events.push_back(std::make_unique<EventImpl>(*this, in_queue, changed.type));
        it = std::prev(events.end());
      }
      (*it)->add_key(changed.key);
    }
    for (const auto& event : events) {
      const TypeNode& type = types[event->type()];
      // An observer before may have deleted it.
      if (type.item != kNone && items[type.item].deleted()) continue;
      note_event_path(txn, event->type());
      if (type.observers == nullptr) continue;
      const auto observers = type.observers->direct;
      for (const Observers::One& one : observers) (*one.handler)(*event);
    }
    notify_deep(txn, events);
    const auto observers = transaction_observers_;
    const TxnView view(*this, in_queue);
    for (const auto& observer : observers) {
      if (observer != nullptr) observer->handler(view);
    }
  }
  if (txn.format_cleanup) cleanup_formatting(txn);
}

void Store::notify_deep(Txn& txn, std::vector<std::unique_ptr<EventImpl>>& events) {
  const auto below = [this](uint32_t slot, uint32_t ancestor) {
    while (slot != ancestor) {
      if (types[slot].item == kNone) return false;
      slot = items[types[slot].item].parent;
    }
    return true;
  };
  for (size_t i = 0; i < txn.changed_parents.size(); ++i) {
    const uint32_t slot = txn.changed_parents[i];
    const TypeNode& type = types[slot];
    if (type.observers == nullptr || type.observers->deep.empty()) continue;
    if (type.item != kNone && items[type.item].deleted()) continue;
    std::vector<const Event*> told;
    std::vector<std::pair<size_t, EventImpl*>> found;
    for (const auto& event : events) {
      const TypeNode& target = types[event->type()];
      if (target.item != kNone && items[target.item].deleted()) continue;
      if (!below(event->type(), slot)) continue;
      event->seen_from(slot);
      found.emplace_back(event->depth(), event.get());
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [depth, event] : found) told.push_back(event);
    const auto observers = type.observers->deep;
    for (const Observers::Deep& one : observers) (*one.handler)(told);
  }
}

ObserverId Store::add_update(UpdateFormat format, UpdateHandler handler) {
  update_observers_.push_back(
      std::make_shared<UpdateObserver>(UpdateObserver{next_observer_, format, std::move(handler)}));
  return next_observer_++;
}

ObserverId Store::add_transaction(TransactionHandler handler) {
  transaction_observers_.push_back(std::make_shared<Observer<TransactionHandler>>(
      Observer<TransactionHandler>{next_observer_, std::move(handler)}));
  return next_observer_++;
}

ObserverId Store::add_subdocs(SubdocsHandler handler) {
  subdocs_observers_.push_back(std::make_shared<Observer<SubdocsHandler>>(
      Observer<SubdocsHandler>{next_observer_, std::move(handler)}));
  return next_observer_++;
}

ObserverId Store::add_observer(const Type& type, EventHandler handler) {
  TypeNode* found = node(type);
  if (found == nullptr) return 0;
  if (found->observers == nullptr) found->observers = new Observers();
  found->observers->direct.push_back(
      {next_observer_, std::make_shared<EventHandler>(std::move(handler))});
  observed_[next_observer_] = type;
  ++typed_observers_;
  return next_observer_++;
}

ObserverId Store::add_deep(const Type& type, DeepHandler handler) {
  TypeNode* found = node(type);
  if (found == nullptr) return 0;
  if (found->observers == nullptr) found->observers = new Observers();
  found->observers->deep.push_back(
      {next_observer_, std::make_shared<DeepHandler>(std::move(handler))});
  observed_[next_observer_] = type;
  ++typed_observers_;
  return next_observer_++;
}

void Store::remove_observer(ObserverId id) {
  const auto forget = [id](auto& list) {
    for (auto& observer : list) {
      if (observer != nullptr && observer->id == id) observer = nullptr;
    }
  };
  forget(update_observers_);
  forget(transaction_observers_);
  forget(subdocs_observers_);
  if (const auto it = observed_.find(id); it != observed_.end()) {
    if (TypeNode* type = node(it->second); type != nullptr && type->observers != nullptr) {
      const auto same = [id](const auto& one) { return one.id == id; };
      typed_observers_ -= static_cast<uint32_t>(std::erase_if(type->observers->direct, same));
      typed_observers_ -= static_cast<uint32_t>(std::erase_if(type->observers->deep, same));
    }
    observed_.erase(it);
  }
  if (!cleaning_) {
    sweep_observers();
  } else {
    swept_ = false;
  }
}

void Store::sweep_observers() {
  std::erase(update_observers_, nullptr);
  std::erase(transaction_observers_, nullptr);
  std::erase(subdocs_observers_, nullptr);
  swept_ = true;
}

}  // namespace footlight::crdt::internal
