#include "ledger.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/json.h"
#include "gate/cue.h"
#include "gate/token.h"
#include "show.h"

namespace footlight::sim {
namespace {

std::string text_of(const std::vector<uint64_t>& counts) {
  std::string out;
  for (const uint64_t count : counts) out += (out.empty() ? "" : ",") + std::to_string(count);
  return "[" + out + "]";
}

// Enough for the way from an edge to the owner, and for the difference of their clocks.
constexpr int64_t kWayMs = 1'000;

// Polls of the show whose counts only the GM sees until they close.
bool is_hidden_poll(std::string_view poll) { return poll == "hush"; }

bool is_directors_collection(std::string_view name) {
  return name == "cues" || name == "moderation" || name == "log";
}

}  // namespace

// A person's register in a poll, as docs/formats/events.md defines it; written anew here, so that a
// mistake of the engine does not check itself.
struct Ledger::Replay {
  struct Register {
    uint32_t n = 0;
    WallMs edge_ms = 0;
    uint16_t edge = 0;
    uint32_t mask = 0;
    uint8_t weight = 0;
  };
  struct Poll {
    std::map<uint64_t, Register> registers;
    std::vector<uint64_t> counts = std::vector<uint64_t>(32);
    uint64_t voters = 0;
    WallMs opened_ms = 0;
    WallMs deadline_ms = 0;
    bool closed = false;
  };
  struct BallotAt {
    uint64_t log = 0;
    episode::Ballot ballot;
  };
  const episode::State& state;
  uint64_t head = 0;
  std::map<std::string, Poll> polls;
  WallMs ended_ms = INT64_MAX;  // the end of the episode closes its polls
  std::map<EventId, uint64_t> commands;
  std::map<uint64_t, std::string> kinds;  // of the events, by log
  std::multimap<EventId, BallotAt> ballots;
  std::map<std::string, uint64_t> who_of;

