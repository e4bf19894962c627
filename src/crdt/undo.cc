// Source: yjs 13.6 `src/utils/UndoManager.js`.
#include "crdt/undo.h"

#include <algorithm>
#include <atomic>

#include "crdt/delete_set.h"
#include "crdt/internal/store.h"

namespace footlight::crdt {

using internal::Handle;
using internal::Item;
using internal::kNone;
using internal::LocalId;
using internal::Store;

namespace {
Origin next_origin() {
  // Unique within the process is enough: a manager belongs to one document.
  static std::atomic<uint64_t> counter{0};
  return kUndoOrigins | ++counter;
}
}  // namespace

struct UndoManager::State {
  struct Step {
    DeleteSet deletions;
    DeleteSet insertions;
    std::vector<uint64_t> order;  // clients of deletions, in the order in which they are redone
  };

  Doc& doc;
  Store& store;
  UndoOptions options;
  std::vector<Type> scope;
  bool whole_document = false;
  Origin own_origin = next_origin();
  std::vector<Step> undo_stack;
  std::vector<Step> redo_stack;
  bool undoing = false;
  bool redoing = false;
  uint64_t last_change_ms = 0;
  ObserverId observer = 0;

  State(Doc& d, std::vector<Type> s, UndoOptions o)
      : doc(d), store(d.store()), options(std::move(o)), scope(std::move(s)) {
    whole_document = scope.empty();
    observer = doc.on_transaction([this](const TransactionView& txn) { follow(txn); });
  }
  ~State() { doc.unobserve(observer); }

  std::vector<uint32_t> slots() const {
    std::vector<uint32_t> out;
    for (const Type& type : scope) {
      if (store.node(type) != nullptr) out.push_back(store.slot(type));
    }
    return out;
  }
  bool in_scope(Handle handle, const std::vector<uint32_t>& slots) const {
    return whole_document || (!slots.empty() && store.in_scope(handle, slots));
  }

  void follow(const TransactionView& txn) {
    const bool touches =
        whole_document || std::any_of(scope.begin(), scope.end(),
                                      [&](const Type& type) { return txn.changed_below(type); });
    const bool tracked = txn.origin() == own_origin ||
                         std::find(options.tracked.begin(), options.tracked.end(), txn.origin()) !=
                             options.tracked.end();
    if (!touches || !tracked) return;
    std::vector<Step>& stack = undoing ? redo_stack : undo_stack;
    if (undoing) {
      last_change_ms = 0;
    } else if (!redoing) {
      clear(false, true);
    }
    DeleteSet insertions;
    for (const uint64_t client : txn.changed_clients()) {
      const uint64_t before = txn.state_before(client);
      const uint64_t after = doc.state(client);
      if (after > before) insertions.add(client, before, after - before);
    }
    insertions.normalize();
    DeleteSet deletions;
    txn.deleted(deletions);
    const uint64_t now = options.now_ms ? options.now_ms() : 0;
    if (last_change_ms > 0 && now - last_change_ms < options.capture_timeout_ms && !stack.empty() &&
        !undoing && !redoing) {
      stack.back().deletions.add(deletions);
      stack.back().deletions.normalize();
      stack.back().insertions.add(insertions);
      stack.back().insertions.normalize();
      std::vector<uint64_t>& order = stack.back().order;
      for (const uint64_t client : txn.deleted_clients()) {
        if (std::find(order.begin(), order.end(), client) == order.end()) order.push_back(client);
      }
    } else {
      stack.push_back({deletions, insertions, txn.deleted_clients()});
    }
    if (!undoing && !redoing) last_change_ms = now;
    // What was deleted may be wanted again: it is not collected. Splits count for the transaction
    // that is told of; one of its own would be followed in its turn, without end.
    const std::vector<uint32_t> in = slots();
    store.resume();
    store.each_item(deletions.ranges(), [&](Handle handle) {
      if (in_scope(handle, in)) store.keep(handle, true);
    });
    store.pause();
  }

