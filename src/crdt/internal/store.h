// The document's inside: items, types, clients and the transactions that change them. One object,
// its functions by concern in several files:
//
//   store.cc         clients, splitting, joining, contents of items
//   integrate.cc     where an item goes among concurrent ones; deleting
//   apply.cc         updates in: order of dependencies, pending structs and deletes (pending.h)
//   encode.cc        updates out
//   transaction.cc   begin, end, collecting, joining, emitting
//   lists.cc         positions and changes of arrays; maps.cc keys; text.cc formats
//   read.cc          values and JSON out; observe.cc events
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/assert.h"
#include "crdt/any.h"
#include "crdt/delete_set.h"
#include "crdt/doc.h"
#include "crdt/internal/formats.h"
#include "crdt/internal/heap.h"
#include "crdt/internal/item.h"
#include "crdt/internal/names.h"
#include "crdt/internal/pending.h"
#include "crdt/internal/sequence.h"
#include "crdt/internal/struct_index.h"
#include "crdt/internal/txn.h"
#include "crdt/internal/type_node.h"
#include "crdt/state_vector.h"
#include "crdt/update_reader.h"
#include "crdt/update_writer.h"

namespace footlight::crdt::internal {

struct Client {
  uint64_t id = 0;
  uint32_t state = 0;       // next clock
  uint32_t txn = 0;         // transaction that moved it last
  uint32_t before = 0;      // state before that transaction
  uint32_t packs = 0;       // entries of the index that are packs
  uint32_t cursor = kNone;  // while an update is applied: its block there
  StructIndex index;
};

// Content of an item to be made, canonical as in struct.h.
struct Content {
  Ref ref = Ref::kAny;
  uint32_t len = 1;
  ByteView bytes = {};
  uint32_t type = kNone;  // kType: the slot
};

// Structs read that go on with the lanes of the pack near their client's end, and are not
// integrated yet (packs.cc).
struct PackRun {
  uint64_t client = 0;
  uint64_t next = 0;  // clock of the struct that would be the next of the run
  uint32_t count = 0;
  uint32_t stride = 0;  // 0: there is no run
};
inline bool is_run_struct(const DecodedStruct& s) {
  return s.ref == Ref::kDeleted && s.len == 1 && s.has_origin && !s.has_right_origin &&
         s.origin.client == s.id.client;
}
inline bool continues(const PackRun& run, const DecodedStruct& s) {
  return is_run_struct(s) && s.id.clock == run.next && s.id.client == run.client &&
         s.origin.clock + run.stride == run.next;
}
inline void pass(PackRun& run, uint64_t count) {
  run.next += count;
  run.count += static_cast<uint32_t>(count);
}

struct TextPosition;
struct Observers;
class EventImpl;

class Store {
 public:
  Store(Doc* doc, DocOptions options);
  ~Store();
  Store(const Store&) = delete;

  // --- state, open to the functions of this room
  Doc* doc;
  DocOptions options;
  ItemPool items;
  Heap heap;
  Sequences sequences{items};
  Names names;
  std::vector<Client> clients;
  std::deque<TypeNode> types;
  std::vector<uint32_t> free_types;
  std::vector<uint32_t> roots;  // type slots in order of first mention
  std::unordered_map<uint32_t, uint32_t> root_by_name;
  std::unordered_map<Handle, LocalId> redone;
  Pending pending;
  uint32_t own = kNone;  // index of our client, once it wrote or was asked for

  // --- store.cc
  uint32_t client_index(uint64_t id);       // made when absent
  uint32_t find_client(uint64_t id) const;  // kNone
  uint32_t own_client();
  uint32_t state(uint32_t client) const { return clients[client].state; }
  Handle find(uint32_t client, uint32_t clock) const {
    const StructIndex& index = clients[client].index;
    return index.item(index.find(clock));
  }
  Handle find(LocalId id) const { return find(id.client, id.clock); }
  Id wire_id(uint32_t client, uint32_t clock) const { return {clients[client].id, clock}; }
  Id wire_id(Handle h) const { return wire_id(items[h].client, items[h].clock); }
  Handle clean_start(uint32_t client, uint32_t clock);  // splits so that an item begins there
  Handle clean_end(uint32_t client, uint32_t clock);    // ... so that one ends with that clock
  Handle split(Handle handle, uint32_t offset);         // returns the right part
  void split_content(Item& left, Item& right, uint32_t offset);
  bool try_join(Handle left, Handle right);
  void set_content(Item& item, ByteView bytes);
  void append_content(Item& item, ByteView bytes);
  void free_content(Item& item);
  ByteView content(const Item& item) const { return {item.data(), item.size}; }
  std::string_view text(const Item& item) const { return as_text(content(item)); }
  void add_struct(Handle handle);           // at the end of its client
  void moved(uint32_t client);              // its state is about to move in this transaction
  uint32_t before(uint32_t client) const {  // state before the running transaction
    const Client& c = clients[client];
    return c.txn == txn_->number ? c.before : c.state;
  }
  uint32_t make_type(TypeRef kind, uint32_t name);
  void free_type(uint32_t type);
  uint32_t root(std::string_view name);  // made when absent
  TypeNode* node(const Type& type);      // nullptr when dead
  const TypeNode* node(const Type& type) const;
  uint32_t slot(const Type& type) const { return type.slot_; }
  Type handle_of(uint32_t type) const { return Type(doc, type, types[type].generation); }

