// The episode engine, pure: decide(state, command) → events or a rejection; apply(state, event).
// Replaying the log gives the identical state hash. No clock, no randomness, no floats, no
// exceptions, no threads: all of it also compiles to WebAssembly.
//
// The owner (edge/owner.h) calls decide, applies the events at once, sends them to the log, and
// shows nothing of it before the log says it is durable.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/sha256.h"
#include "core/time.h"
#include "proto/role.h"

namespace footlight::episode {

struct Definition;  // definition.h

struct Actor {
  uint64_t who = 0;
  proto::Role role = proto::Role::kViewer;
  std::string name;
  std::vector<std::string> characters;
  bool captions = false;  // may say captions and take them back, whatever the role
};

struct Command {
  const Actor* actor = nullptr;  // nullptr: the server itself
  uint64_t cid = 0;              // with who and i: the event's id, deduplicated by decide
  uint64_t i = 0;                // 0: no id (the server's own commands)
  WallMs edge_ms = 0;            // received at the edge
  WallMs now_ms = 0;             // now at the owner; events are stamped with it
  std::string_view kind;         // "dice.roll", ... (docs/protocol.md, Commands)
  std::string_view args;         // JSON object
  std::string_view traceparent;  // kept in the log; may be empty
};

// An event as it stands in the log: kEvent payload, JSON. Its schema: docs/formats/events.md.
struct Event {
  WallMs at_ms = 0;
  std::string json;
};

struct Decision {
  bool duplicate = false;      // this id was decided before: nothing to append
  uint64_t duplicate_log = 0;  // the record of its first event, durable or still on its way
  // In one batch, all or none. Empty for emotes and duplicates only: a command that changes nothing
  // has an event too, or its id would not be remembered.
  std::vector<Event> events;
};

// Of a ballot that came after the deadline and counts by the poll's allowance.
inline constexpr uint8_t kLateFlag = 2;

struct Ballot {
  uint64_t who = 0;
  uint64_t cid = 0;
  uint64_t i = 0;
  uint32_t poll = 0;         // index in State's order
  uint32_t choice_mask = 0;  // bit per option; 0 withdraws
  uint32_t n = 0;
  uint8_t weight = 1;
  uint8_t flags = 0;  // 1 = suspicious, kLateFlag
  uint16_t edge = 0;
  WallMs edge_ms = 0;
};

// First 16 bytes of SHA-256 over the ballot's canonical bytes (docs/formats/events.md): the
// voter's receipt.
std::array<uint8_t, 16> ballot_receipt(const Ballot& ballot, std::string_view poll_id);

// One block, the payload of a kBallots record: 1..65,536 ballots.
Bytes encode_ballots(std::span<const Ballot> ballots);
// kLogCorrupt when malformed. Appends to `out`.
Status decode_ballots(ByteView payload, std::vector<Ballot>& out);

struct BallotVerdict {
  bool duplicate = false;  // same n and choice already stored: answer with `log` (0: in flight)
  uint64_t log = 0;
};

struct Tally {
  std::string_view poll;
  uint32_t version = 0;
  std::vector<uint64_t> counts;  // weighted, per option
  uint64_t voters = 0;           // registers with a choice
  bool final = false;
  std::string_view state;  // "open", "closing", "closed"
};

// An entity of the view that changed (docs/protocol.md, The view).
struct EntityRef {
  std::string collection;
  std::string id;
};

// The state of one episode. Copyable by snapshot only.
class State {
 public:
  State();  // of no episode: to be assigned to
  ~State();
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;

  // From the payload of the kGenesis record.
  static Result<State> from_genesis(ByteView payload);
  Bytes snapshot() const;  // canonical bytes; docs/formats/snapshot.md
  static Result<State> from_snapshot(ByteView bytes);
  Hash256 hash() const;  // SHA-256 of snapshot()

