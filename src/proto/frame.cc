#include "proto/frame.h"

#include <cstdint>

namespace footlight::proto {
namespace {
constexpr char kFinalText = static_cast<char>(0x81);  // FIN, opcode 1: RFC 6455 section 5.2
}

std::shared_ptr<const Frame> Frame::text(std::string_view json) {
  const uint64_t size = json.size();
  char header[10] = {kFinalText};
  size_t header_size = 2;
  if (size < 126) {
    header[1] = static_cast<char>(size);
  } else if (size <= UINT16_MAX) {
    header[1] = 126;
    header_size = 4;
  } else {
    header[1] = 127;
    header_size = 10;
  }
  for (size_t i = 2; i < header_size; ++i) {
    header[i] = static_cast<char>(size >> (8 * (header_size - 1 - i)));
  }
  auto frame = std::make_shared<Frame>();
  frame->bytes_.reserve(header_size + json.size());
  frame->bytes_.append(header, header_size).append(json);
  frame->header_size_ = header_size;
  return frame;
}

}  // namespace footlight::proto
