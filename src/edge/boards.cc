#include "edge/boards.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/json.h"
#include "core/sha256.h"
#include "crdt/state_vector.h"
#include "crdt/sync.h"
#include "edge/internal/boards_impl.h"
#include "proto/messages.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kStateBoard = "$state";
constexpr MonoUs kResyncPauseUs = kUsPerSecond;            // between two questions to one session
constexpr uint64_t kFirstGivenClient = uint64_t{1} << 32;  // above what stock clients draw
constexpr uint64_t kGivenClients = uint64_t{1} << 52;

// Of the episode's key: nobody can guess it, and it is the same after a restart.
uint64_t derived(const std::array<uint8_t, 32>& key, std::string_view what, uint64_t a,
                 uint64_t b) {
  Bytes text(key.begin(), key.end());
  ByteWriter out(text);
  out.text(what);
  out.u64(a);
  out.u64(b);
  const Hash256 hash = sha256(text);
  return ByteReader(hash).u64();
}

// The rules for this person, `{own}` being their characters.
std::vector<crdt::RightsRule> rules_of(const episode::BoardDef& def, const episode::Actor& actor) {
  std::vector<crdt::RightsRule> rules;
  for (const episode::BoardRule& rule : def.rules) {
    const episode::BoardVerbs may = rule.may[static_cast<size_t>(actor.role)];
    if (may == episode::kBoardUnsaid) continue;
    const auto own = std::ranges::find(rule.path, "{own}");
    if (own == rule.path.end()) {
      rules.push_back({rule.path, may});
      continue;
    }
    for (const std::string& id : actor.characters) {
      crdt::RightsRule bound{rule.path, may};
      std::ranges::replace(bound.path, "{own}", id);
      rules.push_back(std::move(bound));
    }
  }
  return rules;
}

crdt::Rights rights_of(const episode::BoardDef* def, const episode::Actor& actor) {
  if (def == nullptr) return {};
  return {def->edit[static_cast<size_t>(actor.role)], rules_of(*def, actor)};
}

void append_verbs(JsonWriter& out, crdt::Verbs may) {
  out.array();
  if (may & crdt::kInsert) out.value("insert");
  if (may & crdt::kChange) out.value("change");
  if (may & crdt::kDelete) out.value("delete");
  out.end_array();
}

}  // namespace

Boards::Impl::Impl(BoardsOptions given)
    : options(std::move(given)), guard({.update_bytes = options.limits.update_bytes}) {
  FL_ASSERT(options.definition && options.port, "boards have a definition and a port");
  const auto add = [&](std::string id, std::string stored, const episode::BoardDef* def) {
    auto board = std::make_unique<Board>();
    board->handle = static_cast<uint32_t>(boards.size());
    board->id = std::move(id);
    board->stored = std::move(stored);
    board->def = def;
    board->awareness = crdt::Awareness({.state_bytes = options.limits.awareness_bytes});
    boards.push_back(std::move(board));
    return boards.back().get();
  };
  for (const episode::BoardDef& def : options.definition->boards) {
    Board* board = add(def.id, def.id, &def);
    for (const episode::BoardMirror& mirror : def.mirrors) {
      board->mirrors.push_back({&mirror, episode::board_path_text(mirror.path)});
    }
  }
  static constexpr std::string_view kClasses[] = {"viewer", "player", "director"};
  for (int i = 0; i < proto::kViewClassCount; ++i) {
    const std::string id(kStateBoard);
    add(id, id + ":" + std::string(kClasses[i]), nullptr)->view = static_cast<proto::ViewClass>(i);
  }
  for (auto& board : boards) {
    board->generation = derived(options.key, "board " + board->stored, 0, 0) >> 16;
  }
}

Board* Boards::Impl::find(std::string_view id, proto::Role role) {
  for (auto& board : boards) {
    if (board->id != id) continue;
    if (board->def != nullptr || board->view == proto::view_class(role)) return board.get();
  }
  return nullptr;
}

