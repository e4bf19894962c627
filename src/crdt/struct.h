// What an update is made of, once decoded and before it is integrated: structs by client, then a
// delete set. A DecodedStruct is a view: its bytes lie in the update it was read from, or in the
// scratch of the DecodedUpdate where the wire form is not the canonical one. The engine copies them
// once into its store; the merge tools write them out again without a document.
//
// Source: yjs 13.6 `src/structs`, `src/utils/encoding.js`.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/bytes.h"

namespace footlight::crdt {

inline constexpr uint64_t kMaxClient = (uint64_t{1} << 53) - 1;  // Number.MAX_SAFE_INTEGER
// The engine keeps clocks in 32 bits: four milliards of operations of one client in one document.
// Readers refuse clocks above kMaxClient; applying refuses an end of clock above kMaxClock.
inline constexpr uint64_t kMaxClock = 0xFFFFFFFE;

struct Id {
  uint64_t client = 0;  // 0..kMaxClient
  uint64_t clock = 0;
  friend bool operator==(const Id&, const Id&) = default;
};

enum class UpdateFormat : uint8_t { kV1 = 1, kV2 = 2 };

// Low five bits of a struct's info byte.
enum class Ref : uint8_t {
  kGc = 0,
  kDeleted = 1,
  kJson = 2,
  kBinary = 3,
  kString = 4,
  kEmbed = 5,
  kFormat = 6,
  kType = 7,
  kAny = 8,
  kDoc = 9,
  kSkip = 10,
};

enum class TypeRef : uint8_t {
  kArray = 0,
  kMap = 1,
  kText = 2,
  kXmlElement = 3,
  kXmlFragment = 4,
  kXmlHook = 5,
  kXmlText = 6,
  kNone = 255,  // a root that was named by an update and not yet by the program
};

enum class ParentKind : uint8_t {
  kInherit,  // not written: taken from a neighbour (an origin is there)
  kRoot,     // parent_name is the root's name
  kId,       // parent_id is the item that holds the type
};

// One struct. `content` by ref, always in this canonical form whatever format was read:
//   kGc, kDeleted, kSkip  empty
//   kJson    len times: varUint byte length, JSON text (or `undefined`) as JSON.stringify writes it
//   kBinary  the bytes
//   kString  UTF-8, valid; len counts UTF-16 units
//   kEmbed   one canonical Any
//   kFormat  varUint byte length, key, then one canonical Any
//   kType    one byte TypeRef, then for kXmlElement and kXmlHook the name in UTF-8
//   kAny     len canonical Anys, one after the other
//   kDoc     varUint byte length, guid, then one canonical Any (the options object)
// An Any is canonical when it is what lib0 13.6's writeAny makes of what readAny makes of it:
// integers of 31 bits and sign as varInt, then float32 if exact, else float64; object keys once, in
// JavaScript's order.
struct DecodedStruct {
  Id id;
  uint64_t len = 0;  // clocks this struct covers, > 0
  Ref ref = Ref::kGc;
  ParentKind parent_kind = ParentKind::kInherit;
  bool has_origin = false;
  bool has_right_origin = false;
  bool has_parent_sub = false;  // parent_sub was written; false whenever the parent is inherited
  bool has_key = false;         // info bit 0x20; stands without a key when the parent is inherited
  Id origin;
  Id right_origin;
  Id parent_id;
  std::string_view parent_name;
  std::string_view parent_sub;
  ByteView content;

  uint64_t end() const { return id.clock + len; }
  bool is_item() const { return ref != Ref::kGc && ref != Ref::kSkip; }
};

// The structs of one client in an update: `count` of them from index `first`, consecutive clocks.
struct ClientBlock {
  uint64_t client = 0;
  uint32_t first = 0;
  uint32_t count = 0;
};

}  // namespace footlight::crdt
