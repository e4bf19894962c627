#include "gate/admission.h"

#include <algorithm>

namespace footlight::gate {
namespace {

enum class Scope : uint8_t { kVoter = 0, kPrefixV4 = 1, kPrefixV6 = 2 };

uint8_t space_of(Scope scope, EventClass event) {
  return static_cast<uint8_t>(static_cast<int>(scope) * 16 + static_cast<int>(event));
}

bool is_cast(proto::Role role) { return role != proto::Role::kViewer; }

int64_t ns_of(MonoUs now_us) { return now_us * kNsPerUs; }

}  // namespace

EventClass event_class(proto::Kind kind) {
  switch (kind) {
    case proto::Kind::kPollVote:
      return EventClass::kVote;
    case proto::Kind::kEmote:
      return EventClass::kEmote;
    case proto::Kind::kChatSay:
    case proto::Kind::kCaptionSay:
    case proto::Kind::kCaptionTakeBack:
      return EventClass::kChat;
    case proto::Kind::kUnknown:
      return EventClass::kControl;
    default:
      return EventClass::kCommand;
  }
}

Admission::Admission(const AdmissionLimits& limits, uint64_t seed)
    : limits_(limits), table_(1, 0, 0), prng_(seed) {
  const uint64_t low = prng_.next();
  const uint64_t high = prng_.next();
  table_ = BucketTable(limits.table_sets, low, high);
}

const ClassLimits& Admission::limits_of(EventClass event) const {
  switch (event) {
    case EventClass::kVote:
      return limits_.vote;
    case EventClass::kCommand:
      return limits_.command;
    case EventClass::kEmote:
      return limits_.emote;
    case EventClass::kChat:
      return limits_.chat;
    case EventClass::kJoin:
      return limits_.join;
    case EventClass::kControl:
      return limits_.control;
    case EventClass::kBoard:
      return limits_.board;
    case EventClass::kPresence:
      return limits_.presence;
  }
  return limits_.control;
}

// Lanes, least important first. The cast is never shed: without it there is nothing to vote on.
bool Admission::sheds(EventClass event, proto::Role role) const {
  if (is_cast(role)) return false;
  switch (event) {
    case EventClass::kEmote:
    case EventClass::kPresence:
      return pressure_ >= Pressure::kShedEmotes;
    case EventClass::kChat:
    case EventClass::kBoard:
      return pressure_ >= Pressure::kShedChat;
    case EventClass::kJoin:
      return pressure_ >= Pressure::kShedJoins;
    case EventClass::kVote:
      return pressure_ >= Pressure::kShedVotes;
    case EventClass::kCommand:
    case EventClass::kControl:
      return false;
  }
  return false;
}

BucketTable::Place Admission::find_prefix(const IpPrefix& prefix, EventClass event, int64_t now_ns,
                                          const Bucket* spoken_for) {
  const Scope scope = prefix.v6 ? Scope::kPrefixV6 : Scope::kPrefixV4;
  return table_.find(prefix.bits, space_of(scope, event), now_ns, spoken_for);
}

Verdict Admission::refuse(Code code, int64_t wait_ns, ConnectionBuckets* connection,
                          int64_t now_ns) const {
  Verdict verdict{.code = code};
  const int64_t wait_ms = (wait_ns + kNsPerMs - 1) / kNsPerMs;
  verdict.retry_after_ms =
      static_cast<uint32_t>(std::clamp<int64_t>(wait_ms, 1, limits_.max_retry_after_ms));
  if (connection != nullptr) {
    verdict.cut = connection->refusals.wait_ns(limits_.refusals, 1, now_ns) > 0;
    if (!verdict.cut) connection->refusals.charge(limits_.refusals, 1, now_ns);
  }
  return verdict;
}

int64_t Admission::spread_ns(int64_t low_ns, int64_t high_ns) {
  const int64_t most_ns = int64_t{limits_.max_retry_after_ms} * kNsPerMs;
  const int64_t high = std::min(high_ns, most_ns);
  const int64_t low = std::min(low_ns, high);
  return prng_.between(low, high);
}

int64_t Admission::queue_ns(RetryQueue& queue, const Rate& rate, int64_t wait_ns, int64_t now_ns) {
  const int64_t most_ns = int64_t{limits_.max_retry_after_ms} * kNsPerMs;
  const int64_t place_ns = queue.place(rate, wait_ns, most_ns, now_ns);
  return place_ns == INT64_MAX ? spread_ns(most_ns / 2, most_ns) : place_ns;
}

Verdict Admission::admit_connection(const IpPrefix& prefix, MonoUs now_us) {
  const int64_t now_ns = ns_of(now_us);
  const Rate& rate = limits_.join.prefix;
  if (!rate.limited() || (prefix.loopback && limits_.exempt_loopback)) return {};
  const BucketTable::Place place = find_prefix(prefix, EventClass::kJoin, now_ns, nullptr);
  const int64_t wait_ns = table_.wait_ns(place, rate, 1, now_ns);
  if (wait_ns > 0) {
    const int64_t back_ns = spread_ns(wait_ns, wait_ns + rate.burst * rate.interval_ns);
    return refuse(Code::kRatePrefix, back_ns, nullptr, now_ns);
  }
  table_.charge(place, rate, 1, now_ns);
  return {};
}

Verdict Admission::admit_join(const Subject& subject, MonoUs now_us) {
  // The prefix was charged when the connection opened, before anything was known of its owner.
  return admit_into(EventClass::kJoin, subject, 1, ns_of(now_us), Prefix::kSkip);
}

Verdict Admission::admit(EventClass event, const Subject& subject, uint32_t cost, MonoUs now_us) {
  const bool exempt = subject.prefix.loopback && limits_.exempt_loopback;
  return admit_into(event, subject, cost, ns_of(now_us), exempt ? Prefix::kSkip : Prefix::kCharge);
}

Verdict Admission::admit_into(EventClass event, const Subject& subject, int64_t cost,
                              int64_t now_ns, Prefix prefix_use) {
  const size_t index = static_cast<size_t>(event);
  ConnectionBuckets* connection = subject.connection;
  if (sheds(event, subject.role)) {
    const int64_t most_ns = int64_t{limits_.max_retry_after_ms} * kNsPerMs;
    return refuse(Code::kOverloaded, spread_ns(most_ns / 20, most_ns), connection, now_ns);
  }
  const ClassLimits& limits = limits_of(event);
  Bucket& own = connection->of_class[index];
  int64_t wait_ns = own.wait_ns(limits.connection, cost, now_ns);
  if (wait_ns > 0) return refuse(Code::kRateConnection, wait_ns, connection, now_ns);

  BucketTable::Place voter, prefix;
  if (limits.voter.limited()) {
    voter = table_.find(subject.who, space_of(Scope::kVoter, event), now_ns);
    wait_ns = table_.wait_ns(voter, limits.voter, cost, now_ns);
    if (wait_ns > 0) return refuse(Code::kRateVoter, wait_ns, connection, now_ns);
  }
  // A GM behind the same NAT as a crowd must get through; a token signed for the cast is trust
  // enough.
  const bool in_crowd = !is_cast(subject.role);
  if (in_crowd && prefix_use == Prefix::kCharge && limits.prefix.limited()) {
    prefix = find_prefix(subject.prefix, event, now_ns, voter.bucket);
    wait_ns = table_.wait_ns(prefix, limits.prefix, cost, now_ns);
    if (wait_ns > 0) {
      const int64_t fill_ns = limits.prefix.burst * limits.prefix.interval_ns;
      return refuse(Code::kRatePrefix, spread_ns(wait_ns, wait_ns + fill_ns), connection, now_ns);
    }
  }
  if (in_crowd) {
    Bucket& episode = subject.episode->of_class[index];
    wait_ns = episode.wait_ns(limits.episode, cost, now_ns);
    if (wait_ns > 0) {
      const Code code = event == EventClass::kJoin ? Code::kJoinPaced : Code::kRateEpisode;
      RetryQueue& queue = subject.episode->queue[index];
      return refuse(code, queue_ns(queue, limits.episode, wait_ns, now_ns), connection, now_ns);
    }
    episode.charge(limits.episode, cost, now_ns);
  }
  own.charge(limits.connection, cost, now_ns);
  if (voter.bucket != nullptr) table_.charge(voter, limits.voter, cost, now_ns);
  if (prefix.bucket != nullptr) table_.charge(prefix, limits.prefix, cost, now_ns);
  return {};
}

}  // namespace footlight::gate
