// Positions and changes of lists and keys, and new content.
// Source: yjs 13.6 `src/types/AbstractType.js` (typeList*, typeMap*).
#include <algorithm>

#include "crdt/internal/store.h"
#include "crdt/utf16.h"

namespace footlight::crdt::internal {

Handle Store::find_index(uint32_t slot, uint32_t index, uint32_t& start) {
  TypeNode& type = types[slot];
  if (type.cursor != kNone && index >= type.cursor_index) {
    // Next to the last position: the item itself, or the one that follows what is deleted.
    Handle at = type.cursor;
    uint32_t before = type.cursor_index;
    for (int steps = 0; steps < 4 && at != kNone; ++steps) {
      const uint32_t units = items[at].visible();
      if (index - before < units) {
        start = before;
        type.cursor = at;
        type.cursor_index = before;
        return at;
      }
      before += units;
      at = items[at].right;
    }
  }
  const Handle found = sequences.find(type, index, start);
  type.cursor = found;
  type.cursor_index = start;
  return found;
}

bool Store::is_plain(const Input& value) const {
  const Any* any = std::get_if<Any>(&value.value_);
  return any != nullptr && any->bytes() == nullptr;
}

Status Store::check_input(const Input& value) {
  const auto good = [](std::string_view text) { return is_valid_utf8(text); };
  if (const Any* any = std::get_if<Any>(&value.value_); any != nullptr) {
    return check_any(*any);
  }
  if (const Subdoc* subdoc = std::get_if<Subdoc>(&value.value_); subdoc != nullptr) {
    if (!good(subdoc->guid)) return fail(Code::kBadUtf8, "guid of a subdocument");
    return check_any(subdoc->options);
  }
  const auto& made = std::get<Input::NewType>(value.value_);
  if (!good(made.name)) return fail(Code::kBadUtf8, "name of an XML element");
  for (const auto& [key, entry] : made.entries) {
    if (!good(key)) return fail(Code::kBadUtf8, "key of a map");
    if (Status ok = check_input(entry); !ok) return ok;
  }
  for (const Input& item : made.items) {
    if (Status ok = check_input(item); !ok) return ok;
  }
  for (const Attributes& attributes : made.formats) {
    if (Status ok = check_any(Any(attributes)); !ok) return ok;
  }
  return {};
}

Status Store::check_any(const Any& any, int depth) {
  if (depth > kMaxDepth) return fail(Code::kCrdtLimit, "a value is nested too deeply");
  if (const std::string* text = any.string(); text != nullptr && !is_valid_utf8(*text)) {
    return fail(Code::kBadUtf8, "a string value");
  }
  if (const AnyArray* array = any.array(); array != nullptr) {
    for (const Any& one : *array) {
      if (Status ok = check_any(one, depth + 1); !ok) return ok;
    }
  }
  if (const AnyObject* object = any.object(); object != nullptr) {
    for (const auto& [key, one] : *object) {
      if (!is_valid_utf8(key)) return fail(Code::kBadUtf8, "a key of an object");
      if (Status ok = check_any(one, depth + 1); !ok) return ok;
    }
  }
  return {};
}

void Store::encode_any(Encoder& out, const Any& any) {
  if (any.object() != nullptr || any.array() != nullptr) {
    Any copy = any;
    copy.canonicalize();
    copy.encode(out);
  } else {
    any.encode(out);
  }
}

// The content's bytes stand in `scratch` until the next content is made.
Content Store::make_content(const Input& value) {
  scratch.clear();
  if (const Any* any = std::get_if<Any>(&value.value_); any != nullptr) {
    if (const Bytes* bytes = any->bytes(); bytes != nullptr) return {Ref::kBinary, 1, *bytes};
    encode_any(scratch, *any);
    return {Ref::kAny, 1, scratch.view()};
  }
  if (const Subdoc* subdoc = std::get_if<Subdoc>(&value.value_); subdoc != nullptr) {
    scratch.var_text(subdoc->guid);
    AnyObject options;  // what yjs keeps of them, in its order
    const Any* gc = subdoc->options.find("gc");
    if (gc != nullptr && gc->boolean() != nullptr && !*gc->boolean())
      options.emplace_back("gc", false);
    const Any* load = subdoc->options.find("autoLoad");
    if (load != nullptr && load->boolean() != nullptr && *load->boolean()) {
      options.emplace_back("autoLoad", true);
    }
    const Any* meta = subdoc->options.find("meta");
    if (meta != nullptr && !meta->is_null() && !meta->is_undefined())
      options.emplace_back("meta", *meta);
    encode_any(scratch, Any(std::move(options)));
    return {Ref::kDoc, 1, scratch.view()};
  }
  const auto& made = std::get<Input::NewType>(value.value_);
  const bool named = made.kind == TypeRef::kXmlElement || made.kind == TypeRef::kXmlHook;
  Content content{Ref::kType, 1, {}, kNone};
  content.type = make_type(made.kind, named ? names.intern(made.name) : kNone);
  return content;
}

// The first content of a type that was just inserted: each piece is an operation of its own, in the
// order in which yjs integrates prepared types.
void Store::fill_type(uint32_t slot, const Input& value) {
  const auto& made = std::get<Input::NewType>(value.value_);
  if (made.kind == TypeRef::kText || made.kind == TypeRef::kXmlText) {
    uint32_t at = 0;
    for (size_t i = 0; i < made.items.size(); ++i) {
      const Any* any = std::get_if<Any>(&made.items[i].value_);
      const std::string* text = any == nullptr ? nullptr : any->string();
      const Attributes* formats = i < made.formats.size() ? &made.formats[i] : nullptr;
      if (text != nullptr) {
        (void)text_insert(slot, at, *text, formats);
        at += static_cast<uint32_t>(utf16_length(*text));
      } else {
        (void)text_embed(slot, at, made.items[i], formats == nullptr ? Attributes{} : *formats);
        ++at;
      }
    }
  } else if (!made.items.empty()) {
    (void)list_insert_after(slot, kNone, made.items);
  }
  for (const auto& [key, entry] : made.entries) (void)map_set(slot, key, entry);
}

Handle Store::insert_input(uint32_t slot, Handle left, Handle right, uint32_t key,
                           const Input& value) {
  const Content content = make_content(value);
  const Handle handle = insert(slot, left, right, key, content);
  if (content.ref == Ref::kType) fill_type(content.type, value);
  return handle;
}

Handle Store::list_insert_after(uint32_t slot, Handle left, std::span<const Input> values) {
  const Handle right = left == kNone ? types[slot].start : items[left].right;
  for (size_t i = 0; i < values.size();) {
    if (!is_plain(values[i])) {
      left = insert_input(slot, left, right, kNone, values[i++]);
      continue;
    }
    scratch.clear();
    uint32_t count = 0;
    for (; i < values.size() && is_plain(values[i]); ++i, ++count) {
      encode_any(scratch, std::get<Any>(values[i].value_));
    }
    left = insert(slot, left, right, kNone, {Ref::kAny, count, scratch.view()});
  }
  return left;
}

Status Store::list_insert(uint32_t slot, uint64_t index, std::span<const Input> values) {
  if (index > types[slot].length) {
    return fail(Code::kCrdtRange,
                std::to_string(index) + " of " + std::to_string(types[slot].length));
  }
  for (const Input& value : values) {
    if (Status ok = check_input(value); !ok) return ok;
  }
  begin(kNoOrigin, true);
  Handle left = kNone;
  uint32_t start = 0;
  if (index > 0) {
    left = find_index(slot, static_cast<uint32_t>(index - 1), start);
    const auto offset = static_cast<uint32_t>(index - start);
    const Item& item = items[left];
    if (offset < item.len) (void)clean_start(item.client, item.clock + offset);
  }
  const Handle last = list_insert_after(slot, left, values);
  TypeNode& type = types[slot];
  if (last != kNone) {
    if (last == left) {
      type.cursor = last;
      type.cursor_index = start;
    } else if (values.size() == 1) {
      type.cursor = last;
      type.cursor_index = static_cast<uint32_t>(index);
    } else {
      type.cursor = kNone;
    }
  }
  end();
  return {};
}

// Behind everything, what is deleted included.
Status Store::list_push(uint32_t slot, std::span<const Input> values) {
  for (const Input& value : values) {
    if (Status ok = check_input(value); !ok) return ok;
  }
  begin(kNoOrigin, true);
  (void)list_insert_after(slot, types[slot].last, values);
  end();
  return {};
}

Status Store::list_erase(uint32_t slot, uint64_t index, uint64_t count) {
  const uint32_t length = types[slot].length;
  if (index > length || count > length - index) {
    return fail(Code::kCrdtRange, std::to_string(index) + " + " + std::to_string(count) + " of " +
                                      std::to_string(length));
  }
  if (count == 0) return {};
  begin(kNoOrigin, true);
  uint32_t start = 0;
  Handle at = find_index(slot, static_cast<uint32_t>(index), start);
  if (start < index) {
    at = clean_start(items[at].client, items[at].clock + static_cast<uint32_t>(index - start));
  }
  while (count > 0) {
    FL_ASSERT(at != kNone, "the range was in the list");
    const Item& item = items[at];
    if (item.visible() != 0) {
      if (count < item.len) {
        (void)clean_start(item.client, item.clock + static_cast<uint32_t>(count));
      }
      count -= item.len;
      delete_item(at);
    }
    at = item.right;
  }
  end();
  return {};
}

Handle Store::map_item(const TypeNode& type, std::string_view key) const {
  if (type.map == nullptr) return kNone;
  const uint32_t name = names.find(key);
  if (name == kNone) return kNone;
  const MapTable::Entry* entry = type.map->find(name);
  if (entry == nullptr || entry->tail == kNone || items[entry->tail].deleted()) return kNone;
  return entry->tail;
}

Status Store::map_set(uint32_t slot, std::string_view key, const Input& value) {
  if (!is_valid_utf8(key)) return fail(Code::kBadUtf8, "key of a map");
  if (Status ok = check_input(value); !ok) return ok;
  begin(kNoOrigin, true);
  const uint32_t name = names.intern(key);
  const MapTable::Entry* entry = types[slot].map == nullptr ? nullptr : types[slot].map->find(name);
  (void)insert_input(slot, entry == nullptr ? kNone : entry->tail, kNone, name, value);
  end();
  return {};
}

Status Store::map_erase(uint32_t slot, std::string_view key) {
  const Handle handle = map_item(types[slot], key);
  if (handle == kNone) return {};
  begin(kNoOrigin, true);
  delete_item(handle);
  end();
  return {};
}

}  // namespace footlight::crdt::internal
