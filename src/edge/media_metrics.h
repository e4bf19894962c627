// What the node counts of media, in Prometheus' text format: see metrics.h for names and units.
#pragma once
#include <cstdint>
#include <string>

#include "edge/media.h"

namespace footlight::edge {

// As of a second ago at most.
struct MediaCounters {
  MediaStats stats;
  uint64_t socket_drops = 0;
  uint64_t tcp_connections = 0, tcp_strangers = 0, tcp_drops = 0;
  double cpu_s = 0;  // of the shard's thread, what else it does included
};

std::string media_metrics(const MediaCounters& counters);

}  // namespace footlight::edge
