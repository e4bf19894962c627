// The shell of the relays (relays.h): asks each of them every so often whether it would serve a
// client, with real credentials and a real allocation (rtc/turn.h), and shows what came of it.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/prng.h"
#include "core/published.h"
#include "core/time.h"
#include "edge/config.h"
#include "edge/relays.h"
#include "net/asio/shard.h"
#include "net/asio/worker.h"

namespace footlight::edge {

// kKeyFile names the relay and what is wrong with its secret.
Result<std::vector<Relay>> load_relays(std::span<const RelayConfig> relays);

// Asks all at once, each at its first address over UDP. Blocks for at most 8 s beyond what the
// names take; any thread that may wait. `stop`: give up when it becomes true.
std::vector<RelayState> ask_relays(std::span<const Relay> relays, const Clock& clock,
                                   Entropy& entropy, const std::atomic<bool>& stop = false);

class NodeRelays final : public net::Resident, public RelaySource {
 public:
  // Before the shard starts. kKeyFile.
  static Result<std::unique_ptr<NodeRelays>> open(const Config& config, net::Shard& shard,
                                                  const Clock& clock, Entropy& entropy);
  ~NodeRelays() override;

  std::shared_ptr<const RelayTable> table() const override { return table_.load(); }
  std::string metrics() const;  // Prometheus' text format; any thread

  // net::Resident
  MonoUs on_turn_end(MonoUs now_us) override;

 private:
  NodeRelays(net::Shard& shard, const Clock& clock, Entropy& entropy);
  void answered(std::vector<RelayState> states);

  net::Shard& shard_;
  const Clock& clock_;
  Entropy& entropy_;
  MonoUs period_us_ = 0, due_us_ = 0;
  bool asking_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> rounds_{0};
  Published<RelayTable> table_;
  std::unique_ptr<net::Worker> worker_;  // last: its jobs use what stands above
};

}  // namespace footlight::edge
