// Source: yjs 13.6 `src/utils/Snapshot.js`, `YText.toDelta` with snapshots.
#include "crdt/snapshot.h"

#include <algorithm>

#include "crdt/internal/formats.h"
#include "crdt/internal/store.h"
#include "crdt/update_reader.h"

namespace footlight::crdt {

using internal::Formats;
using internal::FormatView;
using internal::Handle;
using internal::Item;
using internal::kNone;
using internal::Store;

Snapshot take_snapshot(const Doc& doc) { return {doc.delete_set(), doc.state_vector()}; }

Bytes encode_snapshot(const Snapshot& snapshot, UpdateFormat format) {
  Encoder out;
  snapshot.deletes.write(out, format);
  snapshot.state.write(out);
  return out.to_bytes();
}

Result<Snapshot> decode_snapshot(ByteView bytes, UpdateFormat format) {
  Decoder in(bytes);
  Snapshot snapshot;
  snapshot.deletes.read(in, format);
  snapshot.state = StateVector::read(in);
  if (in.ok() && !in.at_end()) in.fail(Fault::kTrailing);
  if (!in.ok()) return crdt_fault(in.fault(), "snapshot");
  snapshot.deletes.normalize();
  return snapshot;
}

bool equal_snapshots(const Snapshot& a, const Snapshot& b) {
  return a.state == b.state && a.deletes == b.deletes;
}

Result<bool> snapshot_contains(const Snapshot& snapshot, ByteView update, UpdateFormat format) {
  DecodedUpdate decoded;
  if (Status ok = read_update(update, format, decoded); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  for (const DecodedStruct& s : decoded.structs) {
    if (snapshot.state.get(s.id.client) < s.end()) return false;
  }
  return std::all_of(decoded.deletes.begin(), decoded.deletes.end(), [&](const IdRange& range) {
    return snapshot.deletes.covers(range.client, range.clock, range.len);
  });
}

namespace {

// Splits structs of the document where the snapshot's clocks and deleted ranges begin and end, so
// that each item is wholly in it or wholly not. Runs inside a transaction, which joins them again.
void split_for(Store& store, const Snapshot& snapshot) {
  const auto cut = [&store](uint64_t client, uint64_t clock) {
    const uint32_t index = store.find_client(client);
    if (index == kNone || clock >= store.state(index) || clock == 0) return;
    (void)store.clean_start(index, static_cast<uint32_t>(clock));
  };
  for (const StateVector::Entry& entry : snapshot.state.entries()) cut(entry.client, entry.clock);
  for (const IdRange& range : snapshot.deletes.ranges()) {
    cut(range.client, range.clock);
    cut(range.client, range.end());
  }
}

bool visible(const Store& store, const Item& item, const Snapshot* snapshot) {
  if (snapshot == nullptr) return !item.deleted();
  const Id id = store.wire_id(item.client, item.clock);
  return snapshot->state.get(id.client) > id.clock && !snapshot->deletes.contains(id);
}

}  // namespace

Result<std::unique_ptr<Doc>> doc_at(Doc& doc, const Snapshot& snapshot, DocOptions options) {
  if (doc.gc()) return fail(Code::kCrdtSnapshot, "the document collects what is deleted");
  Store& store = doc.store();
  for (const StateVector::Entry& entry : snapshot.state.entries()) {
    if (doc.state(entry.client) < entry.clock) {
      return fail(Code::kCrdtSnapshot, "operations of the snapshot are not here");
    }
  }
  UpdateWriter writer(UpdateFormat::kV2);
  store.begin(kNoOrigin, true);
  split_for(store, snapshot);
  DecodedStruct s;
  for (auto it = snapshot.state.entries().rbegin(); it != snapshot.state.entries().rend(); ++it) {
    if (it->clock == 0) continue;
    writer.open_client(it->client, 0);
    const internal::StructIndex& index = store.clients[store.find_client(it->client)].index;
    for (internal::StructIndex::At at; index.valid(at); at = index.after(at)) {
      if (index.get(at).clock >= it->clock) break;
      store.to_struct(index.item(at), s);
      writer.write_open(s);
    }
  }
  writer.close_clients();
  writer.deletes(snapshot.deletes);
  const ByteView view = writer.finish();
  const Bytes update(view.begin(), view.end());
  store.end();
  auto copy = std::make_unique<Doc>(std::move(options));
  auto applied = copy->apply_update(update, UpdateFormat::kV2);
  if (!applied) return std::unexpected(std::move(applied.error()));
  // Not before: a text would clean its formats up, and be another than it was.
  for (const uint32_t slot : store.roots) {
    const internal::TypeNode& type = store.types[slot];
    Store& other = copy->store();
    other.types[other.root(store.names[type.name])].kind = type.kind;
  }
  return copy;
}

Result<Delta> delta_at(const Text& text, const Snapshot* snapshot, const Snapshot* before) {
  Doc* doc = text.doc();
  if (doc == nullptr || doc->store().node(text) == nullptr) return fail(Code::kCrdtGone);
  Store& store = doc->store();
  Delta delta;
  Formats formats;
  std::string run;
  store.begin(kNoOrigin, true);
  if (snapshot != nullptr) split_for(store, *snapshot);
  if (before != nullptr) split_for(store, *before);
  const uint32_t ychange = store.names.intern("ychange");
  const auto flush = [&] {
    if (run.empty()) return;
    delta.push_back({DeltaOp::Kind::kInsert, Any(std::move(run)), 0, store.attributes_of(formats)});
    run.clear();
  };
  const auto mark = [&](std::string_view kind) {
    Encoder bytes;
    Any(AnyObject{{"type", Any(kind)}}).encode(bytes);
    flush();  // each item stands alone, as with yjs, which cannot tell that the mark is the same
    formats.set(ychange, as_text(bytes.view()));
  };
  for (Handle h = store.node(text)->start; h != kNone; h = store.items[h].right) {
    const Item& item = store.items[h];
    const bool now = visible(store, item, snapshot);
    if (!now && (before == nullptr || !visible(store, item, before))) continue;
    if (item.ref == Ref::kString) {
      if (snapshot != nullptr && !now) {
        mark("removed");
      } else if (before != nullptr && !visible(store, item, before)) {
        mark("added");
      } else if (formats.find(ychange) != nullptr) {
        flush();
        formats.erase(ychange);
      }
      run += store.text(item);
    } else if (item.ref == Ref::kEmbed || item.ref == Ref::kType) {
      flush();
      delta.push_back(
          {DeltaOp::Kind::kInsert, store.value_of(h, 0), 0, store.attributes_of(formats)});
    } else if (item.ref == Ref::kFormat && now) {
      flush();
      const FormatView format = internal::read_format(store.content(item));
      formats.pass(store.names.intern(format.key), format.value);
    }
  }
  flush();
  store.end();
  return delta;
}

}  // namespace footlight::crdt