void Boards::Impl::refuse_open(const BoardJoin& join, Error error) {
  bus::BoardOpened answer;
  answer.session = join.open.session;
  answer.board = join.open.board;
  const std::string sentence = proto::peer_message(error);
  answer.text = proto::encoded(proto::BoardNotice{.board = join.open.board,
                                                  .code = error.code,
                                                  .message = sentence,
                                                  .retry_after_ms = error.retry_after_ms});
  answer.error = std::move(error);
  options.port->board_to_edge(join.session.edge, std::move(answer));
}

void Boards::Impl::open(const BoardPerson& person, const bus::BoardOpen& open, MonoUs at_us) {
  now_us = at_us;
  BoardJoin join{open, person.session, *person.actor};
  Board* board = find(open.board, join.actor.role);
  if (board == nullptr) return refuse_open(join, {Code::kBoardUnknown, open.board, 0});
  if (board->def != nullptr && !board->def->see.has(join.actor.role)) {
    return refuse_open(join, {Code::kForbidden, "this board", 0});
  }
  if (board->state == Board::State::kDamaged) return refuse_open(join, board->damage);
  const auto known = open_boards.find(person.session);
  const bool again = board->members.contains(person.session);
  if (!again && known != open_boards.end() &&
      known->second.size() >= options.limits.boards_per_session) {
    return refuse_open(join, {Code::kBoardTooMany, {}, 0});
  }
  if (board->state == Board::State::kLoaded) return admit(*board, join);
  board->joins.push_back(std::move(join));
  need(*board);
}

uint64_t Boards::Impl::fresh_client(const Board& board) {
  while (true) {
    const uint64_t drawn = derived(options.key, "client", options.epoch, ++clients_made);
    const uint64_t client = kFirstGivenClient + drawn % kGivenClients;
    if (!board.owners.contains(client) && board.doc->state(client) == 0) return client;
  }
}

uint64_t Boards::Impl::choose_client(const Board& board, const bus::BoardOpen& open, uint64_t who) {
  const bool same = open.generation == 0 || open.generation == board.generation;
  if (open.client == 0 || open.client >= kFirstServerClient || !same) return fresh_client(board);
  const auto owner = board.owners.find(open.client);
  if (owner != board.owners.end()) {
    return owner->second == who ? open.client : fresh_client(board);
  }
  // Nobody's: but two sessions must not be given one id.
  const bool taken = std::ranges::any_of(board.members, [&](const auto& each) {
    return each.second.client == open.client && each.second.who != who;
  });
  return taken ? fresh_client(board) : open.client;
}

void Boards::Impl::admit(Board& board, const BoardJoin& join) {
  drop_member(board, join.session);
  BoardMember member;
  member.session = join.session;
  member.role = join.actor.role;
  member.who = join.actor.who;
  member.rights = rights_of(board.def, join.actor);
  member.client = choose_client(board, join.open, join.actor.who);
  bus::BoardOpened answer;
  answer.session = join.open.session;
  answer.board = board.id;
  answer.handle = board.handle;
  answer.edits = !member.rights.nothing();
  answer.text = opened_text(board, member, join.actor);
  options.port->board_to_edge(join.session.edge, std::move(answer));
  send(board, member, crdt::step1_message(board.doc->encode_state_vector()));
  if (board.awareness.size() > 0) {
    send(board, member, crdt::awareness_message(board.awareness.encode(board.awareness.present())));
  }
  ++here(board, member);
  ++counted.members;
  open_boards[member.session].push_back(board.handle);
  board.members.emplace(member.session, std::move(member));
}

uint32_t& Boards::Impl::here(Board& board, const BoardMember& member) {
  const bool audience = member.role == proto::Role::kViewer;
  std::vector<uint32_t>& on = audience ? board.audience_on : board.cast_on;
  on.resize(options.edges);
  return on[member.session.edge];
}

