// A shared document: replicas that have seen the same updates, in any order, hold the same content.
//
// Compatible with yjs 13.6 byte for byte: for the same history the document emits the same updates
// and encodes to the same bytes, in format v1 and v2. It is one object on one thread, does no input
// or output, reads no clock, and gives all of its memory back when destroyed.
//
//   Doc doc({.client = 7});
//   Text notes = *doc.text("notes");
//   doc.on_update(UpdateFormat::kV1, [&](const UpdateEvent& e) { send(e.update); });
//   notes.insert(0, "Roll for initiative");
//
// Updates are untrusted bytes: a malformed one is refused whole (kCrdtMalformed) before anything is
// integrated, work and memory are bounded by its size, and depth costs no stack.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crdt/event.h"
#include "crdt/struct.h"
#include "crdt/types.h"

namespace footlight::crdt {

struct DecodedUpdate;  // update_reader.h
class DeleteSet;       // delete_set.h
class StateVector;     // state_vector.h
struct Snapshot;       // snapshot.h

struct DocOptions {
  uint64_t client = 0;  // 0..kMaxClient; unique among all replicas that write
  bool gc = true;       // forget the content of what was deleted (off: history can be shown)
  // A new client id, asked for when another replica is seen to write under ours. Without it the id
  // is derived from the old one.
  std::function<uint64_t()> new_client;
};

// What applying an update did.
struct Applied {
  uint64_t structs = 0;          // integrated now, structs that waited before included
  uint64_t pending_structs = 0;  // waiting in the document after this update
  uint64_t deletes = 0;          // ranges of the update that deleted something
  bool changed = false;          // the document's content or state vector moved
  bool client_taken = false;     // another replica wrote under our client id; it was replaced
};

struct UpdateEvent {
  ByteView update;  // valid during the callback
  UpdateFormat format = UpdateFormat::kV1;
  Origin origin = kNoOrigin;
  bool local = true;  // made here, not by apply_update
};
using UpdateHandler = std::function<void(const UpdateEvent&)>;

// A finished transaction (yjs's `afterTransaction`, before deleted content is collected).
class TransactionView {
 public:
  virtual ~TransactionView() = default;
  virtual Origin origin() const = 0;
  virtual bool local() const = 0;
  virtual uint64_t state_before(uint64_t client) const = 0;
  virtual std::vector<uint64_t> changed_clients() const = 0;
  virtual void deleted(DeleteSet& out) const = 0;             // normal
  virtual std::vector<uint64_t> deleted_clients() const = 0;  // in order of first deletion
  virtual std::vector<Type> changed_types() const = 0;
  virtual bool changed_below(const Type& ancestor) const = 0;  // it or something in it
};
using TransactionHandler = std::function<void(const TransactionView&)>;

struct SubdocsEvent {
  std::vector<Subdoc> added;
  std::vector<Subdoc> removed;
  std::vector<Subdoc> loaded;
};
using SubdocsHandler = std::function<void(const SubdocsEvent&)>;

// Where something stands: a root and the keys and lists on the way down.
struct Place {
  enum class State : uint8_t {
    kKnown,
    kMissing,    // depends on structs that neither the document nor the update has
    kCollected,  // its parent was deleted and collected: it will have no effect
  };
  struct Step {
    std::string_view key;           // "" when in_list
    bool in_list = false;           // an element of an array, text or fragment
    TypeRef kind = TypeRef::kNone;  // of the type this step stands in
  };
  State state = State::kMissing;
  std::string_view root;
  std::vector<Step> steps;  // from the root down; the last one is the thing's own key or list
};

// One struct of the document, as the rights check and the browser of history look at it.
struct StructInfo {
  Id id;
  uint64_t len = 0;
  Ref ref = Ref::kGc;
  bool deleted = false;
};

struct DocStats {
  uint64_t structs = 0;  // items, tombstones and collected ranges; a run of packed tombstones
                         // counts each of its structs
  uint64_t types = 0;
  uint64_t clients = 0;
  uint64_t content_bytes = 0;  // of content that is not deleted, or kept
  uint64_t memory_bytes = 0;   // allocated by this document, all told
};

struct PendingStats {
  uint64_t structs = 0;
  uint64_t bytes = 0;  // memory they hold
  uint64_t delete_ranges = 0;
  std::vector<Id> missing;  // first clocks that are waited for, one a client
};

class Doc {
 public:
  explicit Doc(DocOptions options = {});
  ~Doc();
  Doc(Doc&&) = delete;

