// The parts of a snapshot, a writer and a reader each (docs/formats/snapshot.md). A reader checks
// everything the rest of the room relies on; what it lets through twice is found at the end, where
// the snapshot of what was read must be the very bytes that were read.
#pragma once
#include "core/bytes.h"
#include "episode/internal/impl.h"

namespace footlight::episode {

// Every read_ returns false on a fault; in.ok() need not be looked at before.
void write_world(ByteWriter& out, const State::Impl& state);
bool read_world(ByteReader& in, State::Impl& state);
void write_polls(ByteWriter& out, Bytes& raw, const State::Impl& state);
bool read_polls(ByteReader& in, State::Impl& state);
void write_show(ByteWriter& out, const State::Impl& state);
bool read_show(ByteReader& in, State::Impl& state);
void write_memory(ByteWriter& out, const State::Impl& state);
bool read_memory(ByteReader& in, State::Impl& state);

// Integers of either sign, as two's complement.
inline void write_i64(ByteWriter& out, int64_t value) { out.u64(static_cast<uint64_t>(value)); }
inline int64_t read_i64(ByteReader& in) { return static_cast<int64_t>(in.u64()); }
inline bool read_flag(ByteReader& in, bool& out) {
  const uint8_t value = in.u8();
  out = value == 1;
  return value <= 1;
}
// A count of things that take `least_bytes` each at least, so that a reader never reserves more
// than there can be.
inline bool read_count(ByteReader& in, uint64_t most, size_t least_bytes, uint64_t& out) {
  out = in.varint();
  return in.ok() && out <= most && out <= in.remaining() / least_bytes;
}
inline bool read_text(ByteReader& in, size_t most, std::string& out) {
  const std::string_view text = in.text();
  if (!in.ok() || text.size() > most) return false;
  out = text;
  return true;
}
inline bool read_hash(ByteReader& in, Hash256& out) {
  const ByteView bytes = in.bytes(out.size());
  if (!in.ok()) return false;
  for (size_t i = 0; i < out.size(); ++i) out[i] = bytes[i];
  return true;
}
template <class Enum>
bool read_enum(ByteReader& in, Enum last, Enum& out) {
  const uint8_t value = in.u8();
  out = static_cast<Enum>(value);
  return in.ok() && value <= static_cast<uint8_t>(last);
}

}  // namespace footlight::episode
