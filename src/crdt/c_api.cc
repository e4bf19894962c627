#include "crdt/c_api.h"

#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "crdt/any.h"
#include "crdt/doc.h"
#include "crdt/internal/store.h"
#include "crdt/merge.h"
#include "crdt/undo.h"

namespace crdt = footlight::crdt;
using footlight::Bytes;
using footlight::ByteView;
using footlight::Code;
using footlight::Status;

struct fl_doc {
  crdt::Doc doc;
};
struct fl_undo {
  crdt::UndoManager manager;
};

namespace {

static_assert(sizeof(crdt::Type) <= sizeof(fl_type) && std::is_trivially_copyable_v<crdt::Type>);

fl_type wrap(const crdt::Type& type) {
  fl_type out{};
  std::memcpy(&out, &type, sizeof(type));
  return out;
}

crdt::Type unwrap(const fl_type& type) {
  crdt::Type out;
  std::memcpy(static_cast<void*>(&out), &type, sizeof(out));
  return out;
}

int code_of(const footlight::Error& error) { return static_cast<int>(error.code); }
int code_of(const Status& status) { return status ? 0 : code_of(status.error()); }
constexpr int kMalformed = static_cast<int>(Code::kCrdtMalformed);
constexpr int kGone = static_cast<int>(Code::kCrdtGone);
constexpr int kWrongType = static_cast<int>(Code::kCrdtType);
constexpr int kOutOfRange = static_cast<int>(Code::kCrdtRange);

int give(ByteView bytes, fl_bytes* out) {
  auto* data = static_cast<uint8_t*>(std::malloc(bytes.empty() ? 1 : bytes.size()));
  FL_ASSERT(data != nullptr, "out of memory");
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  *out = {data, bytes.size()};
  return 0;
}
int give(const std::string& text, fl_bytes* out) { return give(footlight::as_bytes(text), out); }

bool format_of(int format, crdt::UpdateFormat& out) {
  if (format != FL_V1 && format != FL_V2) return false;
  out = static_cast<crdt::UpdateFormat>(format);
  return true;
}

bool new_type(int kind, const char* name, crdt::Input& out) {
  const std::string_view given = name == nullptr ? std::string_view() : name;
  switch (kind) {
    case FL_ARRAY:
      out = crdt::Input::array();
      return true;
    case FL_MAP:
      out = crdt::Input::map();
      return true;
    case FL_TEXT:
      out = crdt::Input::text();
      return true;
    case FL_XML_ELEMENT:
      out = crdt::Input::xml_element(given);
      return true;
    case FL_XML_FRAGMENT:
      out = crdt::Input::xml_fragment();
      return true;
    case FL_XML_HOOK:
      out = crdt::Input::xml_hook(given);
      return true;
    case FL_XML_TEXT:
      out = crdt::Input::xml_text();
      return true;
    default:
      return false;
  }
}

int dead_or_wrong(const crdt::Type& type) { return type.alive() ? kWrongType : kGone; }

// Reads a JSON object of attributes.
int attributes_of(const char* json, size_t size, crdt::Attributes& out) {
  auto value = crdt::parse_json({json, size});
  if (!value || value->object() == nullptr) return kMalformed;
  out = *value->object();
  return 0;
}

int give_type(const crdt::Value& value, fl_type* out) {
  if (value.type() == nullptr) return kWrongType;
  *out = wrap(*value.type());
  return 0;
}

}  // namespace

void fl_bytes_free(fl_bytes* bytes) {
  std::free(bytes->data);
  *bytes = {nullptr, 0};
}

const char* fl_error_text(int code) {
  return footlight::code_sentence(static_cast<Code>(code)).data();
}

fl_doc* fl_doc_new(uint64_t client, int gc) {
  return new fl_doc{crdt::Doc({.client = client & crdt::kMaxClient, .gc = gc != 0})};
}
void fl_doc_free(fl_doc* doc) { delete doc; }
uint64_t fl_doc_client(const fl_doc* doc) { return doc->doc.client(); }

int fl_doc_apply(fl_doc* doc, const uint8_t* update, size_t size, int format, uint64_t origin) {
  crdt::UpdateFormat f;
  if (!format_of(format, f)) return kMalformed;
  const auto applied = doc->doc.apply_update({update, size}, f, origin);
  return applied ? 0 : code_of(applied.error());
}

int fl_doc_encode(const fl_doc* doc, int format, const uint8_t* vector, size_t size,
                  fl_bytes* out) {
  crdt::UpdateFormat f;
  if (!format_of(format, f)) return kMalformed;
  const auto bytes = doc->doc.encode_state_as_update(f, {vector, size});
  return bytes ? give(*bytes, out) : code_of(bytes.error());
}

int fl_doc_state_vector(const fl_doc* doc, fl_bytes* out) {
  return give(doc->doc.encode_state_vector(), out);
}
int fl_doc_json(const fl_doc* doc, fl_bytes* out) { return give(doc->doc.to_json(), out); }

