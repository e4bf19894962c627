// Decides whether an update of one author may be applied, before anything is: the document is only
// looked at. What it lets pass integrates completely (nothing stays pending), writes under client
// ids of the author alone, and touches only what the author's rights allow.
//
// Structs and deletions the document has already are passed over, whoever sends them: a peer's
// answer to a state vector repeats what it knows.
//
// Work is linear in the size of the update, plus, for deleted types below which finer rights exist,
// in what they hold.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "crdt/doc.h"
#include "crdt/update_reader.h"

namespace footlight::crdt {

// What may be done at a place, as bits.
using Verbs = uint8_t;
inline constexpr Verbs kInsert = 1;  // a new key; something put into a sequence
inline constexpr Verbs kChange = 2;  // another value for a key that has one
inline constexpr Verbs kDelete = 4;  // taken away and not replaced
inline constexpr Verbs kAllVerbs = 7;

// Root and keys from there; `*` is any one step, `[]` a place in a sequence. Covers all beneath.
using PathPattern = std::vector<std::string>;

struct RightsRule {
  PathPattern path;  // at least the root
  Verbs may = 0;
};

// One author's rights in one document. Of the rules that match the longest counts, of equally long
// ones the last.
class Rights {
 public:
  Rights() = default;  // nothing at all
  Rights(Verbs otherwise, std::vector<RightsRule> rules)
      : otherwise_(otherwise), rules_(std::move(rules)) {}
  Verbs at(const Place& place) const;
  // Whether below the place something may stand that must not be deleted with it.
  bool guards_below(const Place& place) const;
  bool nothing() const;  // no place may be touched

 private:
  Verbs otherwise_ = 0;
  std::vector<RightsRule> rules_;
};

std::string place_text(const Place& place);  // "tokens/aria/hp", "notes/[]"

struct GuardLimits {
  size_t update_bytes = 256 * 1024;
  uint64_t structs = 50'000;
  uint64_t ranges = 50'000;  // in the delete set
  size_t depth = 32;         // steps of a place
  size_t new_clients = 64;   // ids seen for the first time in one update
};

// Who an id belongs to, as the caller has it.
enum class Ownership : uint8_t { kMine, kFree, kForeign };

struct Accepted {
  bool nothing = false;               // the document has all of it already
  bool inserts = false;               // it adds structs (else it only deletes)
  std::vector<uint64_t> new_clients;  // ids that were free and belong to the author from now on
  std::vector<std::string> keys;      // places of keys it sets or deletes, as text; when asked for
};

class Guard {
 public:
  explicit Guard(GuardLimits limits = {}) : limits_(limits) {}
  const GuardLimits& limits() const { return limits_; }

  // Reads the update into decoded(). kBoardUpdateTooLarge, kBoardMalformed.
  Status read(ByteView update);
  const DecodedUpdate& decoded() const { return decoded_; }

  // Judges what was read. kBoardGap: it builds on what is not here. kBoardForeignClient,
  // kBoardForbidden (detail: the place), kBoardTooDeep, kBoardUpdateTooLarge: refused.
  Result<Accepted> check(const Doc& doc, const Rights& rights,
                         const std::function<Ownership(uint64_t)>& owner, bool want_keys);

 private:
  struct Check;
  GuardLimits limits_;
  DecodedUpdate decoded_;
};

}  // namespace footlight::crdt
