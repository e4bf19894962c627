#include "gate/cue.h"

#include <gtest/gtest.h>

namespace footlight::gate {
namespace {

constexpr WallMs kNow = 1'764'000'000'000;
const Bytes kKey(32, 7);

TEST(Cue, SaysTheTimeItWasMadeWith) {
  for (const WallMs at : {WallMs{0}, WallMs{1}, kNow, (WallMs{1} << 48) - 1}) {
    const std::string cue = sign_cue(kKey, "demo", at);
    EXPECT_EQ(cue.size(), kCueChars);
    const auto read = read_cue(kKey, "demo", cue);
    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_EQ(*read, at);
  }
}

TEST(Cue, IsTheGoldenOne) { EXPECT_EQ(sign_cue(kKey, "demo", kNow), "AZq2l-gAFPhu9vljQ1C2SA"); }

TEST(Cue, OfAnotherTimeEpisodeOrKeyIsForged) {
  const std::string cue = sign_cue(kKey, "demo", kNow);
  EXPECT_EQ(read_cue(kKey, "other", cue).error().code, Code::kCueForged);
  EXPECT_EQ(read_cue(Bytes(32, 8), "demo", cue).error().code, Code::kCueForged);
  for (size_t i = 0; i < cue.size(); ++i) {
    std::string other = cue;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(read_cue(kKey, "demo", other).has_value()) << i;
  }
  for (const std::string_view text :
       {"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAA", "======================"}) {
    EXPECT_EQ(read_cue(kKey, "demo", text).error().code, Code::kCueForged) << text;
  }
}

TEST(CueDelay, IsNoneBeforeACueAndAfterThirtySecondsWithoutOne) {
  CueDelay delay;
  EXPECT_EQ(delay.allowance_ms(kNow), 0u);
  delay.report(kNow - 2'000, kNow);
  EXPECT_EQ(delay.allowance_ms(kNow + 30'000), 2'000u);
  EXPECT_EQ(delay.allowance_ms(kNow + 30'001), 0u);
}

TEST(CueDelay, CountsNoLongerBackThanTheViewerHasBeenClaiming) {
  CueDelay delay;
  delay.report(kNow - 2'000, kNow);
  EXPECT_EQ(delay.allowance_ms(kNow), 0u) << "who comes after the deadline gets nothing";
  EXPECT_EQ(delay.allowance_ms(kNow + 700), 700u);
  EXPECT_EQ(delay.allowance_ms(kNow + 5'000), 2'000u);
}

TEST(CueDelay, FallsAtOnceAndRisesSlowly) {
  CueDelay delay;
  delay.report(kNow - 2'000, kNow);
  delay.report(kNow + 5'000 - 500, kNow + 5'000);
  EXPECT_EQ(delay.delay_ms(), 500u);
  // A cue kept from the past does not buy the time back.
  delay.report(kNow - 2'000, kNow + 5'100);
  EXPECT_EQ(delay.delay_ms(), 520u);
  delay.report(kNow, kNow + 10'100);
  EXPECT_EQ(delay.delay_ms(), 1'520u);
}

TEST(CueDelay, StaysInItsRange) {
  CueDelay delay;
  delay.report(kNow + 9'000, kNow);  // a clock ahead of ours
  EXPECT_EQ(delay.delay_ms(), 0u);
  CueDelay old;
  old.report(0, kNow);
  EXPECT_EQ(old.delay_ms(), 30'000u);
  old.report(0, kNow - 60'000);  // time that goes back
  EXPECT_LE(old.delay_ms(), 30'000u);
}

}  // namespace
}  // namespace footlight::gate
