// Finds where the structs of an update will stand, before it is applied: what a server checks
// rights against. Structs may hang from others of the same update; each answer is remembered, so
// that all of an update take linear time.
#pragma once
#include <vector>

#include "crdt/doc.h"

namespace footlight::crdt {

class PlaceFinder {
 public:
  // Both must outlive the finder and not change meanwhile.
  PlaceFinder(const Doc& doc, const DecodedUpdate& update);
  ~PlaceFinder();
  // The place of update.structs[index]. kGc and kSkip structs have none: kCollected.
  const Place& of(size_t index);
  // The item that is now shown at the key where update.structs[index] goes, if it goes to a key and
  // something is shown there: what applying the update replaces.
  std::optional<Id> shown_at(size_t index);
  // The place of an item of the document or the update.
  Place of(Id id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace footlight::crdt
