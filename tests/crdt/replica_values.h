// Between the driver's bytes and the engine's values.
#pragma once
#include "crdt/doc.h"
#include "crdt/event.h"
#include "crdt/lib0.h"

namespace footlight::crdt::replica {

// A content as lib/commands.mjs tells it: a plain value, a new type, or a subdocument.
Input read_content(Decoder& in);
std::vector<Input> read_contents(Decoder& in);
// Attributes in the order told.
Attributes read_attributes(Decoder& in);

// What a place holds, exactly: texts as deltas, elements with name, attributes and children
// (`plain` of lib/replica.mjs).
Any plain(const Value& value);
Any plain_type(const Type& type);
Any plain_delta(const Delta& delta);
Any plain_event(const Event& event);

}  // namespace footlight::crdt::replica
