#include "edge/media_metrics.h"

#include <algorithm>

#include "edge/internal/metrics_page.h"

namespace footlight::edge {
namespace {

uint64_t whole(int64_t value) { return static_cast<uint64_t>(std::max<int64_t>(0, value)); }

void write_flow(MetricsPage& page, const MediaStats& stats) {
  page.gauge("footlight_media_publishers", "Sessions that publish.", stats.publishers);
  page.gauge("footlight_media_watchers", "Sessions that watch.", stats.watchers);
  page.gauge("footlight_media_tracks", "Tracks published.", stats.tracks);
  page.head("footlight_media_streams", "gauge",
            "Encodings that publishers send, and tracks that are watched.");
  page.line("footlight_media_streams", "direction=\"receive\"", stats.streams_in);
  page.line("footlight_media_streams", "direction=\"transmit\"", stats.streams_out);
  page.counter("footlight_media_packets_in_total", "Media packets received.", stats.rtp_in);
  page.counter("footlight_media_packets_out_total", "Media packets sent.", stats.rtp_out);
  page.counter("footlight_media_bytes_in_total", "Bytes of media received.", stats.bytes_in);
  page.counter("footlight_media_bytes_out_total", "Bytes of media sent.", stats.bytes_out);
  page.head("footlight_media_bitrate_bits_per_second", "gauge", "Media over the last second.");
  page.line("footlight_media_bitrate_bits_per_second", "direction=\"receive\"",
            whole(stats.bps_in));
  page.line("footlight_media_bitrate_bits_per_second", "direction=\"transmit\"",
            whole(stats.bps_out));
  page.gauge("footlight_media_estimate_bits_per_second",
             "What the ways to all watchers together seem to carry.", whole(stats.estimate_bps));
}

void write_drops(MetricsPage& page, const MediaCounters& counters) {
  const MediaStats& stats = counters.stats;
  page.counter("footlight_media_strangers_total", "Datagrams of no session or no protocol.",
               stats.strangers + stats.unknown);
  page.counter("footlight_media_refused_total", "Media packets malformed, forged or replayed.",
               stats.refused);
  page.counter("footlight_media_unsent_total", "Media packets without a path, keys or room.",
               stats.unsent);
  page.counter("footlight_media_socket_drops_total", "Datagrams the socket did not take.",
               counters.socket_drops);
  page.counter("footlight_media_tcp_strangers_total",
               "TCP connections cut because no session's check came on them.",
               counters.tcp_strangers);
  page.counter("footlight_media_tcp_drops_total", "Datagrams that slow TCP connections lost.",
               counters.tcp_drops);
  page.head("footlight_media_dropped_packets_total", "counter",
            "Packets dropped on their way, by reason.");
  page.line("footlight_media_dropped_packets_total", "reason=\"no_memory\"", stats.no_memory);
  page.line("footlight_media_dropped_packets_total", "reason=\"unknown_stream\"",
            stats.unknown_stream);
  page.line("footlight_media_dropped_packets_total", "reason=\"unknown_codec\"",
            stats.unknown_codec);
  page.line("footlight_media_dropped_packets_total", "reason=\"duplicate\"", stats.duplicates);
  page.line("footlight_media_dropped_packets_total", "reason=\"turn_overflow\"",
            stats.turn_overflow);
  page.line("footlight_media_dropped_packets_total", "reason=\"watcher_queue\"", stats.queue_drops);
  page.line("footlight_media_dropped_packets_total", "reason=\"rtcp_flood\"", stats.rtcp_flood);
  page.line("footlight_media_dropped_packets_total", "reason=\"handover\"",
            counters.handover_drops);
  page.line("footlight_media_dropped_packets_total", "reason=\"copy\"", stats.copy_drops);
}

}  // namespace

MediaCounters& MediaCounters::operator+=(const MediaCounters& other) {
  stats += other.stats;
  socket_drops += other.socket_drops;
  tcp_connections += other.tcp_connections;
  tcp_strangers += other.tcp_strangers;
  tcp_drops += other.tcp_drops;
  handed_over += other.handed_over;
  handover_drops += other.handover_drops;
  handover_paths += other.handover_paths;
  cpu_s.insert(cpu_s.end(), other.cpu_s.begin(), other.cpu_s.end());
  return *this;
}

std::string media_metrics(const MediaCounters& counters) {
  const MediaStats& stats = counters.stats;
  MetricsPage page;
  write_flow(page, stats);
  write_drops(page, counters);
  page.gauge("footlight_media_tcp_connections", "TCP connections that carry media.",
             counters.tcp_connections);
  page.gauge("footlight_media_channels", "Data channels that carry a session.", stats.channels);
  page.counter("footlight_media_channels_opened_total",
               "Data channels that began to carry a session.", stats.channels_opened);
  page.counter("footlight_media_channels_refused_total",
               "Data channels of another kind, or beyond the one.", stats.channels_refused);
  page.gauge("footlight_media_recordings", "Recordings under way.", stats.recordings);
  page.counter("footlight_media_recordings_failed_total", "Recordings that ended by themselves.",
               stats.recordings_failed);
  page.counter("footlight_media_recorded_bytes_total", "Bytes of recordings.", stats.record_bytes);
  page.counter("footlight_media_record_dropped_packets_total",
               "Packets left out because the disk was too slow.", stats.record_dropped);
  page.gauge("footlight_media_handover_paths",
             "Ways to clients whose datagrams come to another thread than their session's.",
             counters.handover_paths);
  page.counter("footlight_media_handed_over_total",
               "Datagrams that went from the thread that received them to their session's.",
               counters.handed_over);
  page.counter("footlight_media_copied_total",
               "Packets that went to another thread, once for all who watch there.", stats.copied);
  page.head("footlight_media_cpu_seconds_total", "counter",
            "Processor time of the threads that carry media, whatever else they do.");
  for (size_t i = 0; i < counters.cpu_s.size(); ++i) {
    page.seconds("footlight_media_cpu_seconds_total", "shard=\"" + std::to_string(i) + "\"",
                 static_cast<uint64_t>(counters.cpu_s[i] * 1e6));
  }
  return page.take();
}

}  // namespace footlight::edge
