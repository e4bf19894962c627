#include "proto/frame.h"

namespace footlight::proto {
namespace {

constexpr uint8_t kFinal = 0x80;  // FIN: RFC 6455 section 5.2
constexpr uint8_t kTextOpcode = 1;
constexpr uint8_t kBinaryOpcode = 2;

}  // namespace

void Frame::begin(uint8_t opcode, uint64_t size) {
  char header[10] = {static_cast<char>(kFinal | opcode)};
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
  bytes_.reserve(header_size + size);
  bytes_.append(header, header_size);
  header_size_ = header_size;
}

std::shared_ptr<const Frame> Frame::text(std::string_view json) {
  auto frame = std::make_shared<Frame>();
  frame->begin(kTextOpcode, json.size());
  frame->bytes_.append(json);
  return frame;
}

std::shared_ptr<const Frame> Frame::binary(std::string_view head, std::string_view rest) {
  auto frame = std::make_shared<Frame>();
  frame->begin(kBinaryOpcode, head.size() + rest.size());
  frame->bytes_.append(head).append(rest);
  return frame;
}

}  // namespace footlight::proto
