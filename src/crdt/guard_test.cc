// The guard against a document: what passes, and what each attack is answered with. How it behaves
// in a server is edge/boards_test.cc.
#include "crdt/guard.h"

#include <gtest/gtest.h>

#include "crdt/lib0.h"

namespace footlight::crdt {
namespace {

Rights everything() { return {kAllVerbs, {}}; }
Ownership mine(uint64_t) { return Ownership::kMine; }

// What a peer with this client id sends when it does `edit` to a copy of `doc`.
Bytes edit_of(const Doc& doc, uint64_t client, const std::function<void(Doc&)>& edit) {
  Doc copy({.client = client, .new_client = {}});
  EXPECT_TRUE(copy.apply_update(*doc.encode_state_as_update(UpdateFormat::kV1), UpdateFormat::kV1));
  Bytes out;
  copy.on_update(UpdateFormat::kV1, [&](const UpdateEvent& event) {
    out.assign(event.update.begin(), event.update.end());
  });
  copy.transact([&] { edit(copy); });
  return out;
}

class GuardTest : public ::testing::Test {
 protected:
  GuardTest() {
    (void)doc.map("tokens")->set("aria", Input::map({{"hp", 12}, {"x", 1}}));
    (void)doc.text("notes")->insert(0, "hello");
  }
  Code judge(const Bytes& update, const Rights& rights = everything(),
             const std::function<Ownership(uint64_t)>& owner = mine) {
    const Bytes before = *doc.encode_state_as_update(UpdateFormat::kV2);
    if (auto read = guard.read(update); !read) return read.error().code;
    auto accepted = guard.check(doc, rights, owner, true);
    EXPECT_EQ(*doc.encode_state_as_update(UpdateFormat::kV2), before) << "it only looks";
    if (!accepted) return accepted.error().code;
    last = std::move(*accepted);
    return Code::kOk;
  }
  Map token(Doc& of) { return *of.map("tokens")->get("aria").type()->as_map(); }

