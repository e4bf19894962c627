// DEPS: footlight_net
//
// The WebSocket decoder on a peer's bytes: whole and cut into pieces it must say the same, hold no
// more than its bound, and what it hands out as a message must be what it promises.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "net/websocket.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::net;

constexpr uint32_t kLimit = 4096;

std::string run(WsSide side, std::string_view bytes, size_t step) {
  WsDecoder decoder(side, kLimit);
  std::string told;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::vector<char> piece(bytes.begin() + at, bytes.begin() + std::min(at + step, bytes.size()));
    std::span<char> in(piece);
    WsEvent event;
    for (;;) {
      const auto result = decoder.next(in, event);
      if (!result) return told + "fault " + std::to_string(static_cast<int>(result.error().code));
      require(decoder.stored_bytes() <= 4 * kLimit + 512);
      if (!*result) break;
      require(event.payload.size() <= kLimit);
      if (event.kind == WsOpcode::kText) require(is_valid_utf8(event.payload));
      if (event.kind == WsOpcode::kClose && event.close_code != kWsCloseNone) {
        require(is_ws_close_code(event.close_code));
      }
      told += std::to_string(static_cast<int>(event.kind)) + " " +
              std::to_string(event.close_code) + " ";
      told.append(event.payload).append("\n");
    }
    require(in.empty());
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const WsSide side = data[0] & 1 ? WsSide::kServer : WsSide::kClient;
  const size_t step = 1 + (data[0] >> 1);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(run(side, bytes, bytes.size()) == run(side, bytes, step));
  return 0;
}
