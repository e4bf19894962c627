// What boards promise to those who edit them.
#include <gtest/gtest.h>

#include "crdt/awareness.h"
#include "edge/internal/test_board_peer.h"

namespace footlight::edge::rig {
namespace {

TEST_F(BoardsTest, TwoWhoEditHoldTheSameInTheEnd) {
  BoardPeer ann(stage, "ann", 11);
  BoardPeer gil(stage, "gil", 22);
  ann.open();
  gil.open();
  (void)ann.doc().text("notes")->insert(0, "hello");
  (void)gil.doc().map("map")->set("grid", crdt::Input(70));
  run_ms(50);
  ann.pump();
  gil.pump();
  EXPECT_EQ(ann.bytes(), gil.bytes());
  EXPECT_EQ(ann.doc().text("notes")->to_string(), "hello");
  EXPECT_EQ(ann.doc().map("map")->get("grid").to_json(), "70");
  const auto acks = ann.notices("ack");
  ASSERT_FALSE(acks.empty());
  EXPECT_EQ(acks.back()["ack"].as_int(), 2) << "its answer to the server's step 1, and its edit";
}

TEST_F(BoardsTest, TheAnswerToOpeningSaysWhatOneMayDo) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  const Json answer = ann.notices("gen").front();
  EXPECT_EQ(answer["client"].as_int(), 11) << "nobody's id is given as asked for";
  EXPECT_TRUE(answer["rights"]["edit"].as_bool());
  EXPECT_EQ(answer["rights"]["rules"].items().size(), 4u);
  EXPECT_EQ(answer["title"].as_string(), "The table");
  EXPECT_EQ(answer["limits"]["update_bytes"].as_int(), 262'144);
  stage.send("ann", R"({"t":"board.open","b":"den"})");
  stage.send("ann", R"({"t":"board.open","b":"nowhere"})");
  stage.settle();
  const auto codes = ann.notices("code");
  ASSERT_EQ(codes.size(), 2u);
  EXPECT_EQ(code_of(codes[0]), number(Code::kForbidden));
  EXPECT_EQ(code_of(codes[1]), number(Code::kBoardUnknown));
  stage.send_binary("ann", crdt::board_frame("den", crdt::query_awareness_message()));
  stage.settle();
  EXPECT_EQ(code_of(ann.connection().last("error")), number(Code::kBoardNotOpen));
}

TEST_F(BoardsTest, AnEditIsShownAndConfirmedOnlyWhenItIsDurable) {
  BoardPeer ann(stage, "ann", 11);
  BoardPeer gil(stage, "gil", 22);
  ann.open();
  gil.open();
  const size_t acks = ann.notices("ack").size();
  (void)ann.doc().text("notes")->insert(0, "soon");
  stage.run_ms(200, false);
  EXPECT_TRUE(stage.log_port.in_flight());
  gil.send(crdt::step1_message(gil.doc().encode_state_vector()));
  stage.run_ms(50, false);
  EXPECT_EQ(gil.connection().binaries.size(), gil.connection().binaries.size());
  const size_t shown = gil.connection().binaries.size();
  EXPECT_EQ(ann.notices("ack").size(), acks);
  run_ms(50);
  EXPECT_EQ(ann.notices("ack").size(), acks + 1);
  EXPECT_GT(gil.connection().binaries.size(), shown) << "also the answer to a question waits";
  gil.pump();
  EXPECT_EQ(gil.doc().text("notes")->to_string(), "soon");
}

TEST_F(BoardsTest, WhoComesBackGetsWhatItLacksAndNotTheHistory) {
  BoardPeer ann(stage, "ann", 11);
  BoardPeer gil(stage, "gil", 22);
  ann.open();
  (void)ann.doc().text("notes")->insert(0, std::string(5'000, 'x'));
  run_ms(50);
  gil.open();
  EXPECT_GT(gil.step2_bytes, 5'000u);
  stage.send("gil", R"({"t":"board.close","b":"table"})");
  stage.settle();
  (void)ann.doc().text("notes")->insert(0, "y");
  run_ms(50);
  gil.pump();
  EXPECT_EQ(gil.updates, 0u) << "a closed board is not shown";
  gil.open();
  EXPECT_LT(gil.step2_bytes, 40u);
  EXPECT_EQ(gil.doc().text("notes")->size(), 5'001u);
}

TEST_F(BoardsTest, ABoardComesBackAfterARestartAndOfflineEditsMerge) {
  uint64_t generation = 0;
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  generation = static_cast<uint64_t>(ann.notices("gen").front()["gen"].as_int());
  (void)ann.doc().text("notes")->insert(0, "before ");
  run_ms(50);
  restart();
  ann.sends = false;
  (void)ann.doc().text("notes")->insert(7, "offline");
  ann.sends = true;
  stage.join("ann", proto::Role::kPlayer, 1);
  BoardPeer again(stage, "ann", 12);
  (void)again.doc().apply_update(*ann.doc().encode_state_as_update(crdt::UpdateFormat::kV1),
                                 crdt::UpdateFormat::kV1);
  again.doc().set_client(11);  // the document as the page had stored it
  again.open(generation);
  const Json answer = again.notices("gen").front();
  EXPECT_EQ(answer["client"].as_int(), 11) << "an account keeps its ids";
  EXPECT_EQ(static_cast<uint64_t>(answer["gen"].as_int()), generation);
  run_ms(50);
  EXPECT_NE(content().find("\"before offline\""), std::string::npos) << content();
  stage.join("gil", proto::Role::kGm, 2);
  BoardPeer gil(stage, "gil", 11);
  gil.open();
  EXPECT_NE(gil.notices("gen").front()["client"].as_int(), 11) << "another's id is not given";
}

TEST_F(BoardsTest, AnEditUnderAnothersClientIdIsRefusedAndLeavesNoTrace) {
  BoardPeer gil(stage, "gil", 22);
  gil.open();
  (void)gil.doc().text("notes")->insert(0, "mine");
  run_ms(50);
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  const std::string before = content();
  ann.doc().set_client(22);
  (void)ann.doc().text("notes")->insert(0, "forged");
  run_ms(50);
  const auto refusals = ann.notices("code");
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(code_of(refusals[0]), number(Code::kBoardForeignClient));
  EXPECT_EQ(refusals[0]["n"].as_int(), 2);
  const auto fresh = static_cast<uint64_t>(refusals[0]["client"].as_int());
  EXPECT_GT(fresh, UINT32_MAX);
  EXPECT_EQ(content(), before);
  // Whoever was refused begins again.
  (void)ann.doc().text("notes")->insert(0, "dropped");
  run_ms(50);
  EXPECT_EQ(ann.notices("code").size(), 1u);
  ann.begin(fresh);
  ann.sync();
  (void)ann.doc().text("notes")->insert(0, "now ");
  run_ms(50);
  EXPECT_NE(content().find("now mine"), std::string::npos);
  EXPECT_EQ(content().find("dropped"), std::string::npos);
}

TEST_F(BoardsTest, RightsHoldForEveryPathAndEveryDeletion) {
  BoardPeer gil(stage, "gil", 22);
  gil.open();
  auto tokens = gil.doc().map("tokens");
  (void)tokens->set("ogre", crdt::Input::map({{"x", 1}, {"locked", true}}));
  (void)tokens->set("aria", crdt::Input::map({{"x", 1}}));
  (void)gil.doc().map("fog")->set("on", crdt::Input(true));
  run_ms(50);
  const std::string before = content();

  int tried = 0;
  const auto attempt = [&](const std::function<void(crdt::Doc&)>& edit) {
    const std::string name = "ann/" + std::to_string(++tried);
    stage.join(name, proto::Role::kPlayer, 100 + static_cast<uint64_t>(tried));
    BoardPeer peer(stage, name, 1'000 + static_cast<uint64_t>(tried));
    peer.open();
    edit(peer.doc());
    run_ms(50);
    const auto codes = peer.notices("code");
    const int64_t code = codes.empty() ? 0 : code_of(codes.back());
    stage.hang_up(name);
    return code;
  };
  const auto token = [](crdt::Doc& doc, std::string_view id) {
    return *doc.map("tokens")->get(id).type()->as_map();
  };
  const int64_t forbidden = number(Code::kBoardForbidden);
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)doc.map("fog")->set("on", crdt::Input(false)); }),
            forbidden);
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)doc.map("fog")->erase("on"); }), forbidden);
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)doc.map("tokens")->set("new", crdt::Input(1)); }),
            forbidden)
      << "change is not insert";
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)doc.map("tokens")->erase("ogre"); }), forbidden)
      << "change is not delete";
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)token(doc, "ogre").set("locked", false); }),
            forbidden);
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)doc.map("tokens")->set("ogre", crdt::Input(1)); }),
            forbidden)
      << "what hangs below is taken away with it";
  EXPECT_EQ(content(), before);
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)token(doc, "ogre").set("x", 2); }), 0);
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)token(doc, "aria").set("y", 2); }), 0)
      << "one's own token";
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)doc.map("tokens")->erase("aria"); }), 0);
  EXPECT_EQ(attempt([&](crdt::Doc& doc) { (void)doc.text("notes")->insert(0, "hi"); }), 0);
}

