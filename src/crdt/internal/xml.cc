// XML as yjs prints it: not escaped, names in lower case, attributes sorted.
// Source: yjs 13.6 `src/types/YXml*.js`.
#include <algorithm>

#include "crdt/internal/script.h"
#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

void append_script_string(std::string& out, const Any& value) {
  if (value.string() != nullptr) {
    out += *value.string();
  } else if (value.number() != nullptr) {
    append_js_number(out, *value.number());
  } else if (value.boolean() != nullptr) {
    out += *value.boolean() ? "true" : "false";
  } else if (value.is_null()) {
    out += "null";
  } else if (value.is_undefined()) {
    out += "undefined";
  } else if (const Any::BigInt* big = std::get_if<Any::BigInt>(&value.value()); big != nullptr) {
    out += std::to_string(big->value);
  } else if (value.array() != nullptr) {
    bool first = true;
    for (const Any& one : *value.array()) {
      if (!first) out += ',';
      first = false;
      if (!one.is_null() && !one.is_undefined()) append_script_string(out, one);
    }
  } else if (value.bytes() != nullptr) {
    bool first = true;
    for (const uint8_t byte : *value.bytes()) {
      if (!first) out += ',';
      first = false;
      out += std::to_string(byte);
    }
  } else {
    out += "[object Object]";
  }
}

void Store::append_value_string(std::string& out, const Value& value, int depth) const {
  if (value.any() != nullptr) {
    append_script_string(out, *value.any());
  } else if (value.type() != nullptr) {
    const TypeNode& type = types[slot(*value.type())];
    if (type.kind == TypeRef::kText) {
      out += text_string(slot(*value.type()));
    } else if (type.kind == TypeRef::kMap || type.kind == TypeRef::kArray ||
               type.kind == TypeRef::kXmlHook) {
      out += "[object Object]";
    } else {
      out += xml_string(slot(*value.type()), depth + 1);
    }
  } else {
    out += "[object Object]";
  }
}

namespace {

struct Node {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;
};

std::string formatted(const DeltaOp& op, const std::string& inner) {
  std::vector<Node> nodes;
  for (const auto& [name, value] : op.attributes) {
    Node node{name, {}};
    if (value.object() != nullptr) {
      for (const auto& [key, one] : *value.object()) {
        std::string text;
        append_script_string(text, one);
        node.attributes.emplace_back(key, std::move(text));
      }
    }
    std::sort(node.attributes.begin(), node.attributes.end());
    nodes.push_back(std::move(node));
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const Node& a, const Node& b) { return a.name < b.name; });
  std::string out;
  for (const Node& node : nodes) {
    out += "<" + node.name;
    for (const auto& [key, value] : node.attributes) out += " " + key + "=\"" + value + "\"";
    out += ">";
  }
  out += inner;
  for (size_t i = nodes.size(); i-- > 0;) out += "</" + nodes[i].name + ">";
  return out;
}

}  // namespace

std::string Store::xml_string(uint32_t slot, int depth) const {
  constexpr int kMaxXmlDepth = 1000;
  if (depth > kMaxXmlDepth) return {};
  const TypeNode& type = types[slot];
  std::string out;
  if (type.kind == TypeRef::kXmlText) {
    for (const DeltaOp& op : text_delta_of(slot)) {
      std::string inner;
      append_value_string(inner, op.insert, depth);
      out += formatted(op, inner);
    }
    return out;
  }
  std::string name;
  if (type.kind == TypeRef::kXmlElement) {
    name = type.name == kNone ? std::string("UNDEFINED") : std::string(names[type.name]);
    if (type.is_root) name = "UNDEFINED";
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    std::vector<std::pair<std::string, Handle>> attributes;
    for (const auto& [key, handle] : live_keys(type)) {
      attributes.emplace_back(std::string(names[key]), handle);
    }
    std::sort(attributes.begin(), attributes.end());
    out += "<" + name;
    for (const auto& [key, handle] : attributes) {
      out += " " + key + "=\"";
      append_value_string(out, value_of(handle, items[handle].len - 1), depth);
      out += "\"";
    }
    out += ">";
  }
  for (Handle h = type.start; h != kNone; h = items[h].right) {
    const Item& item = items[h];
    if (item.visible() == 0) continue;
    for (uint32_t i = 0; i < item.len; ++i) append_value_string(out, value_of(h, i), depth);
  }
  if (type.kind == TypeRef::kXmlElement) out += "</" + name + ">";
  return out;
}

}  // namespace footlight::crdt::internal
