#include <gtest/gtest.h>

#include "episode/internal/show_fixture.h"

namespace footlight::episode::testing {

const std::string_view kShowDefinition = R"({
  "footlight": 1, "id": "bell", "title": "The Bell", "start": "gate",
  "cast": {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}, "gil": {"name": "Gil", "role": "gm"}},
  "items": {"potion": "Healing potion", "rope": "Rope"},
  "conditions": ["down", "poisoned"],
  "emotes": ["heart", "gasp"],
  "vars": {"doom": 0},
  "assets": {"face": {"url": "/assets/aria.png"}},
  "characters": {
    "aria": {"name": "Aria", "owner": "ann", "hp_max": 12, "portrait": "face",
             "items": {"potion": 2}, "fields": {"class": "Ranger", "level": 3}},
    "brom": {"name": "Brom", "owner": "bob", "hp_max": 20, "hp": 15, "hp_temp": 3}
  },
  "scenes": {
    "gate": {"title": "The gate", "text": "Two doors.",
             "choices": {"left": {"label": "Left", "to": "crypt"}}, "polls": ["fork", "secret"]},
    "crypt": {"title": "The crypt", "text": "Cold."},
    "tower": {"title": "The tower"}
  },
  "polls": {
    "fork": {"title": "Which door?", "options": [{"label": "Left", "to": "crypt"}, "Wait"],
             "seconds": 60, "weights": {"viewer": 1, "player": 3}},
    "many": {"title": "Which ones?", "options": ["a", "b", "c", "d"], "kind": "multiple", "max": 2},
    "secret": {"title": "Who?", "options": ["x", "y"], "hidden": true, "quorum": 3, "default": 1,
               "weights": {"viewer": 1, "gm": 2}},
    "final": {"title": "Sure?", "options": ["yes", "no"], "changeable": false,
              "tie_break": "none"}
  },
  "timers": {"torch": {"label": "Torch", "seconds": 30}},
  "cues": [
    {"label": "Ask", "k": "poll.open", "a": {"poll": "fork"}},
    {"label": "Go", "k": "scene.go", "a": {"scene": "tower"}},
    {"label": "Ask again", "k": "poll.open", "a": {"poll": "fork"}}
  ],
  "rules": [
    {"id": "crit", "on": "roll", "when": "roll.crit == \"hit\"",
     "do": {"set": {"var": "doom", "value": 1}}},
    {"id": "double", "on": "damage", "when": "vars.doom == 1",
     "do": [{"multiply_damage": 2}, {"set": {"var": "doom", "value": 0}}]},
    {"id": "down", "on": "hp", "when": "hp.after == 0", "do": {"add_condition": "down"}},
    {"id": "up", "on": "hp", "when": "hp.before == 0", "do": {"remove_condition": "down"}},
    {"id": "gift", "on": "poll_closed", "when": "poll.id == \"many\" and poll.winner == 0",
     "do": [{"give": {"char": "all", "item": "rope"}}, {"say": "Rope for all!"}]},
    {"id": "dark", "on": "timer", "when": "timer.id == \"torch\"", "do": {"goto": "tower"}}
  ]
})";

Show::Show(std::string_view definition) {
  for (size_t i = 0; i < secrets.dice_seed.size(); ++i) {
    secrets.dice_seed[i] = static_cast<uint8_t>(i * 7 + 1);
  }
  const Result<Bytes> made =
      make_genesis(definition, "bell", seed_commitment(secrets.dice_seed), now_ms);
  EXPECT_TRUE(made) << (made ? "" : made.error().message());
  if (!made) return;
  genesis = *made;
  Result<State> first = State::from_genesis(genesis);
  EXPECT_TRUE(first) << (first ? "" : first.error().message());
  if (first) state = std::move(*first);
}

void Show::apply_all(const std::vector<Event>& events) {
  changed.clear();
  for (const Event& event : events) {
    ++log_;
    const Status applied = apply(state, event, log_, &changed);
    ASSERT_TRUE(applied) << applied.error().message() << " " << event.json;
    records.push_back({log_, event});
  }
}

Result<Decision> Show::send_as(const Actor& actor, uint64_t cid, uint64_t i, std::string_view kind,
                               std::string_view args) {
  Command command;
  command.actor = &actor;
  command.cid = cid;
  command.i = i;
  command.edge_ms = now_ms;
  command.now_ms = now_ms;
  command.kind = kind;
  command.args = args;
  Result<Decision> decision = decide(state, command, secrets);
  if (decision) apply_all(decision->events);
  return decision;
}