  // --- integrate.cc
  void integrate(Handle handle, Handle left, Handle right);
  void delete_item(Handle handle);
  void mark_changed(uint32_t type, uint32_t key);
  // A struct whose dependencies are there; `offset` of its clocks are known already.
  void integrate_struct(const DecodedStruct& s, uint32_t client, uint32_t offset);
  Handle make_item(const DecodedStruct& s, LocalRange range, ByteView bytes, uint32_t parent,
                   uint32_t key);
  void add_gc(uint32_t client, uint32_t clock, uint32_t len);
  // Makes an item of our client between two neighbours; returns it, or `left` grown by it.
  Handle insert(uint32_t type, Handle left, Handle right, uint32_t key, const Content& content);
  Handle insert_new(uint32_t type, Handle left, Handle right, uint32_t key, const Content& content);

  // --- apply.cc
  Result<Applied> apply(const DecodedUpdate& update, Origin origin);
  // A large update of one client, read twice (checked, then integrated) instead of decoded whole:
  // nullopt when it is not one.
  std::optional<Result<Applied>> apply_large(ByteView update, UpdateFormat format, Origin origin);
  void apply_structs(const DecodedUpdate& update);
  bool apply_deletes(uint64_t client, uint64_t clock, uint64_t end);  // the rest pends
  bool missing(const DecodedStruct& s, uint64_t& client, uint64_t& clock) const;
  void split_beside_known(const DecodedStruct& s, uint32_t client);
  void retry_pending();

  // --- encode.cc
  void to_struct(Handle handle, DecodedStruct& out);
  bool cut_grown(const Item& item, uint32_t offset, DecodedStruct& s) const;
  void write_client(UpdateWriter& writer, uint32_t client, uint32_t clock);
  Result<Bytes> encode(UpdateFormat format, ByteView state_vector);
  DeleteSet delete_set() const;
  StateVector state_vector() const;
  ByteView encode_txn(const Txn& txn, UpdateWriter& writer);

  // --- transaction.cc
  void begin(Origin origin, bool local);
  void end();
  void resume();  // for an observer: what follows belongs to the transaction that it is told of
  void pause();   // the end of that
  Txn& txn() { return *txn_; }
  bool in_transaction() const { return txn_ != nullptr; }
  uint32_t before_of(size_t in_queue, uint32_t client) const;
  void collect(Handle handle, bool parent_collected);

  // --- lists.cc, maps.cc
  Handle find_index(uint32_t type, uint32_t index, uint32_t& start);  // index < length
  Status list_insert(uint32_t type, uint64_t index, std::span<const Input> values);
  Handle list_insert_after(uint32_t type, Handle left, std::span<const Input> values);
  Status list_push(uint32_t type, std::span<const Input> values);
  Status list_erase(uint32_t type, uint64_t index, uint64_t count);
  Status map_set(uint32_t type, std::string_view key, const Input& value);
  Status map_erase(uint32_t type, std::string_view key);
  Handle map_item(const TypeNode& type, std::string_view key) const;  // not deleted, or kNone
  // Content for one value; types are made but have no content of their own yet (fill_type).
  Content make_content(const Input& value);
  void fill_type(uint32_t type, const Input& value);
  bool is_plain(const Input& value) const;  // goes into an Any run
  static Status check_input(const Input& value);
  static Status check_any(const Any& any, int depth = 0);
  static void encode_any(Encoder& out, const Any& any);
  Handle insert_input(uint32_t type, Handle left, Handle right, uint32_t key, const Input& value);

  // --- text.cc
  Status text_insert(uint32_t type, uint64_t index, std::string_view text, const Attributes* attrs);
  Status text_embed(uint32_t type, uint64_t index, const Input& embed, const Attributes& attrs);
  Status text_erase(uint32_t type, uint64_t index, uint64_t length);
  Status text_format(uint32_t type, uint64_t index, uint64_t length, const Attributes& attrs);
  Status text_delta(uint32_t type, const Delta& delta);
  void cleanup_formatting(Txn& txn);