  uint64_t client() const;
  void set_client(uint64_t client);  // between transactions
  bool gc() const;

  // Roots. Made when asked for first; kCrdtType when the name is in use for another kind.
  Result<Map> map(std::string_view name);
  Result<Array> array(std::string_view name);
  Result<Text> text(std::string_view name);
  Result<XmlFragment> xml_fragment(std::string_view name);
  Result<XmlElement> xml_element(std::string_view name);
  Result<XmlText> xml_text(std::string_view name);
  std::optional<Type> find_root(std::string_view name);  // as it is, or empty
  std::vector<std::string> root_names() const;           // in order of first mention
  // The type held by an item: a handle by its wire identity.
  std::optional<Type> find_type(Id item);
  std::string to_json() const;                         // all typed roots
  std::string root_json(std::string_view name) const;  // "null" when absent or untyped

  // Runs `body` as one transaction; inside another one it joins that. Observers run, and the update
  // is emitted, after the outermost body returns.
  void transact(const std::function<void()>& body, Origin origin = kNoOrigin);

  // kCrdtMalformed, kCrdtLimit: nothing was changed.
  Result<Applied> apply_update(ByteView update, UpdateFormat format, Origin origin = kNoOrigin);
  // The same for an update read before (by the rights check). Its views must still be valid.
  Result<Applied> apply(const DecodedUpdate& update, Origin origin = kNoOrigin);

  // Everything the holder of `state_vector` (encoded; empty for none) lacks, pending structs too.
  // kCrdtMalformed for a bad state vector.
  Result<Bytes> encode_state_as_update(UpdateFormat format, ByteView state_vector = {}) const;
  Bytes encode_state_vector() const;
  StateVector state_vector() const;
  DeleteSet delete_set() const;
  uint64_t state(uint64_t client) const;  // next clock expected of it, 0 when unknown

  // Observers are called in order of registration. Emission costs nothing for formats nobody
  // listens to.
  ObserverId on_update(UpdateFormat format, UpdateHandler handler);
  ObserverId on_transaction(TransactionHandler handler);
  ObserverId on_subdocs(SubdocsHandler handler);
  ObserverId observe(const Type& type, EventHandler handler);  // 0 when the type is dead
  ObserverId observe_deep(const Type& type, DeepHandler handler);
  void unobserve(ObserverId id);

  // For checks before applying. Views in the Place point into the document or the update, until
  // either changes.
  Place place_of(Id item) const;
  // Of a decoded struct that stands in `update`; structs of the same update are looked at too.
  // `PlaceFinder` in place.h does many of one update in linear time.
  // Calls `visit` for each struct that the range covers, cut to the range; stops at its end or the
  // client's state. False from visit stops.
  void visit(uint64_t client, uint64_t clock, uint64_t len,
             const std::function<bool(const StructInfo&)>& visit) const;

  // Calls it for each struct in the type that `item` holds, and in the types in that, that is not
  // deleted: what goes with the item when it is deleted. Parents before what is in them.
  void visit_below(Id item, const std::function<bool(const StructInfo&)>& visit) const;

  DocStats stats() const;
  PendingStats pending() const;
  void drop_pending();  // forgets structs and deletes that wait
  std::vector<Subdoc> subdocs() const;

  // A new document with the same content, client id as given.
  std::unique_ptr<Doc> clone(DocOptions options) const;

  internal::Store& store() { return *store_; }  // for the other files of this room
  const internal::Store& store() const { return *store_; }

 private:
  Result<Type> typed_root(std::string_view name, TypeRef kind);
  template <class Handle>
  Result<Handle> root_as(std::string_view name, TypeRef kind);
  std::unique_ptr<internal::Store> store_;
};

}  // namespace footlight::crdt
