// What an edge shard and an owner count, and how that reads in Prometheus' text format (0.0.4).
// Names and units follow OpenTelemetry's semantic conventions as mapped to Prometheus: dots become
// underscores, seconds and bytes, `_total` for counters. No label per episode or user: figures per
// episode come from the API.
//
// Each struct is written by its one thread; the shell copies it on that thread and renders
// anywhere.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "core/histogram.h"
#include "proto/messages.h"

namespace footlight::edge {

struct EdgeMetrics {
  uint64_t sessions = 0;  // now, by role below; this includes those that have not said hello
  std::array<uint64_t, proto::kRoleCount> sessions_by_role{};
  uint64_t queue_bytes = 0;         // waiting for slow connections, now
  uint64_t queued_connections = 0;  // that have something waiting, now
  uint64_t opened = 0;              // the rest: since start
  uint64_t joined = 0;
  uint64_t resumed = 0;
  uint64_t refused = 0;  // connections ended before their welcome
  uint64_t slow_consumers = 0;
  uint64_t frames_in = 0;
  uint64_t bytes_in = 0;
  uint64_t bad_frames = 0;
  uint64_t events = 0;   // that passed to the owner
  uint64_t ballots = 0;  // of them
  uint64_t emotes = 0;
  uint64_t rejected = 0;  // events refused at the edge
  uint64_t forged_cues = 0;
  uint64_t shed = 0;        // of them: by admission
  uint64_t deliveries = 0;  // frames handed to connections
  uint64_t bytes_out = 0;
  std::array<Histogram, proto::kLatencyClassCount> latency_ms;  // as clients reported
  Histogram confirm_us;  // receipt of a batch of events → its outcomes at this edge
};

struct BoardMetrics {
  uint64_t boards = 0;  // loaded now
  uint64_t members = 0;
  uint64_t memory_bytes = 0;  // of loaded documents, as of a second ago
  uint64_t updates = 0;       // made durable; the rest since start too
  uint64_t update_bytes = 0;
  uint64_t refused = 0;
  uint64_t not_taken = 0;  // too fast, or before what they build on: asked for again
  uint64_t relays = 0;     // messages made for everybody
  uint64_t awareness = 0;
  uint64_t compactions = 0;
  uint64_t renewals = 0;
  uint64_t caught_up = 0;  // sessions left out of relays that were sent what they lacked
  uint64_t overruled = 0;
  uint64_t loads = 0;
  uint64_t unloads = 0;
  Histogram relay_us;  // an edit received by the owner → handed to the edges for the cast
};

struct OwnerMetrics {
  uint64_t epoch = 0;
  uint64_t log_seq = 0;  // durable
  bool halted = false;
  uint64_t sessions = 0;
  uint64_t events = 0;  // appended and durable; the rest since start too
  uint64_t ballots = 0;
  uint64_t duplicates = 0;
  uint64_t rejected = 0;
  uint64_t overloaded = 0;
  uint64_t batches = 0;
  uint64_t batch_bytes = 0;
  uint64_t deltas = 0;
  uint64_t tallies = 0;
  uint64_t snapshots = 0;
  uint64_t fenced_edges = 0;
  Histogram commit_us;  // append called → completion
  Histogram batch_events;
  BoardMetrics boards;
};

struct ProcessMetrics {
  std::string version;
  uint64_t uptime_s = 0;
  uint64_t resident_bytes = 0;
  uint64_t open_fds = 0;
  double cpu_s = 0;
  uint64_t webhooks_delivered = 0;
  uint64_t webhooks_failed = 0;  // attempts
  uint64_t webhooks_dead = 0;
  uint64_t webhooks_waiting = 0;
};

// The sum over all edges and owners of a node.
std::string render_metrics(std::span<const EdgeMetrics> edges, std::span<const OwnerMetrics> owners,
                           const ProcessMetrics& process);

}  // namespace footlight::edge
