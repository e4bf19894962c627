// A board that goes back, or begins anew.
#include <gtest/gtest.h>

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

TEST_F(RenewTest, ACopyOfTheOldBoardBringsNothingBackAndDoublesNothing) {
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
  // It knows of no generation: its copy turns into the new one.
  (void)renew();
  stock.pump();
  run_ms(50);
  stock.pump();
  EXPECT_EQ(stock.doc().text("notes")->to_string(), "once");
  EXPECT_EQ(content(), R"({"notes":"once","tokens":{"aria":1}})");
  // One that was away comes with all it has.
  (void)renew(R"({"empty":true})");
  BoardPeer away(stage, "stock", 4'712);
  away.bare = true;
  (void)away.doc().apply_update(*stock.doc().encode_state_as_update(crdt::UpdateFormat::kV1),
                                crdt::UpdateFormat::kV1);
  away.sync();
  run_ms(50);
  away.pump();
  EXPECT_EQ(away.doc().text("notes")->to_string(), "");
  EXPECT_EQ(content().find("once"), std::string::npos) << content();
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
