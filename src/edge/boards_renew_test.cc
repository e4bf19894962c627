// A board that goes back, or begins anew.
#include <gtest/gtest.h>

#include "crdt/state_vector.h"
#include "edge/internal/test_board_peer.h"

namespace footlight::edge::rig {
namespace {

class RenewTest : public BoardsTest {
 protected:
  std::string renew(std::string body = "{}") {
    ApiCall call;
    call.route = ApiRoute::kBoardRenew;
    call.board = "table";
    call.body = std::move(body);
    const auto answer = std::make_shared<std::string>();
    stage.owner->api(call, [answer](ApiAnswer said) { *answer = std::move(said.body); });
    run_ms(50);
    return *answer;
  }
};

TEST_F(RenewTest, ARestoreKeepsTheFormatsOfTextInsideXml) {
  stage.join("pia", proto::Role::kProducer, 9);
  BoardPeer gil(stage, "gil", 22);
  gil.open();
  const crdt::Attributes bold = {{"strong", crdt::Any(true)}};
  std::vector<std::pair<crdt::Input, crdt::Attributes>> runs;
  runs.emplace_back("Listen", bold);
  runs.emplace_back(" to the bell", crdt::Attributes{});
  const auto note = crdt::Input::xml_fragment(
      {crdt::Input::xml_element("paragraph", {}, {crdt::Input::xml_text(std::move(runs))})});
  (void)gil.doc().map("notes")->set("one", note);
  run_ms(50);
  const std::string was = content();
  EXPECT_NE(was.find("<strong>Listen</strong> to the bell"), std::string::npos) << was;
  const uint64_t then = stage.owner->durable_head().seq;
  stage.send("pia", ev(1, "episode.start"));
  run_ms(50);
  (void)gil.doc().map("notes")->set("one", crdt::Input("torn up"));
  run_ms(50);
  ApiCall call;
  call.route = ApiRoute::kBoardRestore;
  call.board = "table";
  call.body = "{\"at\":" + std::to_string(then) + "}";
  (void)ask(call);
  run_ms(50);
  EXPECT_EQ(content(), was);
}

TEST_F(RenewTest, ABoardBeginsAnewWithItsContentAndWithoutItsPast) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  (void)ann.doc().text("notes")->insert(0, std::string(20'000, 'x'));
  run_ms(50);
  for (int i = 0; i < 200; ++i) {
    (void)ann.doc().map("tokens")->set("aria", crdt::Input(i));
    (void)ann.doc().text("notes")->insert(0, "y");
    run_ms(2);
  }
  (void)ann.doc().text("notes")->erase(5, 20'000);
  run_ms(50);
  ann.pump();
  const std::string was = content();
  const int64_t gen = ann.notices("gen").front()["gen"].as_int();
  const auto answer = Json::parse(renew());
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(content(), was);
  EXPECT_LT((*answer)["bytes"].as_int(), 400) << "200 letters, a number, and who is gone";
  EXPECT_NE((*answer)["gen"].as_int(), gen);
  const auto told = ann.notices("reset");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0]["gen"].as_int(), (*answer)["gen"].as_int());
  // As the SDK does: another document, opened anew.
  ann.begin(static_cast<uint64_t>(told[0]["client"].as_int()));
  ann.open();
  EXPECT_EQ(ann.doc().text("notes")->size(), 200u);
  (void)ann.doc().map("tokens")->set("aria", crdt::Input(777));
  run_ms(50);
  EXPECT_NE(content().find("\"aria\":777"), std::string::npos);
  restart();
  EXPECT_NE(content().find("\"aria\":777"), std::string::npos) << "and is so after a restart";
}

TEST_F(RenewTest, AStockClientsCopyOfTheOldBoardIsRefusedWithTheCodeAndLeavesNoTrace) {
  const std::string ticket = token("ann", proto::Role::kPlayer);
  stage.open_bare("stock", "table", ticket);
  BoardPeer stock(stage, "stock", 4'711);
  stock.bare = true;
  stock.pump();
  stock.sync();
  (void)stock.doc().text("notes")->insert(0, "once");
  (void)stock.doc().map("tokens")->set("aria", crdt::Input(1));
  run_ms(50);
  stock.pump();
  (void)renew();
  run_ms(50);
  EXPECT_EQ(stock.connection().closed, Code::kBoardRenewed);
  EXPECT_EQ(content(), R"({"notes":"once","tokens":{"aria":1}})");
  // It comes again with what it has, and something new: by its question, and without asking.
  for (const bool asks : {true, false}) {
    stage.open_bare("again", "table", ticket);
    BoardPeer again(stage, "again", 4'711);
    again.bare = true;
    again.sends = false;
    (void)again.doc().apply_update(*stock.doc().encode_state_as_update(crdt::UpdateFormat::kV1),
                                   crdt::UpdateFormat::kV1);
    (void)again.doc().text("notes")->insert(4, " more");
    if (asks) again.send(crdt::step1_message(again.doc().encode_state_vector()));
    if (!asks) again.pump();
    run_ms(50);
    EXPECT_EQ(again.connection().closed, Code::kBoardRenewed) << asks;
  }
  EXPECT_EQ(content(), R"({"notes":"once","tokens":{"aria":1}})");
  // With an empty document it goes on; the server wrote what is there, and may be written over.
  stage.open_bare("fresh", "table", ticket);
  BoardPeer fresh(stage, "fresh", 4'712);
  fresh.bare = true;
  fresh.sync();
  (void)fresh.doc().text("notes")->insert(4, " more");
  (void)fresh.doc().map("tokens")->set("aria", crdt::Input(2));
  run_ms(50);
  EXPECT_EQ(content(), R"({"notes":"once more","tokens":{"aria":2}})");
  restart();
  EXPECT_EQ(content(), R"({"notes":"once more","tokens":{"aria":2}})");
}

TEST_F(RenewTest, EachGenerationIsWrittenUnderAnotherIdOfTheServer) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  (void)ann.doc().text("notes")->insert(0, "word");
  run_ms(50);
  std::vector<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    if (i == 2) restart();  // from the log they are known as well
    (void)renew();
    run_ms(50);
    const std::string name = "gil" + std::to_string(i);
    stage.join(name, proto::Role::kGm, 20 + i);
    BoardPeer other(stage, name, 900 + i);
    other.open();
    EXPECT_EQ(other.doc().text("notes")->to_string(), "word");
    const auto vector = other.doc().state_vector();
    ASSERT_EQ(vector.entries().size(), 1u);
    EXPECT_EQ(vector.entries().begin()->client, crdt::kMaxClient - static_cast<uint64_t>(i))
        << "the first one was never written under before";
  }
}

TEST_F(RenewTest, WhatIsOnItsWayFromACopyOfBeforeIsNotTaken) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  (void)ann.doc().text("notes")->insert(0, "first");
  run_ms(50);
  (void)renew();
  run_ms(50);
  // It has not heard of it yet.
  (void)ann.doc().map("tokens")->set("aria", crdt::Input(1));
  run_ms(50);
  EXPECT_EQ(content(), R"({"notes":"first"})");
  const auto told = ann.notices("reset");
  ASSERT_EQ(told.size(), 1u);
  ann.pump();  // what came before the notice is of the old document
  ann.begin(static_cast<uint64_t>(told[0]["client"].as_int()));
  ann.open(static_cast<uint64_t>(told[0]["gen"].as_int()));
  (void)ann.doc().map("tokens")->set("aria", crdt::Input(2));
  run_ms(50);
  EXPECT_EQ(content(), R"({"notes":"first","tokens":{"aria":2}})");
}

TEST_F(RenewTest, AnEditThatWaitsForTheLogIsInTheNewBoardOnce) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  (void)ann.doc().text("notes")->insert(0, "first ");
  stage.run_ms(3, false);
  ApiCall call;
  call.route = ApiRoute::kBoardRenew;
  call.board = "table";
  std::string answer;
  stage.owner->api(call, [&](ApiAnswer said) { answer = said.body; });
  stage.run_ms(1, false);
  EXPECT_TRUE(answer.empty());
  run_ms(100);
  EXPECT_FALSE(answer.empty());
  EXPECT_EQ(content(), R"({"notes":"first "})");
  restart();
  EXPECT_EQ(content(), R"({"notes":"first "})");
}

}  // namespace
}  // namespace footlight::edge::rig
