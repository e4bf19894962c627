#include "crdt/internal/event_impl.h"

#include <algorithm>

#include "crdt/utf16.h"

namespace footlight::crdt::internal {

template <class F>
void EventImpl::each_part(F&& visit) const {
  for (Handle h = store_.types[type_].start; h != kNone;) {
    const Item& item = store_.items[h];
    const Handle next = item.right;
    const uint32_t before = store_.before_of(in_queue_, item.client);
    const auto part = [&](uint32_t offset, uint32_t len) {
      const uint32_t clock = item.clock + offset;
      visit(
          Part{h, offset, len, clock >= before, txn().deletes(item.client, clock), item.deleted()});
    };
    if (item.clock < before && before < item.end()) {
      part(0, before - item.clock);
      part(before - item.clock, item.end() - before);
    } else {
      part(0, item.len);
    }
    h = next;
  }
}

size_t EventImpl::depth() const {
  size_t steps = 0;
  for (uint32_t at = type_; at != seen_from_ && store_.types[at].item != kNone; ++steps) {
    at = store_.items[store_.types[at].item].parent;
  }
  return steps;
}

std::vector<PathStep> EventImpl::path() const {
  std::vector<PathStep> steps;
  uint32_t at = type_;
  while (at != seen_from_ && store_.types[at].item != kNone) {
    const Handle holder = store_.types[at].item;
    const Item& item = store_.items[holder];
    if (item.in_map()) {
      steps.emplace_back(std::string(store_.names[item.group_or_key]));
    } else {
      steps.emplace_back(uint64_t{store_.sequences.index_of(store_.types[item.parent], holder)});
    }
    at = item.parent;
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

const std::vector<KeyChange>& EventImpl::keys() const {
  if (key_changes_) return *key_changes_;
  key_changes_.emplace();
  const MapTable* map = store_.types[type_].map;
  const auto value = [this](Handle h) { return store_.value_of(h, store_.items[h].len - 1); };
  for (const uint32_t key : keys_) {
    const MapTable::Entry* entry = const_cast<MapTable*>(map)->find(key);
    const Handle h = entry->tail;
    const Item& item = store_.items[h];
    KeyChange change;
    change.key = store_.names[key];
    if (adds(item)) {
      Handle old = item.left;
      while (old != kNone && adds(store_.items[old])) old = store_.items[old].left;
      const bool replaced = old != kNone && deletes(store_.items[old]);
      if (deletes(item)) {
        if (!replaced) continue;
        change.action = KeyChange::Action::kDelete;
        change.old_value = value(old);
      } else if (replaced) {
        change.action = KeyChange::Action::kUpdate;
        change.old_value = value(old);
      }
    } else {
      if (!deletes(item)) continue;
      change.action = KeyChange::Action::kDelete;
      change.old_value = value(h);
    }
    key_changes_->push_back(std::move(change));
  }
  return *key_changes_;
}

const std::vector<ListChange>& EventImpl::changes() const {
  if (list_changes_) return *list_changes_;
  list_changes_.emplace();
  if (!list_changed_) return *list_changes_;
  std::vector<ListChange>& out = *list_changes_;
  const auto last = [&out](ListChange::Kind kind) -> ListChange& {
    if (out.empty() || out.back().kind != kind) out.push_back({kind, 0, {}});
    return out.back();
  };
  each_part([&](const Part& part) {
    if (part.deleted) {
      if (part.deleted_now && !part.added) last(ListChange::Kind::kDelete).length += part.len;
    } else if (!part.added) {
      last(ListChange::Kind::kRetain).length += part.len;
    } else if (store_.items[part.item].countable()) {
      ListChange& change = last(ListChange::Kind::kInsert);
      change.length += part.len;
      for (uint32_t i = 0; i < part.len; ++i) {
        change.inserted.push_back(store_.value_of(part.item, part.offset + i));
      }
    }
  });
  if (!out.empty() && out.back().kind == ListChange::Kind::kRetain) out.pop_back();
  return out;
}

std::string EventImpl::part_text(const Part& part) const {
  const std::string_view all = store_.text(store_.items[part.item]);
  const Utf8Cut from = utf8_cut(all, part.offset);
  const Utf8Cut to = utf8_cut(all, uint64_t{part.offset} + part.len);
  if (from.split)
    return std::string(kReplacement) + std::string(all.substr(from.at + 4, to.at - from.at - 4));
  return std::string(all.substr(from.at, to.at - from.at));
}

// The operations so far, and the one that is being extended.
struct EventImpl::DeltaBuilder {
  enum class Action : uint8_t { kNothing, kInsert, kRetain, kDelete };
  const Store& store;
  Delta& out;
  Action action = Action::kNothing;
  std::string text{};
  Value embed{};
  bool has_embed = false;
  uint64_t retain = 0;
  uint64_t deleted = 0;
  Formats current{};  // in force for what is inserted
  Formats old{};      // in force before the transaction
  Formats changed{};  // given to what is retained

  void flush() {
    if (action == Action::kDelete && deleted > 0) {
      out.push_back({DeltaOp::Kind::kDelete, {}, deleted, {}});
    } else if (action == Action::kInsert && (has_embed || !text.empty())) {
      out.push_back({DeltaOp::Kind::kInsert, has_embed ? embed : Value(Any(text)), 0,
                     store.attributes_of(current)});
    } else if (action == Action::kRetain && retain > 0) {
      out.push_back({DeltaOp::Kind::kRetain, {}, retain, store.attributes_of(changed)});
    }
    if (action == Action::kDelete) deleted = 0;
    if (action == Action::kRetain) retain = 0;
    if (action == Action::kInsert) text.clear(), has_embed = false;
    action = Action::kNothing;
  }
  void to(Action next) {
    if (action != next) flush();
    action = next;
  }
  void flush_retain() {
    if (action == Action::kRetain) flush();
  }
  // True when the format says nothing new and is to be deleted.
  bool format(const Part& part, uint32_t key, std::string_view value) {
    bool needless = false;
    if (part.added) {
      if (!part.deleted_now) {
        if (!equal_formats(current.get(key), value)) {
          flush_retain();
          if (equal_formats(value, old.get(key))) {
            changed.erase(key);
          } else {
            changed.set(key, value);
          }
        } else {
          needless = value != Formats::kNull;
        }
      }
    } else if (part.deleted_now) {
      old.set(key, value);
      const std::string now(current.get(key));
      if (!equal_formats(now, value)) {
        flush_retain();
        changed.set(key, now);
      }
    } else if (!part.deleted) {
      old.set(key, value);
      const std::string* given = changed.find(key);
      if (given != nullptr) {
        if (!equal_formats(*given, value)) {
          flush_retain();
          value == Formats::kNull ? changed.erase(key) : changed.set(key, value);
        } else {
          needless = *given != Formats::kNull;
        }
      }
    }
    return needless;
  }
};

const Delta& EventImpl::delta() const {
  if (delta_) return *delta_;
  delta_.emplace();
  using Action = DeltaBuilder::Action;
  DeltaBuilder builder{store_, *delta_};
  // Formats that turn out needless are deleted, as a transaction of its own.
  store_.begin(kNoOrigin, true);
  each_part([&](Part part) {
    const Item& item = store_.items[part.item];
    const bool text = item.ref == Ref::kString;
    if (text || item.ref == Ref::kType || item.ref == Ref::kEmbed) {
      if (part.added) {
        if (part.deleted_now) return;
        if (text) {
          builder.to(Action::kInsert);
          builder.text += part_text(part);
        } else {
          builder.flush();
          builder.action = Action::kInsert;
          builder.embed = store_.value_of(part.item, 0);
          builder.has_embed = true;
          builder.flush();
        }
      } else if (part.deleted_now) {
        builder.to(Action::kDelete);
        builder.deleted += part.len;
      } else if (!part.deleted) {
        builder.to(Action::kRetain);
        builder.retain += part.len;
      }
    } else if (item.ref == Ref::kFormat) {
      const FormatView format = read_format(store_.content(item));
      const uint32_t key = store_.names.intern(format.key);
      if (builder.format(part, key, format.value)) store_.delete_item(part.item);
      if (!item.deleted()) {
        if (builder.action == Action::kInsert) builder.flush();
        builder.current.pass(key, format.value);
      }
    }
  });
  builder.flush();
  while (!delta_->empty() && delta_->back().kind == DeltaOp::Kind::kRetain &&
         delta_->back().attributes.empty()) {
    delta_->pop_back();
  }
  store_.end();
  return *delta_;
}

}  // namespace footlight::crdt::internal
