// Who is here, and what they are shown when they come.
#include <utility>

#include "core/json.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {
namespace {

constexpr uint32_t kMostSessionsPerOwner = 2'000'000;

}  // namespace

void Owner::Impl::load_views() {
  for (int c = 0; c < proto::kViewClassCount; ++c) {
    ClassView& view = views[static_cast<size_t>(c)];
    const std::string text = episode::encode_view(state, static_cast<proto::ViewClass>(c));
    JsonReader in(text);
    std::string_view key;
    if (!in.enter_object()) continue;
    while (in.next_key(key)) {
      const std::string collection(key);
      auto& entities = view.durable[collection];
      if (!in.enter_object()) break;
      while (in.next_key(key)) {
        const std::string id(key);
        auto entity = std::make_shared<const std::string>(in.raw());
        view.latest[collection + '\0' + id] = entity;
        entities[id] = std::move(entity);
      }
    }
  }
}

void Owner::Impl::apply_patches(ClassView& view, const std::vector<PatchOut>& patches) {
  for (const PatchOut& patch : patches) {
    auto& entities = view.durable[patch.collection];
    if (patch.entity) {
      entities[patch.id] = patch.entity;
    } else {
      entities.erase(patch.id);
    }
  }
  view.encoded.reset();
}

void Owner::Impl::push_ring(ClassView& view, uint64_t off, proto::FramePtr frame) {
  view.ring_bytes += frame->wire().size();
  view.ring.push_back({off, std::move(frame)});
  while (view.ring.size() > options.ring_deltas || view.ring_bytes > options.ring_bytes) {
    view.ring_bytes -= view.ring.front().frame->wire().size();
    view.ring_floor = view.ring.front().off;
    view.ring.pop_front();
  }
}

const std::shared_ptr<const std::string>& Owner::Impl::encoded_view(proto::ViewClass which) {
  ClassView& view = views[static_cast<size_t>(which)];
  if (view.encoded) return view.encoded;
  std::string text;
  JsonWriter out(text);
  out.object();
  for (const auto& [collection, entities] : view.durable) {
    out.key(collection).object();
    for (const auto& [id, entity] : entities) out.key(id).raw(*entity);
    out.end_object();
  }
  out.key("cast").object();
  for (const auto& [who, member] : cast) out.key(hex_u64(who)).raw(cast_entity(member));
  out.end_object().end_object();
  view.encoded = std::make_shared<const std::string>(std::move(text));
  return view.encoded;
}

std::string Owner::Impl::cast_entity(const CastMember& member) const {
  std::string text;
  JsonWriter out(text);
  out.object().field("name", std::string_view(member.name));
  out.field("role", proto::role_name(member.role)).key("chars").array();
  for (const std::string& id : member.characters) out.value(std::string_view(id));
  out.end_array().field("online", member.sessions > 0).end_object();
  return text;
}

proto::FramePtr Owner::Impl::cast_frame() {
  std::vector<std::string> texts;
  texts.reserve(2 * cast.size());
  std::vector<proto::Patch> patches;
  for (const auto& [who, member] : cast) {
    texts.push_back(hex_u64(who));
    texts.push_back(cast_entity(member));
    patches.push_back({"cast", texts[texts.size() - 2], texts.back()});
  }
  scratch.clear();
  proto::encode(scratch, proto::Delta{durable_seq, wall(), patches, std::nullopt});
  return proto::Frame::text(scratch);
}

// Presence is not in the log: a cast delta stands at the offset that is durable anyway, and whoever
// resumes gets the whole cast.
void Owner::Impl::cast_changed(uint64_t who) {
  for (ClassView& view : views) view.encoded.reset();
  const std::string id = hex_u64(who);
  const auto found = cast.find(who);
  const std::string entity = found == cast.end() ? std::string() : cast_entity(found->second);
  const std::array<proto::Patch, 1> patches{proto::Patch{"cast", id, entity}};
  scratch.clear();
  proto::encode(scratch, proto::Delta{durable_seq, wall(), patches, std::nullopt});
  to_edges(bus::Broadcast{proto::RoleSet::all(), 0, proto::Frame::text(scratch)});
}

