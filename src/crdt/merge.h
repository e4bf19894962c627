// Work on updates without a document: what a server does with stored and passing updates of a
// document it does not hold in memory.
//
// Inputs are untrusted bytes; each call reads its input whole and answers kCrdtMalformed or
// kCrdtLimit before anything else. The limits hold for all inputs of a call together.
//
// Where yjs has the same function the meaning is the same, and the bytes are, with two differences:
//  - merge joins neighbouring structs that a document would hold as one, and also those that it
//    holds apart only because one is deleted or because another's text was inserted between. The
//    result is much smaller than that of yjs's mergeUpdates; applied to any document it makes the
//    same document, which then encodes to the same bytes.
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

// One update that says all that the given ones say; gaps between clocks become skips. Where two
// inputs hold different structs for one clock (one was collected meanwhile) the one that begins
// earlier stands, or else the earlier input; otherwise the order of the inputs does not matter. No
// inputs: the empty update.
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
