// What the node counts of media, in Prometheus' text format: see metrics.h for names and units.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "edge/media.h"

namespace footlight::edge {

// Of a shard, as of a second ago at most, or of several.
struct MediaCounters {
  MediaStats stats;
  uint64_t socket_drops = 0;
  uint64_t tcp_connections = 0, tcp_strangers = 0, tcp_drops = 0;
  uint64_t handed_over = 0;  // datagrams that another shard received
  uint64_t handover_drops = 0, handover_paths = 0;
  std::vector<double> cpu_s;  // of each shard's thread, what else it does included
  MediaCounters& operator+=(const MediaCounters& other);
};

std::string media_metrics(const MediaCounters& counters);

}  // namespace footlight::edge