void Owner::Impl::cast_joined(const episode::Actor& actor) {
  if (!cast.contains(actor.who) && cast.size() >= options.max_cast) {
    for (auto it = cast.begin(); it != cast.end(); ++it) {
      if (it->second.sessions > 0) continue;
      const uint64_t gone = it->first;
      cast.erase(it);
      cast_changed(gone);
      break;
    }
  }
  if (!cast.contains(actor.who) && cast.size() >= options.max_cast) return;
  CastMember& member = cast[actor.who];
  ++member.sessions;
  const bool same = member.sessions > 1 && member.name == actor.name && member.role == actor.role &&
                    member.characters == actor.characters;
  member.name = actor.name;
  member.role = actor.role;
  member.characters = actor.characters;
  if (!same) cast_changed(actor.who);
}

void Owner::Impl::cast_left(const episode::Actor& actor) {
  const auto found = cast.find(actor.who);
  if (found == cast.end() || found->second.sessions == 0) return;
  if (--found->second.sessions == 0) cast_changed(actor.who);
}

// A place for the session in `slot` of the edge; returns its index.
uint32_t Owner::Impl::register_session(EdgeState& edge, uint32_t slot, const ClientKey& key) {
  if (slot >= edge.by_slot.size()) edge.by_slot.resize(slot + 1, kNoSession);
  if (edge.by_slot[slot] != kNoSession) remove_session(edge.by_slot[slot]);

  uint32_t index;
  if (free_sessions.empty()) {
    index = static_cast<uint32_t>(sessions.size());
    sessions.emplace_back();
  } else {
    index = free_sessions.back();
    free_sessions.pop_back();
  }
  edge.by_slot[slot] = index;
  by_client.emplace(key, index);
  ++edge.sessions;
  ++counted.sessions;
  return index;
}