  struct Impl;
  Impl& impl() { return *impl_; }
  const Impl& impl() const { return *impl_; }
  explicit State(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

// `definition_json`: what episode/yaml makes of an episode file (docs/formats/episode-file.md).
// `seed_commit`: SHA-256 of the dice seed. The kGenesis payload; kEpisodeField, kEpisodeReference,
// kEpisodeLimit with a JSON path in detail.
Result<Bytes> make_genesis(std::string_view definition_json, std::string_view episode_id,
                           const Hash256& seed_commit, WallMs now_ms);

// What decide may use besides the state.
struct Secrets {
  std::array<uint8_t, 32> dice_seed{};
  Hash256 chain_head{};    // of the durable log, published with results
  uint64_t chain_log = 0;  // its sequence number; 0: not known
};

Result<Decision> decide(const State& state, const Command& command, const Secrets& secrets);
// `log` is the sequence number the event will have (live) or has (replay). Names what changed in
// the view in `changed` unless it is nullptr. kLogCorrupt when the event does not fit the state.
Status apply(State& state, const Event& event, uint64_t log, std::vector<EntityRef>* changed);

// The hot path: no JSON, no allocation but for the register. `poll` index by poll_index().
int poll_index(const State& state, std::string_view poll_id);  // -1: no such poll
std::string_view poll_id(const State& state, uint32_t index);  // "": no such poll
// Makes `ballot` what is, or would be, in force: fills the weight, and for a duplicate also edge,
// edge_ms and flags of the first sending, so that the receipt is the first one again.
// Who sees the program `behind_ms` late may vote so much past the deadline, up to the poll's
// allowance; then kLateFlag is set.
Result<BallotVerdict> decide_ballot(const State& state, Ballot& ballot, proto::Role role,
                                    uint32_t behind_ms = 0);
// Changes nothing when the register holds this ballot or a later one. False when the ballot does
// not fit the state (no such poll, no such option): a log that says so is corrupt.
bool apply_ballot(State& state, const Ballot& ballot, uint64_t log);
// A whole block, as replay has it; about twice as fast, because the registers are fetched ahead.
// False at the first ballot that does not fit.
bool apply_ballots(State& state, std::span<const Ballot> ballots, uint64_t log);
// Fetches the voter's register into the cache. For whoever will decide many ballots in a row: call
// it some eight ballots ahead.
void prefetch_ballot(const State& state, uint32_t poll, uint64_t who);

// Up to where all edges have forwarded what they received. `shown_ms`: the same, but of each ballot
// less the delay of its voter; no later than `received_ms`.
struct Watermark {
  WallMs received_ms = 0;
  WallMs shown_ms = 0;
  // NOLINTNEXTLINE(google-explicit-constructor): nobody is behind
  Watermark(WallMs both_ms) : received_ms(both_ms), shown_ms(both_ms) {}
  Watermark(WallMs received, WallMs shown) : received_ms(received), shown_ms(shown) {}
};

// Deadlines: closes polls whose deadline and watermark have passed, stops timers. Events to append,
// as of decide.
// Not all that is due need come with one call; call again with the next watermark or tick.
std::vector<Event> decide_time(const State& state, WallMs now_ms, const Watermark& watermark,
                               const Secrets& secrets);
// The earliest deadline of a running poll or timer; INT64_MAX: none. It may lie in the past: a
// closing poll waits for the watermark.
WallMs next_deadline_ms(const State& state);

// People. Bans and mutes are state; presence is not (the owner keeps it), but the cast is
// registered here.
Status may_join(const State& state, const Actor& actor);  // kBanned

// The view. An empty result of encode_entity means: not there for this class (send null).
std::string encode_entity(const State& state, proto::ViewClass view, std::string_view collection,
                          std::string_view id);
// The whole view as one JSON object. `cast` is left out: the owner adds it.
// "full", "capped", "hls", "audio" or "votes".
std::string_view media_mode(const State& state);
std::string encode_view(const State& state, proto::ViewClass view);
// The JSON object `me` of welcome (docs/protocol.md).
std::string encode_me(const State& state, const Actor& actor, uint64_t cid);

// Polls with a tally this class may see now. `changed_since` by poll version is the caller's
// business.
std::vector<Tally> tallies(const State& state, proto::ViewClass view);
std::vector<std::string> emotes(const State& state);
bool has_ended(const State& state);
const Definition& definition_of(const State& state);  // lives as long as the state

}  // namespace footlight::episode
