// Ballots: the hot path, their block in the log, the voter's receipt. docs/formats/events.md.
#include <algorithm>
#include <bit>

#include "core/assert.h"
#include "episode/internal/impl.h"

namespace footlight::episode {
namespace {

constexpr uint8_t kBlockVersion = 1;
constexpr uint64_t kMostBallots = 65'536;
constexpr std::string_view kReceiptTag{"footlight ballot 1\0", 19};

uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

void put_be(uint8_t*& at, uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) *at++ = static_cast<uint8_t>(value >> (8 * i));
}

uint32_t since_opening(const PollState& poll, WallMs edge_ms) {
  if (edge_ms <= poll.opened_ms) return 0;  // both ends of the difference are positive now
  return static_cast<uint32_t>(std::min<int64_t>(edge_ms - poll.opened_ms, UINT32_MAX));
}

// (n, edge_ms, edge) of a ballot of the log against what is in force: > 0 later, 0 the same. Time
// and edge tell apart only ballots of logs of before a number was taken once.
int compare(const Ballot& ballot, uint32_t rel_ms, const Register& held) {
  if (ballot.n != held.n) return ballot.n > held.n ? 1 : -1;
  if (rel_ms != held.edge_rel_ms) return rel_ms > held.edge_rel_ms ? 1 : -1;
  if (ballot.edge != held.edge()) return ballot.edge > held.edge() ? 1 : -1;
  return 0;
}

void weigh(PollState& poll, const Register& held, bool add) {
  uint32_t mask = held.mask;
  const uint64_t weight = held.weight;
  if (mask == 0) return;
  poll.voters += add ? 1 : uint64_t{0} - 1;
  if ((held.flags & kLateFlag) != 0) poll.late += add ? 1 : uint64_t{0} - 1;
  for (; mask != 0; mask &= mask - 1) {
    uint64_t& count = poll.counts[static_cast<size_t>(std::countr_zero(mask))];
    count += add ? weight : 0 - weight;
  }
}

uint32_t valid_mask(const PollDef& def) {
  return static_cast<uint32_t>((uint64_t{1} << def.options.size()) - 1);
}

Status check_choice(const PollState& poll, const Ballot& ballot) {
  const PollDef& def = *poll.def;
  if ((ballot.choice_mask & ~valid_mask(def)) != 0) {
    return fail(Code::kOptionUnknown,
                "poll " + def.id + " has " + std::to_string(def.options.size()) + " options");
  }
  if (static_cast<uint32_t>(std::popcount(ballot.choice_mask)) > def.max) {
    return fail(Code::kTooManyChoices, "at most " + std::to_string(def.max));
  }
  if (ballot.n == 0) return fail(Code::kFieldOutOfRange, "n");
  return {};
}

// Sets kLateFlag when only the delay with which the voter sees the program lets it count.
Status check_time(const State::Impl& state, const PollState& poll, Ballot& ballot,
                  uint32_t behind_ms) {
  if (poll.phase == PollPhase::kReady) {
    return fail(
        state.world.phase == Phase::kWaiting ? Code::kEpisodeNotStarted : Code::kPollNotOpen,
        "poll " + poll.def->id);
  }
  const bool late = poll.deadline_ms != 0 && ballot.edge_ms > poll.deadline_ms;
  const WallMs allowed_ms = poll.deadline_ms + std::min<int64_t>(behind_ms, poll.def->allowance_ms);
  if ((late && ballot.edge_ms > allowed_ms) || !poll.running()) {
    return fail(Code::kPollClosed, "poll " + poll.def->id);
  }
  if (late) ballot.flags |= kLateFlag;
  return {};
}

}  // namespace