void Owner::Impl::join(EdgeState& edge, bus::Join& join) {
  const uint32_t slot = bus::slot_of(join.session);
  const auto refuse = [&](Error error) {
    bus::Joined refused;
    refused.session = join.session;
    refused.error = std::move(error);
    to_edge(edge, std::move(refused));
  };
  OwnerSession session;
  session.id = join.session;
  session.edge = index_of(edge);
  session.cid = join.cid;
  session.actor = {join.actor.who, join.actor.role, std::move(join.actor.name),
                   std::move(join.actor.characters), join.actor.captions};
  if (const Status allowed = episode::may_join(state, session.actor); !allowed) {
    return refuse(allowed.error());
  }
  if (counted.sessions >= kMostSessionsPerOwner) return refuse({Code::kServerFull, {}, 5'000});

  session.bare = join.bare;
  const ClientKey key{session.actor.who, join.cid};
  if (const auto old = by_client.find(key); old != by_client.end()) {
    const uint32_t index = old->second;
    EdgeState& old_edge = edges[sessions[index].edge];
    to_edge(old_edge, bus::Kick{sessions[index].id, 0, {Code::kSessionReplaced, {}, 0}});
    remove_session(index);
  }
  const uint32_t index = register_session(edge, slot, key);
  if (session.actor.role == proto::Role::kProducer) ++producers;

  if (!edge.has_tables) {
    edge.has_tables = true;
    to_edge(edge, bus::Tables{durable_tables});
    if (mode != proto::Mode::kLive) to_edge(edge, bus::ModeChange{mode, mode_error});
  }
  if (join.bare) {
    sessions[index] = std::move(session);
    bus::Joined joined;
    joined.session = join.session;
    joined.error.code = Code::kOk;
    joined.epoch = epoch;
    return to_edge(edge, std::move(joined));
  }
  JoinOut out;
  out.edge = session.edge;
  out.actor = session.actor;
  join.actor = {};
  out.join = join;
  sessions[index] = std::move(session);
  if (out.actor.role != proto::Role::kViewer) cast_joined(out.actor);

  if (halted) {
    out.me = minimal_me(out.actor);
    return answer_join(out);
  }
  if (collecting.has_records() || !block.empty()) {
    collecting.joins.push_back(std::move(out));
    return;
  }
  // The state is that of the batch in flight, or the durable one.
  out.me = episode::encode_me(state, out.actor, out.join.cid);
  if (in_flight) {
    in_flight->joins.push_back(std::move(out));
  } else {
    answer_join(out);
  }
}

void Owner::Impl::remove_session(uint32_t index) {
  OwnerSession& session = sessions[index];
  EdgeState& edge = edges[session.edge];
  edge.by_slot[bus::slot_of(session.id)] = kNoSession;
  --edge.sessions;
  --counted.sessions;
  if (session.actor.role == proto::Role::kProducer) --producers;
  const auto known = by_client.find({session.actor.who, session.cid});
  if (known != by_client.end() && known->second == index) by_client.erase(known);
  const episode::Actor actor = std::move(session.actor);
  const bool bare = session.bare;
  boards->leave({session.edge, session.id});
  session = OwnerSession{};
  free_sessions.push_back(index);
  if (actor.role != proto::Role::kViewer && !bare) cast_left(actor);
}

// It died without a word. Should it come back, its clients are told to join anew: who only watches
// would wait for ever.
void Owner::Impl::lose_edge(EdgeState& edge) {
  for (size_t slot = 0; slot < edge.by_slot.size(); ++slot) {
    const uint32_t index = edge.by_slot[slot];
    if (index == kNoSession) continue;
    edge.lost.push_back(sessions[index].id);
    remove_session(index);
  }
  edge.has_tables = false;
}

bool Owner::Impl::missed_deltas(const ClassView& view, const bus::Join& join,
                                std::vector<proto::FramePtr>& out) const {
  // Offsets are durable, so they hold across owners; one from beyond is not ours to judge.
  if (!join.resume || join.resume_epoch > epoch || join.resume_offset > durable_seq) return false;
  if (join.resume_offset < view.ring_floor) return false;
  auto from = view.ring.end();
  size_t bytes = 0;
  while (from != view.ring.begin() && std::prev(from)->off > join.resume_offset) {
    --from;
    bytes += from->frame->wire().size();
  }
  // Beyond this a view is the shorter answer.
  if (bytes > options.ring_bytes / 8) return false;
  for (; from != view.ring.end(); ++from) out.push_back(from->frame);
  return true;
}

void Owner::Impl::answer_join(JoinOut& out) {
  EdgeState& edge = edges[out.edge];
  if (find(edge, out.join.session) == nullptr) return;  // it left meanwhile
  const proto::ViewClass which = proto::view_class(out.actor.role);
  bus::Joined joined;
  joined.session = out.join.session;
  joined.error.code = Code::kOk;
  joined.epoch = epoch;
  joined.offset = durable_seq;
  joined.me = std::move(out.me);
  joined.resumed = missed_deltas(views[static_cast<size_t>(which)], out.join, joined.missed);
  if (joined.resumed) {
    if (!cast.empty()) joined.missed.push_back(cast_frame());
  } else {
    joined.view = encoded_view(which);
  }
  for (const auto& [slot, published] : tallies) {
    if (published.frame && published.tally.roles.has(out.actor.role)) {
      joined.tallies.push_back({published.tally.roles, slot, published.frame, 0});
    }
  }
  if (presence_frame) {
    joined.tallies.push_back({proto::RoleSet::all(), bus::kPresenceSlot, presence_frame, 0});
  }
  to_edge(edge, std::move(joined));
}

// What can be said of a person when the state is ahead of a log that failed.
std::string Owner::Impl::minimal_me(const episode::Actor& actor) const {
  std::string text;
  JsonWriter out(text);
  out.object().key("ballots").object().end_object();
  out.field("last_i", 0).field("muted_until_ms", 0).key("chars").array();
  for (const std::string& id : actor.characters) out.value(std::string_view(id));
  out.end_array().field("who", std::string_view(hex_u64(actor.who))).end_object();
  return text;
}

}  // namespace footlight::edge
