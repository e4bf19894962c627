#pragma once
#include "core/sha256.h"
#include "log/log.h"

namespace footlight::log::internal {

// SHA-256(previous || seq u64le || kind u8 || at_ms u64le || payload).
inline Hash256 chain_after(const Hash256& previous, uint64_t seq, RecordKind kind, WallMs at_ms,
                           ByteView payload) {
  std::array<uint8_t, 17> head{};
  for (size_t i = 0; i < 8; ++i) {
    head[i] = static_cast<uint8_t>(seq >> (8 * i));
    head[9 + i] = static_cast<uint8_t>(static_cast<uint64_t>(at_ms) >> (8 * i));
  }
  head[8] = static_cast<uint8_t>(kind);
  Sha256 sum;
  sum.update(ByteView(previous));
  sum.update(ByteView(head));
  sum.update(payload);
  return sum.finish();
}

}  // namespace footlight::log::internal
