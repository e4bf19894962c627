// DEPS: footlight_proto
// What a server sends, as the load client and the rehearsal read it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/assert.h"
#include "proto/messages.h"

using namespace footlight;
using namespace footlight::proto;

namespace {
std::string encode_any(const ServerMessage& message) {
  return std::visit(
      [](const auto& m) {
        if constexpr (std::is_same_v<std::decay_t<decltype(m)>, UnknownMessage>) {
          return std::string();
        } else {
          return encoded(m);
        }
      },
      message);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ServerDecoder decoder, again;
  const std::string frame(reinterpret_cast<const char*>(data), size);
  const Result<ServerMessage> message = decoder.decode(frame);
  if (!message || std::holds_alternative<UnknownMessage>(*message)) return 0;
  const std::string text = encode_any(*message);
  const Result<ServerMessage> back = again.decode(text);
  FL_ASSERT(back.has_value(), "what was decoded encodes to something that decodes");
  FL_ASSERT(encode_any(*back) == text, "encoding is stable");
  return 0;
}
