// DEPS: footlight_gate footlight_gate_openssl
// What an edge does for each ballot before the owner sees it: decode, admit; and for each join:
// verify.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "gate/admission.h"
#include "gate/openssl/keys.h"
#include "gate/token.h"
#include "proto/frame.h"
#include "proto/messages.h"

namespace {

using namespace footlight;

std::string vote_frame(size_t events, bool traced) {
  std::vector<proto::ClientEvent> batch(events);
  for (size_t i = 0; i < events; ++i) {
    batch[i].i = 1000 + i;
    batch[i].kind = proto::Kind::kPollVote;
    batch[i].vote = {.poll = "fork", .choice_mask = 2, .n = 1, .voter = {}};
    if (traced) {
      batch[i].traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    }
  }
  return proto::encoded(proto::EventBatch{batch});
}

void decode_votes(benchmark::State& state) {
  const auto events = static_cast<size_t>(state.range(0));
  const std::string frame = vote_frame(events, state.range(1) != 0);
  proto::ClientDecoder decoder;
  for (auto _ : state) {
    auto message = decoder.decode(frame);
    benchmark::DoNotOptimize(message);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * events));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * frame.size()));
}
BENCHMARK(decode_votes)->ArgNames({"events", "traced"})->Args({1, 0})->Args({1, 1})->Args({64, 1});

void encode_ack(benchmark::State& state) {
  const proto::Confirmed confirmed[] = {{.i = 17, .log = 123456, .has_receipt = true}};
  std::string out;
  for (auto _ : state) {
    out.clear();
    proto::encode(out, proto::Ack{.accepted = {}, .confirmed = confirmed, .rejected = {}});
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_ack);

void encode_tally_frame(benchmark::State& state) {
  const uint64_t counts[] = {30211, 5422, 19, 774};
  std::string out;
  for (auto _ : state) {
    out.clear();
    proto::encode(out, proto::TallyUpdate{.poll = "fork",
                                          .version = 12,
                                          .log = 123456,
                                          .counts = counts,
                                          .voters = 36426,
                                          .state = "open"});
    auto frame = proto::Frame::text(out);
    benchmark::DoNotOptimize(frame);
  }
}
BENCHMARK(encode_tally_frame);

void admit_vote(benchmark::State& state) {
  gate::Admission admission({}, 1);
  gate::EpisodeBuckets episode;
  const auto people = static_cast<size_t>(state.range(0));
  std::vector<gate::ConnectionBuckets> connections(people);
  uint64_t n = 0, refused = 0;
  for (auto _ : state) {
    const size_t at = (n * 7919) % people;
    const gate::Subject subject{.connection = &connections[at],
                                .episode = &episode,
                                .who = at * 0x9E3779B97F4A7C15ULL,
                                .prefix = {.bits = (at / 4) << 8, .v6 = false},
                                .role = proto::Role::kViewer};
    const auto now_us = static_cast<MonoUs>(n * 10);  // 100,000 a second
    refused += admission.admit(gate::EventClass::kVote, subject, 1, now_us).ok() ? 0u : 1u;
    ++n;
  }
  state.counters["refused"] = static_cast<double>(refused) / static_cast<double>(n);
  state.counters["shared"] = static_cast<double>(admission.shared_count());
}
BENCHMARK(admit_vote)->Arg(5'000)->Arg(200'000)->Arg(2'000'000);

void verify(benchmark::State& state, const gate::KeySet& keys, const std::string& token) {
  for (auto _ : state) {
    auto claims = gate::verify_token(token, keys, 1000);
    if (!claims) state.SkipWithError("the token does not verify");
    benchmark::DoNotOptimize(claims);
  }
}

gate::Claims ann() {
  gate::Claims claims;
  claims.sub = "ann";
  claims.episode = "demo";
  claims.expires_s = 2000;
  return claims;
}

void verify_hs256(benchmark::State& state) {
  const std::string secret(32, 's');
  gate::KeySet keys;
  if (!keys.add_hs256("k1", secret)) return state.SkipWithError("key");
  verify(state, keys, *gate::mint_token(ann(), "k1", *gate::hs256_signer(secret)));
}
BENCHMARK(verify_hs256);

// Of `openssl genpkey`; nobody's key.
constexpr std::string_view kEd25519 =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
constexpr std::string_view kEd25519Public =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n";

void verify_eddsa(benchmark::State& state) {
  auto signer = gate::signer_from_pem(kEd25519);
  auto verifier = gate::verifier_from_pem(kEd25519Public);
  gate::KeySet keys;
  if (!signer || !verifier || !keys.add("ed", std::move(*verifier))) {
    return state.SkipWithError("key");
  }
  verify(state, keys, *gate::mint_token(ann(), "ed", **signer));
}
BENCHMARK(verify_eddsa);

}  // namespace
