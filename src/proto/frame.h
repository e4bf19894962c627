// A message ready for every transport, encoded once and shared by all who get it: the RFC 6455
// header of an unmasked text frame stands right before the JSON, so a WebSocket writes wire(), and
// a server-sent-events stream writes json() between "data: " and a blank line.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace footlight::proto {

class Frame {
 public:
  static std::shared_ptr<const Frame> text(std::string_view json);
  std::string_view wire() const { return bytes_; }
  std::string_view json() const { return std::string_view(bytes_).substr(header_size_); }

 private:
  std::string bytes_;
  size_t header_size_ = 0;
};

using FramePtr = std::shared_ptr<const Frame>;

}  // namespace footlight::proto
