// Lengths of text as Yjs counts them: in UTF-16 code units, while all text here is UTF-8.
//
// A cut between the two units of one character (a surrogate pair) cannot be written in UTF-8; Yjs
// puts U+FFFD on both sides of it, and so do we: replacing one unit by U+FFFD keeps all lengths.
#pragma once
#include <cstdint>
#include <string_view>

namespace footlight::crdt {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// True when `text` is UTF-8 (RFC 3629: no surrogates, no overlong forms); sets `units` to its
// length in UTF-16 units, which equals text.size() exactly when all of it is ASCII.
bool measure_utf8(std::string_view text, uint64_t& units);

// The same length of text that is known to be valid.
uint64_t utf16_length(std::string_view valid);

// Where unit `units` of valid text begins, in bytes. When it is the second half of a character of
// two units, `split` is set and the result is where that character (4 bytes) begins.
// Of a shorter text, its end; `missing` says by how many units it is too short.
struct Utf8Cut {
  size_t at = 0;
  bool split = false;
  uint64_t missing = 0;
};
Utf8Cut utf8_cut(std::string_view valid, uint64_t units);

}  // namespace footlight::crdt
