#include "edge/replay.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/json.h"
#include "edge/internal/board_state.h"
#include "edge/internal/log_reader.h"
#include "edge/internal/recount.h"
#include "episode/definition.h"
#include "episode/fairness.h"

namespace footlight::edge {
namespace {

constexpr size_t kMostFaults = 100;

// docs/formats/event-log.md, Chain.
Hash256 chain_of(const Hash256& before, const log::StoredRecord& record) {
  Bytes head;
  ByteWriter out(head);
  out.bytes(before);
  out.u64(record.seq);
  out.u8(static_cast<uint8_t>(record.kind));
  out.u64(static_cast<uint64_t>(record.at_ms));
  Sha256 sha;
  sha.update(head);
  sha.update(record.payload);
  return sha.finish();
}

bool hash_from(const std::string& hex, Hash256& out) {
  Bytes bytes;
  if (!from_hex(hex, bytes) || bytes.size() != out.size()) return false;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return true;
}

struct Roll {
  uint64_t seq = 0;
  std::string payload;
};

class Verifier {
 public:
  explicit Verifier(log::EventLog& log) : log_(log) {}

  Result<VerifyReport> run() {
    auto snapshot = log_.load_snapshot();
    if (snapshot && *snapshot) snapshot_ = std::move(**snapshot);
    const Status read = log_.read(0, [this](const log::StoredRecord& record) {
      visit(record);
      return !gave_up_;
    });
    if (!read) {
      if (read.error().code != Code::kLogCorrupt) return std::unexpected(read.error());
      fault(0, read.error().detail.empty() ? "the log is damaged" : read.error().detail);
    }
    if (report_.records == 0) fault(0, "the log is empty");
    if (reader_.state()) report_.state_hash = reader_.state()->hash();
    report_.chain = chain_;
    check_rolls();
    report_.ok = report_.faults.empty();
    return std::move(report_);
  }

 private:
  void fault(uint64_t seq, std::string sentence) {
    if (report_.faults.size() >= kMostFaults) return;
    if (seq > 0) sentence = "record " + std::to_string(seq) + ": " + sentence;
    report_.faults.push_back(std::move(sentence));
  }

  void visit(const log::StoredRecord& record) {
    ++report_.records;
    if (record.seq != report_.records) fault(record.seq, "a record is missing before it");
    chain_ = chain_of(chain_, record);
    if (chain_ != record.chain) {
      fault(record.seq, "the hash chain is broken");
      gave_up_ = true;  // every later one would be broken too
      return;
    }
    chains_.push_back(chain_);
    if (const Status applied = reader_.apply(record); !applied) {
      fault(record.seq, applied.error().detail);
      gave_up_ = true;
      return;
    }
    switch (record.kind) {
      case log::RecordKind::kGenesis:
        return genesis(record);
      case log::RecordKind::kEvent:
        ++report_.events;
        event(record);
        break;
      case log::RecordKind::kBallots:
        report_.ballots += reader_.ballots().size();
        for (const episode::Ballot& ballot : reader_.ballots()) {
          recount_.ballot(ballot, found_);
        }
        take(record.seq);
        break;
      case log::RecordKind::kEpoch:
        break;
    }
    if (record.seq == snapshot_.seq) compare_snapshot();
  }

  void take(uint64_t seq) {
    for (std::string& sentence : found_) fault(seq, std::move(sentence));
    found_.clear();
  }

  void genesis(const log::StoredRecord& record) {
    const auto json = Json::parse(as_text(record.payload));
    if (!json) return fault(record.seq, "the genesis is no JSON");
    report_.episode = (*json)["episode"].as_string();
    if (!hash_from((*json)["seed_commit"].as_string(), commitment_)) {
      fault(record.seq, "there is no commitment to the dice seed");
    }
    auto definition = episode::parse_definition((*json)["definition"].dump());
    if (!definition) return fault(record.seq, definition.error().detail);
    report_.title = definition->title;
    crit_ = definition->crit;
    for (episode::PollDef& poll : definition->polls) recount_.add_poll(std::move(poll));
  }

  void event(const log::StoredRecord& record) {
    const std::string_view payload = as_text(record.payload);
    const auto json = Json::parse(payload);
    if (!json) return fault(record.seq, "the event is no JSON");
    const std::string& kind = (*json)["k"].as_string();
    const Json& data = (*json)["d"];
    if (kind == "poll.created") {
      recount_.created(data);
    } else if (kind == "poll.opened" || kind == "poll.closing") {
      recount_.opened(data, found_);
    } else if (kind == "poll.closed") {
      recount_.closed(data, found_);
      report_.polls = recount_.compared();
      anchor(record.seq, data);
    } else if (kind == "dice.rolled") {
      rolls_.push_back({record.seq, std::string(payload)});
      ++report_.rolls;
    } else if (kind == "episode.ended") {
      report_.seed_revealed = true;
      reveal(record.seq, data);
      anchor(record.seq, data);
    }
    take(record.seq);
  }

  // A chain value that was published stands in the log at its place.
  void anchor(uint64_t seq, const Json& data) {
    const auto at = static_cast<uint64_t>(data["chain_log"].as_int());
    if (at == 0) return;
    Hash256 published{};
    if (at >= seq || at > chains_.size() || !hash_from(data["chain"].as_string(), published) ||
        published != chains_[at - 1]) {
      fault(seq, "the chain value published with it is not that of record " + std::to_string(at));
    }
  }

  void reveal(uint64_t seq, const Json& data) {
    Hash256 seed{};
    if (!hash_from(data["seed"].as_string(), seed)) return fault(seq, "the seed is malformed");
    if (episode::seed_commitment(seed) != commitment_) {
      return fault(seq, "the revealed seed is not the one committed to");
    }
    seed_ = seed;
  }

