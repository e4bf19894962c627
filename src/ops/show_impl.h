// The show's innards, shared by show.cc (frames), show_script.cc (what the people do) and
// show_measure.cc.
#pragma once
#include "ops/show.h"

namespace footlight::ops {

inline constexpr uint32_t kDirector = 0;
inline constexpr uint32_t kObservers = 16;
inline constexpr MonoUs kGiveUpUs = 60 * kUsPerSecond;    // without any progress at the end
inline constexpr size_t kTellAtMost = 1024;               // latencies a second; more are not told
inline constexpr MonoUs kEmoteLostUs = 3 * kUsPerSecond;  // a lossy lane may lose

struct PollInfo {
  std::string id;
  std::string state;
  uint32_t options = 0;
  uint32_t max = 1;
  bool hidden = false;
  bool changeable = true;
  uint64_t voters = 0;  // of the result
  bool has_result = false;
  MonoUs opened_us = 0;   // when the show saw it open
  int64_t window_us = 0;  // time to vote in
};

// The ballot a client last had confirmed, or sent, in a poll.
struct BallotBook {
  uint32_t n = 0;
  bool counted = false;  // confirmed with a choice
};

struct VoteWaiting {  // confirmed, not yet seen in a tally at its observer
  MonoUs click_us = 0;
  uint64_t log = 0;
};

struct TallySeen {
  uint64_t log = 0;
  MonoUs at_us = 0;
};

struct Plan {  // something that will happen
  MonoUs at_us = 0;
  enum class What : uint8_t {
    kVote,
    kEmote,
    kChat,
    kRoll,
    kHp,
    kItem,
    kCue,
    kClosePoll,
    kEnd,
    kEncore,
    kResend,
    kTell
  } what{};
  uint32_t client = 0;
  uint32_t poll = 0;  // number of the poll, of the cue, or of the event
  friend bool operator<(const Plan& a, const Plan& b) { return a.at_us > b.at_us; }
};

struct Show::Impl {
  Impl(ShowOptions options, const TokenSource& tokens, Wire& wire);

  // show.cc: frames
  void on_welcome(uint32_t number, const proto::Welcome& welcome, MonoUs now_us);
  void on_ack(uint32_t number, const proto::Ack& ack, MonoUs now_us);
  void on_confirmed(uint32_t number, const proto::Confirmed& confirmed, MonoUs now_us);
  void on_rejected(uint32_t number, const proto::Rejected& rejected, MonoUs now_us);
  void on_bye(uint32_t number, const proto::ServerBye& bye);
  void on_mode(const proto::ModeNotice& notice);
  void parse(uint32_t number, std::string_view text, MonoUs now_us);
  void submit(uint32_t number, proto::Kind kind, std::string_view args, MonoUs now_us,
              uint32_t poll = 0);
  bool is_observer(uint32_t number) const;

  // show_script.cc: what the people do
  void begin(MonoUs now_us);
  void look_at_view(const Json& view, MonoUs now_us);
  void on_poll(const std::string& id, const Json& entity, MonoUs now_us);
  void plan(MonoUs at_us, Plan::What what, uint32_t client, uint32_t number = 0);
  void run(const Plan& plan, MonoUs now_us);
  void resend(uint32_t number, uint64_t event);
  void vote(uint32_t number, uint32_t poll, MonoUs now_us);
  void emote(uint32_t number, MonoUs now_us);
  void chat(uint32_t number, MonoUs now_us);
  void roll(uint32_t number, MonoUs now_us);
  void hurt(uint32_t number, MonoUs now_us);
  void cue(uint32_t number, MonoUs now_us);
  void close_poll(uint32_t poll, MonoUs now_us);
  void encore(MonoUs now_us);
  void wind_down(MonoUs now_us);
  MonoUs in(uint64_t ms, MonoUs now_us) {
    return now_us + static_cast<MonoUs>(random.below(ms + 1)) * kUsPerMs;
  }

  // show_measure.cc
  void measured(proto::LatencyClass of, MonoUs us);
  void tell_latencies();
  uint32_t observer_of(uint32_t number, uint32_t poll) const;  // index in observers
  void vote_confirmed(uint32_t number, const PendingEvent& event, uint64_t log, MonoUs now_us);
  void on_tally(uint32_t number, const proto::TallyUpdate& tally, MonoUs now_us);
  void on_delta(uint32_t number, const proto::Delta& delta, MonoUs now_us);
  void on_emotes(uint32_t number, const proto::Emotes& sums, MonoUs now_us);
  void collect_promises();

  ShowOptions options;
  Wire& wire;
  Prng random;
  std::vector<Client> people;       // director, players, viewers, game master
  uint32_t viewers_end = 0;         // behind the last viewer
  std::vector<uint32_t> observers;  // client numbers; [0] is the director
  std::unordered_map<uint32_t, uint32_t> observer_index;
  std::vector<std::string> characters;
  proto::ServerDecoder decoder;
  Report report;

  // the story, as the director sees it
  std::vector<PollInfo> polls;
  std::map<std::string, uint32_t, std::less<>> poll_number;
  std::vector<Json> cues;
  std::vector<std::string> emote_names;
  std::string state = "waiting";
  std::vector<Plan> plans;  // heap by time
  bool begun = false;
  bool ending = false;
  bool ended = false;
  bool given_up = false;
  std::string why;
  uint32_t live = 0;
  uint32_t encores = 0;
  MonoUs began_us = 0;
  MonoUs moved_us = 0;  // last progress
  MonoUs last_us = 0;

  std::vector<std::map<uint32_t, BallotBook>> ballots;  // per client: poll → book
  std::vector<std::map<uint32_t, std::deque<TallySeen>>>
      seen;  // per observer: poll → recent tallies
  std::vector<std::map<uint32_t, std::deque<VoteWaiting>>> waiting;  // per observer: poll → votes
  std::map<std::pair<uint64_t, uint64_t>, MonoUs> commands;          // (cid, i) → click
  std::map<std::string, std::deque<MonoUs>, std::less<>> emotes_clicked;
  std::vector<proto::LatencySample> untold;  // latencies for the server's own figures
};

}  // namespace footlight::ops
