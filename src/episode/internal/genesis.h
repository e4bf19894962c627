// Genesis → first state. Shared by from_genesis and from_snapshot, which keeps the genesis.
#pragma once
#include <memory>

#include "episode/internal/impl.h"

namespace footlight::episode {

// kLogCorrupt, kLogFormat.
Result<Genesis> read_genesis(ByteView payload, Definition& definition);
std::unique_ptr<State::Impl> initial_state(Genesis genesis, Definition definition);

}  // namespace footlight::episode
