#include "edge/media_metrics.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace footlight::edge {
namespace {

class MediaPage {
 public:
  void head(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "footlight_media_" + std::string(name);
    out_.append("# HELP ").append(name_).append(" ").append(help).append("\n# TYPE ");
    out_.append(name_).append(" ").append(type).append("\n");
  }
  void line(std::string_view labels, const std::string& value) {
    out_.append(name_);
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_.append(" ").append(value).append("\n");
  }
  void line(std::string_view labels, uint64_t value) { line(labels, std::to_string(value)); }
  void gauge(std::string_view name, std::string_view help, uint64_t value) {
    head(name, "gauge", help);
    line("", value);
  }
  void counter(std::string_view name, std::string_view help, uint64_t value) {
    head(name, "counter", help);
    line("", value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string name_, out_;
};

uint64_t whole(int64_t value) { return static_cast<uint64_t>(std::max<int64_t>(0, value)); }

void write_flow(MediaPage& page, const MediaStats& stats) {
  page.gauge("publishers", "Sessions that publish.", stats.publishers);
  page.gauge("watchers", "Sessions that watch.", stats.watchers);
  page.gauge("tracks", "Tracks published.", stats.tracks);
  page.head("streams", "gauge", "Encodings that publishers send, and tracks that are watched.");
  page.line("direction=\"receive\"", stats.streams_in);
  page.line("direction=\"transmit\"", stats.streams_out);
  page.counter("packets_in_total", "Media packets received.", stats.rtp_in);
  page.counter("packets_out_total", "Media packets sent.", stats.rtp_out);
  page.counter("bytes_in_total", "Bytes of media received.", stats.bytes_in);
  page.counter("bytes_out_total", "Bytes of media sent.", stats.bytes_out);
  page.head("bitrate_bits_per_second", "gauge", "Media over the last second.");
  page.line("direction=\"receive\"", whole(stats.bps_in));
  page.line("direction=\"transmit\"", whole(stats.bps_out));
  page.gauge("estimate_bits_per_second", "What the ways to all watchers together seem to carry.",
             whole(stats.estimate_bps));
}

void write_drops(MediaPage& page, const MediaCounters& counters) {
  const MediaStats& stats = counters.stats;
  page.counter("strangers_total", "Datagrams of no session or no protocol.",
               stats.strangers + stats.unknown);
  page.counter("refused_total", "Media packets malformed, forged or replayed.", stats.refused);
  page.counter("unsent_total", "Media packets without a path, keys or room.", stats.unsent);
  page.counter("socket_drops_total", "Datagrams the socket did not take.", counters.socket_drops);
  page.head("dropped_packets_total", "counter", "Packets dropped on their way, by reason.");
  page.line("reason=\"no_memory\"", stats.no_memory);
  page.line("reason=\"unknown_stream\"", stats.unknown_stream);
  page.line("reason=\"unknown_codec\"", stats.unknown_codec);
  page.line("reason=\"duplicate\"", stats.duplicates);
  page.line("reason=\"turn_overflow\"", stats.turn_overflow);
  page.line("reason=\"watcher_queue\"", stats.queue_drops);
}

}  // namespace

std::string media_metrics(const MediaCounters& counters) {
  const MediaStats& stats = counters.stats;
  MediaPage page;
  write_flow(page, stats);
  write_drops(page, counters);
  page.gauge("channels", "Data channels that carry a session.", stats.channels);
  page.counter("channels_opened_total", "Data channels that began to carry a session.",
               stats.channels_opened);
  page.counter("channels_refused_total", "Data channels of another kind, or beyond the one.",
               stats.channels_refused);
  page.gauge("recordings", "Recordings under way.", stats.recordings);
  page.counter("recordings_failed_total", "Recordings that ended by themselves.",
               stats.recordings_failed);
  page.counter("recorded_bytes_total", "Bytes of recordings.", stats.record_bytes);
  page.counter("record_dropped_packets_total", "Packets left out because the disk was too slow.",
               stats.record_dropped);
  page.head("cpu_seconds_total", "counter", "Processor time of the thread that carries media.");
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", counters.cpu_s);
  page.line("", std::string(text));
  return page.take();
}

}  // namespace footlight::edge