std::array<uint8_t, 16> ballot_receipt(const Ballot& ballot, std::string_view poll_id) {
  std::array<uint8_t, kReceiptTag.size() + 1 + 255 + 28> bytes;
  uint8_t* at = bytes.data();
  const size_t id_size = std::min<size_t>(poll_id.size(), 255);
  at = std::ranges::copy(kReceiptTag, at).out;
  *at++ = static_cast<uint8_t>(id_size);
  at = std::ranges::copy(poll_id.substr(0, id_size), at).out;
  put_be(at, ballot.who, 8);
  put_be(at, ballot.n, 4);
  put_be(at, ballot.choice_mask, 4);
  put_be(at, ballot.weight, 1);
  put_be(at, ballot.flags, 1);
  put_be(at, ballot.edge, 2);
  put_be(at, static_cast<uint64_t>(ballot.edge_ms), 8);
  const Hash256 hash = sha256({bytes.data(), static_cast<size_t>(at - bytes.data())});
  std::array<uint8_t, 16> out;
  std::copy_n(hash.begin(), out.size(), out.begin());
  return out;
}

Bytes encode_ballots(std::span<const Ballot> ballots) {
  FL_ASSERT(!ballots.empty() && ballots.size() <= kMostBallots, "a block has 1 to 65,536 ballots");
  Bytes out;
  out.reserve(12 + 32 * ballots.size());
  ByteWriter writer(out);
  const WallMs base_ms = ballots.front().edge_ms;
  writer.u8(kBlockVersion);
  writer.varint(ballots.size());
  writer.u64(static_cast<uint64_t>(base_ms));
  for (const Ballot& ballot : ballots) {
    writer.u64(ballot.who);
    writer.u64(ballot.cid);
    writer.varint(ballot.i);
    writer.varint(ballot.poll);
    writer.varint(ballot.choice_mask);
    writer.varint(ballot.n);
    writer.u8(ballot.weight);
    writer.u8(ballot.flags);
    writer.varint(ballot.edge);
    writer.varint(zigzag(static_cast<int64_t>(static_cast<uint64_t>(ballot.edge_ms) -
                                              static_cast<uint64_t>(base_ms))));
  }
  return out;
}

Status decode_ballots(ByteView payload, std::vector<Ballot>& out) {
  constexpr size_t kLeastBytes = 8 + 8 + 8;  // of one ballot
  ByteReader in(payload);
  const uint8_t version = in.u8();
  const uint64_t count = in.varint();
  const uint64_t base_ms = in.u64();
  if (!in.ok() || version != kBlockVersion || count == 0 || count > kMostBallots ||
      in.remaining() < count * kLeastBytes) {
    return fail(Code::kLogCorrupt, "a block of ballots has a bad header");
  }
  const size_t before = out.size();
  out.reserve(before + count);
  bool in_range = true;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Ballot& ballot = out.emplace_back();
    ballot.who = in.u64();
    ballot.cid = in.u64();
    ballot.i = in.varint();
    const uint64_t poll = in.varint();
    const uint64_t mask = in.varint();
    const uint64_t n = in.varint();
    ballot.weight = in.u8();
    ballot.flags = in.u8();
    const uint64_t edge = in.varint();
    ballot.edge_ms = static_cast<WallMs>(base_ms + static_cast<uint64_t>(unzigzag(in.varint())));
    in_range = in_range && poll <= UINT32_MAX && mask <= UINT32_MAX && n <= UINT32_MAX &&
               edge <= UINT16_MAX;
    ballot.poll = static_cast<uint32_t>(poll);
    ballot.choice_mask = static_cast<uint32_t>(mask);
    ballot.n = static_cast<uint32_t>(n);
    ballot.edge = static_cast<uint16_t>(edge);
  }
  if (in.ok() && in_range && in.remaining() == 0) return {};
  out.resize(before);
  return fail(Code::kLogCorrupt, "a block of ballots is malformed");
}

int poll_index(const State& state, std::string_view poll_id) {
  return state.impl().world.poll_index(poll_id);
}

std::string_view poll_id(const State& state, uint32_t index) {
  const auto& polls = state.impl().world.polls;
  return index < polls.size() ? std::string_view(polls[index].def->id) : std::string_view();
}

