// DEPS: footlight_episode
// Snapshots: whatever is read is written as the same bytes, and can be looked at and voted in.
// Inputs are the bytes after magic and genesis of the fixed show below.
#include <cstdlib>
#include <string>

#include "episode/episode.h"

using namespace footlight;

namespace {

constexpr std::string_view kDefinition = R"({"footlight":1,"title":"F","vars":{"v":1},
  "conditions":["down"],"scenes":{"a":{"title":"A","polls":["p"]},"b":{"title":"B"}},
  "characters":{"c":{"name":"C","hp_max":9,"fields":{"f":1,"g":"x"}}},
  "polls":{"p":{"title":"P","options":["x",{"label":"y","to":"b"}],"seconds":9}},
  "cues":[{"label":"L","k":"episode.start"}]})";

Bytes prefix() {
  const Result<Bytes> genesis = episode::make_genesis(kDefinition, "f", {}, 0);
  Bytes out;
  ByteWriter writer(out);
  writer.bytes(as_bytes("footlight state 1\n"));
  writer.text(as_text(*genesis));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Bytes kPrefix = prefix();
  Bytes bytes = kPrefix;
  bytes.insert(bytes.end(), data, data + size);
  Result<episode::State> state = episode::State::from_snapshot(bytes);
  if (!state) return 0;
  if (state->snapshot() != bytes) std::abort();
  for (const auto view : {proto::ViewClass::kViewer, proto::ViewClass::kDirector}) {
    (void)episode::encode_view(*state, view);
    (void)episode::tallies(*state, view);
  }
  episode::Ballot ballot;
  ballot.who = size;
  ballot.choice_mask = 1;
  ballot.n = 1;
  (void)episode::apply_ballot(*state, ballot, 1);
  for (const episode::Event& event :
       episode::decide_time(*state, INT64_MAX / 2, INT64_MAX / 2, {})) {
    (void)episode::apply(*state, event, uint64_t{1} << 47, nullptr);
  }
  return 0;
}