  // --- read.cc
  Value value_of(Handle handle, uint32_t offset) const;  // element `offset` of a countable item
  void append_json(std::string& out, Handle handle, uint32_t offset, int depth) const;
  void type_json(std::string& out, uint32_t type, int depth) const;
  void map_json(std::string& out, const TypeNode& type, int depth) const;
  bool is_undefined(Handle handle, uint32_t offset) const;
  std::vector<std::pair<uint32_t, Handle>> live_keys(const TypeNode& type) const;
  Attributes attributes_of(const Formats& formats) const;
  void append_value_string(std::string& out, const Value& value, int depth) const;  // String(value)
  std::string text_string(uint32_t type) const;
  Delta text_delta_of(uint32_t type) const;
  std::string xml_string(uint32_t type, int depth) const;

  // --- look.cc: what servers ask
  struct Located {
    Handle handle = kNone;
    uint32_t parent = kNone;  // type slot; kNone when collected
    uint32_t key = kNone;     // kNone in a list
  };
  Located locate(LocalId id) const;
  void place_of(LocalId id, Place& place) const;
  void place_of_type(uint32_t type, Place& place) const;  // steps down to the type
  DocStats stats() const;
  std::vector<Subdoc> subdocs() const;

  // --- packs.cc
  PackLane* lanes(Handle pack);
  const PackLane* lanes(Handle pack) const;
  PackLane& lane_of(Handle pack, uint32_t parent, uint32_t key);
  void set_left(Handle of, uint32_t parent, uint32_t key, Handle left);
  void set_right(Handle of, uint32_t parent, uint32_t key, Handle right);
  uint32_t pack_stride(Handle handle) const;
  bool pack_append(Handle pack, Handle handle);
  Handle pack_start(StructIndex& index, StructIndex::At at, uint32_t stride);
  void pack_deleted(const Txn& txn);
  void pack_behind(uint32_t client, Handle tombstone);  // which just got a neighbour on its right
  bool pack_before(StructIndex& index, StructIndex::At at);
  bool run_begins(const DecodedStruct& s, uint32_t client, PackRun& run) const;
  void end_run(uint32_t client, const PackRun& run);
  Handle make_element(const Item& pack, const PackLane& lane, uint32_t i);
  void unpack(uint32_t client, StructIndex::At at);
  void unpack_last(uint32_t client, StructIndex::At at);
  Handle right_of(Handle handle);  // neighbours in a chain; a pack there is unpacked
  Handle left_of(Handle handle);
  void to_element(Handle pack, uint32_t i, DecodedStruct& out) const;

  // --- redo.cc: what undo managers do to items
  void keep(Handle handle, bool keep);  // it and the items that hold it
  bool in_scope(Handle handle, std::span<const uint32_t> types) const;  // empty: all is
  // Walks the items that ranges cover, split where they begin and end.
  template <class F>
  void each_item(std::span<const IdRange> ranges, F&& visit) {
    for (const IdRange& range : ranges) {
      const uint32_t client = find_client(range.client);
      if (client == kNone || range.clock >= state(client)) continue;
      const auto end = static_cast<uint32_t>(std::min<uint64_t>(range.end(), state(client)));
      auto clock = static_cast<uint32_t>(range.clock);
      while (clock < end) {
        Handle handle = find(client, clock);
        if (items[handle].is_gc()) {
          clock = items[handle].end();
          continue;
        }
        handle = clean_start(client, clock);
        if (items[handle].end() > end) (void)clean_start(client, end);
        clock = items[handle].end();
        visit(handle);
      }
    }
  }
  // Makes a deleted item anew where it stood, and returns the new one; kNone when another's change
  // took its place. `wanted` are all items to be made anew, ordered; `deletable` what is to be
  // deleted at the same time; `stacks` whether an id is deleted by a step of the manager.
  struct Redo {
    const std::vector<Handle>& wanted;
    const DeleteSet& deletable;
    const std::function<bool(Id)>& stacks;
    bool ignore_remote_map_changes = false;
  };
  Handle redo_item(Handle handle, const Redo& redo, int depth = 0);
  Handle redone_as(Handle handle);
  void redo_list_place(Handle handle, uint32_t parent, Handle& left, Handle& right);
  bool redo_key_place(Handle handle, uint32_t parent, uint32_t key, const Redo& redo, Handle& left);

