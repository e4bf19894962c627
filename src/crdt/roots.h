// The kind of a root is the program's word: no update says it. A program that was not told, as a
// server that only keeps documents, finds it by what the root holds.
#pragma once
#include "crdt/doc.h"

namespace footlight::crdt {

// Types every root that no program has typed and that holds something: keys make it a map; strings,
// formats and embeds a text; XML types a fragment; anything else in a row an array. Linear in the
// document.
void type_roots(Doc& doc);

}  // namespace footlight::crdt
