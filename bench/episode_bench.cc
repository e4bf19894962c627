// DEPS: footlight_episode
// The ballot's hot path, replay and what an owner does beside it. Budgets: decide + apply of a
// ballot at most 0.3 µs, replay at least 1M ballots/s with decoding (issue: Speed and memory).
#include <benchmark/benchmark.h>

#include <vector>

#include "core/prng.h"
#include "episode/episode.h"
#include "episode/fairness.h"

namespace footlight::episode {
namespace {

constexpr std::string_view kDefinition =
    R"({"footlight":1,"title":"Bench","scenes":{"a":{"title":"A"}},
  "emotes":["e"],"conditions":["down"],
  "characters":{"c":{"name":"C","hp_max":9}},
  "rules":[{"on":"hp","when":"hp.after == 0","do":{"add_condition":"down"}}],
  "polls":{"p":{"title":"P","options":["a","b","c","d"]}}})";

struct Stage {
  Stage() {
    genesis = *make_genesis(kDefinition, "bench", seed_commitment(secrets.dice_seed), 0);
    state = *State::from_genesis(genesis);
    send("episode.start", "{}");
    send("poll.open", R"({"poll":"p"})");
  }
  void send(std::string_view kind, std::string_view args) {
    Command command;
    command.actor = &producer;
    command.cid = 1;
    command.i = ++i;
    command.now_ms = 1000;
    command.kind = kind;
    command.args = args;
    const Result<Decision> decision = decide(state, command, secrets);
    for (const Event& event : decision->events) {
      events.push_back(event);
      (void)apply(state, event, ++log, nullptr);
    }
  }
  Actor producer{1, proto::Role::kProducer, "P", {}};
  Secrets secrets;
  Bytes genesis;
  State state;
  std::vector<Event> events;
  uint64_t i = 0;
  uint64_t log = 1;
};

std::vector<Ballot> ballots_of(size_t count, uint32_t n, uint64_t seed) {
  Prng prng(seed);
  std::vector<Ballot> out(count);
  for (Ballot& ballot : out) {
    ballot.who = prng.next();
    ballot.cid = prng.next();
    ballot.i = 1 + prng.below(100);
    ballot.choice_mask = 1u << prng.below(4);
    ballot.n = n;
    ballot.edge_ms = 1000 + static_cast<int64_t>(prng.below(60'000));
  }
  return out;
}

void apply_decided(State& state, Ballot& ballot, uint64_t log) {
  const auto verdict = decide_ballot(state, ballot, proto::Role::kViewer);
  if (verdict && !verdict->duplicate) benchmark::DoNotOptimize(apply_ballot(state, ballot, log));
}

void first_votes(benchmark::State& bench) {
  const auto voters = static_cast<size_t>(bench.range(0));
  std::vector<Ballot> ballots = ballots_of(voters, 1, 7);
  for (auto _ : bench) {
    bench.PauseTiming();
    Stage stage;
    bench.ResumeTiming();
    for (size_t i = 0; i < ballots.size(); ++i) {
      if (i + 8 < ballots.size()) prefetch_ballot(stage.state, 0, ballots[i + 8].who);
      apply_decided(stage.state, ballots[i], 9);
    }
    bench.PauseTiming();
    stage.state = State();
    bench.ResumeTiming();
  }
  bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(first_votes)->Arg(5'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void changed_votes(benchmark::State& bench) {
  Stage stage;
  std::vector<Ballot> ballots = ballots_of(static_cast<size_t>(bench.range(0)), 1, 7);
  for (Ballot& ballot : ballots) apply_decided(stage.state, ballot, 9);
  size_t at = 0;
  for (auto _ : bench) {
    Ballot& ballot = ballots[at];
    at = at + 1 == ballots.size() ? 0 : at + 1;
    const size_t ahead = at + 7 < ballots.size() ? at + 7 : 0;
    prefetch_ballot(stage.state, 0, ballots[ahead].who);
    ++ballot.n;
    ballot.choice_mask = 1u << (ballot.n & 3);
    apply_decided(stage.state, ballot, 10);
  }
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(changed_votes)->Arg(5'000)->Arg(100'000)->Arg(1'000'000);

void replay_blocks(benchmark::State& bench) {
  const Stage live;
  const std::vector<Ballot> ballots = ballots_of(1'000'000, 1, 7);
  std::vector<Bytes> blocks;
  for (size_t at = 0; at < ballots.size(); at += 4096) {
    blocks.push_back(encode_ballots(
        std::span(ballots).subspan(at, std::min<size_t>(4096, ballots.size() - at))));
  }
  std::vector<Ballot> decoded;
  for (auto _ : bench) {
    State state = *State::from_genesis(live.genesis);
    uint64_t log = 1;
    for (const Event& event : live.events) (void)apply(state, event, ++log, nullptr);
    for (const Bytes& block : blocks) {
      decoded.clear();
      (void)decode_ballots(block, decoded);
      ++log;
      (void)apply_ballots(state, decoded, log);
    }
    benchmark::DoNotOptimize(state);
  }
  bench.SetItemsProcessed(bench.iterations() * static_cast<int64_t>(ballots.size()));
}
BENCHMARK(replay_blocks)->Unit(benchmark::kMillisecond);

void receipts(benchmark::State& bench) {
  const std::vector<Ballot> ballots = ballots_of(1024, 1, 7);
  size_t at = 0;
  for (auto _ : bench) {
    benchmark::DoNotOptimize(ballot_receipt(ballots[at++ & 1023], "fork"));
  }
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(receipts);

void snapshots(benchmark::State& bench) {
  Stage stage;
  for (Ballot& ballot : ballots_of(static_cast<size_t>(bench.range(0)), 1, 7)) {
    apply_decided(stage.state, ballot, 9);
  }
  size_t size = 0;
  for (auto _ : bench) size = stage.state.snapshot().size();
  bench.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK(snapshots)->Arg(1'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void snapshot_reads(benchmark::State& bench) {
  Stage stage;
  for (Ballot& ballot : ballots_of(static_cast<size_t>(bench.range(0)), 1, 7)) {
    apply_decided(stage.state, ballot, 9);
  }
  const Bytes bytes = stage.state.snapshot();
  for (auto _ : bench) benchmark::DoNotOptimize(State::from_snapshot(bytes));
}
BENCHMARK(snapshot_reads)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void hit_points(benchmark::State& bench) {  // with a rule looked at
  Stage stage;
  for (auto _ : bench) {
    stage.send("char.hp",
               stage.i % 2 == 0 ? R"({"char":"c","delta":-1})" : R"({"char":"c","delta":1})");
    stage.events.clear();
  }
}
BENCHMARK(hit_points)->Unit(benchmark::kMicrosecond);

void chat(benchmark::State& bench) {
  Stage stage;
  for (auto _ : bench) {
    stage.send("chat.say", R"({"text":"hello there"})");
    stage.events.clear();
  }
}
BENCHMARK(chat)->Unit(benchmark::kMicrosecond);

void views(benchmark::State& bench) {
  Stage stage;
  for (int i = 0; i < 100; ++i) stage.send("chat.say", R"({"text":"hello there"})");
  for (auto _ : bench) {
    benchmark::DoNotOptimize(encode_view(stage.state, proto::ViewClass::kDirector));
  }
}
BENCHMARK(views)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace footlight::episode
