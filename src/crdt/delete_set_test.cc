#include "crdt/delete_set.h"

#include <gtest/gtest.h>

#include "crdt/internal/yjs_fixtures.h"
#include "crdt/state_vector.h"

namespace footlight::crdt {
namespace {

using fixtures::hex;

DeleteSet set_of(std::initializer_list<IdRange> ranges) {
  DeleteSet set;
  for (const IdRange& range : ranges) set.add(range.client, range.clock, range.len);
  return set;
}

TEST(DeleteSet, NormalizingSortsAndJoinsWhatTouches) {
  DeleteSet set = set_of({{1, 10, 5}, {7, 3, 1}, {1, 0, 2}, {1, 2, 3}, {1, 12, 9}, {1, 11, 1}});
  set.normalize();
  EXPECT_EQ(set, set_of({{7, 3, 1}, {1, 0, 5}, {1, 10, 11}}));
  EXPECT_EQ(set.clients(), 2u);
  const DeleteSet once = set;
  set.normalize();
  EXPECT_EQ(set, once);
  set.add(once);
  set.normalize();
  EXPECT_EQ(set, once);
}

TEST(DeleteSet, FindsWhatItHolds) {
  DeleteSet set = set_of({{7, 3, 1}, {1, 0, 5}, {1, 10, 11}});
  EXPECT_TRUE(set.contains({7, 3}));
  EXPECT_FALSE(set.contains({7, 4}));
  EXPECT_FALSE(set.contains({5, 3}));
  EXPECT_TRUE(set.contains({1, 4}));
  EXPECT_FALSE(set.contains({1, 5}));
  EXPECT_TRUE(set.contains({1, 20}));
  EXPECT_FALSE(set.contains({1, 21}));
  EXPECT_TRUE(set.covers(1, 10, 11));
  EXPECT_FALSE(set.covers(1, 10, 12));
  EXPECT_FALSE(set.covers(1, 4, 7));
  EXPECT_EQ(set.of(1).size(), 2u);
  EXPECT_EQ(set.of(7).front(), (IdRange{7, 3, 1}));
  EXPECT_TRUE(set.of(3).empty());
}

// Y.encodeSnapshot and encodeSnapshotV2 of fixtures::kTwo begin with these delete sets.
TEST(DeleteSet, IsWrittenAsYjsDoes) {
  const DeleteSet set = set_of({{5, 4, 2}, {5, 16, 2}});
  for (const auto& [format, bytes] :
       {std::pair{UpdateFormat::kV1, "01050204021002"}, {UpdateFormat::kV2, "01050204010a01"}}) {
    Encoder out;
    set.write(out, format);
    EXPECT_EQ(to_hex(out.view()), bytes);
    DeleteSet back;
    Decoder in(out.view());
    back.read(in, format);
    EXPECT_TRUE(in.ok() && in.at_end());
    EXPECT_EQ(back, set);
  }
}

TEST(DeleteSet, BadBytesAreRefused) {
  for (const std::string_view bytes : {"", "01", "0105", "01050304", "0105ffffffff0f0101"}) {
    const Bytes in = hex(bytes);
    Decoder decoder{ByteView(in)};
    DeleteSet set;
    set.read(decoder, UpdateFormat::kV1);
    EXPECT_EQ(decoder.fault(), Fault::kTruncated) << bytes;
  }
  const Bytes far =
      hex("010502ffffffffffffff0f00"
          "0505");
  Decoder decoder{ByteView(far)};
  DeleteSet set;
  set.read(decoder, UpdateFormat::kV2);
  EXPECT_EQ(decoder.fault(), Fault::kRange);
}

TEST(StateVector, IsWrittenWithDescendingClientsAndReadInAnyOrder) {
  StateVector state;
  state.set(5, 31);
  state.set(kMaxClient - 1, 2);
  EXPECT_EQ(to_hex(state.encode()), fixtures::kTwo.state);
  EXPECT_EQ(*StateVector::decode(hex(fixtures::kTwo.state)), state);
  EXPECT_EQ(*StateVector::decode(hex("02051ffeffffffffffff0f02")), state);
  EXPECT_EQ(state.get(5), 31u);
  EXPECT_EQ(state.get(6), 0u);
  EXPECT_TRUE(StateVector::decode({})->empty());
  EXPECT_TRUE(StateVector::decode(hex("00"))->empty());
}

TEST(StateVector, KeepsTheHighestClockOfAClient) {
  const auto state =
      StateVector::decode(hex("030501070205"
                              "09"));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->size(), 2u);
  EXPECT_EQ(state->get(5), 9u);
  EXPECT_EQ(state->get(7), 2u);
  StateVector set;
  set.set(9, 1);
  set.set(3, 2);
  set.set(9, 4);
  set.set(5, 5);
  EXPECT_EQ(set.entries(), (std::vector<StateVector::Entry>{{3, 2}, {5, 5}, {9, 4}}));
}

TEST(StateVector, BadBytesAreRefused) {
  for (const std::string_view bytes :
       {"01", "0105", "ffffffff0f0501", "01050100", "0105ffffffffffffff1f"}) {
    const auto state = StateVector::decode(hex(bytes));
    ASSERT_FALSE(state.has_value()) << bytes;
    EXPECT_EQ(state.error().code, Code::kCrdtMalformed);
  }
}

}  // namespace
}  // namespace footlight::crdt
