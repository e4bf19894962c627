// What goes out by the clock: tallies, emotes, presence, the latency budget.
#include <utility>

#include "edge/budgets.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {

// Of the state as it is now, one per poll, with all classes that may see it.
std::vector<TallyOut> Owner::Impl::capture_tallies() {
  std::vector<TallyOut> out;
  for (int c = 0; c < proto::kViewClassCount; ++c) {
    const auto view = static_cast<proto::ViewClass>(c);
    for (episode::Tally& tally : episode::tallies(state, view)) {
      const int index = episode::poll_index(state, tally.poll);
      if (index < 0) continue;
      const uint32_t slot = bus::kFirstPollSlot + static_cast<uint32_t>(index);
      TallyOut* known = nullptr;
      for (TallyOut& each : out) {
        if (each.slot == slot) known = &each;
      }
      if (known != nullptr) {
        known->roles = known->roles | proto::roles_of(view);
        continue;
      }
      TallyOut next;
      next.poll = tally.poll;
      next.slot = slot;
      next.roles = proto::roles_of(view);
      next.version = tally.version;
      next.log = next_seq - 1;
      next.counts = std::move(tally.counts);
      next.voters = tally.voters;
      next.state = tally.state;
      next.final = tally.final;
      out.push_back(std::move(next));
    }
  }
  return out;
}

// They have become durable.
void Owner::Impl::take_tallies(std::vector<TallyOut> captured) {
  for (TallyOut& tally : captured) {
    Published& published = tallies[tally.slot];
    const bool same = published.ever && published.tally.version == tally.version &&
                      published.tally.roles == tally.roles &&
                      published.tally.state == tally.state && published.tally.final == tally.final;
    if (same) {
      published.tally.log = tally.log;
      continue;
    }
    const bool at_once = !published.ever || tally.state != published.tally.state ||
                         !(tally.roles == published.tally.roles);
    published.ever = true;
    published.tally = std::move(tally);
    published.dirty = true;
    if (at_once) {
      publish(published, 0);
    } else {
      tallies_dirty = true;
    }
  }
  if (!tallies_dirty || tally_due_us != kNever) return;
  tally_due_us = std::max(now_us_, last_tally_us + options.fresh_ms * kUsPerMs);
}

void Owner::Impl::tally_tick() {
  tally_due_us = kNever;
  tallies_dirty = false;
  last_tally_us = now_us_;
  const uint32_t every_ms =
      last_audience > options.crowd_audience ? options.crowd_tick_ms : options.tick_ms;
  for (auto& [slot, published] : tallies) {
    if (published.dirty) publish(published, every_ms);
  }
}

// To the edges: each sends a session the newest it has, every `every_ms`.
void Owner::Impl::publish(Published& published, uint32_t every_ms) {
  const TallyOut& tally = published.tally;
  proto::TallyUpdate update;
  update.poll = tally.poll;
  update.version = tally.version;
  update.log = tally.log;
  update.counts = tally.counts;
  update.voters = tally.voters;
  update.state = tally.state;
  update.final = tally.final;
  scratch.clear();
  proto::encode(scratch, update);
  published.frame = proto::Frame::text(scratch);
  published.dirty = false;
  ++counted.tallies;
  to_edges(bus::Volatile{tally.roles, tally.slot, published.frame, every_ms});
}

void Owner::Impl::emotes(const bus::EmoteCounts& counts) {
  if (halted) return;
  emote_counts.resize(durable_tables->emotes.size());
  const size_t known = std::min(counts.counts.size(), emote_counts.size());
  for (size_t i = 0; i < known; ++i) emote_counts[i] += counts.counts[i];
  if (emote_due_us == kNever) {
    emote_due_us = std::max(now_us_, last_emote_us + options.emote_ms * kUsPerMs);
  }
}

