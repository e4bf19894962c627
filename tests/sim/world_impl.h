// The parts of a run, in files by concern: world.cc (the run and its end), world_people.cc (clients
// and what else talks to the node), world_chaos.cc (faults, crashes, restarts).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "board_ledger.h"
#include "client.h"
#include "ledger.h"
#include "node.h"
#include "scheduler.h"
#include "script.h"
#include "vandal.h"
#include "world.h"

namespace footlight::sim {

class World {
 public:
  explicit World(const RunOptions& options)
      : options_(options), random_(options.seed), ledger_(scheduler_, options.verbose) {}
  RunResult run();

 private:
  // world.cc
  void plan();
  bool at_rest();
  bool run_until(MonoUs until_us, bool stop_at_rest);
  void settle();
  std::string who_waits() const;
  void compare_views(const episode::State& state);
  void finish(RunResult& result);

  // world_people.cc
  void add_people();
  Client& add_client(const std::string& account, proto::Role role,
                     std::vector<std::string> characters);
  std::string token(const std::string& account, proto::Role role,
                    const std::vector<std::string>& characters, int64_t expires_s);
  LinkQuality link_quality();
  void call_api();
  void add_board_clients();

  // world_chaos.cc
  void plan_faults();
  void fault(uint64_t kind);
  void start_node();
  void died();
  void crash(bool power);
  void restart_after(MonoUs delay_us);
  void repair_disk();
  void drain_and_restart();
  void close_when_drained(MonoUs patience_until_us);
  void watch_halt();
  void storm_at_close();
  void heal();

  RunOptions options_;
  Scheduler scheduler_;
  Prng random_;
  Ledger ledger_;
  std::unique_ptr<Node> node_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Vandal>> vandals_;
  BoardLedger board_ledger_{ledger_};
  std::vector<std::unique_ptr<BoardClient>> board_clients_;
  std::unique_ptr<Script> script_;
  MonoUs show_us_ = 0;
  MonoUs heal_us_ = 0;
  bool restart_planned_ = false;
  bool draining_ = false;
  bool healed_ = false;
  bool slow_links_ = false;
  bool storms_ = false;
  bool watches_late_ = false;
  WallMs stormed_deadline_ms_ = 0;
  uint64_t api_calls_ = 0;
};

}  // namespace footlight::sim
