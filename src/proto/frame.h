// A message ready for every transport, encoded once and shared by all who get it: the RFC 6455
// header of an unmasked text frame stands right before the JSON, so a WebSocket writes wire(), and
// a server-sent-events stream writes json() between "data: " and a blank line.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace footlight::proto {

class Frame {
 public:
  static std::shared_ptr<const Frame> text(std::string_view json);
  // A binary frame, for WebSockets only: an event stream has no such thing.
  static std::shared_ptr<const Frame> binary(std::string_view head, std::string_view rest);
  bool is_binary() const { return (bytes_[0] & 0x0F) == 2; }
  std::string_view wire() const { return bytes_; }
  // The payload: JSON, of a binary frame its bytes.
  std::string_view json() const { return std::string_view(bytes_).substr(header_size_); }

 private:
  void begin(uint8_t opcode, uint64_t size);

  std::string bytes_;
  size_t header_size_ = 0;
};

using FramePtr = std::shared_ptr<const Frame>;

}  // namespace footlight::proto
