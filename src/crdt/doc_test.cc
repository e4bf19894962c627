#include "crdt/doc.h"

#include <gtest/gtest.h>

#include "crdt/delete_set.h"
#include "crdt/internal/store.h"
#include "crdt/relative_position.h"
#include "crdt/snapshot.h"
#include "crdt/undo.h"

namespace footlight::crdt {
namespace {

Bytes v1(const Doc& doc) { return *doc.encode_state_as_update(UpdateFormat::kV1); }
Bytes v2(const Doc& doc) { return *doc.encode_state_as_update(UpdateFormat::kV2); }

void sync(Doc& to, const Doc& from) {
  const auto applied = to.apply_update(
      *from.encode_state_as_update(UpdateFormat::kV2, to.encode_state_vector()), UpdateFormat::kV2);
  ASSERT_TRUE(applied.has_value());
}

TEST(Doc, TypingMakesOneStructAndEmitsEachKeyAsYjsDoes) {
  Doc doc({.client = 1});
  std::vector<std::string> updates;
  doc.on_update(UpdateFormat::kV1,
                [&](const UpdateEvent& event) { updates.push_back(to_hex(event.update)); });
  Text text = *doc.text("t");
  ASSERT_TRUE(text.insert(0, "a").has_value());
  ASSERT_TRUE(text.insert(1, "b").has_value());
  ASSERT_TRUE(text.erase(0, 1).has_value());
  EXPECT_EQ(updates, (std::vector<std::string>{"0101010004010174016100", "01010101840100016200",
                                               "000101010001"}));
  EXPECT_EQ(doc.stats().structs, 2u);
  EXPECT_EQ(text.to_string(), "b");
}

TEST(Doc, ConcurrentInsertsConvergeWhateverTheOrder) {
  Doc a({.client = 1});
  Doc b({.client = 2});
  (void)a.text("t")->insert(0, "hello");
  sync(b, a);
  (void)a.text("t")->insert(5, " A");
  (void)b.text("t")->insert(5, " B");
  const Bytes from_a = v1(a);
  const Bytes from_b = v1(b);
  ASSERT_TRUE(a.apply_update(from_b, UpdateFormat::kV1).has_value());
  ASSERT_TRUE(b.apply_update(from_a, UpdateFormat::kV1).has_value());
  EXPECT_EQ(a.text("t")->to_string(), "hello A B");
  EXPECT_EQ(a.to_json(), b.to_json());
  EXPECT_EQ(v1(a), v1(b));
  EXPECT_EQ(v2(a), v2(b));
}

TEST(Doc, AKeyHasTheValueOfTheHighestClientAndForgetsTheOthers) {
  Doc a({.client = 5});
  Doc b({.client = 9});
  (void)a.map("m")->set("k", "low");
  (void)b.map("m")->set("k", "high");
  sync(a, b);
  sync(b, a);
  EXPECT_EQ(a.to_json(), R"({"m":{"k":"high"}})");
  EXPECT_EQ(v1(a), v1(b));
}

TEST(Doc, NestedTypesAreCollectedWithTheirParentAndTheirHandlesDie) {
  Doc doc({.client = 1});
  Map map = *doc.map("m");
  ASSERT_TRUE(
      map.set("t", Input::map({{"list", Input::array({1, "two", Input::text("3")})}})).has_value());
  EXPECT_EQ(doc.to_json(), R"({"m":{"t":{"list":[1,"two","3"]}}})");
  Map inner = *map.get("t").type()->as_map();
  ASSERT_TRUE(map.erase("t").has_value());
  EXPECT_FALSE(inner.alive());
  EXPECT_EQ(inner.set("x", 1).error().code, Code::kCrdtGone);
  EXPECT_EQ(doc.stats().types, 1u);
}

TEST(Doc, UpdatesOutOfOrderWaitAndTakeEffectWhenTheGapCloses) {
  Doc from({.client = 1});
  std::vector<Bytes> updates;
  from.on_update(UpdateFormat::kV1, [&](const UpdateEvent& event) {
    updates.emplace_back(event.update.begin(), event.update.end());
  });
  for (int i = 0; i < 50; ++i) (void)from.text("t")->insert(0, std::string(1, 'a' + i % 26));
  (void)from.text("t")->erase(10, 5);
  Doc to({.client = 2});
  (void)to.text("t");
  for (size_t i = 1; i < updates.size(); ++i) {
    ASSERT_TRUE(to.apply_update(updates[i], UpdateFormat::kV1).has_value());
  }
  EXPECT_EQ(to.text("t")->size(), 0u);
  EXPECT_EQ(to.pending().structs, 49u);
  EXPECT_EQ(to.pending().missing, (std::vector<Id>{{1, 0}}));
  // What waits is handed on.
  Doc third({.client = 3});
  (void)third.text("t");
  ASSERT_TRUE(third.apply_update(v2(to), UpdateFormat::kV2).has_value());
  ASSERT_TRUE(third.apply_update(updates[0], UpdateFormat::kV1).has_value());
  ASSERT_TRUE(to.apply_update(updates[0], UpdateFormat::kV1).has_value());
  EXPECT_EQ(to.to_json(), from.to_json());
  EXPECT_EQ(third.to_json(), from.to_json());
  EXPECT_EQ(to.pending().structs, 0u);
  EXPECT_EQ(to.pending().delete_ranges, 0u);
  EXPECT_EQ(v1(to), v1(from));
}

TEST(Doc, TypingThatWaitsTakesTheRoomOfItsText) {
  Doc from({.client = 1});
  std::vector<Bytes> updates;
  from.on_update(UpdateFormat::kV1, [&](const UpdateEvent& event) {
    updates.emplace_back(event.update.begin(), event.update.end());
  });
  Text text = *from.text("t");
  for (int i = 0; i < 100; ++i) (void)text.insert(static_cast<uint64_t>(i), i % 2 ? "a" : "ö");
  Doc to({.client = 2});
  for (size_t i = updates.size(); i-- > 50;) (void)to.apply_update(updates[i], UpdateFormat::kV1);
  for (size_t i = 1; i < 50; ++i) (void)to.apply_update(updates[i], UpdateFormat::kV1);
  EXPECT_EQ(to.pending().structs, 99u);
  EXPECT_LT(to.pending().bytes, 99u * 150u);
  // It is handed on as it came.
  Doc third({.client = 3});
  (void)third.apply_update(v1(to), UpdateFormat::kV1);
  EXPECT_EQ(third.pending().structs, 99u);
  EXPECT_EQ(v1(third), v1(to));
  (void)to.apply_update(updates[0], UpdateFormat::kV1);
  EXPECT_EQ(to.pending().structs, 0u);
  EXPECT_EQ(v1(to), v1(from));
}

TEST(Doc, AnUndoManagerOfTheWholeDocumentTakesBackAndRestores) {
  Doc doc({.client = 1});
  Text text = *doc.text("t");
  UndoManager undo(doc, {});
  (void)text.insert(0, "Roll for initiative");
  (void)text.erase(4, 4);
  EXPECT_EQ(undo.undo_steps(), 2u);
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(text.to_string(), "Roll for initiative");
  EXPECT_TRUE(undo.redo());
  EXPECT_EQ(text.to_string(), "Roll initiative");
  EXPECT_TRUE(undo.undo());
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(text.size(), 0u);
  EXPECT_FALSE(undo.undo());
}

TEST(Doc, ALargeUpdateIsTakenWholeOrNotAtAll) {
  Doc from({.client = 1});
  Map map = *from.map("m");
  for (int i = 0; i < 10'000; ++i) {
    (void)map.set("hp", i);
    (void)map.set("initiative", i);
  }
  (void)from.text("t")->insert(0, "end");
  const Bytes update = v1(from);
  ASSERT_GT(update.size(), 100'000u);
  Doc to({.client = 2});
  ASSERT_TRUE(to.apply_update(update, UpdateFormat::kV1).has_value());
  EXPECT_EQ(v1(to), update);
  EXPECT_EQ(v2(to), v2(from));
  EXPECT_LT(to.stats().memory_bytes, 100'000u);
  Doc untouched({.client = 3});
  const ByteView cut = ByteView(update).first(update.size() - 1);
  EXPECT_FALSE(untouched.apply_update(cut, UpdateFormat::kV1).has_value());
  EXPECT_EQ(untouched.state(1), 0u);
  // The first half late: all of the second waits.
  Doc behind({.client = 4});
  StateVector half;
  half.set(1, 5'000);
  const Bytes rest = *from.encode_state_as_update(UpdateFormat::kV1, half.encode());
  ASSERT_GT(rest.size(), 70'000u);
  ASSERT_TRUE(behind.apply_update(rest, UpdateFormat::kV1).has_value());
  EXPECT_GT(behind.pending().structs, 9'000u);
  ASSERT_TRUE(behind.apply_update(update, UpdateFormat::kV1).has_value());
  EXPECT_EQ(behind.pending().structs, 0u);
  EXPECT_EQ(v1(behind), update);
}

TEST(Doc, AnUpdateThatCannotBeReadChangesNothing) {
  Doc doc({.client = 1});
  (void)doc.text("t")->insert(0, "safe");
  const Bytes before = v1(doc);
  Doc other({.client = 2});
  (void)other.text("t")->insert(0, "a longer text from elsewhere");
  const Bytes good = v1(other);
  for (size_t cut = 0; cut < good.size(); ++cut) {
    const auto applied = doc.apply_update(ByteView(good).first(cut), UpdateFormat::kV1);
    EXPECT_FALSE(applied.has_value());
    EXPECT_EQ(v1(doc), before);
  }
}

TEST(Doc, ASurrogatePairThatIsSplitBecomesTwoReplacementCharacters) {
  Doc doc({.client = 1});
  Text text = *doc.text("t");
  (void)text.insert(0, "x\U0001F600y");
  EXPECT_EQ(text.size(), 4u);
  (void)text.insert(2, "|");
  EXPECT_EQ(text.to_string(), "x\uFFFD|\uFFFDy");
  EXPECT_EQ(text.size(), 5u);
}

TEST(Doc, FormatsReadAsADelta) {
  Doc doc({.client = 1});
  Text text = *doc.text("t");
  (void)text.insert(0, "one two three");
  (void)text.format(4, 3, {{"bold", true}});
  (void)text.insert(7, "!");
  (void)text.insert_embed(0, Any(AnyObject{{"image", "map.webp"}}));
  EXPECT_EQ(delta_to_json(text.to_delta()),
            R"([{"insert":{"image":"map.webp"}},{"insert":"one "},)"
            R"({"insert":"two!","attributes":{"bold":true}},{"insert":" three"}])");
}

TEST(Doc, XmlPrintsAsYjsPrintsIt) {
  Doc doc({.client = 1});
  XmlFragment root = *doc.xml_fragment("x");
  (void)root.push(Input::xml_element("Para", {{"b", "2"}, {"a", "1"}}, {Input::xml_text("hi")}));
  EXPECT_EQ(root.to_xml(), R"(<para a="1" b="2">hi</para>)");
}

TEST(Doc, ObserversHearDeltasKeysAndPaths) {
  Doc doc({.client = 1});
  Map map = *doc.map("m");
  (void)map.set("list", Input::array({1, 2, 3}));
  Array list = *map.get("list").type()->as_array();
  std::vector<std::string> heard;
  doc.observe_deep(map, [&](const std::vector<const Event*>& events) {
    for (const Event* event : events) {
      std::string line;
      for (const PathStep& step : event->path()) line += std::get<std::string>(step) + "/";
      for (const ListChange& change : event->changes()) {
        line += std::to_string(static_cast<int>(change.kind)) + ":" + std::to_string(change.length);
        for (const Value& value : change.inserted) line += " " + value.to_json();
        line += ";";
      }
      for (const KeyChange& change : event->keys()) {
        line += change.key + "=" + std::to_string(static_cast<int>(change.action)) +
                change.old_value.to_json();
      }
      heard.push_back(line);
    }
  });
  doc.transact([&] {
    (void)list.insert(1, 9);
    (void)list.erase(2);
    (void)map.set("hp", 1);
  });
  (void)map.set("hp", 2);
  EXPECT_EQ(heard, (std::vector<std::string>{"hp=0null", "list/1:1;0:1 9;2:1;", "hp=11"}));
}

// By recursion in yjs. The order decides which formats are cleaned up, and what an undo makes anew
// first.
TEST(Doc, WhatIsDeletedTakesItsChildrenAlongTheFirstOfThemFirst) {
  Doc doc({.client = 3});
  (void)doc.array("list")->push(Input::array({}));
  for (const uint64_t client : {1, 2}) {
    Doc other({.client = client});
    (void)other.apply_update(v1(doc), UpdateFormat::kV1);
    (void)other.array("list")->get(0).type()->as_array()->push(Input(7));
    (void)doc.apply_update(v1(other), UpdateFormat::kV1);
  }
  std::vector<uint64_t> order;
  doc.on_transaction([&](const TransactionView& view) { order = view.deleted_clients(); });
  (void)doc.array("list")->erase(0);
  EXPECT_EQ(order, (std::vector<uint64_t>{3, 1, 2}));
}

TEST(Doc, UndoTakesBackOnesOwnChangesAndLeavesOthers) {
  Doc doc({.client = 1});
  Text text = *doc.text("t");
  UndoManager undo(doc, {text});
  (void)text.insert(0, "mine ");
  doc.transact([&] { (void)text.insert(5, "theirs"); }, 77);
  (void)text.erase(0, 2);
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(text.to_string(), "mine theirs");
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(text.to_string(), "theirs");
  EXPECT_TRUE(undo.redo());
  EXPECT_EQ(text.to_string(), "mine theirs");
  EXPECT_TRUE(undo.redo());
  EXPECT_EQ(text.to_string(), "ne theirs");
  EXPECT_FALSE(undo.can_redo());
}

TEST(Doc, ASnapshotShowsTheDocumentAsItWas) {
  Doc doc({.client = 1, .gc = false});
  Text text = *doc.text("t");
  (void)text.insert(0, "before");
  const Snapshot then = take_snapshot(doc);
  (void)text.erase(0, 3);
  (void)text.insert(3, " now");
  const auto old = doc_at(doc, then, {.client = 2});
  ASSERT_TRUE(old.has_value());
  EXPECT_EQ((*old)->to_json(), R"({"t":"before"})");
  const Bytes bytes = encode_snapshot(then, UpdateFormat::kV2);
  EXPECT_TRUE(equal_snapshots(*decode_snapshot(bytes, UpdateFormat::kV2), then));
}

TEST(Doc, ARelativePositionStaysAtItsCharacter) {
  Doc doc({.client = 1});
  Text text = *doc.text("t");
  (void)text.insert(0, "abcdef");
  const RelativePosition position = relative_position(text, 3);
  (void)text.insert(0, "123");
  (void)text.erase(4, 1);
  const auto decoded = decode_relative_position(encode_relative_position(position));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(resolve(doc, *decoded)->index, 5u);
}

TEST(Doc, AnotherReplicaUnderOurClientIdGivesUsANewOne) {
  Doc a({.client = 1});
  Doc b({.client = 1});
  (void)b.text("t")->insert(0, "x");
  const auto applied = a.apply_update(v1(b), UpdateFormat::kV1);
  ASSERT_TRUE(applied.has_value());
  EXPECT_TRUE(applied->client_taken);
  EXPECT_NE(a.client(), 1u);
}

TEST(Doc, DeepNestingCostsNoStack) {
  // 200,000 maps, each in the one before, by hand: ids refer to the struct before.
  UpdateWriter writer(UpdateFormat::kV1);
  const uint8_t map_type = static_cast<uint8_t>(TypeRef::kMap);
  constexpr uint32_t kDeep = 200'000;
  writer.begin(1);
  writer.client(1, kDeep, 0);
  for (uint32_t i = 0; i < kDeep; ++i) {
    DecodedStruct s;
    s.id = {1, i};
    s.len = 1;
    s.ref = Ref::kType;
    s.content = ByteView(&map_type, 1);
    s.parent_kind = i == 0 ? ParentKind::kRoot : ParentKind::kId;
    s.parent_name = "m";
    s.parent_id = {1, i - 1};
    s.has_parent_sub = true;
    s.parent_sub = "k";
    writer.write(s);
  }
  writer.no_deletes();
  Doc doc({.client = 2});
  Map map = *doc.map("m");
  ASSERT_TRUE(doc.apply_update(writer.finish(), UpdateFormat::kV1).has_value());
  EXPECT_GT(doc.to_json().size(), 1000u);
  ASSERT_TRUE(map.clear().has_value());
  EXPECT_EQ(doc.to_json(), R"({"m":{}})");
  EXPECT_EQ(doc.stats().types, 1u);
}

}  // namespace
}  // namespace footlight::crdt
