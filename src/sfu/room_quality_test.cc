// Which encoding is the better one, and what publishers and viewers say of theirs by RTCP.
#include <array>

#include "sfu/internal/test_room.h"

namespace footlight::sfu {
namespace {

TEST_F(RoomTest, TheQualityOfEncodingsIsToldByTheirRatesWhateverTheirOrderInTheOffer) {
  // As OBS offers simulcast: rid 0 is the largest.
  const TrackId track = publish({{"0", 1, 0}, {"1", 2, 0}, {"2", 3, 0}});
  watch(track, {.max = {0, 0, 0}});
  const auto feed = [&](uint16_t from, uint16_t to) {
    for (uint16_t i = from; i < to; ++i) {
      for (const uint32_t ssrc : {1u, 2u, 3u}) {
        give({.ssrc = ssrc,
              .sequence = i,
              .timestamp = i * 3000u,
              .key = i % 30 == 0,
              .picture = i,
              .bytes = 1100 - 300 * ssrc});
      }
      turn(33'333);
    }
  };
  feed(0, 150);
  const auto shown = [&] {
    return room_.subscriber(viewer_)->watches()[0]->subscription.current_stream();
  };
  EXPECT_EQ(room_.track(track)->by_quality, (std::array<uint8_t, 4>{2, 1, 0, 3}));
  EXPECT_EQ(shown(), 2);  // no better than the lowest
  EXPECT_EQ(room_.track(track)->rank_of(2), 0);
  ASSERT_TRUE(room_.set_options(viewer_, track, {}));
  feed(150, 210);
  EXPECT_EQ(shown(), 0);
  EXPECT_EQ(viewer_sink_.got.back().view.payload_bytes, 806u);
}

TEST_F(RoomTest, EncodingsOfAboutTheSameRateKeepTheOrderOfTheOffer) {
  const TrackId track = publish({{"l", 1, 0}, {"h", 2, 0}});
  for (uint16_t i = 0; i < 300; ++i) {
    for (const uint32_t ssrc : {1u, 2u}) {
      give({.ssrc = ssrc, .sequence = i, .timestamp = i * 3000u, .bytes = 430 - 30 * ssrc});
    }
    turn(33'333);
  }
  EXPECT_EQ(room_.track(track)->by_quality, (std::array<uint8_t, 4>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace footlight::sfu
