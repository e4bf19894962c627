// Handles to the shared types of a document: Map, Array, Text and the XML types.
//
// A handle is a small value: document, slot, generation. It owns nothing, may be copied freely, and
// must not outlive its Doc. When its type is deleted and collected the handle goes dead: reads give
// empty results and writes fail kCrdtGone. Handles belong to the document's thread.
//
// Positions and lengths in Text are UTF-16 code units (yjs's measure); in Array and XML, elements.
// Every write outside Doc::transact is a transaction of its own.
//
// Source: yjs 13.6 `src/types`.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"
#include "crdt/any.h"
#include "crdt/struct.h"

namespace footlight::crdt {

class Doc;
class Input;
class Value;
class Map;
class Array;
class Text;
class XmlFragment;
class XmlElement;
class XmlText;
class XmlHook;

namespace internal {
class Store;
}

// Attributes of a range of text, or of an XML element; a null value ends a format.
using Attributes = AnyObject;

// Any shared type; `as_map()` and the like are empty when the kind differs.
class Type {
 public:
  Type() = default;
  bool alive() const;
  TypeRef kind() const;            // kNone when dead, or a root nobody has typed yet
  std::optional<Id> item() const;  // the item that holds this type; empty for a root
  std::optional<Type> parent() const;
  std::string root_name() const;  // of a root; "" else
  std::optional<Map> as_map() const;
  std::optional<Array> as_array() const;
  std::optional<Text> as_text() const;                 // Text and XmlText
  std::optional<XmlFragment> as_xml_fragment() const;  // XmlFragment and XmlElement
  std::optional<XmlElement> as_xml_element() const;
  std::optional<XmlText> as_xml_text() const;
  std::optional<XmlHook> as_xml_hook() const;
  // JSON as yjs's toJSON() gives it (text and XML: a string).
  std::string to_json() const;
  // Changes of this type alone, or of it and everything below; called at the end of a transaction,
  // see event.h. The number is for Doc::unobserve.
  Doc* doc() const { return doc_; }
  friend bool operator==(const Type&, const Type&) = default;

 protected:
  friend class internal::Store;
  friend class Doc;
  friend class Value;
  Type(Doc* doc, uint32_t slot, uint32_t generation)
      : doc_(doc), slot_(slot), generation_(generation) {}
  Doc* doc_ = nullptr;
  uint32_t slot_ = 0;
  uint32_t generation_ = 0;
};

// A document within a document, by reference: only its guid and options are stored here.
struct Subdoc {
  std::string guid;
  Any options;  // an object; yjs knows gc, autoLoad, meta
  friend bool operator==(const Subdoc&, const Subdoc&) = default;
};

// What stands at a key or an index: a plain value, a shared type, or a subdocument reference.
// Bytes stored as binary content read as an Any that holds Bytes.
class Value {
 public:
  Value() = default;  // undefined
  Value(Any any) : value_(std::move(any)) {}
  Value(Type type) : value_(type) {}
  Value(Subdoc subdoc) : value_(std::move(subdoc)) {}
  const Any* any() const { return std::get_if<Any>(&value_); }
  const Type* type() const { return std::get_if<Type>(&value_); }
  const Subdoc* subdoc() const { return std::get_if<Subdoc>(&value_); }
  bool is_undefined() const { return any() != nullptr && any()->is_undefined(); }
  std::string to_json() const;
  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<Any, Type, Subdoc> value_;
};

// A change of text, as Quill writes it. `insert` is a string, an embed or a type.
struct DeltaOp {
  enum class Kind : uint8_t { kInsert, kRetain, kDelete };
  Kind kind = Kind::kInsert;
  Value insert;         // kInsert
  uint64_t length = 0;  // kRetain, kDelete: UTF-16 units
  Attributes attributes;
  friend bool operator==(const DeltaOp&, const DeltaOp&) = default;
};
using Delta = std::vector<DeltaOp>;
std::string delta_to_json(const Delta& delta);  // as JSON.stringify(yText.toDelta())

// What to put somewhere: a value, or a new type with its first content.
//   map.set("pos", Input::map({{"x", 1}, {"y", 2}}));
class Input {
 public:
  Input(Any any) : value_(std::move(any)) {}
  Input(Any::Null value) : value_(Any(value)) {}
  Input(bool value) : value_(Any(value)) {}
  Input(int value) : value_(Any(value)) {}
  Input(double value) : value_(Any(value)) {}
  Input(const char* value) : value_(Any(value)) {}
  Input(std::string_view value) : value_(Any(value)) {}
  Input(std::string value) : value_(Any(std::move(value))) {}
  Input(Bytes value) : value_(Any(std::move(value))) {}
  Input(Subdoc subdoc) : value_(std::move(subdoc)) {}
  static Input map(std::vector<std::pair<std::string, Input>> entries = {});
  static Input array(std::vector<Input> items = {});
  static Input text(std::string_view text = {});
  static Input text(std::vector<std::pair<Input, Attributes>> runs);
  static Input xml_element(std::string_view name, Attributes attributes = {},
                           std::vector<Input> children = {});
  static Input xml_fragment(std::vector<Input> children = {});
  static Input xml_text(std::string_view text = {});
  static Input xml_text(std::vector<std::pair<Input, Attributes>> runs);
  static Input xml_hook(std::string_view name);