  void compare_snapshot() {
    report_.snapshot_seq = snapshot_.seq;
    if (reader_.state()->snapshot() != snapshot_.state) {
      fault(snapshot_.seq, "the snapshot differs from the replayed state");
    }
  }

  void check_rolls() {
    if (!seed_) return;
    for (const Roll& each : rolls_) {
      if (check_roll(each)) ++report_.rolls_checked;
    }
  }

  bool check_roll(const Roll& each) {
    const auto json = Json::parse(each.payload);
    if (!json) return false;
    const Json& data = (*json)["d"];
    const auto wrong = [&](std::string why) {
      fault(each.seq, "the roll " + std::move(why));
      return false;
    };
    episode::Dialect dialect{};
    if (!episode::parse_dialect(data["dialect"].as_string(), dialect)) {
      return wrong("has no dialect");
    }
    const auto expr = episode::parse_dice(data["expr"].as_string(), dialect);
    if (!expr) return wrong("has an expression that cannot be read");
    episode::FairDice dice(*seed_, report_.episode, static_cast<uint64_t>(data["n"].as_int()),
                           data["nonce"].as_string());
    const auto result = episode::roll(*expr, dice, crit_);
    if (!result) return wrong("cannot be rolled");
    Hash256 hash{};
    if (!hash_from(data["hash"].as_string(), hash) || hash != dice.fingerprint()) {
      return wrong("has another fingerprint than the seed gives");
    }
    const auto& published = data["dice"].items();
    bool same = published.size() == result->dice.size() &&
                data["total"].as_int() == result->total &&
                data["crit"].as_string() == episode::crit_name(result->crit);
    for (size_t i = 0; same && i < published.size(); ++i) {
      const episode::Die& die = result->dice[i];
      const Json& shown = published[i];
      same = shown["sides"].as_int() == die.sides && shown["value"].as_int() == die.value &&
             shown["kept"].as_bool() == die.kept && shown["exploded"].as_bool() == die.exploded &&
             shown["rerolled"].as_bool() == die.rerolled;
    }
    return same || wrong("came out otherwise than the seed gives");
  }

  log::EventLog& log_;
  VerifyReport report_;
  StateReader reader_;
  Recount recount_;
  Recount::Faults found_;
  log::Snapshot snapshot_;
  Hash256 chain_{};
  std::vector<Hash256> chains_;
  Hash256 commitment_{};
  std::optional<episode::DiceSeed> seed_;
  episode::CritRule crit_;
  std::vector<Roll> rolls_;
  bool gave_up_ = false;
};

// Boards stand beside the chain: what can be checked is that each is whole.
Status verify_boards(log::EventLog& log, VerifyReport& report) {
  if (log.boards() == nullptr) return {};
  const auto names = log.boards()->names();
  if (!names) return std::unexpected(names.error());
  for (const std::string& name : *names) {
    auto file = log.boards()->load(name, UINT64_MAX);
    const auto whole = file ? load_board(*file) : std::unexpected(file.error());
    if (whole) {
      ++report.boards;
    } else {
      report.ok = false;
      report.faults.push_back("board " + name + ": " + whole.error().message());
    }
  }
  return {};
}

}  // namespace

Result<VerifyReport> verify_log(log::EventLog& log) {
  auto report = Verifier(log).run();
  if (!report) return report;
  if (auto ok = verify_boards(log, *report); !ok) return std::unexpected(ok.error());
  return report;
}

Result<std::vector<StoryLine>> timeline(log::EventLog& log) {
  std::vector<StoryLine> lines;
  StateReader reader;
  PollNames polls;
  std::map<std::string, uint64_t> ballots;  // since the last event
  StoryLine waiting;
  Status status;
  const auto tell_ballots = [&] {
    for (const auto& [poll, count] : ballots) {
      waiting.text = std::to_string(count) + (count == 1 ? " ballot in " : " ballots in ") + poll;
      lines.push_back(waiting);
    }
    ballots.clear();
  };
  const Status read = log.read(0, [&](const log::StoredRecord& record) {
    status = reader.apply(record);
    if (!status) return false;
    if (record.kind == log::RecordKind::kBallots) {
      if (ballots.empty()) waiting = {record.seq, record.at_ms, "ballots", {}};
      for (const auto& ballot : reader.ballots()) ++ballots[std::string(polls.of(ballot.poll))];
      return true;
    }
    tell_ballots();
    StoryLine line{record.seq, record.at_ms, std::string(record_kind_name(record.kind)), {}};
    const auto json = Json::parse(as_text(record.payload));
    if (record.kind == log::RecordKind::kGenesis && json) {
      polls.genesis(*json);
      line.text = (*json)["definition"]["title"].as_string();
    } else if (record.kind == log::RecordKind::kEpoch && json) {
      line.text = "owner " + std::to_string((*json)["epoch"].as_int()) + " took over";
    } else if (json) {
      polls.event(as_text(record.payload));
      line.kind = (*json)["k"].as_string();
      // The words of the console's log tail.
      const auto shown = Json::parse(episode::encode_entity(
          *reader.state(), proto::ViewClass::kDirector, "log", std::to_string(record.seq)));
      if (shown) line.text = (*shown)["text"].as_string();
    }
    lines.push_back(std::move(line));
    return true;
  });
  if (!read) return std::unexpected(read.error());
  if (!status) return std::unexpected(status.error());
  tell_ballots();
  return lines;
}

}  // namespace footlight::edge
