#include "edge/internal/board_content.h"

#include <algorithm>

#include "crdt/roots.h"

namespace footlight::edge {
namespace {

using crdt::Input;
using crdt::Type;
using crdt::TypeRef;
using crdt::Value;

Input input_of(const Value& value);

std::vector<Input> inputs_of(const std::vector<Value>& values) {
  std::vector<Input> out;
  for (const Value& each : values) out.push_back(input_of(each));
  return out;
}

std::vector<std::pair<Input, crdt::Attributes>> runs_of(const crdt::Text& text) {
  std::vector<std::pair<Input, crdt::Attributes>> runs;
  for (const crdt::DeltaOp& op : text.to_delta()) {
    runs.emplace_back(input_of(op.insert), op.attributes);
  }
  return runs;
}

Input input_of_type(const Type& type) {
  switch (type.kind()) {
    case TypeRef::kArray:
      return Input::array(inputs_of(type.as_array()->to_vector()));
    case TypeRef::kMap: {
      std::vector<std::pair<std::string, Input>> entries;
      for (const auto& [key, value] : type.as_map()->entries()) {
        entries.emplace_back(key, input_of(value));
      }
      return Input::map(std::move(entries));
    }
    case TypeRef::kText:
      return Input::text(runs_of(*type.as_text()));
    case TypeRef::kXmlElement: {
      const auto element = *type.as_xml_element();
      crdt::Attributes attributes;
      for (const auto& [key, value] : element.attributes()) {
        if (value.any() != nullptr) attributes.emplace_back(key, *value.any());
      }
      return Input::xml_element(element.name(), std::move(attributes),
                                inputs_of(element.children()));
    }
    case TypeRef::kXmlFragment:
      return Input::xml_fragment(inputs_of(type.as_xml_fragment()->children()));
    case TypeRef::kXmlText:
      return Input::xml_text(runs_of(*type.as_text()));
    case TypeRef::kXmlHook:
    case TypeRef::kNone:
      break;
  }
  return Input(crdt::Any(crdt::Any::Null{}));
}

Input input_of(const Value& value) {
  if (value.any() != nullptr) return Input(*value.any());
  if (value.subdoc() != nullptr) return Input(*value.subdoc());
  return input_of_type(*value.type());
}

bool equal(const Value& a, const Value& b) {
  if (a.type() == nullptr || b.type() == nullptr) {
    return a.type() == nullptr && b.type() == nullptr && a == b;
  }
  const Type& left = *a.type();
  const Type& right = *b.type();
  if (left.kind() != right.kind()) return false;
  if (left.kind() == TypeRef::kText) {
    return crdt::delta_to_json(left.as_text()->to_delta()) ==
           crdt::delta_to_json(right.as_text()->to_delta());
  }
  return left.to_json() == right.to_json();
}

void equal_maps(crdt::Map map, const crdt::Map& wanted) {
  for (const auto& [key, value] : map.entries()) {
    if (!wanted.contains(key)) (void)map.erase(key);
  }
  for (const auto& [key, value] : wanted.entries()) {
    const Value mine = map.get(key);
    if (map.contains(key) && equal(mine, value)) continue;
    const bool both_maps = mine.type() != nullptr && value.type() != nullptr &&
                           mine.type()->as_map() && value.type()->as_map();
    if (both_maps) {
      equal_maps(*mine.type()->as_map(), *value.type()->as_map());
    } else {
      (void)map.set(key, input_of(value));
    }
  }
}

void equal_texts(crdt::Text text, const crdt::Text& wanted) {
  (void)text.erase(0, text.size());
  uint64_t at = 0;
  for (const crdt::DeltaOp& op : wanted.to_delta()) {
    const std::string* plain = op.insert.any() ? op.insert.any()->string() : nullptr;
    if (plain != nullptr) {
      (void)text.insert(at, *plain, op.attributes);
    } else {
      (void)text.insert_embed(at, input_of(op.insert), op.attributes);
    }
    at = text.size();
  }
}

void equal_lists(crdt::Array array, const crdt::Array& wanted) {
  if (array.size() > 0) (void)array.erase(0, array.size());
  if (wanted.size() > 0) (void)array.insert(0, inputs_of(wanted.to_vector()));
}

void equal_fragments(crdt::XmlFragment fragment, const crdt::XmlFragment& wanted) {
  if (fragment.size() > 0) (void)fragment.erase(0, fragment.size());
  if (wanted.size() > 0) (void)fragment.insert(0, inputs_of(wanted.children()));
}

void empty_root(Type root) {
  if (auto map = root.as_map()) (void)map->clear();
  if (auto text = root.as_text()) (void)text->erase(0, text->size());
  if (auto array = root.as_array(); array && array->size() > 0)
    (void)array->erase(0, array->size());
  if (auto xml = root.as_xml_fragment(); xml && xml->size() > 0) (void)xml->erase(0, xml->size());
}

void equal_root(crdt::Doc& doc, const std::string& name, const Type& wanted) {
  const auto mine = doc.find_root(name);
  if (mine && mine->kind() != TypeRef::kNone && mine->kind() != wanted.kind()) {
    return empty_root(*mine);  // it is something else now, and cannot be both
  }
  if (mine && mine->kind() != TypeRef::kNone && equal(Value(*mine), Value(wanted))) return;
  if (auto map = wanted.as_map()) {
    if (auto root = doc.map(name)) equal_maps(*root, *map);
  } else if (auto text = wanted.as_text()) {
    if (auto root = doc.text(name)) equal_texts(*root, *text);
  } else if (auto array = wanted.as_array()) {
    if (auto root = doc.array(name)) equal_lists(*root, *array);
  } else if (auto xml = wanted.as_xml_fragment()) {
    if (auto root = doc.xml_fragment(name)) equal_fragments(*root, *xml);
  }
}

}  // namespace

std::string board_json(crdt::Doc& doc) {
  crdt::type_roots(doc);
  return doc.to_json();
}

void make_equal(crdt::Doc& doc, crdt::Doc& wanted) {
  crdt::type_roots(doc);
  crdt::type_roots(wanted);
  doc.transact([&] {
    for (const std::string& name : doc.root_names()) {
      const auto root = wanted.find_root(name);
      if (root && root->kind() != TypeRef::kNone) continue;
      if (auto mine = doc.find_root(name)) empty_root(*mine);
    }
    for (const std::string& name : wanted.root_names()) {
      const auto root = wanted.find_root(name);
      if (root && root->kind() != TypeRef::kNone) equal_root(doc, name, *root);
    }
  });
}

}  // namespace footlight::edge