std::string Boards::Impl::opened_text(const Board& board, const BoardMember& member,
                                      const episode::Actor& actor) const {
  std::string rights;
  JsonWriter out(rights);
  out.object().field("edit", !member.rights.nothing());
  if (board.def != nullptr) {
    out.key("may");
    append_verbs(out, board.def->edit[static_cast<size_t>(actor.role)]);
    out.key("rules").array();
    for (const crdt::RightsRule& rule : rules_of(*board.def, actor)) {
      out.object().field("path", std::string_view(episode::board_path_text(rule.path))).key("may");
      append_verbs(out, rule.may);
      out.end_object();
    }
    out.end_array();
  }
  out.end_object();
  std::string limits;
  JsonWriter(limits)
      .object()
      .field("update_bytes", options.limits.update_bytes)
      .field("doc_bytes", options.limits.doc_bytes)
      .field("awareness_bytes", options.limits.awareness_bytes)
      .end_object();
  return proto::encoded(proto::BoardNotice{
      .board = board.id,
      .client = member.client,
      .generation = board.generation,
      .rights = rights,
      .title = board.def != nullptr ? std::string_view(board.def->title) : "State",
      .kind = board.def != nullptr ? std::string_view(board.def->kind) : "state",
      .limits = limits});
}

void Boards::Impl::drop_member(Board& board, BoardSession session) {
  std::erase_if(board.joins, [&](const BoardJoin& join) { return join.session == session; });
  // Opened again, it counts its messages anew: what waits would confirm others.
  for (BoardBatch* batch : {in_flight ? &*in_flight : nullptr, &collecting}) {
    if (batch == nullptr) continue;
    std::erase_if(batch->acks, [&](const BoardAck& ack) {
      return ack.session == session && ack.board == board.handle;
    });
  }
  const auto found = board.members.find(session);
  if (found == board.members.end()) return;
  for (auto it = board.presence.begin(); it != board.presence.end();) {
    if (it->second.session != session) {
      ++it;
      continue;
    }
    if (board.awareness.remove(it->first)) {
      board.cast_presence.push_back(it->first);
      board.audience_presence.push_back(it->first);
    }
    it = board.presence.erase(it);
  }
  --here(board, found->second);
  board.members.erase(found);
  --counted.members;
  std::erase(open_boards[session], board.handle);
  if (open_boards[session].empty()) open_boards.erase(session);
  if (board.members.empty()) board.idle_us = now_us;
  relay_soon(board);
}

void Boards::Impl::send(Board& board, const BoardMember& member, Bytes message) {
  bus::BoardSend out;
  out.session = member.session.id;
  out.board = board.handle;
  out.message = std::make_shared<const Bytes>(std::move(message));
  options.port->board_to_edge(member.session.edge, std::move(out));
}

void Boards::Impl::send_text(Board& board, const BoardMember& member, std::string text,
                             Error refusal) {
  bus::BoardSend out;
  out.session = member.session.id;
  out.board = board.handle;
  out.text = std::move(text);
  out.refusal = std::move(refusal);
  options.port->board_to_edge(member.session.edge, std::move(out));
}

void Boards::Impl::message(const BoardPerson& person, bus::BoardMessage& message) {
  if (message.board >= boards.size()) return;
  Board& board = *boards[message.board];
  const auto found = board.members.find(person.session);
  if (found == board.members.end() || board.state != Board::State::kLoaded) return;
  BoardMember& member = found->second;
  if (message.refused.code != Code::kOk) {
    ++member.received;
    return not_taken(board, member, message.refused);
  }
  const auto read = crdt::read_message(message.message);
  if (!read) {
    ++member.received;
    return refuse(board, member, read.error());
  }
  switch (read->kind) {
    case crdt::MessageKind::kStep1:
      return answer_step1(board, member, read->payload);
    case crdt::MessageKind::kStep2:
      return update(board, member, read->payload, true);
    case crdt::MessageKind::kUpdate:
      return update(board, member, read->payload, false);
    case crdt::MessageKind::kAwareness:
      return awareness(board, member, read->payload);
    case crdt::MessageKind::kQueryAwareness:
      return send(board, member,
                  crdt::awareness_message(board.awareness.encode(board.awareness.present())));
    case crdt::MessageKind::kOther:
      return;
  }
}

