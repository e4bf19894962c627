#include "crdt/awareness.h"

#include <algorithm>

#include "crdt/any.h"
#include "crdt/lib0.h"

namespace footlight::crdt {
namespace {

struct RawEntry {
  uint64_t client = 0;
  uint64_t clock = 0;
  std::string_view json;
};

// Visits each entry of an update; the JSON's size and form are checked, and it is shown as
// JSON.stringify writes it.
template <class Visit>
Status read_entries(ByteView update, const AwarenessLimits& limits, Visit&& visit) {
  Decoder in(update);
  const uint64_t count = in.var_uint();
  if (in.ok() && count > limits.entries) return fail(Code::kBoardAwareness, "too many entries");
  std::string rewritten;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    RawEntry entry;
    entry.client = in.var_uint();
    entry.clock = in.var_uint();
    entry.json = in.var_text();
    if (!in.ok()) break;
    const auto too_large = [&] {
      return fail(Code::kBoardAwareness,
                  "at most " + std::to_string(limits.state_bytes) + " bytes");
    };
    if (entry.json.size() > limits.state_bytes) return too_large();
    bool canonical = false;
    if (const Fault fault = check_json(entry.json, canonical); fault != Fault::kNone) {
      return fail(Code::kBoardMalformed, "awareness: " + std::string(fault_text(fault)));
    }
    if (!canonical) {
      rewritten = parse_json(entry.json)->to_json();
      entry.json = rewritten;
      if (entry.json.size() > limits.state_bytes) return too_large();
    }
    visit(entry);
  }
  if (!in.ok()) return fail(Code::kBoardMalformed, std::string(fault_text(in.fault())));
  if (!in.at_end()) return fail(Code::kBoardMalformed, std::string(fault_text(Fault::kTrailing)));
  return {};
}

bool is_null(std::string_view json) { return json == "null"; }

}  // namespace

Result<std::vector<Awareness::Entry>> Awareness::entries(ByteView update) const {
  std::vector<Entry> out;
  const Status read = read_entries(update, limits_, [&](const RawEntry& entry) {
    out.push_back({entry.client, is_null(entry.json)});
  });
  if (!read) return std::unexpected(read.error());
  return out;
}

Status Awareness::apply(ByteView update, MonoUs now_us, const std::function<bool(uint64_t)>& may,
                        std::vector<uint64_t>& changed) {
  size_t added = 0;
  const Status checked = read_entries(update, limits_, [&](const RawEntry& entry) {
    if (!is_null(entry.json) && !has(entry.client)) ++added;
  });
  if (!checked) return checked;
  if (present_ + added > limits_.states) return fail(Code::kBoardAwareness, "too many are here");
  return read_entries(update, limits_, [&](const RawEntry& entry) {
    if (!may(entry.client)) return;
    const bool removal = is_null(entry.json);
    const auto known = states_.find(entry.client);
    // y-protocols starts every client at clock 0 and takes what is higher.
    if (known == states_.end() && entry.clock == 0) return;
    if (known == states_.end() && removal) {
      // Nobody left, but an older state that arrives late stays out.
      if (states_.size() < 2 * limits_.states) states_[entry.client].clock = entry.clock;
      return;
    }
    State& state = known == states_.end() ? states_[entry.client] : known->second;
    const bool newer = entry.clock > state.clock;
    const bool removes = entry.clock == state.clock && removal && state.present;
    if (!newer && !removes) return;
    bytes_ -= state.json.size();
    present_ -= state.present ? 1 : 0;
    state.clock = entry.clock;
    state.present = !removal;
    state.json = removal ? std::string() : std::string(entry.json);
    state.renewed_us = now_us;
    bytes_ += state.json.size();
    present_ += state.present ? 1 : 0;
    changed.push_back(entry.client);
  });
}

bool Awareness::remove(uint64_t client) {
  const auto known = states_.find(client);
  if (known == states_.end() || !known->second.present) return false;
  bytes_ -= known->second.json.size();
  known->second.json.clear();
  known->second.present = false;
  --present_;
  forget_absent();
  return true;
}

void Awareness::expire(MonoUs now_us, std::vector<uint64_t>& changed) {
  for (auto& [client, state] : states_) {
    if (!state.present || now_us - state.renewed_us < limits_.timeout_us) continue;
    bytes_ -= state.json.size();
    state.json.clear();
    state.present = false;
    --present_;
    changed.push_back(client);
  }
  forget_absent();
}

// Clocks of those who left are kept while they are few; a client that comes back counts on.
void Awareness::forget_absent() {
  if (states_.size() <= 2 * limits_.states) return;
  std::erase_if(states_, [](const auto& each) { return !each.second.present; });
}

MonoUs Awareness::next_due_us() const {
  MonoUs due_us = kNever;
  for (const auto& [client, state] : states_) {
    if (state.present) due_us = std::min(due_us, state.renewed_us + limits_.timeout_us);
  }
  return due_us;
}

bool Awareness::has(uint64_t client) const {
  const auto known = states_.find(client);
  return known != states_.end() && known->second.present;
}

std::vector<uint64_t> Awareness::present() const {
  std::vector<uint64_t> out;
  for (const auto& [client, state] : states_) {
    if (state.present) out.push_back(client);
  }
  return out;
}

Bytes Awareness::encode(const std::vector<uint64_t>& clients) const {
  Encoder out;
  size_t count = 0;
  for (const uint64_t client : clients) count += states_.contains(client);
  out.var_uint(count);
  for (const uint64_t client : clients) {
    const auto known = states_.find(client);
    if (known == states_.end()) continue;
    out.var_uint(client);
    out.var_uint(known->second.clock);
    out.var_text(known->second.present ? std::string_view(known->second.json) : "null");
  }
  return out.to_bytes();
}

}  // namespace footlight::crdt
