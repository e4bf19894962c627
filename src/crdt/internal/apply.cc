// Updates in: structs in the order of their dependencies, then deletes, then what waited for them.
// Source: yjs 13.6 `src/utils/encoding.js` (integrateStructs, readUpdateV2), `DeleteSet.js`.
#include <algorithm>

#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

namespace {

// Where an update is larger than this it is worth reading twice.
constexpr size_t kLarge = 64 * 1024;

Status check(const DecodedStruct& s) {
  if (s.end() > kMaxClock) return fail(Code::kCrdtLimit, "a clock is too high");
  // A struct comes after what it refers to, so of its own client it can only name earlier clocks.
  const auto later = [&s](Id id) { return id.client == s.id.client && id.clock >= s.id.clock; };
  if ((s.has_origin && later(s.origin)) || (s.has_right_origin && later(s.right_origin)) ||
      (s.parent_kind == ParentKind::kId && later(s.parent_id))) {
    return fail(Code::kCrdtMalformed, "a struct refers to itself or its future");
  }
  if (s.parent_kind == ParentKind::kInherit && s.is_item() && !s.has_origin &&
      !s.has_right_origin) {
    return fail(Code::kCrdtMalformed, "a struct without a parent");
  }
  return {};
}

}  // namespace

bool Store::missing(const DecodedStruct& s, uint64_t& client, uint64_t& clock) const {
  if (!s.is_item()) return false;
  const auto lacks = [&](Id id) {
    if (id.client == s.id.client) return false;
    const uint32_t index = find_client(id.client);
    if (index != kNone && id.clock < clients[index].state) return false;
    client = id.client;
    clock = id.clock;
    return true;
  };
  return (s.has_origin && lacks(s.origin)) || (s.has_right_origin && lacks(s.right_origin)) ||
         (s.parent_kind == ParentKind::kId && lacks(s.parent_id));
}

// Of a struct that is known already yjs looks up the neighbours nevertheless. What that splits
// joins again when the transaction ends, but for items that were made anew, and for two halves of a
// character, which are two characters from then on. Only of a struct that came as garbage were the
// neighbours not looked up before.
void Store::split_beside_known(const DecodedStruct& s, uint32_t client) {
  if (!s.is_item()) return;
  const bool collected = items[find(client, static_cast<uint32_t>(s.id.clock))].is_gc();
  if (redone.empty() && !collected) return;
  const auto splits = [&](LocalId id) { return collected || items[find(id)].redone(); };
  if (s.has_origin) {
    const LocalId id{find_client(s.origin.client), static_cast<uint32_t>(s.origin.clock)};
    if (splits(id)) (void)clean_end(id.client, id.clock);
  }
  if (s.has_right_origin) {
    const LocalId id{find_client(s.right_origin.client),
                     static_cast<uint32_t>(s.right_origin.clock)};
    if (splits(id)) (void)clean_start(id.client, id.clock);
  }
}

Result<Applied> Store::apply(const DecodedUpdate& update, Origin origin) {
  for (const DecodedStruct& s : update.structs) {
    if (Status ok = check(s); !ok) return std::unexpected(std::move(ok.error()));
  }
  begin_apply(origin);
  apply_structs(update);
  for (const IdRange& range : update.deletes) {
    apply_deletes_.add(range.client, range.clock, range.len);
  }
  return end_apply();
}

void Store::begin_apply(Origin origin) {
  applied_structs_ = 0;
  apply_deletes_.clear();
  begin(origin, false);
  txn_->local = false;
  moved_before_ = txn_->moved.size();
  deleted_before_ = txn_->deleted.size();
}

Applied Store::end_apply() {
  Applied applied;
  if (apply_deletes_.ranges().size() > 1) apply_deletes_.normalize();
  for (const IdRange& range : apply_deletes_.ranges()) {
    if (apply_deletes(range.client, range.clock, range.end())) ++applied.deletes;
  }
  if (!pending.empty() || !pending.deletes.empty()) retry_pending();
  applied.structs = applied_structs_;
  applied.pending_structs = pending.structs();
  applied.changed = txn_->moved.size() != moved_before_ || txn_->deleted.size() != deleted_before_;
  client_taken_ = false;
  end();
  applied.client_taken = client_taken_;
  return applied;
}

