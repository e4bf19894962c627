#include "crdt/update_writer.h"

#include <gtest/gtest.h>

#include "crdt/internal/yjs_fixtures.h"
#include "crdt/update_reader.h"

namespace footlight::crdt {
namespace {

using fixtures::hex;

std::string write(const DecodedUpdate& update, UpdateFormat format) {
  DeleteSet deletes;
  for (const IdRange& range : update.deletes) deletes.add(range.client, range.clock, range.len);
  deletes.normalize();
  UpdateWriter writer(format);
  writer.begin(update.blocks.size());
  for (const ClientBlock& block : update.blocks) {
    writer.client(block.client, block.count, update.structs[block.first].id.clock);
    for (uint32_t i = 0; i < block.count; ++i) writer.write(update.structs[block.first + i]);
  }
  writer.deletes(deletes);
  return to_hex(writer.finish());
}

TEST(UpdateWriter, WritesTheBytesOfYjsInBothFormats) {
  for (const auto& fixture : fixtures::kFixtures) {
    const Bytes v1 = hex(fixture.v1);
    const Bytes v2 = hex(fixture.v2);
    DecodedUpdate update;
    ASSERT_TRUE(read_update(v1, UpdateFormat::kV1, update).has_value());
    EXPECT_EQ(write(update, UpdateFormat::kV1), fixture.v1);
    EXPECT_EQ(write(update, UpdateFormat::kV2), fixture.v2);
    ASSERT_TRUE(read_update(v2, UpdateFormat::kV2, update).has_value());
    EXPECT_EQ(write(update, UpdateFormat::kV1), fixture.v1);
    EXPECT_EQ(write(update, UpdateFormat::kV2), fixture.v2);
  }
}

TEST(UpdateWriter, CountsMayComeLast) {
  const Bytes v1 = hex(fixtures::kTwo.v1);
  DecodedUpdate update;
  ASSERT_TRUE(read_update(v1, UpdateFormat::kV1, update).has_value());
  for (const auto format : {UpdateFormat::kV1, UpdateFormat::kV2}) {
    UpdateWriter writer(format);
    for (int round = 0; round < 2; ++round) {
      writer.reset();
      for (const ClientBlock& block : update.blocks) {
        writer.open_client(block.client, update.structs[block.first].id.clock);
        for (uint32_t i = 0; i < block.count; ++i) {
          writer.write_open(update.structs[block.first + i]);
        }
      }
      writer.close_clients();
      DeleteSet deletes;
      for (const IdRange& range : update.deletes) {
        deletes.add(range.client, range.clock, range.len);
      }
      writer.deletes(deletes);
      EXPECT_EQ(to_hex(writer.finish()),
                format == UpdateFormat::kV1 ? fixtures::kTwo.v1 : fixtures::kTwo.v2);
    }
  }
}

// A struct written from an offset reads as the struct cut at that offset.
TEST(UpdateWriter, AnOffsetIsACut) {
  for (const auto& fixture : fixtures::kFixtures) {
    const Bytes v1 = hex(fixture.v1);
    DecodedUpdate update;
    ASSERT_TRUE(read_update(v1, UpdateFormat::kV1, update).has_value());
    for (const DecodedStruct& s : update.structs) {
      for (uint64_t offset = 1; offset < s.len; ++offset) {
        for (const auto format : {UpdateFormat::kV1, UpdateFormat::kV2}) {
          Scratch scratch;
          DecodedStruct cut = s;
          cut_front(cut, offset, scratch);
          UpdateWriter a(format);
          a.begin(1);
          a.client(s.id.client, 1, s.id.clock + offset);
          a.write(s, offset);
          a.no_deletes();
          UpdateWriter b(format);
          b.begin(1);
          b.client(cut.id.client, 1, cut.id.clock);
          b.write(cut);
          b.no_deletes();
          EXPECT_EQ(to_hex(a.finish()), to_hex(b.finish()));
          DecodedUpdate again;
          ASSERT_TRUE(read_update(a.finish(), format, again).has_value());
          EXPECT_EQ(again.structs.front().len, s.len - offset);
          EXPECT_EQ(again.structs.front().id, cut.id);
        }
      }
    }
  }
}

TEST(UpdateWriter, TextCutWithinAPairBeginsWithTheReplacement) {
  DecodedStruct s;
  s.id = {1, 10};
  s.len = 4;
  s.ref = Ref::kString;
  s.parent_kind = ParentKind::kRoot;
  s.parent_name = "t";
  s.content = as_bytes("a😀b");
  Scratch scratch;
  DecodedStruct cut = s;
  cut_front(cut, 2, scratch);
  EXPECT_EQ(as_text(cut.content), "\uFFFDb");
  EXPECT_EQ(cut.len, 2u);
  EXPECT_EQ(cut.origin, (Id{1, 11}));
  EXPECT_EQ(cut.parent_kind, ParentKind::kInherit);
  UpdateWriter writer(UpdateFormat::kV1);
  writer.begin(1);
  writer.client(1, 1, 12);
  writer.write(s, 2);
  writer.no_deletes();
  EXPECT_EQ(to_hex(writer.finish()), "0101010c84010b04efbfbd6200");
}

}  // namespace
}  // namespace footlight::crdt
