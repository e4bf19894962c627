#include "crdt/state_vector.h"

#include <algorithm>
#include <utility>

#include "crdt/update_reader.h"

namespace footlight::crdt {
namespace {
bool before(const StateVector::Entry& entry, uint64_t client) { return entry.client < client; }
}  // namespace

StateVector::StateVector(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.client != b.client ? a.client < b.client : a.clock > b.clock;
  });
  const auto end = std::unique(entries_.begin(), entries_.end(),
                               [](const Entry& a, const Entry& b) { return a.client == b.client; });
  entries_.erase(end, entries_.end());
}

uint64_t StateVector::get(uint64_t client) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), client, before);
  return found != entries_.end() && found->client == client ? found->clock : 0;
}

void StateVector::set(uint64_t client, uint64_t clock) {
  if (entries_.empty() || entries_.back().client < client) {
    entries_.push_back({client, clock});
    return;
  }
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), client, before);
  if (found->client == client) {
    found->clock = clock;
  } else {
    entries_.insert(found, {client, clock});
  }
}

void StateVector::write(Encoder& out) const {
  out.var_uint(entries_.size());
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    out.var_uint(entry->client);
    out.var_uint(entry->clock);
  }
}

Bytes StateVector::encode() const {
  Encoder out;
  write(out);
  return out.to_bytes();
}

StateVector StateVector::read(Decoder& in) {
  std::vector<Entry> entries;
  uint64_t left = in.var_uint();
  if (left > in.remaining() / 2) in.fail(Fault::kTruncated);
  for (; left != 0 && in.ok(); --left) {
    const uint64_t client = in.var_uint();
    entries.push_back({client, in.var_uint()});
  }
  if (!in.ok()) return {};
  return StateVector(std::move(entries));
}

Result<StateVector> StateVector::decode(ByteView bytes) {
  if (bytes.empty()) return StateVector{};
  Decoder in(bytes);
  StateVector state = read(in);
  if (in.ok() && !in.at_end()) in.fail(Fault::kTrailing);
  if (!in.ok()) return crdt_fault(in.fault(), "state vector");
  return state;
}

}  // namespace footlight::crdt
