#include "crdt/types.h"

#include "crdt/doc.h"
#include "crdt/internal/store.h"
#include "crdt/utf16.h"

namespace footlight::crdt {

using internal::Handle;
using internal::Item;
using internal::kNone;
using internal::Store;
using internal::TypeNode;

namespace {

std::unexpected<Error> gone() { return fail(Code::kCrdtGone); }

const TypeNode* node_of(Doc* doc, const Type& type) {
  return doc == nullptr ? nullptr : doc->store().node(type);
}

Value key_value(Doc* doc, const Type& type, std::string_view key) {
  const TypeNode* node = node_of(doc, type);
  if (node == nullptr) return {};
  const Store& store = doc->store();
  const Handle handle = store.map_item(*node, key);
  return handle == kNone ? Value() : store.value_of(handle, store.items[handle].len - 1);
}

std::vector<std::pair<std::string, Value>> key_values(Doc* doc, const Type& type) {
  std::vector<std::pair<std::string, Value>> out;
  const TypeNode* node = node_of(doc, type);
  if (node == nullptr) return out;
  const Store& store = doc->store();
  for (const auto& [key, handle] : store.live_keys(*node)) {
    out.emplace_back(std::string(store.names[key]),
                     store.value_of(handle, store.items[handle].len - 1));
  }
  return out;
}

Value list_value(Doc* doc, const Type& type, uint64_t index) {
  const TypeNode* node = node_of(doc, type);
  if (node == nullptr || index >= node->length) return {};
  Store& store = doc->store();
  uint32_t start = 0;
  const Handle handle = store.find_index(store.slot(type), static_cast<uint32_t>(index), start);
  return store.value_of(handle, static_cast<uint32_t>(index) - start);
}

std::vector<Value> list_values(Doc* doc, const Type& type) {
  std::vector<Value> out;
  const TypeNode* node = node_of(doc, type);
  if (node == nullptr) return out;
  const Store& store = doc->store();
  for (Handle h = node->start; h != kNone; h = store.items[h].right) {
    const Item& item = store.items[h];
    if (item.visible() == 0) continue;
    if (item.ref == Ref::kAny) {
      Decoder in(store.content(item));
      for (uint32_t i = 0; i < item.len; ++i) out.emplace_back(read_any(in));
      continue;
    }
    for (uint32_t i = 0; i < item.len; ++i) out.push_back(store.value_of(h, i));
  }
  return out;
}

}  // namespace

// --- Type

bool Type::alive() const { return node_of(doc_, *this) != nullptr; }

TypeRef Type::kind() const {
  const TypeNode* node = node_of(doc_, *this);
  return node == nullptr ? TypeRef::kNone : node->kind;
}

std::optional<Id> Type::item() const {
  const TypeNode* node = node_of(doc_, *this);
  if (node == nullptr || node->item == kNone) return std::nullopt;
  return doc_->store().wire_id(node->item);
}

std::optional<Type> Type::parent() const {
  const TypeNode* node = node_of(doc_, *this);
  if (node == nullptr || node->item == kNone) return std::nullopt;
  return doc_->store().handle_of(doc_->store().items[node->item].parent);
}

std::string Type::root_name() const {
  const TypeNode* node = node_of(doc_, *this);
  if (node == nullptr || !node->is_root) return {};
  return std::string(doc_->store().names[node->name]);
}

std::optional<Map> Type::as_map() const {
  if (kind() != TypeRef::kMap && kind() != TypeRef::kXmlHook) return std::nullopt;
  return Map(*this);
}
std::optional<Array> Type::as_array() const {
  if (kind() != TypeRef::kArray) return std::nullopt;
  return Array(*this);
}
std::optional<Text> Type::as_text() const {
  if (kind() != TypeRef::kText && kind() != TypeRef::kXmlText) return std::nullopt;
  return Text(*this);
}
std::optional<XmlFragment> Type::as_xml_fragment() const {
  if (kind() != TypeRef::kXmlFragment && kind() != TypeRef::kXmlElement) return std::nullopt;
  return XmlFragment(*this);
}
std::optional<XmlElement> Type::as_xml_element() const {
  if (kind() != TypeRef::kXmlElement) return std::nullopt;
  return XmlElement(*this);
}
std::optional<XmlText> Type::as_xml_text() const {
  if (kind() != TypeRef::kXmlText) return std::nullopt;
  return XmlText(*this);
}
std::optional<XmlHook> Type::as_xml_hook() const {
  if (kind() != TypeRef::kXmlHook) return std::nullopt;
  return XmlHook(Map(*this));
}

std::string Type::to_json() const {
  if (!alive()) return "null";
  std::string out;
  doc_->store().type_json(out, slot_, 0);
  return out;
}

std::string Value::to_json() const {
  if (const Any* plain = any(); plain != nullptr) return plain->to_json();
  if (const Type* shared = type(); shared != nullptr) return shared->to_json();
  return "{}";
}

// --- Input

Input Input::map(std::vector<std::pair<std::string, Input>> entries) {
  NewType made;
  made.kind = TypeRef::kMap;
  made.entries = std::move(entries);
  return Input(std::move(made));
}
Input Input::array(std::vector<Input> items) {
  NewType made;
  made.kind = TypeRef::kArray;
  made.items = std::move(items);
  return Input(std::move(made));
}
Input Input::text(std::string_view text) {
  NewType made;
  made.kind = TypeRef::kText;
  if (!text.empty()) made.items.emplace_back(text);
  return Input(std::move(made));
}
Input Input::text(std::vector<std::pair<Input, Attributes>> runs) {
  NewType made;
  made.kind = TypeRef::kText;
  for (auto& [item, attributes] : runs) {
    made.items.push_back(std::move(item));
    made.formats.push_back(std::move(attributes));
  }
  return Input(std::move(made));
}
Input Input::xml_element(std::string_view name, Attributes attributes,
                         std::vector<Input> children) {
  NewType made;
  made.kind = TypeRef::kXmlElement;
  made.name = name;
  for (auto& [key, value] : attributes) made.entries.emplace_back(key, Input(std::move(value)));
  made.items = std::move(children);
  return Input(std::move(made));
}
Input Input::xml_fragment(std::vector<Input> children) {
  NewType made;
  made.kind = TypeRef::kXmlFragment;
  made.items = std::move(children);
  return Input(std::move(made));
}
Input Input::xml_text(std::string_view text) {
  NewType made;
  made.kind = TypeRef::kXmlText;
  if (!text.empty()) made.items.emplace_back(text);
  return Input(std::move(made));
}
Input Input::xml_text(std::vector<std::pair<Input, Attributes>> runs) {
  Input out = text(std::move(runs));
  std::get<NewType>(out.value_).kind = TypeRef::kXmlText;
  return out;
}
Input Input::xml_hook(std::string_view name) {
  NewType made;
  made.kind = TypeRef::kXmlHook;
  made.name = name;
  return Input(std::move(made));
}

// --- Map

uint64_t Map::size() const {
  const TypeNode* node = node_of(doc_, *this);
  return node == nullptr ? 0 : doc_->store().live_keys(*node).size();
}
bool Map::contains(std::string_view key) const {
  const TypeNode* node = node_of(doc_, *this);
  return node != nullptr && doc_->store().map_item(*node, key) != kNone;
}
Value Map::get(std::string_view key) const { return key_value(doc_, *this, key); }
std::vector<std::pair<std::string, Value>> Map::entries() const { return key_values(doc_, *this); }
Status Map::set(std::string_view key, const Input& value) {
  return alive() ? doc_->store().map_set(slot_, key, value) : gone();
}
Status Map::erase(std::string_view key) {
  return alive() ? doc_->store().map_erase(slot_, key) : gone();
}
Status Map::clear() {
  if (!alive()) return gone();
  Store& store = doc_->store();
  store.transact([&] {
    for (const auto& [key, handle] : store.live_keys(store.types[slot_])) store.delete_item(handle);
  });
  return {};
}

// --- Array

uint64_t Array::size() const {
  const TypeNode* node = node_of(doc_, *this);
  return node == nullptr ? 0 : node->length;
}
Value Array::get(uint64_t index) const { return list_value(doc_, *this, index); }
std::vector<Value> Array::to_vector() const { return list_values(doc_, *this); }
Status Array::insert(uint64_t index, const Input& value) {
  return alive() ? doc_->store().list_insert(slot_, index, {&value, 1}) : gone();
}
Status Array::insert(uint64_t index, const std::vector<Input>& values) {
  return alive() ? doc_->store().list_insert(slot_, index, values) : gone();
}
Status Array::push(const Input& value) {
  return alive() ? doc_->store().list_push(slot_, {&value, 1}) : gone();
}
Status Array::push(const std::vector<Input>& values) {
  return alive() ? doc_->store().list_push(slot_, values) : gone();
}
Status Array::erase(uint64_t index, uint64_t count) {
  return alive() ? doc_->store().list_erase(slot_, index, count) : gone();
}

// --- Text

uint64_t Text::size() const {
  const TypeNode* node = node_of(doc_, *this);
  return node == nullptr ? 0 : node->length;
}
std::string Text::to_string() const {
  return alive() ? doc_->store().text_string(slot_) : std::string();
}
Delta Text::to_delta() const { return alive() ? doc_->store().text_delta_of(slot_) : Delta(); }
Status Text::insert(uint64_t index, std::string_view text) {
  return alive() ? doc_->store().text_insert(slot_, index, text, nullptr) : gone();
}
Status Text::insert(uint64_t index, std::string_view text, const Attributes& attributes) {
  return alive() ? doc_->store().text_insert(slot_, index, text, &attributes) : gone();
}
Status Text::insert_embed(uint64_t index, const Input& embed, const Attributes& attributes) {
  return alive() ? doc_->store().text_embed(slot_, index, embed, attributes) : gone();
}
Status Text::erase(uint64_t index, uint64_t length) {
  return alive() ? doc_->store().text_erase(slot_, index, length) : gone();
}
Status Text::format(uint64_t index, uint64_t length, const Attributes& attributes) {
  return alive() ? doc_->store().text_format(slot_, index, length, attributes) : gone();
}
Status Text::apply_delta(const Delta& delta) {
  return alive() ? doc_->store().text_delta(slot_, delta) : gone();
}
Value Text::attribute(std::string_view name) const { return key_value(doc_, *this, name); }
std::vector<std::pair<std::string, Value>> Text::attributes() const {
  return key_values(doc_, *this);
}
Status Text::set_attribute(std::string_view name, const Input& value) {
  return alive() ? doc_->store().map_set(slot_, name, value) : gone();
}
Status Text::remove_attribute(std::string_view name) {
  return alive() ? doc_->store().map_erase(slot_, name) : gone();
}

std::string XmlText::to_xml() const {
  return alive() ? doc_->store().xml_string(slot_, 0) : std::string();
}

// --- XML

uint64_t XmlFragment::size() const {
  const TypeNode* node = node_of(doc_, *this);
  return node == nullptr ? 0 : node->length;
}
Value XmlFragment::get(uint64_t index) const { return list_value(doc_, *this, index); }
std::vector<Value> XmlFragment::children() const { return list_values(doc_, *this); }
std::string XmlFragment::to_xml() const {
  return alive() ? doc_->store().xml_string(slot_, 0) : std::string();
}
Status XmlFragment::insert(uint64_t index, const Input& child) {
  return alive() ? doc_->store().list_insert(slot_, index, {&child, 1}) : gone();
}
Status XmlFragment::insert(uint64_t index, const std::vector<Input>& children) {
  return alive() ? doc_->store().list_insert(slot_, index, children) : gone();
}
Status XmlFragment::push(const Input& child) {
  return alive() ? doc_->store().list_insert(slot_, size(), {&child, 1}) : gone();
}
Status XmlFragment::push(const std::vector<Input>& children) {
  return alive() ? doc_->store().list_insert(slot_, size(), children) : gone();
}
Status XmlFragment::erase(uint64_t index, uint64_t count) {
  return alive() ? doc_->store().list_erase(slot_, index, count) : gone();
}

std::string XmlHook::name() const {
  const TypeNode* node = node_of(doc_, *this);
  if (node == nullptr || node->name == kNone) return {};
  return std::string(doc_->store().names[node->name]);
}

std::string XmlElement::name() const {
  const TypeNode* node = node_of(doc_, *this);
  if (node == nullptr || node->is_root || node->name == kNone) return "UNDEFINED";
  return std::string(doc_->store().names[node->name]);
}
Value XmlElement::attribute(std::string_view name) const { return key_value(doc_, *this, name); }
std::vector<std::pair<std::string, Value>> XmlElement::attributes() const {
  return key_values(doc_, *this);
}
Status XmlElement::set_attribute(std::string_view name, const Input& value) {
  return alive() ? doc_->store().map_set(slot_, name, value) : gone();
}
Status XmlElement::remove_attribute(std::string_view name) {
  return alive() ? doc_->store().map_erase(slot_, name) : gone();
}

std::string delta_to_json(const Delta& delta) {
  std::string out = "[";
  for (const DeltaOp& op : delta) {
    if (out.size() > 1) out += ',';
    if (op.kind == DeltaOp::Kind::kInsert) {
      out += "{\"insert\":" + op.insert.to_json();
    } else {
      out += op.kind == DeltaOp::Kind::kRetain ? "{\"retain\":" : "{\"delete\":";
      out += std::to_string(op.length);
    }
    if (!op.attributes.empty()) out += ",\"attributes\":" + Any(op.attributes).to_json();
    out += '}';
  }
  return out + "]";
}

}  // namespace footlight::crdt
