#include "crdt/update_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "crdt/any.h"
#include "crdt/internal/yjs_fixtures.h"
#include "crdt/update_writer.h"

namespace footlight::crdt {
namespace {

using fixtures::hex;

struct Outcome {
  Fault fault = Fault::kNone;
  uint64_t structs = 0;
  uint64_t ranges = 0;
};

Outcome read(ByteView bytes, UpdateFormat format, const UpdateLimits& limits = {}) {
  Scratch scratch;
  UpdateReader reader(bytes, format, scratch, limits);
  Outcome outcome;
  for (DecodedStruct s; reader.next(s);) ++outcome.structs;
  for (IdRange range; reader.next_deleted(range);) ++outcome.ranges;
  outcome.fault = reader.fault();
  EXPECT_LE(scratch.used(), bytes.size() * 8 + 4096);
  return outcome;
}

Fault fault_of(std::string_view bytes, UpdateFormat format) {
  return read(hex(bytes), format).fault;
}

std::string text_of(const DecodedStruct& s) { return std::string(as_text(s.content)); }

TEST(UpdateReader, ReadsWhatYjsWroteInBothFormatsAlike) {
  for (const auto& fixture : fixtures::kFixtures) {
    const Bytes v1 = hex(fixture.v1);
    const Bytes v2 = hex(fixture.v2);
    DecodedUpdate a;
    DecodedUpdate b;
    ASSERT_TRUE(read_update(v1, UpdateFormat::kV1, a).has_value());
    ASSERT_TRUE(read_update(v2, UpdateFormat::kV2, b).has_value());
    ASSERT_EQ(a.structs.size(), b.structs.size());
    for (size_t i = 0; i < a.structs.size(); ++i) {
      const DecodedStruct& x = a.structs[i];
      const DecodedStruct& y = b.structs[i];
      EXPECT_EQ(x.id, y.id);
      EXPECT_EQ(x.len, y.len);
      EXPECT_EQ(x.ref, y.ref);
      EXPECT_EQ(x.parent_kind, y.parent_kind);
      EXPECT_EQ(x.has_origin, y.has_origin);
      EXPECT_EQ(x.has_right_origin, y.has_right_origin);
      EXPECT_EQ(x.has_key, y.has_key);
      EXPECT_EQ(x.has_parent_sub, y.has_parent_sub);
      if (x.has_origin) {
        EXPECT_EQ(x.origin, y.origin);
      }
      if (x.has_right_origin) {
        EXPECT_EQ(x.right_origin, y.right_origin);
      }
      if (x.has_parent_sub) {
        EXPECT_EQ(x.parent_sub, y.parent_sub);
      }
      EXPECT_EQ(to_hex(x.content), to_hex(y.content));
    }
    EXPECT_EQ(a.deletes, b.deletes);
    ASSERT_EQ(a.blocks.size(), b.blocks.size());
    for (size_t i = 0; i < a.blocks.size(); ++i) {
      EXPECT_EQ(a.blocks[i].client, b.blocks[i].client);
      EXPECT_EQ(a.blocks[i].first, b.blocks[i].first);
      EXPECT_EQ(a.blocks[i].count, b.blocks[i].count);
    }
  }
}

TEST(UpdateReader, NamesParentsKeysAndContent) {
  const Bytes bytes = hex(fixtures::kTwo.v1);
  DecodedUpdate update;
  ASSERT_TRUE(read_update(bytes, UpdateFormat::kV1, update).has_value());
  ASSERT_EQ(update.blocks.size(), 2u);
  EXPECT_EQ(update.blocks[0].client, kMaxClient - 1);
  EXPECT_EQ(update.blocks[0].count, 1u);
  EXPECT_EQ(update.blocks[1].client, 5u);

  const DecodedStruct& yo = update.structs[0];
  EXPECT_EQ(yo.ref, Ref::kString);
  EXPECT_EQ(text_of(yo), "yo");
  EXPECT_EQ(yo.len, 2u);
  EXPECT_TRUE(yo.has_origin && yo.has_right_origin);
  EXPECT_EQ(yo.parent_kind, ParentKind::kInherit);

  const DecodedStruct& hi = update.structs[1];
  EXPECT_EQ(hi.parent_kind, ParentKind::kRoot);
  EXPECT_EQ(hi.parent_name, "t");
  EXPECT_EQ(text_of(hi), "Hi");
  EXPECT_EQ(hi.end(), 2u);

  bool saw_key = false;
  bool saw_format = false;
  bool saw_doc = false;
  for (const DecodedStruct& s : update.structs) {
    if (s.ref == Ref::kBinary) {
      saw_key = true;
      EXPECT_TRUE(s.has_key && s.has_parent_sub);
      EXPECT_EQ(s.parent_sub, "bin");
      EXPECT_EQ(to_hex(s.content), "010203");
    }
    if (s.ref == Ref::kFormat && !saw_format) {
      saw_format = true;
      EXPECT_EQ(to_hex(s.content), "04626f6c6478");  // "bold", true
    }
    if (s.ref == Ref::kDoc) {
      saw_doc = true;
      EXPECT_EQ(to_hex(s.content), "0267317601046d657461760101617d01");
    }
  }
  EXPECT_TRUE(saw_key && saw_format && saw_doc);
  EXPECT_EQ(update.deletes, (std::vector<IdRange>{{5, 4, 2}, {5, 16, 2}}));
}

TEST(UpdateReader, AStructOfAKeyKeepsTheFlagWhenItsParentIsInherited) {
  const Bytes bytes = hex(fixtures::kAll.v1);
  DecodedUpdate update;
  ASSERT_TRUE(read_update(bytes, UpdateFormat::kV1, update).has_value());
  int seen = 0;
  for (const DecodedStruct& s : update.structs) {
    if (s.ref != Ref::kAny || !s.has_origin || !s.has_key) continue;
    ++seen;
    EXPECT_FALSE(s.has_parent_sub);
  }
  EXPECT_EQ(seen, 1);  // hp = 9, after hp = 7
}

// v2 as yjs's encoder writes two strings "a\ud83d" and "\ude00b" of one client: the halves of one
// character meet in the text column.
TEST(UpdateReader, TextCutWithinAPairEndsAndBeginsWithTheReplacement) {
  const Bytes bytes = hex("0000024100010200030400840b077461f09f9880620142000101000001020000");
  DecodedUpdate update;
  ASSERT_TRUE(read_update(bytes, UpdateFormat::kV2, update).has_value());
  ASSERT_EQ(update.structs.size(), 2u);
  EXPECT_EQ(text_of(update.structs[0]), "a\uFFFD");
  EXPECT_EQ(update.structs[0].len, 2u);
  EXPECT_EQ(text_of(update.structs[1]), "\uFFFDb");
  EXPECT_EQ(update.structs[1].id.clock, 2u);
}

// v2 as yjs's encoder would write it if it remembered keys: two formats, key clock 0 twice.
TEST(UpdateReader, AKeyMayBeNamedByItsNumber) {
  const Bytes bytes = hex("0002010002410001000003060086080574626f6c64010401010000010200787e00");
  DecodedUpdate update;
  ASSERT_TRUE(read_update(bytes, UpdateFormat::kV2, update).has_value());
  ASSERT_EQ(update.structs.size(), 2u);
  EXPECT_EQ(to_hex(update.structs[0].content), "04626f6c6478");
  EXPECT_EQ(to_hex(update.structs[1].content), "04626f6c647e");
}

TEST(UpdateReader, ValuesThatAreNotCanonicalAreRewritten) {
  // v1, root "a": ContentAny of a float32 3 and an object with its keys out of order.
  const Bytes bytes =
      hex("01010100080101610"
          "27c40400000"
          "7602016278013179"
          "00");
  DecodedUpdate update;
  ASSERT_TRUE(read_update(bytes, UpdateFormat::kV1, update).has_value());
  EXPECT_EQ(to_hex(update.structs[0].content),
            "7d0376020131790162"
            "78");
  // An embed whose JSON has spaces.
  const Bytes embed = hex("01010100050101740a7b2261223a20312e307d00");
  ASSERT_TRUE(read_update(embed, UpdateFormat::kV1, update).has_value());
  EXPECT_EQ(to_hex(update.structs[0].content), "760101617d01");
}

TEST(UpdateReader, EveryCutOfAnUpdateIsRefused) {
  for (const auto& fixture : fixtures::kFixtures) {
    for (const auto format : {UpdateFormat::kV1, UpdateFormat::kV2}) {
      const Bytes whole = hex(format == UpdateFormat::kV1 ? fixture.v1 : fixture.v2);
      EXPECT_EQ(read(whole, format).fault, Fault::kNone);
      for (size_t size = 0; size < whole.size(); ++size) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
        EXPECT_NE(read(cut, format).fault, Fault::kNone) << size;
      }
      Bytes longer = whole;
      longer.push_back(0);
      EXPECT_EQ(read(longer, format).fault, Fault::kTrailing);
    }
  }
}

TEST(UpdateReader, EveryFlippedBitIsReadOrRefusedWithinTheBounds) {
  for (const auto& fixture : fixtures::kFixtures) {
    for (const auto format : {UpdateFormat::kV1, UpdateFormat::kV2}) {
      Bytes bytes = hex(format == UpdateFormat::kV1 ? fixture.v1 : fixture.v2);
      for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        UpdateLimits limits;
        limits.max_structs = 1000;
        EXPECT_LE(read(bytes, format, limits).structs, 1000u);
        bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      }
    }
  }
}

