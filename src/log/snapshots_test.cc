#include "log/internal/snapshots.h"

#include <gtest/gtest.h>

#include "log/internal/format.h"

namespace footlight::log::internal {
namespace {

const Bytes kState = {1, 2, 3, 4, 5};

Bytes header() {
  Hash256 chain{};
  chain[0] = 9;
  return encode_snapshot_header(77, chain, kState);
}

TEST(SnapshotHeader, IsReadBackAsDocumented) {
  const Bytes bytes = header();
  ASSERT_EQ(bytes.size(), kSnapshotHeaderBytes);
  EXPECT_EQ(as_text(ByteView(bytes).first(8)), "FLSNAP01");
  EXPECT_EQ(bytes[8], 77);
  EXPECT_EQ(bytes[16], 9);
  EXPECT_EQ(bytes[48], 5);
  const auto decoded = decode_snapshot_header(bytes, bytes.size() + kState.size());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->seq, 77u);
  EXPECT_EQ(decoded->chain[0], 9);
  EXPECT_EQ(decoded->state_bytes, kState.size());
  EXPECT_TRUE(snapshot_sum_holds(bytes, kState));
}

TEST(SnapshotHeader, NoticesEveryFlippedBit) {
  const Bytes good = header();
  for (size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= 1;
    const auto decoded = decode_snapshot_header(bad, 1'000'000);
    EXPECT_TRUE(!decoded || !snapshot_sum_holds(bad, kState)) << at;
  }
  Bytes state = kState;
  state[2] ^= 1;
  EXPECT_FALSE(snapshot_sum_holds(good, state));
}

TEST(SnapshotHeader, BelievesNoSizeThatTheFileDoesNotHave) {
  const Bytes good = header();
  EXPECT_FALSE(decode_snapshot_header(good, good.size() + kState.size() - 1));
  EXPECT_FALSE(decode_snapshot_header(ByteView(good).first(87), 1'000'000));
  Bytes huge = good;
  for (size_t at = 48; at < 56; ++at) huge[at] = 0xFF;
  EXPECT_FALSE(decode_snapshot_header(huge, UINT64_MAX));
  Bytes large = good;
  ByteWriter writer(large);
  large.resize(48);
  writer.u64(kMaxSnapshotBytes + 1);
  large.resize(kSnapshotHeaderBytes);
  EXPECT_FALSE(decode_snapshot_header(large, UINT64_MAX));
}

}  // namespace
}  // namespace footlight::log::internal
