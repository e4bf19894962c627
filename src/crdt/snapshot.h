// A document's state at one moment: which operations were there, which of them deleted. Small, and
// enough to look back when the document keeps deleted content (gc off). Encodings are those of yjs
// 13.6: the delete set, then the state vector.
#pragma once
#include <memory>
#include <string_view>

#include "crdt/delete_set.h"
#include "crdt/doc.h"
#include "crdt/state_vector.h"

namespace footlight::crdt {

struct Snapshot {
  DeleteSet deletes;
  StateVector state;
};

Snapshot take_snapshot(const Doc& doc);
Bytes encode_snapshot(const Snapshot& snapshot, UpdateFormat format);
Result<Snapshot> decode_snapshot(ByteView bytes, UpdateFormat format);  // kCrdtMalformed
bool equal_snapshots(const Snapshot& a, const Snapshot& b);
// Whether everything in the update was there; kCrdtMalformed.
Result<bool> snapshot_contains(const Snapshot& snapshot, ByteView update, UpdateFormat format);
// The document as it was. kCrdtSnapshot when `doc` collects deleted content, or never had the
// snapshot's operations. Splits structs in `doc`, which changes no content.
Result<std::unique_ptr<Doc>> doc_at(Doc& doc, const Snapshot& snapshot, DocOptions options);
// A text as it was at `snapshot`, with `ychange` attributes against `before` as yjs's toDelta
// gives.
Result<Delta> delta_at(const Text& text, const Snapshot* snapshot, const Snapshot* before);

}  // namespace footlight::crdt
