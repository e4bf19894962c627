// Two replicas edit one document, each without the other, then exchange what they lack.
//
//   find_package(footlight_crdt REQUIRED)
//   target_link_libraries(two_tables footlight::crdt)
#include <cstdio>
#include <vector>

#include "crdt/doc.h"

using namespace footlight::crdt;

int main() {
  Doc ann({.client = 1});
  Doc ben({.client = 2});

  // What Ann does reaches Ben as it happens.
  const ObserverId wire = ann.on_update(UpdateFormat::kV1, [&](const UpdateEvent& event) {
    (void)ben.apply_update(event.update, UpdateFormat::kV1);
  });
  Map board = *ann.map("board");
  (void)board.set("goblin", Input::map({{"x", 3}, {"y", 4}, {"hp", 7}}));
  Text notes = *ann.text("notes");
  (void)notes.insert(0, "Roll for initiative");

  // The line is cut; both go on.
  ann.unobserve(wire);
  (void)notes.insert(0, "Round 1: ");
  (void)ben.text("notes")->insert(19, "!");
  (void)ben.map("board")->get("goblin").type()->as_map()->set("hp", 5);

  // Each sends what the other's state vector does not have.
  const footlight::Bytes to_ben =
      *ann.encode_state_as_update(UpdateFormat::kV2, ben.encode_state_vector());
  const footlight::Bytes to_ann =
      *ben.encode_state_as_update(UpdateFormat::kV2, ann.encode_state_vector());
  if (!ben.apply_update(to_ben, UpdateFormat::kV2) ||
      !ann.apply_update(to_ann, UpdateFormat::kV2)) {
    return std::fprintf(stderr, "an update was refused\n"), 1;
  }
  std::printf("%s\n%zu bytes for Ben, %zu for Ann\n", ann.to_json().c_str(), to_ben.size(),
              to_ann.size());
  return ann.to_json() == ben.to_json() ? 0 : 1;
}
