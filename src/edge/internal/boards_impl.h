// The parts of Boards. One struct, its functions in files by concern: boards.cc (sessions and their
// messages), boards_write.cc (edits on their way to the log, loading, compaction), boards_relay.cc
// (what goes to everybody), boards_authority.cc (mirrors and `$state`), boards_api.cc,
// boards_renew.cc (another generation).
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "crdt/awareness.h"
#include "crdt/doc.h"
#include "crdt/guard.h"
#include "edge/boards.h"
#include "edge/internal/board_state.h"
#include "episode/definition.h"

namespace footlight::edge {

// Collection → id → JSON.
using StateEntities = std::map<std::string, std::map<std::string, std::string>, std::less<>>;
using SharedBytes = std::shared_ptr<const Bytes>;

struct BoardMember {
  BoardSession session;
  proto::Role role = proto::Role::kViewer;
  uint64_t who = 0;
  crdt::Rights rights;
  uint64_t client = 0;    // the id it was given
  uint64_t received = 0;  // messages with updates
  bool refused = false;   // until its next step 1
  MonoUs resync_us = kNever;
  MonoUs resynced_us = 0;
};

struct BoardJoin {  // waits for the document
  bus::BoardOpen open;
  BoardSession session;
  episode::Actor actor;
};

struct BoardMirrorState {
  const episode::BoardMirror* def = nullptr;
  std::string key;         // the path as text
  BoardSession author;     // who wrote it last, since it last agreed
  MonoUs due_us = kNever;  // it is compared then
};

struct BoardPresence {
  BoardSession session;
  uint64_t who = 0;
};

struct Board {
  enum class State : uint8_t { kUnloaded, kLoading, kLoaded, kDamaged };

  uint32_t handle = 0;
  std::string id;                          // on the wire
  std::string stored;                      // in the log
  const episode::BoardDef* def = nullptr;  // nullptr: `$state`
  proto::ViewClass view = proto::ViewClass::kViewer;

  State state = State::kUnloaded;
  Error damage;
  std::vector<BoardJoin> joins;
  std::unique_ptr<crdt::Doc> doc;
  BoardOwners owners;
  uint64_t n = 0;
  uint64_t generation = 0;
  size_t base_bytes = 0;   // the document encoded, when it last was
  size_t grown_bytes = 0;  // updates since then
  size_t rows = 0;         // updates since the snapshot
  size_t row_bytes = 0;
  WallMs snapshot_ms = 0;
  std::vector<std::pair<uint64_t, WallMs>> snapshots;  // n, time
  Bytes emitted;                                       // what the last transaction changed

  std::unordered_map<BoardSession, BoardMember, BoardSessionHash> members;
  std::vector<uint32_t> cast_on, audience_on;  // how many of them by edge
  crdt::Awareness awareness;
  std::unordered_map<uint64_t, BoardPresence> presence;  // client → whose state it is
  std::vector<BoardMirrorState> mirrors;

  // What the document had at some moments, by the number of its last edit; the newest last. Whoever
  // was left out of relays is sent what came since.
  std::vector<std::pair<uint64_t, Bytes>> vectors;
  MonoUs vector_us = 0;    // when the last was taken
  uint64_t durable_n = 0;  // of the edits handed to the lists below
  uint64_t cast_n = 0;     // ... and with the cast
  uint64_t audience_n = 0;

  // Durable, and not yet with everybody.
  std::vector<SharedBytes> cast_out, audience_out;
  std::vector<uint64_t> cast_presence, audience_presence;
  MonoUs oldest_us = kNever;            // receipt of the oldest edit in cast_out
  MonoUs cast_us = 0, audience_us = 0;  // last relays
  MonoUs cast_due_us = kNever, audience_due_us = kNever;
  MonoUs resync_due_us = kNever;
  MonoUs mirror_due_us = kNever;
  MonoUs idle_us = 0;  // since when nobody has it open
};

struct BoardWrite {
  uint32_t board = 0;
  uint64_t n = 0;
  SharedBytes update;
  MonoUs received_us = 0;
};

struct BoardAck {
  uint32_t board = 0;
  BoardSession session;
  uint64_t n = 0;
};

struct BoardAnswer {
  uint32_t board = 0;
  BoardSession session;
  SharedBytes message;
};

struct BoardRenewal {
  uint32_t board = 0;
  bool empty = false;
  BoardReply reply;
};

// What rides with one append.
struct BoardBatch {
  std::vector<log::BoardUpdate> updates;
  std::vector<BoardWrite> writes;
  std::vector<BoardAck> acks;
  std::vector<BoardAnswer> answers;
  std::vector<std::pair<BoardReply, std::string>> replies;
  MonoUs first_us = kNever;
};

struct Boards::Impl {
  explicit Impl(BoardsOptions given);