  Doc doc{{.client = 1, .new_client = {}}};
  Guard guard;
  Accepted last;
};

TEST_F(GuardTest, WhatIsKnownAlreadyIsNothingWhoeverSendsIt) {
  const Bytes all = *doc.encode_state_as_update(UpdateFormat::kV1);
  EXPECT_EQ(judge(all, Rights(), [](uint64_t) { return Ownership::kForeign; }), Code::kOk);
  EXPECT_TRUE(last.nothing);
}

// A struct of 9 bytes at a clock that is known, in a parent that is not, which it would wait for,
// or that comes after it.
TEST_F(GuardTest, WhatIsKnownButNamesWhatIsNotThereIsRefused) {
  ASSERT_GT(doc.state(1), 3u);
  for (const Id parent : {Id{4, 16}, Id{1, 3}}) {
    Encoder out;
    out.var_uint(1);  // clients
    out.var_uint(1);  // structs
    out.var_uint(1);  // client
    out.var_uint(2);  // clock
    out.u8(7);        // a type
    out.var_uint(0);  // in the one with the id
    out.var_uint(parent.client);
    out.var_uint(parent.clock);
    out.var_uint(0);  // an array
    out.var_uint(0);  // no deletes
    EXPECT_EQ(judge(out.to_bytes()), Code::kBoardMalformed);
  }
}

TEST_F(GuardTest, AnEditSaysWhichKeysItTouches) {
  EXPECT_EQ(judge(edit_of(doc, 7, [&](Doc& copy) { (void)token(copy).set("hp", 3); })), Code::kOk);
  EXPECT_EQ(last.keys, std::vector<std::string>{"tokens/aria/hp"});
  EXPECT_TRUE(last.inserts);
  EXPECT_EQ(judge(edit_of(doc, 7, [&](Doc& copy) { (void)token(copy).erase("x"); })), Code::kOk);
  EXPECT_EQ(last.keys, std::vector<std::string>{"tokens/aria/x"});
  EXPECT_FALSE(last.inserts);
}

// A GC struct of 12 bytes that claims another's clocks.
TEST_F(GuardTest, NobodyClaimsTheClocksOfAnother) {
  Encoder out;
  out.var_uint(1);  // clients
  out.var_uint(1);  // structs
  out.var_uint(9);  // client
  out.var_uint(0);  // clock
  out.u8(0);        // GC
  out.var_uint(1000);
  out.var_uint(0);  // no deletes
  const auto foreign = [](uint64_t client) {
    return client == 9 ? Ownership::kForeign : Ownership::kMine;
  };
  EXPECT_EQ(judge(out.to_bytes(), everything(), foreign), Code::kBoardForeignClient);
  EXPECT_EQ(judge(out.to_bytes()), Code::kOk) << "of one's own ids it is one's own loss";
}

TEST_F(GuardTest, TheServersIdIsNobodysElse) {
  EXPECT_EQ(
      judge(edit_of(doc, kMaxClient, [](Doc& copy) { (void)copy.text("n")->insert(0, "x"); })),
      Code::kBoardForeignClient);
}

// A delete set of six bytes that removes anyone's field.
TEST_F(GuardTest, EveryDeletedItemIsJudged) {
  const Bytes six = {0, 1, 1, 1, 0, 8};  // no structs; client 1, one range: clocks 0 to 7
  const Bytes token_only = {0, 1, 1, 1, 0, 3};
  EXPECT_EQ(judge(six, Rights(kInsert | kChange, {})), Code::kBoardForbidden);
  EXPECT_EQ(judge(six, Rights(kAllVerbs, {{{"tokens", "aria", "hp"}, 0}})), Code::kBoardForbidden);
  EXPECT_EQ(judge(six, Rights(kAllVerbs, {{{"notes"}, kInsert}})), Code::kBoardForbidden);
  EXPECT_EQ(judge(token_only, Rights(kAllVerbs, {{{"notes"}, kInsert}})), Code::kOk);
  EXPECT_EQ(judge(six), Code::kOk);
}

TEST_F(GuardTest, GapsAndMissingPredecessorsAreGaps) {
  Doc far({.client = 7, .new_client = {}});
  std::vector<Bytes> updates;
  far.on_update(UpdateFormat::kV1, [&](const UpdateEvent& event) {
    updates.emplace_back(event.update.begin(), event.update.end());
  });
  (void)far.text("notes")->insert(0, "a");
  (void)far.text("notes")->insert(1, "b");
  EXPECT_EQ(judge(updates[1]), Code::kBoardGap);
  Bytes deletes_unknown = {0, 1, 7, 1, 0, 1};
  EXPECT_EQ(judge(deletes_unknown), Code::kBoardGap);
}

TEST_F(GuardTest, TheLongestRuleThatMatchesCounts) {
  const Rights rights(0, {{{"tokens"}, kChange},
                          {{"tokens", "aria"}, kAllVerbs},
                          {{"tokens", "*", "hp"}, 0},
                          {{"notes", "[]"}, kInsert}});
  const auto edit = [&](const std::function<void(Doc&)>& each) {
    return judge(edit_of(doc, 7, each), rights);
  };
  EXPECT_EQ(edit([&](Doc& copy) { (void)token(copy).set("x", 2); }), Code::kOk);
  EXPECT_EQ(edit([&](Doc& copy) { (void)token(copy).set("new", 2); }), Code::kOk);
  EXPECT_EQ(edit([&](Doc& copy) { (void)token(copy).set("hp", 2); }), Code::kBoardForbidden);
  EXPECT_EQ(edit([&](Doc& copy) { (void)copy.map("tokens")->erase("aria"); }),
            Code::kBoardForbidden)
      << "its hit points would go with it";
  EXPECT_EQ(edit([&](Doc& copy) { (void)copy.map("tokens")->set("bo", 1); }),
            Code::kBoardForbidden);
  EXPECT_EQ(edit([&](Doc& copy) { (void)copy.text("notes")->insert(2, "x"); }), Code::kOk);
  EXPECT_EQ(edit([&](Doc& copy) { (void)copy.text("notes")->erase(2, 1); }), Code::kBoardForbidden);
  EXPECT_EQ(edit([&](Doc& copy) { (void)copy.map("other")->set("k", 1); }), Code::kBoardForbidden);
  // All of it in one transaction: what is made in it is judged where it stands.
  EXPECT_EQ(edit([&](Doc& copy) { (void)token(copy).set("pos", Input::map({{"hp", 1}})); }),
            Code::kOk)
      << "tokens/aria/pos/hp is not tokens/*/hp";
}

TEST_F(GuardTest, BoundsHoldBeforeAnythingIsKept) {
  EXPECT_EQ(judge(Bytes(300'000, 0)), Code::kBoardUpdateTooLarge);
  EXPECT_EQ(judge(Bytes{0xFF, 0xFF, 0xFF, 0x40, 1}), Code::kBoardMalformed) << "134M structs";
  EXPECT_EQ(judge(Bytes{}), Code::kBoardMalformed);
  Input deep = Input(1);
  for (int i = 0; i < 40; ++i) deep = Input::map({{"d", deep}});
  EXPECT_EQ(judge(edit_of(doc, 7, [&](Doc& copy) { (void)copy.map("m")->set("k", deep); })),
            Code::kBoardTooDeep);
  const auto free_ids = [](uint64_t) { return Ownership::kFree; };
  EXPECT_EQ(judge(edit_of(doc, 7, [](Doc& copy) { (void)copy.text("n")->insert(0, "x"); }),
                  everything(), free_ids),
            Code::kOk);
  EXPECT_EQ(last.new_clients, std::vector<uint64_t>{7});
}

}  // namespace
}  // namespace footlight::crdt
