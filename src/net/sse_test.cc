#include "net/sse.h"

#include <gtest/gtest.h>

#include <vector>

namespace footlight::net {
namespace {

std::vector<std::string> read(std::string_view bytes, size_t step) {
  SseReader reader(1024);
  std::vector<std::string> events;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::string piece(bytes.substr(at, step));
    std::string_view in = piece;
    std::string_view data;
    while (reader.next(in, data).value_or(false)) events.emplace_back(data);
  }
  return events;
}

TEST(Sse, an_event_is_one_chunk) {
  char head[kSseMaxHeadBytes];
  const std::string message = R"({"t":"pong"})";
  std::string chunk(head, write_sse_head(head, message.size()));
  chunk += message;
  chunk += kSseTail;
  EXPECT_EQ(chunk, "14\r\ndata: {\"t\":\"pong\"}\n\n\r\n");
}

TEST(Sse, the_head_fits_its_bound_at_any_size) {
  char head[kSseMaxHeadBytes];
  EXPECT_LE(write_sse_head(head, UINT64_MAX / 2), kSseMaxHeadBytes);
}

TEST(Sse, line_breaks_in_a_message_become_spaces) {
  EXPECT_TRUE(is_one_line(""));
  EXPECT_FALSE(is_one_line("{\n}"));
  EXPECT_FALSE(is_one_line("{\r}"));
  EXPECT_EQ(one_line_of("{\r\n\"a\":1}"), "{  \"a\":1}");
}

TEST(Sse, a_stream_means_the_same_however_it_is_cut) {
  const std::string bytes =
      ":comment\n\ndata: one\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\nid: 4\rdata\r\r\n"
      "datax: no\n\ndata: {\"a\":1}\n\n";
  const std::vector<std::string> expected = {"one", "two\nlines", "", "{\"a\":1}"};
  for (size_t step = 1; step <= bytes.size(); ++step)
    EXPECT_EQ(read(bytes, step), expected) << step;
}

TEST(Sse, an_event_without_end_is_refused_for_good) {
  SseReader reader(64);
  std::string_view data;
  Result<bool> result = false;
  for (int i = 0; i < 20 && result; ++i) {
    std::string_view in = "data: 0123456789";
    result = reader.next(in, data);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kFrameTooLarge);
  std::string_view in = "\n\n";
  EXPECT_FALSE(reader.next(in, data));
}

}  // namespace
}  // namespace footlight::net