void Boards::Impl::answer_step1(Board& board, BoardMember& member, ByteView state_vector) {
  auto update = board.doc->encode_state_as_update(crdt::UpdateFormat::kV1, state_vector);
  if (!update) {
    return refuse(board, member, {Code::kBoardMalformed, update.error().detail, 0});
  }
  if (is_copy_of_before(board, state_vector)) {
    return refuse(board, member, {Code::kBoardRenewed, {}, 0});
  }
  send_present(board, member, crdt::step2_message(*update));
  // Whoever was refused begins again with this, and is asked for what it has.
  if (!std::exchange(member.refused, false)) return;
  send(board, member, crdt::step1_message(board.doc->encode_state_vector()));
}

void Boards::Impl::update(Board& board, BoardMember& member, ByteView bytes, bool answer) {
  ++member.received;
  if (member.refused) return;
  if (halted) return not_taken(board, member, *halted);
  if (auto read = guard.read(bytes); !read) return refuse(board, member, read.error());
  const crdt::DecodedUpdate& said = guard.decoded();
  if (board.def == nullptr) {
    if (answer || (said.structs.empty() && said.deletes.empty())) return ack(board, member);
    return refuse(board, member, {Code::kBoardReadOnly, {}, 0});
  }
  for (const crdt::DecodedStruct& each : said.structs) {
    if (is_of_before(board, each.id.client)) return refuse(board, member, {Code::kBoardRenewed});
  }
  const auto owner = [&](uint64_t client) {
    if (client >= kFirstServerClient) return crdt::Ownership::kForeign;
    const auto known = board.owners.find(client);
    if (known != board.owners.end()) {
      return known->second == member.who ? crdt::Ownership::kMine : crdt::Ownership::kForeign;
    }
    return crdt::Ownership::kFree;
  };
  auto accepted = guard.check(*board.doc, member.rights, owner, !board.mirrors.empty());
  if (!accepted) {
    // What lacks its predecessors is asked for again; an answer to that question lacks nothing.
    if (accepted.error().code == Code::kBoardGap && !answer) {
      return not_taken(board, member, accepted.error());
    }
    return refuse(board, member, accepted.error());
  }
  if (accepted->nothing) return ack(board, member);
  if (accepted->inserts && board.base_bytes + board.grown_bytes > options.limits.doc_bytes) {
    board.base_bytes = board.doc->encode_state_as_update(crdt::UpdateFormat::kV2)->size();
    board.grown_bytes = 0;
    if (board.base_bytes > options.limits.doc_bytes) {
      return refuse(board, member, {Code::kBoardFull, {}, 0});
    }
  }
  board.emitted.clear();
  const auto applied = board.doc->apply(guard.decoded());
  FL_ASSERT(applied.has_value(), "what the guard let pass applies");
  FL_ASSERT(applied->pending_structs == 0, "what the guard let pass integrates");
  for (const uint64_t client : accepted->new_clients) board.owners.emplace(client, member.who);
  write(board, member.who, now_us);
  ack(board, member);
  touched(board, member.session, accepted->keys);
}

void Boards::Impl::not_taken(Board& board, BoardMember& member, const Error& error) {
  ++counted.not_taken;
  const MonoUs wait_us = std::max<MonoUs>(error.retry_after_ms * kUsPerMs,
                                          member.resynced_us + kResyncPauseUs - now_us);
  member.resync_us = std::min(member.resync_us, now_us + std::max<MonoUs>(wait_us, 0));
  board.resync_due_us = std::min(board.resync_due_us, member.resync_us);
  const std::string sentence = proto::peer_message(error);
  send_text(board, member,
            proto::encoded(proto::BoardNotice{
                .board = board.id,
                .n = member.received,
                .code = error.code,
                .message = sentence,
                .retry_after_ms = static_cast<uint64_t>(member.resync_us - now_us) / kUsPerMs}));
}

void Boards::Impl::refuse(Board& board, BoardMember& member, const Error& error) {
  ++counted.refused;
  member.refused = true;
  member.resync_us = kNever;
  member.client = fresh_client(board);
  const std::string sentence = proto::peer_message(error);
  const bool at_path = error.code == Code::kBoardForbidden;
  send_text(
      board, member,
      proto::encoded(proto::BoardNotice{.board = board.id,
                                        .client = member.client,
                                        .generation = board.generation,
                                        .n = member.received,
                                        .code = error.code,
                                        .message = sentence,
                                        .path = at_path ? std::string_view(error.detail) : ""}),
      error);
}

