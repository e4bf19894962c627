// Snapshot of polls and registers. Counts are not kept: they are the sum of the registers, and are
// summed again when a snapshot is read.
#include <bit>

#include "episode/internal/snapshot_parts.h"

namespace footlight::episode {
namespace {

using Limits = DefinitionLimits;
constexpr size_t kRegisterBytes = 30;

void put_le(uint8_t*& at, uint64_t value, int size) {
  for (int i = 0; i < size; ++i) *at++ = static_cast<uint8_t>(value >> (8 * i));
}

void write_created(ByteWriter& out, const PollDef& def) {
  out.text(def.id);
  out.text(def.title);
  out.varint(def.options.size());
  for (const OptionDef& option : def.options) out.text(option.label);
  out.u8(def.multiple ? 1 : 0);
  out.varint(def.max);
  write_i64(out, def.seconds);
  out.u8(def.hidden ? 1 : 0);
  out.u8(def.changeable ? 1 : 0);
}

// A poll made live goes through the same checks as when its event was applied.
bool read_created(ByteReader& in, State::Impl& state) {
  PollCreated fact;
  uint64_t options = 0;
  if (!read_text(in, Limits::kIdBytes, fact.poll)) return false;
  if (!read_text(in, 8192, fact.title)) return false;
  if (!read_count(in, Limits::kOptions, 1, options)) return false;
  for (uint64_t i = 0; i < options; ++i) {
    if (!read_text(in, 8192, fact.options.emplace_back())) return false;
  }
  if (!read_flag(in, fact.multiple)) return false;
  fact.max = in.varint();
  fact.seconds = in.u64();
  if (!read_flag(in, fact.hidden) || !read_flag(in, fact.changeable)) return false;
  if (!apply_fact(state.world, state.definition, fact, 0, 0)) return false;
  state.registers.emplace_back();
  return true;
}

void write_registers(Bytes& raw, const RegisterTable& registers) {
  const size_t before = raw.size();
  raw.resize(before + registers.size() * kRegisterBytes);
  uint8_t* at = raw.data() + before;
  registers.visit([&at](const Register& held) {
    put_le(at, unmix_who(held.key), 8);
    put_le(at, held.log_edge, 8);
    put_le(at, held.n, 4);
    put_le(at, held.mask, 4);
    put_le(at, held.edge_rel_ms, 4);
    *at++ = held.weight;
    *at++ = held.flags;
  });
}

bool read_registers(ByteReader& in, PollState& poll, RegisterTable& registers) {
  uint64_t count = 0;
  if (!read_count(in, RegisterTable::kMostVoters, kRegisterBytes, count)) return false;
  if (count == 0) return true;
  if (poll.phase == PollPhase::kReady) return false;
  registers.reserve(count);
  const uint64_t options = poll.counts.size();
  for (uint64_t i = 0; i < count; ++i) {
    Register held;
    held.key = mix_who(in.u64());
    held.log_edge = in.u64();
    held.n = in.u32();
    held.mask = in.u32();
    held.edge_rel_ms = in.u32();
    held.weight = in.u8();
    held.flags = in.u8();
    if (held.n == 0 || held.weight == 0 || static_cast<uint64_t>(held.mask) >> options != 0 ||
        static_cast<uint32_t>(std::popcount(held.mask)) > poll.def->max ||
        !registers.append(held)) {
      return false;
    }
    poll.voters += held.mask != 0 ? 1 : 0;
    poll.late += held.mask != 0 && (held.flags & kLateFlag) != 0 ? 1 : 0;
    for (uint32_t mask = held.mask; mask != 0; mask &= mask - 1) {
      poll.counts[static_cast<size_t>(std::countr_zero(mask))] += held.weight;
    }
  }
  return in.ok();
}

void write_result(ByteWriter& out, const PollResult& result) {
  out.varint(result.log);
  out.bytes(result.chain);
  out.varint(result.chain_log);
}

bool read_poll(ByteReader& in, PollState& poll, RegisterTable& registers) {
  if (!read_enum(in, PollPhase::kClosed, poll.phase)) return false;
  poll.opened_ms = read_i64(in);
  poll.deadline_ms = read_i64(in);
  poll.version = in.u32();
  if (!is_time(poll.opened_ms) || !is_time(poll.deadline_ms)) return false;
  if (!read_registers(in, poll, registers)) return false;
  if (poll.phase != PollPhase::kClosed) return in.ok();
  PollResult result = decide_result(*poll.def, poll.counts, poll.voters);
  result.log = in.varint();
  if (!read_hash(in, result.chain)) return false;
  result.chain_log = in.varint();
  poll.result = result;
  return in.ok();
}

}  // namespace

void write_polls(ByteWriter& out, Bytes& raw, const State::Impl& state) {
  const size_t from_file = state.definition.polls.size();
  out.varint(state.world.polls.size() - from_file);
  for (size_t i = from_file; i < state.world.polls.size(); ++i) {
    write_created(out, *state.world.polls[i].def);
  }
  for (size_t i = 0; i < state.world.polls.size(); ++i) {
    const PollState& poll = state.world.polls[i];
    out.u8(static_cast<uint8_t>(poll.phase));
    write_i64(out, poll.opened_ms);
    write_i64(out, poll.deadline_ms);
    out.u32(poll.version);
    out.varint(state.registers[i].size());
    write_registers(raw, state.registers[i]);
    if (poll.result) write_result(out, *poll.result);
  }
}

bool read_polls(ByteReader& in, State::Impl& state) {
  uint64_t created = 0;
  if (!read_count(in, WorldLimits::kPolls, 16, created)) return false;
  for (uint64_t i = 0; i < created; ++i) {
    if (!read_created(in, state)) return false;
  }
  for (size_t i = 0; i < state.world.polls.size(); ++i) {
    if (!read_poll(in, state.world.polls[i], state.registers[i])) return false;
  }
  return true;
}

}  // namespace footlight::episode
