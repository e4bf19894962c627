// DEPS: footlight_episode
// Definitions: every fault is found without harm; a good one makes a genesis that starts.
#include <cstdlib>

#include "episode/definition.h"
#include "episode/episode.h"

using namespace footlight;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<episode::Definition> definition = episode::parse_definition(text);
  (void)episode::State::from_genesis({data, size});
  if (!definition) return 0;
  const Result<Bytes> genesis = episode::make_genesis(text, "f", {}, 0);
  if (!genesis) std::abort();
  const Result<episode::State> state = episode::State::from_genesis(*genesis);
  if (!state) std::abort();
  (void)episode::encode_view(*state, proto::ViewClass::kDirector);
  return 0;
}
