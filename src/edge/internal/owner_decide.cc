// Deciding: every event passes here once, in the order of the log.
#include <utility>

#include "core/assert.h"
#include "core/json.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {
namespace {

constexpr uint32_t kOverloadRetryMs = 1'000;
constexpr size_t kMaxBlock = 65'536;  // of encode_ballots

std::string view_key(std::string_view collection, std::string_view id) {
  std::string key;
  key.reserve(collection.size() + 1 + id.size());
  key.append(collection).push_back('\0');
  key.append(id);
  return key;
}

}  // namespace

void Owner::Impl::submit(EdgeState& edge, bus::Submit& submit) {
  size_t next_ballot = 0;
  for (const bus::CommandEntry& entry : submit.commands) {
    while (next_ballot < entry.ballots_before && next_ballot < submit.ballots.size()) {
      ballot(edge, submit.ballots[next_ballot++]);
    }
    command(edge, entry);
  }
  while (next_ballot < submit.ballots.size()) ballot(edge, submit.ballots[next_ballot++]);
  judge_load();
}

void Owner::Impl::unknown_session(EdgeState& edge, bus::SessionId id) {
  // Its edge outlived another owner. The client comes back, resumes and sends its outbox again.
  to_edge(edge, bus::Kick{id, 0, {Code::kUnknownSession, {}, 0}});
}

Batch* Owner::Impl::batch_of(uint64_t log) {
  if (log != 0 && log <= durable_seq) return nullptr;
  if (in_flight && log != 0 && log <= in_flight->last_seq) return &*in_flight;
  if (collecting.has_records() || !block.empty()) return &collecting;
  return in_flight ? &*in_flight : nullptr;
}

void Owner::Impl::confirm(const OwnerSession& session, uint64_t i, uint64_t log, bool urgent,
                          const std::array<uint8_t, 16>* receipt) {
  bus::Confirmation confirmation{.session = session.id, .i = i, .log = log};
  if (receipt != nullptr) {
    confirmation.has_receipt = true;
    confirmation.receipt = *receipt;
  }
  if (Batch* batch = batch_of(log)) {
    auto& outcomes = (urgent ? batch->prompt : batch->calm)[session.edge];
    outcomes.confirmed.push_back(confirmation);
    return;
  }
  auto& outcomes = (urgent ? prompt_rejections : rejections)[session.edge];
  outcomes.confirmed.push_back(confirmation);
  has_rejections = true;
}

void Owner::Impl::reject(const OwnerSession& session, uint64_t i, Error error, bool urgent) {
  ++counted.rejected;
  auto& outcomes = (urgent ? prompt_rejections : rejections)[session.edge];
  outcomes.rejected.push_back({session.id, i, std::move(error)});
  has_rejections = true;
}

void Owner::Impl::ballot(EdgeState& edge, const bus::BallotEntry& entry) {
  const OwnerSession* session = find(edge, entry.session);
  if (session == nullptr) return unknown_session(edge, entry.session);
  if (halted) return reject(*session, entry.i, halt_error, false);
  if (full()) {
    ++counted.overloaded;
    return reject(*session, entry.i, {Code::kOverloaded, {}, kOverloadRetryMs}, false);
  }
  episode::Ballot ballot{.who = session->actor.who,
                         .cid = session->cid,
                         .i = entry.i,
                         .poll = entry.poll,
                         .choice_mask = entry.choice_mask,
                         .n = entry.n,
                         .flags = entry.flags,
                         .edge = edge.id,
                         .edge_ms = entry.edge_ms};
  auto verdict = episode::decide_ballot(state, ballot, session->actor.role, entry.behind_ms);
  if (!verdict) return reject(*session, entry.i, std::move(verdict.error()), false);
  // Of a duplicate, `ballot` is now the one in force, so its receipt is the first one again.
  const auto receipt = episode::ballot_receipt(ballot, episode::poll_id(state, entry.poll));
  if (verdict->duplicate) {
    ++counted.duplicates;
    return confirm(*session, entry.i, verdict->log, false, &receipt);
  }
  if (block.size() == kMaxBlock) close_block();
  if (block.empty()) {
    block_seq = next_seq++;
    if (!collecting.has_records()) collecting.first_us = now_us_;
  }
  FL_ASSERT(episode::apply_ballot(state, ballot, block_seq), "what was decided applies");
  block.push_back(ballot);
  collecting.last_seq = block_seq;
  ++collecting.events;
  ++collecting.ballots;
  confirm(*session, entry.i, block_seq, false, &receipt);
}

