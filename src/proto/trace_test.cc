#include "proto/trace.h"

#include <gtest/gtest.h>

namespace footlight::proto {
namespace {

TEST(TraceParent, TheExampleOfTheStandardHasItsParts) {
  const auto trace = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_high, 0x0af7651916cd43ddULL);
  EXPECT_EQ(trace->trace_low, 0x8448eb211c80319cULL);
  EXPECT_EQ(trace->parent, 0xb7ad6b7169203331ULL);
  EXPECT_EQ(trace->flags, 1);
  EXPECT_TRUE(trace->sampled());
}

TEST(TraceParent, WhatIsWrittenReadsBack) {
  const TraceParent trace{.trace_high = 0, .trace_low = 7, .parent = 1, .flags = 0xfe};
  std::string text;
  append_traceparent(text, trace);
  EXPECT_EQ(text, "00-00000000000000000000000000000007-0000000000000001-fe");
  EXPECT_EQ(parse_traceparent(text), trace);
  EXPECT_FALSE(trace.sampled());
}

}  // namespace
}  // namespace footlight::proto
