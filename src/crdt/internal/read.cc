// Values and JSON out. Source: yjs 13.6 `toJSON`, `toString`, `toDelta` of `src/types`.
#include <algorithm>

#include "crdt/internal/formats.h"
#include "crdt/internal/script.h"
#include "crdt/internal/store.h"
#include "crdt/utf16.h"

namespace footlight::crdt::internal {
namespace {

// Types nest as deep as peers like; what lies deeper than this reads as null.
constexpr int kMaxReadDepth = 1000;

// The bytes of element `offset` of a kAny item.
ByteView any_at(ByteView content, uint32_t offset) {
  Decoder in(content);
  for (uint32_t i = 0; i < offset; ++i) (void)skip_any(in);
  const uint8_t* begin = in.position();
  (void)skip_any(in);
  return {begin, static_cast<size_t>(in.position() - begin)};
}

std::string_view json_at(ByteView content, uint32_t offset) {
  Decoder in(content);
  for (uint32_t i = 0; i < offset; ++i) (void)in.var_bytes();
  return in.var_text_unchecked();
}

// One UTF-16 unit of a text as a string; half a pair reads as U+FFFD.
std::string unit_at(std::string_view text, uint32_t offset) {
  const Utf8Cut from = utf8_cut(text, offset);
  const Utf8Cut to = utf8_cut(text, uint64_t{offset} + 1);
  if (from.split || to.split) return std::string(kReplacement);
  return std::string(text.substr(from.at, to.at - from.at));
}

constexpr uint8_t kUndefined = 127;

}  // namespace

Value Store::value_of(Handle handle, uint32_t offset) const {
  const Item& item = items[handle];
  const ByteView bytes = item.ref == Ref::kType ? ByteView{} : content(item);
  switch (item.ref) {
    case Ref::kAny: {
      Decoder in(any_at(bytes, offset));
      return read_any(in);
    }
    case Ref::kJson: {
      const std::string_view json = json_at(bytes, offset);
      if (json == "undefined") return Any();
      auto value = parse_json(json);
      return value ? Value(std::move(*value)) : Value();
    }
    case Ref::kString:
      return Any(unit_at(as_text(bytes), offset));
    case Ref::kBinary:
      return Any(Bytes(bytes.begin(), bytes.end()));
    case Ref::kEmbed: {
      Decoder in(bytes);
      return read_any(in);
    }
    case Ref::kType:
      return handle_of(item.type);
    case Ref::kDoc: {
      Decoder in(bytes);
      Subdoc subdoc;
      subdoc.guid = in.var_text_unchecked();
      subdoc.options = read_any(in);
      return subdoc;
    }
    default:
      return Value();
  }
}

bool Store::is_undefined(Handle handle, uint32_t offset) const {
  const Item& item = items[handle];
  if (item.ref == Ref::kAny) return any_at(content(item), offset)[0] == kUndefined;
  if (item.ref == Ref::kJson) return json_at(content(item), offset) == "undefined";
  return false;
}

void Store::append_json(std::string& out, Handle handle, uint32_t offset, int depth) const {
  const Item& item = items[handle];
  switch (item.ref) {
    case Ref::kAny:
      append_json_of_any(out, any_at(content(item), offset));
      break;
    case Ref::kJson:
      out += is_undefined(handle, offset) ? "null" : json_at(content(item), offset);
      break;
    case Ref::kEmbed:
      append_json_of_any(out, content(item));
      break;
    case Ref::kType:
      type_json(out, item.type, depth + 1);
      break;
    case Ref::kDoc:
      out += "{}";
      break;
    default:
      value_of(handle, offset).any()->append_json(out);
  }
}

std::vector<std::pair<uint32_t, Handle>> Store::live_keys(const TypeNode& type) const {
  std::vector<std::pair<uint32_t, Handle>> keys;
  if (type.map == nullptr) return keys;
  for (const MapTable::Entry& entry : type.map->entries()) {
    if (entry.tail != kNone && !items[entry.tail].deleted())
      keys.emplace_back(entry.key, entry.tail);
  }
  return keys;
}

void Store::map_json(std::string& out, const TypeNode& type, int depth) const {
  std::vector<std::pair<uint32_t, Handle>> keys = live_keys(type);
  // Objects list what looks like an array index first, in order of number.
  const auto number = [this](uint32_t key) { return array_index(names[key]); };
  std::stable_sort(keys.begin(), keys.end(),
                   [&](const auto& a, const auto& b) { return number(a.first) < number(b.first); });
  out += '{';
  bool first = true;
  for (const auto& [key, handle] : keys) {
    const uint32_t last = items[handle].len - 1;
    if (is_undefined(handle, last)) continue;
    if (!first) out += ',';
    first = false;
    append_json_string(out, names[key]);
    out += ':';
    append_json(out, handle, last, depth);
  }
  out += '}';
}

void Store::type_json(std::string& out, uint32_t slot, int depth) const {
  const TypeNode& type = types[slot];
  if (depth > kMaxReadDepth) {
    out += "null";
    return;
  }
  switch (type.kind) {
    case TypeRef::kArray: {
      out += '[';
      bool first = true;
      for (Handle h = type.start; h != kNone; h = items[h].right) {
        const Item& item = items[h];
        if (item.visible() == 0) continue;
        if (item.ref == Ref::kAny) {  // in one pass, however long
          Decoder in(content(item));
          for (uint32_t i = 0; i < item.len; ++i) {
            if (!first) out += ',';
            first = false;
            const uint8_t* begin = in.position();
            (void)skip_any(in);
            append_json_of_any(out, {begin, static_cast<size_t>(in.position() - begin)});
          }
          continue;
        }
        for (uint32_t i = 0; i < item.len; ++i) {
          if (!first) out += ',';
          first = false;
          append_json(out, h, i, depth);
        }
      }
      out += ']';
      break;
    }
    case TypeRef::kMap:
    case TypeRef::kXmlHook:
      map_json(out, type, depth);
      break;
    case TypeRef::kText:
      append_json_string(out, text_string(slot));
      break;
    case TypeRef::kNone:
      out += "null";
      break;
    default:
      append_json_string(out, xml_string(slot, depth));
  }
}

std::string Store::text_string(uint32_t slot) const {
  std::string out;
  for (Handle h = types[slot].start; h != kNone; h = items[h].right) {
    const Item& item = items[h];
    if (item.ref == Ref::kString && !item.deleted()) out += text(item);
  }
  return out;
}

Attributes Store::attributes_of(const Formats& formats) const {
  Attributes attributes;
  for (const auto& [key, value] : formats.entries()) {
    Decoder in(as_bytes(value));
    attributes.emplace_back(std::string(names[key]), read_any(in));
  }
  Any ordered(std::move(attributes));
  ordered.canonicalize();
  return *ordered.object();
}

Delta Store::text_delta_of(uint32_t slot) const {
  Delta delta;
  Formats formats;
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    delta.push_back({DeltaOp::Kind::kInsert, Any(std::move(run)), 0, attributes_of(formats)});
    run.clear();
  };
  for (Handle h = types[slot].start; h != kNone; h = items[h].right) {
    const Item& item = items[h];
    if (item.deleted()) continue;
    if (item.ref == Ref::kString) {
      run += text(item);
    } else if (item.ref == Ref::kEmbed || item.ref == Ref::kType) {
      flush();
      delta.push_back({DeltaOp::Kind::kInsert, value_of(h, 0), 0, attributes_of(formats)});
    } else if (item.ref == Ref::kFormat) {
      flush();
      const FormatView format = read_format(content(item));
      const uint32_t key = names.find(format.key);
      if (key != kNone) formats.pass(key, format.value);
    }
  }
  flush();
  return delta;
}

}  // namespace footlight::crdt::internal
