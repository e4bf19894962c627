// A position that stays at its character while others edit: a cursor that can be sent to peers.
// Byte-compatible with yjs 13.6 `RelativePosition`.
#pragma once
#include <optional>
#include <string>

#include "crdt/doc.h"

namespace footlight::crdt {

struct RelativePosition {
  std::optional<Id> type;           // the item of the type, when it is no root
  std::optional<std::string> root;  // the root's name
  std::optional<Id> item;           // the element it sticks to; empty: the start or end of the type
  int64_t assoc = 0;  // >= 0: to the element after the position; < 0: to the one before
  friend bool operator==(const RelativePosition&, const RelativePosition&) = default;
};

struct AbsolutePosition {
  Type type;
  uint64_t index = 0;
  int64_t assoc = 0;
};

RelativePosition relative_position(const Type& type, uint64_t index, int64_t assoc = 0);
Bytes encode_relative_position(const RelativePosition& position);
Result<RelativePosition> decode_relative_position(ByteView bytes);  // kCrdtMalformed
std::string relative_position_json(const RelativePosition& position);
Result<RelativePosition> relative_position_from_json(std::string_view json);
// Empty when the position's element is not known here, or was collected.
std::optional<AbsolutePosition> resolve(Doc& doc, const RelativePosition& position,
                                        bool follow_undone = true);

}  // namespace footlight::crdt