TEST(UpdateReader, AFewBytesCannotClaimMillionsOfStructs) {
  // 134,217,728 structs claimed in nine bytes of v1, and by one run in v2.
  EXPECT_EQ(fault_of("018080804001000000", UpdateFormat::kV1), Fault::kTruncated);
  const std::string_view run = "0000010100000100010000000541feffff3f01808080400000";
  EXPECT_EQ(fault_of(run, UpdateFormat::kV2), Fault::kLimit);
  UpdateLimits limits;
  limits.max_structs = 10;
  EXPECT_EQ(read(hex(run), UpdateFormat::kV2, limits).structs, 0u);
  DecodedUpdate update;
  const Status status = read_update(hex(run), UpdateFormat::kV2, update);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Code::kCrdtLimit);
  EXPECT_LE(update.structs.capacity(), 1u);
}

TEST(UpdateReader, HostileUpdatesAreRefusedForWhatTheyAre) {
  const struct {
    std::string_view bytes;
    UpdateFormat format;
    Fault fault;
  } cases[] = {
      {"0101010004010174808080800461", UpdateFormat::kV1, Fault::kTruncated},  // 1 GiB of text
      {"010101000b01017400", UpdateFormat::kV1, Fault::kTag},                  // ref 11, Move
      {"010101000701017407"
       "00",
       UpdateFormat::kV1, Fault::kTag},  // type ref 7
      {"010101000401017400"
       "00",
       UpdateFormat::kV1, Fault::kEmpty},  // text of length 0
      {"01010100"
       "0000"
       "00",
       UpdateFormat::kV1, Fault::kEmpty},  // GC of length 0
      {"010101000401017402c32800", UpdateFormat::kV1, Fault::kUtf8},
      {"0101010005010174027b2200", UpdateFormat::kV1, Fault::kJson},
      {"0101010000ffffffffffffff0f00"
       "00",
       UpdateFormat::kV1, Fault::kTrailing},
      {"01010101"
       "00ffffffffffffff0f"
       "00",
       UpdateFormat::kV1, Fault::kRange},  // ends above 2^53
      {"01", UpdateFormat::kV1, Fault::kTruncated},
      {"", UpdateFormat::kV1, Fault::kTruncated},
      {"0001010105", UpdateFormat::kV1, Fault::kTruncated},
      {"000101ffffffff0f0101", UpdateFormat::kV1, Fault::kTruncated},  // a claim of ranges
      {"01", UpdateFormat::kV2, Fault::kTag},                          // a feature flag
  };
  for (const auto& c : cases) EXPECT_EQ(fault_of(c.bytes, c.format), c.fault) << c.bytes;
}

