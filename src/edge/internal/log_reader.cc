#include "edge/internal/log_reader.h"

#include <utility>

namespace footlight::edge {

std::string_view record_kind_name(log::RecordKind kind) {
  switch (kind) {
    case log::RecordKind::kGenesis:
      return "genesis";
    case log::RecordKind::kEvent:
      return "event";
    case log::RecordKind::kBallots:
      return "ballots";
    case log::RecordKind::kEpoch:
      return "epoch";
  }
  return "unknown";
}

void PollNames::genesis(const Json& genesis) {
  ids_.clear();
  for (const Json::Member& poll : genesis["definition"]["polls"].members()) {
    ids_.push_back(poll.first);
  }
}

void PollNames::event(std::string_view payload) {
  if (!payload.starts_with(R"({"k":"poll.created")")) return;
  const auto event = Json::parse(payload);
  if (event) ids_.push_back((*event)["d"]["poll"].as_string());
}

Status StateReader::apply(const log::StoredRecord& record) {
  ballots_.clear();
  if (record.kind == log::RecordKind::kGenesis) {
    if (state_) return fail(Code::kLogCorrupt, "a second genesis");
    auto state = episode::State::from_genesis(record.payload);
    if (!state) return std::unexpected(state.error());
    state_ = std::move(*state);
    return {};
  }
  if (!state_) return fail(Code::kLogCorrupt, "the first record is no genesis");
  if (record.kind == log::RecordKind::kEvent) {
    const episode::Event event{record.at_ms, std::string(as_text(record.payload))};
    return episode::apply(*state_, event, record.seq, nullptr);
  }
  if (record.kind == log::RecordKind::kBallots) {
    if (auto decoded = episode::decode_ballots(record.payload, ballots_); !decoded) return decoded;
    for (const episode::Ballot& ballot : ballots_) {
      if (!episode::apply_ballot(*state_, ballot, record.seq)) {
        return fail(Code::kLogCorrupt, "a ballot does not fit");
      }
    }
  }
  return {};
}

}  // namespace footlight::edge
