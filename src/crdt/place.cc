#include "crdt/place.h"

#include <algorithm>
#include <unordered_map>

#include "crdt/internal/store.h"
#include "crdt/update_reader.h"

namespace footlight::crdt {

using internal::Handle;
using internal::Item;
using internal::kNone;
using internal::Store;

struct PlaceFinder::State {
  // Where a struct of the update hangs: in a type of the document, or one that the update brings.
  struct Spot {
    enum class At : uint8_t { kUnknown, kOpen, kMissing, kCollected, kRoot, kDocument, kUpdate };
    At at = At::kUnknown;
    bool has_key = false;
    uint32_t type = kNone;  // kDocument: slot
    uint32_t holder = 0;    // kUpdate: index of the struct that holds the type
    std::string_view root;  // kRoot: a root that the document does not have
    std::string_view key;
  };

  const Doc& doc;
  const Store& store;
  const DecodedUpdate& update;
  std::vector<Spot> spots;
  std::vector<uint32_t> open;  // being worked out
  struct Block {
    uint64_t client;
    uint64_t begin;
    uint64_t end;
    uint32_t first;
    uint32_t count;
  };
  std::vector<Block> blocks;  // by client, then clock
  Place place;

  State(const Doc& d, const DecodedUpdate& u)
      : doc(d), store(d.store()), update(u), spots(u.structs.size()) {
    for (const ClientBlock& block : u.blocks) {
      if (block.count == 0) continue;
      blocks.push_back({block.client, u.structs[block.first].id.clock,
                        u.structs[block.first + block.count - 1].end(), block.first, block.count});
    }
    std::sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) {
      return a.client != b.client ? a.client < b.client : a.begin < b.begin;
    });
  }

  // The struct of the update that covers `id`, or kNone.
  uint32_t in_update(Id id) const {
    auto it = std::upper_bound(blocks.begin(), blocks.end(), id, [](Id wanted, const Block& block) {
      return wanted.client != block.client ? wanted.client < block.client
                                           : wanted.clock < block.begin;
    });
    while (it != blocks.begin()) {
      --it;
      if (it->client != id.client) return kNone;
      if (id.clock >= it->end) continue;
      const auto first = update.structs.begin() + it->first;
      const auto found = std::upper_bound(
          first, first + it->count, id.clock,
          [](uint64_t clock, const DecodedStruct& s) { return clock < s.id.clock; });
      if (found == first) continue;
      const DecodedStruct& s = *std::prev(found);
      if (s.ref == Ref::kSkip || id.clock >= s.end()) return kNone;
      return static_cast<uint32_t>(std::prev(found) - update.structs.begin());
    }
    return kNone;
  }

  Handle in_document(Id id) const {
    const uint32_t client = store.find_client(id.client);
    if (client == kNone || id.clock >= store.state(client)) return kNone;
    return store.find(client, static_cast<uint32_t>(id.clock));
  }

  void like_item(Id id, Spot& spot) const {
    const auto [handle, parent, key] =
        store.locate({store.find_client(id.client), static_cast<uint32_t>(id.clock)});
    if (store.items[handle].is_gc()) {
      spot.at = Spot::At::kCollected;
      return;
    }
    spot.at = Spot::At::kDocument;
    spot.type = parent;
    spot.has_key = key != kNone;
    if (spot.has_key) spot.key = store.names[key];
  }

  // Fills the spot of `index` from what it names, or returns the struct that has to be known first.
  uint32_t step(uint32_t index) {
    const DecodedStruct& s = update.structs[index];
    Spot& spot = spots[index];
    if (!s.is_item()) {
      spot.at = Spot::At::kCollected;
      return kNone;
    }
    if (s.parent_kind == ParentKind::kRoot) {
      const uint32_t name = store.names.find(s.parent_name);
      const auto it = name == kNone ? store.root_by_name.end() : store.root_by_name.find(name);
      spot.at = it == store.root_by_name.end() ? Spot::At::kRoot : Spot::At::kDocument;
      if (spot.at == Spot::At::kDocument) spot.type = it->second;
      spot.root = s.parent_name;
    } else if (s.parent_kind == ParentKind::kId) {
      const Handle holder = in_document(s.parent_id);
      if (holder != kNone) {
        const bool is_type = store.items[holder].ref == Ref::kType;
        spot.at = is_type ? Spot::At::kDocument : Spot::At::kCollected;
        if (is_type) spot.type = store.items[holder].type;
      } else if (const uint32_t other = in_update(s.parent_id); other != kNone && other != index) {
        const bool is_type = update.structs[other].ref == Ref::kType;
        spot.at = is_type ? Spot::At::kUpdate : Spot::At::kCollected;
        spot.holder = other;
      } else {
        spot.at = Spot::At::kMissing;
      }
    } else {
      return inherit(s, index, spot);
    }
    spot.has_key = s.has_parent_sub;
    spot.key = s.parent_sub;
    return kNone;
  }

  uint32_t inherit(const DecodedStruct& s, uint32_t index, Spot& spot) {
    // Both neighbours must be there and not collected; the left one is inherited from.
    bool known = false;
    for (const bool left : {true, false}) {
      if (!(left ? s.has_origin : s.has_right_origin)) continue;
      const Id id = left ? s.origin : s.right_origin;
      Spot from;
      if (in_document(id) != kNone) {
        like_item(id, from);
      } else {
        const uint32_t other = in_update(id);
        if (other == kNone || other == index || spots[other].at == Spot::At::kOpen) {
          spot.at = Spot::At::kMissing;
          return kNone;
        }
        if (spots[other].at == Spot::At::kUnknown) return other;
        from = spots[other];
      }
      if (from.at == Spot::At::kMissing || from.at == Spot::At::kCollected) {
        spot.at = from.at;
        return kNone;
      }
      if (!known) spot = from;
      known = true;
    }
    if (!known) spot.at = Spot::At::kMissing;
    return kNone;
  }

  const Spot& spot_of(uint32_t index) {
    open.assign(1, index);
    while (!open.empty()) {
      const uint32_t at = open.back();
      if (spots[at].at != Spot::At::kUnknown && spots[at].at != Spot::At::kOpen) {
        open.pop_back();
        continue;
      }
      spots[at].at = Spot::At::kOpen;
      const uint32_t first = step(at);
      if (first != kNone) {
        spots[at].at = Spot::At::kOpen;
        open.push_back(first);
      }
    }
    return spots[index];
  }

  const Place& place_of(uint32_t index) {
    place.steps.clear();
    place.root = {};
    place.state = Place::State::kKnown;
    // From the struct up through types that the update brings, then through the document.
    size_t hops = 0;
    while (true) {
      const Spot& spot = spot_of(index);
      if (spot.at == Spot::At::kMissing || spot.at == Spot::At::kCollected ||
          ++hops > spots.size()) {
        place.state =
            spot.at == Spot::At::kCollected ? Place::State::kCollected : Place::State::kMissing;
        place.steps.clear();
        return place;
      }
      Place::Step step;
      step.in_list = !spot.has_key;
      step.key = spot.has_key ? spot.key : std::string_view();
      if (spot.at == Spot::At::kUpdate) {
        step.kind = static_cast<TypeRef>(update.structs[spot.holder].content[0]);
        place.steps.push_back(step);
        index = spot.holder;
        continue;
      }
      if (spot.at == Spot::At::kDocument) step.kind = store.types[spot.type].kind;
      place.steps.push_back(step);
      std::reverse(place.steps.begin(), place.steps.end());
      if (spot.at == Spot::At::kRoot) {
        place.root = spot.root;
      } else {
        Place above;
        store.place_of_type(spot.type, above);
        place.root = above.root;
        place.steps.insert(place.steps.begin(), above.steps.begin(), above.steps.end());
      }
      return place;
    }
  }
};

PlaceFinder::PlaceFinder(const Doc& doc, const DecodedUpdate& update)
    : state_(std::make_unique<State>(doc, update)) {}
PlaceFinder::~PlaceFinder() = default;

const Place& PlaceFinder::of(size_t index) {
  return state_->place_of(static_cast<uint32_t>(index));
}

std::optional<Id> PlaceFinder::shown_at(size_t index) {
  const State::Spot& spot = state_->spot_of(static_cast<uint32_t>(index));
  if (spot.at != State::Spot::At::kDocument || !spot.has_key) return std::nullopt;
  const Handle shown = state_->store.map_item(state_->store.types[spot.type], spot.key);
  if (shown == kNone) return std::nullopt;
  return state_->store.wire_id(shown);
}

Place PlaceFinder::of(Id id) {
  if (state_->in_document(id) != kNone) return state_->doc.place_of(id);
  const uint32_t index = state_->in_update(id);
  return index == kNone ? Place{} : state_->place_of(index);
}

}  // namespace footlight::crdt
