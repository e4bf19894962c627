// How boards stand on the wire: the golden frames, the wire of Hocuspocus providers, and those who
// do not read.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "crdt/lib0.h"
#include "edge/internal/test_board_peer.h"

namespace footlight::edge::rig {
namespace {

Bytes hex(const Json& golden, std::string_view field) {
  Bytes out;
  EXPECT_TRUE(from_hex(golden[field].as_string(), out));
  return out;
}

Bytes message_of(std::string_view kind, ByteView payload) {
  if (kind == "step1") return crdt::step1_message(payload);
  if (kind == "step2") return crdt::step2_message(payload);
  if (kind == "update") return crdt::update_message(payload);
  if (kind == "awareness") return crdt::awareness_message(payload);
  return crdt::query_awareness_message();
}

TEST(BoardFrames, AreThoseOfTheGoldenVectorsByteForByte) {
  std::ifstream in(std::string(FOOTLIGHT_SOURCE_DIR) + "/src/proto/golden/board_frames.json");
  std::stringstream text;
  text << in.rdbuf();
  const auto golden = Json::parse(text.str());
  ASSERT_TRUE(golden.has_value());
  ASSERT_FALSE((*golden)["cases"].items().empty());
  for (const Json& each : (*golden)["cases"].items()) {
    SCOPED_TRACE(each["name"].as_string());
    const Bytes payload = hex(each, "payload");
    const Bytes message = message_of(each["kind"].as_string(), payload);
    EXPECT_EQ(message, hex(each, "message"));
    const auto read = crdt::read_message(message);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(Bytes(read->payload.begin(), read->payload.end()), payload);
    const Bytes frame = crdt::board_frame(each["board"].as_string(), message);
    EXPECT_EQ(frame, hex(each, "frame"));
    const auto back = crdt::read_board_frame(frame);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->board, each["board"].as_string());
    EXPECT_EQ(Bytes(back->message.begin(), back->message.end()), message);
  }
  for (const Json& each : (*golden)["bad"].items()) {
    EXPECT_FALSE(crdt::read_board_frame(hex(each, "frame"))) << each["name"].as_string();
  }
}

// A Hocuspocus provider, as far as the wire goes.
class NamedClient {
 public:
  NamedClient(Stage& stage, std::string name) : stage_(stage), name_(std::move(name)) {
    stage_.open_bare(name_, "", "");
  }
  TestConnection& connection() { return stage_.clients.at(name_).connection; }
  void authenticate(std::string_view board, std::string_view token) {
    crdt::Encoder out;
    out.var_text(board);
    out.var_uint(2);
    out.var_uint(0);
    out.var_text(token);
    out.var_text("4.0.0");
    stage_.send_binary(name_, out.view());
    stage_.settle();
  }
  void send(std::string_view board, ByteView message) {
    crdt::Encoder out;
    out.var_text(board);
    out.bytes(message);
    stage_.send_binary(name_, out.view());
    stage_.settle();
  }
  // Types of the messages that came for the board, with what stands in them as text.
  std::vector<std::pair<uint64_t, std::string>> came(std::string_view board) {
    std::vector<std::pair<uint64_t, std::string>> out;
    for (const std::string& each : connection().binaries) {
      crdt::Decoder in(as_bytes(each));
      if (in.var_text() != board) continue;
      const uint64_t type = in.var_uint();
      const ByteView rest = in.bytes(in.remaining());
      out.emplace_back(type, std::string(as_text(rest)));
    }
    return out;
  }
  size_t count(std::string_view board, uint64_t type) {
    size_t n = 0;
    for (const auto& [each, rest] : came(board)) n += each == type;
    return n;
  }

