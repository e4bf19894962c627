// A batch's way: sealed, appended, released; or failed, and with it the owner.
#include <utility>

#include "core/assert.h"
#include "core/json.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {
namespace {

// What a client shall wait before it asks a halted episode again; an operator is needed meanwhile.
constexpr uint32_t kHaltedRetryMs = 5'000;
// Snapshots cost time in proportion to the state; so many of its bytes ask for one more event.
constexpr uint64_t kSnapshotBytesPerEvent = 64;

bool has_any(const bus::Outcomes& outcomes) {
  return !outcomes.confirmed.empty() || !outcomes.accepted.empty() || !outcomes.rejected.empty();
}

// Something of the batch was not told `accepted` yet.
bool any_untold(const std::vector<bus::Outcomes>& outcomes, const std::vector<uint32_t>& told) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (told[i] < outcomes[i].confirmed.size()) return true;
  }
  return false;
}

}  // namespace

void Owner::Impl::begin(Batch& batch) {
  batch = Batch{};
  batch.calm.resize(edges.size());
  batch.prompt.resize(edges.size());
  batch.calm_accepted.resize(edges.size());
  batch.prompt_accepted.resize(edges.size());
}

// While an append is in flight the next batch collects. What the cast does never waits for company;
// ballots alone do, for a moment, because each batch costs a sync.
void Owner::Impl::maybe_seal() {
  seal_due_us = kNever;
  const bool events = collecting.has_records() || !block.empty();
  if (halted || (!events && !boards->has_writes())) return;
  if (any_untold(collecting.prompt, collecting.prompt_accepted) ||
      any_untold(collecting.calm, collecting.calm_accepted)) {
    const MonoUs accept_us = collecting.first_us + options.accept_after_us;
    accept_due_us = std::min(accept_due_us, std::max(accept_us, now_us_ + 1));
  }
  if (in_flight) return;
  MonoUs due_us = events ? collecting.first_us + options.ballot_wait_us : kNever;
  if (boards->has_writes()) {
    due_us = std::min(due_us, boards->write_due_us());
  }
  if (collecting.urgent || collecting.events >= options.batch_max || due_us <= now_us_) {
    seal();
  } else {
    seal_due_us = due_us;
  }
}

void Owner::Impl::seal() {
  close_block();
  // The state is now exactly that after the batch: what shows state is taken here.
  for (JoinOut& join : collecting.joins) {
    join.me = episode::encode_me(state, join.actor, join.join.cid);
  }
  if (collecting.ballots > 0 || collecting.any_event) collecting.tallies = capture_tallies();
  since_snapshot += collecting.events;
  if (since_snapshot >= snapshot_goal) {
    log::Snapshot snapshot{collecting.last_seq, state.snapshot()};
    since_snapshot = 0;
    snapshot_goal =
        std::max<uint64_t>(options.snapshot_every, snapshot.state.size() / kSnapshotBytesPerEvent);
    collecting.snapshot = std::move(snapshot);
  }
  std::vector<log::Record> records = std::move(collecting.records);
  collecting.records.clear();
  for (const log::Record& record : records) counted.batch_bytes += record.payload.size();
  std::vector<log::BoardUpdate> edits = boards->seal(now_us_, wall());
  if (records.empty()) collecting.last_seq = durable_seq;
  in_flight = std::move(collecting);
  begin(collecting);
  seal_due_us = kNever;
  append_us = now_us_;
  options.log->append(std::move(records), std::move(edits));
  boards->sealed(wall());
}

// The batch is durable: everything that came of it goes out, the cast first.
void Owner::Impl::released(Batch& batch) {
  const auto took_us = static_cast<uint64_t>(now_us_ - append_us);
  counted.commit_us.record(took_us);
  commit_us.record(took_us);
  counted.batch_events.record(batch.events);
  ++counted.batches;
  counted.events += batch.events;
  counted.ballots += batch.ballots;
  counted.log_seq = durable_seq;
  secrets.chain_head = durable_chain;
  secrets.chain_log = durable_seq;

  if (batch.tables) {
    durable_tables = batch.tables;
    for (EdgeState& edge : edges) {
      if (edge.has_tables) to_edge(edge, bus::Tables{durable_tables});
    }
  }
  release_deltas(batch);
  boards->released(now_us_, durable_seq);
  if (batch.tallies) take_tallies(std::move(*batch.tallies));
  for (const KickOut& kick : batch.kicks) to_edges(bus::Kick{0, kick.who, kick.error});
  for (JoinOut& join : batch.joins) answer_join(join);
  for (ApiWait& wait : batch.api) {
    wait.reply({200, "{\"log\":" + std::to_string(wait.log) + "}", 0});
  }
  for (WebhookEvent& event : batch.webhooks) options.webhooks->post(std::move(event));
  if (batch.snapshot) {
    ++counted.snapshots;
    options.log->save_snapshot(std::move(*batch.snapshot));
  }
  judge_load();
}