Result<Decision> Show::send(const Actor& actor, std::string_view kind, std::string_view args) {
  return send_as(actor, 7, next_i[actor.who]++, kind, args);
}

Code Show::code(const Actor& actor, std::string_view kind, std::string_view args) {
  const Result<Decision> decision = send(actor, kind, args);
  return decision ? Code::kOk : decision.error().code;
}

Result<BallotVerdict> Show::cast(Ballot ballot, proto::Role role, uint32_t behind_ms) {
  const Result<BallotVerdict> verdict = decide_ballot(state, ballot, role, behind_ms);
  if (verdict && !verdict->duplicate) {
    ++log_;
    EXPECT_TRUE(apply_ballot(state, ballot, log_));
    records.push_back({log_, ballot});
  }
  return verdict;
}

Result<BallotVerdict> Show::vote(const Actor& actor, std::string_view poll, uint32_t mask,
                                 uint32_t n) {
  Ballot ballot;
  ballot.who = actor.who;
  ballot.cid = 7;
  ballot.i = next_i[actor.who]++;
  ballot.poll = static_cast<uint32_t>(poll_index(state, poll));
  ballot.choice_mask = mask;
  ballot.n = n;
  ballot.edge_ms = now_ms;
  return cast(ballot, actor.role);
}

Code Show::vote_code(const Actor& actor, std::string_view poll, uint32_t mask, uint32_t n) {
  const Result<BallotVerdict> verdict = vote(actor, poll, mask, n);
  return verdict ? Code::kOk : verdict.error().code;
}

void Show::tick(int64_t ms) {
  now_ms += ms;
  if (!hold_watermark) watermark_ms = now_ms;
  std::vector<EntityRef> all;
  for (int round = 0; round < 100; ++round) {
    const std::vector<Event> events = decide_time(state, now_ms, watermark_ms, secrets);
    if (events.empty()) break;
    apply_all(events);
    all.insert(all.end(), changed.begin(), changed.end());
  }
  changed = std::move(all);
}

std::string Show::nonce() { return hex_u64(++nonces_ * 0x9E3779B97F4A7C15ULL); }

Tally Show::tally(std::string_view poll, proto::ViewClass view) const {
  for (Tally& tally : tallies(state, view)) {
    if (tally.poll == poll) return std::move(tally);
  }
  return {};
}

State Show::replay(size_t count) const {
  Result<State> out = State::from_genesis(genesis);
  EXPECT_TRUE(out);
  for (size_t i = 0; i < count; ++i) {
    if (const Event* event = std::get_if<Event>(&records[i].what)) {
      EXPECT_TRUE(apply(*out, *event, records[i].log, nullptr));
    } else {
      EXPECT_TRUE(apply_ballot(*out, std::get<Ballot>(records[i].what), records[i].log));
    }
  }
  return std::move(*out);
}