// Decoded structs are several times as large as what is stored of most; for a long history the
// memory alone costs more than reading it again. One client's structs need no other order.
std::optional<Result<Applied>> Store::apply_large(ByteView update, UpdateFormat format,
                                                  Origin origin) {
  if (update.size() < kLarge) return std::nullopt;
  Scratch scratch;
  {
    UpdateReader reader(update, format, scratch);
    DecodedStruct s;
    while (reader.next(s)) {
      if (reader.blocks_left() != 0) return std::nullopt;
      if (is_run_struct(s)) s.id.clock += reader.pass_run(s);
      if (Status ok = check(s); !ok) return std::unexpected(std::move(ok.error()));
    }
    for (IdRange range; reader.next_deleted(range);) continue;
    if (reader.fault() != Fault::kNone) return crdt_fault(reader.fault(), "update");
  }
  scratch.clear();
  UpdateReader reader(update, format, scratch);
  begin_apply(origin);
  uint32_t client = kNone;
  bool waits = false;
  PackRun run;
  for (DecodedStruct s; reader.next(s);) {
    if (run.stride != 0) {
      if (continues(run, s)) {
        pass(run, 1 + reader.pass_run(s));
        continue;
      }
      end_run(client, run);
      run.stride = 0;
    }
    if (client == kNone) client = client_index(s.id.client);
    if (s.ref == Ref::kSkip) continue;
    if (!waits && run_begins(s, client, run)) {
      pass(run, reader.pass_run(s));
      continue;
    }
    const uint32_t state = clients[client].state;
    uint64_t for_client = 0;
    uint64_t for_clock = 0;
    if (waits || s.id.clock > state || missing(s, for_client, for_clock)) {
      waits = true;
      pending.add(s);
    } else if (s.end() > state) {
      integrate_struct(s, client, state - static_cast<uint32_t>(s.id.clock));
    } else {
      split_beside_known(s, client);
    }
  }
  if (run.stride != 0) end_run(client, run);
  if (waits) wait_or_ready(clients[client].id);
  for (IdRange range; reader.next_deleted(range);) {
    apply_deletes_.add(range.client, range.clock, range.len);
  }
  return end_apply();
}

void Store::apply_structs(const DecodedUpdate& update) {
  cursors_.clear();
  cursor_order_.clear();
  for (const ClientBlock& block : update.blocks) {
    const uint32_t client = client_index(block.client);
    uint32_t& cursor = clients[client].cursor;
    if (cursor == kNone) {
      cursor = static_cast<uint32_t>(cursors_.size());
      cursor_order_.push_back(cursor);
      cursors_.push_back({});
    }
    cursors_[cursor] = {client, block.first, block.first + block.count};  // the last one counts
  }
  // Higher ids first: concurrent items of lower ids then find their place without passing them.
  std::sort(cursor_order_.begin(), cursor_order_.end(), [this](uint32_t a, uint32_t b) {
    return clients[cursors_[a].client].id > clients[cursors_[b].client].id;
  });
  for (const uint32_t current : cursor_order_) {
    stack_.clear();
    while (cursors_[current].at < cursors_[current].end || !stack_.empty()) {
      uint32_t head;
      if (!stack_.empty()) {
        head = stack_.back();
        stack_.pop_back();
      } else {
        head = cursors_[current].at++;
      }
      while (true) {
        const DecodedStruct& s = update.structs[head];
        if (s.ref == Ref::kSkip) break;
        const uint32_t client = client_index(s.id.client);
        const uint32_t state = clients[client].state;
        if (s.id.clock > state) {
          stack_.push_back(head);
          pend_stack(update);
          break;
        }
        uint64_t for_client = 0;
        uint64_t for_clock = 0;
        if (!missing(s, for_client, for_clock)) {
          PackRun run;
          if (stack_.empty() && run_begins(s, client, run)) {
            for (Cursor& c = cursors_[current];
                 c.at < c.end && continues(run, update.structs[c.at]); ++c.at) {
              pass(run, 1);
            }
            end_run(client, run);
          } else if (s.end() > state) {
            integrate_struct(s, client, state - static_cast<uint32_t>(s.id.clock));
          } else {
            split_beside_known(s, client);
          }
          break;
        }
        stack_.push_back(head);
        const uint32_t needed = find_client(for_client);
        const uint32_t cursor = needed == kNone ? kNone : clients[needed].cursor;
        if (cursor == kNone || cursors_[cursor].at == cursors_[cursor].end) {
          pend_stack(update);
          break;
        }
        head = cursors_[cursor].at++;
      }
    }
  }
  for (const Cursor& cursor : cursors_) clients[cursor.client].cursor = kNone;
}

