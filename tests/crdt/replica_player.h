// Plays the driver's commands on documents of the engine.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crdt/awareness.h"
#include "crdt/doc.h"
#include "crdt/lib0.h"
#include "crdt/undo.h"
#include "replica_commands.h"

namespace footlight::crdt::replica {

class Player {
 public:
  // Plays all commands of a request; the answer is what the commands answered, one after the other.
  Bytes play(ByteView request);

 private:
  struct Hosted {
    std::unique_ptr<Doc> doc;
    std::unique_ptr<UndoManager> undo;
    std::vector<Bytes> emitted_v1, emitted_v2;
    std::vector<ObserverId> observers;
    AnyArray events;
    uint64_t now_ms = 1;
  };

  void play_until_end();
  void step(Command command);
  void step_doc(Command command);
  void step_update(Command command);
  void step_history(Command command);
  void step_undo(Command command);
  void step_awareness(Command command);
  static Any states_of(const Awareness& awareness);
  void sync_read();
  void step_type(Command command);
  void step_text(Command command, const Type& type);

  void new_doc();
  void host(uint64_t number, std::unique_ptr<Doc> doc);
  void transact();
  void apply();
  void undo_new();
  void watch();
  void restore();
  void merge();
  void resolve_position();

  Hosted& hosted();  // reads a document's number
  Doc& doc() { return *hosted().doc; }
  Type type();  // reads a type's address
  UpdateFormat format() { return in_.var_uint() == 1 ? UpdateFormat::kV1 : UpdateFormat::kV2; }

  void answer_bytes(ByteView payload);
  void answer_bytes(const Result<Bytes>& result);
  void answer_any(const Any& value);
  void answer_error(const Error& error);
  void answer_emitted(Hosted& hosted, bool with_result = false, bool result = false);
  // Within a transaction nothing answers: the first failure is told at its end.
  void note(const Status& status);
  template <class T>
  void note(const Result<T>& result) {
    if (!result) note(Status(std::unexpected(result.error())));
  }

  Decoder in_;
  Encoder out_;
  std::map<uint64_t, Hosted> docs_;
  std::map<uint64_t, Awareness> awareness_;
  std::string trouble_;
};

}  // namespace footlight::crdt::replica
