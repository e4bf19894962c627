#include "crdt/sync.h"

#include <gtest/gtest.h>

namespace footlight::crdt {
namespace {

const Bytes kPayload = {1, 2, 3};

// The bytes of y-protocols and y-websocket.
TEST(Sync, MessagesHaveTheBytesOfYProtocols) {
  EXPECT_EQ(step1_message(kPayload), (Bytes{0, 0, 3, 1, 2, 3}));
  EXPECT_EQ(step2_message(kPayload), (Bytes{0, 1, 3, 1, 2, 3}));
  EXPECT_EQ(update_message(kPayload), (Bytes{0, 2, 3, 1, 2, 3}));
  EXPECT_EQ(awareness_message(kPayload), (Bytes{1, 3, 1, 2, 3}));
  EXPECT_EQ(query_awareness_message(), (Bytes{3}));
  EXPECT_EQ(board_frame("ab", kPayload), (Bytes{1, 2, 'a', 'b', 1, 2, 3}));
}

TEST(Sync, WhatIsWrittenIsRead) {
  const std::pair<Bytes, MessageKind> cases[] = {
      {step1_message(kPayload), MessageKind::kStep1},
      {step2_message(kPayload), MessageKind::kStep2},
      {update_message(kPayload), MessageKind::kUpdate},
      {awareness_message(kPayload), MessageKind::kAwareness},
  };
  for (const auto& [bytes, kind] : cases) {
    const auto read = read_message(bytes);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->kind, kind);
    EXPECT_EQ(Bytes(read->payload.begin(), read->payload.end()), kPayload);
  }
  EXPECT_EQ(read_message(query_awareness_message())->kind, MessageKind::kQueryAwareness);
  const Bytes frame = board_frame("table", kPayload);
  const auto view = read_board_frame(frame);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->board, "table");
  EXPECT_EQ(view->message.size(), 3u);
}

TEST(Sync, TornAndOverlongMessagesAreRefusedAndUnknownOnesPassedOver) {
  for (const Bytes& bad : {Bytes{}, Bytes{0}, Bytes{0, 2}, Bytes{0, 2, 5, 1}, Bytes{0, 2, 1, 1, 1},
                           Bytes{1, 9}, Bytes{3, 0}}) {
    const auto read = read_message(bad);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code, Code::kBoardMalformed);
  }
  EXPECT_EQ(read_message(Bytes{2, 0, 1, 'x'})->kind, MessageKind::kOther) << "authentication";
  EXPECT_EQ(read_message(Bytes{0, 7, 0})->kind, MessageKind::kOther);
  EXPECT_EQ(read_message(Bytes{99})->kind, MessageKind::kOther);
  for (const Bytes& bad : {Bytes{}, Bytes{2, 1, 'a'}, Bytes{1, 0}, Bytes{1, 5, 'a'}}) {
    EXPECT_FALSE(read_board_frame(bad).has_value());
  }
}

}  // namespace
}  // namespace footlight::crdt