// A delta to the audience is thousands of writes; whoever waits for a confirmation must not wait
// for them.
void Owner::Impl::release_deltas(Batch& batch) {
  const WallMs at_ms = wall();
  const auto send = [&](proto::ViewClass c) {
    ClassView& view = views[static_cast<size_t>(c)];
    std::vector<proto::Patch> patches;
    for (const DeltaOut& delta : batch.deltas) {
      const auto& mine = delta.patches[static_cast<size_t>(c)];
      if (mine.empty()) continue;
      apply_patches(view, mine);
      view_changed(c, mine);
      patches.clear();
      for (const PatchOut& patch : mine) {
        patches.push_back({patch.collection, patch.id,
                           patch.entity ? std::string_view(*patch.entity) : std::string_view()});
      }
      scratch.clear();
      proto::encode(scratch, proto::Delta{delta.seq, at_ms, patches, delta.cause});
      auto frame = proto::Frame::text(scratch);
      push_ring(view, delta.seq, frame);
      ++counted.deltas;
      to_edges(bus::Broadcast{proto::roles_of(c), delta.seq, std::move(frame)});
    }
  };
  send(proto::ViewClass::kDirector);
  send(proto::ViewClass::kPlayer);
  release_outcomes(batch.prompt, true);
  send(proto::ViewClass::kViewer);
  release_outcomes(batch.calm, false);
}

void Owner::Impl::release_outcomes(std::vector<bus::Outcomes>& outcomes, bool urgent) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (!has_any(outcomes[i])) continue;
    outcomes[i].urgent = urgent;
    to_edge(edges[i], std::exchange(outcomes[i], bus::Outcomes{}));
  }
}

// What needed no append: rejections, and confirmations of what is durable already.
void Owner::Impl::send_rejections() {
  if (!has_rejections) return;
  has_rejections = false;
  release_outcomes(prompt_rejections, true);
  release_outcomes(rejections, false);
}

// The log is slow: say that it was taken, so that a person sees more than silence.
void Owner::Impl::tell_accepted(Batch& batch) {
  if (batch.events == 0) return;
  if (now_us_ - batch.first_us < options.accept_after_us) {
    accept_due_us = std::min(accept_due_us, batch.first_us + options.accept_after_us);
    return;
  }
  const auto tell = [&](std::vector<bus::Outcomes>& outcomes, std::vector<uint32_t>& told,
                        bool urgent) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const auto& confirmed = outcomes[i].confirmed;
      if (told[i] == confirmed.size()) continue;
      bus::Outcomes accepted;
      accepted.urgent = urgent;
      for (size_t at = told[i]; at < confirmed.size(); ++at) {
        accepted.accepted.push_back({confirmed[at].session, confirmed[at].i});
      }
      told[i] = static_cast<uint32_t>(confirmed.size());
      to_edge(edges[i], std::move(accepted));
    }
  };
  tell(batch.prompt, batch.prompt_accepted, true);
  tell(batch.calm, batch.calm_accepted, false);
}

void Owner::Impl::set_mode(proto::Mode to, Error error) {
  mode = to;
  mode_error = std::move(error);
  // Also to edges that nobody uses now: they welcome whoever comes next.
  for (EdgeState& edge : edges) {
    if (edge.has_tables) to_edge(edge, bus::ModeChange{mode, mode_error});
  }
}

// Nothing that was not released ever will be. Clients keep their events: with retry_after_ms the
// same event may be sent again, and if it did reach the disk its id is found there after the
// restart.
void Owner::Impl::halt(const Error& error) {
  halted = true;
  counted.halted = true;
  halt_error = error;
  halt_error.retry_after_ms = kHaltedRetryMs;
  // First, so that those who were joining are welcomed into a halted episode.
  set_mode(proto::Mode::kHalted, error);
  if (in_flight) {
    fail_batch(*in_flight);
    in_flight.reset();
  }
  block.clear();
  fail_batch(collecting);
  begin(collecting);
  boards->failed(halt_error);
  deadline_due_us = accept_due_us = seal_due_us = emote_due_us = kNever;
  if (options.webhooks != nullptr) {
    std::string data;
    JsonWriter(data).object().field("code", static_cast<int>(error.code)).end_object();
    options.webhooks->post({"log.halted", options.episode, durable_seq, wall(), std::move(data)});
  }
}

void Owner::Impl::fail_batch(Batch& batch) {
  for (auto* outcomes : {&batch.prompt, &batch.calm}) {
    for (bus::Outcomes& each : *outcomes) {
      for (const bus::Confirmation& lost : each.confirmed) {
        each.rejected.push_back({lost.session, lost.i, halt_error});
      }
      counted.rejected += each.confirmed.size();
      each.confirmed.clear();
    }
    release_outcomes(*outcomes, outcomes == &batch.prompt);
  }
  for (JoinOut& join : batch.joins) {
    join.me = minimal_me(join.actor);
    answer_join(join);
  }
  for (ApiWait& wait : batch.api) wait.reply(api_error(halt_error));
}

}  // namespace footlight::edge