int fl_doc_root(fl_doc* doc, const char* name, size_t size, int kind, fl_type* out) {
  const std::string_view root(name, size);
  const auto put = [out](const auto& result) {
    if (!result) return code_of(result.error());
    *out = wrap(*result);
    return 0;
  };
  switch (kind) {
    case FL_ARRAY:
      return put(doc->doc.array(root));
    case FL_MAP:
      return put(doc->doc.map(root));
    case FL_TEXT:
      return put(doc->doc.text(root));
    case FL_XML_ELEMENT:
      return put(doc->doc.xml_element(root));
    case FL_XML_FRAGMENT:
      return put(doc->doc.xml_fragment(root));
    case FL_XML_TEXT:
      return put(doc->doc.xml_text(root));
    default:
      return kWrongType;
  }
}

void fl_doc_begin(fl_doc* doc, uint64_t origin) { doc->doc.store().begin(origin, true); }
void fl_doc_end(fl_doc* doc) { doc->doc.store().end(); }

uint64_t fl_doc_on_update(fl_doc* doc, int format, fl_update_fn call, void* context) {
  const auto f = format == FL_V2 ? crdt::UpdateFormat::kV2 : crdt::UpdateFormat::kV1;
  return doc->doc.on_update(f, [call, context](const crdt::UpdateEvent& event) {
    call(context, event.update.data(), event.update.size(), event.origin, event.local ? 1 : 0);
  });
}
void fl_doc_unobserve(fl_doc* doc, uint64_t observer) { doc->doc.unobserve(observer); }
uint64_t fl_doc_memory_bytes(const fl_doc* doc) { return doc->doc.stats().memory_bytes; }

int fl_type_alive(fl_type type) { return unwrap(type).alive() ? 1 : 0; }

int fl_type_kind(fl_type type) {
  const crdt::TypeRef kind = unwrap(type).kind();
  return kind == crdt::TypeRef::kNone ? -1 : static_cast<int>(kind);
}

int fl_type_json(fl_type type, fl_bytes* out) {
  const crdt::Type t = unwrap(type);
  return t.alive() ? give(t.to_json(), out) : kGone;
}

uint64_t fl_type_size(fl_type type) {
  const crdt::Type t = unwrap(type);
  if (const auto map = t.as_map()) return map->size();
  const crdt::internal::TypeNode* node = t.alive() ? t.doc()->store().node(t) : nullptr;
  return node == nullptr ? 0 : node->length;
}

int fl_map_set(fl_type map, const char* key, size_t key_size, const char* json, size_t json_size) {
  const crdt::Type type = unwrap(map);
  auto m = type.as_map();
  auto value = crdt::parse_json({json, json_size});
  if (!value) return kMalformed;
  if (m) return code_of(m->set({key, key_size}, crdt::Input(std::move(*value))));
  auto element = type.as_xml_element();
  if (!element) return dead_or_wrong(type);
  return code_of(element->set_attribute({key, key_size}, crdt::Input(std::move(*value))));
}

int fl_map_set_type(fl_type map, const char* key, size_t key_size, int kind, const char* name,
                    fl_type* out) {
  const crdt::Type type = unwrap(map);
  auto m = type.as_map();
  crdt::Input input(0);
  if (!m) return dead_or_wrong(type);
  if (!new_type(kind, name, input)) return kWrongType;
  if (const int code = code_of(m->set({key, key_size}, input)); code != 0) return code;
  return give_type(m->get({key, key_size}), out);
}

int fl_map_get(fl_type map, const char* key, size_t key_size, fl_bytes* out) {
  const crdt::Type type = unwrap(map);
  if (const auto m = type.as_map()) return give(m->get({key, key_size}).to_json(), out);
  if (const auto e = type.as_xml_element()) {
    return give(e->attribute({key, key_size}).to_json(), out);
  }
  return dead_or_wrong(type);
}

int fl_map_get_type(fl_type map, const char* key, size_t key_size, fl_type* out) {
  const crdt::Type type = unwrap(map);
  const auto m = type.as_map();
  return m ? give_type(m->get({key, key_size}), out) : dead_or_wrong(type);
}

int fl_map_erase(fl_type map, const char* key, size_t key_size) {
  const crdt::Type type = unwrap(map);
  if (auto m = type.as_map()) return code_of(m->erase({key, key_size}));
  if (auto e = type.as_xml_element()) return code_of(e->remove_attribute({key, key_size}));
  return dead_or_wrong(type);
}

int fl_array_insert(fl_type array, uint64_t index, const char* json, size_t json_size) {
  const crdt::Type type = unwrap(array);
  auto a = type.as_array();
  if (!a) return dead_or_wrong(type);
  const auto value = crdt::parse_json({json, json_size});
  if (!value || value->array() == nullptr) return kMalformed;
  std::vector<crdt::Input> inputs;
  for (const crdt::Any& one : *value->array()) inputs.emplace_back(one);
  return code_of(a->insert(index, inputs));
}