 private:
  Stage& stage_;
  std::string name_;
};

TEST_F(BoardsTest, AProviderOfHocuspocusHasSeveralBoardsOnOneConnection) {
  const std::string ticket = token("ann", proto::Role::kPlayer);
  NamedClient ann(stage, "hoc");
  ann.authenticate("table", ticket);
  crdt::Doc doc({.client = 88, .new_client = {}});
  ann.send("table", crdt::step1_message(doc.encode_state_vector()));
  const auto came = ann.came("table");
  ASSERT_GE(came.size(), 3u) << "granted, the server's question, its answer";
  EXPECT_EQ(came[0].first, 2u);
  EXPECT_EQ(came[0].second, "\x02\x0aread-write");
  EXPECT_EQ(ann.count("table", 0), 2u);
  (void)doc.text("notes")->insert(0, "from ");
  ann.send("table", crdt::update_message(*doc.encode_state_as_update(crdt::UpdateFormat::kV1)));
  EXPECT_EQ(ann.count("table", 8), 1u) << "the first goes to the log at once";
  (void)doc.text("notes")->insert(5, "afar");
  ann.send("table", crdt::update_message(*doc.encode_state_as_update(crdt::UpdateFormat::kV1)));
  EXPECT_EQ(ann.count("table", 8), 1u) << "not durable yet";
  run_ms(50);
  EXPECT_EQ(ann.count("table", 8), 2u);
  EXPECT_EQ(content(), R"({"notes":"from afar"})");
  ann.authenticate("$state", ticket);
  EXPECT_EQ(ann.came("$state").front().second, "\x02\x08readonly");
  ann.authenticate("nowhere", ticket);
  EXPECT_EQ(ann.came("nowhere").front().second[0], 1) << "denied, and nothing else is lost";
  ann.authenticate("den", token("gil", proto::Role::kGm));
  EXPECT_EQ(ann.came("den").front().second[0], 1) << "another person's token";
  EXPECT_FALSE(ann.connection().closed);
  EXPECT_TRUE(ann.connection().frames.empty());
  ann.send("table", ByteView(Bytes{7}));
  const size_t before = ann.came("table").size();
  BoardPeer gil(stage, "gil", 22);
  gil.open();
  (void)gil.doc().text("notes")->insert(0, "more ");
  run_ms(50);
  EXPECT_EQ(ann.came("table").size(), before) << "it closed the board";
}

TEST_F(BoardsTest, AProvidersBadTokenAndBadBytesEndItAlone) {
  NamedClient bad(stage, "bad");
  bad.authenticate("table", "nonsense");
  EXPECT_EQ(*bad.connection().closed, Code::kTokenMalformed);
  NamedClient broken(stage, "broken");
  stage.send_binary("broken", ByteView(Bytes{0xff, 0xff, 0xff, 1}));
  EXPECT_EQ(*broken.connection().closed, Code::kBadFrame);
  NamedClient early(stage, "early");
  early.send("table", crdt::query_awareness_message());
  EXPECT_TRUE(early.connection().binaries.empty()) << "before its token nothing is said";
}

TEST_F(BoardsTest, WhoDoesNotReadIsSentWhatItLacksInsteadOfBeingCut) {
  BoardPeer ann(stage, "ann", 11);
  BoardPeer gil(stage, "gil", 22);
  ann.open();
  gil.open();
  (void)gil.doc().text("notes")->insert(0, "begin ");
  run_ms(1'100);
  ann.pump();
  TestConnection& slow = ann.connection();
  slow.room = 0;
  size_t sent = 0;
  for (int i = 0; i < 400; ++i) {
    (void)gil.doc().text("notes")->insert(0, std::string(2'000, 'a' + (i % 26)));
    sent += 2'000;
    run_ms(20);
    gil.pump();
  }
  ASSERT_FALSE(slow.closed) << "far more than may wait was written, and it is not cut";
  slow.room = SIZE_MAX;
  const size_t before = slow.binaries.size();
  stage.edges[0]->on_writable(stage.clients.at("ann").conn);
  run_ms(50);
  ann.pump();
  EXPECT_EQ(ann.bytes(), gil.bytes());
  size_t bytes = 0;
  for (size_t i = before; i < slow.binaries.size(); ++i) bytes += slow.binaries[i].size();
  EXPECT_LT(bytes, sent + 128 * 1024) << "what came twice is a second's worth at most";
  EXPECT_EQ(stage.owner->metrics().boards.caught_up, 1u);
  (void)gil.doc().text("notes")->insert(0, "end ");
  run_ms(50);
  ann.pump();
  EXPECT_EQ(ann.bytes(), gil.bytes()) << "and goes on like everybody";
}

TEST_F(BoardsTest, AnAcknowledgementOfAnEarlierOpeningConfirmsNothingOfTheNext) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  (void)ann.doc().text("notes")->insert(0, "in flight");
  stage.run_ms(20, false);
  ASSERT_TRUE(stage.log_port.in_flight());
  stage.send("ann", R"({"t":"board.close","b":"table"})");
  stage.send("ann", R"({"t":"board.open","b":"table"})");
  stage.pump();
  const size_t before = ann.notices("ack").size();
  stage.run_ms(50);
  EXPECT_EQ(ann.notices("ack").size(), before);
}

class CrowdedBoardsTest : public BoardsTest {
 protected:
  void SetUp() override {
    stage.owner_options.board_times.audience_sends_per_s = 5;
    BoardsTest::SetUp();
  }
};

TEST_F(CrowdedBoardsTest, AnAudienceTooLargeForTenStepsASecondIsShownBiggerOnes) {
  stage.join("vic", proto::Role::kViewer, 3);
  BoardPeer vic(stage, "vic", 33);
  BoardPeer ann(stage, "ann", 11);
  vic.open();
  ann.open();
  const auto heard = [&](int64_t ms) {
    const size_t before = vic.updates;
    for (; ms > 0; ms -= 10) {
      (void)ann.doc().text("notes")->insert(0, "x");
      run_ms(10);
    }
    vic.pump();
    return vic.updates - before;
  };
  EXPECT_EQ(heard(2'000), 10u) << "one who watches, five sends a second";
  stage.join("wim", proto::Role::kViewer, 4);
  BoardPeer wim(stage, "wim", 34);
  wim.open();
  EXPECT_EQ(heard(2'000), 8u) << "two, but never less than four steps a second";
  run_ms(300);
  vic.pump();
  EXPECT_EQ(vic.doc().text("notes")->size(), 400u);
}

}  // namespace
}  // namespace footlight::edge::rig
