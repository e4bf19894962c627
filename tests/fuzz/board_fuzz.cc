// DEPS: footlight_crdt
// What a peer sends about a board: y-protocols messages, awareness, and updates that the guard
// judges. What the guard lets pass must apply, leave nothing pending, write under the author's ids
// alone and leave alone what the author may not touch; what it refuses must change nothing.
#include <cstdint>
#include <memory>

#include "core/assert.h"
#include "crdt/awareness.h"
#include "crdt/guard.h"
#include "crdt/sync.h"

namespace {

using namespace footlight;
using namespace footlight::crdt;

void message(ByteView in) {
  const auto read = read_message(in);
  if (read) FL_ASSERT(read->payload.size() <= in.size(), "a payload lies in its message");
  const auto frame = read_board_frame(in);
  if (!frame) return;
  const Bytes again = board_frame(frame->board, frame->message);
  const auto same = read_board_frame(again);
  FL_ASSERT(same && same->board == frame->board, "what is written is read");
}

void awareness(ByteView in) {
  Awareness states({.state_bytes = 64, .states = 8, .entries = 16});
  std::vector<uint64_t> changed;
  if (!states.apply(in, 1, [](uint64_t client) { return client != 5; }, changed)) {
    FL_ASSERT(changed.empty() && states.size() == 0, "a bad update changes nothing");
    return;
  }
  FL_ASSERT(!states.has(5) && states.size() <= 8, "rights and bounds hold");
  Awareness other({.state_bytes = 64, .states = 8, .entries = 16});
  std::vector<uint64_t> again;
  const bool took =
      other.apply(
               states.encode(states.present()), 1, [](uint64_t) { return true; }, again)
          .has_value();
  FL_ASSERT(took && other.size() == states.size(), "what is encoded is read back");
  states.expire(kUsPerSecond * 60, changed);
  FL_ASSERT(states.size() == 0 && states.memory_bytes() == 0, "all are forgotten in time");
}

// The author has ids 7 and 8 and may not touch the root `fog`.
void edit(ByteView in) {
  Doc doc({.client = 1, .new_client = {}});
  (void)doc.map("fog")->set("on", Input(true));
  (void)doc.map("tokens")->set("aria", Input::map({{"hp", 12}}));
  (void)doc.text("notes")->insert(0, "hello");
  Guard guard({.update_bytes = 4096, .structs = 500, .ranges = 500, .depth = 8});
  const Rights rights(kAllVerbs, {{{"fog"}, 0}});
  const Bytes before = *doc.encode_state_as_update(UpdateFormat::kV2);
  const std::string fog = doc.root_json("fog");
  const uint64_t server = doc.state(1);
  if (!guard.read(in)) return;
  const auto accepted = guard.check(
      doc, rights,
      [](uint64_t client) {
        return client == 7   ? Ownership::kMine
               : client == 8 ? Ownership::kFree
                             : Ownership::kForeign;
      },
      true);
  FL_ASSERT(*doc.encode_state_as_update(UpdateFormat::kV2) == before, "the guard only looks");
  if (!accepted) return;
  const auto applied = doc.apply(guard.decoded());
  FL_ASSERT(applied.has_value(), "what passes applies");
  FL_ASSERT(doc.pending().structs == 0 && doc.pending().delete_ranges == 0, "nothing pends");
  FL_ASSERT(doc.state(1) == server, "nobody writes under the id of another");
  FL_ASSERT(doc.root_json("fog") == fog, "what is forbidden stays as it was");
  FL_ASSERT(!accepted->nothing || !applied->changed, "nothing is nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const footlight::ByteView in(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      message(in);
      break;
    case 1:
      awareness(in);
      break;
    default:
      edit(in);
      break;
  }
  return 0;
}
