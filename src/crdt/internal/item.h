// One struct of a document: an item, or a collected range (ref kGc).
//
// Items of a list are chained in list order, items of a map by key: the rightmost is the key's
// value. What an item was inserted next to (its origins) never changes; its neighbours do.
#pragma once
#include <cstdint>

#include "crdt/internal/pool.h"
#include "crdt/struct.h"

namespace footlight::crdt::internal {

using Handle = uint32_t;  // of an Item

// Of packs only (packs.cc), never on the wire. In a pack origin_clock is the stride, and `block`
// points to its lanes.
inline constexpr Ref kPackedRef = static_cast<Ref>(31);

struct PackLane {  // one key's chain through a pack
  uint32_t parent = kNone;
  uint32_t key = kNone;
  Handle left = kNone;   // neighbour of its first element
  Handle right = kNone;  // neighbour of its last element
};

struct Item {
  static constexpr uint8_t kDeletedFlag = 1;
  static constexpr uint8_t kKeepFlag = 2;    // an undo manager wants the content
  static constexpr uint8_t kMapFlag = 4;     // stands under a key
  static constexpr uint8_t kRedoneFlag = 8;  // Store::redone_ says as what
  static constexpr uint32_t kInline = 8;     // contents up to this many bytes stand in the item

  uint32_t client = 0;  // index in the document's client table
  uint32_t clock = 0;
  uint32_t len = 0;
  Handle left = kNone;
  Handle right = kNone;
  uint32_t origin_client = kNone;  // kNone: no origin
  uint32_t origin_clock = 0;
  uint32_t right_client = kNone;  // kNone: no right origin
  uint32_t right_clock = 0;
  uint32_t parent = kNone;        // slot of the type
  uint32_t group_or_key = kNone;  // list: group of the sequence; map: interned key
  uint32_t stamp = 0;             // of the last conflict scan that passed here
  uint32_t size = 0;              // bytes of content
  Ref ref = Ref::kGc;
  uint8_t flags = 0;
  uint8_t size_class = 0;  // of the content's block, when it is not inline
  uint8_t spare = 0;
  union {
    uint8_t* block;
    uint8_t bytes[kInline];
    uint32_t type;  // kType: slot of the type held
  };

  Item() : block(nullptr) {}
  uint32_t end() const { return clock + len; }
  bool is_gc() const { return ref == Ref::kGc; }
  bool packed() const { return ref == kPackedRef; }
  bool deleted() const { return (flags & kDeletedFlag) != 0; }
  bool keep() const { return (flags & kKeepFlag) != 0; }
  bool in_map() const { return (flags & kMapFlag) != 0; }
  bool redone() const { return (flags & kRedoneFlag) != 0; }
  bool countable() const {
    return ref != Ref::kDeleted && ref != Ref::kFormat && ref != kPackedRef;
  }
  uint32_t visible() const { return !deleted() && countable() ? len : 0; }
  const uint8_t* data() const { return size <= kInline ? bytes : block; }
};
static_assert(sizeof(Item) == 64);

}  // namespace footlight::crdt::internal
