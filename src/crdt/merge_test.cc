#include "crdt/merge.h"

#include <gtest/gtest.h>

#include "crdt/internal/yjs_fixtures.h"
#include "crdt/update_writer.h"

namespace footlight::crdt {
namespace {

using fixtures::hex;

constexpr UpdateFormat kFormats[] = {UpdateFormat::kV1, UpdateFormat::kV2};

Bytes merge(const std::vector<Bytes>& updates, UpdateFormat format) {
  const std::vector<ByteView> views(updates.begin(), updates.end());
  auto merged = merge_updates(views, format);
  EXPECT_TRUE(merged.has_value());
  return merged ? *merged : Bytes{};
}

std::vector<Bytes> keys(UpdateFormat format) {
  std::vector<Bytes> updates;
  for (const std::string_view update : fixtures::kKeyUpdates) {
    updates.push_back(hex(update));
    if (format == UpdateFormat::kV2) {
      updates.back() = *convert_update(updates.back(), UpdateFormat::kV1, UpdateFormat::kV2);
    }
  }
  return updates;
}

TEST(Merge, KeystrokesBecomeTheStructThatTheDocumentHolds) {
  EXPECT_EQ(to_hex(merge(keys(UpdateFormat::kV1), UpdateFormat::kV1)), fixtures::kKeys.v1);
  EXPECT_EQ(to_hex(merge(keys(UpdateFormat::kV2), UpdateFormat::kV2)), fixtures::kKeys.v2);
}

TEST(Merge, AGapBecomesASkip) {
  const std::vector<Bytes> v1 = keys(UpdateFormat::kV1);
  EXPECT_EQ(to_hex(merge({v1[0], v1[2]}, UpdateFormat::kV1)), fixtures::kKeyGapV1);
  EXPECT_EQ(to_hex(merge({v1[2], v1[0]}, UpdateFormat::kV1)), fixtures::kKeyGapV1);
  const std::vector<Bytes> v2 = keys(UpdateFormat::kV2);
  EXPECT_EQ(to_hex(merge({v2[0], v2[2]}, UpdateFormat::kV2)), fixtures::kKeyGapV2);
  // The missing piece closes it.
  const Bytes gap = hex(fixtures::kKeyGapV1);
  EXPECT_EQ(to_hex(merge({gap, v1[1]}, UpdateFormat::kV1)), fixtures::kKeys.v1);
}

TEST(Merge, OrderGroupingAndRepetitionDoNotMatter) {
  for (const auto format : kFormats) {
    const bool v1 = format == UpdateFormat::kV1;
    std::vector<Bytes> all = keys(format);
    all.push_back(hex(v1 ? fixtures::kTwo.v1 : fixtures::kTwo.v2));
    all.push_back(hex(v1 ? fixtures::kGc.v1 : fixtures::kGc.v2));
    all.push_back(hex(v1 ? fixtures::kJson.v1 : fixtures::kJson.v2));
    const std::string whole = to_hex(merge(all, format));
    std::vector<Bytes> turned(all.rbegin(), all.rend());
    EXPECT_EQ(to_hex(merge(turned, format)), whole);
    for (size_t cut = 0; cut <= all.size(); ++cut) {
      const auto at = all.begin() + static_cast<ptrdiff_t>(cut);
      const Bytes left = merge({all.begin(), at}, format);
      const Bytes right = merge({at, all.end()}, format);
      EXPECT_EQ(to_hex(merge({left, right}, format)), whole);
      EXPECT_EQ(to_hex(merge({left, right, left, hex(whole)}, format)), whole);
    }
  }
}

TEST(Merge, NothingMergesToTheEmptyUpdate) {
  EXPECT_EQ(to_hex(merge({}, UpdateFormat::kV1)), "0000");
  EXPECT_EQ(to_hex(merge({hex("0000"), hex("0000")}, UpdateFormat::kV1)), "0000");
}

// Two updates of yjs that overlap: clocks 0..2 and 0..4 of one client.
TEST(Merge, OverlapsAreCut) {
  const Bytes two = hex("010101000401017402616200");
  const Bytes four =
      hex("01010100040101740461626364"
          "00");
  EXPECT_EQ(to_hex(merge({two, four}, UpdateFormat::kV1)), to_hex(four));
  EXPECT_EQ(to_hex(merge({four, two}, UpdateFormat::kV1)), to_hex(four));
}

// Map m, key k: values 1 and 2 of client 1. As one struct they would not delete each other.
TEST(Merge, ValuesOfAKeyAreJoinedOnlyWhenAllAreDeleted) {
  const Bytes first =
      hex("0101010028"
          "01016d016b"
          "017d01"
          "00");
  const Bytes second =
      hex("01010101a8"
          "0100"
          "017d02"
          "00");
  const Bytes merged = merge({first, second}, UpdateFormat::kV1);
  EXPECT_EQ(to_hex(merged),
            "0102010028"
            "01016d016b"
            "017d01"
            "a80100"
            "017d02"
            "00");
  const Bytes deletes =
      hex("00"
          "0101010002");
  const Bytes deleted = merge({first, second, deletes}, UpdateFormat::kV1);
  EXPECT_EQ(to_hex(deleted),
            "0101010028"
            "01016d016b"
            "027d017d02"
            "0101010002");
}

TEST(Merge, SixteenThousandKeystrokesAreOneStruct) {
  std::vector<Bytes> updates;
  UpdateWriter writer(UpdateFormat::kV1);
  for (uint64_t clock = 0; clock < 16'000; ++clock) {
    DecodedStruct s;
    s.id = {77, clock};
    s.len = 1;
    s.ref = Ref::kString;
    s.content = as_bytes("x");
    s.has_origin = clock != 0;
    s.origin = {77, clock - 1};
    s.parent_kind = clock == 0 ? ParentKind::kRoot : ParentKind::kInherit;
    s.parent_name = "t";
    writer.reset();
    writer.begin(1);
    writer.client(77, 1, clock);
    writer.write(s);
    writer.no_deletes();
    const ByteView bytes = writer.finish();
    updates.emplace_back(bytes.begin(), bytes.end());
  }
  const Bytes merged = merge(updates, UpdateFormat::kV1);
  EXPECT_LT(merged.size(), 16'020u);
  EXPECT_EQ(state_vector_of_update(merged, UpdateFormat::kV1)->get(77), 16'000u);
}

TEST(Diff, LeavesOutWhatIsKnownAndKeepsDeletes) {
  StateVector state;
  state.set(1, 1);
  // Y.encodeStateAsUpdate(doc of kKeys, {1: 1}) and ({1: 3}).
  EXPECT_EQ(to_hex(*diff_update(hex(fixtures::kKeys.v1), UpdateFormat::kV1, state)),
            "0101010184010002626300");
  state.set(1, 3);
  EXPECT_EQ(to_hex(*diff_update(hex(fixtures::kKeys.v1), UpdateFormat::kV1, state)), "0000");
  StateVector five;
  five.set(5, 31);
  EXPECT_EQ(to_hex(*diff_update(hex(fixtures::kTwo.v1), UpdateFormat::kV1, five)),
            "0101feffffffffffff0f00c4050f050302796f01050204021002");
}

TEST(Diff, OfNothingKnownIsTheUpdate) {
  for (const auto& fixture : fixtures::kFixtures) {
    EXPECT_EQ(to_hex(*diff_update(hex(fixture.v1), UpdateFormat::kV1, {})), fixture.v1);
    EXPECT_EQ(to_hex(*diff_update(hex(fixture.v2), UpdateFormat::kV2, {})), fixture.v2);
  }
}

TEST(Diff, DoesNotBeginWithASkip) {
  StateVector state;
  state.set(1, 1);
  EXPECT_EQ(to_hex(*diff_update(hex(fixtures::kKeyGapV1), UpdateFormat::kV1, state)),
            "01010102840101016300");
}

TEST(Convert, IsThereAndBack) {
  for (const auto& fixture : fixtures::kFixtures) {
    const Bytes v1 = hex(fixture.v1);
    const Bytes v2 = hex(fixture.v2);
    EXPECT_EQ(to_hex(*convert_update(v1, UpdateFormat::kV1, UpdateFormat::kV2)), fixture.v2);
    EXPECT_EQ(to_hex(*convert_update(v2, UpdateFormat::kV2, UpdateFormat::kV1)), fixture.v1);
    EXPECT_EQ(to_hex(*convert_update(v1, UpdateFormat::kV1, UpdateFormat::kV1)), fixture.v1);
    EXPECT_EQ(to_hex(*convert_update(v2, UpdateFormat::kV2, UpdateFormat::kV2)), fixture.v2);
  }
}

TEST(StateVectorOfUpdate, CountsToTheFirstGap) {
  for (const auto& fixture : fixtures::kFixtures) {
    EXPECT_EQ(to_hex(state_vector_of_update(hex(fixture.v1), UpdateFormat::kV1)->encode()),
              fixture.state);
    EXPECT_EQ(to_hex(state_vector_of_update(hex(fixture.v2), UpdateFormat::kV2)->encode()),
              fixture.state);
  }
  EXPECT_EQ(state_vector_of_update(hex(fixtures::kKeyGapV1), UpdateFormat::kV1)->get(1), 1u);
  EXPECT_TRUE(state_vector_of_update(hex(fixtures::kKeyUpdates[1]), UpdateFormat::kV1)->empty());
}

TEST(Meta, NamesWhatAnUpdateSpeaksOf) {
  const auto meta = meta_of_update(hex(fixtures::kKeyUpdates[1]), UpdateFormat::kV1);
  ASSERT_TRUE(meta.has_value());
  EXPECT_EQ(meta->from.get(1), 1u);
  EXPECT_EQ(meta->to.get(1), 2u);
  const auto ids = ids_of_update(hex(fixtures::kKeyGapV1), UpdateFormat::kV1);
  ASSERT_TRUE(ids.has_value());
  EXPECT_EQ(ids->inserted.ranges(), (std::vector<IdRange>{{1, 0, 1}, {1, 2, 1}}));
  EXPECT_TRUE(ids->deleted.empty());
  const auto two = ids_of_update(hex(fixtures::kTwo.v2), UpdateFormat::kV2);
  EXPECT_EQ(two->deleted.ranges(), (std::vector<IdRange>{{5, 4, 2}, {5, 16, 2}}));
}

TEST(Tools, RefuseBadUpdatesWhole) {
  const Bytes bad = hex("0101010004010174");
  const Bytes good = hex(fixtures::kKeys.v1);
  const ByteView both[] = {good, bad};
  for (const Code code : {merge_updates(both, UpdateFormat::kV1).error().code,
                          diff_update(bad, UpdateFormat::kV1, {}).error().code,
                          convert_update(bad, UpdateFormat::kV1, UpdateFormat::kV2).error().code,
                          state_vector_of_update(bad, UpdateFormat::kV1).error().code,
                          meta_of_update(bad, UpdateFormat::kV1).error().code,
                          ids_of_update(bad, UpdateFormat::kV1).error().code}) {
    EXPECT_EQ(code, Code::kCrdtMalformed);
  }
  UpdateLimits limits;
  limits.max_structs = 1;
  const ByteView twice[] = {good, good};
  EXPECT_EQ(merge_updates(twice, UpdateFormat::kV1, limits).error().code, Code::kCrdtLimit);
}

}  // namespace
}  // namespace footlight::crdt
