// Work on updates without a document: what a server does with stored and passing updates of a
// document it does not hold in memory.
//
// Inputs are untrusted bytes; each call reads its input whole and answers kCrdtMalformed or
// kCrdtLimit before anything else. The limits hold for all inputs of a call together.
//
// Where yjs has the same function the meaning is the same, and the bytes are, with two differences:
//  - merge joins neighbouring structs where a document would have joined them (or could: it also
//    joins over clocks that are deleted, and where another's text was inserted between), so its
//    result is smaller than yjs's mergeUpdates, and never larger than the document's own encoding.
//    Applied to any document it gives the same document.
//  - the flag "has a key" of a struct (info 0x20) is kept; yjs loses it here, and keeps it when it
//    encodes a document.
#pragma once
#include <span>
#include <vector>

#include "core/result.h"
#include "crdt/delete_set.h"
#include "crdt/state_vector.h"
#include "crdt/struct.h"
#include "crdt/update_reader.h"

namespace footlight::crdt {

// One update that says all that the given ones say; gaps between clocks become skips. The result
// does not depend on the order of the inputs unless two give different content to one clock, which
// only a faulty client does: then the earlier input stands. No inputs: the empty update.
Result<Bytes> merge_updates(std::span<const ByteView> updates, UpdateFormat format,
                            const UpdateLimits& limits = {});

// What the holder of `state` lacks of `update`; all of its deletes.
Result<Bytes> diff_update(ByteView update, UpdateFormat format, const StateVector& state,
                          const UpdateLimits& limits = {});

// What a document that has only `update` would have: of each client the clocks from 0 to its first
// gap.
Result<StateVector> state_vector_of_update(ByteView update, UpdateFormat format,
                                           const UpdateLimits& limits = {});

// The same update in the other format (or the same one, made canonical).
Result<Bytes> convert_update(ByteView update, UpdateFormat from, UpdateFormat to,
                             const UpdateLimits& limits = {});

// From where to where an update speaks of each client.
struct UpdateMeta {
  StateVector from;  // first clock
  StateVector to;    // end of the last struct
};
Result<UpdateMeta> meta_of_update(ByteView update, UpdateFormat format,
                                  const UpdateLimits& limits = {});

// The ids an update inserts (skips are none) and deletes, both normal.
struct UpdateIds {
  DeleteSet inserted;
  DeleteSet deleted;
};
Result<UpdateIds> ids_of_update(ByteView update, UpdateFormat format,
                                const UpdateLimits& limits = {});

}  // namespace footlight::crdt