  // --- observe.cc
  void notify(size_t in_queue);
  ObserverId add_update(UpdateFormat format, UpdateHandler handler);
  ObserverId add_transaction(TransactionHandler handler);
  ObserverId add_subdocs(SubdocsHandler handler);
  ObserverId add_observer(const Type& type, EventHandler handler);
  ObserverId add_deep(const Type& type, DeepHandler handler);
  void remove_observer(ObserverId id);
  void sweep_observers();  // forgets those removed while observers were called

  template <class F>
  void transact(F&& body, Origin origin = kNoOrigin) {
    begin(origin, true);
    body();
    end();
  }

  const std::vector<std::unique_ptr<Txn>>& queue() const { return queue_; }
  Encoder scratch;  // for contents under construction

 private:
  friend class EventImpl;
  friend class TxnView;
  Result<Bytes> encode_with_pending(UpdateWriter& writer, const StateVector& known);
  Handle resolve(const Item& item, Handle left, Handle right);
  uint32_t parent_of(const DecodedStruct& s, Handle left, Handle right, uint32_t& key);
  bool grow(Handle left, Handle right, uint32_t type, const Content& content, uint32_t client,
            LocalId right_origin);
  // Where an item's content ended before a transaction made it longer, so that what was appended is
  // found without reading all before it. Content of given clocks changes only by splitting.
  struct Grown {
    uint32_t client = kNone;
    uint32_t clock = 0;  // of the item
    uint32_t len = 0;
    uint32_t size = 0;
  } grown_;
  void clean_up(size_t in_queue);
  void collect_deleted(const Txn& txn);
  void join_deleted(const Txn& txn);
  void join_new(const Txn& txn);
  void join_split(const Txn& txn);
  StructIndex::At join_lefts(StructIndex& index, StructIndex::At at, uint32_t& joined);
  void emit(Txn& txn);
  void emit_subdocs(Txn& txn);
  void take_new_client();
  void join_queue(size_t in_queue, bool before_observers);
  struct Cursor {  // the structs of one client in the update that is applied
    uint32_t client = 0;
    uint32_t at = 0;
    uint32_t end = 0;
  };
  void pend_stack(const DecodedUpdate& update);
  void begin_apply(Origin origin);
  Applied end_apply();  // deletes in apply_deletes_, then what waited
  void wait_or_ready(uint64_t client);
  bool retry_front(uint64_t client);
  void notify_deep(Txn& txn, std::vector<std::unique_ptr<EventImpl>>& events);
  void note_event_path(Txn& txn, uint32_t type);

  Txn* txn_ = nullptr;
  int depth_ = 0;
  bool cleaning_ = false;
  size_t cleaned_ = 0;  // while cleaning: the transaction's place in the queue
  bool client_taken_ = false;
  uint32_t txn_counter_ = 0;
  uint32_t stamp_ = 0;  // of conflict scans
  uint32_t generation_counter_ = 0;
  uint64_t applied_structs_ = 0;
  size_t moved_before_ = 0;  // of the transaction, when the apply began
  size_t deleted_before_ = 0;
  std::vector<std::unique_ptr<Txn>> queue_;
  std::vector<std::unique_ptr<Txn>> spare_;
  std::unique_ptr<UpdateWriter> writer_[2];
  std::string type_bytes_;  // of to_struct
  DeleteSet wire_deletes_;
  std::vector<Handle> work_;  // deleting and collecting without recursion
  NumberTable client_table_;
  uint64_t last_client_id_ = 0;
  uint32_t last_client_ = kNone;
  std::vector<Cursor> cursors_;
  std::vector<uint32_t> cursor_order_;
  std::vector<uint32_t> stack_;  // structs that wait for one above them
  std::vector<uint64_t> ready_;  // clients with pending structs worth a try
  DeleteSet apply_deletes_;
  DecodedUpdate decoded_;  // of apply_update, memory kept
  friend class footlight::crdt::Doc;

  struct UpdateObserver {
    ObserverId id;
    UpdateFormat format;
    UpdateHandler handler;
  };
  template <class H>
  struct Observer {
    ObserverId id;
    H handler;
  };
  ObserverId next_observer_ = 1;
  std::vector<std::shared_ptr<UpdateObserver>> update_observers_;
  std::vector<std::shared_ptr<Observer<TransactionHandler>>> transaction_observers_;
  std::vector<std::shared_ptr<Observer<SubdocsHandler>>> subdocs_observers_;
  uint32_t typed_observers_ = 0;
  std::unordered_map<ObserverId, Type> observed_;
  bool swept_ = true;
};

struct Observers {
  struct One {
    ObserverId id;
    std::shared_ptr<EventHandler> handler;
  };
  struct Deep {
    ObserverId id;
    std::shared_ptr<DeepHandler> handler;
  };
  std::vector<One> direct;
  std::vector<Deep> deep;
};

}  // namespace footlight::crdt::internal
