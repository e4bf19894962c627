// Snapshot of done commands and of people.
#include "episode/internal/snapshot_parts.h"

namespace footlight::episode {
namespace {

constexpr size_t kMostName = 8192;

bool read_outboxes(ByteReader& in, State::Impl& state) {
  uint64_t outboxes = 0;
  if (!read_count(in, Dedup::kMostOutboxes, 20, outboxes)) return false;
  for (uint64_t i = 0; i < outboxes; ++i) {
    const uint64_t who = in.u64();
    const uint64_t cid = in.u64();
    Dedup::Outbox outbox;
    outbox.newest_log = in.varint();
    uint64_t commands = 0;
    if (!read_count(in, Dedup::kWindow, 10, commands)) return false;
    outbox.done.reserve(commands);
    for (uint64_t j = 0; j < commands; ++j) {
      DoneCommand& done = outbox.done.emplace_back();
      done.i = in.varint();
      done.body = in.u64();
      done.log = in.varint();
      if (done.log > outbox.newest_log) return false;
    }
    if (outbox.newest_log > state.last_log || !in.ok() ||
        !state.dedup.restore({who, cid}, std::move(outbox))) {
      return false;
    }
  }
  return true;
}

bool read_people(ByteReader& in, State::Impl& state) {
  uint64_t count = 0;
  if (!read_count(in, People::kMostPeople, 19, count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    Person person;
    const uint64_t who = in.u64();
    if (!read_text(in, kMostName, person.name)) return false;
    if (!read_enum(in, proto::Role::kProducer, person.role)) return false;
    person.last_chat_ms = read_i64(in);
    person.seen_log = in.varint();
    if (!in.ok() || !is_time(person.last_chat_ms) || person.seen_log > state.last_log ||
        !state.people.restore(who, std::move(person))) {
      return false;
    }
  }
  if (!read_count(in, People::kMostModerated, 18, count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    Moderated entry;
    const uint64_t who = in.u64();
    if (!read_text(in, kMostName, entry.name)) return false;
    entry.muted_until_ms = read_i64(in);
    if (!is_time(entry.muted_until_ms)) return false;
    if (!read_flag(in, entry.banned) || !state.people.restore(who, std::move(entry))) return false;
  }
  return in.ok();
}

}  // namespace

void write_memory(ByteWriter& out, const State::Impl& state) {
  out.varint(state.dedup.outboxes().size());
  for (const auto& [key, outbox] : state.dedup.outboxes()) {
    out.u64(key.first);
    out.u64(key.second);
    out.varint(outbox.newest_log);
    out.varint(outbox.done.size());
    for (const DoneCommand& done : outbox.done) {
      out.varint(done.i);
      out.u64(done.body);
      out.varint(done.log);
    }
  }
  out.varint(state.people.people().size());
  for (const auto& [who, person] : state.people.people()) {
    out.u64(who);
    out.text(person.name);
    out.u8(static_cast<uint8_t>(person.role));
    write_i64(out, person.last_chat_ms);
    out.varint(person.seen_log);
  }
  out.varint(state.people.moderation().size());
  for (const auto& [who, entry] : state.people.moderation()) {
    out.u64(who);
    out.text(entry.name);
    write_i64(out, entry.muted_until_ms);
    out.u8(entry.banned ? 1 : 0);
  }
}

bool read_memory(ByteReader& in, State::Impl& state) {
  return read_outboxes(in, state) && read_people(in, state);
}

}  // namespace footlight::episode