TEST_F(BoardsTest, TheAudienceLooksOn) {
  stage.join("vic", proto::Role::kViewer, 3);
  BoardPeer vic(stage, "vic", 33);
  BoardPeer ann(stage, "ann", 11);
  vic.open();
  ann.open();
  EXPECT_FALSE(vic.notices("gen").front()["rights"]["edit"].as_bool());
  for (int i = 0; i < 20; ++i) {
    (void)ann.doc().text("notes")->insert(0, "x");
    run_ms(10);
  }
  run_ms(110);
  vic.pump();
  EXPECT_EQ(vic.doc().text("notes")->size(), 20u);
  EXPECT_LE(vic.updates, 4u) << "the edits of a tick are one";
  (void)vic.doc().text("notes")->insert(0, "me too");
  run_ms(50);
  ASSERT_FALSE(vic.notices("code").empty());
  EXPECT_EQ(code_of(vic.notices("code").back()), number(Code::kBoardForbidden));
  EXPECT_EQ(content().find("me too"), std::string::npos);
}

TEST_F(BoardsTest, WhatLacksItsPredecessorsIsAskedForAgain) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  const size_t asked = ann.questions;
  ann.sends = false;
  (void)ann.doc().text("notes")->insert(0, "lost ");
  ann.sends = true;
  (void)ann.doc().text("notes")->insert(5, "frame");
  run_ms(1);
  const auto notice = ann.notices("code");
  ASSERT_EQ(notice.size(), 1u);
  EXPECT_EQ(code_of(notice[0]), number(Code::kBoardGap));
  EXPECT_EQ(notice[0].find("client"), nullptr) << "not taken is not refused";
  run_ms(1'100);
  ann.pump();
  EXPECT_GT(ann.questions, asked);
  run_ms(50);
  EXPECT_NE(content().find("lost frame"), std::string::npos) << content();
}