// Ballots and events stand in the log in the order they were applied, so a block ends where an
// event comes.
void Owner::Impl::close_block() {
  if (block.empty()) return;
  log::Record record;
  record.kind = log::RecordKind::kBallots;
  record.at_ms = wall();
  record.payload = episode::encode_ballots(block);
  collecting.records.push_back(std::move(record));
  block.clear();
}

// Who said a command is told as soon as it is durable: there are few, and nobody waits for company.
// The cast's moves the log along as well, the audience's goes with the batch that collects; and of
// an audience refusals wait for the tick.
void Owner::Impl::command(EdgeState& edge, const bus::CommandEntry& entry) {
  OwnerSession* session = find(edge, entry.session);
  if (session == nullptr) return unknown_session(edge, entry.session);
  const bool cast = session->actor.role != proto::Role::kViewer;
  if (halted) return reject(*session, entry.i, halt_error, cast);
  if (full()) {
    ++counted.overloaded;
    return reject(*session, entry.i, {Code::kOverloaded, {}, kOverloadRetryMs}, cast);
  }
  episode::Command command;
  command.actor = &session->actor;
  command.cid = session->cid;
  command.i = entry.i;
  command.edge_ms = entry.edge_ms;
  command.now_ms = wall();
  command.kind = proto::kind_name(entry.kind);
  command.args = entry.args;
  command.traceparent = entry.traceparent;
  auto decision = episode::decide(state, command, secrets);
  if (!decision) return reject(*session, entry.i, std::move(decision.error()), cast);
  if (decision->duplicate) {
    ++counted.duplicates;
    return confirm(*session, entry.i, decision->duplicate_log, true, nullptr);
  }
  if (decision->events.empty()) {
    return confirm(*session, entry.i, next_seq - 1, true, nullptr);
  }
  const proto::Cause cause{session->cid, entry.i};
  const uint64_t log = append_events(decision->events, cause);
  collecting.urgent = collecting.urgent || cast;
  confirm(*session, entry.i, log, true, nullptr);
}

// Applies what one decision came to; returns the sequence number of its first event.
uint64_t Owner::Impl::append_events(std::vector<episode::Event>& events,
                                    std::optional<proto::Cause> cause) {
  close_block();
  if (!collecting.has_records()) collecting.first_us = now_us_;
  const uint64_t first = next_seq;
  std::vector<episode::EntityRef> changed;
  for (episode::Event& event : events) {
    const uint64_t seq = next_seq++;
    const Status applied = episode::apply(state, event, seq, &changed);
    FL_ASSERT(applied.has_value(), "what was decided applies");
    note_event(event, seq);
    log::Record record;
    record.kind = log::RecordKind::kEvent;
    record.at_ms = event.at_ms;
    const ByteView bytes = as_bytes(event.json);
    record.payload.assign(bytes.begin(), bytes.end());
    collecting.records.push_back(std::move(record));
  }
  collecting.last_seq = next_seq - 1;
  ++collecting.events;
  collecting.any_event = true;
  DeltaOut delta;
  delta.seq = collecting.last_seq;
  delta.cause = cause;
  collect_changes(delta, changed);
  bool any = false;
  for (const auto& patches : delta.patches) any = any || !patches.empty();
  if (any) collecting.deltas.push_back(std::move(delta));
  refresh_tables();
  refresh_deadline();
  return first;
}

