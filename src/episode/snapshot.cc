// State ↔ canonical bytes. docs/formats/snapshot.md.
#include <algorithm>

#include "episode/internal/genesis.h"
#include "episode/internal/snapshot_parts.h"

namespace footlight::episode {
namespace {

constexpr std::string_view kMagic = "footlight state 1\n";

size_t expected_size(const State::Impl& state) {
  size_t registers = 0;
  for (const RegisterTable& table : state.registers) registers += table.size();
  return state.genesis.payload.size() + 30 * registers + 40 * state.dedup.outboxes().size() +
         64 * state.people.people().size() + 65'536;
}

bool read_state(ByteReader& in, State::Impl& state) {
  state.last_log = in.varint();
  return state.last_log >> 48 == 0 && read_world(in, state) && read_polls(in, state) &&
         read_show(in, state) && read_memory(in, state) && in.ok() && in.remaining() == 0;
}

}  // namespace

Bytes State::snapshot() const {
  Bytes bytes;
  bytes.reserve(expected_size(*impl_));
  ByteWriter out(bytes);
  out.bytes(as_bytes(kMagic));
  out.text(as_text(impl_->genesis.payload));
  out.varint(impl_->last_log);
  write_world(out, *impl_);
  write_polls(out, bytes, *impl_);
  write_show(out, *impl_);
  write_memory(out, *impl_);
  return bytes;
}

Result<State> State::from_snapshot(ByteView bytes) {
  ByteReader in(bytes);
  if (as_text(in.bytes(std::min(kMagic.size(), bytes.size()))) != kMagic) {
    return fail(Code::kLogFormat, "this is no snapshot of a known version");
  }
  Definition definition;
  Result<Genesis> genesis = read_genesis(as_bytes(in.text()), definition);
  if (!genesis) return std::unexpected(genesis.error());
  std::unique_ptr<Impl> impl = initial_state(std::move(*genesis), std::move(definition));
  if (!read_state(in, *impl)) return fail(Code::kLogCorrupt, "the snapshot is malformed");
  State state(std::move(impl));
  // Whatever a reader let pass that no writer writes shows here.
  if (!std::ranges::equal(state.snapshot(), bytes)) {
    return fail(Code::kLogCorrupt, "the snapshot is not in its canonical form");
  }
  return state;
}

Hash256 State::hash() const { return sha256(snapshot()); }

}  // namespace footlight::episode