Boards::Boards(BoardsOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Boards::~Boards() = default;

void Boards::open(const BoardPerson& person, const bus::BoardOpen& open, MonoUs now_us) {
  impl_->open(person, open, now_us);
}

void Boards::close(BoardSession session, uint32_t board) {
  if (board < impl_->boards.size()) impl_->drop_member(*impl_->boards[board], session);
}

void Boards::leave(BoardSession session) {
  for (auto& board : impl_->boards) {
    if (!board->members.empty() || !board->joins.empty()) impl_->drop_member(*board, session);
  }
}

void Boards::message(const BoardPerson& person, bus::BoardMessage& message, MonoUs now_us,
                     WallMs wall_ms) {
  impl_->now_us = now_us;
  impl_->wall_ms = wall_ms;
  impl_->message(person, message);
}

void Boards::behind(BoardSession session, const bus::BoardBehind& behind, MonoUs now_us) {
  impl_->now_us = now_us;
  impl_->behind(session, behind);
}

bool Boards::has_writes() const { return !impl_->collecting.updates.empty(); }
MonoUs Boards::write_due_us() const {
  return std::max(impl_->collecting.first_us, impl_->write_again_us);
}

std::vector<log::BoardUpdate> Boards::seal(MonoUs now_us, WallMs wall_ms) {
  Impl& impl = *impl_;
  impl.now_us = now_us;
  FL_ASSERT(!impl.in_flight, "one append at a time");
  impl.wall_ms = wall_ms;
  impl.in_flight = std::exchange(impl.collecting, BoardBatch{});
  for (const BoardWrite& write : impl.in_flight->writes) {
    const bool crowded = impl.boards[write.board]->members.size() > impl.options.times.crowd;
    const uint32_t every_us =
        crowded ? impl.options.times.write_every_crowded_us : impl.options.times.write_every_us;
    impl.write_again_us = std::max(impl.write_again_us, now_us + static_cast<MonoUs>(every_us));
  }
  return std::move(impl.in_flight->updates);
}

void Boards::sealed(WallMs wall_ms) {
  impl_->wall_ms = wall_ms;
  for (auto& board : impl_->boards) {
    if (impl_->compaction_due(*board)) impl_->compact(*board);
  }
  impl_->renew_waiting();
}

void Boards::released(MonoUs now_us, uint64_t durable_seq) {
  impl_->now_us = now_us;
  impl_->released(durable_seq);
}

void Boards::failed(const Error& error) { impl_->failed(error); }

void Boards::loaded(uint64_t ticket, Result<log::BoardFile> file, MonoUs now_us, WallMs wall_ms) {
  impl_->now_us = now_us;
  impl_->wall_ms = wall_ms;
  const auto found = impl_->loads.find(ticket);
  if (found == impl_->loads.end()) return;
  const auto then = std::move(found->second);
  impl_->loads.erase(found);
  then(std::move(file));
}

void Boards::view_changed(proto::ViewClass which, std::string_view collection, std::string_view id,
                          std::string_view json, MonoUs now_us) {
  impl_->now_us = now_us;
  if (which == proto::ViewClass::kDirector) impl_->entity_changed(collection, id);
  for (auto& board : impl_->boards) {
    if (board->def == nullptr && board->view == which && board->state == Board::State::kLoaded) {
      impl_->state_entity(*board, collection, id, json);
    }
  }
}

MonoUs Boards::time(MonoUs now_us, WallMs wall_ms) {
  impl_->now_us = now_us;
  impl_->wall_ms = wall_ms;
  impl_->time();
  return impl_->next_due_us();
}

MonoUs Boards::next_due_us() const { return impl_->next_due_us(); }
void Boards::set_audience_tick(uint32_t tick_ms) { impl_->audience_tick_ms = tick_ms; }
const BoardMetrics& Boards::metrics() const { return impl_->counted; }

}  // namespace footlight::edge
