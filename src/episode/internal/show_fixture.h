// For tests: a show with a small cast, whose every record is kept, so that it can be replayed.
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/prng.h"
#include "episode/episode.h"
#include "episode/fairness.h"
#include "episode/recount.h"

namespace footlight::episode::testing {

extern const std::string_view kShowDefinition;

struct Recorded {
  uint64_t log = 0;
  std::variant<Event, Ballot> what;
};

class Show {
 public:
  explicit Show(std::string_view definition = kShowDefinition);

  Actor producer{1, proto::Role::kProducer, "Pat", {}};
  Actor gm{2, proto::Role::kGm, "Gil", {}};
  Actor ann{3, proto::Role::kPlayer, "Ann", {"aria"}};
  Actor bob{4, proto::Role::kPlayer, "Bob", {"brom"}};
  Actor viewer{100, proto::Role::kViewer, "Vic", {}};

  // Decides, and applies what came of it. Ids are counted per actor, one outbox each.
  Result<Decision> send(const Actor& actor, std::string_view kind, std::string_view args = "{}");
  Result<Decision> send_as(const Actor& actor, uint64_t cid, uint64_t i, std::string_view kind,
                           std::string_view args);
  // The code it is refused with; kOk when it is not.
  Code code(const Actor& actor, std::string_view kind, std::string_view args = "{}");
  Result<BallotVerdict> vote(const Actor& actor, std::string_view poll, uint32_t mask, uint32_t n);
  Result<BallotVerdict> cast(Ballot ballot, proto::Role role, uint32_t behind_ms = 0);
  Code vote_code(const Actor& actor, std::string_view poll, uint32_t mask, uint32_t n);
  // Time passes; what is due is decided until nothing is.
  void tick(int64_t ms);
  void start() { (void)send(producer, "episode.start"); }

  std::string nonce();  // a fresh one
  std::string entity(proto::ViewClass view, std::string_view collection,
                     std::string_view id) const {
    return encode_entity(state, view, collection, id);
  }
  Tally tally(std::string_view poll, proto::ViewClass view = proto::ViewClass::kDirector) const;

  State replay(size_t records) const;  // of the first so many records
  State replay() const { return replay(records.size()); }

  State state;
  Bytes genesis;
  Secrets secrets;
  WallMs now_ms = 1'764'000'000'000;
  WallMs watermark_ms = 0;  // follows now_ms by tick(), unless held back
  bool hold_watermark = false;
  std::vector<Recorded> records;
  std::vector<EntityRef> changed;  // of the last events applied
  std::vector<uint64_t> next_i = std::vector<uint64_t>(1024, 1);

 private:
  void apply_all(const std::vector<Event>& events);
  uint64_t log_ = 1;
  uint64_t nonces_ = 0;
};

// One random action: any command by anyone with arguments that mostly make sense, a ballot, a
// resend, or time.
void random_action(Show& show, Prng& prng);

}  // namespace footlight::episode::testing
