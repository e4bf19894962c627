// An event of one type in one transaction; what observers ask for is worked out when they ask.
// Source: yjs 13.6 `src/utils/YEvent.js`, `YTextEvent` in `src/types/YText.js`.
#pragma once
#include <optional>
#include <vector>

#include "crdt/event.h"
#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

class EventImpl final : public Event {
 public:
  EventImpl(Store& store, size_t in_queue, uint32_t type)
      : store_(store), in_queue_(in_queue), type_(type), seen_from_(type) {}

  Type target() const override { return store_.handle_of(type_); }
  std::vector<PathStep> path() const override;
  const std::vector<KeyChange>& keys() const override;
  const std::vector<ListChange>& changes() const override;
  const Delta& delta() const override;
  Origin origin() const override { return txn().origin; }
  bool local() const override { return txn().local; }

  uint32_t type() const { return type_; }
  void seen_from(uint32_t type) { seen_from_ = type; }
  void add_key(uint32_t key) { key == kNone ? void(list_changed_ = true) : keys_.push_back(key); }
  size_t depth() const;  // steps from the observed type

 private:
  // An item, or the part of it that is older or newer than the transaction: an item grows in place.
  struct Part {
    Handle item = kNone;
    uint32_t offset = 0;
    uint32_t len = 0;
    bool added = false;
    bool deleted_now = false;  // by this transaction
    bool deleted = false;
  };
  const Txn& txn() const { return *store_.queue()[in_queue_]; }
  bool adds(const Item& item) const {
    return item.clock >= store_.before_of(in_queue_, item.client);
  }
  bool deletes(const Item& item) const { return txn().deletes(item.client, item.clock); }
  template <class F>
  void each_part(F&& visit) const;
  std::string part_text(const Part& part) const;
  struct DeltaBuilder;

  Store& store_;
  size_t in_queue_;
  uint32_t type_;
  uint32_t seen_from_;
  bool list_changed_ = false;
  std::vector<uint32_t> keys_;
  mutable std::optional<std::vector<KeyChange>> key_changes_;
  mutable std::optional<std::vector<ListChange>> list_changes_;
  mutable std::optional<Delta> delta_;
};

}  // namespace footlight::crdt::internal