int fl_array_insert_type(fl_type list, uint64_t index, int kind, const char* name, fl_type* out) {
  const crdt::Type type = unwrap(list);
  crdt::Input input(0);
  if (!new_type(kind, name, input)) return kWrongType;
  if (auto a = type.as_array()) {
    if (const int code = code_of(a->insert(index, input)); code != 0) return code;
    return give_type(a->get(index), out);
  }
  auto f = type.as_xml_fragment();
  if (!f) return dead_or_wrong(type);
  if (const int code = code_of(f->insert(index, input)); code != 0) return code;
  return give_type(f->get(index), out);
}

namespace {
int element(const crdt::Type& type, uint64_t index, crdt::Value& out) {
  if (index >= fl_type_size(wrap(type))) return type.alive() ? kOutOfRange : kGone;
  if (const auto a = type.as_array()) {
    out = a->get(index);
  } else if (const auto f = type.as_xml_fragment()) {
    out = f->get(index);
  } else {
    return dead_or_wrong(type);
  }
  return 0;
}
}  // namespace

int fl_array_get(fl_type list, uint64_t index, fl_bytes* out) {
  crdt::Value value;
  const int code = element(unwrap(list), index, value);
  return code != 0 ? code : give(value.to_json(), out);
}

int fl_array_get_type(fl_type list, uint64_t index, fl_type* out) {
  crdt::Value value;
  const int code = element(unwrap(list), index, value);
  return code != 0 ? code : give_type(value, out);
}

int fl_array_erase(fl_type list, uint64_t index, uint64_t count) {
  const crdt::Type type = unwrap(list);
  if (auto a = type.as_array()) return code_of(a->erase(index, count));
  if (auto f = type.as_xml_fragment()) return code_of(f->erase(index, count));
  return dead_or_wrong(type);
}

int fl_text_insert(fl_type text, uint64_t index, const char* utf8, size_t size,
                   const char* attributes, size_t attributes_size) {
  const crdt::Type type = unwrap(text);
  auto t = type.as_text();
  if (!t) return dead_or_wrong(type);
  if (attributes == nullptr) return code_of(t->insert(index, {utf8, size}));
  crdt::Attributes given;
  if (const int code = attributes_of(attributes, attributes_size, given); code != 0) return code;
  return code_of(t->insert(index, {utf8, size}, given));
}

int fl_text_erase(fl_type text, uint64_t index, uint64_t length) {
  const crdt::Type type = unwrap(text);
  auto t = type.as_text();
  return t ? code_of(t->erase(index, length)) : dead_or_wrong(type);
}

int fl_text_format(fl_type text, uint64_t index, uint64_t length, const char* attributes,
                   size_t attributes_size) {
  const crdt::Type type = unwrap(text);
  auto t = type.as_text();
  if (!t) return dead_or_wrong(type);
  crdt::Attributes given;
  if (const int code = attributes_of(attributes, attributes_size, given); code != 0) return code;
  return code_of(t->format(index, length, given));
}

int fl_text_string(fl_type text, fl_bytes* out) {
  const crdt::Type type = unwrap(text);
  const auto t = type.as_text();
  return t ? give(t->to_string(), out) : dead_or_wrong(type);
}

int fl_text_delta(fl_type text, fl_bytes* out) {
  const crdt::Type type = unwrap(text);
  const auto t = type.as_text();
  return t ? give(crdt::delta_to_json(t->to_delta()), out) : dead_or_wrong(type);
}

fl_undo* fl_undo_new(fl_doc* doc, const fl_type* scope, size_t count) {
  std::vector<crdt::Type> types;
  for (size_t i = 0; i < count; ++i) types.push_back(unwrap(scope[i]));
  return new fl_undo{crdt::UndoManager(doc->doc, std::move(types))};
}
void fl_undo_free(fl_undo* undo) { delete undo; }
int fl_undo_undo(fl_undo* undo) { return undo->manager.undo() ? 1 : 0; }
int fl_undo_redo(fl_undo* undo) { return undo->manager.redo() ? 1 : 0; }

int fl_merge_updates(const fl_bytes* updates, size_t count, int format, fl_bytes* out) {
  crdt::UpdateFormat f;
  if (!format_of(format, f)) return kMalformed;
  std::vector<ByteView> views;
  for (size_t i = 0; i < count; ++i) views.emplace_back(updates[i].data, updates[i].size);
  const auto merged = crdt::merge_updates(views, f);
  return merged ? give(*merged, out) : code_of(merged.error());
}

int fl_diff_update(const uint8_t* update, size_t size, int format, const uint8_t* vector,
                   size_t vector_size, fl_bytes* out) {
  crdt::UpdateFormat f;
  if (!format_of(format, f)) return kMalformed;
  const auto state = crdt::StateVector::decode({vector, vector_size});
  if (!state) return code_of(state.error());
  const auto diff = crdt::diff_update({update, size}, f, *state);
  return diff ? give(*diff, out) : code_of(diff.error());
}
