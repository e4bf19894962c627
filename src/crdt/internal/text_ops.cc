// The operations of Text, each a transaction, and the cleaning up after others' formats.
// Source: yjs 13.6 `src/types/YText.js`.
#include <algorithm>

#include "crdt/internal/store.h"
#include "crdt/internal/text.h"
#include "crdt/utf16.h"

namespace footlight::crdt::internal {

Status Store::text_insert(uint32_t slot, uint64_t index, std::string_view text,
                          const Attributes* attributes) {
  uint64_t units = 0;
  if (!measure_utf8(text, units)) return fail(Code::kBadUtf8, "text to insert");
  if (units > kMaxClock) return fail(Code::kCrdtLimit, "text to insert");
  if (attributes != nullptr) {
    if (Status ok = check_any(Any(*attributes)); !ok) return ok;
  }
  if (units == 0) return {};
  begin(kNoOrigin, true);
  TextEditor editor(*this, slot);
  TextPosition at = editor.find(index);
  const Content content{Ref::kString, static_cast<uint32_t>(units), as_bytes(text)};
  if (!types[slot].has_formatting && (attributes == nullptr || attributes->empty())) {
    const Handle found = at.left;
    while (at.right != kNone && items[at.right].deleted()) {
      at.left = at.right;
      at.right = items[at.right].right;
    }
    const Handle made = insert(slot, at.left, at.right, kNone, content);
    TypeNode& type = types[slot];
    type.cursor = made;
    type.cursor_index = made == found ? editor.found_start() : at.index;
    if (type.cursor_index == kNone) type.cursor = kNone;
  } else {
    const bool inherit = attributes == nullptr;
    editor.insert(at, content, nullptr, inherit ? at.formats : editor.formats_of(*attributes));
  }
  end();
  return {};
}

Status Store::text_embed(uint32_t slot, uint64_t index, const Input& embed,
                         const Attributes& attributes) {
  if (Status ok = check_input(embed); !ok) return ok;
  if (Status ok = check_any(Any(attributes)); !ok) return ok;
  if (const Any* any = std::get_if<Any>(&embed.value_);
      any != nullptr && (any->string() != nullptr || any->bytes() != nullptr)) {
    return fail(Code::kCrdtType, "an embed is an object or a type");
  }
  if (std::holds_alternative<Subdoc>(embed.value_)) {
    return fail(Code::kCrdtType, "an embed is an object or a type");
  }
  begin(kNoOrigin, true);
  TextEditor editor(*this, slot);
  TextPosition at = editor.find(index);
  editor.insert(at, {}, &embed, editor.formats_of(attributes));
  end();
  return {};
}

Status Store::text_erase(uint32_t slot, uint64_t index, uint64_t length) {
  if (length == 0) return {};
  begin(kNoOrigin, true);
  TextEditor editor(*this, slot);
  TextPosition at = editor.find(index);
  const Handle found = at.left;
  editor.erase(at, length);
  if (found != kNone && editor.found_start() != kNone && !types[slot].has_formatting &&
      !items[found].deleted()) {
    types[slot].cursor = found;
    types[slot].cursor_index = editor.found_start();
  }
  end();
  return {};
}

Status Store::text_format(uint32_t slot, uint64_t index, uint64_t length,
                          const Attributes& attributes) {
  if (Status ok = check_any(Any(attributes)); !ok) return ok;
  if (length == 0) return {};
  begin(kNoOrigin, true);
  TextEditor editor(*this, slot);
  TextPosition at = editor.find(index);
  // yjs walks from the start here, and so stands before what is deleted; so does find().
  if (at.right != kNone) editor.format(at, length, editor.formats_of(attributes));
  end();
  return {};
}

Status Store::text_delta(uint32_t slot, const Delta& delta) {
  for (const DeltaOp& op : delta) {
    if (Status ok = check_any(Any(op.attributes)); !ok) return ok;
    if (op.kind != DeltaOp::Kind::kInsert) continue;
    const Any* any = op.insert.any();
    if (any == nullptr) return fail(Code::kCrdtType, "a delta inserts text and embeds");
    if (Status ok = check_any(*any); !ok) return ok;
  }
  begin(kNoOrigin, true);
  TextEditor editor(*this, slot);
  TextPosition at;
  at.right = types[slot].start;
  for (const DeltaOp& op : delta) {
    if (op.kind == DeltaOp::Kind::kRetain) {
      editor.format(at, op.length, editor.formats_of(op.attributes));
    } else if (op.kind == DeltaOp::Kind::kDelete) {
      editor.erase(at, op.length);
    } else if (const std::string* text = op.insert.any()->string(); text != nullptr) {
      const auto units = static_cast<uint32_t>(utf16_length(*text));
      if (units != 0) {
        editor.insert(at, {Ref::kString, units, as_bytes(*text)}, nullptr,
                      editor.formats_of(op.attributes));
      }
    } else {
      const Input embed(*op.insert.any());
      editor.insert(at, {}, &embed, editor.formats_of(op.attributes));
    }
  }
  end();
  return {};
}

// After a transaction of others: formats that came to stand beside each other, or around nothing,
// are deleted, as a transaction of ours.
void Store::cleanup_formatting(Txn& txn) {
  std::vector<uint32_t> whole;
  const auto note = [&whole](uint32_t slot) {
    if (std::find(whole.begin(), whole.end(), slot) == whole.end()) whole.push_back(slot);
  };
  for (const Txn::Moved& m : txn.moved) {
    if (m.after == m.before) continue;
    const StructIndex& index = clients[m.client].index;
    for (StructIndex::At at = index.find(m.before); index.valid(at); at = index.after(at)) {
      const Item& item = items[index.item(at)];
      if (item.clock >= m.after) break;
      if (item.ref == Ref::kFormat && !item.deleted()) note(item.parent);
    }
  }
  begin(kNoOrigin, true);
  // In the order in which their clients came up: once a format was among them, its text is cleaned
  // as a whole instead.
  const auto clean = [&](const LocalRange& range) {
    const StructIndex& index = clients[range.client].index;
    for (StructIndex::At at = index.find(range.clock); index.valid(at); at = index.after(at)) {
      const Handle handle = index.item(at);
      const Item& item = items[handle];
      if (item.clock >= range.end()) break;
      if (item.is_gc() || item.in_map() || !types[item.parent].has_formatting) continue;
      if (std::find(whole.begin(), whole.end(), item.parent) != whole.end()) continue;
      if (item.ref == Ref::kFormat) {
        note(item.parent);
      } else {
        TextEditor(*this, item.parent).clean_gap_without_context(handle);
      }
    }
  };
  for (const uint32_t client : txn.deleted_order) {
    for (const LocalRange& range : txn.deleted) {
      if (range.client == client) clean(range);
    }
  }
  for (const uint32_t slot : whole) TextEditor(*this, slot).clean_all();
  end();
}

}  // namespace footlight::crdt::internal
