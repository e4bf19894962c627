// What a transaction changed, told to observers at its end (yjs 13.6 `YEvent`).
//
// An event and everything it returns by reference lives until the callback returns. Inside a
// callback the document may be read and changed; a change there is the next transaction.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "crdt/types.h"

namespace footlight::crdt {

// Who made a change: any number the program likes; 0 stands for nobody in particular (yjs's null).
// Numbers from kUndoOrigins up belong to undo managers.
using Origin = uint64_t;
inline constexpr Origin kNoOrigin = 0;
inline constexpr Origin kUndoOrigins = uint64_t{1} << 63;

struct KeyChange {
  enum class Action : uint8_t { kAdd, kUpdate, kDelete };
  std::string key;
  Action action = Action::kAdd;
  Value old_value;  // undefined for kAdd; a type in it is dead or about to be
};

using PathStep = std::variant<std::string, uint64_t>;  // a key, or an index among siblings

// One change of an array or an XML fragment, in order.
struct ListChange {
  enum class Kind : uint8_t { kInsert, kRetain, kDelete };
  Kind kind = Kind::kRetain;
  uint64_t length = 0;
  std::vector<Value> inserted;  // kInsert: length values
};

class Event {
 public:
  virtual ~Event() = default;
  virtual Type target() const = 0;
  virtual std::vector<PathStep> path() const = 0;  // from the observed type to the target
  virtual const std::vector<KeyChange>& keys() const = 0;
  virtual const std::vector<ListChange>& changes() const = 0;  // Array, XmlFragment, XmlElement
  virtual const Delta& delta() const = 0;                      // Text, XmlText
  virtual Origin origin() const = 0;
  virtual bool local() const = 0;
};

using EventHandler = std::function<void(const Event&)>;
// Events of one transaction below the observed type, those nearest to it first.
using DeepHandler = std::function<void(const std::vector<const Event*>&)>;
using ObserverId = uint64_t;  // never 0

}  // namespace footlight::crdt
