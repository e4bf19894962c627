#include "replica_player.h"

#include "core/assert.h"
#include "crdt/delete_set.h"
#include "crdt/merge.h"
#include "crdt/relative_position.h"
#include "crdt/snapshot.h"
#include "crdt/sync.h"
#include "replica_values.h"

namespace footlight::crdt::replica {

Bytes Player::play(ByteView request) {
  in_ = Decoder(request);
  out_.clear();
  while (!in_.at_end()) {
    FL_ASSERT(in_.ok(), "the driver and the replica agree on the commands");
    step(static_cast<Command>(in_.var_uint()));
  }
  return out_.to_bytes();
}

// The commands up to the transaction's end.
void Player::play_until_end() {
  while (true) {
    FL_ASSERT(in_.ok() && !in_.at_end(), "a transaction ends in the request where it began");
    const auto command = static_cast<Command>(in_.var_uint());
    if (command == Command::kEnd) return;
    step(command);
  }
}

void Player::step(Command command) {
  if (command >= Command::kMapSet) return step_type(command);
  switch (command) {
    case Command::kReset:
      return docs_.clear();
    case Command::kNewDoc:
      return new_doc();
    case Command::kEvents:
      return watch();
    case Command::kJson:
      return answer_any(plain_type(type()));
    case Command::kFreeDoc:
      docs_.erase(in_.var_uint());
      return;
    case Command::kBegin:
      return transact();
    case Command::kApply:
      return apply();
    case Command::kAwarenessNew:
    case Command::kAwarenessApply:
    case Command::kAwarenessEncode:
    case Command::kAwarenessStates:
      return step_awareness(command);
    case Command::kSyncRead:
      return sync_read();
    case Command::kMerge:
    case Command::kDiff:
    case Command::kVectorOf:
    case Command::kConvert:
      return step_update(command);
    case Command::kSnapshot:
    case Command::kRestore:
    case Command::kDeltaAt:
    case Command::kRelative:
    case Command::kAbsolute:
      return step_history(command);
    case Command::kUndoNew:
    case Command::kUndo:
    case Command::kRedo:
    case Command::kUndoStop:
    case Command::kUndoClear:
      return step_undo(command);
    default:
      return step_doc(command);
  }
}

void Player::new_doc() {
  const uint64_t number = in_.var_uint();
  DocOptions options;
  options.client = in_.var_uint();
  options.gc = in_.var_uint() != 0;
  host(number, std::make_unique<Doc>(options));
}

void Player::host(uint64_t number, std::unique_ptr<Doc> doc) {
  docs_.erase(number);
  Hosted& hosted = docs_[number];
  hosted.doc = std::move(doc);
  const auto keep = [](std::vector<Bytes>& into) {
    return [&into](const UpdateEvent& event) {
      into.emplace_back(event.update.begin(), event.update.end());
    };
  };
  hosted.doc->on_update(UpdateFormat::kV1, keep(hosted.emitted_v1));
  hosted.doc->on_update(UpdateFormat::kV2, keep(hosted.emitted_v2));
}

void Player::transact() {
  Hosted& at = hosted();
  const Origin origin = in_.var_uint();
  trouble_.clear();
  at.doc->transact([this] { play_until_end(); }, origin);
  if (!trouble_.empty()) {
    at.emitted_v1.clear();
    at.emitted_v2.clear();
    return answer_error(Error{Code::kCrdtRange, trouble_});
  }
  answer_emitted(at);
}

void Player::apply() {
  Hosted& at = hosted();
  const UpdateFormat version = format();
  const ByteView update = in_.var_bytes();
  const auto applied = at.doc->apply_update(update, version, in_.var_uint());
  if (!applied) return answer_error(applied.error());
  answer_emitted(at);
}

void Player::step_doc(Command command) {
  Hosted& at = hosted();
  switch (command) {
    case Command::kSetClient:
      return at.doc->set_client(in_.var_uint());
    case Command::kEncode: {
      const UpdateFormat version = format();
      return answer_bytes(at.doc->encode_state_as_update(version, in_.var_bytes()));
    }
    case Command::kStateVector:
      return answer_bytes(ByteView(at.doc->encode_state_vector()));
    case Command::kRoot: {
      const auto kind = static_cast<TypeRef>(in_.var_uint());
      const std::string_view name = in_.var_text();
      if (kind == TypeRef::kArray) return note(at.doc->array(name));
      if (kind == TypeRef::kMap) return note(at.doc->map(name));
      if (kind == TypeRef::kText) return note(at.doc->text(name));
      if (kind == TypeRef::kXmlElement) {
        return note(at.doc->xml_element(name));
      }
      return note(at.doc->xml_fragment(name));
    }
    case Command::kSyncStep1:
      return answer_bytes(ByteView(step1_message(at.doc->encode_state_vector())));
    case Command::kTakeEvents: {
      answer_any(Any(std::move(at.events)));
      at.events.clear();
      return;
    }
    case Command::kSubdocs: {
      AnyArray guids;
      for (const Subdoc& subdoc : at.doc->subdocs()) guids.emplace_back(subdoc.guid);
      return answer_any(Any(std::move(guids)));
    }
    case Command::kPending: {
      const PendingStats pending = at.doc->pending();
      return answer_any(Any(AnyArray{Any(pending.structs > 0), Any(pending.delete_ranges > 0)}));
    }
    default:
      FL_ASSERT(false, "a command that the replica knows");
  }
}

void Player::step_update(Command command) {
  if (command == Command::kMerge) return merge();
  const UpdateFormat version = format();
  const ByteView update = in_.var_bytes();
  if (command == Command::kDiff) {
    const auto state = StateVector::decode(in_.var_bytes());
    if (!state) return answer_error(state.error());
    return answer_bytes(diff_update(update, version, *state));
  }
  if (command == Command::kVectorOf) {
    const auto state = state_vector_of_update(update, version);
    if (!state) return answer_error(state.error());
    return answer_bytes(ByteView(state->encode()));
  }
  answer_bytes(convert_update(
      update, version, version == UpdateFormat::kV1 ? UpdateFormat::kV2 : UpdateFormat::kV1));
}

void Player::merge() {
  const UpdateFormat version = format();
  std::vector<ByteView> updates;
  for (uint64_t n = in_.var_uint(); n > 0; --n) updates.push_back(in_.var_bytes());
  answer_bytes(merge_updates(updates, version));
}

void Player::step_undo(Command command) {
  if (command == Command::kUndoNew) return undo_new();
  Hosted& at = hosted();
  switch (command) {
    case Command::kUndo: {
      const bool done = at.undo->undo();
      return answer_emitted(at, true, done);
    }
    case Command::kRedo: {
      const bool done = at.undo->redo();
      return answer_emitted(at, true, done);
    }
    case Command::kUndoStop:
      return at.undo->stop_capturing();
    default:
      at.undo->clear();
      return answer_emitted(at);
  }
}

void Player::undo_new() {
  Hosted& at = hosted();
  UndoOptions options;
  options.capture_timeout_ms = in_.var_uint();
  options.now_ms = [&at] { return ++at.now_ms; };
  options.tracked.clear();
  for (uint64_t n = in_.var_uint(); n > 0; --n) options.tracked.push_back(in_.var_uint());
  std::vector<Type> scope;
  for (uint64_t n = in_.var_uint(); n > 0; --n) scope.push_back(type());
  at.undo = std::make_unique<UndoManager>(*at.doc, std::move(scope), std::move(options));
}

// Keeps the events of the roots named from now on.
void Player::watch() {
  const Type watched = type();
  Hosted* at = nullptr;
  for (auto& [number, hosted] : docs_) {
    if (hosted.doc.get() == watched.doc()) at = &hosted;
  }
  FL_ASSERT(at != nullptr, "a type belongs to a document");
  at->observers.push_back(
      at->doc->observe_deep(watched, [at](const std::vector<const Event*>& events) {
        for (const Event* event : events) at->events.push_back(plain_event(*event));
      }));
}

Player::Hosted& Player::hosted() {
  const auto found = docs_.find(in_.var_uint());
  FL_ASSERT(found != docs_.end(), "a document that the driver made");
  return found->second;
}

Type Player::type() {
  Doc& at = doc();
  if (in_.var_uint() == 1) {
    const uint64_t client = in_.var_uint();
    const uint64_t clock = in_.var_uint();
    return at.find_type(Id{client, clock}).value_or(Type{});
  }
  in_.var_uint();  // the kind: the root was defined with it
  return at.find_root(in_.var_text()).value_or(Type{});
}

void Player::answer_bytes(ByteView payload) {
  out_.var_uint(0);
  out_.var_bytes(payload);
}

void Player::answer_bytes(const Result<Bytes>& result) {
  if (!result) return answer_error(result.error());
  answer_bytes(ByteView(*result));
}

void Player::answer_any(const Any& value) {
  Encoder encoded;
  value.encode(encoded);
  answer_bytes(encoded.view());
}

void Player::answer_error(const Error& error) {
  out_.var_uint(static_cast<uint64_t>(error.code));
  out_.var_text(error.message());
}

void Player::answer_emitted(Hosted& at, bool with_result, bool result) {
  Encoder payload;
  if (with_result) payload.var_uint(result ? 1 : 0);
  payload.var_uint(at.emitted_v1.size());
  const Bytes none;
  for (size_t i = 0; i < at.emitted_v1.size(); ++i) {
    payload.var_bytes(at.emitted_v1[i]);
    payload.var_bytes(i < at.emitted_v2.size() ? at.emitted_v2[i] : none);
  }
  at.emitted_v1.clear();
  at.emitted_v2.clear();
  answer_bytes(payload.view());
}

void Player::note(const Status& status) {
  if (!status && trouble_.empty()) trouble_ = status.error().message();
}

}  // namespace footlight::crdt::replica
