// What the synthetic people do, and when.
#include <algorithm>

#include "ops/show_impl.h"

namespace footlight::ops {
namespace {

constexpr std::string_view kLines[] = {"Did you see that?",
                                       "Run!",
                                       "I knew it was the innkeeper.",
                                       "Left. Always left.",
                                       "This music, though.",
                                       "Natural 20 when?",
                                       "My heart.",
                                       "Open the door already",
                                       "Ask about the letter!",
                                       "Team lantern",
                                       "No no no no",
                                       "Best scene so far"};

}  // namespace

void Show::Impl::plan(MonoUs at_us, Plan::What what, uint32_t client, uint32_t number) {
  plans.push_back({at_us, what, client, number});
  std::push_heap(plans.begin(), plans.end());
}

void Show::Impl::look_at_view(const Json& view, MonoUs now_us) {
  for (const auto& [id, entity] : view["polls"].members()) on_poll(id, entity, now_us);
  for (const auto& [id, cue] : view["cues"].members()) {
    if (!cue["done"].as_bool()) cues.push_back(cue);
  }
  std::ranges::stable_sort(cues, {}, [](const Json& cue) { return cue["n"].as_int(); });
  const Json& episode = view["episode"]["state"];
  state = episode["state"].as_string();
  for (const Json& name : episode["emotes"].items()) emote_names.push_back(name.as_string());
  if (options.characters.empty()) {
    std::vector<std::string> ids;
    for (const auto& [id, entity] : view["characters"].members()) ids.push_back(id);
    options.characters = ids;
  }
}

void Show::Impl::begin(MonoUs now_us) {
  begun = true;
  began_us = moved_us = now_us;
  if (state == "ended") {
    given_up = true;
    why = "the episode has ended; rehearse on an empty data directory";
    return;
  }
  if (state == "waiting") submit(kDirector, proto::Kind::kEpisodeStart, "{}", now_us);
  const uint64_t span_ms = uint64_t{options.seconds} * 1000;
  const uint64_t step_ms = options.loop ? 12'000 : span_ms * 8 / 10 / (cues.size() + 1);
  for (uint32_t k = 0; k < cues.size(); ++k) {
    plan(now_us + static_cast<MonoUs>((k + 1) * step_ms) * kUsPerMs, Plan::What::kCue, kDirector,
         k);
  }
  plan(now_us + kUsPerSecond, Plan::What::kTell, kDirector);
  const auto cast_count = static_cast<uint32_t>(characters.size());
  for (uint32_t i = 1; i <= cast_count; ++i) {
    plan(in(2'000, now_us), Plan::What::kRoll, i);
    plan(in(4'000, now_us), Plan::What::kHp, i);
  }
  for (uint32_t i = cast_count + 1; i < viewers_end; ++i) {
    if (options.emotes_per_viewer_s > 0 && !emote_names.empty()) {
      plan(in(2'000'000 / options.emotes_per_viewer_s, now_us), Plan::What::kEmote, i);
    }
    if (options.chats_per_viewer_s > 0) {
      plan(in(2'000'000 / options.chats_per_viewer_s, now_us), Plan::What::kChat, i);
    }
  }
  if (options.loop) {
    plan(now_us + static_cast<MonoUs>((cues.size() + 2) * step_ms) * kUsPerMs, Plan::What::kEncore,
         kDirector);
  } else {
    plan(now_us + static_cast<MonoUs>(span_ms) * kUsPerMs, Plan::What::kEnd, kDirector);
  }
}

void Show::Impl::on_poll(const std::string& id, const Json& entity, MonoUs now_us) {
  const auto [at, fresh] = poll_number.try_emplace(id, static_cast<uint32_t>(polls.size()));
  if (fresh) polls.emplace_back().id = id;
  PollInfo& poll = polls[at->second];
  const std::string before = poll.state;
  poll.state = entity["state"].as_string();
  poll.options = static_cast<uint32_t>(entity["options"].items().size());
  poll.max =
      entity["kind"].as_string() == "multiple" ? static_cast<uint32_t>(entity["max"].as_int(1)) : 1;
  poll.hidden = entity["hidden"].as_bool();
  poll.changeable = entity["changeable"].as_bool(true);
  const Json& result = entity["result"];
  poll.has_result = result.type() == JsonType::kObject;
  poll.voters = static_cast<uint64_t>(result["voters"].as_int());
  if (poll.state != "open" || before == "open") return;

  poll.opened_us = now_us;
  const int64_t stated_us =
      (entity["deadline_ms"].as_int() - entity["opened_ms"].as_int()) * kUsPerMs;
  const int64_t share_us =
      int64_t{options.seconds} * kUsPerSecond * 8 / 10 / static_cast<int64_t>(cues.size() + 1);
  poll.window_us = options.loop ? 10 * kUsPerSecond : std::max<int64_t>(share_us, kUsPerSecond);
  if (stated_us > 0) poll.window_us = std::min(poll.window_us, stated_us);
  const auto vote_ms = static_cast<uint64_t>(poll.window_us * 7 / 10 / kUsPerMs);
  for (uint32_t i = 1; i < viewers_end; ++i) {
    plan(in(vote_ms, now_us), Plan::What::kVote, i, at->second);
    if (poll.changeable && random.below(1000) < options.changes_per_mille) {
      plan(in(vote_ms, now_us), Plan::What::kVote, i, at->second);
    }
  }
  if (!options.loop)
    plan(now_us + poll.window_us * 9 / 10, Plan::What::kClosePoll, kDirector, at->second);
}

void Show::Impl::run(const Plan& item, MonoUs now_us) {
  const auto again = [&](uint64_t mean_ms, Plan::What what) {
    if (!ending) plan(in(2 * mean_ms, now_us), what, item.client);
  };
  const bool at_the_end = item.what == Plan::What::kClosePoll || item.what == Plan::What::kResend;
  if (ending && !at_the_end) return;
  switch (item.what) {
    case Plan::What::kVote:
      vote(item.client, item.poll, now_us);
      break;
    case Plan::What::kEmote:
      emote(item.client, now_us);
      again(1'000'000 / options.emotes_per_viewer_s, item.what);
      break;
    case Plan::What::kChat:
      chat(item.client, now_us);
      again(1'000'000 / options.chats_per_viewer_s, item.what);
      break;
    case Plan::What::kRoll:
      roll(item.client, now_us);
      again(2'500, item.what);
      break;
    case Plan::What::kHp:
    case Plan::What::kItem:
      hurt(item.client, now_us);
      again(5'000, item.what);
      break;
    case Plan::What::kCue:
      cue(item.poll, now_us);
      break;
    case Plan::What::kClosePoll:
      close_poll(item.poll, now_us);
      break;
    case Plan::What::kEncore:
      encore(now_us);
      break;
    case Plan::What::kResend:
      resend(item.client, item.poll);
      break;
    case Plan::What::kTell:
      tell_latencies();
      plan(now_us + kUsPerSecond, item.what, kDirector);
      break;
    case Plan::What::kEnd:
      ending = true;
      moved_us = now_us;
      for (uint32_t k = 0; k < polls.size(); ++k) close_poll(k, now_us);
      break;
  }
}

void Show::Impl::resend(uint32_t number, uint64_t event) {
  const PendingEvent* pending = people[number].find(event);
  if (pending != nullptr && people[number].live()) wire.send(number, event_frame(pending->json));
}

void Show::Impl::vote(uint32_t number, uint32_t poll_index, MonoUs now_us) {
  const PollInfo& poll = polls[poll_index];
  if (poll.state != "open" || poll.options == 0) return;
  BallotBook& book = ballots[number][poll_index];
  if (book.n > 0 && !poll.changeable) return;
  std::string args;
  JsonWriter out(args);
  out.object().field("poll", std::string_view(poll.id)).key("choice").array();
  const uint64_t first = random.below(poll.options);
  const uint64_t count = 1 + random.below(std::min(poll.max, poll.options));
  for (uint64_t k = 0; k < count; ++k) out.value((first + k) % poll.options);
  out.end_array().field("n", ++book.n).end_object();
  submit(number, proto::Kind::kPollVote, args, now_us, poll_index);
}

void Show::Impl::emote(uint32_t number, MonoUs now_us) {
  if (!people[number].live()) return;
  const std::string& name = emote_names[random.below(emote_names.size())];
  std::string event;
  JsonWriter out(event);
  static constexpr uint64_t kNumber = 1;  // lossy: never acknowledged, its number is not looked at
  out.object().field("i", kNumber).field("k", "emote").key("a").object();
  out.field("e", std::string_view(name)).end_object().end_object();
  emotes_clicked[name].push_back(now_us);
  wire.send(number, event_frame(event));
}

void Show::Impl::chat(uint32_t number, MonoUs now_us) {
  std::string args;
  JsonWriter(args).object().field("text", kLines[random.below(std::size(kLines))]).end_object();
  submit(number, proto::Kind::kChatSay, args, now_us);
}

void Show::Impl::roll(uint32_t number, MonoUs now_us) {
  static constexpr std::string_view kRolls[] = {"1d20+5", "2d6+3",  "4d6kh3",
                                                "1d20",   "1d8x+2", "2d20kh1+4"};
  std::string args;
  JsonWriter out(args);
  out.object().field("expr", kRolls[random.below(std::size(kRolls))]);
  const std::string nonce = hex_u64(random.next()) + hex_u64(random.next());
  out.field("nonce", std::string_view(nonce));
  const std::string& character = characters[number - 1];
  if (!character.empty()) out.field("char", std::string_view(character));
  out.end_object();
  submit(number, proto::Kind::kDiceRoll, args, now_us);
}

void Show::Impl::hurt(uint32_t number, MonoUs now_us) {
  const std::string& character = characters[number - 1];
  if (character.empty()) return;
  std::string args;
  JsonWriter out(args);
  out.object().field("char", std::string_view(character));
  out.field("delta", random.between(-3, 4)).end_object();
  submit(number, proto::Kind::kCharHp, args, now_us);
}

void Show::Impl::cue(uint32_t number, MonoUs now_us) {
  const proto::Kind kind = proto::parse_kind(cues[number]["k"].as_string());
  if (kind == proto::Kind::kUnknown || kind == proto::Kind::kEpisodeStart ||
      kind == proto::Kind::kEpisodeEnd)
    return;
  submit(kDirector, kind, cues[number]["a"].dump(), now_us);
}

void Show::Impl::close_poll(uint32_t number, MonoUs now_us) {
  const PollInfo& poll = polls[number];
  if (poll.state != "open") return;
  std::string args;
  JsonWriter(args).object().field("poll", std::string_view(poll.id)).end_object();
  submit(kDirector, proto::Kind::kPollClose, args, now_us);
}

// After the cue list: a poll of the show's own every half minute, for as long as it runs.
void Show::Impl::encore(MonoUs now_us) {
  static constexpr std::string_view kTitles[] = {"Where should they look next?",
                                                 "Whom do you trust?", "Fight or talk?"};
  std::string args;
  JsonWriter out(args);
  const std::string id = "encore-" + hex_u64(random.next()).substr(0, 8);
  out.object()
      .field("poll", std::string_view(id))
      .field("title", kTitles[encores++ % std::size(kTitles)]);
  out.key("options").array().value("The cellar").value("The tower").value("The forest").end_array();
  out.field("seconds", 20).end_object();
  submit(kDirector, proto::Kind::kPollCreate, args, now_us);
  std::string open;
  JsonWriter(open).object().field("poll", std::string_view(id)).end_object();
  submit(kDirector, proto::Kind::kPollOpen, open, now_us);
  plan(now_us + 30 * kUsPerSecond, Plan::What::kEncore, kDirector);
}

// Ends the episode once every poll has its result and every event its confirmation.
void Show::Impl::wind_down(MonoUs now_us) {
  if (!ending || ended || given_up) return;
  for (const PollInfo& poll : polls) {
    if (poll.state == "open" || poll.state == "closing") return;
  }
  for (const Client& client : people) {
    if (client.pending() > 0) return;
  }
  if (state == "live") {
    state = "ending";
    submit(kDirector, proto::Kind::kEpisodeEnd, "{}", now_us);
  } else if (state == "ending" || state == "ended") {
    ended = true;
  }
}

}  // namespace footlight::ops
