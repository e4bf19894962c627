// Undo and redo of one user's own changes, others' left in place (yjs 13.6 `UndoManager`).
//
// The manager follows transactions of the origins it tracks that touch its scope. Changes less than
// `capture_timeout_ms` apart become one step. It reads no clock: the caller says what time it is.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "crdt/doc.h"

namespace footlight::crdt {

struct UndoOptions {
  uint64_t capture_timeout_ms = 500;
  std::vector<Origin> tracked = {kNoOrigin};
  bool ignore_remote_map_changes = false;
  // Monotonic milliseconds > 0. Without it every transaction is a step of its own.
  std::function<uint64_t()> now_ms;
};

class UndoManager {
 public:
  // An empty scope means the whole document. The document must outlive the manager.
  UndoManager(Doc& doc, std::vector<Type> scope, UndoOptions options = {});
  ~UndoManager();
  UndoManager(UndoManager&&) = delete;

  bool undo();  // false when there was nothing to undo
  bool redo();
  bool can_undo() const;
  bool can_redo() const;
  size_t undo_steps() const;
  size_t redo_steps() const;
  void stop_capturing();  // the next change starts a new step
  void clear(bool undo_stack = true, bool redo_stack = true);
  void add_to_scope(const Type& type);
  void track(Origin origin);
  void untrack(Origin origin);
  Origin origin() const;  // of the transactions this manager makes

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace footlight::crdt