namespace {

std::string pick(Prng& prng, std::initializer_list<std::string_view> words) {
  return std::string(words.begin()[prng.below(words.size())]);
}

std::string random_args(Show& show, Prng& prng, std::string_view kind) {
  const std::string poll = pick(prng, {"fork", "many", "secret", "final", "live0", "none"});
  const std::string character = pick(prng, {"aria", "brom", "nobody"});
  const std::string amount = std::to_string(prng.between(-9, 9));
  if (kind == "poll.open" || kind == "poll.close") return R"({"poll":")" + poll + R"("})";
  if (kind == "poll.create") {
    return R"({"poll":"live)" + std::to_string(prng.below(4)) +
           R"(","title":"Live","options":["p","q"],"seconds":5})";
  }
  if (kind == "scene.go") {
    return R"({"scene":")" + pick(prng, {"gate", "crypt", "tower", "x"}) + R"("})";
  }
  if (kind == "story.choose") return R"({"choice":"left"})";
  if (kind == "chat.say") return R"({"text":"hello )" + amount + R"("})";
  if (kind == "caption.say") {
    return R"({"text":"said )" + amount + R"(","lang":")" + pick(prng, {"en", "de", "?"}) +
           R"(","at_ms":)" + std::to_string(show.now_ms - prng.between(-3'000, 40'000)) + "}";
  }
  if (kind == "caption.take_back") {
    return R"({"caption":")" + std::to_string(prng.below(20)) + R"("})";
  }
  if (kind == "chat.delete") return R"({"chat":")" + std::to_string(prng.below(20)) + R"("})";
  if (kind == "chat.slow") return R"({"seconds":)" + std::to_string(prng.below(3)) + "}";
  if (kind == "mod.mute") {
    return R"({"who":")" + hex_u64(100 + prng.below(20)) + R"(","seconds":)" +
           std::to_string(prng.below(3)) + "}";
  }
  if (kind == "mod.ban" || kind == "mod.unban") {
    return R"({"who":")" + hex_u64(100 + prng.below(20)) + R"("})";
  }
  if (kind == "timer.start") {
    return R"({"id":"t)" + std::to_string(prng.below(3)) + R"(","seconds":3})";
  }
  if (kind == "timer.stop") return R"({"id":"t)" + std::to_string(prng.below(3)) + R"("})";
  if (kind == "slate")
    return prng.below(2) != 0 ? R"({"on":true,"text":"soon"})" : R"({"on":false})";
  if (kind == "dice.roll") {
    const std::string secret = prng.below(3) == 0 ? R"(,"secret":true)" : "";
    return R"({"expr":"2d20kh1+3","nonce":")" + show.nonce() + R"(")" + secret + "}";
  }
  if (kind == "char.hp") {
    return R"({"char":")" + character + R"(",")" + pick(prng, {"delta", "set"}) + R"(":)" + amount +
           "}";
  }
  if (kind == "char.item") {
    return R"({"char":")" + character + R"(","item":")" + pick(prng, {"potion", "rope", "egg"}) +
           R"(","delta":)" + amount + "}";
  }
  if (kind == "char.cond") {
    return R"({"char":")" + character + R"(","cond":"poisoned","on":)" +
           pick(prng, {"true", "false"}) + "}";
  }
  if (kind == "char.field") {
    return R"({"char":"aria","field":"level","value":)" + amount + "}";
  }
  return "{}";
}

void random_ballot(Show& show, Prng& prng) {
  Ballot ballot;
  ballot.who = 100 + prng.below(50);
  ballot.poll = static_cast<uint32_t>(prng.below(6));
  ballot.choice_mask = static_cast<uint32_t>(prng.below(8));
  ballot.n = static_cast<uint32_t>(1 + prng.below(4));
  ballot.edge = static_cast<uint16_t>(prng.below(3));
  ballot.edge_ms = show.now_ms - static_cast<int64_t>(prng.below(3000));
  ballot.flags = static_cast<uint8_t>(prng.below(8) == 0 ? 1 : 0);
  (void)show.cast(ballot, prng.below(10) == 0 ? proto::Role::kGm : proto::Role::kViewer);
}

}  // namespace

void random_action(Show& show, Prng& prng) {
  static constexpr std::string_view kKinds[] = {
      "poll.open",   "poll.open",        "poll.close", "poll.create",
      "scene.go",    "story.choose",     "chat.say",   "chat.say",
      "chat.delete", "chat.slow",        "mod.mute",   "mod.ban",
      "mod.unban",   "timer.start",      "timer.stop", "slate",
      "dice.roll",   "dice.roll",        "char.hp",    "char.hp",
      "char.item",   "char.cond",        "char.field", "episode.start",
      "caption.say", "caption.take_back"};
  const uint64_t what = prng.below(100);
  if (prng.below(400) == 0) return (void)show.send(show.producer, "episode.end");
  if (what < 45) return random_ballot(show, prng);
  if (what < 55) return show.tick(static_cast<int64_t>(prng.below(2000)));
  Actor someone = show.viewer;
  someone.who = 100 + prng.below(20);
  const Actor* actors[] = {&show.producer, &show.producer, &show.gm, &show.gm,
                           &show.ann,      &show.bob,      &someone};
  const Actor& actor = *actors[prng.below(std::size(actors))];
  const std::string_view kind = kKinds[prng.below(std::size(kKinds))];
  const std::string args = random_args(show, prng, kind);
  if (prng.below(10) == 0) {
    (void)show.send_as(actor, 7, 1 + prng.below(show.next_i[actor.who]), kind, args);
  } else {
    (void)show.send(actor, kind, args);
  }
}

}  // namespace footlight::episode::testing
