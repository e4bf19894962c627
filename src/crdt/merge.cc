#include "crdt/merge.h"

#include <algorithm>

#include "crdt/lib0.h"
#include "crdt/update_writer.h"

namespace footlight::crdt {
namespace {

// All structs of all inputs, and their deletes.
struct Inputs {
  std::vector<DecodedStruct> structs;  // without skips
  DeleteSet deletes;
  Scratch scratch;
};

Status read_into(Inputs& all, ByteView update, UpdateFormat format, const UpdateLimits& limits) {
  UpdateLimits left = limits;
  if (all.structs.size() > limits.max_structs) return crdt_fault(Fault::kLimit, "updates");
  left.max_structs -= all.structs.size();
  UpdateReader reader(update, format, all.scratch, left);
  for (DecodedStruct s; reader.next(s);) {
    if (s.ref != Ref::kSkip) all.structs.push_back(s);
  }
  for (IdRange range; reader.next_deleted(range);) {
    all.deletes.add(range.client, range.clock, range.len);
  }
  if (reader.fault() != Fault::kNone) return crdt_fault(reader.fault(), "update");
  if (all.deletes.ranges().size() > limits.max_ranges) {
    return crdt_fault(Fault::kLimit, "deleted ranges");
  }
  return {};
}

// The order of writing: clients descending, clocks ascending, the earlier input first.
std::vector<uint32_t> writing_order(const std::vector<DecodedStruct>& structs) {
  std::vector<uint32_t> order(structs.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto before = [&](uint32_t a, uint32_t b) {
    const Id x = structs[a].id;
    const Id y = structs[b].id;
    if (x.client != y.client) return x.client > y.client;
    return x.clock != y.clock ? x.clock < y.clock : a < b;
  };
  if (!std::is_sorted(order.begin(), order.end(), before)) {
    std::sort(order.begin(), order.end(), before);
  }
  return order;
}

// Collects neighbouring structs that a document would hold as one, and writes them as one.
class Joiner {
 public:
  Joiner(UpdateWriter& writer, const DeleteSet& deletes) : writer_(writer), deletes_(deletes) {}

  void add(const DecodedStruct& s) {
    if (run_.len != 0 && joins(s)) {
      append(s);
      return;
    }
    flush();
    if (!begun_ || s.id.client != client_) {
      begun_ = true;
      client_ = s.id.client;
      writer_.open_client(client_, s.id.clock);
    }
    run_ = s;
    joined_ = false;
  }

  void flush() {
    if (run_.len == 0) return;
    if (joined_) run_.content = content_.view();
    writer_.write_open(run_);
    run_.len = 0;
  }

 private:
  bool joins(const DecodedStruct& s) const {
    if (s.ref != run_.ref || s.id.client != run_.id.client || s.id.clock != run_.end())
      return false;
    switch (s.ref) {
      case Ref::kGc:
      case Ref::kSkip:
        return true;
      case Ref::kDeleted:
      case Ref::kString:
      case Ref::kAny:
      case Ref::kJson:
        break;
      default:
        return false;
    }
    if (!s.has_origin || s.origin != Id{run_.id.client, run_.end() - 1}) return false;
    if (s.has_right_origin != run_.has_right_origin) return false;
    if (s.has_right_origin && s.right_origin != run_.right_origin) return false;
    // At a key each value deletes the one before when it is integrated; as one struct they would
    // not, so there only what is deleted already is joined.
    const bool key = s.has_key || run_.has_key || run_.has_parent_sub;
    return !key || s.ref == Ref::kDeleted ||
           deletes_.covers(run_.id.client, run_.id.clock, run_.len + s.len);
  }

  void append(const DecodedStruct& s) {
    if (!joined_ && !run_.content.empty()) {
      content_.clear();
      content_.bytes(run_.content);
      joined_ = true;
    }
    if (joined_) content_.bytes(s.content);
    run_.len += s.len;
    run_.has_key = run_.has_key || s.has_key;
  }

  UpdateWriter& writer_;
  const DeleteSet& deletes_;  // normal
  DecodedStruct run_;         // len 0: none
  Encoder content_;           // of run_, when it is more than one struct
  bool joined_ = false;
  bool begun_ = false;
  uint64_t client_ = 0;
};

void write_union(Inputs& all, UpdateWriter& writer) {
  Joiner joiner(writer, all.deletes);
  uint64_t client = 0;
  uint64_t end = 0;  // of what is written of `client`
  bool begun = false;
  for (const uint32_t i : writing_order(all.structs)) {
    DecodedStruct& s = all.structs[i];
    if (!begun || s.id.client != client) {
      begun = true;
      client = s.id.client;
      end = s.id.clock;
    }
    if (s.end() <= end) continue;
    if (s.id.clock < end) cut_front(s, end - s.id.clock, all.scratch);
    if (s.id.clock > end) {
      DecodedStruct skip;
      skip.id = {client, end};
      skip.len = s.id.clock - end;
      skip.ref = Ref::kSkip;
      joiner.add(skip);
    }
    joiner.add(s);
    end = s.end();
  }
  joiner.flush();
}

Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

}  // namespace

Result<Bytes> merge_updates(std::span<const ByteView> updates, UpdateFormat format,
                            const UpdateLimits& limits) {
  Inputs all;
  for (const ByteView update : updates) {
    if (Status status = read_into(all, update, format, limits); !status) {
      return std::unexpected(status.error());
    }
  }
  all.deletes.normalize();
  UpdateWriter writer(format);
  write_union(all, writer);
  writer.close_clients();
  writer.deletes(all.deletes);
  return to_bytes(writer.finish());
}

Result<Bytes> diff_update(ByteView update, UpdateFormat format, const StateVector& state,
                          const UpdateLimits& limits) {
  Scratch scratch;
  UpdateReader reader(update, format, scratch, limits);
  UpdateWriter writer(format);
  bool open = false;  // something of this block is written
  uint64_t known = 0;
  for (DecodedStruct s; reader.next(s);) {
    if (reader.block_begun()) {
      open = false;
      known = state.get(s.id.client);
    }
    if (!open && (s.ref == Ref::kSkip || s.end() <= known)) continue;
    const uint64_t offset = !open && known > s.id.clock ? known - s.id.clock : 0;
    if (!open) writer.open_client(s.id.client, s.id.clock + offset);
    open = true;
    writer.write_open(s, offset);
  }
  DeleteSet deletes;
  for (IdRange range; reader.next_deleted(range);)
    deletes.add(range.client, range.clock, range.len);
  if (reader.fault() != Fault::kNone) return crdt_fault(reader.fault(), "update");
  deletes.normalize();
  writer.close_clients();
  writer.deletes(deletes);
  return to_bytes(writer.finish());
}

Result<StateVector> state_vector_of_update(ByteView update, UpdateFormat format,
                                           const UpdateLimits& limits) {
  Scratch scratch;
  UpdateReader reader(update, format, scratch, limits);
  std::vector<StateVector::Entry> ends;
  uint64_t client = 0;
  uint64_t end = 0;
  for (DecodedStruct s; reader.next(s);) {
    if (s.id.client != client) end = 0;
    client = s.id.client;
    if (s.ref == Ref::kSkip || s.id.clock != end) continue;
    if (end == 0) ends.push_back({client, 0});
    end = ends.back().clock = s.end();
  }
  for (IdRange range; reader.next_deleted(range);) continue;
  if (reader.fault() != Fault::kNone) return crdt_fault(reader.fault(), "update");
  return StateVector(std::move(ends));
}

Result<Bytes> convert_update(ByteView update, UpdateFormat from, UpdateFormat to,
                             const UpdateLimits& limits) {
  Scratch scratch;
  UpdateReader reader(update, from, scratch, limits);
  UpdateWriter writer(to);
  for (DecodedStruct s; reader.next(s);) {
    if (reader.block_begun()) writer.open_client(s.id.client, s.id.clock);
    writer.write_open(s);
  }
  DeleteSet deletes;
  for (IdRange range; reader.next_deleted(range);)
    deletes.add(range.client, range.clock, range.len);
  if (reader.fault() != Fault::kNone) return crdt_fault(reader.fault(), "update");
  deletes.normalize();
  writer.close_clients();
  writer.deletes(deletes);
  return to_bytes(writer.finish());
}

Result<UpdateMeta> meta_of_update(ByteView update, UpdateFormat format,
                                  const UpdateLimits& limits) {
  Scratch scratch;
  UpdateReader reader(update, format, scratch, limits);
  DeleteSet spoken;
  for (DecodedStruct s; reader.next(s);) spoken.add(s.id.client, s.id.clock, s.len);
  for (IdRange range; reader.next_deleted(range);) continue;
  if (reader.fault() != Fault::kNone) return crdt_fault(reader.fault(), "update");
  spoken.normalize();
  UpdateMeta meta;
  const auto& ranges = spoken.ranges();
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    if (meta.to.get(range->client) == 0) meta.to.set(range->client, range->end());
    meta.from.set(range->client, range->clock);
  }
  return meta;
}

Result<UpdateIds> ids_of_update(ByteView update, UpdateFormat format, const UpdateLimits& limits) {
  Scratch scratch;
  UpdateReader reader(update, format, scratch, limits);
  UpdateIds ids;
  for (DecodedStruct s; reader.next(s);) {
    if (s.ref != Ref::kSkip) ids.inserted.add(s.id.client, s.id.clock, s.len);
  }
  for (IdRange range; reader.next_deleted(range);) {
    ids.deleted.add(range.client, range.clock, range.len);
  }
  if (reader.fault() != Fault::kNone) return crdt_fault(reader.fault(), "update");
  ids.inserted.normalize();
  ids.deleted.normalize();
  return ids;
}

}  // namespace footlight::crdt