 private:
  friend class internal::Store;
  struct NewType {
    TypeRef kind = TypeRef::kNone;
    std::string name;                                    // XML element, hook
    std::vector<std::pair<std::string, Input>> entries;  // map entries, attributes
    std::vector<Input> items;                            // array items, children, runs of text
    std::vector<Attributes> formats;                     // beside items, text only
  };
  Input(NewType type) : value_(std::move(type)) {}
  std::variant<Any, Subdoc, NewType> value_;
};

class Map : public Type {
 public:
  Map() = default;
  uint64_t size() const;
  bool contains(std::string_view key) const;
  Value get(std::string_view key) const;                       // undefined when there is none
  std::vector<std::pair<std::string, Value>> entries() const;  // in order of first insertion
  Status set(std::string_view key, const Input& value);
  Status erase(std::string_view key);  // nothing happens when the key is not there
  Status clear();

 private:
  friend class Type;
  friend class Doc;
  explicit Map(Type type) : Type(type) {}
};

class Array : public Type {
 public:
  Array() = default;
  uint64_t size() const;
  Value get(uint64_t index) const;  // undefined past the end
  std::vector<Value> to_vector() const;
  // kCrdtRange when index > size(), or index + count > size() for a removal (nothing changes).
  Status insert(uint64_t index, const Input& value);
  Status insert(uint64_t index, const std::vector<Input>& values);
  Status push(const Input& value);
  Status push(const std::vector<Input>& values);
  Status erase(uint64_t index, uint64_t count = 1);

 private:
  friend class Type;
  friend class Doc;
  explicit Array(Type type) : Type(type) {}
};

class Text : public Type {
 public:
  Text() = default;
  uint64_t size() const;  // UTF-16 units
  std::string to_string() const;
  Delta to_delta() const;
  // Text is UTF-8 (kBadUtf8 else). Without attributes an insert takes on the formats around it;
  // with attributes, even empty ones, it has exactly those. An index past the end appends, a range
  // past the end is cut, as in yjs.
  Status insert(uint64_t index, std::string_view text);
  Status insert(uint64_t index, std::string_view text, const Attributes& attributes);
  Status insert_embed(uint64_t index, const Input& embed, const Attributes& attributes = {});
  Status erase(uint64_t index, uint64_t length);
  Status format(uint64_t index, uint64_t length, const Attributes& attributes);
  Status apply_delta(const Delta& delta);  // inserts of types are refused: kCrdtType
  // Attributes of the whole text, like a map's entries.
  Value attribute(std::string_view name) const;
  std::vector<std::pair<std::string, Value>> attributes() const;
  Status set_attribute(std::string_view name, const Input& value);
  Status remove_attribute(std::string_view name);

 private:
  friend class Type;
  friend class Doc;
  friend class XmlText;
  explicit Text(Type type) : Type(type) {}
};

class XmlText : public Text {
 public:
  XmlText() = default;
  std::string to_xml() const;  // yjs's YXmlText.toString()

 private:
  friend class Type;
  friend class Doc;
  explicit XmlText(Type type) : Text(type) {}
};

class XmlFragment : public Type {
 public:
  XmlFragment() = default;
  uint64_t size() const;
  Value get(uint64_t index) const;
  std::vector<Value> children() const;
  std::string to_xml() const;
  Status insert(uint64_t index, const Input& child);  // an xml_* Input
  Status insert(uint64_t index, const std::vector<Input>& children);
  Status push(const Input& child);
  Status push(const std::vector<Input>& children);
  Status erase(uint64_t index, uint64_t count = 1);

 private:
  friend class Type;
  friend class Doc;
  friend class XmlElement;
  explicit XmlFragment(Type type) : Type(type) {}
};

class XmlElement : public XmlFragment {
 public:
  XmlElement() = default;
  std::string name() const;
  Value attribute(std::string_view name) const;
  std::vector<std::pair<std::string, Value>> attributes() const;
  Status set_attribute(std::string_view name, const Input& value);
  Status remove_attribute(std::string_view name);

 private:
  friend class Type;
  friend class Doc;
  explicit XmlElement(Type type) : XmlFragment(type) {}
};

// A map that stands among XML elements, for a renderer of the program's own.
class XmlHook : public Map {
 public:
  XmlHook() = default;
  std::string name() const;

 private:
  friend class Type;
  explicit XmlHook(Map map) : Map(map) {}
};

}  // namespace footlight::crdt