TEST(UpdateReader, ALongKeyCannotBeRepeatedForFree) {
  // v2 by hand: one key of 60,000 bytes, then ever more formats that name it by number.
  Encoder keys, lens, text, rest, out;
  constexpr uint64_t kFormats = 100'000;
  const std::string key(60'000, 'k');
  keys.var_int(SignedInt{1, false});  // difference 0, a run
  keys.var_uint(kFormats - 2);
  text.var_text("t" + key);
  text.var_int(int64_t{1});
  text.var_int(int64_t{60'000});
  rest.var_uint(1);
  rest.var_uint(kFormats);
  rest.var_uint(0);
  for (uint64_t i = 0; i < kFormats; ++i) rest.u8(0x7e);
  rest.var_uint(0);
  const Bytes client =
      hex("41"
          "fe9f8d06");  // client 1, for ever
  const Bytes left =
      hex("00"
          "03"
          "fe8d06");
  const Bytes info =
      hex("0600"
          "86");
  out.u8(0);
  out.var_bytes(keys.view());
  out.var_bytes(client);
  out.var_bytes(left);
  out.var_bytes({});
  out.var_bytes(info);
  out.var_bytes(text.view());
  out.var_bytes(hex("01"));
  out.var_bytes({});
  out.var_bytes({});
  out.bytes(rest.view());
  const Outcome outcome = read(out.view(), UpdateFormat::kV2);
  EXPECT_EQ(outcome.fault, Fault::kLimit);
  EXPECT_LT(outcome.structs, 100u);
}

TEST(UpdateReader, ARunIsPassedAsItWouldBeRead) {
  constexpr uint64_t kStructs = 700;  // past the places where a clock takes another byte
  constexpr uint64_t kBroken = 500;   // one that is two clocks long
  for (const uint64_t client : {uint64_t{5}, kMaxClient}) {
    UpdateWriter writer(UpdateFormat::kV1);
    writer.begin(1);
    writer.client(client, kStructs, 3);
    DecodedStruct s;
    s.id = {client, 3};
    s.ref = Ref::kDeleted;
    s.has_origin = s.has_key = true;
    for (uint64_t i = 0; i < kStructs; ++i, s.id.clock += s.len) {
      s.len = i == kBroken ? 2 : 1;
      s.origin = {client, s.id.clock - 3};
      writer.write(s, 0);
    }
    writer.no_deletes();
    const ByteView all = writer.finish();
    const Bytes update(all.begin(), all.end());
    Scratch scratch;
    UpdateReader reader(update, UpdateFormat::kV1, scratch);
    DecodedStruct got;
    ASSERT_TRUE(reader.next(got));
    EXPECT_EQ(reader.pass_run(got), kBroken - 1);
    ASSERT_TRUE(reader.next(got));
    EXPECT_EQ(got.id.clock, 3 + kBroken);
    EXPECT_EQ(got.len, 2u);
    ASSERT_TRUE(reader.next(got));
    EXPECT_EQ(got.origin.clock, 2 + kBroken);
    EXPECT_EQ(reader.pass_run(got), kStructs - kBroken - 2);
    EXPECT_FALSE(reader.next(got));
    EXPECT_EQ(reader.fault(), Fault::kNone);
    for (size_t cut = 0; cut + 1 < update.size(); cut += 5) {
      UpdateReader half(ByteView(update).first(cut), UpdateFormat::kV1, scratch);
      while (half.next(got)) {
        if (got.len == 1) (void)half.pass_run(got);
      }
      EXPECT_NE(half.fault(), Fault::kNone) << cut;
    }
    UpdateReader few(update, UpdateFormat::kV1, scratch, {.max_structs = kStructs - 1});
    EXPECT_FALSE(few.next(got));
  }
}

TEST(UpdateReader, AnEmptyRangeDeletesNothing) {
  const Outcome outcome = read(hex("000101020500"
                                   "0701"),
                               UpdateFormat::kV1);
  EXPECT_EQ(outcome.fault, Fault::kNone);
  EXPECT_EQ(outcome.ranges, 1u);
}

TEST(UpdateReader, AnUpdateIsReadAgainIntoTheSameMemory) {
  const Bytes bytes = hex(fixtures::kAll.v1);
  DecodedUpdate update;
  ASSERT_TRUE(read_update(bytes, UpdateFormat::kV1, update).has_value());
  const auto* structs = update.structs.data();
  const auto* content = update.structs[5].content.data();
  ASSERT_TRUE(read_update(bytes, UpdateFormat::kV1, update).has_value());
  EXPECT_EQ(update.structs.data(), structs);
  EXPECT_EQ(update.structs[5].content.data(), content);
}

TEST(Scratch, WhatWasHandedOutStandsAndClearKeepsOneChunk) {
  Scratch scratch;
  std::vector<uint8_t*> parts;
  for (int i = 0; i < 100; ++i) {
    parts.push_back(scratch.allocate(200));
    std::memset(parts.back(), i, 200);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(parts[static_cast<size_t>(i)][0], i);
    EXPECT_EQ(parts[static_cast<size_t>(i)][199], i);
  }
  EXPECT_EQ(scratch.used(), 20'000u);
  scratch.clear();
  EXPECT_EQ(scratch.used(), 0u);
  EXPECT_NE(scratch.allocate(0), nullptr);
}

}  // namespace
}  // namespace footlight::crdt