TEST_F(BoardsTest, WhatComesTooFastIsAskedForLaterAndNotLost) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  for (int i = 0; i < 400; ++i) (void)ann.doc().text("notes")->insert(0, "x");
  run_ms(50);
  ASSERT_FALSE(ann.notices("retry_after_ms").empty());
  EXPECT_EQ(code_of(ann.notices("retry_after_ms").front()), number(Code::kRateConnection));
  for (int i = 0; i < 30; ++i) {
    run_ms(100);
    ann.pump();
  }
  EXPECT_NE(content().find(std::string(400, 'x')), std::string::npos);
}

TEST_F(BoardsTest, AMirroredFieldIsWrittenOverWithinASecondAndItsAuthorIsTold) {
  stage.join("pia", proto::Role::kProducer, 9);
  stage.send("pia", ev(1, "episode.start"));
  stage.settle();
  BoardPeer ann(stage, "ann", 11);
  BoardPeer gil(stage, "gil", 22);
  gil.open();
  (void)gil.doc().map("tokens")->set("aria", crdt::Input::map({{"hp", 20}}));
  run_ms(600);
  ann.open();
  const auto token = [](BoardPeer& peer) {
    return *peer.doc().map("tokens")->get("aria").type()->as_map();
  };
  (void)token(ann).set("hp", 999);
  run_ms(100);
  gil.pump();
  EXPECT_EQ(token(gil).get("hp").to_json(), "999") << "optimistic copies may differ for a moment";
  run_ms(600);
  gil.pump();
  ann.pump();
  EXPECT_EQ(token(gil).get("hp").to_json(), "20");
  EXPECT_EQ(token(ann).get("hp").to_json(), "20");
  const auto told = ann.notices("overruled");
  ASSERT_EQ(told.size(), 1u);
  const Json& each = told[0]["overruled"].items()[0];
  EXPECT_EQ(each["path"].as_string(), "tokens/aria/hp");
  EXPECT_EQ(each["value"].as_int(), 20);
  EXPECT_EQ(each["was"].as_int(), 999);
  EXPECT_EQ(each["by"].as_string(), "characters/aria/hp");
  EXPECT_TRUE(gil.notices("overruled").empty());

  // What the log follows is not overruled, and what the log says without anyone's copy is shown.
  (void)token(ann).set("hp", 17);
  stage.send("ann", ev(1, "char.hp", R"({"char":"aria","set":17})"));
  run_ms(1'200);
  ann.pump();
  EXPECT_EQ(token(ann).get("hp").to_json(), "17");
  EXPECT_EQ(ann.notices("overruled").size(), 1u);
  stage.send("gil", ev(1, "char.hp", R"({"char":"aria","set":3})"));
  run_ms(100);
  ann.pump();
  EXPECT_EQ(token(ann).get("hp").to_json(), "3");
}

TEST_F(BoardsTest, TheStateBoardShowsTheViewAndTakesNoEdits) {
  stage.join("pia", proto::Role::kProducer, 9);
  stage.send("pia", ev(1, "episode.start"));
  stage.settle();
  BoardPeer ann(stage, "ann", 11, "$state");
  ann.open();
  run_ms(50);
  ann.pump();
  auto hp = [&] {
    const auto json = Json::parse(ann.doc().map("characters")->get("aria").to_json());
    return json ? (*json)["hp"].as_int() : -1;
  };
  EXPECT_EQ(hp(), 20);
  stage.send("gil", ev(1, "char.hp", R"({"char":"aria","delta":-5})"));
  run_ms(100);
  ann.pump();
  EXPECT_EQ(hp(), 15);
  (void)ann.doc().map("characters")->set("aria", crdt::Input(1));
  run_ms(50);
  ASSERT_FALSE(ann.notices("code").empty());
  EXPECT_EQ(code_of(ann.notices("code").back()), number(Code::kBoardReadOnly));
  // After a restart the same document goes on.
  restart();
  stage.join("ann", proto::Role::kPlayer, 1);
  BoardPeer again(stage, "ann", 12, "$state");
  again.open();
  run_ms(50);
  again.pump();
  EXPECT_EQ(again.doc().map("characters")->entries().size(), 1u);
}

TEST_F(BoardsTest, AStockClientIsSpokenToInBinaryAlone) {
  const std::string ticket = token("ann", proto::Role::kPlayer);
  stage.open_bare("stock", "table", ticket);
  BoardPeer stock(stage, "stock", 4'711);
  stock.bare = true;
  stock.pump();
  stock.sync();
  (void)stock.doc().text("notes")->insert(0, "from afar");
  run_ms(50);
  EXPECT_NE(content().find("from afar"), std::string::npos);
  stock.pump();
  EXPECT_GE(stock.updates, 1u) << "its own edit comes back when it is durable";
  EXPECT_TRUE(stock.connection().frames.empty());
  (void)stock.doc().map("fog")->set("on", crdt::Input(true));
  run_ms(50);
  ASSERT_TRUE(stock.connection().closed.has_value());
  EXPECT_EQ(*stock.connection().closed, Code::kBoardForbidden);
  EXPECT_TRUE(stock.connection().frames.empty());
  stage.open_bare("bad", "table", "nonsense");
  EXPECT_EQ(*stage.clients.at("bad").connection.closed, Code::kTokenMalformed);
  stage.open_bare("lost", "nowhere", ticket);
  EXPECT_EQ(*stage.clients.at("lost").connection.closed, Code::kBoardUnknown);
}

TEST_F(BoardsTest, WhoIsThereIsToldAndEndsWithTheSession) {
  BoardPeer ann(stage, "ann", 11);
  BoardPeer gil(stage, "gil", 22);
  ann.open();
  gil.open();
  crdt::Awareness mine;
  const auto say = [&](BoardPeer& peer, uint64_t client, uint64_t clock, std::string_view json) {
    crdt::Encoder out;
    out.var_uint(1);
    out.var_uint(client);
    out.var_uint(clock);
    out.var_text(json);
    peer.send(crdt::awareness_message(out.view()));
    run_ms(40);
    ann.pump();
    gil.pump();
  };
  crdt::Awareness seen;
  const auto seen_by_gil = [&](uint64_t client) {
    std::vector<uint64_t> changed;
    (void)seen.apply(gil.last_awareness, 0, [](uint64_t) { return true; }, changed);
    return seen.has(client);
  };
  say(ann, 11, 1, R"({"user":{"name":"Ann"},"cursor":[1.5,2]})");
  EXPECT_TRUE(seen_by_gil(11));
  say(gil, 11, 9, "null");
  EXPECT_TRUE(seen_by_gil(11)) << "nobody speaks for another";
  say(ann, 11, 2, "{\"x\":" + std::string(5'000, '1') + "}");
  EXPECT_EQ(code_of(ann.notices("code").back()), number(Code::kBoardAwareness));
  stage.hang_up("ann");
  run_ms(40);
  gil.pump();
  EXPECT_FALSE(seen_by_gil(11));
}

TEST_F(BoardsTest, ABoardIsCompactedAndUnloadedAndLosesNothing) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  for (int i = 0; i < 2'100; ++i) {
    (void)ann.doc().text("notes")->insert(0, "x");
    run_ms(10);
  }
  run_ms(50);
  EXPECT_EQ(stage.log.kept_boards.compactions, 1);
  EXPECT_LT(stage.log.kept_boards.rows("table"), 200u);
  EXPECT_GT(stage.owner->metrics().boards.memory_bytes, 0u);
  stage.send("ann", R"({"t":"board.close","b":"table"})");
  run_ms(35'000);
  EXPECT_EQ(stage.owner->metrics().boards.boards, 0u);
  EXPECT_EQ(stage.owner->metrics().boards.memory_bytes, 0u);
  EXPECT_NE(content().find(std::string(2'100, 'x')), std::string::npos);
  restart();
  EXPECT_NE(content().find(std::string(2'100, 'x')), std::string::npos);
}

TEST_F(BoardsTest, ABoardIsShownAsItWasAndRestoredByAnEdit) {
  stage.join("pia", proto::Role::kProducer, 9);
  BoardPeer ann(stage, "ann", 11);
  BoardPeer gil(stage, "gil", 22);
  ann.open();
  gil.open();
  (void)gil.doc().map("map")->set("grid", crdt::Input(70));
  (void)ann.doc().text("notes")->insert(0, "first");
  run_ms(50);
  const uint64_t then = stage.owner->durable_head().seq;
  stage.send("pia", ev(1, "episode.start"));
  run_ms(50);
  ann.pump();
  (void)ann.doc().text("notes")->erase(0, 5);
  (void)ann.doc().text("notes")->insert(0, "second");
  (void)gil.doc().map("map")->set("grid", crdt::Input(50));
  (void)gil.doc().map("map")->set("image", crdt::Input("x"));
  run_ms(50);
  (void)gil.doc().map("map")->set("lamp", crdt::Input(1));
  stage.settle();  // so that the next edit does not go to the log at once
  const auto was = Json::parse(board_at(std::to_string(then)));
  ASSERT_TRUE(was.has_value());
  EXPECT_EQ((*was)["content"]["notes"].as_string(), "first");
  ApiCall call;
  call.route = ApiRoute::kBoardRestore;
  call.board = "table";
  call.body = "{\"at\":" + std::to_string(then) + "}";
  std::string answer;
  stage.owner->api(call, [&](ApiAnswer said) { answer = said.body; });
  stage.settle();
  EXPECT_TRUE(answer.empty()) << "it is answered when it is durable";
  run_ms(50);
  EXPECT_NE(answer.find("\"changed\":true"), std::string::npos);
  ann.pump();
  gil.pump();
  EXPECT_EQ(ann.doc().text("notes")->to_string(), "first");
  EXPECT_EQ(gil.doc().map("map")->get("grid").to_json(), "70");
  EXPECT_FALSE(gil.doc().map("map")->contains("image"));
  EXPECT_EQ(ann.bytes(), gil.bytes());
  call.route = ApiRoute::kBoardHistory;
  const auto history = Json::parse(ask(call));
  ASSERT_TRUE(history.has_value());
  EXPECT_GE((*history)["points"].items().size(), 2u);
}

TEST_F(BoardsTest, WhereThereAreNoBinaryFramesMessagesRideInJson) {
  auto& client = stage.clients["eve"];
  client = {};
  client.conn = 900;
  stage.edges[0]->on_open(900, {.ip = "192.0.2.9", .event_stream = true}, client.connection);
  stage.send("eve", hello(token("eve", proto::Role::kPlayer), 5));
  stage.settle();
  stage.send("eve", R"({"t":"board.open","b":"table"})");
  stage.settle();
  crdt::Doc doc({.client = 5, .new_client = {}});
  (void)doc.text("notes")->insert(0, "by post");
  const Bytes message = crdt::update_message(*doc.encode_state_as_update(crdt::UpdateFormat::kV1));
  stage.send("eve", proto::encoded(proto::BoardData{"table", to_base64url(message)}));
  run_ms(50);
  EXPECT_NE(content().find("by post"), std::string::npos);
  EXPECT_TRUE(client.connection.binaries.empty());
  bool came = false;
  for (const Json& each : client.connection.of("board")) came |= each.find("d") != nullptr;
  EXPECT_TRUE(came);
}

TEST_F(BoardsTest, WhenTheLogFailsNothingMoreIsTakenAndTheDurableIsShown) {
  BoardPeer ann(stage, "ann", 11);
  ann.open();
  (void)ann.doc().text("notes")->insert(0, "kept");
  run_ms(50);
  (void)ann.doc().text("notes")->insert(4, " lost");
  stage.run_ms(20, false);
  stage.log_port.fail(*stage.owner, Code::kDiskFull);
  stage.settle();
  run_ms(50);
  EXPECT_EQ(content(), R"({"notes":"kept"})");
  (void)ann.doc().text("notes")->insert(0, "more");
  run_ms(50);
  EXPECT_EQ(code_of(ann.notices("code").back()), number(Code::kDiskFull));
  EXPECT_EQ(content(), R"({"notes":"kept"})");
}

}  // namespace
}  // namespace footlight::edge::rig
