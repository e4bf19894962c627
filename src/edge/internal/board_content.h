// A board's content as such: shown as JSON, compared, and made equal to another's.
#pragma once
#include <string>

#include "crdt/doc.h"

namespace footlight::edge {

// All roots, whether or not a program has typed them.
std::string board_json(crdt::Doc& doc);

// Edits `doc` until its content equals that of `wanted`: what is equal already is left alone, map
// entries are compared one by one, sequences are replaced whole. One transaction.
void make_equal(crdt::Doc& doc, crdt::Doc& wanted);

}  // namespace footlight::edge
