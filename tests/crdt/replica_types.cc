// Operations on shared types, and looking back.
#include "core/assert.h"
#include "crdt/relative_position.h"
#include "crdt/snapshot.h"
#include "replica_player.h"
#include "replica_values.h"

namespace footlight::crdt::replica {

void Player::step_type(Command command) {
  const Type at = type();
  switch (command) {
    case Command::kMapSet: {
      const std::string_view key = in_.var_text();
      const Input value = read_content(in_);
      if (const auto hook = at.as_xml_hook()) {
        XmlHook target = *hook;
        return note(target.set(key, value));
      }
      return note(at.as_map().value_or(Map{}).set(key, value));
    }
    case Command::kMapDelete: {
      const std::string_view key = in_.var_text();
      if (auto hook = at.as_xml_hook()) return note(hook->erase(key));
      return note(at.as_map().value_or(Map{}).erase(key));
    }
    case Command::kMapClear:
      if (auto hook = at.as_xml_hook()) return note(hook->clear());
      return note(at.as_map().value_or(Map{}).clear());
    case Command::kListInsert: {
      const uint64_t index = in_.var_uint();
      const std::vector<Input> contents = read_contents(in_);
      if (auto array = at.as_array()) return note(array->insert(index, contents));
      return note(at.as_xml_fragment().value_or(XmlFragment{}).insert(index, contents));
    }
    case Command::kListPush: {
      const std::vector<Input> contents = read_contents(in_);
      if (auto array = at.as_array()) return note(array->push(contents));
      return note(at.as_xml_fragment().value_or(XmlFragment{}).push(contents));
    }
    case Command::kListDelete: {
      const uint64_t index = in_.var_uint();
      const uint64_t length = in_.var_uint();
      if (auto array = at.as_array()) return note(array->erase(index, length));
      return note(at.as_xml_fragment().value_or(XmlFragment{}).erase(index, length));
    }
    case Command::kAttributeSet: {
      const std::string_view name = in_.var_text();
      const Input value(read_any(in_));
      if (auto text = at.as_text()) return note(text->set_attribute(name, value));
      return note(at.as_xml_element().value_or(XmlElement{}).set_attribute(name, value));
    }
    case Command::kAttributeDelete: {
      const std::string_view name = in_.var_text();
      if (auto text = at.as_text()) return note(text->remove_attribute(name));
      return note(at.as_xml_element().value_or(XmlElement{}).remove_attribute(name));
    }
    default:
      return step_text(command, at);
  }
}

void Player::step_text(Command command, const Type& at) {
  Text text = at.as_text().value_or(Text{});
  switch (command) {
    case Command::kTextInsert: {
      const uint64_t index = in_.var_uint();
      const std::string_view inserted = in_.var_text();
      if (in_.var_uint() == 0) return note(text.insert(index, inserted));
      return note(text.insert(index, inserted, read_attributes(in_)));
    }
    case Command::kTextEmbed: {
      const uint64_t index = in_.var_uint();
      const Input embed = read_content(in_);
      if (in_.var_uint() == 0) return note(text.insert_embed(index, embed));
      return note(text.insert_embed(index, embed, read_attributes(in_)));
    }
    case Command::kTextDelete: {
      const uint64_t index = in_.var_uint();
      return note(text.erase(index, in_.var_uint()));
    }
    case Command::kTextFormat: {
      const uint64_t index = in_.var_uint();
      const uint64_t length = in_.var_uint();
      return note(text.format(index, length, read_attributes(in_)));
    }
    case Command::kTextDeltaApply: {
      Delta delta;
      for (uint64_t n = in_.var_uint(); n > 0; --n) {
        DeltaOp op;
        const uint64_t tag = in_.var_uint();
        if (tag == 0) {
          op.kind = DeltaOp::Kind::kRetain;
          op.length = in_.var_uint();
        } else if (tag == 1) {
          op.kind = DeltaOp::Kind::kDelete;
          op.length = in_.var_uint();
        } else if (tag == 2) {
          op.insert = Value(Any(in_.var_text()));
        } else {
          in_.var_uint();  // the content's tag: embeds here are plain values
          op.insert = Value(read_any(in_));
        }
        if (tag != 1 && in_.var_uint() == 1) op.attributes = read_attributes(in_);
        delta.push_back(std::move(op));
      }
      return note(text.apply_delta(delta));
    }
    default:
      FL_ASSERT(false, "a command that the replica knows");
  }
}

void Player::step_history(Command command) {
  switch (command) {
    case Command::kSnapshot: {
      Doc& at = doc();
      return answer_bytes(ByteView(encode_snapshot(take_snapshot(at), format())));
    }
    case Command::kRestore:
      return restore();
    case Command::kDeltaAt: {
      const Type at = type();
      const UpdateFormat version = format();
      const auto now = decode_snapshot(in_.var_bytes(), version);
      const auto before = decode_snapshot(in_.var_bytes(), version);
      const auto delta = delta_at(at.as_text().value_or(Text{}), now ? &*now : nullptr,
                                  before ? &*before : nullptr);
      if (!delta) return answer_error(delta.error());
      return answer_any(plain_delta(*delta));
    }
    case Command::kRelative: {
      const Type at = type();
      const uint64_t index = in_.var_uint();
      const int64_t assoc = in_.var_uint() == 1 ? -1 : 0;
      return answer_bytes(ByteView(encode_relative_position(relative_position(at, index, assoc))));
    }
    default:
      return resolve_position();
  }
}

void Player::restore() {
  Doc& at = doc();
  const UpdateFormat version = format();
  const auto snapshot = decode_snapshot(in_.var_bytes(), version);
  const uint64_t number = in_.var_uint();
  if (!snapshot) return answer_error(snapshot.error());
  auto made = doc_at(at, *snapshot, DocOptions{});
  if (!made) return answer_error(made.error());
  host(number, std::move(*made));
  answer_bytes(ByteView{});
}

void Player::resolve_position() {
  Doc& at = doc();
  const auto position = decode_relative_position(in_.var_bytes());
  if (!position) return answer_error(position.error());
  const auto place = resolve(at, *position);
  if (!place) return answer_any(Any(Any::Null{}));
  answer_any(Any(AnyArray{Any(static_cast<double>(place->index)),
                          Any(static_cast<double>(place->assoc)), Any(place->type.to_json())}));
}

}  // namespace footlight::crdt::replica