// What others than the state must do about an event once it is durable.
void Owner::Impl::note_event(const episode::Event& event, uint64_t seq) {
  constexpr std::string_view kHead = R"({"k":")";
  std::string_view kind = event.json;
  if (!kind.starts_with(kHead)) return;
  kind.remove_prefix(kHead.size());
  kind = kind.substr(0, kind.find('"'));
  if (kind.starts_with("poll.")) closing = has_closing_poll();
  if (kind == "mod.banned") {
    const auto parsed = Json::parse(event.json);
    uint64_t who = 0;
    if (parsed && (*parsed)["d"]["on"].as_bool() &&
        parse_hex_u64((*parsed)["d"]["who"].as_string(), who)) {
      collecting.kicks.push_back({who, {Code::kBanned, {}, 0}});
    }
  }
  if (options.webhooks == nullptr) return;
  if (kind == "episode.started" || kind == "episode.ended" || kind == "poll.opened" ||
      kind == "poll.closed") {
    const auto parsed = Json::parse(event.json);
    if (!parsed) return;
    collecting.webhooks.push_back(
        {std::string(kind), options.episode, seq, event.at_ms, (*parsed)["d"].dump()});
  }
}

bool Owner::Impl::has_closing_poll() const {
  for (const episode::Tally& tally : episode::tallies(state, proto::ViewClass::kDirector)) {
    if (tally.state == "closing") return true;
  }
  return false;
}

void Owner::Impl::collect_changes(DeltaOut& delta, const std::vector<episode::EntityRef>& changed) {
  for (size_t at = 0; at < changed.size(); ++at) {
    const auto& [collection, id] = changed[at];
    bool seen = false;
    for (size_t i = 0; i < at && !seen; ++i) {
      seen = changed[i].id == id && changed[i].collection == collection;
    }
    if (seen) continue;
    for (int c = 0; c < proto::kViewClassCount; ++c) {
      auto& latest = views[static_cast<size_t>(c)].latest;
      std::string text =
          episode::encode_entity(state, static_cast<proto::ViewClass>(c), collection, id);
      const std::string key = view_key(collection, id);
      const auto found = latest.find(key);
      if (text.empty()) {
        // What a class never saw is not even told to be gone.
        if (found == latest.end()) continue;
        latest.erase(found);
        delta.patches[static_cast<size_t>(c)].push_back({collection, id, nullptr});
        continue;
      }
      if (found != latest.end() && *found->second == text) continue;
      auto entity = std::make_shared<const std::string>(std::move(text));
      latest[key] = entity;
      delta.patches[static_cast<size_t>(c)].push_back({collection, id, std::move(entity)});
    }
  }
}

void Owner::Impl::refresh_tables() {
  const size_t known = tables ? tables->polls.size() : 0;
  const auto index = static_cast<uint32_t>(known);
  if (tables && episode::poll_id(state, index).empty()) return;
  auto grown = std::make_shared<bus::EpisodeTables>();
  if (tables) *grown = *tables;
  if (!tables) grown->emotes = episode::emotes(state);
  for (uint32_t i = index;; ++i) {
    const std::string_view id = episode::poll_id(state, i);
    if (id.empty()) break;
    grown->polls.emplace_back(id);
  }
  tables = grown;
  collecting.tables = grown;
}

// Above half of what may wait the edges are asked to shed; below an eighth all is well again.
void Owner::Impl::judge_load() {
  if (halted) return;
  const uint64_t waiting = collecting.events + in_flight_events();
  if (mode == proto::Mode::kLive && waiting > options.pending_max / 2) {
    set_mode(proto::Mode::kDegraded, {Code::kOverloaded, {}, kOverloadRetryMs});
  } else if (mode == proto::Mode::kDegraded && waiting < options.pending_max / 8) {
    set_mode(proto::Mode::kLive, {Code::kOk, {}, 0});
  }
}

}  // namespace footlight::edge
