#include "edge/media_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace footlight::edge {
namespace {

using testing::HasSubstr;

TEST(MediaMetrics, TotalsAreTypedOnceAndDropsHaveTheirReason) {
  MediaCounters counters;
  counters.stats.rtp_in = 7;
  counters.stats.streams_out = 3;
  counters.stats.bps_out = 2'500'000;
  counters.stats.estimate_bps = -1;
  counters.stats.unknown_stream = 4;
  counters.stats.no_memory = 5;
  counters.stats.record_bytes = 6;
  counters.cpu_s = {1.25};
  counters.handover_drops = 8;
  counters.stats.rtcp_flood = 9;
  MediaCounters other;
  other.stats.rtp_in = 30;
  other.cpu_s = {0.5};
  counters += other;
  const std::string text = media_metrics(counters);
  for (const char* line :
       {"\nfootlight_media_packets_in_total 37\n",
        "\nfootlight_media_streams{direction=\"transmit\"} 3\n",
        "\nfootlight_media_bitrate_bits_per_second{direction=\"transmit\"} 2500000\n",
        "\nfootlight_media_estimate_bits_per_second 0\n",
        "\nfootlight_media_dropped_packets_total{reason=\"unknown_stream\"} 4\n",
        "\nfootlight_media_dropped_packets_total{reason=\"no_memory\"} 5\n",
        "\nfootlight_media_recorded_bytes_total 6\n",
        "\nfootlight_media_dropped_packets_total{reason=\"handover\"} 8\n",
        "\nfootlight_media_dropped_packets_total{reason=\"rtcp_flood\"} 9\n",
        "\nfootlight_media_cpu_seconds_total{shard=\"0\"} 1.25\n",
        "\nfootlight_media_cpu_seconds_total{shard=\"1\"} 0.5\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  std::istringstream in(text);
  std::string line, typed;
  while (std::getline(in, line)) {
    if (line.starts_with("# TYPE ")) {
      const std::string name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_FALSE(typed.contains(" " + name + " ")) << name;
      typed += " " + name + " ";
      EXPECT_EQ(name.ends_with("_total"), line.ends_with(" counter")) << line;
    }
  }
}

}  // namespace
}  // namespace footlight::edge
