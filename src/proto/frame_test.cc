#include "proto/frame.h"

#include <gtest/gtest.h>

#include <string>

namespace footlight::proto {
namespace {

std::string header_of(size_t json_size) {
  const FramePtr frame = Frame::text(std::string(json_size, 'x'));
  EXPECT_EQ(frame->json(), std::string(json_size, 'x'));
  EXPECT_TRUE(frame->wire().ends_with(frame->json()));
  return std::string(frame->wire().substr(0, frame->wire().size() - json_size));
}

// RFC 6455 section 5.2: the shortest length form must be used, multi-byte lengths in network order.
TEST(Frame, TheHeaderIsThatOfAnUnmaskedFinalTextFrame) {
  EXPECT_EQ(header_of(0), std::string("\x81\x00", 2));
  EXPECT_EQ(header_of(125), std::string("\x81\x7D", 2));
  EXPECT_EQ(header_of(126), std::string("\x81\x7E\x00\x7E", 4));
  EXPECT_EQ(header_of(65'535), std::string("\x81\x7E\xFF\xFF", 4));
  EXPECT_EQ(header_of(65'536), std::string("\x81\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 10));
}

}  // namespace
}  // namespace footlight::proto