void Owner::Impl::emote_tick() {
  emote_due_us = kNever;
  last_emote_us = now_us_;
  std::vector<proto::EmoteCount> counts;
  for (size_t i = 0; i < emote_counts.size(); ++i) {
    if (emote_counts[i] > 0) counts.push_back({durable_tables->emotes[i], emote_counts[i]});
  }
  if (counts.empty()) return;
  scratch.clear();
  proto::encode(scratch, proto::Emotes{counts});
  std::fill(emote_counts.begin(), emote_counts.end(), 0);
  to_edges(bus::Volatile{proto::RoleSet::all(), bus::kEmotesSlot, proto::Frame::text(scratch)});
}

void Owner::Impl::presence() {
  uint64_t audience = 0;
  bool changed = false;
  std::vector<proto::EdgeAudience> by_edge;
  for (size_t i = 0; i < edges.size(); ++i) {
    const uint32_t here = edges[i].sessions == 0 ? 0 : edges[i].audience;
    audience += here;
    changed = changed || here != last_audiences[i];
    last_audiences[i] = here;
    if (here > 0) by_edge.push_back({edges[i].name, here});
  }
  if (!changed) return;
  last_audience = audience;
  boards->set_audience_tick(audience > options.crowd_audience ? options.crowd_tick_ms
                                                              : options.tick_ms);
  scratch.clear();
  proto::encode(scratch, proto::Presence{audience, by_edge});
  presence_frame = proto::Frame::text(scratch);
  to_edges(bus::Volatile{proto::RoleSet::all(), bus::kPresenceSlot, presence_frame});
}

void Owner::Impl::report(EdgeState& edge, bus::EdgeReport& report) {
  edge.reported_sessions = report.sessions;
  edge.queue_bytes = report.queue_bytes;
  edge.watching = report.watching;
  deliveries_this_second += report.deliveries;
  for (size_t i = 0; i < latency_ms.size(); ++i) latency_ms[i].merge(report.latency[i]);
}

void Owner::Impl::second() {
  second_due_us = now_us_ + kUsPerSecond;
  for (EdgeState& edge : edges) {
    if (edge.sessions > 0 && now_us_ - edge.heard_us >= options.edge_lost_ms * kUsPerMs) {
      lose_edge(edge);
    }
  }
  presence();
  events_per_s = counted.events - std::exchange(events_at_second, counted.events);
  ballots_per_s = counted.ballots - std::exchange(ballots_at_second, counted.ballots);
  deliveries_per_s = std::exchange(deliveries_this_second, 0);
  for (RollingHistogram& each : latency_ms) each.second();
  commit_us.second();
  if (producers > 0) {
    to_edges(bus::Volatile{proto::RoleSet::of(proto::Role::kProducer), bus::kSloSlot,
                           proto::Frame::text(slo_json())});
  }
}

std::string Owner::Impl::slo_json() {
  std::vector<proto::SloClass> classes;
  for (size_t i = 0; i < latency_ms.size(); ++i) {
    const auto of = static_cast<proto::LatencyClass>(i);
    const Histogram seen = latency_ms[i].total();
    proto::SloClass each;
    each.name = proto::latency_class_name(of);
    each.budget_ms = budget_ms(of);
    each.count = seen.count();
    each.p50_ms = static_cast<uint32_t>(seen.quantile(500));
    each.p99_ms = static_cast<uint32_t>(seen.quantile(990));
    each.max_ms = static_cast<uint32_t>(seen.max());
    each.holds = each.budget_ms == 0 || each.p99_ms <= each.budget_ms;
    classes.push_back(each);
  }
  proto::Slo slo;
  std::vector<proto::SloEdge> by_edge;
  for (const EdgeState& edge : edges) {
    if (edge.sessions == 0) continue;
    by_edge.push_back({edge.name, edge.sessions, edge.queue_bytes});
    for (size_t i = 0; i < slo.watching.size(); ++i) slo.watching[i] += edge.watching[i];
  }
  const Histogram commits = commit_us.total();
  slo.classes = classes;
  slo.events_per_s = events_per_s;
  slo.ballots_per_s = ballots_per_s;
  slo.deliveries_per_s = deliveries_per_s;
  slo.log_seq = durable_seq;
  slo.commit_p50_us = commits.quantile(500);
  slo.commit_p99_us = commits.quantile(990);
  slo.edges = by_edge;
  return proto::encoded(slo);
}

}  // namespace footlight::edge