// Nothing on the stack can go on: all of it, and what follows of the same clients, waits.
void Store::pend_stack(const DecodedUpdate& update) {
  for (const uint32_t index : stack_) {
    const uint64_t id = update.structs[index].id.client;
    Cursor& cursor = cursors_[clients[client_index(id)].cursor];
    pending.add(update.structs[index]);
    for (; cursor.at < cursor.end; ++cursor.at) {
      const DecodedStruct& s = update.structs[cursor.at];
      if (s.ref != Ref::kSkip) pending.add(s);
    }
  }
  for (const uint32_t index : stack_) wait_or_ready(update.structs[index].id.client);
  stack_.clear();
}

void Store::wait_or_ready(uint64_t client) {
  const auto it = pending.clients().find(client);
  if (it == pending.clients().end()) return;
  const DecodedStruct& front = it->second.queue.front().s;
  const uint32_t index = client_index(client);
  uint64_t for_client = 0;
  uint64_t for_clock = 0;
  if (front.id.clock > clients[index].state) {
    pending.wait(client, client, front.id.clock - 1);
  } else if (missing(front, for_client, for_clock)) {
    pending.wait(client, for_client, for_clock);
  } else {
    ready_.push_back(client);
  }
}

// Integrates what can be of one client's queue. True when its state moved.
bool Store::retry_front(uint64_t client) {
  bool any = false;
  const uint32_t index = client_index(client);
  while (true) {
    const auto it = pending.clients().find(client);
    if (it == pending.clients().end()) return any;
    const DecodedStruct& s = it->second.queue.front().s;
    const uint32_t state = clients[index].state;
    if (s.end() > state) {
      uint64_t for_client = 0;
      uint64_t for_clock = 0;
      if (s.id.clock > state || missing(s, for_client, for_clock)) break;
      integrate_struct(s, index, state - static_cast<uint32_t>(s.id.clock));
      any = true;
    } else if (uint64_t client_of = 0, clock_of = 0; !missing(s, client_of, clock_of)) {
      split_beside_known(s, index);
    }
    pending.pop_front(it);
  }
  wait_or_ready(client);
  return any;
}

void Store::retry_pending() {
  // More may join txn_->moved meanwhile.
  for (size_t i = 0; i < txn_->moved.size(); ++i) {
    const uint32_t client = txn_->moved[i].client;
    pending.woken(clients[client].id, clients[client].state, ready_);
  }
  while (!ready_.empty()) {
    const uint64_t client = ready_.back();
    ready_.pop_back();
    if (retry_front(client)) {
      pending.woken(client, clients[find_client(client)].state, ready_);
    }
  }
  if (pending.deletes.empty()) return;
  for (size_t i = 0; i < txn_->moved.size(); ++i) {
    const Client& client = clients[txn_->moved[i].client];
    const auto it = pending.deletes.find(client.id);
    if (it == pending.deletes.end()) continue;
    std::map<uint64_t, uint64_t>& ranges = it->second;
    while (!ranges.empty() && ranges.begin()->first < client.state) {
      const auto [clock, end] = *ranges.begin();
      ranges.erase(ranges.begin());
      --pending.delete_ranges;
      (void)apply_deletes(client.id, clock, end);
    }
    if (ranges.empty()) pending.deletes.erase(client.id);
  }
}

bool Store::apply_deletes(uint64_t id, uint64_t clock, uint64_t end) {
  const uint32_t client = find_client(id);
  const uint64_t state = client == kNone ? 0 : clients[client].state;
  if (end > state) pending.add_delete(id, std::max(clock, state), end);
  if (clock >= state) return false;
  end = std::min(end, state);
  bool any = false;
  StructIndex& index = clients[client].index;
  StructIndex::At at = index.find(static_cast<uint32_t>(clock));
  Handle handle = index.item(at);
  if (!items[handle].deleted() && items[handle].clock < clock) {
    const Handle right = split(handle, static_cast<uint32_t>(clock) - items[handle].clock);
    at = index.insert_after(at, {static_cast<uint32_t>(clock), right});
  }
  for (; index.valid(at); at = index.after(at)) {
    handle = index.item(at);
    const Item& item = items[handle];
    if (item.clock >= end) break;
    if (item.deleted()) continue;
    if (item.end() > end) {
      const Handle right = split(handle, static_cast<uint32_t>(end) - item.clock);
      at = index.insert_after(at, {static_cast<uint32_t>(end), right});
      at = index.before(at);
    }
    delete_item(handle);
    any = true;
  }
  return any;
}

}  // namespace footlight::crdt::internal
