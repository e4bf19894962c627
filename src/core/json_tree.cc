#include "core/json.h"

namespace footlight {
namespace {

const std::string kNoText;
const Json::Array kNoItems;
const Json::Object kNoMembers;
const Json kNull;

Json read_tree(JsonReader& in) {
  switch (in.peek()) {
    case JsonType::kObject: {
      Json tree = Json::object();
      std::string_view key;
      in.enter_object();
      while (in.next_key(key)) {
        std::string name(key);
        tree.set(std::move(name), read_tree(in));
      }
      return tree;
    }
    case JsonType::kArray: {
      Json tree = Json::array();
      in.enter_array();
      while (in.next_element()) tree.push(read_tree(in));
      return tree;
    }
    case JsonType::kString:
      return Json::string(std::string(in.read_string()));
    case JsonType::kBool:
      return Json::boolean(in.read_bool());
    case JsonType::kNumber:
      return Json::number(in.raw());
    default:
      if (!in.read_null()) in.fault(Code::kBadFrame);
      return {};
  }
}

}  // namespace

Result<Json> Json::parse(std::string_view text) {
  JsonReader in(text);
  Json tree = read_tree(in);
  if (!in.finish()) return fail(in.code(), "at byte " + std::to_string(in.position()));
  return tree;
}

Json Json::string(std::string text) {
  Json tree;
  tree.type_ = JsonType::kString;
  tree.text_ = std::move(text);
  return tree;
}

Json Json::integer(int64_t number) {
  Json tree;
  tree.type_ = JsonType::kNumber;
  tree.number_ = number;
  return tree;
}

Json Json::number(std::string_view token) {
  JsonReader in(token);
  const int64_t value = in.read_int();
  if (in.finish()) return integer(value);
  Json tree = integer(0);
  tree.text_ = token;
  return tree;
}

Json Json::boolean(bool flag) {
  Json tree;
  tree.type_ = JsonType::kBool;
  tree.number_ = flag ? 1 : 0;
  return tree;
}

Json Json::array() {
  Json tree;
  tree.type_ = JsonType::kArray;
  return tree;
}

Json Json::object() {
  Json tree;
  tree.type_ = JsonType::kObject;
  return tree;
}

const std::string& Json::as_string() const { return type_ == JsonType::kString ? text_ : kNoText; }
const Json::Array& Json::items() const { return type_ == JsonType::kArray ? items_ : kNoItems; }
const Json::Object& Json::members() const {
  return type_ == JsonType::kObject ? members_ : kNoMembers;
}

const Json* Json::find(std::string_view key) const {
  for (const auto& [name, value] : members()) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  const Json* value = find(key);
  return value != nullptr ? *value : kNull;
}

void Json::push(Json value) { items_.push_back(std::move(value)); }

Json& Json::set(std::string key, Json value) {
  for (auto& [name, old] : members_) {
    if (name == key) return old = std::move(value);
  }
  return members_.emplace_back(std::move(key), std::move(value)).second;
}

void Json::write(std::string& out) const {
  JsonWriter scalar(out);
  bool first = true;
  switch (type_) {
    case JsonType::kObject:
      out += '{';
      for (const auto& [name, value] : members_) {
        if (!first) out += ',';
        first = false;
        append_json_string(out, name);
        out += ':';
        value.write(out);
      }
      out += '}';
      break;
    case JsonType::kArray:
      out += '[';
      for (const auto& value : items_) {
        if (!first) out += ',';
        first = false;
        value.write(out);
      }
      out += ']';
      break;
    case JsonType::kString:
      scalar.value(text_);
      break;
    case JsonType::kNumber:
      if (text_.empty()) {
        scalar.value(number_);
      } else {
        out += text_;
      }
      break;
    case JsonType::kBool:
      scalar.value(number_ != 0);
      break;
    default:
      scalar.null();
      break;
  }
}

std::string Json::dump() const {
  std::string text;
  write(text);
  return text;
}

}  // namespace footlight