  // boards.cc
  void open(const BoardPerson& person, const bus::BoardOpen& open, MonoUs now_us);
  void admit(Board& board, const BoardJoin& join);
  void refuse_open(const BoardJoin& join, Error error);
  std::string opened_text(const Board& board, const BoardMember& member,
                          const episode::Actor& actor) const;
  uint64_t choose_client(const Board& board, const bus::BoardOpen& open, uint64_t who);
  uint64_t fresh_client(const Board& board);
  uint32_t& here(Board& board, const BoardMember& member);  // those of its kind on its edge
  void drop_member(Board& board, BoardSession session);
  void message(const BoardPerson& person, bus::BoardMessage& message);
  void update(Board& board, BoardMember& member, ByteView update, bool answer);
  void not_taken(Board& board, BoardMember& member, const Error& error);
  void refuse(Board& board, BoardMember& member, const Error& error);
  void complain(Board& board, BoardMember& member, const Error& error);
  void answer_step1(Board& board, BoardMember& member, ByteView state_vector);
  void behind(BoardSession session, const bus::BoardBehind& behind);
  void send_present(Board& board, const BoardMember& member, Bytes message);
  void awareness(Board& board, BoardMember& member, ByteView update);
  void send(Board& board, const BoardMember& member, Bytes message);
  void send_text(Board& board, const BoardMember& member, std::string text,
                 Error refusal = {Code::kOk, {}, 0});
  Board* find(std::string_view id, proto::Role role);

  // boards_write.cc
  BoardBatch* batch_in_the_way();  // what an answer about the present state must wait for
  void write(Board& board, uint64_t who, MonoUs received_us);
  void ack(Board& board, const BoardMember& member);
  void send_ack(const BoardAck& ack);
  void released(uint64_t durable_seq);
  void failed(const Error& error);
  void need(Board& board);
  void take_document(Board& board, Result<log::BoardFile> file);
  bool compaction_due(const Board& board) const;
  void compact(Board& board);
  std::vector<uint64_t> thin_snapshots(Board& board);
  void unload(Board& board);
  void second();

  // boards_relay.cc
  void relay_soon(Board& board);
  MonoUs audience_tick_us(const Board& board) const;
  void relay(Board& board, proto::RoleSet roles, const std::vector<uint32_t>& on,
             std::vector<SharedBytes>& updates, std::vector<uint64_t>& presence,
             uint64_t& relayed_n);
  void take_vector(Board& board);
  void time();
  MonoUs next_due_us() const;
  void resync(Board& board);

  // boards_authority.cc
  void touched(Board& board, BoardSession author, const std::vector<std::string>& keys);
  void entity_changed(std::string_view collection, std::string_view id);
  void check_mirrors(Board& board);
  void check_mirror(Board& board, BoardMirrorState& mirror);
  std::optional<std::string> authoritative(const episode::BoardMirror& mirror) const;
  void fill_state(Board& board);
  void fill_collections(Board& board, const StateEntities& wanted);
  void set_entity(Board& board, std::string_view collection, std::string_view id,
                  std::string_view json);
  void state_entity(Board& board, std::string_view collection, std::string_view id,
                    std::string_view json);

  // boards_api.cc
  std::string list_json() const;
  void content(std::string_view id, uint64_t at_seq, BoardReply reply);
  void history(std::string_view id, BoardReply reply);
  void restore(std::string_view id, uint64_t at_seq, BoardReply reply);
  void restore_from(Board& board, Result<log::BoardFile> file, BoardReply reply);
  void when_loaded(Board& board, std::function<void(Board&)> then);

  // boards_renew.cc
  void renew(std::string_view id, bool empty, BoardReply reply);
  void renew_waiting();
  void renew(Board& board, bool empty, BoardReply reply);
  bool is_of_before(const Board& board, uint64_t client) const;
  bool is_copy_of_before(const Board& board, ByteView state_vector) const;
  void began_anew(Board& board);

  BoardsOptions options;
  MonoUs now_us = 0;
  WallMs wall_ms = 0;
  std::vector<std::unique_ptr<Board>> boards;  // by handle
  std::unordered_map<BoardSession, std::vector<uint32_t>, BoardSessionHash> open_boards;
  crdt::Guard guard;
  uint64_t clients_made = 0;
  uint32_t audience_tick_ms = 100;

  BoardBatch collecting;
  std::optional<BoardBatch> in_flight;
  std::optional<Error> halted;
  uint64_t durable_seq = 0;
  MonoUs write_again_us = 0;  // no edits go to the log sooner

  uint64_t next_ticket = 1;
  std::map<uint64_t, std::function<void(Result<log::BoardFile>)>> loads;
  std::map<uint64_t, BoardReply> point_loads;
  std::map<uint32_t, std::vector<std::function<void(Board&)>>> waiting;  // by handle
  std::vector<BoardRenewal> renewals;  // until no edit waits for the log
  MonoUs second_due_us = 0;
  BoardMetrics counted;
};

}  // namespace footlight::edge
