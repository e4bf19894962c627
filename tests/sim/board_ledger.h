// The checkers of the boards: what clients were told is held against what the reopened log has, and
// the documents of all against each other.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "board_client.h"
#include "episode/episode.h"
#include "ledger.h"
#include "log/log.h"

namespace footlight::sim {

class BoardLedger final : public BoardWatch {
 public:
  explicit BoardLedger(Ledger& ledger) : ledger_(ledger) {}
  void board_violation(std::string what) override { ledger_.fail("board: " + what); }
  void board_confirmed(const std::string& mark) override;
  void board_refused(const std::string& mark) override { refused_.insert(mark); }

  // Against the log as reopened and the state as replayed: nothing confirmed is lost, nothing
  // stands twice, nothing refused left a trace, all replicas are equal, and what mirrors the
  // episode shows what it says.
  void audit(log::EventLog& log, const episode::State& state,
             const std::vector<std::unique_ptr<BoardClient>>& clients);
  size_t confirmed() const { return confirmed_.size(); }

 private:
  void check_marks(const Json& content);
  void check_mirrors(const Json& content, const episode::State& state);

  Ledger& ledger_;
  std::set<std::string> confirmed_;
  std::set<std::string> refused_;
};

}  // namespace footlight::sim