  uint64_t who(const std::string& account, const std::array<uint8_t, 32>& key) {
    const auto found = who_of.find(account);
    if (found != who_of.end()) return found->second;
    return who_of[account] = gate::pseudonym(key, account);
  }
};

void Ledger::fail(std::string what) {
  note("VIOLATION " + what);
  if (fault_.empty()) {
    fault_ = "at " + std::to_string(scheduler_.now_us() / kUsPerMs) + " ms: " + std::move(what);
  }
}

void Ledger::note(std::string what) {
  if (!verbose_) return;
  std::printf("%9.3f ms  %s\n", static_cast<double>(scheduler_.now_us()) / 1000.0, what.c_str());
}

void Ledger::violation(const Client& client, std::string what) {
  fail(client.spec().account + "/" + hex_u64(client.spec().cid).substr(12) + ": " +
       std::move(what));
}

void Ledger::saw_frame(const Client& client, std::string_view json) {
  if (client.view_class() != proto::ViewClass::kDirector) scan(client, json);
}

// What the GM alone may see, and scenes that nobody has visited, must not be in a frame at all.
void Ledger::scan(const Client& client, std::string_view json) {
  for (size_t at = json.find("zq-"); at != std::string_view::npos; at = json.find("zq-", at + 1)) {
    const bool scene = json.substr(at).starts_with("zq-vault");
    if (scene && client.view_class() == proto::ViewClass::kPlayer) continue;
    return violation(client, "was shown " + std::string(json.substr(at, 20)));
  }
}

void Ledger::saw_welcome(const Client& client, const proto::Welcome& welcome) {
  if (verbose_) {
    note(client.spec().account + " welcome epoch " + std::to_string(welcome.epoch) + " off " +
         std::to_string(welcome.offset) + (welcome.resumed ? " resumed" : ""));
  }
  if (client.view_class() == proto::ViewClass::kDirector || welcome.resumed) return;
  const auto view = Json::parse(welcome.view);
  if (!view) return;
  for (const auto& [name, entities] : view->members()) {
    if (is_directors_collection(name) && !entities.members().empty()) {
      violation(client, "its view holds " + name);
    }
  }
}

void Ledger::saw_delta(const Client& client, const proto::Delta& delta) {
  uint64_t& newest = newest_delta_[static_cast<size_t>(client.view_class())];
  for (const proto::Patch& patch : delta.patches) {
    if (patch.collection != "cast") newest = std::max(newest, delta.offset);
  }
  if (client.view_class() == proto::ViewClass::kDirector) return;
  for (const proto::Patch& patch : delta.patches) {
    if (is_directors_collection(patch.collection)) {
      violation(client, "was sent a delta of " + std::string(patch.collection));
    }
  }
}

void Ledger::saw_tally(const Client& client, const proto::TallyUpdate& tally) {
  const std::string poll(tally.poll);
  if (is_hidden_poll(poll) && !tally.final && client.view_class() != proto::ViewClass::kDirector) {
    violation(client, "saw a hidden tally");
  }
  const Tally seen{{tally.counts.begin(), tally.counts.end()}, tally.voters};
  const auto [version, fresh] = tally_versions_.try_emplace({poll, tally.version}, seen);
  if (!fresh && version->second != seen) {
    violation(client, "version " + std::to_string(tally.version) + " of " + poll + " is " +
                          text_of(seen.counts) + " and was " + text_of(version->second.counts));
  }
  tallies_.try_emplace({tally.log, poll, tally.version}, seen);
  if (!tally.final) return;
  const auto [final, first] = finals_.try_emplace(poll, seen);
  if (!first && final->second != seen) violation(client, "the final tally of " + poll + " changed");
}

void Ledger::saw_confirmed(const Client& client, const SentEvent& event,
                           const proto::Confirmed& confirmed) {
  const auto cid = client.spec().cid;
  confirmed_.push_back({client.spec().account, cid, event, confirmed});
}

void Ledger::saw_rejected(const Client& client, const SentEvent& event,
                          const proto::Rejected& rejected) {
  if (verbose_) {
    note(client.spec().account + " rejected " + std::string(proto::kind_name(event.kind)) + " " +
         event.args + ": " + std::string(code_name(rejected.code)) + " " +
         std::string(rejected.message));
  }
  Rejected out{client.spec().account, client.spec().cid, event.i, rejected.code, event.poll};
  const auto& arrivals = arrivals_[{out.cid, out.i}];
  if (!arrivals.empty()) out.arrived_ms = arrivals.back();
  rejected_.push_back(std::move(out));
}

void Ledger::saw_deferred(const Client& client, const SentEvent& event,
                          const proto::Rejected& rejected) {
  if (!verbose_) return;
  note(client.spec().account + " deferred " + std::to_string(event.i) + " " +
       std::string(proto::kind_name(event.kind)) + " by " +
       std::to_string(rejected.retry_after_ms) + " ms: " + std::string(code_name(rejected.code)));
}

void Ledger::view_is(const Client& client, uint64_t offset, uint64_t view_hash) {
  auto& hashes = view_hashes_[static_cast<size_t>(client.view_class())];
  const auto [known, fresh] = hashes.try_emplace(offset, view_hash);
  if (!fresh && known->second != view_hash) {
    violation(client, "its view at offset " + std::to_string(offset) + " is not that of others");
  }
}

void Ledger::frame_arrived(uint64_t cid, WallMs edge_ms, std::string_view text) {
  if (text.starts_with("{\"t\":\"hello\"")) reports_[cid].push_back({edge_ms, {}});
  if (text.starts_with("{\"t\":\"watch\"")) {
    const auto report = Json::parse(text);
    if (report) reports_[cid].push_back({edge_ms, (*report)["cue"].as_string()});
  }
  if (!text.starts_with("{\"t\":\"ev\"")) return;
  const auto decoded = decoder_.decode(text);
  const auto* batch = decoded ? std::get_if<proto::EventBatch>(&*decoded) : nullptr;
  if (batch == nullptr) return;
  for (const proto::ClientEvent& event : batch->events) {
    if (event.kind == proto::Kind::kPollVote) arrivals_[{cid, event.i}].push_back(edge_ms);
  }
}

// Against the log ------------------------------------------------------------------------------

void Ledger::audit(log::EventLog& log, const std::array<uint8_t, 32>& voter_key,
                   const episode::State& state) {
  Replay replay{.state = state, .head = log.head().seq};
  for (const Confirmed& each : confirmed_) (void)replay.who(each.account, voter_key);
  for (const Rejected& each : rejected_) (void)replay.who(each.account, voter_key);
  read_reports(voter_key);
  const Status read = log.read(0, [&](const log::StoredRecord& record) {
    if (record.kind == log::RecordKind::kEvent) replay_event(replay, record);
    if (record.kind == log::RecordKind::kBallots) replay_ballots(replay, record);
    check_tallies_at(replay, record.seq);
    return true;
  });
  if (!read) return fail("the log does not read: " + read.error().message());
  if (!tallies_.empty() && std::get<0>(tallies_.rbegin()->first) > replay.head) {
    fail("a tally of records that were never durable was shown");
  }
  for (const auto& hashes : view_hashes_) {
    if (!hashes.empty() && hashes.rbegin()->first > replay.head) {
      fail("a delta of a record that was never durable was shown");
    }
  }
  check_confirmed(replay);
  check_rejected(replay);
  check_api_and_webhooks(replay);
}

void Ledger::webhook(const edge::WebhookEvent& event, uint64_t durable_seq) {
  if (event.log > durable_seq) fail("a webhook told of what is not durable: " + event.type);
  webhooks_.push_back(event);
}

void Ledger::check_api_and_webhooks(const Replay& replay) {
  for (const ApiConfirmed& each : api_) {
    const bool found = std::ranges::any_of(replay.commands, [&](const auto& command) {
      const auto& [who, cid, i] = command.first;
      return cid == each.cid && i == each.i && command.second == each.log;
    });
    if (!found) fail("the API confirmed and it is not in the log: " + std::to_string(each.i));
  }
  for (const edge::WebhookEvent& each : webhooks_) {
    if (each.type == "log.halted") continue;
    const auto kind = replay.kinds.find(each.log);
    if (kind == replay.kinds.end() || kind->second != each.type) {
      fail("a webhook told of " + each.type + ", which is not in the log at " +
           std::to_string(each.log));
    }
  }
}

void Ledger::replay_event(Replay& replay, const log::StoredRecord& record) {
  const auto event = Json::parse(as_text(record.payload));
  if (!event) return fail("record " + std::to_string(record.seq) + " is no JSON");
  const std::string& kind = (*event)["k"].as_string();
  const Json& data = (*event)["d"];
  replay.kinds[record.seq] = kind;
  if (event->find("cid") != nullptr) {
    uint64_t who = 0;
    uint64_t cid = 0;
    parse_hex_u64((*event)["who"].as_string(), who);
    parse_hex_u64((*event)["cid"].as_string(), cid);
    const EventId id{who, cid, static_cast<uint64_t>((*event)["i"].as_int())};
    if (!replay.commands.emplace(id, record.seq).second) {
      fail("applied twice: " + kind + " " + std::to_string(std::get<2>(id)) + " of " +
           hex_u64(cid));
    }
  }
  if (kind == "episode.ended") replay.ended_ms = record.at_ms;
  const std::string& poll = data["poll"].as_string();
  if (kind == "poll.opened") replay.polls[poll].opened_ms = record.at_ms;
  if (kind == "poll.opened" || kind == "poll.closing") {
    replay.polls[poll].deadline_ms = data["deadline_ms"].as_int();
  } else if (kind == "poll.closed") {
    check_result(replay, record.seq, poll, data);
  }
}

void Ledger::check_result(Replay& replay, uint64_t seq, const std::string& poll, const Json& data) {
  Replay::Poll& mine = replay.polls[poll];
  if (mine.closed) fail("poll " + poll + " closed twice");
  mine.closed = true;
  std::vector<uint64_t> counts;
  for (const Json& count : data["counts"].items()) {
    counts.push_back(static_cast<uint64_t>(count.as_int()));
  }
  std::vector<uint64_t> recount = mine.counts;
  recount.resize(counts.size());
  if (recount != counts || mine.voters != static_cast<uint64_t>(data["voters"].as_int())) {
    fail("record " + std::to_string(seq) + ": poll " + poll + " says " + text_of(counts) +
         ", the recount " + text_of(recount));
  }
  const auto shown = finals_.find(poll);
  if (shown != finals_.end() && shown->second != Tally{counts, mine.voters}) {
    fail("the final tally of " + poll + " was shown as " + text_of(shown->second.counts) +
         ", the log says " + text_of(counts));
  }
}

void Ledger::replay_ballots(Replay& replay, const log::StoredRecord& record) {
  std::vector<episode::Ballot> ballots;
  if (!episode::decode_ballots(record.payload, ballots)) {
    return fail("record " + std::to_string(record.seq) + " is no block of ballots");
  }
  for (const episode::Ballot& ballot : ballots) {
    const std::string poll(episode::poll_id(replay.state, ballot.poll));
    Replay::Poll& mine = replay.polls[poll];
    auto& in_force = mine.registers[ballot.who];
    if (std::tie(ballot.n, ballot.edge_ms, ballot.edge) <=
        std::tie(in_force.n, in_force.edge_ms, in_force.edge)) {
      fail("a ballot was applied that does not come into force, at record " +
           std::to_string(record.seq));
    }
    for (size_t o = 0; o < 32; ++o) {
      mine.counts[o] -= (in_force.mask >> o & 1) * in_force.weight;
      mine.counts[o] += uint64_t{ballot.choice_mask >> o & 1} * ballot.weight;
    }
    mine.voters += (ballot.choice_mask != 0) - (in_force.mask != 0);
    in_force = {ballot.n, ballot.edge_ms, ballot.edge, ballot.choice_mask, ballot.weight};
    replay.ballots.emplace(EventId{ballot.who, ballot.cid, ballot.i},
                           Replay::BallotAt{record.seq, ballot});
    const int64_t late_ms = mine.deadline_ms == 0 ? 0 : ballot.edge_ms - mine.deadline_ms;
    const int64_t most_ms = allowance_at(ballot.cid, ballot.edge_ms, mine.deadline_ms).most;
    if (late_ms > most_ms) {
      fail("a vote of " + std::to_string(late_ms) +
           " ms after the deadline counts, of a viewer who had " + std::to_string(most_ms) +
           " ms more");
    }
    const auto& arrivals = arrivals_[{ballot.cid, ballot.i}];
    const bool arrived = std::ranges::any_of(arrivals, [&](WallMs at_ms) {
      // An edge whose clock is behind may get a vote before the poll was opened.
      return std::abs(std::max(at_ms, mine.opened_ms) - ballot.edge_ms) <= clock_error_ms_;
    });
    if (!arrived) {
      std::string times;
      for (const WallMs at_ms : arrivals) times += " " + std::to_string(at_ms);
      fail("a vote is stamped with " + std::to_string(ballot.edge_ms) + ", it arrived at" + times);
    }
  }
}

void Ledger::check_tallies_at(Replay& replay, uint64_t seq) {
  for (auto it = tallies_.lower_bound({seq, "", 0});
       it != tallies_.end() && std::get<0>(it->first) == seq; ++it) {
    const std::string& poll = std::get<1>(it->first);
    const Replay::Poll& mine = replay.polls[poll];
    std::vector<uint64_t> recount = mine.counts;
    recount.resize(it->second.counts.size());
    if (recount != it->second.counts || mine.voters != it->second.voters) {
      fail("the tally of " + poll + " at " + std::to_string(seq) + " was shown as " +
           text_of(it->second.counts) + " by " + std::to_string(it->second.voters) +
           ", the recount is " + text_of(recount) + " by " + std::to_string(mine.voters));
    }
  }
}

// For --verbose: all that a voter has in the log.
void Ledger::list_ballots(const Replay& replay, uint64_t who) {
  for (const auto& [id, at] : replay.ballots) {
    if (std::get<0>(id) != who) continue;
    const auto poll = episode::poll_id(replay.state, at.ballot.poll);
    note("  in the log at " + std::to_string(at.log) + ": who " + hex_u64(at.ballot.who) + " cid " +
         hex_u64(at.ballot.cid) + " " + std::to_string(at.ballot.i) + " " + std::string(poll) +
         " n " + std::to_string(at.ballot.n) + " mask " + std::to_string(at.ballot.choice_mask) +
         " edge " + std::to_string(at.ballot.edge) + " " + std::to_string(at.ballot.edge_ms) +
         " receipt " + to_hex(ByteView(episode::ballot_receipt(at.ballot, poll))));
  }
}

void Ledger::check_confirmed(const Replay& replay) {
  for (const Confirmed& each : confirmed_) {
    const uint64_t who = replay.who_of.at(each.account);
    const std::string name = std::string(proto::kind_name(each.event.kind)) + " " +
                             std::to_string(each.event.i) + " of " + each.account;
    if (each.told.log > replay.head) {
      fail("confirmed and lost: " + name);
      continue;
    }
    if (each.event.kind != proto::Kind::kPollVote) {
      const auto found = replay.commands.find({who, each.cid, each.event.i});
      if (found == replay.commands.end()) {
        fail("confirmed and not in the log: " + name);
      } else if (found->second != each.told.log) {
        fail(name + " stands at " + std::to_string(found->second) + ", confirmed at " +
             std::to_string(each.told.log));
      }
      continue;
    }
    // Of two devices that say the same, one ballot may stand for both.
    bool found = false;
    for (auto it = replay.ballots.lower_bound({who, 0, 0});
         it != replay.ballots.end() && std::get<0>(it->first) == who && !found; ++it) {
      const auto& [log, ballot] = it->second;
      const auto poll = episode::poll_id(replay.state, ballot.poll);
      found = log == each.told.log && poll == each.event.poll && ballot.n == each.event.n &&
              ballot.choice_mask == each.event.choice_mask && each.told.has_receipt &&
              episode::ballot_receipt(ballot, poll) == each.told.receipt;
    }
    if (found) continue;
    fail("confirmed and its receipt is not in the log: " + name + " " + each.event.args + " at " +
         std::to_string(each.told.log) + " " + to_hex(ByteView(each.told.receipt)));
    list_ballots(replay, who);
  }
}

// A ballot that was overtaken while its answer was lost may be refused when it is sent again.
bool Ledger::overtaken(const Replay& replay, const EventId& id) {
  const auto ballot = replay.ballots.find(id);
  if (ballot == replay.ballots.end()) return false;
  const uint32_t poll = ballot->second.ballot.poll;
  const auto registers = replay.polls.find(std::string(episode::poll_id(replay.state, poll)));
  const auto in_force = registers->second.registers.find(std::get<0>(id));
  const episode::Ballot& mine = ballot->second.ballot;
  return std::tie(in_force->second.n, in_force->second.edge_ms, in_force->second.edge) >
         std::tie(mine.n, mine.edge_ms, mine.edge);
}

void Ledger::read_reports(const std::array<uint8_t, 32>& voter_key) {
  for (auto& [cid, reports] : reports_) {
    for (Report& each : reports) {
      if (each.cue.empty()) continue;
      const auto shown_ms = gate::read_cue(ByteView(voter_key), kEpisode, each.cue);
      if (!shown_ms) return fail("an honest viewer's cue does not read");
      each.behind_ms = std::clamp<int64_t>(each.edge_ms - *shown_ms, 0, gate::CueDelay::kMostMs);
    }
  }
}

// Stated anew, and as bounds: a delay falls at once to what was said last, and counts no longer
// back than it has been said on this connection. Whoever said one steadily since before the
// deadline has it.
Ledger::Allowance Ledger::allowance_at(uint64_t cid, WallMs edge_ms, WallMs deadline_ms) const {
  constexpr int64_t kPollsMs = 3'000;
  Allowance out;
  const auto found = reports_.find(cid);
  if (found == reports_.end()) return out;
  WallMs first_ms = 0, before_first_ms = 0;
  int64_t smallest_ms = gate::CueDelay::kMostMs, before_most_ms = 0;
  for (const Report& each : found->second) {
    if (each.edge_ms > edge_ms + clock_error_ms_) break;
    if (each.cue.empty()) {
      // What was under way on the connection before may come after this.
      before_first_ms = first_ms;
      before_most_ms = out.most;
      first_ms = 0;
      smallest_ms = gate::CueDelay::kMostMs;
      out.most = 0;
      continue;
    }
    if (first_ms == 0) first_ms = each.edge_ms;
    smallest_ms = std::min(smallest_ms, each.behind_ms);
    // What comes in the same moment as the vote may have been before or after it.
    const bool same = edge_ms - each.edge_ms <= 2 * clock_error_ms_;
    out.most = same ? std::max(out.most, each.behind_ms) : each.behind_ms;
  }
  const auto bound = [&](int64_t said_ms, WallMs since_ms) {
    return since_ms == 0 ? 0 : std::min({said_ms, edge_ms - since_ms, kPollsMs});
  };
  out.most = std::max(bound(out.most, first_ms), bound(before_most_ms, before_first_ms));
  if (out.most > 0) out.most += 2 * clock_error_ms_;
  if (first_ms == 0) return out;
  const int64_t claimed_ms = edge_ms - first_ms;
  if (first_ms + kWayMs <= deadline_ms) {
    out.least =
        std::max<int64_t>(std::min({smallest_ms, claimed_ms, kPollsMs}) - clock_error_ms_, 0);
  }
  return out;
}

// A vote counts when an edge received it no later than the deadline, or so much later as this
// viewer's picture is, whatever came between. The end of the episode waits for nobody: what was on
// its way to the owner then may be refused.
void Ledger::check_in_time(const Replay& replay, const Rejected& rejected) {
  if (late_votes_excused_ || rejected.code != Code::kPollClosed || rejected.poll.empty()) return;
  const auto poll = replay.polls.find(rejected.poll);
  if (poll == replay.polls.end() || poll->second.deadline_ms == 0) return;
  const WallMs deadline_ms = poll->second.deadline_ms;
  const int64_t more_ms = allowance_at(rejected.cid, rejected.arrived_ms, deadline_ms).least;
  const WallMs end_ms = std::min(deadline_ms + more_ms, replay.ended_ms - kWayMs);
  const WallMs early_ms = end_ms - rejected.arrived_ms;
  if (early_ms > clock_error_ms_) {
    fail("a vote in " + rejected.poll + " came " + std::to_string(early_ms) +
         " ms before its end and was refused as late: " + std::to_string(rejected.i) + " of " +
         rejected.account);
  }
}

void Ledger::check_rejected(const Replay& replay) {
  for (const Rejected& each : rejected_) {
    const EventId id{replay.who_of.at(each.account), each.cid, each.i};
    if (!replay.commands.contains(id) && !replay.ballots.contains(id)) {
      check_in_time(replay, each);
      continue;
    }
    if (overtaken(replay, id)) continue;
    fail("rejected with " + std::string(code_name(each.code)) + " and in the log all the same: " +
         std::to_string(each.i) + " of " + each.account + "/" + hex_u64(each.cid));
    list_ballots(replay, std::get<0>(id));
  }
}

}  // namespace footlight::sim
