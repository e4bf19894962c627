// From a log to the state an owner starts with.
#include <optional>
#include <string>
#include <utility>

#include "core/json.h"
#include "edge/owner.h"
#include "episode/fairness.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kSeedName = "dice_seed";
constexpr std::string_view kVoterKeyName = "voter_key";
using Secret = std::array<uint8_t, 32>;

// The secret of that name; one is made when the log has no records yet.
Result<Secret> secret(log::EventLog& log, std::string_view name, bool fresh, Entropy& entropy) {
  auto stored = log.get_secret(name);
  if (!stored) return std::unexpected(stored.error());
  Secret value{};
  if (*stored) {
    if ((*stored)->size() != value.size()) {
      return fail(Code::kLogCorrupt, std::string(name) + " has a wrong size");
    }
    std::copy((*stored)->begin(), (*stored)->end(), value.begin());
    return value;
  }
  // Records without their secret: the rolls to come could not be proven.
  if (!fresh) return fail(Code::kLogCorrupt, std::string(name) + " is missing");
  entropy.fill(value);
  if (auto put = log.put_secret(name, value); !put) return std::unexpected(put.error());
  return value;
}

Status check_genesis(ByteView payload, std::string_view episode) {
  const auto genesis = Json::parse(as_text(payload));
  if (!genesis) return fail(Code::kLogCorrupt, "the genesis record is no JSON");
  const std::string& id = (*genesis)["episode"].as_string();
  if (id == episode) return {};
  return fail(Code::kLogFormat, "the log is of episode \"" + id + "\"");
}

Result<log::Head> make_log(log::EventLog& log, const RecoverOptions& options,
                           const Secret& dice_seed) {
  auto genesis = episode::make_genesis(options.definition, options.episode,
                                       episode::seed_commitment(dice_seed), options.now_ms);
  if (!genesis) return std::unexpected(genesis.error());
  log::Record record;
  record.kind = log::RecordKind::kGenesis;
  record.at_ms = options.now_ms;
  record.payload = std::move(*genesis);
  return log.append(std::span(&record, 1));
}

// Applies records one after another.
class Replayer {
 public:
  explicit Replayer(std::string_view episode) : episode_(episode) {}

  Status start_from(const log::Snapshot& snapshot) {
    auto state = episode::State::from_snapshot(snapshot.state);
    if (!state) return std::unexpected(state.error());
    state_ = std::move(*state);
    view_seq_ = snapshot.seq;
    return {};
  }

  // False: status() says why.
  bool visit(const log::StoredRecord& record) {
    status_ = apply(record);
    if (!status_) status_.error().detail += " at record " + std::to_string(record.seq);
    return status_.has_value();
  }

  const Status& status() const { return status_; }
  std::optional<episode::State>& state() { return state_; }
  uint64_t view_seq() const { return view_seq_; }

 private:
  Status apply(const log::StoredRecord& record) {
    if (record.kind == log::RecordKind::kGenesis) return genesis(record);
    if (!state_) return fail(Code::kLogCorrupt, "the first record is no genesis");
    if (record.kind == log::RecordKind::kEvent) {
      changed_.clear();
      const episode::Event event{record.at_ms, std::string(as_text(record.payload))};
      const Status applied = episode::apply(*state_, event, record.seq, &changed_);
      if (!changed_.empty()) view_seq_ = record.seq;
      return applied;
    }
    if (record.kind == log::RecordKind::kBallots) {
      ballots_.clear();
      if (auto decoded = episode::decode_ballots(record.payload, ballots_); !decoded) {
        return decoded;
      }
      for (const episode::Ballot& ballot : ballots_) {
        if (!episode::apply_ballot(*state_, ballot, record.seq)) {
          return fail(Code::kLogCorrupt, "a ballot does not fit");
        }
      }
    }
    return {};  // kEpoch says nothing of the episode
  }

  Status genesis(const log::StoredRecord& record) {
    if (state_) return fail(Code::kLogCorrupt, "a second genesis");
    if (auto ours = check_genesis(record.payload, episode_); !ours) return ours;
    auto state = episode::State::from_genesis(record.payload);
    if (!state) return std::unexpected(state.error());
    state_ = std::move(*state);
    view_seq_ = record.seq;
    return {};
  }

  std::string_view episode_;
  std::optional<episode::State> state_;
  uint64_t view_seq_ = 0;
  Status status_;
  std::vector<episode::EntityRef> changed_;
  std::vector<episode::Ballot> ballots_;
};

// A snapshot does not say whose log it is; the genesis record does.
Status check_owner(log::EventLog& log, std::string_view episode) {
  Status ours;
  const Status read = log.read(0, [&](const log::StoredRecord& record) {
    ours = check_genesis(record.payload, episode);
    return false;
  });
  return read ? ours : read;
}

}  // namespace

Result<Recovered> recover(log::EventLog& log, const RecoverOptions& options) {
  Recovered out;
  out.created = log.head().seq == 0;
  auto seed = secret(log, kSeedName, out.created, *options.entropy);
  if (!seed) return std::unexpected(seed.error());
  auto voter_key = secret(log, kVoterKeyName, out.created, *options.entropy);
  if (!voter_key) return std::unexpected(voter_key.error());
  out.secrets.dice_seed = *seed;
  out.voter_key = *voter_key;
  if (out.created) {
    if (auto made = make_log(log, options, *seed); !made) return std::unexpected(made.error());
  }

  Replayer replayer(options.episode);
  auto snapshot = log.load_snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  // A snapshot that cannot be read costs time, not the episode: everything is in the records.
  if (*snapshot && replayer.start_from(**snapshot)) {
    if (auto ours = check_owner(log, options.episode); !ours) {
      return std::unexpected(ours.error());
    }
    out.snapshot_seq = (*snapshot)->seq;
  }
  const Status read = log.read(
      out.snapshot_seq, [&](const log::StoredRecord& record) { return replayer.visit(record); });
  if (!read) return std::unexpected(read.error());
  if (!replayer.status()) return std::unexpected(replayer.status().error());
  if (!replayer.state()) return fail(Code::kLogCorrupt, "the log has no genesis");

  out.state = std::move(*replayer.state());
  out.view_seq = replayer.view_seq();
  out.head = log.head();
  out.epoch = log.epoch();
  out.secrets.chain_head = out.head.chain;
  out.secrets.chain_log = out.head.seq;
  return out;
}

}  // namespace footlight::edge
