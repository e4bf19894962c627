#include "edge/metrics.h"

#include "edge/internal/metrics_page.h"

namespace footlight::edge {
namespace {

EdgeMetrics sum_of(std::span<const EdgeMetrics> edges) {
  EdgeMetrics sum;
  for (const EdgeMetrics& each : edges) {
    sum.sessions += each.sessions;
    for (size_t i = 0; i < sum.sessions_by_role.size(); ++i) {
      sum.sessions_by_role[i] += each.sessions_by_role[i];
    }
    sum.queue_bytes += each.queue_bytes;
    sum.queued_connections += each.queued_connections;
    sum.opened += each.opened;
    sum.joined += each.joined;
    sum.resumed += each.resumed;
    sum.refused += each.refused;
    sum.slow_consumers += each.slow_consumers;
    sum.frames_in += each.frames_in;
    sum.bytes_in += each.bytes_in;
    sum.bad_frames += each.bad_frames;
    sum.events += each.events;
    sum.ballots += each.ballots;
    sum.emotes += each.emotes;
    sum.rejected += each.rejected;
    sum.forged_cues += each.forged_cues;
    sum.shed += each.shed;
    sum.deliveries += each.deliveries;
    sum.bytes_out += each.bytes_out;
    for (size_t i = 0; i < sum.latency_ms.size(); ++i) sum.latency_ms[i].merge(each.latency_ms[i]);
    sum.confirm_us.merge(each.confirm_us);
  }
  return sum;
}

void render_edges(MetricsPage& page, const EdgeMetrics& sum) {
  page.head("footlight_sessions", "gauge", "Sessions by role.");
  for (int role = 0; role < proto::kRoleCount; ++role) {
    const std::string label =
        "role=\"" + std::string(proto::role_name(static_cast<proto::Role>(role))) + "\"";
    page.line("footlight_sessions", label, sum.sessions_by_role[static_cast<size_t>(role)]);
  }
  page.gauge("footlight_connections", "Connections, also those without a session yet.",
             sum.sessions);
  page.gauge("footlight_connection_queue_bytes", "Waiting for connections that read slowly.",
             sum.queue_bytes);
  page.gauge("footlight_connections_queued", "Connections for which something waits.",
             sum.queued_connections);
  page.counter("footlight_connections_opened_total", "Connections opened.", sum.opened);
  page.head("footlight_sessions_joined_total", "counter", "Welcomes, by whether they resumed.");
  page.line("footlight_sessions_joined_total", "resumed=\"false\"", sum.joined);
  page.line("footlight_sessions_joined_total", "resumed=\"true\"", sum.resumed);
  page.counter("footlight_sessions_refused_total", "Connections ended before their welcome.",
               sum.refused);
  page.counter("footlight_forged_cues_total", "Cues of viewers that this server did not make.",
               sum.forged_cues);
  page.counter("footlight_slow_consumers_total", "Connections cut because they read too slowly.",
               sum.slow_consumers);
  page.head("footlight_network_io_bytes_total", "counter", "Payload of sessions.");
  page.line("footlight_network_io_bytes_total", "direction=\"receive\"", sum.bytes_in);
  page.line("footlight_network_io_bytes_total", "direction=\"transmit\"", sum.bytes_out);
  page.head("footlight_frames_total", "counter", "Messages of sessions.");
  page.line("footlight_frames_total", "direction=\"receive\"", sum.frames_in);
  page.line("footlight_frames_total", "direction=\"transmit\"", sum.deliveries);
  page.counter("footlight_frames_bad_total", "Messages that could not be read.", sum.bad_frames);
  page.head("footlight_edge_events_total", "counter", "Events that edges passed on, by lane.");
  page.line("footlight_edge_events_total", "lane=\"vote\"", sum.ballots);
  page.line("footlight_edge_events_total", "lane=\"command\"", sum.events - sum.ballots);
  page.line("footlight_edge_events_total", "lane=\"emote\"", sum.emotes);
  page.counter("footlight_edge_events_rejected_total", "Events rejected, by edge or owner.",
               sum.rejected);
  page.counter("footlight_edge_events_shed_total", "Of them by admission.", sum.shed);
  page.head("footlight_client_latency_seconds", "histogram",
            "Latency as clients measured it, by action class.");
  for (int i = 0; i < proto::kLatencyClassCount; ++i) {
    const auto of = static_cast<proto::LatencyClass>(i);
    page.histogram("footlight_client_latency_seconds",
                   "class=\"" + std::string(proto::latency_class_name(of)) + "\"",
                   sum.latency_ms[static_cast<size_t>(i)], 1000);
  }
  page.head("footlight_edge_confirm_duration_seconds", "histogram",
            "Receipt of an event at the edge to its outcome there; sampled.");
  page.histogram("footlight_edge_confirm_duration_seconds", "", sum.confirm_us, 1);
}

void add(BoardMetrics& sum, const BoardMetrics& each) {
  sum.boards += each.boards;
  sum.members += each.members;
  sum.memory_bytes += each.memory_bytes;
  sum.updates += each.updates;
  sum.update_bytes += each.update_bytes;
  sum.refused += each.refused;
  sum.not_taken += each.not_taken;
  sum.relays += each.relays;
  sum.awareness += each.awareness;
  sum.compactions += each.compactions;
  sum.renewals += each.renewals;
  sum.caught_up += each.caught_up;
  sum.overruled += each.overruled;
  sum.loads += each.loads;
  sum.unloads += each.unloads;
  sum.relay_us.merge(each.relay_us);
}

void render_boards(MetricsPage& page, const BoardMetrics& sum);

void render_owners(MetricsPage& page, std::span<const OwnerMetrics> owners) {
  OwnerMetrics sum;
  uint64_t halted = 0;
  for (const OwnerMetrics& each : owners) {
    halted += each.halted ? 1 : 0;
    sum.events += each.events;
    sum.ballots += each.ballots;
    sum.duplicates += each.duplicates;
    sum.rejected += each.rejected;
    sum.overloaded += each.overloaded;
    sum.batches += each.batches;
    sum.batch_bytes += each.batch_bytes;
    sum.deltas += each.deltas;
    sum.tallies += each.tallies;
    sum.snapshots += each.snapshots;
    sum.fenced_edges += each.fenced_edges;
    sum.commit_us.merge(each.commit_us);
    add(sum.boards, each.boards);
  }
  page.gauge("footlight_episodes", "Episodes owned by this node.", owners.size());
  page.gauge("footlight_episodes_halted", "Of them with a failed log.", halted);
  page.head("footlight_events_committed_total", "counter", "Durable events, by lane.");
  page.line("footlight_events_committed_total", "lane=\"vote\"", sum.ballots);
  page.line("footlight_events_committed_total", "lane=\"command\"", sum.events - sum.ballots);
  page.counter("footlight_events_duplicate_total", "Events sent again and answered again.",
               sum.duplicates);
  page.counter("footlight_events_refused_total", "Events that owners refused.", sum.rejected);
  page.counter("footlight_events_overload_total", "Of them because too much waited for the log.",
               sum.overloaded);
  page.counter("footlight_log_batches_total", "Batches made durable.", sum.batches);
  page.counter("footlight_log_bytes_total", "Payload made durable.", sum.batch_bytes);
  page.counter("footlight_log_snapshots_total", "Snapshots taken.", sum.snapshots);
  page.counter("footlight_deltas_total", "View deltas encoded.", sum.deltas);
  page.counter("footlight_tallies_total", "Tallies encoded.", sum.tallies);
  page.counter("footlight_edges_fenced_total", "Edges that fell silent while a poll closed.",
               sum.fenced_edges);
  page.head("footlight_log_commit_duration_seconds", "histogram",
            "A batch handed to the log to its completion.");
  page.histogram("footlight_log_commit_duration_seconds", "", sum.commit_us, 1);
  render_boards(page, sum.boards);
}

void render_boards(MetricsPage& page, const BoardMetrics& sum) {
  page.gauge("footlight_boards_loaded", "Boards in memory.", sum.boards);
  page.gauge("footlight_board_sessions", "Sessions that have a board open.", sum.members);
  page.gauge("footlight_board_memory_bytes", "Memory of the boards' documents.", sum.memory_bytes);
  page.counter("footlight_board_updates_total", "Edits of boards made durable.", sum.updates);
  page.counter("footlight_board_update_bytes_total", "Their bytes.", sum.update_bytes);
  page.counter("footlight_board_refused_total", "Edits refused.", sum.refused);
  page.counter("footlight_board_not_taken_total", "Edits asked for again.", sum.not_taken);
  page.counter("footlight_board_relays_total", "Merged edits handed to edges.", sum.relays);
  page.counter("footlight_board_awareness_total", "Awareness updates taken.", sum.awareness);
  page.counter("footlight_board_compactions_total", "Snapshots of boards.", sum.compactions);
  page.counter("footlight_board_renewals_total", "Boards begun anew.", sum.renewals);
  page.counter("footlight_board_caught_up_total",
               "Sessions that did not read fast enough and were sent what they lacked.",
               sum.caught_up);
  page.counter("footlight_board_overruled_total", "Fields written over by the event log's value.",
               sum.overruled);
  page.counter("footlight_board_loads_total", "Boards read from the log.", sum.loads);
  page.counter("footlight_board_unloads_total", "Boards given up because nobody had them open.",
               sum.unloads);
  page.head("footlight_board_relay_duration_seconds", "histogram",
            "An edit's arrival at the owner to its relay to the cast.");
  page.histogram("footlight_board_relay_duration_seconds", "", sum.relay_us, 1);
}

void render_process(MetricsPage& page, const ProcessMetrics& process) {
  page.head("footlight_build_info", "gauge", "The version that runs.");
  page.line("footlight_build_info", "version=\"" + process.version + "\"", 1);
  page.gauge("process_uptime_seconds", "Since start.", process.uptime_s);
  page.head("process_cpu_time_seconds_total", "counter", "User and system time.");
  page.seconds("process_cpu_time_seconds_total", "", static_cast<uint64_t>(process.cpu_s * 1e6));
  page.gauge("process_memory_usage_bytes", "Resident memory.", process.resident_bytes);
  page.gauge("process_open_file_descriptor_count", "Open file descriptors.", process.open_fds);
  page.head("footlight_webhook_deliveries_total", "counter", "Webhook attempts, by outcome.");
  page.line("footlight_webhook_deliveries_total", "outcome=\"delivered\"",
            process.webhooks_delivered);
  page.line("footlight_webhook_deliveries_total", "outcome=\"failed\"", process.webhooks_failed);
  page.line("footlight_webhook_deliveries_total", "outcome=\"dead\"", process.webhooks_dead);
  page.gauge("footlight_webhook_queue", "Webhooks that wait.", process.webhooks_waiting);
}

}  // namespace

std::string render_metrics(std::span<const EdgeMetrics> edges, std::span<const OwnerMetrics> owners,
                           const ProcessMetrics& process) {
  MetricsPage page;
  render_edges(page, sum_of(edges));
  render_owners(page, owners);
  render_process(page, process);
  return page.take();
}

}  // namespace footlight::edge
