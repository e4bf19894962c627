#include "edge/internal/board_state.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/assert.h"
#include "crdt/update_reader.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kMagic = "FLBD\x01";

std::unexpected<Error> damaged(std::string why) {
  return fail(Code::kBoardDamaged, std::move(why));
}

// The client ids an update writes under belong to its author, unless they had one before.
Status note_owners(ByteView update, uint64_t who, BoardOwners& owners) {
  crdt::Scratch scratch;
  crdt::UpdateReader reader(update, crdt::UpdateFormat::kV1, scratch);
  for (crdt::DecodedStruct each; reader.next(each);) {
    if (each.ref != crdt::Ref::kSkip) owners.try_emplace(each.id.client, who);
  }
  for (crdt::IdRange range; reader.next_deleted(range);) {
  }
  if (reader.fault() != crdt::Fault::kNone) return damaged("an update cannot be read");
  return {};
}

}  // namespace

uint64_t server_client(const BoardOwners& owners) {
  uint64_t client = crdt::kMaxClient;
  for (auto it = owners.find(client); it != owners.end() && it->second == kRetired;) {
    it = owners.find(--client);
  }
  FL_ASSERT(client >= kFirstServerClient, "a board does not begin anew a million times");
  return client;
}

Bytes encode_board_state(const crdt::Doc& doc, const BoardOwners& owners) {
  Bytes out;
  ByteWriter writer(out);
  writer.bytes(as_bytes(kMagic));
  const std::map<uint64_t, uint64_t> sorted(owners.begin(), owners.end());
  writer.varint(sorted.size());
  for (const auto& [client, who] : sorted) {
    writer.varint(client);
    writer.u64(who);
  }
  const auto update = doc.encode_state_as_update(crdt::UpdateFormat::kV2);
  writer.varint(update->size());
  writer.bytes(*update);
  return out;
}

Result<BoardState> decode_board_state(ByteView state) {
  ByteReader in(state);
  if (as_text(in.bytes(kMagic.size())) != kMagic) return damaged("a snapshot of another kind");
  BoardState out;
  const uint64_t count = in.varint();
  if (count > in.remaining() / 9) return damaged("the snapshot is cut off");
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t client = in.varint();
    out.owners[client] = in.u64();
  }
  out.update = in.bytes(in.varint());
  if (!in.ok() || in.remaining() != 0) return damaged("the snapshot is cut off");
  return out;
}

Result<LoadedBoard> load_board(const log::BoardFile& file) {
  LoadedBoard out;
  out.doc = std::make_unique<crdt::Doc>(crdt::DocOptions{.client = crdt::kMaxClient});
  if (file.snapshot) {
    auto state = decode_board_state(file.snapshot->state);
    if (!state) return std::unexpected(state.error());
    auto applied = out.doc->apply_update(state->update, crdt::UpdateFormat::kV2);
    if (!applied) return damaged(applied.error().detail);
    out.owners = std::move(state->owners);
    out.n = file.snapshot->n;
    out.generation = file.snapshot->generation;
    out.snapshot_bytes = state->update.size();
  }
  for (const log::BoardUpdate& each : file.updates) {
    auto applied = out.doc->apply_update(each.update, crdt::UpdateFormat::kV1);
    if (!applied) return damaged(applied.error().detail);
    if (auto ok = note_owners(each.update, each.who, out.owners); !ok) {
      return std::unexpected(ok.error());
    }
    out.n = each.n;
    out.update_bytes += each.update.size();
    ++out.updates;
  }
  // Last: what the server wrote would make the document take another id.
  out.doc->set_client(server_client(out.owners));
  const crdt::PendingStats pending = out.doc->pending();
  if (pending.structs != 0 || pending.delete_ranges != 0) return damaged("something is missing");
  return out;
}

std::vector<size_t> snapshots_to_drop(std::vector<WallMs> at_ms, WallMs now_ms) {
  std::vector<size_t> index(at_ms.size());
  for (size_t i = 0; i < index.size(); ++i) index[i] = i;
  std::vector<size_t> out;
  while (at_ms.size() >= kMostBoardSnapshots) {
    size_t closest = 1;
    double least = 1e300;
    for (size_t i = 1; i + 1 < at_ms.size(); ++i) {
      const auto gap = static_cast<double>(at_ms[i + 1] - at_ms[i - 1]);
      const auto age = static_cast<double>(std::max<WallMs>(now_ms - at_ms[i], 0) + 1'000);
      if (gap / age < least) {
        least = gap / age;
        closest = i;
      }
    }
    out.push_back(index[closest]);
    index.erase(index.begin() + static_cast<std::ptrdiff_t>(closest));
    at_ms.erase(at_ms.begin() + static_cast<std::ptrdiff_t>(closest));
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace footlight::edge
