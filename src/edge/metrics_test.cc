#include "edge/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

namespace footlight::edge {
namespace {

TEST(Metrics, EveryLineIsWellFormedAndEverySeriesHasATypeAndAppearsOnce) {
  EdgeMetrics edge;
  edge.latency_ms[0].record(84);
  edge.confirm_us.record(1'500);
  OwnerMetrics owner;
  owner.commit_us.record(700);
  const EdgeMetrics edges[] = {edge, edge};
  const OwnerMetrics owners[] = {owner};
  const std::string page = render_metrics(edges, owners, {.version = "1"});
  std::istringstream lines(page);
  std::set<std::string> typed;
  std::set<std::string> series;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      std::istringstream words(line.substr(7));
      std::string name;
      words >> name;
      EXPECT_TRUE(typed.insert(name).second) << name;
      continue;
    }
    if (line.starts_with("#")) continue;
    const size_t space = line.rfind(' ');
    ASSERT_NE(space, std::string::npos) << line;
    EXPECT_TRUE(series.insert(line.substr(0, space)).second) << line;
    std::string name = line.substr(0, line.find_first_of("{ "));
    for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
      if (!typed.contains(name) && name.ends_with(suffix)) {
        name.resize(name.size() - suffix.size());
      }
    }
    EXPECT_TRUE(typed.contains(name)) << line;
    EXPECT_EQ(line.find("episode="), std::string::npos) << "no label per episode";
  }
  EXPECT_GT(series.size(), 60u);
}

TEST(Metrics, HistogramsAreCumulativeInSecondsAndSummedOverEdges) {
  EdgeMetrics a;
  a.latency_ms[0].record(84);
  a.latency_ms[0].record(260);
  EdgeMetrics b;
  b.latency_ms[0].record(3);
  const EdgeMetrics edges[] = {a, b};
  const std::string page = render_metrics(edges, {}, {});
  const std::string name = "footlight_client_latency_seconds";
  EXPECT_NE(page.find(name + R"(_bucket{class="vote",le="0.005"} 1)"), std::string::npos);
  EXPECT_NE(page.find(name + R"(_bucket{class="vote",le="0.1"} 2)"), std::string::npos);
  EXPECT_NE(page.find(name + R"(_bucket{class="vote",le="0.25"} 2)"), std::string::npos);
  EXPECT_NE(page.find(name + R"(_bucket{class="vote",le="+Inf"} 3)"), std::string::npos);
  EXPECT_NE(page.find(name + R"(_sum{class="vote"} 0.347)"), std::string::npos);
}

// process.cpu.time (s), process.memory.usage (By), process.open_file_descriptor.count,
// process.uptime (s), by OpenTelemetry's rules for Prometheus.
TEST(Metrics, TheProcessHasTheNamesOfTheSemanticConventions) {
  const std::string page = render_metrics(
      {}, {}, {.version = "1", .uptime_s = 3, .resident_bytes = 4096, .open_fds = 7, .cpu_s = 1.5});
  for (const char* line : {"process_cpu_time_seconds_total 1.5", "process_memory_usage_bytes 4096",
                           "process_open_file_descriptor_count 7", "process_uptime_seconds 3"}) {
    EXPECT_NE(page.find("\n" + std::string(line)), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace footlight::edge
