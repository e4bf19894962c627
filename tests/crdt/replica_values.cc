#include "replica_values.h"

namespace footlight::crdt::replica {
namespace {

enum ContentTag : uint64_t { kAnyContent = 0, kTypeContent = 1, kDocContent = 2 };

Input new_type(TypeRef kind, std::string_view name) {
  switch (kind) {
    case TypeRef::kArray:
      return Input::array();
    case TypeRef::kMap:
      return Input::map();
    case TypeRef::kText:
      return Input::text();
    case TypeRef::kXmlElement:
      return Input::xml_element(name);
    case TypeRef::kXmlFragment:
      return Input::xml_fragment();
    case TypeRef::kXmlHook:
      return Input::xml_hook(name);
    default:
      return Input::xml_text();
  }
}

Any object_of(const std::vector<std::pair<std::string, Value>>& entries) {
  AnyObject object;
  for (const auto& [key, value] : entries) object.emplace_back(key, plain(value));
  return Any(std::move(object));
}

Any list_of(const std::vector<Value>& values) {
  AnyArray list;
  for (const Value& value : values) list.push_back(plain(value));
  return Any(std::move(list));
}

Any plain_text(const Text& text) {
  return Any(AnyObject{{"delta", plain_delta(text.to_delta())},
                       {"attributes", object_of(text.attributes())}});
}

Any plain_path(const std::vector<PathStep>& path) {
  AnyArray steps;
  for (const PathStep& step : path) {
    if (const auto* key = std::get_if<std::string>(&step)) {
      steps.emplace_back(*key);
    } else {
      steps.emplace_back(static_cast<double>(std::get<uint64_t>(step)));
    }
  }
  return Any(std::move(steps));
}

Any plain_changes(const std::vector<ListChange>& changes) {
  AnyArray out;
  for (const ListChange& change : changes) {
    const auto length = static_cast<double>(change.length);
    switch (change.kind) {
      case ListChange::Kind::kInsert:
        out.emplace_back(AnyObject{{"insert", list_of(change.inserted)}});
        break;
      case ListChange::Kind::kRetain:
        out.emplace_back(AnyObject{{"retain", Any(length)}});
        break;
      case ListChange::Kind::kDelete:
        out.emplace_back(AnyObject{{"delete", Any(length)}});
        break;
    }
  }
  return Any(std::move(out));
}

Any plain_keys(const std::vector<KeyChange>& keys) {
  static constexpr const char* kActions[] = {"add", "update", "delete"};
  AnyObject out;
  for (const KeyChange& change : keys) {
    // The old value of a type is gone on one side sooner than on the other: only that it was one.
    Any old = change.old_value.type() != nullptr ? Any("(type)") : plain(change.old_value);
    out.emplace_back(change.key, AnyObject{{"action", kActions[static_cast<int>(change.action)]},
                                           {"old", std::move(old)}});
  }
  return Any(std::move(out));
}

}  // namespace

Input read_content(Decoder& in) {
  switch (in.var_uint()) {
    case kTypeContent: {
      const auto kind = static_cast<TypeRef>(in.var_uint());
      return new_type(kind, in.var_text());
    }
    case kDocContent: {
      std::string guid(in.var_text());
      return Input(Subdoc{std::move(guid), read_any(in)});
    }
    default:
      return Input(read_any(in));
  }
}

std::vector<Input> read_contents(Decoder& in) {
  std::vector<Input> contents;
  for (uint64_t n = in.var_uint(); n > 0; --n) contents.push_back(read_content(in));
  return contents;
}

Attributes read_attributes(Decoder& in) {
  const Any any = read_any(in);
  return any.object() != nullptr ? *any.object() : Attributes{};
}

Any plain(const Value& value) {
  if (value.any() != nullptr) return *value.any();
  if (value.type() != nullptr) return plain_type(*value.type());
  return Any(AnyObject{{"guid", Any(value.subdoc()->guid)}});
}

Any plain_delta(const Delta& delta) {
  AnyArray out;
  for (const DeltaOp& op : delta) {
    AnyObject plain_op;
    const auto length = static_cast<double>(op.length);
    if (op.kind == DeltaOp::Kind::kRetain) {
      plain_op.emplace_back("retain", Any(length));
    } else if (op.kind == DeltaOp::Kind::kDelete) {
      plain_op.emplace_back("delete", Any(length));
    } else if (const Type* type = op.insert.type()) {
      plain_op.emplace_back("insert", AnyObject{{"type", Any(static_cast<double>(type->kind()))},
                                                {"json", plain_type(*type)}});
    } else {
      plain_op.emplace_back("insert", plain(op.insert));
    }
    if (!op.attributes.empty()) plain_op.emplace_back("attributes", Any(op.attributes));
    out.emplace_back(std::move(plain_op));
  }
  return Any(std::move(out));
}

Any plain_type(const Type& type) {
  switch (type.kind()) {
    case TypeRef::kArray:
      return list_of(type.as_array()->to_vector());
    case TypeRef::kMap:
      return object_of(type.as_map()->entries());
    case TypeRef::kText:
    case TypeRef::kXmlText:
      return plain_text(*type.as_text());
    case TypeRef::kXmlFragment:
      return Any(AnyObject{{"children", list_of(type.as_xml_fragment()->children())}});
    case TypeRef::kXmlElement: {
      const XmlElement element = *type.as_xml_element();
      return Any(AnyObject{{"name", Any(element.name())},
                           {"attributes", object_of(element.attributes())},
                           {"children", list_of(element.children())}});
    }
    case TypeRef::kXmlHook:
      return Any(AnyObject{{"hook", Any(type.as_xml_hook()->name())},
                           {"map", object_of(type.as_xml_hook()->entries())}});
    default:
      return Any("(no type)");
  }
}

Any plain_event(const Event& event) {
  const TypeRef kind = event.target().kind();
  AnyObject out;
  out.emplace_back("path", plain_path(event.path()));
  out.emplace_back("keys", plain_keys(event.keys()));
  out.emplace_back("local", Any(event.local()));
  if (kind == TypeRef::kText || kind == TypeRef::kXmlText) {
    out.emplace_back("delta", plain_delta(event.delta()));
  } else if (kind != TypeRef::kMap && kind != TypeRef::kXmlHook) {
    out.emplace_back("delta", plain_changes(event.changes()));
  }
  return Any(std::move(out));
}

}  // namespace footlight::crdt::replica
