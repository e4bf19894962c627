// DEPS: footlight_crdt
//
// Documents fed by peers: updates in both formats, framed sync and awareness messages, and local
// edits between them, as the input tells. Whatever happened, the document can be stored and loaded:
// what its encodings make of an empty document encodes to the same bytes again, in both formats;
// and who is there can be told to another, who then sees the same.
#include <cstdint>
#include <string>

#include "crdt/awareness.h"
#include "crdt/doc.h"
#include "crdt/lib0.h"
#include "crdt/sync.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::crdt;

constexpr int kSteps = 64;
// A few bytes of v2 may stand for millions of structs: such an update is not what is fuzzed here.
constexpr uint64_t kStructs = 20'000;

void edit(Doc& doc, uint8_t what, Decoder& in) {
  const uint64_t place = in.var_uint();
  Text text = *doc.text("t");
  switch (what % 6) {
    case 0:
      (void)text.insert(place % (text.size() + 1), "ab\xF0\x9F\x8E\xB2");
      break;
    case 1:
      (void)text.erase(place % (text.size() + 1), 1 + place % 3);
      break;
    case 2:
      (void)text.format(place % (text.size() + 1), 1 + place % 5, {{"b", Any(place % 2 == 0)}});
      break;
    case 3:
      (void)doc.map("m")->set(std::to_string(place % 3), Input(static_cast<int>(place % 100)));
      break;
    case 4:
      (void)doc.array("a")->push(Input::map({{"k", Input(1)}}));
      break;
    default:
      (void)doc.array("a")->erase(0, 1);
      break;
  }
}

void hear(Awareness& awareness, ByteView update) {
  std::vector<uint64_t> changed;
  const bool readable = awareness.entries(update).has_value();
  const auto anybody = [](uint64_t) { return true; };
  const bool taken = awareness.apply(update, kUsPerSecond, anybody, changed).has_value();
  require(readable || !taken);
  require(taken || changed.empty());
  for (const uint64_t client : awareness.present()) require(awareness.has(client));
}

void tells(const Awareness& awareness) {
  const Bytes all = awareness.encode(awareness.present());
  Awareness other(AwarenessLimits{.entries = SIZE_MAX});
  std::vector<uint64_t> changed;
  const auto anybody = [](uint64_t) { return true; };
  require(other.apply(all, kUsPerSecond, anybody, changed).has_value());
  require(other.encode(other.present()) == all);
}

// False when the update is too large to go on with.
bool step(Doc& doc, Awareness& awareness, Decoder& in) {
  const uint8_t what = in.u8();
  if (what < 96) {
    const ByteView update = in.bytes(std::min<size_t>(in.var_uint(), in.remaining()));
    (void)doc.apply_update(update, what % 2 == 0 ? UpdateFormat::kV1 : UpdateFormat::kV2);
  } else if (what < 160) {
    const ByteView bytes = in.bytes(std::min<size_t>(in.var_uint(), in.remaining()));
    const auto message = read_message(bytes);
    if (!message) return true;
    if (message->kind == MessageKind::kStep1) {
      (void)doc.encode_state_as_update(UpdateFormat::kV1, message->payload);
    } else if (message->kind == MessageKind::kAwareness) {
      hear(awareness, message->payload);
    } else if (message->kind == MessageKind::kStep2 || message->kind == MessageKind::kUpdate) {
      (void)doc.apply_update(message->payload, UpdateFormat::kV1);
    }
  } else {
    edit(doc, what, in);
  }
  return doc.stats().structs < kStructs && doc.pending().structs < kStructs;
}

void stores_and_loads(const Doc& doc) {
  const Bytes v1 = *doc.encode_state_as_update(UpdateFormat::kV1);
  const Bytes v2 = *doc.encode_state_as_update(UpdateFormat::kV2);
  Doc from_v1(DocOptions{.client = 11, .gc = doc.gc(), .new_client = {}});
  Doc from_v2(DocOptions{.client = 12, .gc = doc.gc(), .new_client = {}});
  require(from_v1.apply_update(v1, UpdateFormat::kV1).has_value());
  require(from_v2.apply_update(v2, UpdateFormat::kV2).has_value());
  // A struct that waits and contradicts what is here (the same ids, other content) is stored cut to
  // what is new of it; the cut part names its own start as origin and need not wait any more, with
  // yjs as here. Only without such has the loaded document the very state of this one.
  if (doc.pending().structs == 0) {
    require(from_v1.encode_state_vector() == doc.encode_state_vector());
    require(from_v2.encode_state_vector() == doc.encode_state_vector());
  }
  require(from_v1.encode_state_vector() == from_v2.encode_state_vector());
  // Loading cleans up and joins; doing it once more changes nothing.
  const Bytes again = *from_v1.encode_state_as_update(UpdateFormat::kV1);
  require(again == *from_v2.encode_state_as_update(UpdateFormat::kV1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Decoder in(ByteView(data, size));
  Doc doc(
      DocOptions{.client = 7, .gc = (in.u8() & 1) == 0, .new_client = [] { return uint64_t{8}; }});
  (void)doc.text("t");
  (void)doc.array("a");
  Awareness awareness;
  for (int i = 0; i < kSteps && !in.at_end() && in.ok(); ++i) {
    if (!step(doc, awareness, in)) return 0;
  }
  (void)doc.to_json();
  tells(awareness);
  stores_and_loads(doc);
  return 0;
}