  void clear(bool undo, bool redo) {
    if (!((undo && !undo_stack.empty()) || (redo && !redo_stack.empty()))) return;
    const std::vector<uint32_t> in = slots();
    const auto release = [&](std::vector<Step>& stack) {
      for (const Step& step : stack) {
        store.each_item(step.deletions.ranges(), [&](Handle handle) {
          if (in_scope(handle, in)) store.keep(handle, false);
        });
      }
      stack.clear();
    };
    store.begin(kNoOrigin, true);
    if (undo) release(undo_stack);
    if (redo) release(redo_stack);
    store.end();
  }

  bool pop(std::vector<Step>& stack) {
    bool done = false;
    store.begin(own_origin, true);
    while (!stack.empty() && !done) {
      const Step step = std::move(stack.back());
      stack.pop_back();
      done = take_back(step);
    }
    store.end();
    return done;
  }

  bool take_back(const Step& step) {
    const std::vector<uint32_t> in = slots();
    std::vector<Handle> remove;
    store.each_item(step.insertions.ranges(), [&](Handle handle) {
      uint32_t offset = 0;
      while (store.items[handle].redone()) {
        LocalId id = store.redone.at(handle);
        id.clock += offset;
        handle = store.find(id);
        offset = id.clock - store.items[handle].clock;
      }
      if (offset > 0) {
        handle = store.clean_start(store.items[handle].client, store.items[handle].clock + offset);
      }
      const Item& item = store.items[handle];
      if (!item.is_gc() && !item.deleted() && in_scope(handle, in)) remove.push_back(handle);
    });
    std::vector<Handle> wanted;
    for (const uint64_t client : step.order) {
      store.each_item(step.deletions.of(client), [&](Handle handle) {
        // What was made and deleted in the same step stays deleted.
        if (in_scope(handle, in) && !step.insertions.contains(store.wire_id(handle))) {
          wanted.push_back(handle);
        }
      });
    }
    std::vector<Handle> ordered = wanted;
    std::sort(ordered.begin(), ordered.end());
    const std::function<bool(Id)> stacks = [this](Id id) {
      const auto deleted = [id](const Step& s) { return s.deletions.contains(id); };
      return std::any_of(undo_stack.begin(), undo_stack.end(), deleted) ||
             std::any_of(redo_stack.begin(), redo_stack.end(), deleted);
    };
    const Store::Redo redo{ordered, step.insertions, stacks, options.ignore_remote_map_changes};
    bool changed = false;
    for (const Handle handle : wanted) {
      if (store.redo_item(handle, redo) != kNone) changed = true;
    }
    // Children before what holds them.
    for (size_t i = remove.size(); i-- > 0;) {
      store.delete_item(remove[i]);
      changed = true;
    }
    return changed;
  }
};

UndoManager::UndoManager(Doc& doc, std::vector<Type> scope, UndoOptions options)
    : state_(std::make_unique<State>(doc, std::move(scope), std::move(options))) {}
UndoManager::~UndoManager() = default;

bool UndoManager::undo() {
  state_->undoing = true;
  const bool done = state_->pop(state_->undo_stack);
  state_->undoing = false;
  return done;
}

bool UndoManager::redo() {
  state_->redoing = true;
  const bool done = state_->pop(state_->redo_stack);
  state_->redoing = false;
  return done;
}

bool UndoManager::can_undo() const { return !state_->undo_stack.empty(); }
bool UndoManager::can_redo() const { return !state_->redo_stack.empty(); }
size_t UndoManager::undo_steps() const { return state_->undo_stack.size(); }
size_t UndoManager::redo_steps() const { return state_->redo_stack.size(); }
void UndoManager::stop_capturing() { state_->last_change_ms = 0; }
void UndoManager::clear(bool undo_stack, bool redo_stack) { state_->clear(undo_stack, redo_stack); }

void UndoManager::add_to_scope(const Type& type) {
  if (std::find(state_->scope.begin(), state_->scope.end(), type) == state_->scope.end()) {
    state_->scope.push_back(type);
  }
}

void UndoManager::track(Origin origin) {
  std::vector<Origin>& tracked = state_->options.tracked;
  if (std::find(tracked.begin(), tracked.end(), origin) == tracked.end()) tracked.push_back(origin);
}
void UndoManager::untrack(Origin origin) { std::erase(state_->options.tracked, origin); }
Origin UndoManager::origin() const { return state_->own_origin; }

}  // namespace footlight::crdt
