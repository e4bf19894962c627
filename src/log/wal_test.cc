#include "log/internal/wal.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/prng.h"

namespace footlight::log::internal {
namespace {

constexpr size_t kPage = 512;

void put32(Bytes& out, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

// Writes WALs by https://www.sqlite.org/fileformat2.html#walformat, with little-endian checksums.
class WalWriter {
 public:
  explicit WalWriter(uint32_t salt) : salt_(salt), header_(kWalHeaderBytes) {
    put32(header_, 0, 0x377F0682);
    put32(header_, 4, 3007000);
    put32(header_, 8, kPage);
    put32(header_, 12, 1);
    put32(header_, 16, salt_);
    put32(header_, 20, ~salt_);
    sum(ByteView(header_).first(24));
    put32(header_, 24, s0_);
    put32(header_, 28, s1_);
  }
  const Bytes& header() const { return header_; }

  // `commit`: the last of a transaction.
  Bytes frame(bool commit) {
    Bytes out(kWalFrameHeaderBytes + kPage);
    put32(out, 0, ++page_);
    put32(out, 4, commit ? page_ : 0);
    put32(out, 8, salt_);
    put32(out, 12, ~salt_);
    for (size_t i = kWalFrameHeaderBytes; i < out.size(); ++i) {
      out[i] = static_cast<uint8_t>(page_ * i);
    }
    sum(ByteView(out).first(8));
    sum(ByteView(out).subspan(kWalFrameHeaderBytes));
    put32(out, 16, s0_);
    put32(out, 20, s1_);
    return out;
  }

 private:
  void sum(ByteView bytes) {
    for (size_t i = 0; i < bytes.size(); i += 8) {
      s0_ += little(bytes, i) + s1_;
      s1_ += little(bytes, i + 4) + s0_;
    }
  }
  static uint32_t little(ByteView bytes, size_t at) {
    return uint32_t{bytes[at]} | uint32_t{bytes[at + 1]} << 8 | uint32_t{bytes[at + 2]} << 16 |
           uint32_t{bytes[at + 3]} << 24;
  }
  uint32_t salt_;
  Bytes header_;
  uint32_t s0_ = 0;
  uint32_t s1_ = 0;
  uint32_t page_ = 0;
};

// One frame per letter: 'c' ends a transaction, '.' does not.
std::vector<Bytes> frames(WalWriter& writer, std::string_view shape) {
  std::vector<Bytes> out;
  for (const char c : shape) out.push_back(writer.frame(c == 'c'));
  return out;
}

WalScanner scan(const Bytes& header, const std::vector<Bytes>& frames) {
  WalScanner scanner;
  EXPECT_TRUE(scanner.header(header));
  for (const Bytes& frame : frames) scanner.frame(frame);
  return scanner;
}

uint64_t bytes_of(uint64_t frames) {
  return kWalHeaderBytes + frames * (kWalFrameHeaderBytes + kPage);
}

TEST(WalScanner, KeepsWholeTransactionsAndNoMore) {
  WalWriter writer(7);
  const auto all = frames(writer, "c..c.c..");
  const auto scanner = scan(writer.header(), all);
  EXPECT_FALSE(scanner.damaged());
  EXPECT_EQ(scanner.whole_bytes(), bytes_of(6));
}

TEST(WalScanner, CutsOffATornLastTransactionWhereverItIsTorn) {
  for (size_t torn = 3; torn < 6; ++torn) {
    WalWriter writer(7);
    auto all = frames(writer, "c.c..c");
    all[torn][100] ^= 1;
    const auto scanner = scan(writer.header(), all);
    EXPECT_FALSE(scanner.damaged()) << torn;
    EXPECT_EQ(scanner.whole_bytes(), bytes_of(3)) << torn;
  }
}

TEST(WalScanner, CallsItDamageWhenASyncedTransactionFollows) {
  for (size_t bad = 0; bad < 3; ++bad) {
    for (const size_t at : {size_t{2}, size_t{18}, size_t{200}}) {  // page number, checksum, page
      WalWriter writer(7);
      auto all = frames(writer, "c.c..c");
      all[bad][at] ^= 1;
      const auto scanner = scan(writer.header(), all);
      EXPECT_TRUE(scanner.damaged()) << bad << " " << at;
      EXPECT_EQ(scanner.first_bad(), bad);
    }
  }
}

TEST(WalScanner, SeesDamageThatHidesTheCommitMarkItself) {
  WalWriter writer(7);
  auto all = frames(writer, "cccc");
  std::fill(all[1].begin(), all[1].end(), uint8_t{0});
  EXPECT_TRUE(scan(writer.header(), all).damaged());
}

TEST(WalScanner, TakesFramesOfAnEarlierRoundForNothing) {
  WalWriter old_round(7);
  WalWriter new_round(8);
  auto all = frames(new_round, "c.c");
  for (Bytes& stale : frames(old_round, "cccccc")) all.push_back(std::move(stale));
  const auto scanner = scan(new_round.header(), all);
  EXPECT_FALSE(scanner.damaged());
  EXPECT_EQ(scanner.whole_bytes(), bytes_of(3));
}

TEST(WalScanner, RefusesAHeaderThatIsNone) {
  WalWriter writer(7);
  for (size_t at = 0; at < kWalHeaderBytes; ++at) {
    Bytes bad = writer.header();
    bad[at] ^= 0x40;
    WalScanner scanner;
    EXPECT_FALSE(scanner.header(bad)) << at;
  }
  WalScanner scanner;
  EXPECT_FALSE(scanner.header(ByteView(writer.header()).first(31)));
}

// Why the torn tail is cut off: SQLite would leave it, and the next transaction, shorter than the
// torn one, would stand before frames that look synced and are not.
TEST(WalScanner, WithoutTheCutASecondCrashWouldLookLikeDamage) {
  WalWriter writer(7);
  auto torn = frames(writer, "c....c");
  torn[1][100] ^= 1;  // the last transaction was torn: only the first frame counts
  ASSERT_FALSE(scan(writer.header(), torn).damaged());

  WalWriter next(7);
  auto after = frames(next, "cc.c");  // two more transactions over it, the last torn in turn
  after[2][100] ^= 1;
  auto uncut = after;
  uncut.insert(uncut.end(), torn.begin() + 4, torn.end());
  EXPECT_TRUE(scan(next.header(), uncut).damaged());
  EXPECT_FALSE(scan(next.header(), after).damaged());
}

}  // namespace
}  // namespace footlight::log::internal
