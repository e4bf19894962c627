// The checkers. While a run goes on the ledger notes what clients were told and checks what can be
// checked at once; at the end it reads the reopened log and holds the two against each other.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "client.h"
#include "core/json.h"
#include "episode/episode.h"
#include "log/log.h"
#include "node.h"

namespace footlight::sim {

// (who, cid, i)
using EventId = std::tuple<uint64_t, uint64_t, uint64_t>;

class Ledger final : public Witness, public NodeWatch {
 public:
  Ledger(const Scheduler& scheduler, bool verbose) : scheduler_(scheduler), verbose_(verbose) {}

  // The first violation; "" when none.
  const std::string& fault() const { return fault_; }
  void fail(std::string what);
  void note(std::string what);
  // How far an edge's steady clock may lie from the machine's after steps back.
  void allow_clock_error_ms(int64_t by_ms) { clock_error_ms_ += by_ms; }

  uint64_t confirmed() const { return confirmed_.size(); }
  uint64_t tallies() const { return tallies_.size(); }
  uint64_t rejected() const { return rejected_.size(); }
  // Of the last delta that anyone of this class saw.
  uint64_t newest_offset(proto::ViewClass view) const {
    return newest_delta_[static_cast<size_t>(view)];
  }

  // Witness
  void saw_frame(const Client& client, std::string_view json) override;
  void saw_welcome(const Client& client, const proto::Welcome& welcome) override;
  void saw_delta(const Client& client, const proto::Delta& delta) override;
  void saw_tally(const Client& client, const proto::TallyUpdate& tally) override;
  void saw_confirmed(const Client& client, const SentEvent& event,
                     const proto::Confirmed& confirmed) override;
  void saw_rejected(const Client& client, const SentEvent& event,
                    const proto::Rejected& rejected) override;
  void saw_deferred(const Client& client, const SentEvent& event,
                    const proto::Rejected& rejected) override;
  void view_is(const Client& client, uint64_t offset, uint64_t view_hash) override;
  void violation(const Client& client, std::string what) override;

  // NodeWatch
  void frame_arrived(uint64_t cid, WallMs edge_ms, std::string_view text) override;
  void node_violation(std::string what) override { fail("node: " + what); }
  void node_note(std::string what) override { note(std::move(what)); }
  void webhook(const edge::WebhookEvent& event, uint64_t durable_seq) override;

  // The producer's API confirmed a command.
  void api_confirmed(uint64_t cid, uint64_t i, uint64_t log) { api_.push_back({cid, i, log}); }
  // From now on a vote that came in time may be lost: an edge or the process dies, a bus is silent.
  void excuse_late_votes() { late_votes_excused_ = true; }

  // Against the log as reopened. `voter_key` makes pseudonyms of accounts; `state` is the replayed
  // one.
  void audit(log::EventLog& log, const std::array<uint8_t, 32>& voter_key,
             const episode::State& state);

 private:
  struct Confirmed {
    std::string account;
    uint64_t cid = 0;
    SentEvent event;
    proto::Confirmed told;
  };
  struct Rejected {
    std::string account;
    uint64_t cid = 0;
    uint64_t i = 0;
    Code code = Code::kOk;
    std::string poll;       // of a vote
    WallMs arrived_ms = 0;  // of a vote: at the edge, the last time
  };
  struct ApiConfirmed {
    uint64_t cid = 0;
    uint64_t i = 0;
    uint64_t log = 0;
  };
  // A viewer's frame that counts for how late it is: a cue, or the hello of a new connection ("").
  struct Report {
    WallMs edge_ms = 0;
    std::string cue;
    int64_t behind_ms = 0;  // at the audit
  };
  // How much longer a viewer may vote at a moment: not below `least`, not beyond `most`.
  struct Allowance {
    int64_t least = 0, most = 0;
  };
  struct Tally {
    std::vector<uint64_t> counts;
    uint64_t voters = 0;
    bool operator==(const Tally&) const = default;
  };
  struct Replay;

  void scan(const Client& client, std::string_view json);
  void replay_event(Replay& replay, const log::StoredRecord& record);
  void replay_ballots(Replay& replay, const log::StoredRecord& record);
  void check_tallies_at(Replay& replay, uint64_t seq);
  void check_result(Replay& replay, uint64_t seq, const std::string& poll, const Json& data);
  void check_confirmed(const Replay& replay);
  void check_rejected(const Replay& replay);
  void list_ballots(const Replay& replay, uint64_t who);
  void read_reports(const std::array<uint8_t, 32>& voter_key);
  Allowance allowance_at(uint64_t cid, WallMs edge_ms, WallMs deadline_ms) const;
  void check_in_time(const Replay& replay, const Rejected& rejected);
  void check_api_and_webhooks(const Replay& replay);
  static bool overtaken(const Replay& replay, const EventId& id);

  const Scheduler& scheduler_;
  bool verbose_;
  std::string fault_;
  int64_t clock_error_ms_ = 5;
  std::vector<Confirmed> confirmed_;
  std::vector<Rejected> rejected_;
  std::vector<ApiConfirmed> api_;
  std::vector<edge::WebhookEvent> webhooks_;
  bool late_votes_excused_ = false;
  // By (log, poll, version): the same version is the same everywhere.
  std::map<std::tuple<uint64_t, std::string, uint64_t>, Tally> tallies_;
  std::map<std::pair<std::string, uint64_t>, Tally> tally_versions_;
  std::map<std::string, Tally> finals_;
  std::array<std::map<uint64_t, uint64_t>, proto::kViewClassCount> view_hashes_;
  std::array<uint64_t, proto::kViewClassCount> newest_delta_{};
  std::map<std::pair<uint64_t, uint64_t>, std::vector<WallMs>> arrivals_;  // (cid, i)
  std::map<uint64_t, std::vector<Report>> reports_;                        // by cid
  proto::ClientDecoder decoder_;
};

}  // namespace footlight::sim
