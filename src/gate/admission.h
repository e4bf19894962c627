// Admission: who may send how much. Every event passes the token buckets of its connection, its
// voter, its IP prefix and its episode, one per event class; it is charged to all of them or to
// none, so what one peer is refused costs nobody else.
//
// A bucket is a GCRA clock (ITU-T I.371 Annex A): one integer, the time at which it will be full
// again. Buckets of voters and prefixes live in a table of fixed size (bucket_table.h), which
// forgets only full buckets: forgetting can never give anyone more.
//
// A refusal carries retry_after_ms. Those refused by a shared bucket are handed consecutive places
// at the bucket's own rate, so that a flash crowd comes back spread out instead of all at once.
//
// Refusal happens before an event is acknowledged, never after. One thread per object; time and
// seed come in as arguments.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/codes.h"
#include "core/prng.h"
#include "core/time.h"
#include "gate/bucket_table.h"
#include "gate/ip_prefix.h"
#include "proto/commands.h"
#include "proto/role.h"

namespace footlight::gate {

enum class EventClass : uint8_t {
  kVote,
  kCommand,
  kEmote,
  kChat,
  kJoin,
  kControl,
  kBoard,     // an edit of a board
  kPresence,  // cursors and the like on boards
};
inline constexpr int kEventClassCount = 8;
EventClass event_class(proto::Kind kind);  // kControl: ping, lat, token, and what is no known kind

struct ClassLimits {
  Rate connection;
  Rate voter;
  Rate prefix;
  Rate episode;  // per edge shard. Prefix and episode bound viewers only: the cast is never held up
                 // by its audience
};

// Defaults: a person who clicks as fast as people do is never refused; a script is, after its
// burst.
struct AdmissionLimits {
  // Changing one's mind: 20 at once, then 5 a second. A prefix is a household, a school or a
  // carrier's NAT: thousands may vote in one second, once each.
  ClassLimits vote{.connection = Rate::per_second(5, 20),
                   .voter = Rate::per_second(5, 20),
                   .prefix = Rate::per_second(2'000, 10'000),
                   .episode = Rate::per_second(200'000, 400'000)};
  // GM and players: a console that replays a cue list sends bursts.
  ClassLimits command{.connection = Rate::per_second(20, 60),
                      .voter = Rate::per_second(20, 60),
                      .prefix = Rate::per_second(200, 1'000),
                      .episode = Rate::per_second(2'000, 4'000)};
  // Emotes are lossy and aggregated; a held key must not fill the lane.
  ClassLimits emote{.connection = Rate::per_second(10, 30),
                    .voter = Rate::per_second(10, 30),
                    .prefix = Rate::per_second(2'000, 10'000),
                    .episode = Rate::per_second(50'000, 100'000)};
  // Reading speed bounds a useful chat; each message goes to all.
  ClassLimits chat{.connection = Rate::per_second(1, 5),
                   .voter = Rate::per_second(1, 5),
                   .prefix = Rate::per_second(50, 200),
                   .episode = Rate::per_second(100, 300)};
  // Joins: a welcome with its view is the dearest thing a stranger can ask for. Refused with 4204.
  ClassLimits join{.connection = Rate::unlimited(),
                   .voter = Rate::per_minute(30, 20),
                   .prefix = Rate::per_second(200, 4'000),
                   .episode = Rate::per_second(4'000, 8'000)};
  // Pings (every 10 s), latency reports, token refreshes, garbage that was answered with an error.
  ClassLimits control{.connection = Rate::per_second(5, 50),
                      .voter = Rate::unlimited(),
                      .prefix = Rate::unlimited(),
                      .episode = Rate::unlimited()};
  // Boards: somebody who drags at 60 frames a second while others' edits are repeated, and a cast
  // behind one account's name.
  ClassLimits board{.connection = Rate::per_second(120, 240),
                    .voter = Rate::per_second(240, 480),
                    .prefix = Rate::per_second(2'000, 4'000),
                    .episode = Rate::per_second(5'000, 10'000)};
  ClassLimits presence{.connection = Rate::per_second(60, 120),
                       .voter = Rate::per_second(120, 240),
                       .prefix = Rate::per_second(2'000, 4'000),
                       .episode = Rate::per_second(5'000, 10'000)};
  // Refusals a connection may earn before it is cut: an answer to each would be work for an
  // attacker.
  Rate refusals = Rate::per_second(20, 500);
  uint32_t max_retry_after_ms = 30'000;
  // Sets of the bucket table, a power of two; 128 bytes and 7 buckets each. 65,536 sets are 8 MiB
  // and hold 458,752 buckets that are not full at one moment.
  uint32_t table_sets = 1u << 16;
  // Connections from this machine (a load generator, a proxy that hides its clients) have no useful
  // prefix.
  bool exempt_loopback = true;
};

// Embedded in the edge's session: 72 bytes.
struct ConnectionBuckets {
  std::array<Bucket, kEventClassCount> of_class{};
  Bucket refusals;
};

// One per episode and edge shard.
struct EpisodeBuckets {
  std::array<Bucket, kEventClassCount> of_class{};
  std::array<RetryQueue, kEventClassCount> queue{};
};

// How hard pressed the edge is; the edge judges (queues, log lag), admission sheds, least important
// first.
enum class Pressure : uint8_t { kNone, kShedEmotes, kShedChat, kShedJoins, kShedVotes };

struct Subject {
  ConnectionBuckets* connection = nullptr;  // never null
  EpisodeBuckets* episode = nullptr;        // never null
  uint64_t who = 0;
  IpPrefix prefix;
  proto::Role role = proto::Role::kViewer;
};

struct Verdict {
  Code code = Code::kOk;        // kOk, kRateConnection, kRateVoter, kRatePrefix, kRateEpisode,
                                // kJoinPaced, kOverloaded
  uint32_t retry_after_ms = 0;  // > 0 with every refusal
  bool cut = false;  // the connection earned too many refusals: bye with `code` and close
  bool ok() const { return code == Code::kOk; }
};

class Admission {
 public:
  // `seed` keys the table's hash and the jitter; from Entropy in the node, so that nobody can aim
  // at a set.
  Admission(const AdmissionLimits& limits, uint64_t seed);

  // A connection opened; nothing is known of it but its address. Charges the prefix's join bucket.
  Verdict admit_connection(const IpPrefix& prefix, MonoUs now_us);
  // Its token was good. Charges the voter's and the episode's join buckets.
  Verdict admit_join(const Subject& subject, MonoUs now_us);
  // An event of a joined session. `cost` >= 1: the n of an emote, else 1.
  Verdict admit(EventClass event, const Subject& subject, uint32_t cost, MonoUs now_us);

  void set_pressure(Pressure pressure) { pressure_ = pressure; }
  Pressure pressure() const { return pressure_; }
  const AdmissionLimits& limits() const { return limits_; }
  // Requests that found no bucket of their own and shared the set's: when this grows, raise
  // table_sets.
  uint64_t shared_count() const { return table_.shared_count(); }

 private:
  enum class Prefix : bool { kSkip, kCharge };
  Verdict admit_into(EventClass event, const Subject& subject, int64_t cost, int64_t now_ns,
                     Prefix prefix_use);
  const ClassLimits& limits_of(EventClass event) const;
  bool sheds(EventClass event, proto::Role role) const;
  BucketTable::Place find_prefix(const IpPrefix& prefix, EventClass event, int64_t now_ns,
                                 const Bucket* spoken_for);
  Verdict refuse(Code code, int64_t wait_ns, ConnectionBuckets* connection, int64_t now_ns) const;
  int64_t queue_ns(RetryQueue& queue, const Rate& rate, int64_t wait_ns, int64_t now_ns);
  int64_t spread_ns(int64_t low_ns, int64_t high_ns);

  AdmissionLimits limits_;
  BucketTable table_;
  Prng prng_;
  Pressure pressure_ = Pressure::kNone;
};

}  // namespace footlight::gate