Result<BallotVerdict> decide_ballot(const State& outer, Ballot& ballot, proto::Role role,
                                    uint32_t behind_ms) {
  const State::Impl& state = outer.impl();
  if (ballot.poll >= state.world.polls.size()) return fail(Code::kPollUnknown);
  const PollState& poll = state.world.polls[ballot.poll];
  ballot.weight = poll.def->weights[static_cast<size_t>(role)];
  if (ballot.weight == 0) return fail(Code::kNotEligible, "poll " + poll.def->id);
  if (Status good = check_choice(poll, ballot); !good) return std::unexpected(good.error());
  const Register* held = state.registers[ballot.poll].find(ballot.who);
  if (held != nullptr && held->n == ballot.n && held->mask == ballot.choice_mask) {
    // The receipt stands on the ballot in force, not on this sending of it.
    ballot.weight = held->weight;
    ballot.flags = held->flags;
    ballot.edge = held->edge();
    ballot.edge_ms = poll.opened_ms + held->edge_rel_ms;
    return BallotVerdict{true, held->log()};
  }
  // Only now: what was taken before the ban counts, and its resend is told so.
  if (state.people.is_banned(ballot.who)) return fail(Code::kBanned);
  if (Status good = check_time(state, poll, ballot, behind_ms); !good)
    return std::unexpected(good.error());

  const uint32_t rel_ms = since_opening(poll, ballot.edge_ms);
  ballot.edge_ms = poll.opened_ms + rel_ms;  // as the register keeps it: the receipt stands on it
  if (held == nullptr) {
    if (state.registers[ballot.poll].full()) return fail(Code::kTooMany, "voters in one poll");
    return BallotVerdict{};
  }
  if (!poll.def->changeable) return fail(Code::kVoteFinal, "poll " + poll.def->id);
  // Of two choices with one number, of two devices, the first stands: were it the later, a second
  // sending of what the other device has replaced would take the vote back.
  if (ballot.n <= held->n) return fail(Code::kVoteSuperseded);
  return BallotVerdict{};
}

bool apply_ballot(State& outer, const Ballot& ballot, uint64_t log) {
  State::Impl& state = outer.impl();
  if (ballot.poll >= state.world.polls.size() || log >> 48 != 0) return false;
  PollState& poll = state.world.polls[ballot.poll];
  if (!poll.running() || (ballot.choice_mask & ~valid_mask(*poll.def)) != 0 ||
      static_cast<uint32_t>(std::popcount(ballot.choice_mask)) > poll.def->max || ballot.n == 0 ||
      ballot.weight == 0) {
    return false;
  }
  const uint32_t rel_ms = since_opening(poll, ballot.edge_ms);
  RegisterTable& registers = state.registers[ballot.poll];
  Register* held = registers.find(ballot.who);
  if (held == nullptr) {
    held = registers.insert(ballot.who);
    if (held == nullptr) return false;
  } else {
    if (compare(ballot, rel_ms, *held) <= 0) return true;
    weigh(poll, *held, false);
  }
  held->log_edge = log << 16 | ballot.edge;
  held->n = ballot.n;
  held->mask = ballot.choice_mask;
  held->edge_rel_ms = rel_ms;
  held->weight = ballot.weight;
  held->flags = ballot.flags;
  weigh(poll, *held, true);
  ++poll.version;
  return true;
}

void prefetch_ballot(const State& state, uint32_t poll, uint64_t who) {
  const auto& registers = state.impl().registers;
  if (poll < registers.size()) registers[poll].prefetch(who);
}

bool apply_ballots(State& state, std::span<const Ballot> ballots, uint64_t log) {
  constexpr size_t kAhead = 12;
  for (size_t i = 0; i < ballots.size(); ++i) {
    if (i + kAhead < ballots.size()) {
      prefetch_ballot(state, ballots[i + kAhead].poll, ballots[i + kAhead].who);
    }
    if (!apply_ballot(state, ballots[i], log)) return false;
  }
  return true;
}

}  // namespace footlight::episode
